import { type Era, parseEventText, type TraceLine } from "@mmu-lab/tracing";

/** What a trace shows of one guest page. */
export interface PageHeat {
  /** Its address. */
  readonly gpa: number;
  /** MMIO reads. */
  readonly reads: number;
  /** MMIO writes, fast ones included. */
  readonly writes: number;
  /** How often an MMIO spte was made for it. */
  readonly marked: number;
}

/** What follows one value of the generation: the MMIO sptes that are found stale because of it. */
export interface RefaultStorm {
  /** The number. */
  readonly generation: number;
  /** MMIO sptes found stale while it stood. */
  readonly refaults: number;
  /** Timestamp of the first. */
  readonly first: number;
  /** Timestamp of the last. */
  readonly last: number;
}

/** What a trace shows of MMIO caching, whoever recorded it. All numbers are counts of events unless they say otherwise. */
export interface TraceSummary {
  /** Event lines. */
  readonly events: number;
  /** Timestamps of the first and last event, in the trace's own clock: seconds, or ticks. */
  readonly time: { readonly first: number; readonly last: number };
  /** Whose processor it was, by its exits; `undefined` if it shows none. */
  readonly processor: "Intel" | "AMD" | undefined;
  /** MMIO accesses: reads, writes and fast writes. */
  readonly accesses: number;
  /** Pages that were accessed as MMIO or got an MMIO spte, most accesses first. */
  readonly pages: readonly PageHeat[];
  /** How accesses were answered, as far as events tell. */
  readonly answered: {
    /** By the vCPU's own cache, when the emulator looked (`vcpu_match_mmio`). */
    readonly byCache: number;
    /** By an MMIO spte that was current (`check_mmio_spte`, valid 1). */
    readonly bySpte: number;
    /** MMIO sptes found stale (valid 0): refaults. */
    readonly stale: number;
    /** MMIO sptes written (`mark_mmio_spte`), refaults included. */
    readonly marked: number;
  };
  /** The VM's generation. */
  readonly generation: {
    /** How many values were seen. */
    readonly values: number;
    /** The first and the last of them; `undefined` if there was none. */
    readonly first: number | undefined;
    readonly last: number | undefined;
    /** How often it fell by more than half of what it had come to: it went round. */
    readonly wraps: number;
  };
  /** Storms of refaults, the worst first; at most 10 are kept. */
  readonly storms: readonly RefaultStorm[];
}

/** Storms that are kept. */
const KEPT_STORMS = 10;

/**
 * Gathers a {@linkcode TraceSummary} from the lines of a trace, one by one. Memory: one entry for each page and value of
 * the generation, however long the trace is.
 */
export class TraceSummarizer {
  readonly #era: Era;
  readonly #file: string | undefined;
  readonly #pages: Map<number, { reads: number; writes: number; marked: number }> = new Map();
  readonly #values: Set<number> = new Set();
  readonly #storms: RefaultStorm[] = [];
  /** Threads whose last read went to user space. */
  readonly #unsatisfied: Set<number> = new Set();
  #storm: { generation: number; refaults: number; first: number; last: number } | undefined;
  #events = 0;
  #first = 0;
  #last = 0;
  #processor: "Intel" | "AMD" | undefined;
  #accesses = 0;
  #byCache = 0;
  #bySpte = 0;
  #stale = 0;
  #marked = 0;
  #firstGeneration: number | undefined;
  #generation: number | undefined;
  #wraps = 0;

  /**
   * Makes a summarizer that has seen nothing.
   *
   * @param era The kernel that made the trace; its formats are tried first. 6.12 unless told.
   * @param file Name of the trace, for messages.
   */
  constructor(era: Era = "6.12", file?: string) {
    this.#era = era;
    this.#file = file;
  }

  /**
   * Takes a line.
   *
   * @throws {TraceSyntaxError} If an event that counts cannot be read.
   */
  push(line: TraceLine): void {
    if (this.#events++ === 0) this.#first = line.timestamp;
    this.#last = line.timestamp;
    switch (line.name) {
      case "kvm_exit":
        this.#processor ??= processorOf(line.text);
        break;
      case "kvm_mmio": {
        const { type, gpa } = this.#read(line);
        // A read that goes to user space prints again when it comes back; one that the kernel serves prints once.
        const again = type === "read" && this.#unsatisfied.delete(line.pid);
        if (type === "unsatisfied-read") this.#unsatisfied.add(line.pid);
        if (again) break;
        if (type === "write") this.#page(Number(gpa)).writes++;
        else this.#page(Number(gpa)).reads++;
        this.#accesses++;
        break;
      }
      case "kvm_fast_mmio":
        this.#page(Number(this.#read(line)["gpa"])).writes++;
        this.#accesses++;
        break;
      case "vcpu_match_mmio":
        this.#byCache++;
        break;
      case "mark_mmio_spte": {
        const { gfn, gen } = this.#read(line);
        this.#marked++;
        this.#page(Number(gfn) * 4096).marked++;
        this.#sees(Number(gen));
        break;
      }
      case "check_mmio_spte": {
        const { kvm_gen, valid } = this.#read(line);
        this.#sees(Number(kvm_gen));
        if (Number(valid) === 1) this.#bySpte++;
        else this.#refault(Number(kvm_gen), line.timestamp);
        break;
      }
    }
  }

  /** What there is to say so far. */
  summary(): TraceSummary {
    const storms = this.#storm === undefined ? this.#storms : [...this.#storms, this.#storm];
    return {
      events: this.#events,
      time: { first: this.#first, last: this.#last },
      processor: this.#processor,
      accesses: this.#accesses,
      pages: [...this.#pages]
        .map(([gfn, heat]) => ({ gpa: gfn * 4096, ...heat }))
        .sort((a, b) => b.reads + b.writes - a.reads - a.writes || b.marked - a.marked || a.gpa - b.gpa),
      answered: { byCache: this.#byCache, bySpte: this.#bySpte, stale: this.#stale, marked: this.#marked },
      generation: {
        values: this.#values.size,
        first: this.#firstGeneration,
        last: this.#generation,
        wraps: this.#wraps,
      },
      storms: worst(storms),
    };
  }

  #page(gpa: number): { reads: number; writes: number; marked: number } {
    const gfn = Math.floor(gpa / 4096);
    let page = this.#pages.get(gfn);
    if (page === undefined) this.#pages.set(gfn, page = { reads: 0, writes: 0, marked: 0 });
    return page;
  }

  #sees(generation: number): void {
    this.#values.add(generation);
    this.#firstGeneration ??= generation;
    if (this.#generation !== undefined && generation < this.#generation / 2) this.#wraps++;
    this.#generation = generation;
  }

  #refault(generation: number, at: number): void {
    this.#stale++;
    if (this.#storm?.generation === generation) {
      this.#storm.refaults++;
      this.#storm.last = at;
      return;
    }
    if (this.#storm !== undefined) {
      const kept = worst([...this.#storms, this.#storm]);
      this.#storms.splice(0, this.#storms.length, ...kept);
    }
    this.#storm = { generation, refaults: 1, first: at, last: at };
  }

  #read(line: TraceLine): Readonly<Record<string, number | string | bigint>> {
    const position = { line: line.lineNumber, ...(this.#file === undefined ? {} : { file: this.#file }) };
    return parseEventText(line.name, line.text, this.#era, position)?.values ?? {};
  }
}

/** The kernel names exits of VMX in capitals and those of SVM without; trace-cmd and perf have `EXIT_NPF` for `npf`. */
function processorOf(exit: string): "Intel" | "AMD" | undefined {
  const reason = /\breason (\w+)/.exec(exit)?.[1] ?? "";
  if (/^(?:EXIT_[A-Z]|[a-z])/.test(reason)) return "AMD";
  return /^[A-Z]/.test(reason) && !reason.startsWith("UNKNOWN") ? "Intel" : undefined;
}

function worst(storms: readonly RefaultStorm[]): RefaultStorm[] {
  return [...storms].sort((a, b) => b.refaults - a.refaults || a.first - b.first).slice(0, KEPT_STORMS);
}

import { type Era, MARKER_EVENT, parseEventText, type TraceLine, TraceSyntaxError } from "@mmu-lab/tracing";
import { type AccessDraft, AccessDrafts, accessOf } from "./_access_drafts.ts";
import type { Operation, Scenario } from "./scenario.ts";

/** How to read a trace without markers. */
export interface InferenceOptions {
  /** Name of the scenario; `inferred` unless told. */
  readonly name?: string;
  /** Name of the file that the lines come from, for messages. */
  readonly file?: string;
  /** The kernel that made the trace; its formats are tried first. 6.12 unless told. */
  readonly era?: Era;
  /**
   * By how much one memslot update raises the generation: 1 in Linux 3.11 to 3.16, 2 since. Unless told, 1 if the trace
   * has a jump by 1, else 2.
   */
  readonly step?: 1 | 2;
  /** Width of the generation in bits. Unless told, 20 if the trace has a number that needs them, else 19. */
  readonly generationBits?: number;
  /** Memslot updates to make before the first access, the creation of the inferred slot included; 1 unless told. */
  readonly updatesBefore?: number;
}

/** A scenario inferred from a trace, and what it is worth. */
export interface Inference {
  /** The scenario. */
  readonly scenario: Scenario;
  /** How many MMIO accesses it has. */
  readonly accesses: number;
  /** How many memslot updates it has between accesses. */
  readonly updates: number;
  /** How many different generations the trace shows. */
  readonly generationsSeen: number;
  /** What the trace does not tell, or the scenario cannot say: for people, each goes on from "could not". */
  readonly couldNot: readonly string[];
}

const SLOT_ID = 1;
const SLOT_SIZE = 0x1000;
const HVA = 0x7f00_0000_0000;
/** Where to look first for a guest page that no access touches. */
const FIRST_GPA = 0x1000_0000;

/** What the trace shows, in order: accesses, and the VM's generation at some moments. */
type Sight = { readonly draft: AccessDraft } | { readonly generation: number };

/** Takes the lines of a trace one by one. */
class TraceReader {
  readonly #options: InferenceOptions;
  readonly #sights: Sight[] = [];
  readonly #drafts: AccessDrafts = new AccessDrafts();
  readonly #vcpuOfPid: Map<number, number> = new Map();
  /** The thread that first was a vCPU of that number, and the threads that were it beside that one. */
  readonly #pidOfVcpu: Map<number, number> = new Map();
  readonly #rivals: Set<number> = new Set();
  #guesses = 0;
  #pageFaults = 0;
  #fastMmio = 0;

  constructor(options: InferenceOptions) {
    this.#options = options;
  }

  push(line: TraceLine): void {
    switch (line.name) {
      case "kvm_entry":
      case "kvm_exit": {
        const vcpu = /^vcpu (\d+)/.exec(line.text)?.[1];
        if (vcpu !== undefined) this.#runs(line.pid, Number(vcpu));
        if (line.name === "kvm_entry") this.#drafts.entered(this.#vcpuOf(line.pid));
        break;
      }
      case "kvm_mmio":
        this.#mmio(line);
        break;
      case "mark_mmio_spte":
        this.#sights.push({ generation: Number(this.#values(line)["gen"]) });
        break;
      case "check_mmio_spte":
        this.#sights.push({ generation: Number(this.#values(line)["kvm_gen"]) });
        break;
      case "kvm_page_fault":
        this.#pageFaults++;
        break;
      case "kvm_fast_mmio":
        this.#fastMmio++;
        break;
      case MARKER_EVENT:
        break;
    }
  }

  finish(): Inference {
    const drafts = this.#sights.flatMap((sight) => ("draft" in sight ? [sight.draft] : []));
    if (drafts.length === 0) {
      const expected = "at least one kvm_mmio event (record with: trace-cmd record -e kvm -e kvmmmu)";
      throw new TraceSyntaxError({ ...this.#file(), line: 0 }, expected, "none");
    }
    const couldNot: string[] = [];
    const { updates, body, generationsSeen } = this.#body(couldNot);
    this.#regrets(couldNot, generationsSeen);
    const gpa = freePage(drafts);
    const vcpus = 1 + Math.max(...new Set(drafts.map((draft) => draft.vcpu)));
    const before = (this.#options.updatesBefore ?? 1) - 1;
    const operations: Operation[] = [
      ...Array.from({ length: vcpus }, (_, vcpu): Operation => ({ op: "vcpu-create", vcpu })),
      { op: "memslot", id: SLOT_ID, gpa, size: SLOT_SIZE, flags: 0, userspaceAddr: HVA },
      ...(before > 0 ? [bulk(before)] : []),
      ...body,
    ];
    const scenario: Scenario = {
      version: 1,
      name: this.#options.name ?? "inferred",
      description: `Inferred from a trace: ${drafts.length} MMIO accesses, ${updates} memslot updates`,
      guest: "flat",
      hostMemory: [{ hva: HVA, size: SLOT_SIZE }],
      operations,
    };
    return { scenario, accesses: drafts.length, updates, generationsSeen, couldNot };
  }

  #mmio(line: TraceLine): void {
    const { type, len, gpa, val } = this.#values(line);
    if (type !== "unsatisfied-read" && type !== "read" && type !== "write") return;
    const vcpu = this.#vcpuOf(line.pid);
    const draft = this.#drafts.add(vcpu, { type, len: Number(len), gpa: Number(gpa), val: BigInt(val) });
    if (draft !== undefined) this.#sights.push({ draft });
  }

  #runs(pid: number, vcpu: number): void {
    this.#vcpuOfPid.set(pid, vcpu);
    const first = this.#pidOfVcpu.get(vcpu);
    if (first === undefined) this.#pidOfVcpu.set(vcpu, pid);
    else if (first !== pid) this.#rivals.add(pid);
  }

  /** The vCPU that a thread ran last; without any such event, threads are vCPUs in the order they appear. */
  #vcpuOf(pid: number): number {
    const known = this.#vcpuOfPid.get(pid);
    if (known !== undefined) return known;
    this.#vcpuOfPid.set(pid, this.#guesses);
    return this.#guesses++;
  }

  #values(line: TraceLine): Readonly<Record<string, number | string>> {
    const position = { ...this.#file(), line: line.lineNumber };
    return parseEventText(line.name, line.text, this.#options.era ?? "6.12", position)?.values ?? {};
  }

  #file(): { file?: string } {
    return this.#options.file === undefined ? {} : { file: this.#options.file };
  }

  #body(couldNot: string[]): { updates: number; body: Operation[]; generationsSeen: number } {
    const seen = new Set(this.#sights.flatMap((sight) => ("generation" in sight ? [sight.generation] : [])));
    const bits = this.#options.generationBits ?? ([...seen].some((generation) => generation >= 2 ** 19) ? 20 : 19);
    const jumps = this.#jumps(2 ** bits);
    const step = this.#options.step ?? ([...jumps.values()].includes(1) ? 1 : 2);
    const body: Operation[] = [];
    let [updates, odd, backward] = [0, 0, 0];
    for (const [index, sight] of this.#sights.entries()) {
      if ("draft" in sight) {
        body.push(accessOf(sight.draft));
        continue;
      }
      const jump = jumps.get(index) ?? 0;
      if (jump < 0) backward++;
      if (jump <= 0) continue;
      if (jump % step !== 0) odd++;
      const count = Math.ceil(jump / step);
      updates += count;
      body.push(bulk(count));
    }
    if (odd > 0) couldNot.push(`divide ${odd} of the generation's jumps by the step of ${step}: they are rounded up`);
    if (backward > 0) {
      couldNot.push(
        `follow the generation backwards, ${backward} times: another CPU was ahead, a second address space spoke, or ` +
          `more than half a round was skipped`,
      );
    }
    return { updates, body, generationsSeen: seen.size };
  }

  /** By index of the sight, how much further the generation is than ever before; negative if it went back. */
  #jumps(round: number): Map<number, number> {
    const jumps = new Map<number, number>();
    let now: number | undefined;
    for (const [index, sight] of this.#sights.entries()) {
      if (!("generation" in sight)) continue;
      const ahead = now === undefined ? 0 : (((sight.generation - now) % round) + round) % round;
      const jump = ahead > round / 2 ? ahead - round : ahead;
      if (jump !== 0) jumps.set(index, jump);
      if (now === undefined || jump > 0) now = sight.generation;
    }
    return jumps;
  }

  #regrets(couldNot: string[], generationsSeen: number): void {
    couldNot.push(
      "see accesses to RAM: only MMIO accesses are traced, so shadow pages for RAM are missing from the scenario",
      "see slots: their addresses, sizes and memory are not traced, so all updates are flags changes of one small slot",
      "tell a delete or move from two other updates: what they zap is not repeated",
      "place an update exactly: it comes just before the event that first shows its generation",
    );
    if (this.#options.updatesBefore === undefined) {
      couldNot.push("count the updates before the trace began: as if there were none (see updatesBefore)");
    }
    if (generationsSeen === 0) {
      couldNot.push("see any generation: without the events mark_mmio_spte and check_mmio_spte there are no updates");
    }
    if (this.#pageFaults > 0) couldNot.push(`repeat ${this.#pageFaults} page faults as such: some will be RAM's`);
    if (this.#fastMmio > 0) {
      couldNot.push(`repeat ${this.#fastMmio} fast MMIO writes: their size and data are not traced`);
    }
    if (this.#rivals.size > 0) {
      couldNot.push(
        `tell VMs apart: ${this.#rivals.size} threads are vCPUs whose number another thread has, so there are several VMs, ` +
          "and their generations are taken for one; record one alone (trace-cmd record -P PID, perf record -p PID)",
      );
    }
    if (this.#guesses > 0) couldNot.push(`name the vCPU of ${this.#guesses} threads: they are numbered as they appear`);
  }
}

function bulk(count: number): Operation {
  return { op: "bulk-flags", id: SLOT_ID, count };
}

/** The first page from {@linkcode FIRST_GPA} on that no access touches. */
function freePage(drafts: readonly AccessDraft[]): number {
  const taken = new Set(
    drafts.flatMap(({ gva, size }) => [Math.floor(gva / 4096), Math.floor((gva + size - 1) / 4096)]),
  );
  let gfn = FIRST_GPA / 4096;
  while (taken.has(gfn)) gfn++;
  return gfn * 4096;
}

/**
 * Infers a scenario from a trace without markers, such as `trace-cmd record -e kvm -e kvmmmu` makes of any VM.
 *
 * Accesses come from `kvm_mmio`: a read that goes to user space prints twice and is one access, a read and a write of the
 * same place in one emulation are a `rmw`, and the pieces of a write that crosses a page are one. Their vCPU is that of
 * the thread's last `kvm_entry` or `kvm_exit`. Updates come from the VM's generation in `mark_mmio_spte` and
 * `check_mmio_spte`: a jump by n steps becomes n flags changes of a small slot that nobody touches, just before the event
 * that shows it, also where the number goes round. The guest is `flat`. Markers, if there are any, are not looked at.
 *
 * @param lines The lines of the trace.
 * @param options How to read it.
 * @throws {TraceSyntaxError} If there is no MMIO access in it, or an event that is needed cannot be read.
 */
export function inferScenario(lines: Iterable<TraceLine>, options: InferenceOptions = {}): Inference {
  const reader = new TraceReader(options);
  for (const line of lines) reader.push(line);
  return reader.finish();
}

/**
 * Infers a scenario from a trace as it arrives; the counterpart of {@linkcode inferScenario}.
 *
 * @param lines The lines of the trace, for example from `parseTrace`.
 * @param options How to read it.
 * @throws As {@linkcode inferScenario} does.
 */
export async function inferScenarioStream(
  lines: AsyncIterable<TraceLine>,
  options: InferenceOptions = {},
): Promise<Inference> {
  const reader = new TraceReader(options);
  for await (const line of lines) reader.push(line);
  return reader.finish();
}

import { DEVICES, LEAF_TABLE_SPAN, PAGE, ScenarioBuilder } from "./_scenario_builder.ts";
import type { Workload, WorkloadOptions } from "./workload.ts";

/** Where the memory lies in which processes have their pages, 2 MiB for each of their leaf tables. */
const USER = 0x4000_0000;
const PROCESSES = 4;
/** Leaf tables of a process. */
const LEAVES = 2;
/** Entries that a process uses in each. */
const ENTRIES = 64;
const DEVICE_PAGES = 4;
/** Pages that a process maps, and takes away, in a turn. */
const PAGES_A_TURN = 4;
/** Turns between two slots that are created, and where they lie. */
const TURNS_AN_UPDATE = 16;
const FAR = 0x1_0000_0000;
const FIRST_ID = 10;
/** Slots at most; 3.11 has 125. */
const MOST_UPDATES = 64;
/** Present, writable, user, accessed, dirty; what links a table has no dirty bit. */
const LEAF_BITS = 0x67;
const LINK_BITS = 0x27;

/** `processes`. */
export const PROCESSES_WORKLOAD: Workload = {
  summary:
    "`pages` turns of 4 processes with page tables of their own: CR3, pages mapped and unmapped, INVLPG, devices",
  defaultPages: 256,
  generate(options) {
    const guest = new PagedGuest(options);
    for (let turn = 0; turn < options.pages; turn++) guest.turn(turn);
    const { vcpus } = options;
    return guest.builder.build("processes", `${options.pages} turns of ${PROCESSES} processes`, 256 + vcpus, guest.cr3);
  },
};

/**
 * A kernel with some processes, whose tables and own memory are the first 2 MiB. Everything is mapped to itself, so that
 * the same accesses make sense without the tables. Each process has tables of its own above pages of its own; those for
 * the kernel's memory and for devices are shared.
 */
class PagedGuest {
  readonly builder: ScenarioBuilder;
  readonly #vcpus: number;
  /** By process: its outermost table, the one of level 2 for its pages, its leaf tables, and what is mapped. */
  readonly #roots: number[] = [];
  readonly #middles: number[] = [];
  readonly #leaves: number[][] = [];
  readonly #mapped: Set<number>[] = [];
  /** By vCPU, the process that it runs. */
  readonly #running: number[];
  #frames = 0;

  constructor(options: WorkloadOptions) {
    const builder = this.builder = new ScenarioBuilder(options);
    this.#vcpus = options.vcpus;
    this.#running = Array.from({ length: options.vcpus }, () => 0);
    builder.create(0, 0, LEAF_TABLE_SPAN);
    builder.create(1, USER, PROCESSES * LEAVES * LEAF_TABLE_SPAN);
    const kernel = this.#table();
    for (let page = 0; page < 512; page++) this.#set(kernel, page, page * PAGE, LEAF_BITS);
    const low = this.#table();
    this.#set(low, 0, kernel, LINK_BITS);
    const devices = this.#table();
    for (let i = 0; i < DEVICE_PAGES; i++) this.#set(devices, i, DEVICES + i * PAGE, LEAF_BITS);
    const high = this.#table();
    this.#set(high, (DEVICES / LEAF_TABLE_SPAN) % 512, devices, LINK_BITS);
    for (let process = 0; process < PROCESSES; process++) {
      const [root, upper, middle] = [this.#table(), this.#table(), this.#table()];
      this.#set(root, 0, upper, LINK_BITS);
      for (const [gib, table] of [low, middle, undefined, high].entries()) {
        if (table !== undefined) this.#set(upper, gib, table, LINK_BITS);
      }
      this.#roots.push(root);
      this.#middles.push(middle);
      this.#leaves.push(Array.from({ length: LEAVES }, () => this.#table()));
      this.#mapped.push(new Set());
      for (let leaf = 0; leaf < LEAVES; leaf++) {
        this.#set(middle, process * LEAVES + leaf, this.#leaves[process][leaf], LINK_BITS);
      }
    }
  }

  /** CR3 as vCPUs start. */
  get cr3(): number {
    return this.#roots[0];
  }

  /** A vCPU goes on with another process, which maps pages, uses them and a device, and unmaps some. */
  turn(number: number): void {
    const { builder } = this;
    const { random } = builder;
    const vcpu = number % this.#vcpus;
    const process = (this.#running[vcpu] + 1 + random.below(PROCESSES - 1)) % PROCESSES;
    this.#running[vcpu] = process;
    builder.push({ op: "load-cr3", vcpu, cr3: this.#roots[process] });
    // Now and then the process ends, and another takes its tables over: entries above level 1 change.
    if (random.below(4) === 0) this.#endProcess(vcpu, process);
    for (let i = 0; i < PAGES_A_TURN; i++) {
      const page = random.below(LEAVES) * 512 + random.below(ENTRIES);
      this.#map(vcpu, process, page);
      builder.access("write", this.#gvaOf(process, page), 4, vcpu);
    }
    builder.access("read", DEVICES + random.below(DEVICE_PAGES) * PAGE, 4, vcpu);
    const used = random.shuffled([...this.#mapped[process]]);
    for (const page of used.slice(0, PAGES_A_TURN)) builder.access("read", this.#gvaOf(process, page), 4, vcpu);
    for (const page of used.slice(PAGES_A_TURN, 2 * PAGES_A_TURN)) this.#unmap(vcpu, process, page);
    const update = (number + 1) / TURNS_AN_UPDATE;
    if (Number.isInteger(update) && update <= MOST_UPDATES) {
      builder.create(FIRST_ID + update - 1, FAR + update * 2 * PAGE, PAGE);
    }
  }

  #map(vcpu: number, process: number, page: number): void {
    if (this.#mapped[process].has(page)) return;
    this.#mapped[process].add(page);
    this.#write(vcpu, this.#entryOf(process, page), this.#gvaOf(process, page) + LEAF_BITS);
  }

  #unmap(vcpu: number, process: number, page: number): void {
    this.#mapped[process].delete(page);
    this.#write(vcpu, this.#entryOf(process, page), 0);
    for (let other = 0; other < this.#vcpus; other++) {
      if (this.#running[other] !== process) continue;
      this.builder.push({ op: "invlpg", vcpu: other, gva: this.#gvaOf(process, page) });
    }
  }

  /** All pages of a process go, leaf table by leaf table, with the entries that link these; then they are linked anew. */
  #endProcess(vcpu: number, process: number): void {
    const { builder } = this;
    for (let leaf = 0; leaf < LEAVES; leaf++) {
      const link = this.#middles[process] + 8 * (process * LEAVES + leaf);
      this.#write(vcpu, link, 0);
      for (const page of [...this.#mapped[process]].filter((page) => Math.floor(page / 512) === leaf)) {
        this.#mapped[process].delete(page);
        this.#write(vcpu, this.#entryOf(process, page), 0);
      }
      this.#write(vcpu, link, this.#leaves[process][leaf] + LINK_BITS);
    }
    for (let other = 0; other < this.#vcpus; other++) {
      if (this.#running[other] === process) builder.push({ op: "load-cr3", vcpu: other, cr3: this.#roots[process] });
    }
  }

  #entryOf(process: number, page: number): number {
    return this.#leaves[process][Math.floor(page / 512)] + 8 * (page % 512);
  }

  #gvaOf(process: number, page: number): number {
    return USER + process * LEAVES * LEAF_TABLE_SPAN + page * PAGE;
  }

  /** The guest writes an entry of a table. */
  #write(vcpu: number, gva: number, entry: number): void {
    this.builder.push({ op: "write", vcpu, gva, size: 8, value: `0x${entry.toString(16)}` });
  }

  /** The next frame for a table. */
  #table(): number {
    return ++this.#frames * PAGE;
  }

  /** An entry as it is before the guest starts. */
  #set(table: number, index: number, address: number, bits: number): void {
    const hva = this.builder.slot(0).userspaceAddr + table + 8 * index;
    this.builder.push({ op: "host-write", hva, value: `0x${(address + bits).toString(16)}` });
  }
}

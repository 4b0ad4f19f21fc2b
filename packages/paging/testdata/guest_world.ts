/**
 * A guest with tables of its own in a small memory, and what walks them.
 *
 * @module
 */
import { WorkCounters } from "@mmu-lab/protocol";
import { bigIntToLanes, lanesToBigInt } from "@mmu-lab/spte-encoding";
import { NULL_SINK, printEvent, RingBuffer, type TraceSink } from "@mmu-lab/tracing";
import { FlatTables } from "../guest/flat_tables.ts";
import { PAGING_4_LEVEL } from "../guest/format.ts";
import { type EptState, GuestRole, type PagingState } from "../guest/guest_role.ts";
import { GuestWalker } from "../guest/guest_walker.ts";
import { walkAddr } from "../guest/walk_addr.ts";
import { type GpaTranslator, WalkMmu } from "../guest/walk_mmu.ts";
import { type GuestWalkRules, WALK_RULES_6_1 } from "../guest/walk_rules.ts";

/** Frame of the table of the highest level that is read from memory; those of the levels below follow. */
export const ROOT = 0x10;
/** A linear address whose index differs at each level, in 9 and in 10 bits: 5, 4, 3, 2, 1 from the root down. */
export const ADDRESS = (5n << 48n) | (4n << 39n) | (3n << 30n) | (2n << 21n) | (1n << 12n) | 0x234n;
/** Present, writable, user. */
export const PWU = 7n;
/** Accessed. */
export const A = 0x20n;
/** Dirty. */
export const D = 0x40n;
/** Page size. */
export const PS = 0x80n;
/** No execute. */
export const NX = 1n << 63n;

/** What a test may want otherwise. */
export interface GuestWorldOptions {
  /** Of a guest that keeps its own tables; 4 levels, MAXPHYADDR 46, NX, WP and 1 GiB pages unless told. */
  readonly paging?: Partial<PagingState>;
  /** Of a guest hypervisor, instead. */
  readonly ept?: EptState;
  /** Those of 6.1 unless told. */
  readonly rules?: GuestWalkRules;
  /** A second dimension. */
  readonly nested?: GpaTranslator;
  /** Another memory, such as one that fails. */
  readonly memory?: FlatTables;
  /** Counters that another walker shares. */
  readonly counters?: WorkCounters;
  /** Whether to keep what is emitted. */
  readonly traced?: boolean;
}

/** One guest. */
export class GuestWorld {
  readonly memory: FlatTables;
  readonly walker: GuestWalker = new GuestWalker();
  readonly mmu: WalkMmu;
  readonly counters: WorkCounters;
  readonly #ring: RingBuffer | undefined;

  constructor(options: GuestWorldOptions = {}) {
    const rules = options.rules ?? WALK_RULES_6_1;
    const role = options.ept !== undefined ? GuestRole.ofEpt(options.ept, rules) : GuestRole.ofPaging({
      format: PAGING_4_LEVEL,
      maxphyaddr: 46,
      cr0Wp: true,
      eferNx: true,
      gigabytePages: true,
      ...options.paging,
    }, rules);
    this.memory = options.memory ?? new FlatTables(64);
    this.counters = options.counters ?? new WorkCounters();
    this.#ring = options.traced ? new RingBuffer(256) : undefined;
    const trace: TraceSink = this.#ring ?? NULL_SINK;
    this.mmu = new WalkMmu({
      role,
      tables: this.memory,
      counters: this.counters,
      trace,
      vcpu: 0,
      ...(options.nested === undefined ? {} : { nested: options.nested }),
    });
    this.mmu.rootLo = ROOT << 12;
  }

  /** Level of the first table in memory. */
  get top(): number {
    return Math.min(this.mmu.role.rootLevel, this.mmu.role.rootLevel === 3 ? 2 : 5);
  }

  /** Frame of the table of a level. */
  tableOf(level: number): number {
    return ROOT + this.top - level;
  }

  /** Writes the entries on the way to {@linkcode ADDRESS}, from the root down: bits only, the address of the next is added. */
  link(...bits: bigint[]): this {
    bits.forEach((entry, n) => {
      const level = this.top - n;
      const table = level > 1 && (entry & PS) === 0n ? BigInt(this.tableOf(level - 1)) << 12n : 0n;
      this.set(level, entry | table);
    });
    return this;
  }

  /** Writes the entry of {@linkcode ADDRESS} at a level. */
  set(level: number, entry: bigint): void {
    const { lo, hi } = bigIntToLanes(entry);
    if (this.mmu.role.eightBytes) this.memory.write8(this.tableOf(level), this.indexOf(level), lo, hi);
    else this.memory.write4(this.tableOf(level), this.indexOf(level), lo);
  }

  /** Reads the entry of {@linkcode ADDRESS} at a level. */
  get(level: number): bigint {
    const { memory } = this;
    if (!this.mmu.role.eightBytes) return BigInt(memory.read4(this.tableOf(level), this.indexOf(level)) >>> 0);
    return lanesToBigInt(...memory.read8(this.tableOf(level), this.indexOf(level)));
  }

  /** Index of {@linkcode ADDRESS} at a level. */
  indexOf(level: number): number {
    const bits = BigInt(this.mmu.role.levelBits);
    return Number(BigInt.asUintN(Number(bits), ADDRESS >> (12n + bits * BigInt(level - 1))));
  }

  /** Walks to {@linkcode ADDRESS}. */
  walk(access: number): boolean {
    const { lo, hi } = bigIntToLanes(ADDRESS);
    return walkAddr(this.mmu, this.walker, lo, this.mmu.role.rootLevel < 4 ? 0 : hi, access);
  }

  /** Walks, and says what came of it. */
  outcome(access: number): string {
    const { walker } = this;
    if (this.walk(access)) return `gfn ${walker.gfn.toString(16)} level ${walker.level} access ${walker.pteAccess}`;
    const { kind, errorCode, exitQualification } = walker.fault;
    return kind === "ept-violation" ? `${kind} ${exitQualification.toString(16)}` : `${kind} ${errorCode.toString(16)}`;
  }

  /** What was emitted, as 6.1 prints it. */
  get events(): string[] {
    return [...this.#ring ?? []].map(({ event, args }) => `${event.name}: ${printEvent(event, 0, args, "6.1")}`);
  }
}

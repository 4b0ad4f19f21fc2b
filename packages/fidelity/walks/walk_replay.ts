import {
  FlatTables,
  GuestRole,
  GuestWalker,
  type GuestWalkRules,
  loadPdptrs,
  PAGING_32BIT,
  PAGING_4_LEVEL,
  PAGING_5_LEVEL,
  PAGING_PAE,
  PFERR_FETCH,
  PFERR_USER,
  PFERR_WRITE,
  walkAddr,
  WalkMmu,
} from "@mmu-lab/paging";
import { WorkCounters } from "@mmu-lab/protocol";
import { formatLanes, type Lanes } from "@mmu-lab/spte-encoding";
import { NULL_SINK } from "@mmu-lab/tracing";
import type { WalkHeader, WalkOutcome, WalkVector } from "./walk_vector.ts";

const FORMATS = { legacy32: PAGING_32BIT, pae: PAGING_PAE, long4: PAGING_4_LEVEL, long5: PAGING_5_LEVEL } as const;
const ACCESS = { read: 0, write: PFERR_WRITE, fetch: PFERR_FETCH } as const;

const ABSENT: Lanes = { lo: 0, hi: 0 };

/** An entry's place. */
type Entry = readonly [gfn: number, index: number];

/** Carries the recorded walks of a file out on the model's walker. */
export class WalkReplay {
  readonly #header: WalkHeader;
  readonly #rules: GuestWalkRules;
  readonly #memory: FlatTables;
  readonly #walker: GuestWalker = new GuestWalker();
  readonly #counters: WorkCounters = new WorkCounters();
  #written: readonly Entry[] = [];

  /** Makes one. @param header That of the file. @param rules The choices of the kernel. */
  constructor(header: WalkHeader, rules: GuestWalkRules) {
    this.#header = header;
    this.#rules = rules;
    this.#memory = new FlatTables(Math.max(...header.tables) / 4096 + 1);
  }

  /** Does what the processor did. @returns What came of it. */
  outcomeOf(vector: WalkVector): WalkOutcome {
    const { mode, maxphyaddr, cr3, gigabytePages, pse36 } = this.#header;
    const memory = this.#memory;
    const entries = this.#entries(vector);
    // Those of the walk before lie elsewhere, and must not be found.
    for (const [gfn, index] of this.#written) this.#write(gfn, index, ABSENT);
    entries.forEach(([gfn, index], n) => this.#write(gfn, index, vector.before[n]));
    this.#written = entries;
    const role = GuestRole.ofPaging({
      format: FORMATS[mode],
      maxphyaddr,
      gigabytePages,
      pse36,
      cr0Wp: vector.wp,
      cr4Pse: vector.pse,
      cr4Smep: vector.smep,
      cr4Smap: vector.smap,
      cr4Pke: vector.pke,
      eferNx: vector.nxe,
    }, this.#rules);
    const mmu = new WalkMmu({ role, tables: memory, counters: this.#counters, trace: NULL_SINK, vcpu: 0 });
    mmu.rootLo = cr3 | 0;
    mmu.rflagsAc = vector.ac;
    mmu.pkru = vector.pkru;
    if (mode === "pae" && !loadPdptrs(mmu, cr3)) return { kind: "general-protection" };
    const access = ACCESS[vector.access] | (vector.user ? PFERR_USER : 0);
    const walker = this.#walker;
    if (!walkAddr(mmu, walker, vector.la.lo, vector.la.hi, access)) {
      return { kind: "page-fault", error: walker.fault.errorCode };
    }
    const after = entries.map(([gfn, index]) => this.#read(gfn, index));
    return { kind: "ok", physical: walker.gfn * 4096 + (vector.la.lo & 0xfff), after };
  }

  /** Table and index of each entry, from the root down. */
  #entries({ la }: WalkVector): Entry[] {
    const { tables, mode } = this.#header;
    const bits = mode === "legacy32" ? 10n : 9n;
    const address = BigInt.asUintN(64, (BigInt(la.hi) << 32n) | BigInt(la.lo >>> 0));
    return tables.map((table, n) => {
      const shift = 12n + bits * BigInt(tables.length - 1 - n);
      return [table / 4096, Number(BigInt.asUintN(Number(bits), address >> shift))];
    });
  }

  #write(gfn: number, index: number, { lo, hi }: Lanes): void {
    if (this.#header.mode === "legacy32") this.#memory.write4(gfn, index, lo);
    else this.#memory.write8(gfn, index, lo, hi);
  }

  #read(gfn: number, index: number): Lanes {
    if (this.#header.mode === "legacy32") return { lo: this.#memory.read4(gfn, index), hi: 0 };
    const [lo, hi] = this.#memory.read8(gfn, index);
    return { lo, hi };
  }
}

/** Prints an outcome in one line; two that are the same print the same. */
export function formatWalkOutcome(outcome: WalkOutcome): string {
  if (outcome.kind === "general-protection") return "#GP";
  if (outcome.kind === "page-fault") return `#PF error 0x${outcome.error.toString(16)}`;
  const after = outcome.after.map(({ lo, hi }) => formatLanes(lo, hi)).join(" ");
  return `ok physical 0x${outcome.physical.toString(16)} after ${after}`;
}

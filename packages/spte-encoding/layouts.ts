/**
 * Named MMIO layouts: one row of data for each kernel era, two paging modes for each row.
 *
 * @module
 */

import { rsvdBits } from "./_bit_runs.ts";
import { ACC_USER, ACC_WRITE } from "./access.ts";
import {
  type EntryFormat,
  EPT_ENTRIES,
  EPT_ENTRIES_5_13,
  EPT_ENTRIES_5_4,
  EPT_ENTRIES_6_12,
  LEGACY_ENTRIES,
  LEGACY_ENTRIES_5_13,
  LEGACY_ENTRIES_5_4,
  LEGACY_ENTRIES_6_12,
} from "./entry_format.ts";
import { type GenerationSegment, type L1tfSplit, MmioLayout } from "./mmio_layout.ts";

/** The host that a layout is made for: facts about the CPU, and one module parameter. */
export interface MmioHost {
  /** MAXPHYADDR in bits, 36 to 52. Default 40. */
  readonly maxPhyAddr?: number;
  /**
   * Whether the CPU has the L1TF bug. Default false. Kernels before 4.19 do not know the bug, and 4.19 and 5.1 take every CPU
   * with MAXPHYADDR below 47 to have it, before the fix d43e2675e96f; they do not look at this.
   */
  readonly l1tf?: boolean;
  /** `x86_cache_bits`, `maxPhyAddr` to 52; where the L1TF split is in 4.19.152 and from 5.11 on. Default `maxPhyAddr`. */
  readonly cacheBits?: number;
  /** The module parameter `kvm.mmio_caching`, which exists from 5.13 on. Default true. */
  readonly mmioCaching?: boolean;
}

interface Generation {
  readonly segments: readonly GenerationSegment[];
  readonly mask: number;
}

interface Marker {
  readonly mask: bigint;
  readonly value: bigint;
}

interface PagingMode {
  readonly accessMask: number;
  readonly marker: (maxPhyAddr: number) => Marker;
  readonly gfnHigh: (maxPhyAddr: number) => number;
  readonly entryFormat: EntryFormat;
}

type SplitRule = (maxPhyAddr: number, l1tf: boolean, cacheBits: number) => L1tfSplit | undefined;

interface Era {
  readonly generation: Generation;
  readonly ept: PagingMode;
  readonly shadow: PagingMode;
  readonly split: SplitRule;
  readonly hasCachingParameter?: boolean;
  /** The shadow value has bit 51 even where it is an address bit: bug B16. */
  readonly overlapsAt52?: boolean;
}

// Generation fields: the rows of facts sheet 4.8.
const G0: Generation = { segments: [], mask: 0 };
const G1: Generation = {
  segments: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 52, genLow: 9, width: 10 }],
  mask: 0x7ffff,
};
const G2: Generation = {
  segments: [{ spteLow: 3, genLow: 1, width: 9 }, { spteLow: 52, genLow: 10, width: 10 }],
  mask: 0xfffff,
};
/** As released, with bug B07: the upper field repeats g[9:0] instead of keeping g[18:9]. */
const G4: Generation = {
  segments: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 52, genLow: 0, width: 10 }],
  mask: 0x7ffff,
};
const G7: Generation = {
  segments: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 54, genLow: 9, width: 9 }],
  mask: 0x3ffff,
};
const G8: Generation = {
  segments: [{ spteLow: 3, genLow: 0, width: 8 }, { spteLow: 52, genLow: 8, width: 11 }],
  mask: 0x7ffff,
};

const PRESENT = 1n;
/** Write and execute without read: always an EPT misconfiguration (architecture, facts sheet 7.3). */
const WX = 6n;
const RWX = 7n;
const BIT_51 = 1n << 51n;
const BIT_62 = 1n << 62n;
const BIT_63 = 1n << 63n;
const KIND_MMIO = 3n << 52n;

const same = (value: bigint): Marker => ({ mask: value, value });
/** The present bit goes with a reserved bit; with 52 address bits there is none (3.11 `kvm_set_mmio_spte_mask`). */
const presentBelow52 = (maxPhyAddr: number): bigint => maxPhyAddr < 52 ? PRESENT : 0n;
const belowMaxPhyAddr = (maxPhyAddr: number): number => maxPhyAddr - 1;

// Masks and values: the rows of facts sheet 4.9, and 1.1 for 3.10.
const EPT_3_10: PagingMode = {
  accessMask: 0,
  marker: () => same(0xffn << 49n | WX),
  gfnHigh: () => 48,
  entryFormat: EPT_ENTRIES,
};
const EPT_3_11: PagingMode = { ...EPT_3_10, marker: () => same(3n << 62n | WX), gfnHigh: () => 51 };
const EPT_4_19: PagingMode = {
  ...EPT_3_11,
  marker: () => ({ mask: BIT_62 | RWX, value: BIT_62 | WX }),
  gfnHigh: belowMaxPhyAddr,
};
const EPT_5_11: PagingMode = {
  ...EPT_4_19,
  marker: () => ({ mask: KIND_MMIO, value: KIND_MMIO | WX }),
  entryFormat: EPT_ENTRIES_5_4,
};
const EPT_6_1: PagingMode = {
  ...EPT_4_19,
  marker: () => ({ mask: RWX, value: WX }),
  entryFormat: EPT_ENTRIES_5_13,
};
const EPT_6_12: PagingMode = {
  ...EPT_4_19,
  marker: () => ({ mask: BIT_63 | RWX, value: WX }),
  entryFormat: EPT_ENTRIES_6_12,
};

const SHADOW_3_10: PagingMode = {
  accessMask: ACC_WRITE | ACC_USER,
  marker: (maxPhyAddr) => same(rsvdBits(maxPhyAddr, 62) | presentBelow52(maxPhyAddr)),
  gfnHigh: belowMaxPhyAddr,
  entryFormat: LEGACY_ENTRIES,
};
const SHADOW_3_11: PagingMode = {
  ...SHADOW_3_10,
  marker: (maxPhyAddr) => same(rsvdBits(maxPhyAddr, 51) | 3n << 62n | presentBelow52(maxPhyAddr)),
};
const SHADOW_4_19: PagingMode = {
  ...SHADOW_3_10,
  marker: (maxPhyAddr) => same(BIT_51 | BIT_62 | presentBelow52(maxPhyAddr)),
};
/** B16 mended (6129ed877d40). */
const SHADOW_4_19_152: PagingMode = {
  ...SHADOW_3_10,
  marker: (maxPhyAddr) => same(BIT_62 | (maxPhyAddr < 52 ? BIT_51 | PRESENT : 0n)),
};
const SHADOW_5_11: PagingMode = {
  ...SHADOW_3_10,
  marker: (maxPhyAddr) => ({ mask: KIND_MMIO, value: KIND_MMIO | (maxPhyAddr < 52 ? BIT_51 | PRESENT : 0n) }),
  entryFormat: LEGACY_ENTRIES_5_4,
};
const SHADOW_6_1: PagingMode = {
  ...SHADOW_3_10,
  marker: (maxPhyAddr) => same(maxPhyAddr < 52 ? BIT_51 | PRESENT : 0n),
  entryFormat: LEGACY_ENTRIES_5_13,
};
const SHADOW_6_12: PagingMode = { ...SHADOW_6_1, entryFormat: LEGACY_ENTRIES_6_12 };

// L1TF split: facts sheet 4.10. R is the top 5 bits of the width that counts; from 47 bits on nothing is split.
const splitBelow = (width: number): L1tfSplit | undefined =>
  width < 47 ? { reservedLow: width - 5, reservedHigh: width - 1 } : undefined;
const neverSplit: SplitRule = () => undefined;
const splitEveryCpu: SplitRule = (maxPhyAddr) => splitBelow(maxPhyAddr);
const splitAffectedCpus: SplitRule = (_, l1tf, cacheBits) => l1tf ? splitBelow(cacheBits) : undefined;

const ERAS: Readonly<Record<string, Era>> = {
  linux_3_10: { generation: G0, ept: EPT_3_10, shadow: SHADOW_3_10, split: neverSplit },
  linux_3_11: { generation: G1, ept: EPT_3_11, shadow: SHADOW_3_11, split: neverSplit },
  linux_3_17: { generation: G2, ept: EPT_3_11, shadow: SHADOW_3_11, split: neverSplit },
  linux_4_10: { generation: G2, ept: EPT_3_11, shadow: SHADOW_3_11, split: neverSplit },
  linux_4_19: { generation: G2, ept: EPT_4_19, shadow: SHADOW_4_19, split: splitEveryCpu, overlapsAt52: true },
  linux_4_19_152: { generation: G2, ept: EPT_4_19, shadow: SHADOW_4_19_152, split: splitAffectedCpus },
  linux_5_1: { generation: G4, ept: EPT_4_19, shadow: SHADOW_4_19, split: splitEveryCpu, overlapsAt52: true },
  linux_5_11: { generation: G7, ept: EPT_5_11, shadow: SHADOW_5_11, split: splitAffectedCpus },
  linux_6_1: { generation: G8, ept: EPT_6_1, shadow: SHADOW_6_1, split: splitAffectedCpus, hasCachingParameter: true },
  linux_6_12: {
    generation: G8,
    ept: EPT_6_12,
    shadow: SHADOW_6_12,
    split: splitAffectedCpus,
    hasCachingParameter: true,
  },
};

const MODES = ["ept", "shadow"] as const;

/** The names that {@linkcode mmioLayout} takes. `shadow` is shadow page tables and AMD's NPT, which share one layout. */
export const MMIO_LAYOUT_NAMES: readonly string[] = Object.keys(ERAS).flatMap((era) =>
  MODES.map((mode) => `${era}_${mode}`)
);

/**
 * Makes the MMIO layout of a kernel era and paging mode for a host.
 *
 * All of it is KVM policy, kept as released, historical bugs included:
 * - `linux_3_10`: no generation;
 * - `linux_3_11`: 19 bits; `linux_3_17`, `linux_4_10`: 20 bits, of which bit 0 is not stored;
 * - `linux_4_19`: the same bits, the mark is bit 62, the L1TF split on every CPU with MAXPHYADDR below 47; with 52 address bits
 *   the shadow mark covers gfn bit 39, which then always reads as 1 (B16);
 * - `linux_4_19_152`: the same with later fixes: the split on CPUs with the L1TF bug only, by the bits that the cache uses, and no
 *   mark on gfn bits (read in 4.19.152 mmu.c, `kvm_mmu_reset_all_pte_masks`, `kvm_set_mmio_spte_mask`);
 * - `linux_5_1`: 19 bits by name, 10 in effect (B07); split and B16 as in 4.19, which is inferred: the facts sheet names the
 *   split's rule for 4.19 and from 5.3 on;
 * - `linux_5_11`: 18 bits, the mark is the spte kind 11b in bits 53:52;
 * - `linux_6_1`, `linux_6_12`: 19 bits; no layout but a caching that is off for shadow and NPT with 52 address bits.
 *
 * Source: facts sheet 1.1, 2.3, 4.8 to 4.10.
 *
 * @param name One of {@linkcode MMIO_LAYOUT_NAMES}
 * @param host What the layout depends on besides the kernel
 * @returns The layout
 * @throws {RangeError} If the name is unknown, a width is out of its range, or `mmioCaching` is given to a kernel without
 * that parameter
 *
 * @example
 * ```ts
 * import { formatLanes, mmioLayout } from "@mmu-lab/spte-encoding";
 * import { assertEquals } from "@std/assert";
 *
 * const layout = mmioLayout("linux_6_1_ept", { maxPhyAddr: 40, l1tf: true, cacheBits: 44 });
 * const { lo, hi } = layout.encode(0xa810000, 7, 2);
 * assertEquals(formatLanes(lo, hi), "0x1fa810000016");
 * ```
 */
export function mmioLayout(name: string, host: MmioHost = {}): MmioLayout {
  const { era, mode } = findEra(name);
  const { maxPhyAddr = 40, l1tf = false, cacheBits = maxPhyAddr, mmioCaching } = host;
  checkWidth(name, "maxPhyAddr", maxPhyAddr, 36);
  checkWidth(name, "cacheBits", cacheBits, maxPhyAddr);
  if (mmioCaching !== undefined && !era.hasCachingParameter) {
    throw new RangeError(`Cannot set mmioCaching of layout '${name}': the module parameter came with 5.13`);
  }
  const { mask, value } = era[mode].marker(maxPhyAddr);
  const split = era.split(maxPhyAddr, l1tf, cacheBits);
  return new MmioLayout({
    name,
    mask,
    value: mmioCaching === false ? 0n : value,
    accessMask: era[mode].accessMask,
    generation: era.generation.segments,
    generationMask: era.generation.mask,
    gfnHigh: era[mode].gfnHigh(maxPhyAddr),
    maxPhyAddr,
    ...(split && { l1tf: split }),
    entryFormat: era[mode].entryFormat,
    allowOverlap: maxPhyAddr === 52 && era.overlapsAt52 === true,
  });
}

function findEra(name: string): { era: Era; mode: typeof MODES[number] } {
  const mode = MODES.find((mode) => name.endsWith(`_${mode}`));
  const key = name.slice(0, name.lastIndexOf("_"));
  const era = Object.hasOwn(ERAS, key) ? ERAS[key] : undefined;
  if (mode === undefined || era === undefined) {
    throw new RangeError(`Unknown MMIO layout '${name}': expected one of ${MMIO_LAYOUT_NAMES.join(", ")}`);
  }
  return { era, mode };
}

function checkWidth(name: string, what: string, value: number, min: number): void {
  if (Number.isInteger(value) && value >= min && value <= 52) return;
  throw new RangeError(`Cannot make layout '${name}': expected ${what} from ${min} to 52, got ${value}`);
}

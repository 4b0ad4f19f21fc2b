/**
 * Which bits of guest entries must be clear (`reset_rsvds_bits_mask` of 3.11, `__reset_rsvds_bits_mask` and
 * `__reset_rsvds_bits_mask_ept` of 6.1; facts sheet 6.4). Computed once for a role, not for an access.
 *
 * @module
 */
import type { EptState, PagingState } from "./guest_role.ts";
import type { GuestWalkRules } from "./walk_rules.ts";

/** The reserved bits of a set of tables. */
export interface ReservedBits {
  /** Those among bits 31:0, at `level` where bit 7 of the entry is clear, at `8 | level` where it is set. */
  readonly low: Int32Array;
  /** Those among bits 63:32: the same at every level. */
  readonly high: number;
  /** Those of a PDPTE of PAE, low and high lane; nothing else where there are none. */
  readonly pdpte: Int32Array;
}

/** Bits `high` to `low`, of which those from 31 down count. Nothing if `high` is below `low`. */
function lowBits(high: number, low: number): number {
  let mask = 0;
  for (let bit = low; bit <= Math.min(high, 31); bit++) mask |= 1 << bit;
  return mask;
}

/** Bits `high` to `low`, of which those from 32 up count, in the high lane. */
function highBits(high: number, low: number): number {
  let mask = 0;
  for (let bit = Math.max(low, 32); bit <= high; bit++) mask |= 1 << (bit - 32);
  return mask;
}

/** Reserves bits among 31:0 of the entries of a level whose bit 7 is as told, or of all. */
function reserve(table: Int32Array, level: number, mask: number, bit7?: boolean): void {
  if (bit7 !== true) table[level] |= mask;
  if (bit7 !== false) table[8 | level] |= mask;
}

/** Reserved bits of a guest's own tables. */
export function reservedBits(state: PagingState, rules: GuestWalkRules): ReservedBits {
  const { format, maxphyaddr, amd } = state;
  const { rootLevel } = format;
  const low = new Int32Array(16);
  const pdpte = new Int32Array(2);
  const noNx = state.eferNx ? 0 : highBits(63, 63);
  if (rootLevel === 0) return { low, high: 0, pdpte };
  if (rootLevel === 2) {
    if (state.cr4Pse) reserve(low, 2, lowBits(21, 13 + pse36Bits(state, rules)), true);
    return { low, high: 0, pdpte };
  }
  reserve(low, 2, lowBits(20, 13), true);
  if (rootLevel === 3) {
    pdpte[0] = lowBits(8, 7) | lowBits(2, 1) | (rules.pdpteBits6And5 === "reserved" ? lowBits(6, 5) : 0);
    pdpte[1] = highBits(63, maxphyaddr);
    return { low, high: highBits(62, maxphyaddr) | noNx, pdpte };
  }
  reserve(low, 3, lowBits(29, 13), true);
  if (rules.gigabytePages === "cpuid" && !state.gigabytePages) reserve(low, 3, lowBits(7, 7));
  for (let level = 4; level <= rootLevel; level++) reserve(low, level, lowBits(7, 7));
  if (rules.nonLeafGlobal === "levels-4-and-3" || amd) {
    if (rules.nonLeafGlobal !== "amd-levels-5-and-4") reserve(low, 3, lowBits(8, 8), false);
    for (let level = 4; level <= rootLevel; level++) reserve(low, level, lowBits(8, 8));
  }
  return { low, high: highBits(51, maxphyaddr) | noNx, pdpte };
}

/** How many address bits above 31 a page of 4 MiB has, in bits 13 and up of its entry. */
export function pse36Bits({ maxphyaddr, pse36 }: PagingState, rules: GuestWalkRules): number {
  if (!pse36) return 0;
  return rules.pse36 === "36-bits" ? 4 : Math.min(maxphyaddr, 40) - 32;
}

/** Reserved bits of a guest hypervisor's EPT tables; what bits 5:0 must not be is in {@linkcode badMemoryTypes}. */
export function eptReservedBits({ format, maxphyaddr, largestPage = 1 }: EptState): ReservedBits {
  const low = new Int32Array(16);
  for (let level = 4; level <= format.rootLevel; level++) reserve(low, level, lowBits(7, 3));
  for (const level of [2, 3]) {
    reserve(low, level, lowBits(6, 3), false);
    reserve(low, level, lowBits(level === 3 ? 29 : 20, 12), true);
    if (level > largestPage) reserve(low, level, lowBits(7, 7));
  }
  return { low, high: highBits(51, maxphyaddr), pdpte: new Int32Array(2) };
}

/**
 * Combinations of bits 5:0 that make an EPT entry misconfigured (`bad_mt_xwr`): memory types 2, 3 and 7, writable but not
 * readable, and executable but not readable on a processor that cannot do that. Applies at every level.
 *
 * @returns 64 bits in two lanes, one for each combination.
 */
export function badMemoryTypes(executeOnly: boolean): Int32Array {
  const lanes = new Int32Array(2);
  for (let bits = 0; bits < 64; bits++) {
    const type = bits >> 3;
    const rights = bits & 7;
    const bad = type === 2 || type === 3 || type === 7 || rights === 2 || rights === 6 ||
      (rights === 4 && !executeOnly);
    if (bad) lanes[bits >> 5] |= 1 << (bits & 31);
  }
  return lanes;
}

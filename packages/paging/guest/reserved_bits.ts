/**
 * Which bits of guest entries must be clear (`reset_rsvds_bits_mask` of 3.11, `__reset_rsvds_bits_mask` and
 * `__reset_rsvds_bits_mask_ept` of 6.1; facts sheet 6.4). Computed once for a role, not for an access.
 *
 * @module
 */
import type { EptState, PagingState } from "./guest_role.ts";
import type { GuestWalkRules } from "./walk_rules.ts";

/** Lanes of a table of reserved bits: low and high, by level from 0 to 7, and all that by bit 7 of the entry. */
export const RESERVED_LANES = 32;

/** Where the two lanes of an entry begin in a table of reserved bits: bit 7 becomes bit 4. */
export function reservedLane(bit7: boolean, level: number): number {
  return (bit7 ? 16 : 0) | (level << 1);
}

/** The masks of one level, while they are put together. */
class LevelMasks {
  constructor(readonly lanes: Int32Array, readonly level: number) {}

  /** Reserves bits `high` to `low` in entries whose bit 7 is as told, or in all. Nothing if `high` is below `low`. */
  reserve(high: number, low: number, bit7?: boolean): this {
    for (const side of [false, true]) {
      if (bit7 !== undefined && bit7 !== side) continue;
      const at = reservedLane(side, this.level);
      for (let bit = low; bit <= high; bit++) this.lanes[at + (bit >> 5)] |= 1 << (bit & 31);
    }
    return this;
  }
}

function levels(): { lanes: Int32Array; level: (level: number) => LevelMasks } {
  const lanes = new Int32Array(RESERVED_LANES);
  return { lanes, level: (level) => new LevelMasks(lanes, level) };
}

/**
 * Reserved bits of a guest's own tables.
 *
 * @returns {@linkcode RESERVED_LANES} lanes; those of a PDPTE of PAE at level 3, with bit 7 clear.
 */
export function reservedBits(state: PagingState, rules: GuestWalkRules): Int32Array {
  const { format, maxphyaddr, amd } = state;
  const { lanes, level } = levels();
  if (format.rootLevel === 0) return lanes;
  if (format.rootLevel === 2) {
    if (state.cr4Pse) level(2).reserve(21, 13 + pse36Bits(state, rules), true);
    return lanes;
  }
  const noNx = state.eferNx ? 62 : 63;
  if (format.rootLevel === 3) {
    level(3).reserve(63, maxphyaddr).reserve(8, 7).reserve(2, 1);
    if (rules.pdpteBits6And5 === "reserved") level(3).reserve(6, 5);
    level(2).reserve(20, 13, true);
    for (const n of [2, 1]) level(n).reserve(noNx, maxphyaddr);
    return lanes;
  }
  for (let n = 1; n <= format.rootLevel; n++) level(n).reserve(51, maxphyaddr).reserve(noNx, 63);
  for (let n = 4; n <= format.rootLevel; n++) level(n).reserve(7, 7);
  level(3).reserve(29, 13, true);
  level(2).reserve(20, 13, true);
  if (rules.gigabytePages === "cpuid" && !state.gigabytePages) level(3).reserve(7, 7);
  if (rules.nonLeafGlobal === "levels-4-and-3") {
    level(3).reserve(8, 8, false);
    level(4).reserve(8, 8);
  } else if (amd) {
    for (let n = 4; n <= format.rootLevel; n++) level(n).reserve(8, 8);
  }
  return lanes;
}

/** How many address bits above 31 a page of 4 MiB has, in bits 13 and up of its entry. */
export function pse36Bits({ maxphyaddr, pse36 }: PagingState, rules: GuestWalkRules): number {
  if (!pse36) return 0;
  return rules.pse36 === "36-bits" ? 4 : Math.min(maxphyaddr, 40) - 32;
}

/** Reserved bits of a guest hypervisor's EPT tables; what bits 5:0 must not be is in {@linkcode badMemoryTypes}. */
export function eptReservedBits({ format, maxphyaddr, largestPage = 1 }: EptState): Int32Array {
  const { lanes, level } = levels();
  for (let n = 1; n <= format.rootLevel; n++) level(n).reserve(51, maxphyaddr);
  for (let n = 4; n <= format.rootLevel; n++) level(n).reserve(7, 3);
  level(3).reserve(6, 3, false).reserve(29, 12, true);
  level(2).reserve(6, 3, false).reserve(20, 12, true);
  for (let n = largestPage + 1; n <= 3; n++) level(n).reserve(7, 7);
  return lanes;
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

/**
 * The walk of the nested tables against a second one, written for clarity: 64-bit entries as `bigint`, after the manual.
 *
 * @module
 */
import {
  Access,
  PFERR_FETCH,
  PFERR_GUEST_FINAL,
  PFERR_PRESENT,
  PFERR_RSVD,
  PFERR_USER,
  PFERR_WRITE,
} from "@mmu-lab/paging";
import { bigIntToLanes, lanesToBigInt } from "@mmu-lab/spte-encoding";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { AddressBits } from "./reserved_bits.ts";
import { Npt } from "./testdata/npt.ts";

const GVA = 0x12345678;
const GFN = Math.floor(GVA / 4096);
const [P, W, U, A, D, PS] = [0, 1, 2, 5, 6, 7].map((bit) => 1n << BigInt(bit));
const NX = 1n << 63n;
const LEVELS = [4, 3, 2, 1] as const;

/** Bits from `low` to `high`. */
const bits = (low: number, high: number) => low > high ? 0n : ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);

interface Expected {
  /** The cause in the error code of a fault, or `undefined` if the walk ends well. */
  readonly cause?: number;
  /** The frame and the leaf afterwards. */
  readonly frame?: number;
  readonly leaf?: bigint;
}

/** APM vol. 2, 5.3 to 5.6 and 15.25. */
function reference(entries: readonly bigint[], access: number, hardware: AddressBits): Expected {
  const { maxPhyAddr, keyIdBits = 0, encryptionBit } = hardware;
  let reserved = bits(maxPhyAddr + keyIdBits, 51);
  if (encryptionBit !== undefined) reserved &= ~(1n << BigInt(encryptionBit));
  let all = W | U;
  let executable = true;
  for (const [i, entry] of entries.entries()) {
    const level = LEVELS[i];
    if ((entry & P) === 0n) return { cause: 0 };
    const large = level > 1 && (entry & PS) !== 0n;
    if ((entry & reserved) !== 0n || (level === 4 && large)) return { cause: PFERR_RSVD | PFERR_PRESENT };
    const below = large ? 9 * (level - 1) : 0;
    if (large && (entry & bits(13, 11 + below)) !== 0n) return { cause: PFERR_RSVD | PFERR_PRESENT };
    all &= entry;
    if ((entry & NX) !== 0n) executable = false;
    if (level > 1 && !large) continue;
    const allowed = (all & U) !== 0n && (access !== Access.WRITE || (all & W) !== 0n) &&
      (access !== Access.FETCH || executable);
    if (!allowed) return { cause: PFERR_PRESENT };
    const base = (entry & bits(12 + below, maxPhyAddr - 1)) >> 12n;
    const leaf = entry | A | (access === Access.WRITE ? D : 0n);
    return { frame: Number(base) + GFN % 2 ** below, leaf };
  }
  throw new Error("a walk ends at level 1 at the latest");
}

/** Software and hardware bits that an entry may have beside its address; mostly what lets a walk go on. */
const flags = fc.record({
  usual: fc.constantFrom(...Array(12).fill(P | W | U), P | U, P | W, W | U),
  spare: fc.bigInt({ min: 0n, max: 0xfffn }).map((value) => value & (A | D | bits(8, 11))),
  available: fc.bigInt({ min: 0n, max: 0x7ffn }).map((value) => value << 52n),
  noExecute: fc.constantFrom(...Array(9).fill(0n), NX),
}).map(({ usual, spare, available, noExecute }) => usual | spare | available | noExecute);

const hardwares = fc.constantFrom<AddressBits>(
  { maxPhyAddr: 40 },
  { maxPhyAddr: 43, encryptionBit: 47 },
  { maxPhyAddr: 46, keyIdBits: 6 },
  { maxPhyAddr: 52 },
);

Deno.test("nptBackend() walks as a plain walk over 64-bit entries does", () => {
  let ended = 0;
  fc.assert(
    fc.property(
      fc.tuple(flags, flags, flags, flags),
      fc.bigInt({ min: 0n, max: bits(12, 51) >> 12n }),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(1, 1, 1, 2, 3),
      fc.constantFrom(Access.READ, Access.WRITE, Access.FETCH),
      hardwares,
      (flagsOf, address, wide, aligned, leafLevel, access, hardware) => {
        const npt = new Npt({ hardware });
        npt.slot({ gpa: GFN * 4096 - 0x1000 });
        npt.touch(GVA);
        const { pool } = npt.mmu;
        npt.entry(GFN);
        // The path down, from the leaf up by the parents.
        const places = [[npt.vcpu.walk.page, npt.vcpu.walk.index]];
        while (places[0][0] !== npt.vcpu.root) {
          const parent = pool.parent[places[0][0]];
          places.unshift([Math.floor(parent / 512), parent % 512]);
        }
        const before = places.map(([page, index]) => lanesToBigInt(pool.lo(page, index), pool.hi(page, index)));
        const high = wide ? 51 : 39;
        const entries = before.map((entry, i) => {
          const level = LEVELS[i];
          const own = flagsOf[i];
          if (level > leafLevel) return own | (entry & bits(12, 51));
          if (level === 1) return own | ((address << 12n) & bits(12, high));
          return own | PS | ((address << 12n) & bits(aligned ? 12 + 9 * (level - 1) : 12, high));
        });
        for (const [i, [page, index]] of places.entries()) {
          const { lo, hi } = bigIntToLanes(entries[i]);
          pool.set(page, index, lo, hi);
        }
        const expected = reference(entries, access, hardware);
        const frame = npt.translate(GVA, access);
        if (expected.cause === undefined) {
          ended++;
          assertEquals(frame, expected.frame);
          const [page, index] = places[4 - leafLevel];
          assertEquals(lanesToBigInt(pool.lo(page, index), pool.hi(page, index)), expected.leaf);
        } else {
          const what = access === Access.WRITE ? PFERR_WRITE : access === Access.FETCH ? PFERR_FETCH : 0;
          assertEquals(frame, -1);
          assertEquals(npt.vcpu.exit.info1, PFERR_GUEST_FINAL + (PFERR_USER | what | expected.cause));
        }
      },
    ),
    { numRuns: 1000 },
  );
  assert(ended > 100, "walks that end well are among them");
});

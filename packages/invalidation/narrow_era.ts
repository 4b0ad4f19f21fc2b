import type { Era } from "@mmu-lab/memslots";

/**
 * The same era with fewer bits for the generation, so that the number goes round after a handful of updates: a test that
 * would need 2^19 updates then needs 16. The wrap rule moves along: a value counted from the top of the field stays as
 * far from the top, zero stays zero.
 *
 * @param era An era whose MMIO sptes store a generation.
 * @param bits Bits of the mmio generation, 3 to 30.
 * @returns A copy; its line about kernels tells.
 * @throws {RangeError} If the era stores no generation, or if `bits` is out of range.
 *
 * @example
 * ```ts
 * import { narrowEra } from "@mmu-lab/invalidation";
 * import { ERAS } from "@mmu-lab/memslots";
 * import { assertEquals } from "@std/assert";
 *
 * const era = narrowEra(ERAS.G1, 4);
 * assertEquals(era.mmio?.mask, 0xf);
 * assertEquals(era.mmio?.wrap, { kind: "at-least", value: 0xe });
 * ```
 */
export function narrowEra(era: Era, bits: number): Era {
  const { mmio } = era;
  if (mmio === null) throw new RangeError(`Cannot narrow era ${era.name}: its MMIO sptes store no generation`);
  if (!Number.isInteger(bits) || bits < 3 || bits > 30) {
    throw new RangeError(`Cannot narrow era ${era.name} to ${bits} bits: expected an integer from 3 to 30`);
  }
  const mask = 2 ** bits - 1;
  const { wrap } = mmio;
  const narrowed = wrap.kind === "at-least" ? { ...wrap, value: mask - (mmio.mask - wrap.value) } : wrap;
  return { ...era, kernels: `${era.kernels}, cut to ${bits} bits`, mmio: { ...mmio, mask, wrap: narrowed } };
}

import type { Era, MmioGenerationRule } from "@mmu-lab/memslots";

/**
 * An era with a shorter generation field, so that a check can go round it: the rules stay, the numbers shrink.
 *
 * @param era The era.
 * @param bits Bits of the generation that MMIO sptes store, 2 to 10.
 * @throws {RangeError} If the era stores no generation, or `bits` is out of range.
 */
export function shrinkEra(era: Era, bits: number): Era {
  if (era.mmio === null) throw new RangeError(`Cannot shrink era ${era.name}: its MMIO sptes store no generation`);
  if (!Number.isInteger(bits) || bits < 2 || bits > 10) {
    throw new RangeError(`Cannot shrink a generation to ${bits} bits: expected an integer from 2 to 10`);
  }
  // Where the low bit is a mark and not stored, the number has one bit more than the field.
  const width = era.memslots.inProgress === "odd" ? bits + 1 : bits;
  return { ...era, mmio: shrinkRule(era.mmio, 2 ** width - 1) };
}

function shrinkRule(rule: MmioGenerationRule, mask: number): MmioGenerationRule {
  const { wrap } = rule;
  // Values near the top keep their distance from it.
  const shrunk = wrap.kind === "at-least" ? { ...wrap, value: mask - (rule.mask - wrap.value) } : wrap;
  return { ...rule, mask, bias: rule.bias & mask, wrap: shrunk };
}

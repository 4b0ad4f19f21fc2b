/** A 64-bit number as two 32-bit words, low first, each unsigned. */
export type Words = readonly [low: number, high: number];

/** The product of two 64-bit numbers modulo 2^64, without BigInt. */
export function mul64([aLow, aHigh]: Words, [bLow, bHigh]: Words): Words {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >>> 16); // below 2^32: (2^16 - 1)^2 + 2^16 - 1
  const other = a0 * b1 + (middle & 0xffff);
  const carry = a1 * b1 + (middle >>> 16) + (other >>> 16);
  return [
    (((other & 0xffff) << 16) | (low & 0xffff)) >>> 0,
    (carry + Math.imul(aLow, bHigh) + Math.imul(aHigh, bLow)) >>> 0,
  ];
}

/** A number below 2^53 as words. */
export function wordsOf(value: number): Words {
  return [value >>> 0, Math.floor(value / 2 ** 32)];
}

/** The low `size` bytes (1 to 8) as hexadecimal with 0x. */
export function hexOf([low, high]: Words, size: number): string {
  const keptLow = size >= 4 ? low : low & (2 ** (8 * size) - 1);
  const keptHigh = size <= 4 ? 0 : size === 8 ? high : high & (2 ** (8 * size - 32) - 1);
  const text = keptLow.toString(16);
  return "0x" + (keptHigh === 0 ? text : keptHigh.toString(16) + text.padStart(8, "0"));
}

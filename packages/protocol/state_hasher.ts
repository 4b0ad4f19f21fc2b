/**
 * Folds numbers and text into a hash of 53 bits, to tell states of a world apart. Two lanes of 32 bits are mixed
 * independently; with a million states the chance that any two collide is below 10^-4.
 */
export class StateHasher {
  #a = 0x811c9dc5;
  #b = 0x9747b28c;

  /** Folds a number in; all 64 bits of it count. */
  add(value: number): this {
    NUMBER[0] = value;
    this.#mix(WORDS[0]);
    this.#mix(WORDS[1]);
    return this;
  }

  /** Folds text in. */
  addText(text: string): this {
    this.#mix(text.length);
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    return this;
  }

  /** The hash of everything folded in so far: an integer from 0 to 2^53 - 1. */
  get value(): number {
    const a = finish(this.#a ^ Math.imul(this.#b, 0x85ebca6b));
    const b = finish(this.#b ^ Math.imul(this.#a, 0xc2b2ae35));
    return (a >>> 0) * 0x200000 + (b >>> 11);
  }

  /** Begins anew. */
  reset(): void {
    this.#a = 0x811c9dc5;
    this.#b = 0x9747b28c;
  }

  #mix(word: number): void {
    let a = Math.imul(this.#a ^ word, 0xcc9e2d51);
    a = (a << 15) | (a >>> 17);
    this.#a = Math.imul(a, 5) + 0xe6546b64 | 0;
    let b = Math.imul(this.#b + word, 0x1b873593);
    b ^= b >>> 13;
    this.#b = Math.imul(b, 0x2545f491) ^ a;
  }
}

const NUMBER = new Float64Array(1);
const WORDS = new Int32Array(NUMBER.buffer);

function finish(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x7feb352d);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

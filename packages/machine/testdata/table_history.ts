import type { Vm } from "../vm.ts";

/** An entry as it was. */
export interface Stale {
  readonly value: bigint;
  /** Until when. */
  readonly until: number;
  /** Written over by the program, of which KVM does not know. */
  readonly byHost: boolean;
}

/** What a {@linkcode TableHistory} looks at. */
export interface TableHistoryOptions {
  /** Entries at the start of a frame that are followed. */
  readonly words: number;
  /** Bits of an entry that a walk sets: they are no change. */
  readonly walkBits: bigint;
  /** Where a frame lies in the host. */
  readonly hvaOf: (gfn: number) => number;
}

/** Entries of tables in a guest's memory, as they are, and as they were: for oracles of what may still be remembered. */
export class TableHistory {
  /** The time: one more at each change, and whenever something is flushed. */
  clock = 1;
  readonly #vm: Vm;
  readonly #options: TableHistoryOptions;
  /** By frame * words + index. */
  readonly #stale = new Map<number, Stale[]>();
  readonly #now = new Map<number, bigint>();

  constructor(vm: Vm, options: TableHistoryOptions) {
    this.#vm = vm;
    this.#options = options;
  }

  /** An entry as it is. */
  peek(gfn: number, index: number): bigint {
    const words = this.#vm.host.words(this.#vm.host.pfn(this.#options.hvaOf(gfn)));
    return BigInt(words[2 * index] >>> 0) | BigInt(words[2 * index + 1] >>> 0) << 32n;
  }

  /** Writes an entry behind KVM's back. */
  poke(gfn: number, index: number, value: bigint): void {
    this.#vm.writeHost(this.#options.hvaOf(gfn) + 8 * index, value);
  }

  /** Whether two entries are the same but for the bits that walks set. */
  same(a: bigint, b: bigint): boolean {
    const { walkBits } = this.#options;
    return (a | walkBits) === (b | walkBits);
  }

  /** What an entry was, and when; nothing of one that is not followed. */
  stale(gfn: number, index: number): readonly Stale[] {
    const { words } = this.#options;
    return index < words ? this.#stale.get(gfn * words + index) ?? [] : [];
  }

  /**
   * Notes which entries have changed.
   *
   * @param gfns The frames that there are. @param byHost Whether it was the program. @param flushed Since when everybody
   * has flushed: what was over by then is forgotten.
   */
  note(gfns: readonly number[], byHost: boolean, flushed: number): void {
    const { words } = this.#options;
    const before = new Map(this.#now);
    this.#now.clear();
    for (const gfn of gfns) {
      for (let index = 0; index < words; index++) {
        const key = gfn * words + index;
        const value = this.peek(gfn, index);
        const was = before.get(key);
        this.#now.set(key, value);
        if (was === undefined || this.same(was, value)) continue;
        const kept = (this.#stale.get(key) ?? []).filter((old) => old.byHost || old.until > flushed);
        kept.push({ value: was, until: this.clock++, byHost });
        this.#stale.set(key, kept);
      }
    }
  }

  /** Nobody remembers anything any more. */
  forget(): void {
    this.#stale.clear();
  }
}

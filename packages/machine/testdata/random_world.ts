/**
 * What random runs have in common: they go on until something is wrong, and tell what led to it.
 *
 * @module
 */
import { auditBooks, auditTlbs } from "@mmu-lab/paging";
import type { Profile } from "../profile.ts";
import type { Vm } from "../vm.ts";

/** Operations between two audits of the books. */
const AUDIT_EVERY = 16;
const SHOWN = 30;

/** What every run says. */
export interface RandomRun {
  /** The kernel, strategy included. */
  readonly profile: Profile;
  /** Where randomness starts. */
  readonly seed: number;
  /** How many operations. */
  readonly operations: number;
}

/** A VM to which random things happen. */
export interface RandomWorld {
  readonly vm: Vm;
  readonly story: Story;
  /** Does one thing; what was wrong about it. */
  step(): string | undefined;
}

/** The last things that have happened. */
export class Story {
  readonly #lines: string[] = [];

  /** Adds a line. */
  tell(what: string): void {
    this.#lines.push(what);
    if (this.#lines.length > SHOWN) this.#lines.shift();
  }

  toString(): string {
    return this.#lines.join("\n");
  }
}

/** Runs random operations; the first disagreement as a story that ends with it, or `undefined`. */
export function runToDisagreement({ profile, seed, operations }: RandomRun, world: RandomWorld): string | undefined {
  const { mmu } = world.vm;
  for (let i = 0; i < operations; i++) {
    const wrong = world.step() ?? auditTlbs(mmu)[0] ?? (i % AUDIT_EVERY === 0 ? auditBooks(mmu)[0] : undefined) ??
      mmu.warnings[0];
    if (wrong !== undefined) return `${profile.name}, seed ${seed}, operation ${i}:\n${world.story}\n${wrong}`;
  }
  return undefined;
}

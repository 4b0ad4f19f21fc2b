import type { GenerationRule, MemslotsView } from "./generation_rule.ts";
import type { StateHasher } from "@mmu-lab/protocol";
import { hashSlot } from "./memslot.ts";
import { MemslotSet } from "./memslot_set.ts";

/**
 * The published memslots of one address space: the pointer that readers follow, and its generation
 * (`kvm->memslots[as_id]`). Readers may look at any moment; {@linkcode Memslots.publish} and
 * {@linkcode Memslots.complete} belong to the updater, under `slots_lock`.
 */
export class Memslots implements MemslotsView {
  /** Address space: 0 normal, 1 system management mode. */
  readonly asId: number;
  #active: MemslotSet = new MemslotSet();
  // 0 at first: so V8 knows it as a small integer, where undefined at first would make it a boxed float.
  #generation: number = 0;
  /** 1 while the flag beside the number is set: a number, so that the getter below is one test. */
  #flag = 0;
  /** The bit of the number that tells an update in progress, or 0: a bit is cheaper to test than the rule's text. */
  readonly #oddBit: number = 0;
  readonly #rule: GenerationRule;

  /**
   * Makes the memslots of a new VM: no slot, generation at its start.
   *
   * @param asId Address space.
   * @param rule How the generation moves.
   */
  constructor(asId: number, rule: GenerationRule) {
    this.asId = asId;
    this.#rule = rule;
    const start = rule.start(asId);
    // The flag is bit 63 of the kernel's u64, and a negative number has it set: bug B10. What is left of the number then
    // is kept modulo 2^53, of which all who look see the low end.
    const flagged = rule.inProgress === "flag" && start < 0;
    this.#generation = flagged ? start + 2 ** 53 : start;
    this.#flag = flagged ? 1 : 0;
    this.#oddBit = rule.inProgress === "odd" ? 1 : 0;
  }

  /** The set that readers see now. */
  get active(): MemslotSet {
    return this.#active;
  }

  /** The generation that readers see now. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether readers can tell that an update is in progress. */
  get updateInProgress(): boolean {
    return ((this.#generation & this.#oddBit) | this.#flag) !== 0;
  }

  /** Whether the flag beside the number is set: an update is in progress, in kernels that tell it so (from 5.1 on). */
  get isFlagged(): boolean {
    return this.#flag !== 0;
  }

  /** The generation that the next update will end with. */
  get nextGeneration(): number {
    return this.#generation + this.#rule.publishStep + this.#rule.completeStep;
  }

  /** Folds the published state into a hash. */
  hashInto(hasher: StateHasher): void {
    hasher.add(this.#generation).add(this.#flag ? 1 : 0);
    for (const slot of this.#active) hashSlot(slot, (value) => hasher.add(value));
  }

  /** Makes a new set visible, with the number that the rule gives a set in flux. */
  publish(set: MemslotSet): void {
    this.#active = set;
    this.#generation += this.#rule.publishStep;
    this.#flag = this.#rule.inProgress === "flag" ? 1 : 0;
  }

  /** Gives the published set its final number, after the grace period. */
  complete(): void {
    this.#generation += this.#rule.completeStep;
    this.#flag = 0;
  }
}

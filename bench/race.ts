import type { Vm } from "@mmu-lab/machine";
import type { Contender } from "./contender.ts";
import { populatedVm } from "./populated_vm.ts";
import type { Scenario } from "./scenarios.ts";

/** One contender in one scenario: rounds on a VM, and a new VM when the scenario has used it up. */
export class Race {
  readonly #scenario: Scenario;
  readonly #contender: Contender;
  #vm: Vm | undefined;
  #round = 0;

  /**
   * Makes a race that has not begun.
   *
   * @param scenario What happens. @param contender Under which strategy.
   */
  constructor(scenario: Scenario, contender: Contender) {
    this.#scenario = scenario;
    this.#contender = contender;
  }

  /**
   * Runs one round.
   *
   * @param before Called when all is prepared. @param after Called when what is measured is over.
   */
  round(before: (vm: Vm) => void, after: (vm: Vm) => void): void {
    const { population, roundsPerVm, prepare, measure } = this.#scenario;
    if (this.#vm === undefined || this.#round >= roundsPerVm) {
      // Only one VM lives at a time: 2^16 shadow pages are a quarter of a gigabyte.
      live?.release();
      live = this;
      this.#vm = populatedVm(this.#contender.createVm, population);
      this.#round = 0;
    }
    prepare(this.#vm, this.#round);
    before(this.#vm);
    measure(this.#vm, this.#round);
    after(this.#vm);
    this.#round++;
  }

  /** Lets go of the VM; the next round makes another. */
  release(): void {
    this.#vm = undefined;
  }
}

let live: Race | undefined;

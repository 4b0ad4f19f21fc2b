import type { Vm, VmOptions } from "@mmu-lab/machine";

/** A strategy in the benches. A contender is one file in `strategies/`, and one line in `contenders.ts`. */
export interface Contender {
  /** The strategy's name in tables. */
  readonly name: string;
  /** Makes a VM that uses it, without slots and vCPUs. */
  readonly createVm: (options: VmOptions) => Vm;
}

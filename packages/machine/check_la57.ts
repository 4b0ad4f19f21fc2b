import type { PagingState } from "@mmu-lab/paging";
import type { Vm } from "./vm.ts";

/**
 * That the processor has the levels of a guest's paging.
 *
 * @throws {RangeError} If it has not.
 */
export function checkLa57(vm: Vm, { format }: PagingState): void {
  if (format.rootLevel < 5 || vm.backend.la57 === true) return;
  throw new RangeError(`Cannot use ${format.name} paging: the processor of ${vm.profile.name} has no LA57`);
}

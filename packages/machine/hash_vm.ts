import type { MemslotsView } from "@mmu-lab/memslots";
import { hashMmu, hashVcpuMmu } from "@mmu-lab/paging";
import type { StateHasher } from "@mmu-lab/protocol";
import type { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";

/**
 * Folds the state of a VM that belongs to no vCPU into a hash: everything that a later step could read, but for who
 * holds which lock, and for the contents of host memory where they decide no step: where KVM shadows guest tables they are in it.
 */
export function hashVm(vm: Vm, hasher: StateHasher): void {
  hashMmu(vm.mmu, hasher);
  for (const memslots of vm.memslots) memslots.hashInto(hasher);
  vm.srcu.hashInto(hasher);
  if (vm.shadowsGuestTables) vm.host.hashInto(hasher);
}

/**
 * Folds the state of one vCPU into a hash, but for its number.
 *
 * @param spaces The address spaces that it may ever be in; all unless told.
 */
export function hashVcpu(
  vm: Vm,
  vcpu: Vcpu,
  hasher: StateHasher,
  spaces: readonly MemslotsView[] = vm.memslots,
): void {
  hashVcpuMmu(vm.mmu, vcpu.mmu, hasher, spaces);
  hasher.add(vm.srcu.sideOf(vcpu.index));
  hasher.add(vcpu.inGuest ? 1 : 0).add(vcpu.rip).add(vcpu.emulated ? 1 : 0).add(vcpu.readCompleted ? 1 : 0);
  hasher.add(vcpu.fragmentCount).add(vcpu.lastRetryRip).add(vcpu.lastRetryAddress);
  const { mmioReads, mmioWrites, deviceAccesses, ramAccesses } = vcpu.outcome;
  hasher.add(vcpu.outcome.faultCode).add(vcpu.outcome.exitToL1?.gpa ?? -1);
  hasher.add(mmioReads).add(mmioWrites).add(deviceAccesses).add(ramAccesses);
}

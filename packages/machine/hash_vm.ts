import { hashMmu } from "@mmu-lab/paging";
import type { StateHasher } from "@mmu-lab/protocol";
import type { Vm } from "./vm.ts";

/**
 * Folds the state of a VM into a hash: everything that a later step could read, but for the contents of host memory,
 * which decide no step.
 */
export function hashVm(vm: Vm, hasher: StateHasher): void {
  hashMmu(vm.mmu, (vcpu) => vm.vcpus[vcpu].inGuest, hasher);
  for (const memslots of vm.memslots) memslots.hashInto(hasher);
  hasher.add(vm.slotsLock.owner);
  vm.srcu.hashInto(hasher);
  for (const vcpu of vm.vcpus) {
    hasher.add(vcpu.inGuest ? 1 : 0).add(vcpu.rip).add(vcpu.emulated ? 1 : 0).add(vcpu.readCompleted ? 1 : 0);
    hasher.add(vcpu.fragmentCount).add(vcpu.lastRetryRip).add(vcpu.lastRetryAddress);
    const { mmioReads, mmioWrites, deviceAccesses, ramAccesses } = vcpu.outcome;
    hasher.add(mmioReads).add(mmioWrites).add(deviceAccesses).add(ramAccesses);
  }
}

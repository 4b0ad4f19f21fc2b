import { dropKeptRoots, freeAllRoots, releaseRoots, zapAllAtEnd, zapAllPages, zapAllTdp } from "@mmu-lab/paging";
import { run } from "@mmu-lab/protocol";
import { setMemoryRegion } from "./set_memory_region.ts";
import type { Vm } from "./vm.ts";

/** Destroys the VM as 3.11 and 6.1 do: zap everything, delete the private slots, give back the roots. */
export function destroyVm(vm: Vm): void {
  const { tdp, pageRules } = vm.mmu;
  if (tdp !== undefined) run(vm.execution, zapAllTdp(vm.mmu, tdp), vm.updater);
  else {
    const zap = pageRules.validGeneration === "counted" ? zapAllPages : zapAllAtEnd;
    run(vm.execution, zap(vm.mmu), vm.updater);
  }
  for (const id of vm.profile.slotsDeletedAtEnd) {
    for (const { asId } of vm.memslots) {
      const region = { asId, id, gpa: 0, size: 0, flags: 0, userspaceAddr: 0 };
      run(vm.execution, setMemoryRegion(vm, region), vm.updater);
    }
  }
  for (const vcpu of vm.vcpus) {
    run(vm.execution, freeAllRoots(vm.mmu, vcpu.mmu), vcpu.index);
    if (vcpu.mmu.nested !== undefined) run(vm.execution, dropKeptRoots(vm.mmu, vcpu.mmu.nested), vcpu.index);
  }
  if (tdp !== undefined) run(vm.execution, releaseRoots(vm.mmu, tdp), vm.updater);
}

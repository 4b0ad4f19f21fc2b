import { EINVAL, MEM_LOG_DIRTY_PAGES, MEM_READONLY, type MemoryRegion } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { setMemoryRegion } from "./set_memory_region.ts";
import type { Vm } from "./vm.ts";

/**
 * User space asks for a change of a memslot (`kvm_vm_ioctl` and `kvm_vm_ioctl_set_memory_region`, 3.11 and 6.12
 * kvm_main.c). What the ioctl refuses by itself never gets to {@linkcode setMemoryRegion}, nor to its tracepoints.
 *
 * @returns 0, or the negative errno of the ioctl.
 */
export function* setUserMemoryRegion(vm: Vm, region: MemoryRegion): Protocol<number> {
  const { userSlots, ioctlChecksFlags } = vm.profile.slotLimits;
  if (ioctlChecksFlags && (region.flags & ~(MEM_LOG_DIRTY_PAGES | MEM_READONLY)) !== 0) return EINVAL;
  if (region.id >= userSlots) return EINVAL;
  return yield* setMemoryRegion(vm, region);
}

import { EINVAL } from "@mmu-lab/memslots";
import { changeMaxPages, MIN_MMU_PAGES } from "@mmu-lab/paging";
import type { Protocol } from "@mmu-lab/protocol";
import type { Vm } from "./vm.ts";

/**
 * Sets how many shadow pages a VM may have (`kvm_vm_ioctl_set_nr_mmu_pages`, 3.11 to 6.1 x86.c; facts sheet 6.8). From then on
 * memslots do not change it. Takes `slots_lock` and `mmu_lock`.
 *
 * @returns 0, or `-EINVAL` for fewer than 64.
 */
export function* setNrMmuPages(vm: Vm, pages: number): Protocol<number> {
  if (pages < MIN_MMU_PAGES) return EINVAL;
  const { mmu } = vm;
  yield vm.slotsLock.acquire;
  yield mmu.lock.acquire;
  changeMaxPages(mmu, pages);
  yield mmu.lock.release;
  vm.maxShadowPages = pages;
  yield vm.slotsLock.release;
  return 0;
}

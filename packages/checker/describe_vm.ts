import type { Vm } from "@mmu-lab/machine";
import type { Gfn } from "@mmu-lab/memslots";
import { entryIndex, levelOf, NO_PAGE, SPTE_LARGE } from "@mmu-lab/paging";

/**
 * The state of a VM in a few words, for stories: the generation, what the sptes of some gfns are, and what each vCPU
 * remembers as MMIO.
 *
 * @param vm The VM.
 * @param gfns The guest frames of interest.
 */
export function describeVm(vm: Vm, gfns: readonly Gfn[]): string {
  const slots = vm.memslots[0];
  const flux = slots.updateInProgress ? " (in flux)" : "";
  const parts = [`generation ${slots.generation}${flux}`];
  for (const gfn of gfns) parts.push(`0x${gfn.toString(16)}: ${slotWord(vm, gfn)}, spte ${spteWord(vm, gfn)}`);
  for (const { index, mmu } of vm.vcpus) {
    if (mmu.cache.gfn !== 0) parts.push(`vCPU ${index} remembers 0x${mmu.cache.gfn.toString(16)}`);
  }
  return parts.join("; ");
}

function slotWord(vm: Vm, gfn: Gfn): string {
  const slot = vm.memslots[0].active.find(gfn);
  return slot === undefined ? "no slot" : slot.invalid ? "invalid slot" : "slot";
}

function spteWord(vm: Vm, gfn: Gfn): string {
  const { mmu } = vm;
  let page = vm.vcpus.find((vcpu) => vcpu.mmu.root !== NO_PAGE)?.mmu.root ?? NO_PAGE;
  if (page === NO_PAGE) return "none";
  for (let level = levelOf(mmu.pool.role[page]);; level--) {
    const lo = mmu.pool.lo(page, entryIndex(gfn, level));
    const hi = mmu.pool.hi(page, entryIndex(gfn, level));
    if (mmu.layout.isMmio(lo, hi)) return `MMIO of generation 0x${mmu.layout.generationOf(lo, hi).toString(16)}`;
    if (!mmu.isPresent(lo, hi)) return "none";
    if (level === 1 || (lo & SPTE_LARGE) !== 0) return "RAM";
    page = mmu.childOf(lo, hi);
  }
}

import { NestedState, PAGING_OFF, type PagingState, ShadowContext } from "@mmu-lab/paging";
import { run } from "@mmu-lab/protocol";
import { checkLa57 } from "./check_la57.ts";
import { FLAT_GUEST } from "./guest.ts";
import { GuestMemory } from "./guest_memory.ts";
import { setMemoryRegion } from "./set_memory_region.ts";
import { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";

/** Physical address bits that CPUID tells a guest that has paging off. */
const GUEST_MAXPHYADDR = 40;

/** Where the memory of slots that KVM makes for itself lies in the host. */
const PRIVATE_MEMORY = 0x7fff00000000;

/** Creates a vCPU; with the first, KVM makes its private slots (`kvm_vm_ioctl_create_vcpu`). */
export function createVcpu(vm: Vm): Vcpu {
  if (vm.vcpus.length === 0) {
    for (const slot of vm.profile.privateSlots) {
      const region = { ...slot, flags: 0, userspaceAddr: PRIVATE_MEMORY + slot.id * 0x1000 };
      // In every address space (x86_set_memory_region, 4.10).
      for (const { asId } of vm.memslots) run(vm.execution, setMemoryRegion(vm, { ...region, asId }), vm.updater);
    }
  }
  const context = guestTables(vm);
  const shadow = vm.backend.shadowsGuestTables === true ? context : undefined;
  const vcpu = new Vcpu(vm.mmu.addVcpu(vm.guest.paging, shadow), context);
  vcpu.mmu.nested = nestedState(vm);
  // A new vCPU flushes its TLB anyway: this is for the statistics.
  vcpu.mmu.flushIsCounted = vm.backend.flushesLoadedVcpu === true;
  if (vm.mmu.pageRules.flushesForSregs) vm.mmu.stats.tlb_flush++;
  vm.vcpus.push(vcpu);
  return vcpu;
}

/** What a vCPU needs to run L2, where the kernel lets it. */
function nestedState(vm: Vm): NestedState | undefined {
  const { nested } = vm.profile;
  if (nested === undefined) return undefined;
  const context = contextFor(vm, { format: PAGING_OFF, maxphyaddr: nested.ept.maxphyaddr });
  return new NestedState(nested, context, vm.guest.l2 ?? FLAT_GUEST.paging);
}

/** How KVM walks the guest's tables, and shadows them where the processor has no two-dimensional paging. */
function guestTables(vm: Vm): ShadowContext | undefined {
  const { tables, paging } = vm.guest;
  if (vm.backend.shadowsGuestTables !== true && paging.inMemory !== true) return undefined;
  const read = tables?.paging ?? { format: PAGING_OFF, maxphyaddr: GUEST_MAXPHYADDR };
  if (vm.backend.shadowsGuestTables === true) checkLa57(vm, read);
  const context = contextFor(vm, read);
  const cr3 = tables?.cr3 ?? 0;
  context.walk.rootLo = cr3 | 0;
  context.walk.rootHi = Math.floor(cr3 / 2 ** 32);
  return context;
}

/** Walks tables in guest memory for the vCPU that is being created. */
function contextFor(vm: Vm, paging: PagingState): ShadowContext {
  const vcpu = vm.vcpus.length;
  return new ShadowContext({
    paging,
    rules: vm.profile.walkRules,
    tables: new GuestMemory(vm, vcpu),
    counters: vm.mmu.counters,
    trace: vm.mmu.trace,
    vcpu,
    ...(vm.profile.shadowRules === undefined ? {} : { shadowRules: vm.profile.shadowRules }),
  });
}

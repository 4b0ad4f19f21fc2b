/**
 * Faults of a guest whose page tables KVM shadows, by wall clock. A fault is everything from the processor's page fault to
 * the next entry: exit, walk of the guest's tables, memslot, `mmu_lock`, shadow tables, neighbours.
 *
 * @module
 */
import { PROFILES, Vm } from "@mmu-lab/machine";
import { PAGING_4_LEVEL } from "@mmu-lab/paging";
import { run } from "@mmu-lab/protocol";

const HOST = 0x7f0000000000;
/** Leaf tables of the guest: 128 MiB. */
const TABLES = 64;
/** One fault maps eight entries: only the first of eight pages faults. */
const STRIDE = 8;
const FAULTS = TABLES * 512 / STRIDE;
const DEVICES = 512;
/** Where the pages lie, in guest-physical memory; linear addresses are the same. Devices lie behind them. */
const FIRST_GFN = 0x40000;
const DEVICE_GFN = FIRST_GFN + TABLES * 512;
/** Present, writable, user, accessed, dirty. */
const BITS = 0x67;
const ROOT_GFN = 1;

/** A guest in long mode that maps memory, and behind it devices, to itself. */
function pagedVm(): Vm {
  const vm = new Vm(PROFILES.linux_3_11_shadow, {
    guest: {
      paging: { levels: 0, entryGpa: () => 0, translate: (gva) => gva },
      tables: { cr3: ROOT_GFN * 4096, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp: true } },
    },
    maxShadowPages: 4 * TABLES,
  });
  vm.createVcpu();
  vm.memslot({ id: 0, gpa: 0, size: 0x1000000, flags: 0, userspaceAddr: HOST });
  vm.memslot({ id: 1, gpa: FIRST_GFN * 4096, size: TABLES << 21, flags: 0, userspaceAddr: HOST + 0x80000000 });
  const set = (table: number, index: number, gfn: number) =>
    vm.writeHost(HOST + table * 4096 + 8 * index, (BigInt(gfn) << 12n) | BigInt(BITS));
  set(ROOT_GFN, 0, 2);
  set(2, FIRST_GFN >>> 18, 3);
  for (let table = 0; table <= TABLES; table++) {
    set(3, table, 4 + table);
    for (let index = 0; index < 512; index++) set(4 + table, index, FIRST_GFN + table * 512 + index);
  }
  return vm;
}

/** Touches pages, the first of every `stride`. */
function touch(vm: Vm, firstGfn: number, count: number, stride: number): void {
  const { mmu } = vm.vcpu(0);
  const vcpu = vm.vcpu(0);
  for (let n = 0; n < count; n++) {
    run(vm.execution, vm.accessProtocol(vcpu, "read", (firstGfn + n * stride) * 4096, 4), mmu.index);
  }
}

const group = "shadow faults";
const vm = pagedVm();

Deno.bench({
  group,
  baseline: true,
  name: `memory x ${FAULTS}: 4 levels walked, 8 entries mapped`,
  fn(b) {
    run(vm.execution, vm.control.zapAll(), vm.updater);
    // The root and the tables above the leaves, which no later fault makes.
    touch(vm, FIRST_GFN, TABLES, 512);
    const { pf_fixed } = vm.mmu.stats;
    b.start();
    touch(vm, FIRST_GFN, FAULTS, STRIDE);
    b.end();
    if (vm.mmu.stats.pf_fixed - pf_fixed !== FAULTS - TABLES) throw new Error("Cannot measure: not every page faulted");
  },
});

Deno.bench({
  group,
  name: `devices x ${DEVICES}: an MMIO spte that is current`,
  fn() {
    touch(vm, DEVICE_GFN, DEVICES, 1);
  },
});

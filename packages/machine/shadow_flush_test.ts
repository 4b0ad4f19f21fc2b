/**
 * Flushes of shadow paging that the random run is too small to need.
 *
 * @module
 */
import { auditTlbs, PAGING_4_LEVEL } from "@mmu-lab/paging";
import { assertEquals } from "@std/assert";
import type { HostRegion } from "./host_memory.ts";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

const HOST = 0x7f0000000000;
const HUGE = HOST + 0x40000000;
/** A page of 2 MiB of the guest. */
const HUGE_GPA = 0x40000000;

/** Two vCPUs; frames 1 to 3 are tables of levels 4 to 2, and each entry of frame 3 leads to the frame from 4 on. */
function twoVcpus(cr0Wp: boolean, hostMemory: readonly HostRegion[] = []): Vm {
  const vm = new Vm(PROFILES.linux_3_11_shadow, {
    guest: {
      paging: { levels: 0, entryGpa: () => 0, translate: (gva) => gva },
      tables: { cr3: 0x1000, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp } },
    },
    hostMemory,
    maxShadowPages: 64,
  });
  for (let i = 0; i < 2; i++) vm.createVcpu();
  vm.memslot({ id: 0, gpa: 0, size: 0x40000, flags: 0, userspaceAddr: HOST });
  vm.writeHost(HOST + 0x1000, 0x2067n);
  vm.writeHost(HOST + 0x2000, 0x3067n);
  for (let i = 0; i < 4; i++) vm.writeHost(HOST + 0x3000 + 8 * i, BigInt((4 + i) << 12) | 0x67n);
  return vm;
}

Deno.test("a frame that is mapped too often loses all its mappings, and TLBs forget them (RMAP_RECYCLE_THRESHOLD)", () => {
  const vm = twoVcpus(true);
  for (let page = 0; page < 1001; page++) vm.writeHost(HOST + 0x4000 + 8 * page, 0x10067n);
  for (let page = 0; page < 1000; page += 8) vm.access(0, "read", page * 4096, 4);
  vm.access(1, "write", 0, 4);
  assertEquals(vm.vcpu(1).mmu.flushRequested, false);
  vm.access(0, "read", 1000 * 4096, 4);
  assertEquals([vm.vcpu(1).mmu.flushRequested, auditTlbs(vm.mmu)], [true, []]);
});

Deno.test("a large mapping that gives way to a table is forgotten by TLBs (drop_large_spte)", () => {
  // The supervisor writes what is write-protected, while dirty pages are logged page by page.
  const vm = twoVcpus(false, [{ hva: HUGE, size: 0x200000, pages: "hugetlb-2m" }]);
  const slot = { id: 1, gpa: HUGE_GPA, size: 0x200000, userspaceAddr: HUGE };
  vm.memslot({ ...slot, flags: 0 });
  vm.writeHost(HOST + 0x3018, BigInt(HUGE_GPA) | 0xe5n);
  vm.access(0, "read", 0x600000, 4);
  assertEquals(vm.mmu.stats.largepages, 1);
  vm.memslot({ ...slot, flags: 1 });
  vm.access(1, "read", 0x605000, 4);
  assertEquals([vm.mmu.stats.largepages, vm.vcpu(1).mmu.flushRequested], [1, false]);
  vm.access(0, "write", 0x600000, 4);
  assertEquals([vm.mmu.stats.largepages, vm.vcpu(1).mmu.flushRequested, auditTlbs(vm.mmu)], [0, true, []]);
});

Deno.test("auditTlbs() finds a translation whose entry is gone, unless a sync dropped it or a flush is due", () => {
  const vm = twoVcpus(true);
  vm.writeHost(HOST + 0x4000, 0x10067n);
  vm.access(1, "write", 0, 4);
  assertEquals(auditTlbs(vm.mmu), []);
  const [{ pfn }] = [...vm.vcpu(1).mmu.tlb.translations()];
  const { pool } = vm.mmu;
  for (let page = 0; page < pool.length; page++) pool.set(page, 0, pool.lo(page, 0) & ~2, pool.hi(page, 0));
  const unwritable = `vCPU 1 may write frame 0x${pfn.toString(16)} as page 0x0 by its TLB, and no entry lets it write`;
  assertEquals(auditTlbs(vm.mmu), [unwritable]);
  for (let page = 0; page < pool.length; page++) pool.set(page, 0, 0, 0);
  const unmapped = `vCPU 1 may write frame 0x${pfn.toString(16)} as page 0x0 by its TLB, and no entry maps it`;
  assertEquals(auditTlbs(vm.mmu), [unmapped]);
  vm.mmu.shadow.tlbsDirty = true;
  assertEquals(auditTlbs(vm.mmu), []);
  vm.mmu.shadow.tlbsDirty = false;
  vm.mmu.flushRemoteTlbs();
  assertEquals(auditTlbs(vm.mmu), []);
});

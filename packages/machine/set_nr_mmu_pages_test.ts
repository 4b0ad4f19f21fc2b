import { EINVAL } from "@mmu-lab/memslots";
import { auditBooks, NO_PAGE } from "@mmu-lab/paging";
import { assertEquals } from "@std/assert";
import { IDENTITY_GUEST, IDENTITY_SLOT, IDENTITY_TABLES } from "./identity_guest.ts";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

const TWO_MEGABYTES = 2 ** 21;
const MEMORY = { id: 1, gpa: 0, size: 200 * TWO_MEGABYTES, flags: 0, userspaceAddr: 0x7f0000000000 };

/** A guest with shadow paging that has touched 150 pages, each with a table of its own; and devices. */
function usedVm(): Vm {
  const vm = new Vm(PROFILES.linux_3_11_shadow, {
    guest: IDENTITY_GUEST,
    hostMemory: [IDENTITY_TABLES],
    maxShadowPages: 1000,
  });
  vm.memslot(IDENTITY_SLOT);
  vm.memslot(MEMORY);
  vm.createVcpu();
  for (let i = 0; i < 150; i++) vm.access(0, "write", i * TWO_MEGABYTES, 8, BigInt(i));
  vm.access(0, "read", 0xd0000000, 4);
  return vm;
}

/** Numbers of the active pages that are no root, the oldest first. */
function pages(vm: Vm): number[] {
  const { pool } = vm.mmu;
  const serials: number[] = [];
  for (let page = pool.oldest; page !== NO_PAGE; page = pool.newerThan(page)) {
    if (pool.rootCount[page] === 0) serials.push(pool.serial[page]);
  }
  return serials;
}

/** What the guest sees is as it was. */
function check(vm: Vm): void {
  for (const i of [0, 1, 77, 149]) assertEquals(vm.access(0, "read", i * TWO_MEGABYTES, 8).value, BigInt(i));
  assertEquals(vm.access(0, "read", 0xd0000000, 4).kind, "mmio");
  assertEquals(auditBooks(vm.mmu), []);
}

Deno.test("Vm.setNrMmuPages() zaps the oldest shadow pages, and memslots do not change it any more", () => {
  const vm = usedVm();
  const before = pages(vm);
  assertEquals(vm.setNrMmuPages(63), EINVAL);
  assertEquals(pages(vm), before);
  assertEquals(vm.setNrMmuPages(64), 0);
  // One of the 64 is the root, which was zapped first and lives on.
  assertEquals(pages(vm), before.slice(-63));
  check(vm);
  vm.memslot({ ...MEMORY, id: 2, gpa: 2 ** 36 });
  assertEquals(vm.mmu.maxPages, 64);
});

Deno.test("Vm.shrink() zaps the oldest shadow page of a guest with shadow paging, and then the next", () => {
  const vm = usedVm();
  const before = pages(vm);
  // The root first; it is in use and stays, and the vCPU takes another.
  assertEquals([vm.shrink(10), pages(vm)], [1, before]);
  for (let gone = 1; gone <= 20; gone++) {
    assertEquals([vm.shrink(10), pages(vm)], [1, before.slice(gone)]);
  }
  check(vm);
});

import { assertEquals } from "@std/assert";
import * as events from "./events_kvmmmu.ts";
import { printEvent } from "./print_event.ts";

Deno.test("MARK_MMIO_SPTE and CHECK_MMIO_SPTE print as Linux 3.11 does", () => {
  assertEquals(
    printEvent(events.MARK_MMIO_SPTE, 0, [0x39b76 * 512, 0xe0000, 6, 0x7ff6b], "3.11"),
    "sptep:ffff880039b76000 gfn e0000 access 6 gen 7ff6b",
  );
  assertEquals(
    printEvent(events.CHECK_MMIO_SPTE, 0, [0xe0000b5e, 0xfff00000, 0x7ff6b, 0x7ff6b, 1], "3.11"),
    "spte fff00000e0000b5e kvm_gen 7ff6b spte-gen 7ff6b valid 1",
  );
});

Deno.test("KVM_MMU_PAGETABLE_WALK prints no flags, but the space before them", () => {
  assertEquals(printEvent(events.KVM_MMU_PAGETABLE_WALK, 0, [0xe0000000, 0, 0], "3.11"), "addr e0000000 pferr 0 ");
  assertEquals(printEvent(events.KVM_MMU_PAGETABLE_WALK, 0, [0x100d, 0, 16], "3.11"), "addr 100d pferr 10 F");
});

Deno.test("FAST_PAGE_FAULT prints its outcome", () => {
  assertEquals(
    printEvent(events.FAST_PAGE_FAULT, 1, [0xd0007510, 7, 0xa242 * 512 + 7, 0x0b7f2e65, 1, 0x0b7f2e67, 1, 2], "6.12"),
    "vcpu 1 gva d0007510 error_code P|W|U sptep ffff88000a242038 old 0x10b7f2e65 new 10b7f2e67 spurious 0 fixed 1",
  );
});

Deno.test("KVM_MMU_SET_SPTE prints rights and a physical address", () => {
  assertEquals(
    printEvent(events.KVM_MMU_SET_SPTE, 0, [2, 0x09dbee67, 1, 0b1111, 1, 0x109b9e * 512 + 2], "6.1"),
    "gfn 2 spte 109dbee67 (rwxu) level 1 at 109b9e010",
  );
});

Deno.test("Zapping all pages changes its name and the base of its generation", () => {
  assertEquals(
    printEvent(events.KVM_MMU_INVALIDATE_ZAP_ALL_PAGES, -1, [10, 12], "4.10"),
    "kvm-mmu-valid-gen a used_pages c",
  );
  assertEquals(printEvent(events.KVM_MMU_ZAP_ALL_FAST, -1, [10, 12], "6.1"), "kvm-mmu-valid-gen 10 used_pages c");
});

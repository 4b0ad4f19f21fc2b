import { assertEquals } from "@std/assert";
import { HIDDEN_FRAME, maskFrames } from "./mask_frames.ts";

/** As with the TDP MMU: bit 11 says so. */
const isPresent = (lo: number) => (lo & 0x800) !== 0;

Deno.test("maskFrames() takes the frame out of a present entry, and leaves the other bits", () => {
  const text = "as id 0 gfn c0000 level 2 old_spte 0 new_spte 860000010c200ee7";
  assertEquals(maskFrames("kvm_tdp_mmu_spte_changed", text, isPresent), {
    text: `as id 0 gfn c0000 level 2 old_spte 0 new_spte *${0x86000000}:${0xee7}`,
    frames: [undefined, 0x10c200],
  });
});

Deno.test("maskFrames() leaves entries alone that are not present: MMIO sptes, removed and empty ones", () => {
  const text = "as id 0 gfn f0000 level 1 old_spte 80000f0000017 new_spte 80000000000005a0";
  assertEquals(maskFrames("kvm_tdp_mmu_spte_changed", text, isPresent), { text, frames: [undefined, undefined] });
});

Deno.test("maskFrames() leaves the index of an spte in its page, by pointer and by physical address", () => {
  const pointer = "sptep:ffff8801334a9018 gfn f0000 access 6 gen 7ff6a";
  assertEquals(maskFrames("mark_mmio_spte", pointer, isPresent), {
    text: `sptep:*${0x18} gfn f0000 access 6 gen 7ff6a`,
    frames: [0xffff8801334a9],
  });
  const address = "gfn 2 spte 10beace67 (rwxu) level 1 at 10a59b010";
  assertEquals(maskFrames("kvm_mmu_set_spte", address, isPresent), {
    text: `gfn 2 spte *0:${0xe67} (rwxu) level 1 at *${0x10}`,
    frames: [0x10beac, 0x10a59b],
  });
});

Deno.test("maskFrames() reads numbers with 0x, as 4.10 prints them", () => {
  const text = "sptep=0xffff8801334a9018 spte=0x13c44b825";
  assertEquals(maskFrames("mmu_spte_set", text, isPresent), {
    text: `sptep=0x*${0x18} spte=0x*0:${0x825}`,
    frames: [0xffff8801334a9, 0x13c44b],
  });
});

Deno.test("maskFrames() takes bits that are no frame number for what they are", () => {
  const none = "gfn c0000 pfn 8000000000000000 level 1";
  assertEquals(maskFrames("kvm_mmu_spte_requested", none, isPresent), { text: none, frames: [undefined] });
  assertEquals(maskFrames("kvm_mmu_spte_requested", "gfn 2 pfn 10beac level 1", isPresent), {
    text: "gfn 2 pfn * level 1",
    frames: [0x10beac],
  });
});

Deno.test("maskFrames() shows no frame for a pointer that is NULL", () => {
  const text = "vcpu 0 gva c0001000 error_code P|W|U sptep           (null) old 0x0 new 0 spurious 0 fixed 0";
  assertEquals(maskFrames("fast_page_fault", text, isPresent)?.frames, [undefined, undefined, undefined]);
});

Deno.test("maskFrames() says nothing of a text that is not that event's", () => {
  assertEquals(maskFrames("mmu_spte_set", "sptep=ffff8801334a9018", isPresent), undefined);
});

Deno.test("maskFrames() takes any page and index for a pointer that the kernel hides", () => {
  const text = (sptep: string) =>
    `vcpu 0 gva c0001000 error_code P|W|U sptep ${sptep} old 0x10b201e65 new 10b201e67 fixed 1`;
  const mask = (sptep: string) => maskFrames("fast_page_fault", text(sptep), isPresent, true);
  assertEquals(mask("00000000abcdef12"), mask("(____ptrval____)"));
  assertEquals(mask("ffff880000003008"), mask("(____ptrval____)"));
  assertEquals(mask("00000000abcdef12")?.frames, [HIDDEN_FRAME, 0x10b201, 0x10b201]);
});

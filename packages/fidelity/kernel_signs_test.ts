import { assertEquals } from "@std/assert";
import { parseTraceText } from "@mmu-lab/tracing";
import { KernelSigns } from "./kernel_signs.ts";

function signs(...operations: string[][]): KernelSigns {
  const seen = new KernelSigns();
  for (const events of operations) {
    const lines = events.map((event) => `           <...>-211   [000] ...2   21886: ${event}\n`);
    seen.look([...parseTraceText(lines.join(""))]);
  }
  return seen;
}

const swap = (gen: string) => `swap_memslots: (install_new_memslots+0x0/0x40) as_id=0 gen_before=${gen}`;
const updated = (gen: string) => `memslots_updated: (kvm_arch_memslots_updated+0x0/0x10) gen=${gen}`;
const FLUSH = "flush_shadow_memslot: (kvm_arch_flush_shadow_memslot+0x0/0x10) gen=3";
const COMMIT = "commit_memory_region: (kvm_arch_commit_memory_region+0x0/0x50) gen=3 change=1";
const ZAP = "kvm_mmu_invalidate_zap_all_pages: kvm-mmu-valid-gen 0 used_pages 6";

Deno.test("KernelSigns tells a wrap's zap from a flush's, and where it is", () => {
  assertEquals(signs([swap("3"), FLUSH, ZAP, swap("4"), COMMIT]).wrapZap, undefined);
  assertEquals(signs([swap("3"), FLUSH, ZAP, swap("4"), COMMIT, ZAP]).wrapZap, "at-commit");
  assertEquals(signs([swap("3"), ZAP, FLUSH, ZAP, swap("4"), COMMIT]).wrapZap, "at-install");
  assertEquals(signs([ZAP]).wrapZap, undefined); // the VM goes
});

Deno.test("KernelSigns finds what a swap adds, and a wrap that nobody noticed", () => {
  assertEquals(signs([swap("3")], [swap("4")]).step, 1);
  const [low, high] = ["0xffffffffffffff6a", "0xffffffffffffff6e"];
  assertEquals(signs([swap(low), updated("0xffffffffffffff6c"), COMMIT]).step, 2);
  const { step, startedBelowZero, prefixed } = signs([swap(low), updated(high), COMMIT]);
  assertEquals([step, startedBelowZero, prefixed], [4, true, true]);
  const round = [swap("0xfffffffffffffffe"), updated("0x2")];
  assertEquals(signs([...round, COMMIT]).wrapUnnoticed, true);
  assertEquals(signs([...round, ZAP, COMMIT]).wrapUnnoticed, false);
});

Deno.test("KernelSigns sees whether gfn bits are split, and fetches told", () => {
  const stored = (spte: string) => [
    "mark_mmio_spte: sptep:ffff880133b41000 gfn e0000 access 6 gen fff6e",
    `mmu_spte_set: (mmu_spte_set+0x0/0x40) sptep=0xffff880133b41000 spte=${spte}`,
  ];
  assertEquals(signs(stored("0x7ff800f8e0000dbf")).splitFrom, 35);
  assertEquals(signs(stored("0x7ff00f80e0000dbe")).splitFrom, 39);
  assertEquals(signs(stored("0x7ff80000e0000dbf")).splitFrom, 0);
  assertEquals(signs(stored("ffffff00e0000b57")).splitFrom, 0); // 3.11: its mark has bits 51:40
  const exit = "kvm_exit: reason EPT_VIOLATION rip 0x1000 info 184 0";
  const fault = (code: string) => `mmu_page_fault: (kvm_mmu_page_fault+0x0/0x10) addr=1000 error_code=${code}`;
  assertEquals(signs([exit, fault("10")]).tellsFetches, true);
  assertEquals(signs([exit, fault("0")]).tellsFetches, false);
  assertEquals(signs([fault("0")]).tellsFetches, undefined);
});

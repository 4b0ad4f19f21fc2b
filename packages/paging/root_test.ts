import { Work } from "@mmu-lab/protocol";
import { assert, assertEquals } from "@std/assert";
import { auditBooks } from "./books.ts";
import { NO_PAGE } from "./pages/page_pool.ts";
import { PAGE_RULES_3_11, PAGE_RULES_4_10 } from "./pages/page_rules.ts";
import { freeRoot, needsRoot, prepareEntry } from "./root.ts";
import { TinyMmu } from "./testdata/tiny_mmu.ts";
import { zapAllPages } from "./pages/zap.ts";

Deno.test("prepareEntry() takes a root, shared by all vCPUs, and flushes the TLB for it", () => {
  const tiny = new TinyMmu();
  const second = tiny.addVcpu();
  assertEquals(second.root, tiny.vcpu.root);
  assertEquals(tiny.mmu.pool.rootCount[second.root], 2);
  assertEquals(tiny.mmu.counters.counts[Work.tlbFlushes], 2);
  assert(!second.flushRequested && !needsRoot(tiny.mmu, second));
});

Deno.test("prepareEntry() flushes on request, and otherwise does nothing", () => {
  const tiny = new TinyMmu();
  const { counts } = tiny.mmu.counters;
  tiny.vcpu.tlb.fill(1, 2, true);
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.vcpu.tlb.lookup(1, true), 2);
  const locks = counts[Work.lockAcquisitions];
  tiny.mmu.flushRemoteTlbs();
  assert(tiny.vcpu.flushRequested);
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.vcpu.tlb.lookup(1, true), -1);
  assertEquals(counts[Work.lockAcquisitions], locks);
});

Deno.test("prepareEntry() counts the flushes that 4.10 counts: done, and asked for; 3.11 those that a vCPU asks of itself", () => {
  for (const [pageRules, counted] of [[PAGE_RULES_3_11, 1], [PAGE_RULES_4_10, 2]] as const) {
    const tiny = new TinyMmu({ pageRules });
    assertEquals(tiny.mmu.stats.tlb_flush, 0, "that for the root does not count");
    tiny.mmu.flushRemoteTlbs();
    tiny.mmu.flushRemoteTlbs();
    tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
    tiny.mmu.flushLocalTlb(tiny.vcpu);
    tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
    assertEquals(tiny.mmu.stats.tlb_flush, counted);
  }
});

Deno.test("prepareEntry() drops a zapped root on request; the last vCPU to do so frees it", () => {
  const tiny = new TinyMmu();
  const second = tiny.addVcpu();
  const { root } = tiny.vcpu;
  tiny.run(zapAllPages(tiny.mmu));
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  assert(tiny.vcpu.root !== root && tiny.mmu.pool.isLive(root));
  assertEquals(auditBooks(tiny.mmu), []);
  tiny.run(prepareEntry(tiny.mmu, second));
  assert(!tiny.mmu.pool.isLive(root));
  assertEquals(second.root, tiny.vcpu.root);
  assertEquals(auditBooks(tiny.mmu), []);
});

Deno.test("freeRoot() gives a root back that stays for others, and does nothing without one", () => {
  const tiny = new TinyMmu();
  const { root } = tiny.vcpu;
  tiny.run(freeRoot(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.vcpu.root, NO_PAGE);
  assert(tiny.mmu.pool.isLive(root));
  tiny.run(freeRoot(tiny.mmu, tiny.vcpu));
  tiny.run(prepareEntry(tiny.mmu, tiny.vcpu));
  assertEquals(tiny.vcpu.root, root);
});

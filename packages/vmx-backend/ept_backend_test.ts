import { Access, entryIndex, walkShadow } from "@mmu-lab/paging";
import { run, Work } from "@mmu-lab/protocol";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UnknownExitError } from "./exit_handlers.ts";
import { EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION } from "./exit_reasons.ts";
import { addSlot, type EptMmu, eptMmu, HASWELL, HVA } from "./testdata/ept_mmu.ts";

const GVA = 0x3000;
const FRAME = HVA / 4096 + 3;

function translate({ mmu, vcpu, backend }: EptMmu, access: number, gva = GVA): number {
  return backend.translate(mmu, vcpu, gva, access);
}

/** Handles the last exit. */
function handle({ execution, mmu, vcpu, backend }: EptMmu): number {
  return run(execution, backend.handleExit(mmu, vcpu));
}

/** The entry that translates a gva, as it is. */
function leaf({ mmu, vcpu }: EptMmu, gva = GVA): number {
  walkShadow(mmu, vcpu, gva / 4096);
  return vcpu.walk.lo;
}

Deno.test("eptBackend() exits with a violation where nothing is mapped, and maps the page", () => {
  const ept = eptMmu();
  addSlot(ept, {});
  assertEquals(translate(ept, Access.READ), -1);
  assertEquals(ept.vcpu.exit, { reason: EXIT_REASON_EPT_VIOLATION, info1: 0x181, info2: 0, gpa: GVA });
  assertEquals(handle(ept), 1);
  assertEquals(ept.emulations, []);
  assertEquals(translate(ept, Access.READ), FRAME);
});

Deno.test("eptBackend() sets accessed and dirty bits as the processor does, where it keeps them", () => {
  const ept = eptMmu();
  addSlot(ept, {});
  translate(ept, Access.READ, GVA + 0x1000);
  handle(ept);
  // The neighbour was prefetched: neither accessed nor dirty.
  assertEquals(leaf(ept) & 0x300, 0);
  translate(ept, Access.READ);
  assertEquals(leaf(ept) & 0x300, 0x100);
  translate(ept, Access.WRITE);
  assertEquals(leaf(ept) & 0x300, 0x300);

  const without = eptMmu({ ...HASWELL, accessedDirty: false });
  addSlot(without, {});
  translate(without, Access.WRITE);
  handle(without);
  translate(without, Access.WRITE);
  assertEquals(leaf(without) & 0x300, 0);
});

Deno.test("eptBackend() lets a read fill the TLB for writes only if the dirty bit need not be set", () => {
  const ept = eptMmu();
  addSlot(ept, {});
  translate(ept, Access.READ);
  handle(ept);
  translate(ept, Access.READ);
  assertEquals(ept.vcpu.tlb.lookup(GVA / 4096, false), FRAME);
  assertEquals(ept.vcpu.tlb.lookup(GVA / 4096, true), -1);
  translate(ept, Access.WRITE);
  assertEquals(ept.vcpu.tlb.lookup(GVA / 4096, true), FRAME);
});

Deno.test("eptBackend() exits with a violation on a write to a read-only page, and KVM emulates it", () => {
  const ept = eptMmu();
  addSlot(ept, { flags: 2 });
  translate(ept, Access.READ);
  handle(ept);
  assertEquals(translate(ept, Access.READ), FRAME);
  assertEquals(translate(ept, Access.WRITE), -1);
  // Readable and executable: bits 5:3 are 101b.
  assertEquals(ept.vcpu.exit, { reason: EXIT_REASON_EPT_VIOLATION, info1: 0x1aa, info2: 0, gpa: GVA });
  ept.emulatorReturns = "do-mmio";
  assertEquals(handle(ept), 0);
  assertEquals(ept.emulations, [{ address: GVA, retry: true }]);
  assertEquals(ept.mmu.stats.mmio_exits, 1);
});

Deno.test("eptBackend() exits with a misconfiguration on an MMIO spte, and nothing caches it", () => {
  const ept = eptMmu();
  translate(ept, Access.READ);
  assertEquals(handle(ept), 1);
  assertEquals(leaf(ept) & 7, 6);
  for (const access of [Access.READ, Access.WRITE]) {
    assertEquals(translate(ept, access), -1);
    assertEquals(ept.vcpu.exit, { reason: EXIT_REASON_EPT_MISCONFIG, info1: 0, info2: 0, gpa: GVA });
  }
  assertEquals(ept.vcpu.tlb.lookup(GVA / 4096, false), -1);
});

Deno.test("handleEptMisconfig() emulates a current MMIO spte without counting mmio_exits", () => {
  const ept = eptMmu();
  translate(ept, Access.READ);
  handle(ept);
  ept.emulations.length = 0;
  translate(ept, Access.WRITE);
  ept.emulatorReturns = "do-mmio";
  assertEquals(handle(ept), 0);
  assertEquals(ept.emulations, [{ address: GVA, retry: false }]);
  assertEquals(ept.mmu.stats.mmio_exits, 0);
});

Deno.test("handleEptMisconfig() sends a stale MMIO spte the long way as a plain read", () => {
  const ept = eptMmu();
  translate(ept, Access.READ);
  handle(ept);
  addSlot(ept, { flags: 2 });
  ept.emulations.length = 0;
  translate(ept, Access.WRITE);
  assertEquals(handle(ept), 1);
  // A write to a read-only slot would have been emulated, and have left no spte.
  assertEquals(ept.emulations, []);
  assertEquals(leaf(ept) & 7, 5);
  assertEquals(ept.mmu.counters.counts[Work.mmioRefaults], 1);
});

Deno.test("handleEptMisconfig() lets the guest try again when the entry has gone", () => {
  const ept = eptMmu();
  translate(ept, Access.READ);
  handle(ept);
  addSlot(ept, { gpa: 0x100000 });
  translate(ept, Access.READ);
  const { page, index } = walkTo(ept);
  ept.mmu.setSpte(page, index, 0, 0);
  ept.emulations.length = 0;
  assertEquals(handle(ept), 1);
  assertEquals(ept.emulations, []);
});

Deno.test("handleEptMisconfig() gives up on an entry that is neither MMIO nor gone (B23)", () => {
  const ept = eptMmu();
  translate(ept, Access.READ);
  handle(ept);
  addSlot(ept, {});
  // This vCPU exits on the stale entry; another maps the page before the handler has looked.
  translate(ept, Access.READ);
  const { page, index } = walkTo(ept);
  ept.mmu.setSpte(page, index, 0x1000077, 0);
  const error = assertThrows(() => handle(ept), UnknownExitError, "Cannot handle exit 49 at gpa 0x3000");
  assertEquals([error.reason, error.gpa], [EXIT_REASON_EPT_MISCONFIG, GVA]);
});

Deno.test("handleEptViolation() gives up on a qualification that makes no sense", () => {
  const ept = eptMmu();
  Object.assign(ept.vcpu.exit, { reason: EXIT_REASON_EPT_VIOLATION, info1: 0x101, info2: 0, gpa: GVA });
  assertThrows(() => handle(ept), UnknownExitError, "KVM_EXIT_UNKNOWN");
});

Deno.test("eptBackend() walks the guest's own tables first, as writes where it keeps accessed and dirty bits", () => {
  const exits = [true, false].map((accessedDirty) => {
    const ept = eptMmu({ ...HASWELL, accessedDirty });
    addSlot(ept, {});
    const vcpu = ept.mmu.addVcpu({ levels: 2, entryGpa: (_gva, step) => 0x5000 + step * 8, translate: (gva) => gva });
    vcpu.root = ept.vcpu.root;
    assertEquals(ept.backend.translate(ept.mmu, vcpu, GVA, Access.READ), -1);
    return vcpu.exit;
  });
  assertEquals(exits, [
    { reason: EXIT_REASON_EPT_VIOLATION, info1: 0x082, info2: 0, gpa: 0x5000 },
    { reason: EXIT_REASON_EPT_VIOLATION, info1: 0x081, info2: 0, gpa: 0x5000 },
  ]);
});

Deno.test("eptBackend() counts every entry that a walk reads", () => {
  const ept = eptMmu();
  addSlot(ept, {});
  translate(ept, Access.READ);
  handle(ept);
  const { counts } = ept.mmu.counters;
  const before = counts[Work.walkReferences];
  assert(translate(ept, Access.READ) >= 0);
  assertEquals(counts[Work.walkReferences] - before, 4);
});

function walkTo(ept: EptMmu): { page: number; index: number } {
  walkShadow(ept.mmu, ept.vcpu, GVA / 4096);
  assertEquals(ept.vcpu.walk.index, entryIndex(GVA / 4096, 1));
  return ept.vcpu.walk;
}

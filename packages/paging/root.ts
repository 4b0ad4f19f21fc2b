import { type Protocol, Work } from "@mmu-lab/protocol";
import { getPage, makePagesAvailable } from "./get_page.ts";
import type { Mmu } from "./mmu.ts";
import { NO_PAGE } from "./page_pool.ts";
import { directRole, isInvalid } from "./role.ts";
import type { VcpuMmu } from "./vcpu_mmu.ts";
import { commitZap, prepareZap } from "./zap.ts";
import { READS_REQUESTS, WRITES_TABLES } from "./touches.ts";

/**
 * What a vCPU does before it runs the guest: it serves the requests of others, drops a root that it was asked to reload,
 * takes one if it has none, and flushes its TLB if it must (`vcpu_enter_guest` up to the entry, 3.11 x86.c).
 */
export function* prepareEntry(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  mmu.execution.touched |= READS_REQUESTS;
  if (vcpu.reloadRequested) {
    vcpu.reloadRequested = false;
    yield* freeRoot(mmu, vcpu);
  }
  if (vcpu.root === NO_PAGE) {
    yield mmu.lock.acquire;
    makePagesAvailable(mmu);
    vcpu.root = getPage(mmu, 0, directRole(mmu.rootLevel));
    mmu.pool.rootCount[vcpu.root]++;
    yield mmu.lock.release;
    vcpu.flushRequested = true;
  }
  mmu.execution.touched |= READS_REQUESTS;
  if (vcpu.flushRequested) {
    vcpu.flushRequested = false;
    mmu.counters.counts[Work.tlbFlushes]++;
    vcpu.tlb.flush();
  }
}

/**
 * Gives a vCPU's root back; if it was zapped meanwhile and nobody else uses it, it is freed (`mmu_free_roots`, 3.11).
 */
export function* freeRoot(mmu: Mmu, vcpu: VcpuMmu): Protocol<void> {
  if (vcpu.root === NO_PAGE) return;
  yield mmu.lock.acquire;
  const root = vcpu.root;
  vcpu.root = NO_PAGE;
  mmu.execution.touched |= WRITES_TABLES;
  if (--mmu.pool.rootCount[root] === 0 && isInvalid(mmu.pool.role[root])) {
    prepareZap(mmu, root);
    commitZap(mmu);
  }
  yield mmu.lock.release;
}

/** Whether somebody asked the vCPU to do something before the guest runs on. */
export function hasRequests(vcpu: VcpuMmu): boolean {
  return vcpu.reloadRequested || vcpu.flushRequested;
}

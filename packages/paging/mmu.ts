import type { InvalidationStrategy } from "@mmu-lab/invalidation";
import { type Gfn, hashSlot, type Memslot, type Memslots } from "@mmu-lab/memslots";
import { type Execution, Lock, Work, type WorkCounters } from "@mmu-lab/protocol";
import type { MmioLayout } from "@mmu-lab/spte-encoding";
import type { TraceSink } from "@mmu-lab/tracing";
import type { GuestPaging } from "./backend.ts";
import type { Emulator } from "./emulator.ts";
import type { FaultRules } from "./fault/fault_rules.ts";
import type { HostPages } from "./host_pages.ts";
import { KvmStats } from "./kvm_stats.ts";
import type { MmioCacheRule } from "./mmio/mmio_cache.ts";
import { PAGE_RULES_3_11, type PageRules } from "./pages/page_rules.ts";
import { ShadowPagePool } from "./pages/page_pool.ts";
import type { PageId } from "./pages/page_pool.ts";
import { isInvalid } from "./pages/role.ts";
import { ShadowBooks } from "./shadow/shadow_books.ts";
import type { ShadowContext } from "./shadow/shadow_context.ts";
import { SHADOW_RULES_3_11, type ShadowRules } from "./shadow/shadow_rules.ts";
import { SPTE_PRESENT, type SpteBits } from "./pages/spte_bits.ts";
import { TdpMmu, type TdpMmuRules } from "./tdp-mmu/tdp_mmu.ts";
import { VcpuMmu } from "./vcpu_mmu.ts";
import { READS_GENERATION, READS_MEMSLOTS, WRITES_REQUESTS, WRITES_ROOTS, WRITES_TABLES } from "./touches.ts";

/** What the MMU of a VM is put together from. */
export interface MmuParts {
  /** The world it runs in. */
  readonly execution: Execution;
  /** Memslots by address space. */
  readonly memslots: readonly Memslots[];
  /** How MMIO sptes look. */
  readonly layout: MmioLayout;
  /** How other sptes look. */
  readonly bits: SpteBits;
  /** How MMIO sptes are forgotten. */
  readonly strategy: InvalidationStrategy;
  /** The per-vCPU cache of this kernel. */
  readonly cacheRule: MmioCacheRule;
  /** What this kernel does in the fault path. */
  readonly faultRules: FaultRules;
  /** What it does with shadow pages; as 3.11 unless told. */
  readonly pageRules?: PageRules;
  /** How this kernel shadows guest tables; as 3.11 unless told. */
  readonly shadowRules?: ShadowRules;
  /** Levels of the shadow tables: 4 or 5. */
  readonly rootLevel: 4 | 5;
  /** The largest page that the processor maps: level 1, 2 or 3. */
  readonly maxPageLevel: 1 | 2 | 3;
  /** Host memory. */
  readonly host: HostPages;
  /** Where tracepoints go. */
  readonly trace: TraceSink;
  /** The rules of the TDP MMU, where it does the mapping; shadow pages do unless told. */
  readonly tdpMmu?: TdpMmuRules;
}

/** Shadow pages a VM may always have, however small (`KVM_MIN_ALLOC_MMU_PAGES`). */
export const MIN_MMU_PAGES = 64;

/**
 * The MMU of one VM: shadow pages, `mmu_lock`, and what the functions of this package work on. It holds state and the
 * few acts that all of them need; the fault path, zapping and dirty logging each have a file of their own.
 */
export class Mmu {
  /** The world it runs in. */
  readonly execution: Execution;
  /** Work done. */
  readonly counters: WorkCounters;
  /** `mmu_lock`. */
  readonly lock: Lock;
  /** Memslots by address space. */
  readonly memslots: readonly Memslots[];
  /** How MMIO sptes look. */
  readonly layout: MmioLayout;
  /** How other sptes look. */
  readonly bits: SpteBits;
  /** How MMIO sptes are forgotten. */
  readonly strategy: InvalidationStrategy;
  /** What this kernel does in the fault path. */
  readonly faultRules: FaultRules;
  /** What it does with shadow pages. */
  readonly pageRules: PageRules;
  /** How this kernel shadows guest tables. */
  readonly shadowRules: ShadowRules;
  /** Levels of the shadow tables. */
  readonly rootLevel: 4 | 5;
  /** The largest page that the processor maps. */
  readonly maxPageLevel: 1 | 2 | 3;
  /** Host memory. */
  readonly host: HostPages;
  /** Where tracepoints go. */
  readonly trace: TraceSink;
  /** The TDP MMU, where it does the mapping. */
  readonly tdp: TdpMmu | undefined;
  /** The shadow pages. */
  readonly pool: ShadowPagePool;
  /** What is kept beside the pages to shadow guest tables. */
  readonly shadow: ShadowBooks = new ShadowBooks();
  /** KVM's own statistics. */
  readonly stats: KvmStats = new KvmStats();
  /** The vCPUs, by number. */
  readonly vcpus: VcpuMmu[] = [];
  /** `mmu_valid_gen`: pages made under another number are obsolete. */
  validGen = 0;
  /** `n_max_mmu_pages`. */
  maxPages: number = MIN_MMU_PAGES;
  /** Pages zapped and not yet freed, as they wait for the flush (`invalid_list`). */
  readonly zapped: PageId[] = [];
  /** Shadow pages that hold at least one MMIO spte. */
  pagesWithMmio = 0;
  /**
   * What the kernel would have warned of (`WARN_ON`), as sentences. Empty unless something went wrong that the kernel
   * notices and survives.
   */
  readonly warnings: string[] = [];
  /** Where the next sweep goes on. */
  sweepCursor: PageId = 0;

  readonly #cacheRule: MmioCacheRule;
  #emulator: Emulator | undefined;

  /**
   * Makes the MMU of a VM that has no vCPU and no shadow page.
   *
   * @param parts What it is put together from.
   * @throws {RangeError} If the strategy stamps numbers that the layout cannot store.
   */
  constructor(parts: MmuParts) {
    const { strategy, layout } = parts;
    if (strategy.maxGeneration > layout.generationMask) {
      throw new RangeError(
        `Cannot use strategy '${strategy.name}' with layout ${layout.name}: it stamps up to 0x${
          strategy.maxGeneration.toString(16)
        }, the layout stores up to 0x${layout.generationMask.toString(16)}`,
      );
    }
    this.execution = parts.execution;
    this.counters = parts.execution.counters;
    this.lock = new Lock("mmu_lock", parts.execution);
    this.memslots = parts.memslots;
    this.layout = layout;
    this.pool = new ShadowPagePool(layout.entryFormat.emptyHi);
    this.bits = parts.bits;
    this.strategy = strategy;
    this.faultRules = parts.faultRules;
    this.pageRules = parts.pageRules ?? PAGE_RULES_3_11;
    this.shadowRules = parts.shadowRules ?? SHADOW_RULES_3_11;
    this.rootLevel = parts.rootLevel;
    this.maxPageLevel = parts.maxPageLevel;
    this.host = parts.host;
    this.trace = parts.trace;
    this.tdp = parts.tdpMmu === undefined ? undefined : new TdpMmu(parts.tdpMmu);
    this.#cacheRule = parts.cacheRule;
  }

  /** Adds a vCPU that has not run yet. */
  addVcpu(guestPaging: GuestPaging, shadow?: ShadowContext): VcpuMmu {
    const vcpu = new VcpuMmu(this.vcpus.length, this.#cacheRule, guestPaging, shadow);
    this.vcpus.push(vcpu);
    return vcpu;
  }

  /** The emulator that the fault path calls. */
  get emulator(): Emulator {
    if (this.#emulator === undefined) throw new Error("Cannot emulate: the MMU has no emulator");
    return this.#emulator;
  }

  /** Gives the MMU its emulator, once, when the machine is put together. */
  set emulator(emulator: Emulator) {
    this.#emulator = emulator;
  }

  /** The memslots that a vCPU uses; says that their generation is read. */
  slotsOf(vcpu: VcpuMmu): Memslots {
    this.execution.touched |= READS_GENERATION;
    return this.memslots[vcpu.asId];
  }

  /** The memslots whose generation a vCPU's MMIO cache looks at. */
  cacheSlotsOf(vcpu: VcpuMmu): Memslots {
    this.execution.touched |= READS_GENERATION;
    return this.memslots[this.#cacheRule.addressSpace === "first" ? 0 : vcpu.asId];
  }

  /** The slot of a gfn as a vCPU sees it now, invalid or not. */
  slotOf(vcpu: VcpuMmu, gfn: Gfn): Memslot | undefined {
    this.counters.counts[Work.slotLookups]++;
    this.execution.touched |= READS_MEMSLOTS;
    return this.memslots[vcpu.asId].active.find(gfn);
  }

  /**
   * The slot that a fault goes by, of what it has found, and keeps in a local variable beyond its next step: one that is on its
   * way out is none.
   */
  keepSlot(found: Memslot | undefined): Memslot | undefined {
    const { execution } = this;
    const slot = found?.invalid ? undefined : found;
    if (execution.keepsObservations) hashSlot(slot, (value) => execution.observe(value));
    return slot;
  }

  /** Whether an entry maps a page or links a table (`is_shadow_present_pte`): present, and not MMIO. */
  isPresent(lo: number, hi: number): boolean {
    return (lo & SPTE_PRESENT) !== 0 && !this.layout.isMmio(lo, hi);
  }

  /** The page that a table entry links: shadow pages have their ids as frame numbers (modelling choice). */
  childOf(lo: number, hi: number): PageId {
    // An id fits 31 bits, so this is its frame number without the float that pfnOfLanes needs for 40.
    return (hi << 20) | (lo >>> 12);
  }

  /** The last gfn that the processor can map (`kvm_mmu_max_gfn`, 6.1). */
  get maxGfn(): Gfn {
    return 2 ** (this.layout.maxPhyAddr - 12) - 1;
  }

  /** Writes an entry and keeps the page's MMIO count. Under `mmu_lock`. */
  setSpte(page: PageId, index: number, lo: number, hi: number): void {
    const { pool, layout } = this;
    this.execution.touched |= WRITES_TABLES;
    const was = layout.isMmio(pool.lo(page, index), pool.hi(page, index));
    const is = layout.isMmio(lo, hi);
    pool.set(page, index, lo, hi);
    if (was === is) return;
    if (is) {
      pool.setMmioCached(page);
      if (pool.mmioCount[page]++ === 0) this.pagesWithMmio++;
    } else if (--pool.mmioCount[page] === 0) this.pagesWithMmio--;
  }

  /** Empties an entry. Under `mmu_lock`. */
  clearSpte(page: PageId, index: number): void {
    this.setSpte(page, index, 0, this.pool.emptyHi);
  }

  /** Asks every vCPU to flush its TLB before it runs on (`kvm_flush_remote_tlbs`). */
  flushRemoteTlbs(): void {
    this.counters.counts[Work.remoteTlbFlushes]++;
    this.shadow.tlbsDirty = false;
    this.execution.touched |= WRITES_REQUESTS;
    for (const vcpu of this.vcpus) {
      vcpu.flushRequested = true;
      vcpu.flushIsCounted = true;
    }
  }

  /** Lets a vCPU flush its own TLB before it runs on (`kvm_mmu_flush_tlb`). */
  flushLocalTlb(vcpu: VcpuMmu): void {
    if (this.pageRules.countedFlushes === "asked") this.stats.tlb_flush++;
    vcpu.flushRequested = true;
    vcpu.flushIsCounted = true;
  }

  /** Asks every vCPU to take a new root before it runs on (`kvm_reload_remote_mmus`). */
  reloadRemoteMmus(): void {
    this.execution.touched |= WRITES_REQUESTS;
    for (const vcpu of this.vcpus) vcpu.reloadRequested = true;
  }

  /** Makes all pages obsolete that there are now. */
  renewValidGen(): void {
    this.execution.touched |= WRITES_ROOTS;
    this.validGen = this.pageRules.validGeneration === "counted" ? this.validGen + 1 : 1 - this.validGen;
  }

  /** Whether a page was made before everything was zapped, or was zapped itself (`is_obsolete_sp`). */
  isObsolete(page: PageId): boolean {
    return this.pool.validGen[page] !== this.validGen || isInvalid(this.pool.role[page]);
  }
}

/** The number of shadow pages a VM with so much memory may have (`kvm_mmu_calculate_mmu_pages`, 3.11): 2 percent. */
export function defaultMaxPages(memorySlots: Iterable<Memslot>): number {
  let pages = 0;
  for (const slot of memorySlots) pages += slot.npages;
  return Math.max(MIN_MMU_PAGES, Math.floor((pages * 20) / 1000));
}

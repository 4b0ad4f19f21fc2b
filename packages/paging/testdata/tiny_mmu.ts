/**
 * An MMU of 3.11 without a processor and a machine around it, with sptes as EPT has them unless told.
 *
 * @module
 */
import { generation, type InvalidationStrategy } from "@mmu-lab/invalidation";
import { classifyChange, ERAS, type Gfn, type MemoryRegion, Memslots } from "@mmu-lab/memslots";
import { Execution, type Protocol, run } from "@mmu-lab/protocol";
import { type MmioLayout, mmioLayout } from "@mmu-lab/spte-encoding";
import { NULL_SINK, type TraceSink } from "@mmu-lab/tracing";
import type { EmulationResult } from "../emulator.ts";
import type { MmioCacheRule } from "../mmio/mmio_cache.ts";
import { FAULT_RULES_3_11, type FaultRules } from "../fault/fault_rules.ts";
import type { PagingState } from "../guest/guest_role.ts";
import type { GuestTables } from "../guest/guest_tables.ts";
import { WALK_RULES_3_11 } from "../guest/walk_rules.ts";
import { Mmu } from "../mmu.ts";
import type { PageRules } from "../pages/page_rules.ts";
import { prepareEntry } from "../root.ts";
import { ShadowContext } from "../shadow/shadow_context.ts";
import type { ShadowRules } from "../shadow/shadow_rules.ts";
import { walkShadow } from "../pages/shadow_walk.ts";
import { SOFTWARE_BITS_3_11, type SpteBits } from "../pages/spte_bits.ts";
import { tdpPageFault } from "../fault/tdp_page_fault.ts";
import type { TdpMmuRules } from "../tdp-mmu/tdp_mmu.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

const NO_MEMORY = new Int32Array(1024);

/** Where the memory of slots lies in the host, on a boundary of 1 GiB; its frame number is this divided by 4096. */
export const HVA = 0x40000000;
/** First host frame of the memory of slots. */
export const FRAME = HVA / 4096;

/** Bits of an EPT spte with accessed and dirty bits. */
export const BITS: SpteBits = {
  name: "EPT",
  executable: 4,
  noExecuteHi: 0,
  user: 0,
  accessed: 0x100,
  dirty: 0x200,
  dirtyIfWritable: 0,
  memoryType: 0x70,
  table: 0x107,
  software: SOFTWARE_BITS_3_11,
};

/** What a test may want otherwise. */
export interface TinyOptions {
  /** `false`: no accessed and dirty bits, so no prefetch. */
  readonly accessedDirty?: boolean;
  /** Sptes of another format, MMIO sptes included. */
  readonly format?: { readonly bits: SpteBits; readonly layout: MmioLayout };
  /** That of 3.11 unless told. */
  readonly cacheRule?: MmioCacheRule;
  /** Level of hugetlbfs pages; 1 unless told. */
  readonly hugetlb?: 1 | 2 | 3;
  /** Whether the host has transparent huge pages everywhere. */
  readonly transparentHuge?: boolean;
  /** The largest page of the processor; 3 unless told. */
  readonly maxPageLevel?: 1 | 2 | 3;
  /** That of 3.11 unless told. */
  readonly strategy?: InvalidationStrategy;
  /** That of 3.11 unless told. */
  readonly faultRules?: FaultRules;
  /** Those of 3.11 unless told. */
  readonly pageRules?: PageRules;
  /** Those of 3.11 unless told. */
  readonly shadowRules?: ShadowRules;
  /** Guest tables that are shadowed, and how they are read; then slot 0 holds the first 256 pages. */
  readonly guest?: { readonly tables: GuestTables; readonly paging: PagingState };
  /** The TDP MMU's rules, if it does the mapping. */
  readonly tdpMmu?: TdpMmuRules;
  /** Where tracepoints go; nowhere unless told. */
  readonly trace?: TraceSink;
}

/** An MMU with one vCPU that has entered the guest once, and an emulator that keeps count. */
export class TinyMmu {
  readonly execution: Execution = new Execution();
  readonly mmu: Mmu;
  readonly vcpu: VcpuMmu;
  /** Addresses that the emulator was called for. */
  readonly emulated: number[] = [];
  /** What the emulator was told about a retry, at its last call. */
  lastRetry: boolean | undefined;
  /** What the emulator returns. */
  emulatorReturns: EmulationResult = "done";
  readonly #guest: TinyOptions["guest"];

  constructor(options: TinyOptions = {}) {
    const accessedDirty = options.accessedDirty ?? true;
    this.mmu = new Mmu({
      execution: this.execution,
      memslots: [new Memslots(0, ERAS.G1.memslots)],
      layout: options.format?.layout ?? mmioLayout("linux_3_11_ept"),
      bits: options.format?.bits ?? (accessedDirty ? BITS : { ...BITS, accessed: 0, dirty: 0, table: 7 }),
      strategy: options.strategy ?? generation(),
      cacheRule: options.cacheRule ?? { generation: "none", skipWhileInFlux: false },
      faultRules: options.faultRules ?? FAULT_RULES_3_11,
      rootLevel: 4,
      maxPageLevel: options.maxPageLevel ?? 3,
      host: {
        pfn: (hva) => Math.floor(hva / 4096),
        mappingLevel: () => options.hugetlb ?? 1,
        isTransparentHuge: () => options.transparentHuge ?? false,
        words: () => NO_MEMORY,
      },
      trace: options.trace ?? NULL_SINK,
      ...(options.pageRules === undefined ? {} : { pageRules: options.pageRules }),
      ...(options.shadowRules === undefined ? {} : { shadowRules: options.shadowRules }),
      ...(options.tdpMmu === undefined ? {} : { tdpMmu: options.tdpMmu }),
    });
    this.mmu.emulator = {
      emulate: (_vcpu, address, retry) => this.#emulate(address, retry),
    };
    this.#guest = options.guest;
    if (options.guest !== undefined) this.slot({ size: 0x100000 });
    this.vcpu = this.addVcpu();
  }

  /** Adds a vCPU and lets it take a root. */
  addVcpu(): VcpuMmu {
    const vcpu = this.mmu.addVcpu({ levels: 0, entryGpa: () => 0, translate: (gva) => gva }, this.#newContext());
    run(this.execution, prepareEntry(this.mmu, vcpu), vcpu.index);
    return vcpu;
  }

  #newContext(): ShadowContext | undefined {
    if (this.#guest === undefined) return undefined;
    const { counters, trace, shadowRules, vcpus } = this.mmu;
    const context = new ShadowContext({
      ...this.#guest,
      rules: WALK_RULES_3_11,
      counters,
      trace,
      shadowRules,
      vcpu: vcpus.length,
    });
    context.walk.rootLo = 0x1000;
    return context;
  }

  /** Adds or changes a slot, with a new generation and nothing else of an update. 16 pages at gfn 0 unless told. */
  slot(region: Partial<MemoryRegion> = {}): void {
    const [memslots] = this.mmu.memslots;
    const whole = { id: 0, gpa: 0, size: 0x10000, flags: 0, userspaceAddr: HVA, ...region };
    const change = classifyChange(memslots.active, whole, { userSlots: 125, privateSlots: 3 });
    if (typeof change === "number" || change.new === undefined) throw new Error(`Cannot change slot: ${change}`);
    memslots.publish(memslots.active.with(change.new));
    memslots.complete();
  }

  /** Moves the generation and nothing else. */
  bump(): void {
    const [memslots] = this.mmu.memslots;
    memslots.publish(memslots.active);
    memslots.complete();
  }

  /** A page fault at a gfn; the result of the handler. */
  fault(gfn: Gfn, errorCode: number = 0, vcpu: VcpuMmu = this.vcpu): number {
    return run(this.execution, tdpPageFault(this.mmu, vcpu, gfn * 4096, errorCode), vcpu.index);
  }

  /** Drives a protocol. */
  run<T>(protocol: Protocol<T>): T {
    return run(this.execution, protocol, 0);
  }

  /** Does something under `mmu_lock`. */
  locked(act: () => void): void {
    this.execution.actor = 0;
    this.mmu.lock.acquire.take(0);
    act();
    this.mmu.lock.release.take(0);
  }

  /** The entry where a walk for a gfn ends: its level and both lanes. */
  entry(gfn: Gfn): { level: number; lo: number; hi: number; page: number; index: number } {
    walkShadow(this.mmu, this.vcpu, gfn);
    return { ...this.vcpu.walk };
  }

  /** What maps a gfn, in a word: the level and first frame of a mapping, `mmio`, or `none`. */
  mapped(gfn: Gfn): string {
    const { level, lo, hi } = this.entry(gfn);
    if (this.mmu.layout.isMmio(lo, hi)) return "mmio";
    if (!this.mmu.isPresent(lo, hi)) return "none";
    return `${level}:${(((hi & 0xfffff) * 2 ** 32 + (lo >>> 0)) / 4096 | 0) - FRAME}`;
  }

  // deno-lint-ignore require-yield
  *#emulate(address: number, retry: boolean): Protocol<EmulationResult> {
    this.emulated.push(address);
    this.lastRetry = retry;
    return this.emulatorReturns;
  }
}

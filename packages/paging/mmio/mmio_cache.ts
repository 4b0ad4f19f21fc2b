import type { Gfn, MemslotsView } from "@mmu-lab/memslots";
import type { StateHasher } from "@mmu-lab/protocol";

/** What a kernel's per-vCPU MMIO cache knows of the memslot generation (facts sheet 3.1). KVM policy. */
export interface MmioCacheRule {
  /**
   * `none`: the cache has no generation, and an entry stays until another page takes its place (to 3.16; bug B01).
   * `full`: it remembers the full memslot generation and matches only while that stands (since 56f17dd3fbc4, 3.17).
   */
  readonly generation: "none" | "full";
  /**
   * Whose generation the cache looks at: that of the vCPU's `own` address space (since b3e6212dea2e, 2026), or of the `first`,
   * also in system management mode (4.2 until then; bug B20). Own unless told.
   */
  readonly addressSpace?: "own" | "first";
  /** Nothing is remembered while the memslots are marked as in flux (since ddfd1730fd82, 5.1; bug B03 before). */
  readonly skipWhileInFlux: boolean;
  /**
   * What becomes of a guest-physical address of L2 that faults, while the cache holds those of L1. `compared`: as if it were
   * one (3.12 to 4.13 or so; bug B19). `never-compared`: it matches nothing (4.19; "KVM: x86: fix use of L1 MMIO areas in
   * nested guests"). That unless told.
   */
  readonly nestedGpa?: "compared" | "never-compared";
}

/**
 * The last MMIO page of one vCPU (`arch.mmio_gva`, `arch.mmio_gfn`, `arch.access`, `arch.mmio_gen`; 3.11 x86.h). Zero
 * means empty, so gfn 0 and the page at gva 0 are never remembered.
 */
export class MmioCache {
  /** Page-aligned guest-virtual address, or 0. Direct MMUs store 0. */
  gva = 0;
  /** gfn, or 0. Nothing ever clears it: it is only overwritten. */
  gfn: Gfn = 0;
  /** The access that the mapping allows: exec 1, write 2, user 4. */
  access = 0;
  /** The memslot generation when it was filled (`arch.mmio_gen`); without a generation in the cache nobody asks. */
  generation = 0;
  /** Whether the memslots were marked as in flux: part of the kernel's number, in bit 0 or bit 63. */
  #inFlux = false;
  readonly #rule: MmioCacheRule;

  /**
   * Makes an empty cache.
   *
   * @param rule What it knows of the generation.
   */
  constructor(rule: MmioCacheRule) {
    this.#rule = rule;
  }

  /** Remembers a page (`vcpu_cache_mmio_info`). The generation is read now, whatever the slots were looked up in. */
  fill(gva: number, gfn: Gfn, access: number, view: MemslotsView): void {
    if (this.#rule.skipWhileInFlux && view.updateInProgress) return;
    this.gva = Math.floor(gva / 4096) * 4096;
    this.gfn = gfn;
    this.access = access;
    this.generation = view.generation;
    this.#inFlux = view.updateInProgress;
  }

  /** Whether the address is the remembered page by gpa (`vcpu_match_mmio_gpa`). */
  matchesGpa(gpa: number, view: MemslotsView): boolean {
    return this.gfn !== 0 && this.gfn === Math.floor(gpa / 4096) && this.#isCurrent(view);
  }

  /** Whether an address of L2 that faulted counts as the remembered page (`mmio_info_in_cache`); see the rule. */
  matchesNestedGpa(nestedGpa: number, view: MemslotsView): boolean {
    return this.#rule.nestedGpa === "compared" && this.matchesGpa(nestedGpa, view);
  }

  /** Whether the address is the remembered page by gva (`vcpu_match_mmio_gva`). */
  matchesGva(gva: number, view: MemslotsView): boolean {
    return this.gva !== 0 && this.gva === Math.floor(gva / 4096) * 4096 && this.#isCurrent(view);
  }

  /**
   * Folds what is remembered into a hash, unless it matches never again.
   *
   * @param spaces The address spaces that the vCPU may ever be in, as they are.
   */
  hashInto(hasher: StateHasher, spaces: readonly MemslotsView[]): void {
    if (!this.#mayMatch(spaces)) hasher.add(-1);
    else hasher.add(this.gva).add(this.gfn).add(this.access).add(this.generation).add(this.#inFlux ? 1 : 0);
  }

  /** Generations only grow: what was remembered before the current one of each address space is dead. */
  #mayMatch(spaces: readonly MemslotsView[]): boolean {
    if (this.gva === 0 && this.gfn === 0) return false;
    if (this.#rule.generation === "none") return true;
    return spaces.some(({ generation, updateInProgress }) =>
      this.generation > generation || (this.generation === generation && this.#inFlux >= updateInProgress)
    );
  }

  #isCurrent(view: MemslotsView): boolean {
    if (this.#rule.generation === "none") return true;
    return this.generation === view.generation && this.#inFlux === view.updateInProgress;
  }
}

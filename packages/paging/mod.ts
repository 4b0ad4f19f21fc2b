/**
 * KVM's MMU: shadow pages, the direct (two-dimensional paging) MMU, the per-vCPU MMIO cache, the TLB, and the path that
 * a fault takes, MMIO or not. State is in {@linkcode Mmu} and {@linkcode VcpuMmu}; everything that can interleave is a
 * protocol in a file of its own.
 *
 * And the walker of guest page tables: {@linkcode walkAddr} walks what a {@linkcode WalkMmu} describes, and leaves all it
 * finds in a {@linkcode GuestWalker}.
 *
 * Runs in Deno, Node and browsers.
 *
 * @example
 * ```ts
 * import { ShadowPagePool } from "@mmu-lab/paging";
 * import { assertEquals } from "@std/assert";
 *
 * const pool = new ShadowPagePool();
 * const page = pool.allocate(0xe0000, 1, 0);
 * pool.set(page, 5, 0x00000b5e, 0x7ff00000);
 * assertEquals(pool.lo(page, 5), 0x00000b5e);
 * assertEquals(pool.lo(page, 6), 0);
 * ```
 *
 * @module
 */
export * from "./backend.ts";
export * from "./translate_nested.ts";
export * from "./mmu.ts";
export * from "./vcpu_mmu.ts";
export * from "./pages/page_pool.ts";
export * from "./pages/role.ts";
export * from "./pages/spte_bits.ts";
export * from "./kvm_stats.ts";
export * from "./host_pages.ts";
export * from "./emulator.ts";
export * from "./mmio/mmio_cache.ts";
export * from "./tlb.ts";
export * from "./audit_tlbs.ts";
export * from "./linear_address.ts";
export * from "./fault/pferr.ts";
export * from "./fault/fault_rules.ts";
export * from "./pages/page_rules.ts";
export * from "./fault/ret_pf.ts";
export * from "./steps.ts";
export * from "./touches.ts";
export * from "./pages/shadow_walk.ts";
export * from "./mmio/mmio_spte.ts";
export * from "./mmio/mmio_page_fault.ts";
export * from "./fault/tdp_page_fault.ts";
export * from "./fault/page_fault.ts";
export * from "./fault/do_page_fault.ts";
export * from "./fault/direct_page_fault.ts";
export * from "./fault/adjust_mapping.ts";
export * from "./fault/fast_direct_fault.ts";
export * from "./fault/fast_page_fault.ts";
export * from "./pages/make_spte.ts";
export * from "./pages/set_leaf.ts";
export * from "./pages/prefetch.ts";
export * from "./pages/max_mapping_level.ts";
export * from "./pages/map.ts";
export * from "./pages/get_page.ts";
export * from "./pages/reclaim.ts";
export * from "./pages/zap.ts";
export * from "./pages/shrink.ts";
export * from "./flush_if_asked.ts";
export * from "./root.ts";
export * from "./pages/each_mapping.ts";
export * from "./pages/write_protect.ts";
export * from "./pages/zap_collapsible.ts";
export * from "./pages/apply_slot_flags.ts";
export * from "./pages/unmap_gfn_range.ts";
export * from "./mmu_control.ts";
export * from "./hash_mmu.ts";
export * from "./books.ts";
export * from "./tdp-mmu/tdp_mmu.ts";
export * from "./tdp-mmu/steps.ts";
export * from "./tdp-mmu/removed_spte.ts";
export * from "./tdp-mmu/set_spte.ts";
export * from "./tdp-mmu/roots.ts";
export * from "./tdp-mmu/map.ts";
export * from "./tdp-mmu/dirty_log.ts";
export * from "./tdp-mmu/each_entry.ts";
export * from "./tdp-mmu/split_huge_page.ts";
export * from "./tdp-mmu/unmap_slot.ts";
export * from "./shadow/shadow_rules.ts";
export * from "./shadow/shadow_books.ts";
export * from "./shadow/shadow_context.ts";
export * from "./shadow/context_of.ts";
export * from "./shadow/rmap.ts";
export * from "./shadow/unsync.ts";
export * from "./shadow/gpte.ts";
export * from "./shadow/sync_page.ts";
export * from "./shadow/get_shadow_page.ts";
export * from "./shadow/prefetch_gptes.ts";
export * from "./shadow/fetch.ts";
export * from "./shadow/shadow_roots.ts";
export * from "./shadow/previous_roots.ts";
export * from "./shadow/shadow_page_fault.ts";
export * from "./shadow/indirect_page_fault.ts";
export * from "./shadow/guest_mapping.ts";
export * from "./shadow/write_tracking.ts";
export * from "./shadow/inject_page_fault.ts";
export * from "./shadow/pte_write.ts";
export * from "./shadow/unprotect_page.ts";
export * from "./shadow/invlpg.ts";
export * from "./shadow/control_registers.ts";
export * from "./shadow/translate_shadow.ts";
export * from "./shadow/shadow_bits.ts";
export * from "./shadow/audit_shadow.ts";
export * from "./nested/nested_rules.ts";
export * from "./nested/nested_state.ts";
export * from "./nested/switch_level.ts";
export * from "./guest/format.ts";
export * from "./guest/walk_rules.ts";
export * from "./guest/guest_role.ts";
export * from "./guest/reserved_bits.ts";
export * from "./guest/permissions.ts";
export * from "./guest/guest_tables.ts";
export * from "./guest/flat_tables.ts";
export * from "./guest/guest_walker.ts";
export * from "./guest/walk_mmu.ts";
export * from "./guest/walk_addr.ts";
export * from "./guest/accessed_dirty.ts";
export * from "./guest/load_pdptrs.ts";
export * from "./guest/gva_to_gpa.ts";
export * from "./guest/gpte_changed.ts";
export * from "./guest/nested_translation.ts";

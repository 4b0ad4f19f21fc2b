/**
 * Tracepoints of system `kvmmmu`. Formats: facts sheet, section 8.1 (arch/x86/kvm/mmutrace.h of 3.11, 4.19 and 6.1,
 * later arch/x86/kvm/mmu/mmutrace.h), and the `format` files of recorded 3.11, 4.10, 6.1 and 6.12 kernels.
 *
 * The comment above each event names its slots.
 */
import { defineEvent, type EventFormats, type TraceEvent } from "./event.ts";
import { address, bitRange, bits, type Field, flag, flags, int, num, sptep, u64, vcpu } from "./field.ts";
import { spRole } from "./sp_role.ts";
import { bitNames, choice, type Symbols } from "./symbols.ts";

/** Bits 0 to 4 of a page fault error code, as the events of system kvmmmu print them. */
export const PFERR_FLAGS: Symbols = bitNames(["P", "W", "U", "RSVD", "F"]);

function kvmmmu(name: string, fields: readonly Field[], formats: EventFormats): TraceEvent {
  return defineEvent("kvmmmu", name, fields, formats);
}

const SP_FIELDS = [num("gen"), num("gfn"), spRole("role"), num("root_count"), flag("unsync", "sync", "unsync")];
const SP_3_11 = "sp gen %lx{gen} gfn %llx{gfn} %u{level}%s{pae} q%u{quadrant}%s{direct} %s{access}%s{invalid} " +
  "%s{nxe}nxe root %u{root_count} %s{unsync}";
const SP_4_19 = "sp gen %lx{gen} gfn %llx{gfn} l%u{level}%s{pae} q%u{quadrant}%s{direct} %s{access}%s{invalid} " +
  "%s{nxe}nxe %s{ad_disabled}ad root %u{root_count} %s{unsync}";
const SP_6_1 = "sp gen %u{gen} gfn %llx{gfn} l%u{level} %s{four_byte_gpte}-byte q%u{quadrant}%s{direct} " +
  "%s{access}%s{invalid} %s{nxe}nxe %s{ad_disabled}ad root %u{root_count} %s{unsync}";
const SP_FORMATS: EventFormats = { "3.11": SP_3_11, "4.19": SP_4_19, "6.1": SP_6_1 };

/** gen, gfn, role (see packSpRole), root_count, unsync, created. A shadow page is looked up: found or made. */
export const KVM_MMU_GET_PAGE: TraceEvent = kvmmmu("kvm_mmu_get_page", [
  ...SP_FIELDS,
  flag("created", "existing", "new"),
], {
  "3.11": SP_3_11 + " %s{created}",
  "4.19": SP_4_19 + " %s{created}",
  "6.1": SP_6_1 + " %s{created}",
});

/** gen, gfn, role, root_count, unsync. An unsync page is brought up to date. */
export const KVM_MMU_SYNC_PAGE: TraceEvent = kvmmmu("kvm_mmu_sync_page", SP_FIELDS, SP_FORMATS);

/** gen, gfn, role, root_count, unsync. A guest table becomes writable; its shadow may be out of date. */
export const KVM_MMU_UNSYNC_PAGE: TraceEvent = kvmmmu("kvm_mmu_unsync_page", SP_FIELDS, SP_FORMATS);

/** gen, gfn, role, root_count, unsync. A shadow page is about to be zapped. */
export const KVM_MMU_PREPARE_ZAP_PAGE: TraceEvent = kvmmmu("kvm_mmu_prepare_zap_page", SP_FIELDS, SP_FORMATS);

/** addr lo, addr hi, pferr. A walk of guest tables starts. */
export const KVM_MMU_PAGETABLE_WALK: TraceEvent = kvmmmu("kvm_mmu_pagetable_walk", [
  u64("addr"),
  flags("pferr", PFERR_FLAGS),
], { "3.11": "addr %llx{addr} pferr %x{pferr} %s{pferr}" });

/** pte lo, pte hi, level. The walk has read a guest entry. */
export const KVM_MMU_PAGING_ELEMENT: TraceEvent = kvmmmu("kvm_mmu_paging_element", [u64("pte"), num("level")], {
  "3.11": "pte %llx{pte} level %u{level}",
});

/** gpa of the guest entry: table gpa + index * entry size. */
export const KVM_MMU_SET_ACCESSED_BIT: TraceEvent = kvmmmu("kvm_mmu_set_accessed_bit", [num("gpa")], {
  "3.11": "gpa %llx{gpa}",
});

/** gpa of the guest entry: table gpa + index * entry size. */
export const KVM_MMU_SET_DIRTY_BIT: TraceEvent = kvmmmu("kvm_mmu_set_dirty_bit", [num("gpa")], {
  "3.11": "gpa %llx{gpa}",
});

/** pferr. The walk ends in a fault for the guest. */
export const KVM_MMU_WALKER_ERROR: TraceEvent = kvmmmu("kvm_mmu_walker_error", [flags("pferr", PFERR_FLAGS)], {
  "3.11": "pferr %x{pferr} %s{pferr}",
});

/** sptep, gfn, access, gen. An MMIO spte is made; 3.11 emits it before the store, with access masked to W and U. */
export const MARK_MMIO_SPTE: TraceEvent = kvmmmu("mark_mmio_spte", [
  sptep("sptep"),
  num("gfn"),
  num("access"),
  num("gen"),
], { "3.11": "sptep:%p{sptep} gfn %llx{gfn} access %x{access} gen %x{gen}" });

/** addr lo, addr hi, gfn, access. A fault is MMIO by what its spte says; addr is 0 when the MMU is direct. */
export const HANDLE_MMIO_PAGE_FAULT: TraceEvent = kvmmmu("handle_mmio_page_fault", [
  u64("addr"),
  num("gfn"),
  num("access"),
], { "3.11": "addr:%llx{addr} gfn %llx{gfn} access %x{access}" });

/** spte lo, spte hi, kvm_gen, spte_gen, valid. The generation of an MMIO spte is compared with the VM's. */
export const CHECK_MMIO_SPTE: TraceEvent = kvmmmu("check_mmio_spte", [
  u64("spte"),
  num("kvm_gen"),
  num("spte_gen"),
  flag("valid"),
], { "3.11": "spte %llx{spte} kvm_gen %x{kvm_gen} spte-gen %x{spte_gen} valid %d{valid}" });

const FAST_PAGE_FAULT_FORMAT = "error_code %s{error_code} sptep %p{sptep} old %#llx{old} new %llx{new} " +
  "spurious %d{spurious} fixed %d{fixed}";

const FAST_PAGE_FAULT_FIELDS = [
  vcpu(),
  address("gva"),
  flags("error_code", PFERR_FLAGS),
  sptep("sptep"),
  u64("old"),
  u64("new"),
  bits("outcome", bitRange("spurious", 0, 1), bitRange("fixed", 1, 1)),
];

/**
 * gva, error_code, sptep, old lo, old hi, new lo, new hi, outcome (1 spurious, 2 fixed). A write fault on a present
 * spte, handled without mmu_lock. In 3.11 both outcomes hold when the retry found a writable spte before and after.
 */
export const FAST_PAGE_FAULT: TraceEvent = kvmmmu("fast_page_fault", FAST_PAGE_FAULT_FIELDS, {
  "3.11": "vcpu %d{vcpu} gva %lx{gva} " + FAST_PAGE_FAULT_FORMAT,
  "6.1": "vcpu %d{vcpu} gva %llx{gva} " + FAST_PAGE_FAULT_FORMAT,
});

/** gen (before the increment), used_pages. All shadow pages become obsolete; renamed kvm_mmu_zap_all_fast in 5.4. */
export const KVM_MMU_INVALIDATE_ZAP_ALL_PAGES: TraceEvent = kvmmmu("kvm_mmu_invalidate_zap_all_pages", [
  num("gen"),
  num("used_pages"),
], { "3.11": "kvm-mmu-valid-gen %lx{gen} used_pages %x{used_pages}", "6.1": null });

/** gen (before the toggle), used_pages. All shadow pages become obsolete. */
export const KVM_MMU_ZAP_ALL_FAST: TraceEvent = kvmmmu("kvm_mmu_zap_all_fast", [num("gen"), num("used_pages")], {
  "6.1": "kvm-mmu-valid-gen %u{gen} used_pages %x{used_pages}",
});

/**
 * gfn, spte lo, spte hi, rights (bit 0 readable, 1 writable, 2 executable, 3 user, 4 no user bit in this format), level,
 * sptep. A leaf spte is set by the legacy MMU; the place is printed as a physical address.
 */
export const KVM_MMU_SET_SPTE: TraceEvent = kvmmmu("kvm_mmu_set_spte", [
  num("gfn"),
  u64("spte"),
  bits(
    "rights",
    bitRange("r", 0, 1, choice("-", "r")),
    bitRange("w", 1, 1, choice("-", "w")),
    bitRange("x", 2, 1, choice("-", "x")),
    bitRange("u", 3, 2, {
      pattern: "[u-]?",
      print: (value) => ["-", "u", "", ""][Number(value)] ?? "",
      parse: (text) => ["-", "u", ""].indexOf(text),
    }),
  ),
  int("level"),
  sptep("sptep"),
], { "6.1": "gfn %llx{gfn} spte %llx{spte} (%s{r}%s{w}%s{x}%s{u}) level %d{level} at %llx{sptep}" });

/** gfn, pfn lo, pfn hi, level. A fault asks for a mapping of gfn; MMIO has the pfn 0x8000000000000000. */
export const KVM_MMU_SPTE_REQUESTED: TraceEvent = kvmmmu("kvm_mmu_spte_requested", [
  num("gfn"),
  u64("pfn"),
  int("level"),
], { "6.1": "gfn %llx{gfn} pfn %llx{pfn} level %d{level}" });

/** as_id, gfn, level, old lo, old hi, new lo, new hi. An entry of the TDP MMU changes. */
export const KVM_TDP_MMU_SPTE_CHANGED: TraceEvent = kvmmmu("kvm_tdp_mmu_spte_changed", [
  int("as_id"),
  num("gfn"),
  int("level"),
  u64("old_spte"),
  u64("new_spte"),
], { "6.1": "as id %d{as_id} gfn %llx{gfn} level %d{level} old_spte %llx{old_spte} new_spte %llx{new_spte}" });

/** gfn, spte lo, spte hi, level, errno. A huge mapping is split for dirty logging. */
export const KVM_MMU_SPLIT_HUGE_PAGE: TraceEvent = kvmmmu("kvm_mmu_split_huge_page", [
  num("gfn"),
  u64("spte"),
  int("level"),
  int("errno"),
], { "6.1": "gfn %llx{gfn} spte %llx{spte} level %d{level} errno %d{errno}" });

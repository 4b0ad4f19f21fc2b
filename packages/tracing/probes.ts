/**
 * The kprobe events of the recorder that made the reference traces: what KVM's own tracepoints do not say.
 * Formats: `kprobe_events.txt` beside each trace. The numbers of 3.11 are bare hexadecimal, because kprobes of its time
 * knew no other; later ones have `0x`. A return value is a signed decimal number in both.
 *
 * Their text begins with a location, `(function+offset/size)` or `(caller <- function)`, which belongs to the binary of
 * the kernel: reading drops it, and the writer prints the function with zeros.
 */
import { defineEvent, type EventFormats, type TraceEvent } from "./event.ts";
import { type Field, int, num, sptep, u64 } from "./field.ts";

function probe(name: string, symbol: string, fields: readonly Field[], formats: EventFormats): TraceEvent {
  return defineEvent("probe", name, fields, formats, `${symbol}+0x0/0x0`);
}

function returnProbe(name: string, symbol: string, formats: EventFormats = { "3.11": "ret=%d{ret}" }): TraceEvent {
  return defineEvent("probe", name, [int("ret")], formats, `caller <- ${symbol}`);
}

/** slot (with its address space in bits 16 and up), flags, gpa, size in bytes. */
export const SET_MEMORY_REGION: TraceEvent = probe("set_memory_region", "__kvm_set_memory_region", [
  num("slot"),
  num("flags"),
  num("gpa"),
  u64("size"),
], {
  "3.11": "slot=%x{slot} flags=%x{flags} gpa=%llx{gpa} size=%llx{size}",
  "4.10": "slot=%u{slot} flags=0x%x{flags} gpa=0x%llx{gpa} size=0x%llx{size}",
});

/** ret: 0 or a negative errno. */
export const SET_MEMORY_REGION_RET: TraceEvent = returnProbe("set_memory_region_ret", "__kvm_set_memory_region");

/** gen_before lo, gen_before hi, as_id (printed from 4.10). The generation of the set about to be replaced. */
export const SWAP_MEMSLOTS: TraceEvent = probe("swap_memslots", "install_new_memslots", [
  u64("gen_before"),
  int("as_id"),
], {
  "3.11": "gen_before=%llx{gen_before}",
  "4.10": "as_id=%d{as_id} gen_before=0x%llx{gen_before}",
  "6.1": null,
});

/**
 * gen lo, gen hi: the new generation, after the memslots of one address space were swapped. 3.11 has no such function;
 * that of 3.13 gets no number, so who probed it had to fetch it from the VM.
 */
export const MEMSLOTS_UPDATED: TraceEvent = probe("memslots_updated", "kvm_arch_memslots_updated", [u64("gen")], {
  "3.13": "gen=%llx{gen}",
  "4.10": "gen=0x%llx{gen}",
});

/** as_id: the address space whose memslots are about to be swapped. */
export const SWAP_ACTIVE_MEMSLOTS: TraceEvent = probe("swap_active_memslots", "kvm_swap_active_memslots", [
  int("as_id"),
], { "6.1": "as_id=%d{as_id}" });

/** gen lo, gen hi (printed until 4.19). A slot is deleted or moved: its shadow pages go. */
export const FLUSH_SHADOW_MEMSLOT: TraceEvent = probe("flush_shadow_memslot", "kvm_arch_flush_shadow_memslot", [
  u64("gen"),
], { "3.11": "gen=%llx{gen}", "4.10": "gen=0x%llx{gen}", "6.1": "" });

/** gen lo, gen hi, change (0 create, 1 delete, 2 move, 3 flags only). The memslot update is complete. */
export const COMMIT_MEMORY_REGION: TraceEvent = probe("commit_memory_region", "kvm_arch_commit_memory_region", [
  u64("gen"),
  num("change"),
], {
  "3.11": "gen=%llx{gen} change=%x{change}",
  "4.10": "gen=0x%llx{gen} change=%u{change}",
  "6.1": null,
});

/** sptep, gfn, access: mark_mmio_spte() is called, before it masks the access. */
export const MARK_MMIO_SPTE_RAW: TraceEvent = probe("mark_mmio_spte_raw", "mark_mmio_spte", [
  sptep("sptep"),
  num("gfn"),
  num("access"),
], {
  "3.11": "sptep=%p{sptep} gfn=%llx{gfn} access=%x{access}",
  "4.10": "sptep=0x%p{sptep} gfn=0x%llx{gfn} access=0x%x{access}",
});

/** gfn, access: make_mmio_spte() is called. */
export const MAKE_MMIO_SPTE: TraceEvent = probe("make_mmio_spte", "make_mmio_spte", [num("gfn"), num("access")], {
  "6.1": "gfn=0x%llx{gfn} access=0x%x{access}",
});

/** spte lo, spte hi: what make_mmio_spte() returned. */
export const MAKE_MMIO_SPTE_RET: TraceEvent = defineEvent("probe", "make_mmio_spte_ret", [u64("spte")], {
  "6.1": "spte=0x%llx{spte}",
}, "caller <- make_mmio_spte");

/** sptep, spte lo, spte hi: mmu_spte_set() stores to an entry that was not present. */
export const MMU_SPTE_SET: TraceEvent = probe("mmu_spte_set", "mmu_spte_set", [sptep("sptep"), u64("spte")], {
  "3.11": "sptep=%p{sptep} spte=%llx{spte}",
  "4.10": "sptep=0x%p{sptep} spte=0x%llx{spte}",
  "6.1": null,
});

const MMIO_3_11 = "addr=%llx{addr} direct=%x{direct} mmio_gva=%llx{mmio_gva} mmio_gfn=%llx{mmio_gfn}";
const MMIO_4_10 = "addr=0x%llx{addr} direct=%u{direct} mmio_gva=0x%llx{mmio_gva} mmio_gfn=0x%llx{mmio_gfn}";

/**
 * addr lo, addr hi, direct, mmio_gva, mmio_gfn, mmio_gen lo, mmio_gen hi: an MMIO fault, and what the vCPU's cache
 * holds; its generation exists and prints from 4.10.
 */
export const MMIO_PAGE_FAULT: TraceEvent = probe("mmio_page_fault", "handle_mmio_page_fault_common", [
  u64("addr"),
  num("direct"),
  num("mmio_gva"),
  num("mmio_gfn"),
  u64("mmio_gen"),
], { "3.11": MMIO_3_11, "4.10": MMIO_4_10 + " mmio_gen=0x%llx{mmio_gen}", "6.1": null });

/** ret: in 3.11 1 emulate, 0 retry, 2 the spte was stale, -1 bug. */
export const MMIO_PAGE_FAULT_RET: TraceEvent = returnProbe("mmio_page_fault_ret", "handle_mmio_page_fault_common", {
  "3.11": "ret=%d{ret}",
  "6.1": null,
});

/** addr lo, addr hi, error_code: kvm_mmu_page_fault() is called. */
export const MMU_PAGE_FAULT: TraceEvent = probe("mmu_page_fault", "kvm_mmu_page_fault", [
  u64("addr"),
  num("error_code"),
], {
  "3.11": "addr=%llx{addr} error_code=%x{error_code}",
  "4.10": "addr=0x%llx{addr} error_code=0x%llx{error_code}",
});

/** ret: 1 resume the guest, 0 exit to user space. */
export const MMU_PAGE_FAULT_RET: TraceEvent = returnProbe("mmu_page_fault_ret", "kvm_mmu_page_fault");

/** ret: 1 resume the guest, 0 exit to user space. Recorded on 3.11 only. */
export const EPT_MISCONFIG_RET: TraceEvent = returnProbe("ept_misconfig_ret", "handle_ept_misconfig", {
  "3.11": "ret=%d{ret}",
  "4.10": null,
});

/** start, end: a range of gfns, end excluded, whose mappings go. Recorded on 6.12 only. */
export const UNMAP_GFN_RANGE: TraceEvent = probe("unmap_gfn_range", "kvm_unmap_gfn_range", [num("start"), num("end")], {
  "6.12": "start=0x%llx{start} end=0x%llx{end}",
});

/** ret: whether a TLB flush is due. Recorded on 6.12 only. */
export const UNMAP_GFN_RANGE_RET: TraceEvent = returnProbe("unmap_gfn_range_ret", "kvm_unmap_gfn_range", {
  "6.12": "flush=%d{ret}",
});

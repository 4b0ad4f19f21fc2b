import type { Era, TraceLine } from "@mmu-lab/tracing";
import { QUIRK_SLOT_ZAP_ALL, type Recording } from "@mmu-lab/workloads";

/** What a recording shows of the kernel and processor that it comes from. */
export interface RecordedKernel {
  /** The kernel whose events these are, or `undefined` if they are those of none that is known. */
  readonly era: Era | undefined;
  /** The processor's tables that were seen at work, if any. */
  readonly paging: "ept" | "npt" | "vmx-shadow" | "svm-shadow" | undefined;
  /** Whether the TDP MMU was seen at work. */
  readonly tdpMmu: boolean;
  /** Whether MMIO sptes were made, or nothing that could have made one happened. */
  readonly mmioSptes: boolean;
  /** Whether a slot that goes takes only its own mappings along (the quirk SLOT_ZAP_ALL is disabled, 6.12). */
  readonly slotZap: boolean;
  /** Lowest of the five bits that every MMIO spte has set for L1TF, if any; `undefined` if no MMIO spte was seen. */
  readonly splitFrom: number | undefined;
  /** Qualification of the first EPT violation that is for an entry of the guest's tables. */
  readonly firstWalkExit: number | undefined;
}

const EPT_VIOLATION = /\breason EPT_VIOLATION .* info1? (?:0x)?([0-9a-f]+) /;
const NESTED_PAGE_FAULT = /\breason npf /;
/** Empty entries have bit 63 set (`SHADOW_NONPRESENT_VALUE`, 6.12). */
const EMPTY_6_12 = / (?:old|new)_spte 8000000000000000(?: |$)/;
const MMIO_SPTE_EVENTS: readonly string[] = ["mark_mmio_spte", "make_mmio_spte"];
const GFN = /gfn=(0x[0-9a-f]+)/;
const SPTE = /spte=(0x[0-9a-f]+)/;
/** Where the five bits are looked for: above gpas of 32 bits. */
const LOWEST_SPLIT = 32n;
/** A page fault, for its interruption information says so. */
const EXCEPTION = /\breason EXCEPTION_NMI .* 80000b0e$/;
const PAGE_FAULT_EXCEPTION = /\breason PF excp /;
/** Bit 8: the access was to the final address. */
const FINAL_TRANSLATION = 0x100;

/**
 * Finds out which kernel and processor a recording comes from: the names of the probes and what they show tell the
 * kernel, the exits tell the processor. `6.1` stands for later ones too, where nothing tells. O(lines).
 */
export function recordedKernel(recording: Recording): RecordedKernel {
  const events = new Set<string>();
  let cacheHasGeneration = false;
  let emptyHasBit63 = false;
  let paging: RecordedKernel["paging"];
  let firstWalkExit: number | undefined;
  let gpa = 0n;
  let splitFrom: number | undefined;
  const look = (line: TraceLine) => {
    if (line.name === "make_mmio_spte") gpa = BigInt(GFN.exec(line.text)?.[1] ?? 0) << 12n;
    if (line.name === "make_mmio_spte_ret") splitFrom ??= splitOf(BigInt(SPTE.exec(line.text)?.[1] ?? 0), gpa);
    events.add(line.name);
    if (line.name === "kvm_tdp_mmu_spte_changed" && EMPTY_6_12.test(line.text)) emptyHasBit63 = true;
    if (line.name === "mmio_page_fault" && line.text.includes("mmio_gen=")) cacheHasGeneration = true;
    if (line.name !== "kvm_exit") return;
    if (NESTED_PAGE_FAULT.test(line.text)) paging = "npt";
    if (EXCEPTION.test(line.text)) paging = "vmx-shadow";
    if (PAGE_FAULT_EXCEPTION.test(line.text)) paging = "svm-shadow";
    const qualification = parseInt(EPT_VIOLATION.exec(line.text)?.[1] ?? "", 16);
    if (Number.isNaN(qualification)) return;
    paging = "ept";
    if ((qualification & FINAL_TRANSLATION) === 0) firstWalkExit ??= qualification;
  };
  for (const operation of recording.operations) operation.events.forEach(look);
  const mmioSptes = !events.has("kvm_mmio") || MMIO_SPTE_EVENTS.some((event) => events.has(event));
  const tdpMmu = events.has("kvm_tdp_mmu_spte_changed");
  const slotZap = (recording.disabledQuirks & QUIRK_SLOT_ZAP_ALL) !== 0;
  const era = emptyHasBit63 || slotZap ? "6.12" : eraOf(events, cacheHasGeneration);
  return { era, splitFrom, paging, tdpMmu, mmioSptes, slotZap, firstWalkExit };
}

/** The place of the five bits that are set beside the gpa; 0 for none, `undefined` if the gpa itself is in the way. */
function splitOf(spte: bigint, gpa: bigint): number | undefined {
  if (gpa >> LOWEST_SPLIT !== 0n) return undefined;
  const set = (spte >> LOWEST_SPLIT) & 0xfffffn;
  for (let low = 0n; low <= 15n; low++) if (set === 0x1fn << low) return Number(LOWEST_SPLIT + low);
  return 0;
}

function eraOf(events: ReadonlySet<string>, cacheHasGeneration: boolean): Era | undefined {
  if (events.has("swap_active_memslots") || events.has("make_mmio_spte")) return "6.1";
  if (cacheHasGeneration || events.has("memslots_updated")) return "4.10";
  return events.has("swap_memslots") ? "3.11" : undefined;
}

import type { Era, TraceLine } from "@mmu-lab/tracing";
import type { Recording } from "@mmu-lab/workloads";

/** What a recording shows of the kernel and processor that it comes from. */
export interface RecordedKernel {
  /** The kernel whose events these are, or `undefined` if they are those of none that is known. */
  readonly era: Era | undefined;
  /** The processor's tables that were seen at work, if any. */
  readonly paging: "ept" | "npt" | "vmx-shadow" | "svm-shadow" | undefined;
  /** Qualification of the first EPT violation that is for an entry of the guest's tables. */
  readonly firstWalkExit: number | undefined;
}

const EPT_VIOLATION = /^reason EPT_VIOLATION .* info ([0-9a-f]+) /;
const NESTED_PAGE_FAULT = /^reason npf /;
/** A page fault, for its interruption information says so. */
const EXCEPTION = /^reason EXCEPTION_NMI .* 80000b0e$/;
const PAGE_FAULT_EXCEPTION = /^reason PF excp /;
/** Bit 8: the access was to the final address. */
const FINAL_TRANSLATION = 0x100;

/**
 * Finds out which kernel and processor a recording comes from: the names of the probes and what they show tell the
 * kernel, the exits tell the processor. `6.1` stands for that and later ones. O(lines).
 */
export function recordedKernel(recording: Recording): RecordedKernel {
  const events = new Set<string>();
  let cacheHasGeneration = false;
  let paging: RecordedKernel["paging"];
  let firstWalkExit: number | undefined;
  const look = (line: TraceLine) => {
    events.add(line.name);
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
  return { era: eraOf(events, cacheHasGeneration), paging, firstWalkExit };
}

function eraOf(events: ReadonlySet<string>, cacheHasGeneration: boolean): Era | undefined {
  if (events.has("swap_active_memslots") || events.has("make_mmio_spte")) return "6.1";
  if (cacheHasGeneration || events.has("memslots_updated")) return "4.10";
  return events.has("swap_memslots") ? "3.11" : undefined;
}

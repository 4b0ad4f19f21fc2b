import { type Profile, PROFILES } from "@mmu-lab/machine";
import type { TraceLine } from "@mmu-lab/tracing";
import type { Recording } from "@mmu-lab/workloads";

/**
 * Finds the profile of the kernel and processor that a recording comes from, by what the recording itself shows: the
 * names of the probes tell the kernel, the exits tell the processor, and on Intel the first exit for a page-table walk
 * tells whether EPT keeps accessed and dirty bits (facts sheet 7.4: then the walk counts as a write).
 *
 * @param recording A recording.
 * @throws {RangeError} If it comes from a kernel or processor that no profile is for; the message says what was seen.
 */
export function chooseProfile(recording: Recording): Profile {
  const seen = survey(recording);
  const kernel = kernelOf(seen);
  if (kernel !== "3.11") throw new RangeError(noProfile(recording, `its events are those of ${kernel}`));
  if (seen.nestedPageFaults) return PROFILES["linux_3_11_npt"];
  const walk = seen.firstWalkExit;
  if (walk === undefined) throw new RangeError(noProfile(recording, "it has no EPT violation or nested page fault"));
  return (walk & 2) !== 0 ? PROFILES["linux_3_11_ept"] : PROFILES["linux_3_11_ept_noad"];
}

interface Survey {
  readonly events: ReadonlySet<string>;
  /** Whether the probe of MMIO faults shows a generation in the vCPU's cache. */
  readonly cacheHasGeneration: boolean;
  /** Whether the processor is AMD's, and pages are nested. */
  readonly nestedPageFaults: boolean;
  /** Qualification of the first EPT violation that is for an entry of the guest's tables. */
  readonly firstWalkExit: number | undefined;
}

const EPT_VIOLATION = /^reason EPT_VIOLATION .* info ([0-9a-f]+) /;
const NESTED_PAGE_FAULT = /^reason npf /;
/** Bit 8: the access was to the final address. */
const FINAL_TRANSLATION = 0x100;

function survey(recording: Recording): Survey {
  const events = new Set<string>();
  let cacheHasGeneration = false;
  let nestedPageFaults = false;
  let firstWalkExit: number | undefined;
  const look = (line: TraceLine) => {
    events.add(line.name);
    if (line.name === "mmio_page_fault" && line.text.includes("mmio_gen=")) cacheHasGeneration = true;
    if (line.name !== "kvm_exit") return;
    if (NESTED_PAGE_FAULT.test(line.text)) nestedPageFaults = true;
    if (firstWalkExit !== undefined) return;
    const qualification = parseInt(EPT_VIOLATION.exec(line.text)?.[1] ?? "", 16);
    if ((qualification & FINAL_TRANSLATION) === 0 && qualification > 0) firstWalkExit = qualification;
  };
  for (const operation of recording.operations) operation.events.forEach(look);
  return { events, cacheHasGeneration, nestedPageFaults, firstWalkExit };
}

function kernelOf(seen: Survey): string {
  if (seen.events.has("swap_active_memslots") || seen.events.has("make_mmio_spte")) return "6.1 or later";
  if (seen.cacheHasGeneration) return "4.10";
  return seen.events.has("swap_memslots") ? "3.11" : "an unknown kernel";
}

function noProfile(recording: Recording, why: string): string {
  return `Cannot choose a profile for recording ${recording.name} (cfg=${recording.cfg}): ${why}; name one with --profile`;
}

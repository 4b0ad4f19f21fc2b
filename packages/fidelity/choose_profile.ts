import { type Profile, PROFILES } from "@mmu-lab/machine";
import type { Recording } from "@mmu-lab/workloads";
import { type RecordedKernel, recordedKernel } from "./recorded_kernel.ts";

/**
 * Finds the profile of the kernel and processor that a recording comes from, by what {@linkcode recordedKernel} sees. On
 * Intel the first exit for a page-table walk tells whether EPT keeps accessed and dirty bits (facts sheet 7.4: then the
 * walk counts as a write).
 *
 * @param recording A recording.
 * @throws {RangeError} If it comes from a kernel or processor that no profile is for; the message says what was seen.
 */
export function chooseProfile(recording: Recording): Profile {
  const seen = recordedKernel(recording);
  const profile = PROFILES[nameFor(seen) ?? ""];
  if (profile !== undefined) return profile;
  const kernel = seen.era === "6.1" ? "6.1 or later" : seen.era ?? "an unknown kernel";
  const why = kernel === "3.11"
    ? "it has no EPT violation, nested page fault or page fault exit"
    : `its events are those of ${kernel}`;
  const { name, cfg } = recording;
  throw new RangeError(`Cannot choose a profile for recording ${name} (cfg=${cfg}): ${why}; name one with --profile`);
}

function nameFor({ era, paging, firstWalkExit }: RecordedKernel): string | undefined {
  if (paging === "npt") return era === "3.11" ? "linux_3_11_npt" : era === "4.10" ? "linux_4_10_npt" : undefined;
  if (paging === "vmx-shadow") return era === "3.11" ? "linux_3_11_shadow" : undefined;
  if (paging === "svm-shadow") return era === "3.11" ? "linux_3_11_npt_shadow" : undefined;
  if (era !== "3.11" || firstWalkExit === undefined) return undefined;
  return (firstWalkExit & 2) !== 0 ? "linux_3_11_ept" : "linux_3_11_ept_noad";
}

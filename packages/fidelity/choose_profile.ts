import { type Profile, PROFILES } from "@mmu-lab/machine";
import type { Recording } from "@mmu-lab/workloads";
import { conformRecording } from "./conform_recording.ts";
import { type RecordedKernel, recordedKernel } from "./recorded_kernel.ts";

/**
 * Profiles that no event tells apart, but only what the vCPUs make of a change of address space: whose generation their
 * MMIO cache looks at (bug B20). Of a recording with system management mode both are tried.
 */
const RIVALS: Readonly<Record<string, string>> = {
  linux_6_1_npt_tdp: "linux_6_1_npt_tdp_187",
};

/**
 * Finds the profile of the kernel and processor that a recording comes from, by what {@linkcode recordedKernel} sees. On
 * Intel the first exit for a page-table walk tells whether EPT keeps accessed and dirty bits (facts sheet 7.4: then the
 * walk counts as a write). Where two kernels can be told apart by their results alone, the one is taken that agrees with
 * more of the recording at level 1, and if both do, the newer.
 *
 * @param recording A recording.
 * @throws {RangeError} If it comes from a kernel or processor that no profile is for; the message says what was seen.
 */
export function chooseProfile(recording: Recording): Profile {
  const seen = recordedKernel(recording);
  const profile = PROFILES[nameFor(seen) ?? ""];
  if (profile !== undefined) return closer(recording, profile, PROFILES[RIVALS[profile.name] ?? ""]);
  const kernel = seen.era === "6.1" ? "6.1 or later" : seen.era ?? "an unknown kernel";
  const why = kernel === "3.11"
    ? "it has no EPT violation, nested page fault or page fault exit"
    : (seen.era === "6.1" || seen.era === "6.12") && seen.paging !== undefined && !seen.tdpMmu
    ? "its kernel is 6.1 or later, and its faults are not those of the TDP MMU"
    : `its events are those of ${kernel}`;
  const { name, cfg } = recording;
  throw new RangeError(`Cannot choose a profile for recording ${name} (cfg=${cfg}): ${why}; name one with --profile`);
}

function nameFor(seen: RecordedKernel): string | undefined {
  const { era, paging, firstWalkExit } = seen;
  if (era === "6.12" && paging !== undefined && seen.tdpMmu && seen.mmioSptes) {
    return `linux_6_12_${paging}_tdp${seen.slotZap ? "_slotzap" : ""}`;
  }
  if (era === "6.1") return seen.tdpMmu ? nameFor61(seen) : undefined;
  if (paging === "npt") return era === "3.11" ? "linux_3_11_npt" : era === "4.10" ? "linux_4_10_npt" : undefined;
  if (paging === "vmx-shadow") return era === "3.11" ? "linux_3_11_shadow" : undefined;
  if (paging === "svm-shadow") {
    return era === "3.11" ? "linux_3_11_npt_shadow" : era === "4.10" ? "linux_4_10_npt_shadow" : undefined;
  }
  if (era !== "3.11" || firstWalkExit === undefined) return undefined;
  return (firstWalkExit & 2) !== 0 ? "linux_3_11_ept" : "linux_3_11_ept_noad";
}

/** Kernels of 6.1 with the TDP MMU: by whether MMIO sptes are made, and which of their bits are set for L1TF. */
function nameFor61({ paging, mmioSptes, splitFrom }: RecordedKernel): string | undefined {
  if (paging === undefined) return undefined;
  const name = `linux_6_1_${paging}_tdp`;
  if (!mmioSptes) return `${name}_nocache`;
  if (paging === "npt" || splitFrom === undefined) return name;
  return `${name}${SPLITS[splitFrom] ?? " with a split that is not known"}`;
}

/** What a profile's name ends with, by where the gfn is split: bits 43:39, bits 39:35, not at all. */
const SPLITS: Readonly<Record<number, string>> = { 39: "", 35: "_skx", 0: "_nol1tf" };

function closer(recording: Recording, profile: Profile, rival: Profile | undefined): Profile {
  const smm = recording.operations.some(({ operation }) => operation.op === "set-smm");
  if (rival === undefined || !smm) return profile;
  return misses(recording, rival) < misses(recording, profile) ? rival : profile;
}

function misses(recording: Recording, profile: Profile): number {
  const { matched, total } = conformRecording(recording, { profile, level: 1 }).levels[1]!;
  return total - matched;
}

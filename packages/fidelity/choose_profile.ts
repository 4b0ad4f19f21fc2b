import { type Profile, PROFILES } from "@mmu-lab/machine";
import type { Recording, RecordingHeader } from "@mmu-lab/workloads";
import type { Conformance } from "./comparison.ts";
import { conformRecording } from "./conform_recording.ts";
import { type RecordedKernel, recordedKernel } from "./recorded_kernel.ts";

/**
 * Profiles that no event tells apart, but only what the vCPUs make of a change of address space: whose generation their
 * MMIO cache looks at (bug B20). Of a recording with system management mode both are tried.
 */
const RIVALS: Readonly<Record<string, string>> = {
  linux_6_1_npt_tdp: "linux_6_1_npt_tdp_187",
  linux_6_1_npt_legacy: "linux_6_1_npt_legacy_187",
};

/**
 * Finds the profile of the kernel and processor that a recording comes from, by what {@linkcode KernelWatcher} sees. On
 * Intel the first exit for a page-table walk tells whether EPT keeps accessed and dirty bits (facts sheet 7.4: then the
 * walk counts as a write).
 *
 * @param seen What was seen.
 * @param header Names the recording, for messages.
 * @throws {RangeError} If it comes from a kernel or processor that no profile is for; the message says what was seen.
 */
export function profileOf(seen: RecordedKernel, header: Pick<RecordingHeader, "name" | "cfg">): Profile {
  const profile = PROFILES[nameFor(seen) ?? ""];
  if (profile !== undefined) return profile;
  const kernel = seen.era === "6.1" ? "6.1 or later" : seen.era ?? "an unknown kernel";
  const why = kernel === "3.11"
    ? "it has no EPT violation, nested page fault or page fault exit"
    : (seen.era === "6.1" || seen.era === "6.12") && seen.paging !== undefined
    ? "its kernel is 6.1 or later, and shadows guest tables or makes no MMIO sptes as no profile does"
    : `its events are those of ${kernel}`;
  const { name, cfg } = header;
  throw new RangeError(`Cannot choose a profile for recording ${name} (cfg=${cfg}): ${why}; name one with --profile`);
}

/**
 * Another profile that may be meant where {@linkcode profileOf} gives this one, and the recording does not agree with it
 * at level 1: the one that agrees with more of it is right, and of equals the first.
 */
export function rivalOf(profile: Profile, seen: RecordedKernel): Profile | undefined {
  return seen.usesSmm ? PROFILES[RIVALS[profile.name] ?? ""] : undefined;
}

/**
 * The profile of a recording that is in memory, rivals included.
 *
 * @param recording A recording.
 * @throws As {@linkcode profileOf} does.
 */
export function chooseProfile(recording: Recording): Profile {
  const seen = recordedKernel(recording);
  const profile = profileOf(seen, recording);
  const rival = rivalOf(profile, seen);
  if (rival === undefined) return profile;
  const misses = (candidate: Profile) => level1Misses(conformRecording(recording, { profile: candidate, level: 1 }));
  return misses(rival) < misses(profile) ? rival : profile;
}

/** Outcomes and events of level 1 that do not agree. */
export function level1Misses({ levels }: Conformance): number {
  const { matched, total } = levels[1]!;
  return total - matched;
}

function nameFor(seen: RecordedKernel): string | undefined {
  const { era, paging, firstWalkExit } = seen;
  if (era === "6.12" && seen.mmioSptes) {
    return `linux_6_12_${paging}_${seen.tdpMmu ? "tdp" : "legacy"}${seen.slotZap ? "_slotzap" : ""}`;
  }
  if (era === "6.1") return nameFor61(seen);
  if (paging === "npt") return era === "3.11" ? "linux_3_11_npt" : era === "4.10" ? "linux_4_10_npt" : undefined;
  if (paging === "vmx-shadow") return era === "3.11" ? "linux_3_11_shadow" : undefined;
  if (paging === "svm-shadow") {
    return era === "3.11" ? "linux_3_11_npt_shadow" : era === "4.10" ? "linux_4_10_npt_shadow" : undefined;
  }
  if (era !== "3.11" || firstWalkExit === undefined) return undefined;
  return (firstWalkExit & 2) !== 0 ? "linux_3_11_ept" : "linux_3_11_ept_noad";
}

/** Kernels of 6.1: by their MMU, whether MMIO sptes are made, and which of their bits are set for L1TF. */
function nameFor61({ paging, tdpMmu, mmioSptes, splitFrom }: RecordedKernel): string | undefined {
  if (paging === undefined) return undefined;
  const name = `linux_6_1_${paging}_${tdpMmu ? "tdp" : "legacy"}`;
  if (!mmioSptes) return `${name}_nocache`;
  if (paging === "npt" || splitFrom === undefined) return name;
  return `${name}${SPLITS[splitFrom] ?? " with a split that is not known"}`;
}

/** What a profile's name ends with, by where the gfn is split: bits 43:39, bits 39:35, not at all. */
const SPLITS: Readonly<Record<number, string>> = { 39: "", 35: "_skx", 0: "_nol1tf" };

import { type Profile, PROFILES } from "@mmu-lab/machine";
import type { Era } from "@mmu-lab/tracing";
import type { Recording, RecordingHeader } from "@mmu-lab/workloads";
import type { Conformance } from "./conformance.ts";
import { conformRecording } from "./conform_recording.ts";
import { type RecordedKernel, recordedKernel } from "./recorded_kernel.ts";

/** Ends the names of profiles of 6.1 before b3e6212dea2e, whose MMIO cache looks at the first address space (bug B20). */
const BEFORE_B20_FIX = "_187";

/**
 * Finds the profile of the kernel and processor that a recording comes from, by what {@linkcode KernelWatcher} sees. On
 * Intel the first exit for a page-table walk tells whether EPT keeps accessed and dirty bits (facts sheet 7.4: then the
 * walk counts as a write).
 *
 * @param seen What was seen.
 * @param header Names the recording, for messages.
 * @param release The kernel's release, such as `4.19.0`, if somebody says so; what was seen comes first.
 * @throws {RangeError} If it comes from a kernel or processor that no profile is for; the message says what was seen.
 */
export function profileOf(
  seen: RecordedKernel,
  header: Pick<RecordingHeader, "name" | "cfg">,
  release?: string,
): Profile {
  const name = nameFor(seen, release);
  const older = isBeforeB20Fix(release) ? PROFILES[`${name}${BEFORE_B20_FIX}`] : undefined;
  const profile = older ?? PROFILES[name ?? ""];
  if (profile !== undefined) return profile;
  const kernel = seen.era === "6.1" ? "6.1 or later" : seen.era ?? "an unknown kernel";
  const why = seen.era !== undefined && seen.paging === undefined && seen.era !== "6.1" && seen.era !== "6.12"
    ? "it has no EPT violation, nested page fault or page fault exit"
    : (seen.era === "6.1" || seen.era === "6.12") && seen.paging !== undefined
    ? "its kernel is 6.1 or later, and its MMIO sptes are those of no profile"
    : `its events are those of ${kernel}`;
  const recording = `recording ${header.name} (cfg=${header.cfg})`;
  throw new RangeError(`Cannot choose a profile for ${recording}: ${why}; name one with --profile`);
}

/**
 * Another profile that may be meant where {@linkcode profileOf} gives this one, and the recording does not agree with it
 * at level 1: the one that agrees with more of it is right, and of equals the first. No event tells them apart, but only
 * what the vCPUs make of a change of address space.
 */
export function rivalOf({ name }: Profile, seen: RecordedKernel): Profile | undefined {
  if (!seen.usesSmm) return undefined;
  const isOlder = name.endsWith(BEFORE_B20_FIX);
  return PROFILES[isOlder ? name.slice(0, -BEFORE_B20_FIX.length) : `${name}${BEFORE_B20_FIX}`];
}

/** By its release: 6.1.191 has the fix. */
function isBeforeB20Fix(release = ""): boolean {
  return Number(/^6\.1\.(\d+)/.exec(release)?.[1] ?? 191) < 191;
}

/**
 * The profile of a recording that is in memory, rivals included.
 *
 * @param recording A recording.
 * @param release The kernel's release, if somebody says so.
 * @throws As {@linkcode profileOf} does.
 */
export function chooseProfile(recording: Recording, release?: string): Profile {
  const seen = recordedKernel(recording);
  const profile = profileOf(seen, recording, release);
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

function nameFor(seen: RecordedKernel, release: string | undefined): string | undefined {
  const { era, paging, firstWalkExit } = seen;
  if (era === "6.12") {
    return `linux_6_12_${lateMmuOf(seen)}${seen.mmioSptes ? "" : "_nocache"}${seen.slotZap ? "_slotzap" : ""}`;
  }
  if (era === "6.1") return nameFor61(seen);
  if (era === undefined || paging === undefined) return undefined;
  const kernel = kernelBefore50(era, seen, release);
  const accessedDirty = firstWalkExit === undefined ? undefined : (firstWalkExit & 2) !== 0;
  const name = `linux_${kernel}_${TABLES[paging]}`;
  if (paging === "ept" && accessedDirty !== true) return accessedDirty === false ? `${name}_noad` : undefined;
  if (kernel !== "4_19") return name;
  return [`${name}${stableOf419(seen, release)}`, name].find((known) => known in PROFILES);
}

/** How the profiles' names tell what KVM maps by. */
const TABLES: Readonly<Record<NonNullable<RecordedKernel["paging"]>, string>> = {
  ept: "ept",
  npt: "npt",
  "vmx-shadow": "shadow",
  "svm-shadow": "npt_shadow",
};

/** Which of the kernels whose events are the same: by what was seen, else as the release says, else the first. */
function kernelBefore50(era: Era, { signs }: RecordedKernel, release = ""): string {
  if (era === "4.19") return "4_19";
  if (era === "4.10") return signs.step === undefined && release.startsWith("4.19") ? "4_19" : "4_10";
  if (era === "3.13" || signs.wrapZap === "at-install" || signs.tellsFetches === true) return "3_13";
  if (signs.wrapZap === "at-commit" || signs.tellsFetches === false) return "3_11";
  return release.startsWith("3.13") ? "3_13" : "3_11";
}

/** What a profile of 4.19 ends with: later ones split nothing on AMD, and on Intel by the cache's bits. */
function stableOf419({ signs, paging }: RecordedKernel, release = ""): string {
  const patch = Number(/^4\.19\.(\d+)/.exec(release)?.[1] ?? 0);
  const isLate = signs.splitFrom === undefined ? patch >= 152 : signs.splitFrom !== 35 || paging === "vmx-shadow";
  if (isLate) return "_152";
  return signs.wrapUnnoticed ? "_0" : "";
}

/** Kernels of 6.1: by their MMU, whether MMIO sptes are made, and which of their bits are set for L1TF. */
function nameFor61(seen: RecordedKernel): string | undefined {
  const { paging, mmioSptes, splitFrom } = seen;
  if (paging === undefined) return undefined;
  const name = `linux_6_1_${lateMmuOf(seen)}`;
  if (!mmioSptes) return `${name}_nocache`;
  if (paging === "npt" || paging === "svm-shadow" || splitFrom === undefined) return name;
  return `${name}${SPLITS[splitFrom] ?? " with a split that is not known"}`;
}

/** What a profile's name ends with, by where the gfn is split: bits 43:39, bits 39:35, not at all. */
const SPLITS: Readonly<Record<number, string>> = { 39: "", 35: "_pml", 0: "_nol1tf" };

/** What the names of profiles from 6.1 on say of the MMU. */
function lateMmuOf({ paging, tdpMmu }: RecordedKernel): string {
  if (paging === "svm-shadow") return "npt_shadow";
  if (paging === "vmx-shadow") return "vmx_shadow";
  return `${paging}_${tdpMmu ? "tdp" : "legacy"}`;
}

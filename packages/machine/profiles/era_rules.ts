import { generation } from "@mmu-lab/invalidation";
import { type Era, ERAS } from "@mmu-lab/memslots";
import { nptBackend, type NptProcessor } from "@mmu-lab/svm-backend";
import { eptBackend, type EptProcessor } from "@mmu-lab/vmx-backend";
import { layoutNamed } from "./_layout_named.ts";
import type { Profile } from "../profile.ts";

/** A stretch of kernels between those that are modelled whole: what of it concerns MMIO caching. */
interface EraRules {
  /** A kernel of it, as in names: `4_11`. */
  readonly kernel: string;
  /** What is special, in a few words. */
  readonly summary: string;
  readonly era: Era;
  /** The kernel that its layout is named after. */
  readonly layout: string;
  /** How the MMIO cache and a wrap work, where they do not as in 4.4. */
  readonly parts?: Partial<Profile>;
}

/** 5.1 on: nothing is remembered in flux. */
const NOTHING_IN_FLUX: Partial<Profile> = {
  cacheRule: { generation: "full", skipWhileInFlux: true, addressSpace: "first" },
};

const RULES: readonly EraRules[] = [
  {
    kernel: "4_11",
    summary: "generations apart by address space, a wrap of the first never noticed (B05)",
    era: ERAS.G3,
    layout: "linux_4_10",
  },
  {
    kernel: "5_1",
    summary: "in-progress flag beside the number; encoding of its upper half wrong (B07), wrap by a walk (B06)",
    era: ERAS.G4,
    layout: "linux_5_1",
    parts: {
      ...NOTHING_IN_FLUX,
      strategy: (era) => generation(era.mmio!, { wrapZap: "walk-with-breaks" }),
    },
  },
  {
    kernel: "5_11",
    summary: "18 bits, encoded right again",
    era: ERAS.G7,
    layout: "linux_5_11",
    parts: NOTHING_IN_FLUX,
  },
];

/**
 * Profiles that are the MMU of 3.11 with the rules of later kernels for generation, MMIO cache and layout: for questions
 * about strategies and bugs, not models of those kernels. Boundaries of eras are inferred (facts sheet 4.8).
 *
 * @param ept 4.4 on Intel. @param intel Its processor. @param npt 4.10 on AMD. @param amd Its processor.
 */
export function eraProfiles(ept: Profile, intel: EptProcessor, npt: Profile, amd: NptProcessor): Profile[] {
  return RULES.flatMap(({ kernel, summary, era, layout, parts = {} }) => {
    const rules = `the rules of Linux ${kernel.replace("_", ".")}`;
    return [
      {
        ...ept,
        ...parts,
        name: `linux_${kernel}_ept`,
        summary: `${rules}, Intel EPT: ${summary}`,
        era,
        layout: layoutNamed(`${layout}_ept`),
        backend: () => eptBackend(intel, "4.10"),
      },
      {
        ...npt,
        ...parts,
        name: `linux_${kernel}_npt`,
        summary: `${rules}, AMD nested paging: ${summary}`,
        era,
        layout: layoutNamed(`${layout}_shadow`),
        backend: () => nptBackend(amd, "4.10"),
      },
    ];
  });
}

/**
 * Kernels that bugs of the corpus are put into: right, but for what a bug changes.
 *
 * @module
 */
import { narrowEra } from "@mmu-lab/invalidation";
import { type Profile, PROFILES } from "@mmu-lab/machine";
import type { Era } from "@mmu-lab/memslots";

/** 4.4 with a generation of 3 bits and some other parts: it is right but for B03, and B04 at a wrap. */
export function linux44(parts: Partial<Profile> = {}): Profile {
  const base = PROFILES.linux_4_4_ept;
  return { ...base, era: narrowEra(base.era, 3), ...parts };
}

/** 5.13 with a generation of 3 bits and some other parts. */
export function linux513(parts: Partial<Profile> = {}): Profile {
  const base = PROFILES.linux_5_13_ept;
  return { ...base, era: narrowEra(base.era, 3), ...parts };
}

/** An era whose memslots begin with another number: as if so many updates had been made before. */
export function startingAt(era: Era, start: number): Era {
  return { ...era, memslots: { ...era.memslots, start: (asId) => start + asId } };
}

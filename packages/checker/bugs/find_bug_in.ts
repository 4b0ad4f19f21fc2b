import { type ExplorationReport, explore, type ExploreOptions, type WorldFactory } from "@mmu-lab/explorer";
import { narrowEra } from "@mmu-lab/invalidation";
import type { Profile } from "@mmu-lab/machine";
import type { Bug } from "./bug.ts";
import { bugWorld } from "./find_bug.ts";

/** What became of looking for a bug in a released kernel. */
export interface BugInKernel {
  /** Whether the exploration broke the property that the bug breaks. */
  readonly found: boolean;
  /** The exploration. */
  readonly report: ExplorationReport;
  /** What was explored, for `replay`. */
  readonly world: WorldFactory;
}

/**
 * Why a bug cannot show in a kernel, if there is something that its scenario needs and the kernel has not.
 *
 * @returns The reason, in a few words; `undefined` if there is none.
 */
export function cannotShow(bug: Bug, profile: Profile): string | undefined {
  const { scenario } = bug;
  const accesses = [...scenario.vcpus.flat(), ...scenario.prelude.filter((step) => step.op === "access")];
  if (accesses.some(({ smm }) => smm) && profile.era.memslots.addressSpaces < 2) return "has one address space";
  if (scenario.tables !== undefined && profile.backend().shadowsGuestTables !== true) return "shadows no guest tables";
  if (scenario.ept !== undefined && profile.nested === undefined) return "lets no guest run guests";
  if (bug.numbers !== undefined && profile.era.mmio === null) return "stores no generation";
  return undefined;
}

/**
 * Looks for a bug in a kernel as it was released, in the scenario in which the bug shows. Nothing of the kernel is changed
 * but how many bits its generation has and where it starts, so that it goes round, or comes to where the bug is, within the
 * scenario.
 *
 * @param bug The bug.
 * @param profile The kernel.
 * @param options Bounds of the exploration; none unless told.
 * @throws {RangeError} If the bug cannot show there: {@linkcode cannotShow}.
 */
export function findBugIn(bug: Bug, profile: Profile, options: ExploreOptions = {}): BugInKernel {
  const reason = cannotShow(bug, profile);
  if (reason !== undefined) throw new RangeError(`Cannot look for ${bug.id} in ${profile.name}: it ${reason}`);
  const world = bugWorld(bug, withNumbers(bug, profile));
  const report = explore(world, options);
  const message = report.violation?.message ?? "";
  const found = [bug.breaks, ...bug.breaksElsewhere ?? []].some((words) => message.includes(words));
  return { found, report, world };
}

/** The kernel with the numbers that a bug shows with. */
function withNumbers(bug: Bug, profile: Profile): Profile {
  const { updatesInAll, wrapAt, beforeTheTop } = bug.numbers ?? {};
  const { publishStep, completeStep, start } = profile.era.memslots;
  const step = publishStep + completeStep;
  // 3 bits are the fewest that there may be.
  const bits = updatesInAll === undefined ? undefined : Math.max(3, Math.ceil(Math.log2(updatesInAll * step)));
  const era = bits === undefined ? profile.era : narrowEra(profile.era, bits);
  // A slot that KVM makes with the first vCPU moves the number once.
  const made = profile.privateSlots.length * step;
  // An address space keeps to numbers of its own: those of the first of G3 are never 0, but for the two lowest bits.
  const round = ((start(0) % step) + step) % step;
  let first = start(0);
  if (beforeTheTop) first = (profile.layout().storedGenerationMask | 1) + 1 - step + round - made;
  // Once round more, as a flag beside the number would take a negative one for itself (B10).
  if (wrapAt !== undefined && bits !== undefined) first = round - wrapAt * step - made + 2 * 2 ** bits;
  const moved = first - start(0);
  return { ...profile, era: { ...era, memslots: { ...era.memslots, start: (asId) => start(asId) + moved } } };
}

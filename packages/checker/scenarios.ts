import type { MemoryRegion } from "@mmu-lab/memslots";
import type { CheckAccess, CheckScenario, Prelude } from "./check_scenario.ts";

const GFN = 0xd0000;
const SLOT: MemoryRegion = { id: 1, gpa: GFN * 4096, size: 4096, flags: 0, userspaceAddr: 0x7f0000000000 };
const NO_SLOT: MemoryRegion = { ...SLOT, size: 0 };
const READ: CheckAccess = { kind: "read", gfn: GFN };
const WRITE: CheckAccess = { kind: "write", gfn: GFN };

/** How large a scenario is. */
export interface ScenarioSize {
  /** vCPUs, all of which do the same; 2 unless told. */
  readonly vcpus?: number;
  /** Memslot updates: the scenario's own, then what undoes it, and so on by turns; 1 unless told. */
  readonly updates?: number;
}

/** What makes a scenario of any size. */
interface ScenarioPlan {
  readonly name: string;
  readonly summary: string;
  /** The memslot that is there first, if any. */
  readonly slot?: MemoryRegion;
  /** Whether every vCPU has used the page before. */
  readonly used: boolean;
  /** Accesses of each vCPU. */
  readonly accesses: readonly CheckAccess[];
  /** The update, and what undoes it. */
  readonly update: readonly [MemoryRegion, MemoryRegion];
}

const PLANS: readonly ScenarioPlan[] = [
  {
    name: "create",
    summary: "a slot is created over a page that nobody has touched yet",
    used: false,
    accesses: [READ, READ],
    update: [SLOT, NO_SLOT],
  },
  {
    name: "create-used",
    summary: "a slot is created over a page that all vCPUs have used as MMIO",
    used: true,
    accesses: [READ, READ],
    update: [SLOT, NO_SLOT],
  },
  {
    name: "delete",
    summary: "a slot that all vCPUs use is deleted",
    slot: SLOT,
    used: true,
    accesses: [READ, READ],
    update: [NO_SLOT, SLOT],
  },
  {
    name: "move",
    summary: "a slot that all vCPUs use is moved to the next page",
    slot: SLOT,
    used: true,
    accesses: [READ, READ],
    update: [{ ...SLOT, gpa: SLOT.gpa + 4096 }, SLOT],
  },
  {
    name: "flags",
    summary: "dirty logging is switched on for a slot that all vCPUs write",
    slot: SLOT,
    used: true,
    accesses: [WRITE, READ],
    update: [{ ...SLOT, flags: 1 }, SLOT],
  },
];

/** Small scenarios of two vCPUs with two accesses each, and one memslot update, by name. */
export const CHECK_SCENARIOS: Readonly<Record<string, CheckScenario>> = Object.fromEntries(
  PLANS.map((plan) => [plan.name, carryOut(plan, {})]),
);

/**
 * Makes one of {@linkcode CHECK_SCENARIOS} in another size.
 *
 * @param name Its name.
 * @param size How many vCPUs and updates; at least 1 each.
 * @throws {RangeError} If there is no such scenario, or a number is not one.
 */
export function checkScenario(name: string, size: ScenarioSize = {}): CheckScenario {
  const plan = PLANS.find((plan) => plan.name === name);
  if (plan === undefined) {
    throw new RangeError(`Unknown scenario '${name}': expected one of ${PLANS.map(({ name }) => name).join(", ")}`);
  }
  return carryOut(plan, size);
}

function carryOut({ name, summary, slot, used, accesses, update }: ScenarioPlan, size: ScenarioSize): CheckScenario {
  const { vcpus = 2, updates = 1 } = size;
  for (const [what, count] of Object.entries({ vcpus, updates })) {
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`Cannot make '${name}' with ${count} ${what}`);
  }
  const numbers = Array.from({ length: vcpus }, (_, vcpu) => vcpu);
  const before: Prelude[] = slot === undefined ? [] : [{ op: "memslot", ...slot }];
  return {
    name,
    summary,
    prelude: [...before, ...(used ? numbers.map((vcpu): Prelude => ({ op: "access", vcpu, ...READ })) : [])],
    vcpus: numbers.map(() => accesses),
    updates: Array.from({ length: updates }, (_, i) => update[i % 2]),
  };
}

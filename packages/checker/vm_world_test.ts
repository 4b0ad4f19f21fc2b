import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { auditStates, auditTouches, explore, replay } from "@mmu-lab/explorer";
import { generation, type InvalidationStrategy, narrowEra, STRATEGIES } from "@mmu-lab/invalidation";
import { type Profile, PROFILES, withStrategy } from "@mmu-lab/machine";
import { BUGS } from "./bugs/bugs.ts";
import type { CheckScenario } from "./check_scenario.ts";
import { CHECK_SCENARIOS, checkScenario } from "./scenarios.ts";
import { vmWorld } from "./vm_world.ts";
import type { UpdatePhase } from "@mmu-lab/memslots";
import { FAULT_RULES_3_11 } from "@mmu-lab/paging";
import type { Protocol, StateHasher } from "@mmu-lab/protocol";

/** The kernel with a generation of 3 bits. */
function narrow(name: string): Profile {
  const profile = PROFILES[name];
  return { ...profile, era: narrowEra(profile.era, 3) };
}

function check(profile: Profile, scenario: CheckScenario) {
  const world = () => vmWorld(profile, scenario);
  const report = explore(world);
  if (report.violation !== undefined) {
    assertEquals(replay(world, report.violation.schedule).violation, report.violation.message);
  }
  return report;
}

const SOUND: [profile: string, scenario: string][] = [
  ["linux_4_4_ept", "create-used"],
  ["linux_4_4_ept", "flags"],
  ["linux_5_13_ept", "create-used"],
  ["linux_6_1_npt_tdp", "create-used"],
  ["linux_6_1_npt_tdp", "flags"],
  ["linux_6_1_npt_legacy", "create-used"],
  ["linux_6_1_npt_legacy", "flags"],
  ["linux_4_10_npt_shadow", "flags"],
];

for (const [profile, scenario] of SOUND) {
  for (const strategy of ["generation", "hybrid", "fullWalk"]) {
    Deno.test(`${strategy} on ${profile} is sound in every interleaving of '${scenario}'`, () => {
      const kernel = withStrategy(narrow(profile), STRATEGIES[strategy].create, strategy);
      const report = check(kernel, CHECK_SCENARIOS[scenario]);
      assertEquals(report.violation, undefined);
      assert(report.exhaustive);
    });
  }
}

/** The same scenario with all accesses by L2, whose pages lead to the frames of the same numbers. */
function inL2(scenario: CheckScenario): CheckScenario {
  const accesses = [...scenario.vcpus.flat(), ...scenario.prelude.filter((step) => step.op === "access")];
  return {
    ...scenario,
    name: `${scenario.name} in L2`,
    ept: [...new Set(accesses.map(({ gfn }) => gfn))].map((gfn) => ({ page: gfn, gfn, bits: 7 })),
    prelude: scenario.prelude.map((step) => step.op === "access" ? { ...step, l2: true } : step),
    vcpus: scenario.vcpus.map((accesses) => accesses.map((access) => ({ ...access, l2: true }))),
  };
}

/** States that count as one behave as one, and steps touch no more than they say. */
function testAudits(name: string, scenario: CheckScenario): void {
  Deno.test(`states and steps of '${scenario.name}' on ${name} are what they say`, () => {
    const world = () => vmWorld(PROFILES[name], scenario);
    const states = auditStates(world, 400, 2013);
    assertEquals(states.mismatch, undefined);
    assert(states.pairs > 50, `${states.pairs} pairs`);
    const touches = auditTouches(world, 15, 2013);
    assertEquals(touches.mismatch, undefined);
    assert(touches.pairs > 20, `${touches.pairs} pairs`);
  });
}

const NESTED = ["linux_4_10_ept_nested", "linux_5_13_ept_nested", "linux_6_1_ept_legacy_nested"];
const ONE_VCPU = inL2(checkScenario("create-used", { vcpus: 1 }));
const BOTH_LEVELS: readonly CheckScenario[] = [BUGS.B19.scenario, ONE_VCPU];

for (const name of NESTED) {
  for (
    const [scenario, strategy] of BOTH_LEVELS.flatMap((one) => ["generation", "hybrid"].map((s) => [one, s] as const))
  ) {
    Deno.test(`${strategy} on ${name} with the fix of B19 is sound in every interleaving of '${scenario.name}'`, () => {
      const { era, cacheRule, ...profile } = PROFILES[name];
      const fixed: Profile = { ...profile, era, cacheRule: { ...cacheRule, nestedGpa: "never-compared" } };
      const report = check(withStrategy(fixed, STRATEGIES[strategy].create, strategy), scenario);
      assertEquals(report.violation, undefined);
      assert(report.exhaustive);
    });
  }

  for (const scenario of [BUGS.B19.scenario, inL2(CHECK_SCENARIOS.delete), inL2(CHECK_SCENARIOS["create-used"])]) {
    testAudits(name, scenario);
  }
}

Deno.test("generation on linux_4_10_npt_shadow is sound in every interleaving of 'create-used'", () => {
  const report = check(narrow("linux_4_10_npt_shadow"), CHECK_SCENARIOS["create-used"]);
  assertEquals(report.violation, undefined);
  assert(report.exhaustive);
});

Deno.test("none is unsound once a slot is created", () => {
  const kernel = withStrategy(narrow("linux_4_4_ept"), STRATEGIES.none.create, "none");
  assertStringIncludes(check(kernel, CHECK_SCENARIOS["create-used"]).violation!.message, "stale MMIO");
});

Deno.test("3.11 as released is unsound: the vCPU's cache outlives the memslots it was filled from (B01)", () => {
  const { violation } = check(narrow("linux_3_11_ept"), CHECK_SCENARIOS["create-used"]);
  assertStringIncludes(violation!.message, "stale MMIO");
});

Deno.test("3.11 with a better cache is unsound: an MMIO spte made from old slots gets the new number (B02)", () => {
  const fixed: Profile = {
    ...narrow("linux_3_11_ept"),
    cacheRule: { generation: "full", skipWhileInFlux: true },
    faultRules: { ...FAULT_RULES_3_11, unexpectedSpte: "retry" },
  };
  const { violation } = check(fixed, CHECK_SCENARIOS["create"]);
  assertStringIncludes(violation!.message, "stale MMIO");
});

Deno.test("3.17 is unsound: a spurious fault on a page that another vCPU has mapped kills the VM (B23)", () => {
  const { violation } = check(narrow("linux_3_17_ept"), CHECK_SCENARIOS["create-used"]);
  assertStringIncludes(violation!.message, "KVM_EXIT_UNKNOWN");
  assertEquals(violation!.preemptions, 1);
});

Deno.test("a strategy that forgets mmu_lock gets its counterexample", () => {
  const careless = (): InvalidationStrategy => ({
    ...STRATEGIES.none.create(PROFILES.linux_4_4_ept.era),
    name: "careless",
    // deno-lint-ignore require-yield
    *onMemslotUpdate(phase, change, mmu) {
      if (phase === "committed" && change.baseGfn === 0xd0000) mmu.zapMmioPages("mmio-cached");
    },
  });
  const kernel = withStrategy(narrow("linux_4_4_ept"), careless, "careless");
  const { violation } = check(kernel, CHECK_SCENARIOS["create-used"]);
  assertStringIncludes(violation!.message, "does not hold mmu_lock");
});

/** A generation of its own, which each update moves by one in a phase of its publications. */
class OwnNumber implements InvalidationStrategy {
  readonly maxGeneration = 7;
  #number = 0;

  constructor(readonly name: string, readonly phase: UpdatePhase) {}

  stamp(): number {
    return this.#number;
  }

  isCurrent(stored: number): boolean {
    return stored === this.#number;
  }

  // deno-lint-ignore require-yield
  *onMemslotUpdate(phase: UpdatePhase): Protocol<void> {
    if (phase === this.phase) this.#number = (this.#number + 1) % 8;
  }

  hashInto(hasher: StateHasher): void {
    hasher.add(this.#number);
  }
}

/** 5.13, whose vCPUs' caches are right, with a strategy that has a number of its own. */
function withOwnNumber(phase: UpdatePhase): Profile {
  return withStrategy(narrow("linux_5_13_ept"), () => new OwnNumber("ownNumber", phase), "ownNumber");
}

Deno.test("a strategy that reads the new generation early, before its memslots are visible, gets its counterexample", () => {
  const { violation } = check(withOwnNumber("publishing"), CHECK_SCENARIOS.create);
  assertStringIncludes(violation!.message, "stale MMIO");
});

Deno.test("a strategy that bumps after publishing gets its counterexample: an old spte is trusted, and then remembered", () => {
  const { violation } = check(withOwnNumber("published"), CHECK_SCENARIOS["create-used"]);
  assertStringIncludes(violation!.message, "stale MMIO");
});

for (const scenario of ["create-used", "flags"]) {
  Deno.test(`the idea of 2013 with the later fixes is sound in every interleaving of '${scenario}'`, () => {
    const kernel = withStrategy(narrow("linux_4_4_ept"), STRATEGIES.seedV2.create, "seedV2");
    const report = check(kernel, CHECK_SCENARIOS[scenario]);
    assertEquals(report.violation, undefined);
    assert(report.exhaustive);
  });
}

Deno.test("a strategy that never gives mmu_lock back gets its counterexample", () => {
  const greedy = (): InvalidationStrategy => ({
    ...generation(narrow("linux_4_4_ept").era.mmio!),
    name: "greedy",
    *onMemslotUpdate(phase, change, mmu) {
      if (phase === "committed" && change.baseGfn === 0xd0000) yield mmu.lock.acquire;
    },
  });
  const { violation } = check(withStrategy(narrow("linux_4_4_ept"), greedy, "greedy"), CHECK_SCENARIOS["create-used"]);
  assertStringIncludes(violation!.message, "memslot ioctl ends while it holds mmu_lock");
});

Deno.test("a strategy that trusts nothing is sound and makes no progress: every access takes the slow path", () => {
  const distrustful = (): InvalidationStrategy => ({
    ...STRATEGIES.none.create(PROFILES.linux_4_4_ept.era),
    name: "distrustful",
    isCurrent: () => false,
  });
  const uncached: Profile = {
    ...withStrategy(narrow("linux_4_4_ept"), distrustful, "distrustful"),
    cacheRule: { generation: "full", skipWhileInFlux: true },
  };
  const twoPages: CheckScenario = {
    ...CHECK_SCENARIOS["create-used"],
    vcpus: [[{ kind: "read", gfn: 0xd0000 }], [{ kind: "read", gfn: 0 }]],
    updates: [],
  };
  // gfn 0 is never remembered by the vCPU's cache, so that only its spte can answer.
  assertStringIncludes(check(uncached, twoPages).violation!.message, "liveness");
});

Deno.test("the TDP MMU of 6.1 is sound while a slot is deleted, in every interleaving with one vCPU", () => {
  const scenario = checkScenario("delete", { vcpus: 1 });
  const report = check(PROFILES["linux_6_1_npt_tdp"], scenario);
  assertEquals(report.violation, undefined);
  assert(report.exhaustive);
});

Deno.test("the legacy MMU of 6.1 is sound in every interleaving of 'create', and of 'delete' with one vCPU", () => {
  for (const scenario of [CHECK_SCENARIOS.create, checkScenario("delete", { vcpus: 1 })]) {
    const report = check(narrow("linux_6_1_npt_legacy"), scenario);
    assertEquals(report.violation, undefined);
    assert(report.exhaustive);
  }
});

for (const scenario of ["delete", "move"]) {
  Deno.test(`6.12 is sound in every interleaving of '${scenario}' with one vCPU, though only the slot's mappings go`, () => {
    const report = check(PROFILES["linux_6_12_npt_tdp_slotzap"], checkScenario(scenario, { vcpus: 1 }));
    assertEquals(report.violation, undefined);
    assert(report.exhaustive);
  });
}

Deno.test("6.1.187 is unsound in system management mode: its cache looks at the first address space (B20)", () => {
  const scenario: CheckScenario = {
    name: "smm",
    summary: "a slot is created in the second address space over a page that a vCPU remembers there",
    prelude: [{ op: "access", vcpu: 0, kind: "read", gfn: 0xd0000, smm: true }],
    vcpus: [[{ kind: "read", gfn: 0xd0000, smm: true }, { kind: "read", gfn: 0xd0000, smm: true }]],
    updates: [{ asId: 1, id: 1, gpa: 0xd0000000, size: 4096, flags: 0, userspaceAddr: 0x7f0000000000 }],
  };
  assertStringIncludes(check(PROFILES["linux_6_1_npt_tdp_187"], scenario).violation!.message, "stale MMIO");
  assertEquals(check(PROFILES["linux_6_1_npt_tdp"], scenario).violation, undefined);
});

const WITH_RULES_OF_6_1: [profile: string, scenario: CheckScenario][] = [
  ...Object.values(CHECK_SCENARIOS).map((scenario): [string, CheckScenario] => ["linux_6_1_npt_tdp", scenario]),
  ["linux_6_12_npt_tdp", CHECK_SCENARIOS.delete],
  ["linux_6_12_npt_tdp_slotzap", CHECK_SCENARIOS.delete],
  ...Object.values(CHECK_SCENARIOS).map((scenario): [string, CheckScenario] => ["linux_6_1_npt_legacy", scenario]),
  ["linux_6_12_npt_legacy_slotzap", CHECK_SCENARIOS.delete],
];

for (const [name, scenario] of WITH_RULES_OF_6_1) {
  testAudits(name, scenario);
}

/** Two vCPUs write a page that holds a table of their own, which KVM shadows. */
const WRITES_TO_A_TABLE: CheckScenario = {
  name: "writes to a table",
  summary: "a write beside a read-modify-write of a page with a shadowed table",
  prelude: [],
  tables: [{ page: 0, gfn: 0x20, bits: 0x67 }, { page: 0x30, gfn: 3, bits: 0x67 }],
  vcpus: [[{ kind: "rmw", gfn: 0x30 }], [{ kind: "write", gfn: 0x30 }]],
  updates: [],
};
/** Two vCPUs enter system management mode, one of which has used memory before. */
const INTO_SMM: CheckScenario = {
  name: "into SMM",
  summary: "vCPUs change their address space, and with it their roots",
  prelude: [
    { op: "memslot", id: 1, gpa: 0xd0000000, size: 4096, flags: 0, userspaceAddr: 0x7f0000000000 },
    { op: "access", vcpu: 1, kind: "read", gfn: 0xd0000 },
  ],
  vcpus: [[{ kind: "read", gfn: 0xd0000, smm: true }], [{ kind: "read", gfn: 0xd0000, smm: true }]],
  updates: [],
};

for (const name of ["linux_4_10_npt_shadow", "linux_6_1_npt_shadow", "linux_6_12_npt_shadow"]) {
  for (const scenario of [WRITES_TO_A_TABLE, INTO_SMM]) testAudits(name, scenario);
}

for (const profile of ["linux_4_4_ept", "linux_4_10_npt_shadow", "linux_6_12_npt_shadow"]) {
  for (const scenario of Object.values(CHECK_SCENARIOS)) {
    for (const strategy of ["generation", "hybrid", "fullWalk"]) {
      const where = `'${scenario.name}' on ${profile} under ${strategy}`;
      Deno.test(`states of ${where} that count as one behave as one`, () => {
        const kernel = withStrategy(narrow(profile), STRATEGIES[strategy].create, strategy);
        const { pairs, mismatch } = auditStates(() => vmWorld(kernel, { ...scenario, sweeps: 2 }), 400, 2013);
        assertEquals(mismatch, undefined);
        assert(pairs > 50, `${pairs} pairs`);
      });

      Deno.test(`steps of ${where} touch no more than they say`, () => {
        const kernel = withStrategy(narrow(profile), STRATEGIES[strategy].create, strategy);
        const { pairs, mismatch } = auditTouches(() => vmWorld(kernel, { ...scenario, sweeps: 2 }), 15, 2013);
        assertEquals(mismatch, undefined);
        assert(pairs > 20, `${pairs} pairs`);
      });
    }
  }
}

const WITH_AND_WITHOUT_SLEEP: [profile: string, scenario: CheckScenario][] = [
  ["linux_4_4_ept", CHECK_SCENARIOS["create-used"]],
  ["linux_4_4_ept", CHECK_SCENARIOS.flags],
  ["linux_4_10_npt_shadow", CHECK_SCENARIOS.flags],
  ["linux_4_10_npt_shadow", checkScenario("delete", { vcpus: 1 })],
];

for (const [profile, scenario] of WITH_AND_WITHOUT_SLEEP) {
  const { name, vcpus } = scenario;
  const where = `'${name}' on ${profile} with ${vcpus.length} vCPUs`;
  Deno.test(`every state of ${where} is met, in fewer runs, when steps say what they touch`, () => {
    const world = () => vmWorld(narrow(profile), scenario);
    const fewer = explore(world);
    const every = explore(() => Object.assign(world(), { saysWhatItTouches: () => false }));
    assertEquals(fewer.states, every.states);
    assert(fewer.runs < every.runs);
  });
}

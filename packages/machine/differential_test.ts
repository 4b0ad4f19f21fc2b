/**
 * Random operations on a VM, each compared with the flat oracle. A failure prints its seed and the last operations; the
 * same seed repeats it.
 *
 * @module
 */
import { generation, narrowEra } from "@mmu-lab/invalidation";
import { ERAS, type MmioGenerationRule } from "@mmu-lab/memslots";
import { Work } from "@mmu-lab/protocol";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { withStrategy } from "./profile.ts";
import { PROFILES } from "./profiles.ts";
import { DENSE, HUGE, type Place, runBesideOracle, SPARSE, strategyProfile } from "./testdata/random_run.ts";

/** The date of the letter. Any seed must do: change it to look elsewhere. */
const SEED = 20130401;

const SOUND = ["fullWalk", "fullWalkEveryPage", "generation", "hybrid", "seedV2"];
/** 100,000 operations for each strategy: the generation as it is, and cut short so that it goes round all the time. */
const WIDTHS: readonly (readonly [bits: number | undefined, operations: number])[] = [
  [undefined, 40_000],
  [4, 30_000],
  [3, 30_000],
];

for (const strategy of SOUND) {
  for (const [bits, operations] of WIDTHS) {
    const width = bits === undefined ? "" : ` with a generation of ${bits} bits`;
    Deno.test(`${strategy}${width} agrees with the flat oracle over ${operations} random operations`, () => {
      const profile = strategyProfile(PROFILES.linux_3_17_ept, strategy, bits);
      const { disagreement, vm } = runBesideOracle({ profile, seed: SEED, operations });
      assertEquals(disagreement, undefined);
      const wrapZaps = vm.mmu.counters.counts[Work.wrapZaps];
      assertEquals(wrapZaps > 0, strategy === "generation" || strategy === "seedV2");
    });
  }
}

const PLACES: Readonly<Record<string, Place>> = {
  "with few shadow pages": SPARSE,
  "with transparent huge pages": HUGE,
  "with hugetlbfs pages of 2 MiB": { ...HUGE, hostPages: "hugetlb-2m" },
};

for (const [where, place] of Object.entries(PLACES)) {
  for (const strategy of ["fullWalk", "generation", "hybrid"]) {
    Deno.test(`${strategy} agrees with the flat oracle ${where}`, () => {
      const profile = strategyProfile(PROFILES.linux_3_17_ept, strategy, 4);
      const { disagreement, vm, largeMappings } = runBesideOracle({ profile, seed: SEED, operations: 8_000, place });
      assertEquals(disagreement, undefined);
      if (place.hostPages === undefined) assert(vm.mmu.stats.mmu_recycled > 100);
      else assert(largeMappings > 0);
    });
  }
}

Deno.test("the kernels before the series and without prefetch agree with the flat oracle too", () => {
  const cache = PROFILES.linux_3_17_ept.cacheRule;
  for (const name of ["linux_3_10_ept", "linux_3_11_ept", "linux_3_11_ept_noad", "seed_v2"]) {
    const profile = { ...PROFILES[name], name: `${name} with the MMIO cache of 3.17`, cacheRule: cache };
    assertEquals(runBesideOracle({ profile, seed: SEED, operations: 10_000 }).disagreement, undefined);
  }
});

Deno.test("none disagrees with the flat oracle", () => {
  const profile = strategyProfile(PROFILES.linux_3_17_ept, "none");
  const { disagreement } = runBesideOracle({ profile, seed: SEED, operations: 10_000 });
  assertStringIncludes(disagreement ?? "", `linux_3_17_ept+none, seed ${SEED}`);
});

Deno.test("a generation that goes round without a zap disagrees with the flat oracle (B05)", () => {
  const era = narrowEra(ERAS.G2, 3);
  const rule: MmioGenerationRule = { ...era.mmio!, wrap: { kind: "at-least", value: era.mmio!.mask } };
  // Generations are even when an update is complete, so this value never comes.
  const profile = withStrategy({ ...PROFILES.linux_3_17_ept, era }, () => generation(rule), "neverWraps");
  assert(runBesideOracle({ profile, seed: SEED, operations: 30_000 }).disagreement !== undefined);
});

Deno.test("generation disagrees with the flat oracle under the MMIO cache of 3.11 (B01)", () => {
  const { disagreement } = runBesideOracle({ profile: PROFILES.linux_3_11_ept, seed: SEED, operations: 10_000 });
  assert(disagreement !== undefined);
  assert(
    runBesideOracle({ profile: PROFILES.linux_3_11_ept, seed: SEED, operations: 10_000, place: DENSE })
      .disagreement === disagreement,
    "the same seed repeats it",
  );
});

/**
 * How many transitions a second the explorer makes: one exploration an iteration, so transitions in it divided by the time
 * of an iteration.
 *
 * Run with `deno task bench`, or `deno bench -P=bench --filter=/transitions/ bench`.
 *
 * @module
 */
import { checkScenario, vmWorld } from "@mmu-lab/checker";
import { explore, type ExploreOptions } from "@mmu-lab/explorer";
import { narrowEra } from "@mmu-lab/invalidation";
import { PROFILES } from "@mmu-lab/machine";

const { era, ...rest } = PROFILES.linux_4_4_ept;
const kernel = { ...rest, era: narrowEra(era, 3) };

const EXPLORATIONS: readonly [name: string, vcpus: number, options: ExploreOptions][] = [
  ["every interleaving of 2 vCPUs", 2, {}],
  ["3 vCPUs, 1 preemption", 3, { preemptions: 1 }],
];

for (const [name, vcpus, options] of EXPLORATIONS) {
  const world = () => vmWorld(kernel, checkScenario("flags", { vcpus }));
  const { steps, states } = explore(world, options);
  Deno.bench(`${steps} transitions to ${states} states: ${name}`, { group: "explorer", warmup: 0, n: 5 }, () => {
    explore(world, options);
  });
}

/**
 * The command line of mmu-lab as an API: {@linkcode runLab} runs it on any {@linkcode Io}, and what its commands are made
 * of can be used without it: {@linkcode compareStrategies} races strategies on a scenario, {@linkcode loadStrategies}
 * takes them from modules.
 *
 * @example Race two strategies
 * ```ts
 * import { compareStrategies, defaultStrategies } from "@mmu-lab/lab";
 * import { PROFILES } from "@mmu-lab/machine";
 * import { WORKLOADS } from "@mmu-lab/workloads";
 * import { assert } from "@std/assert";
 *
 * const profile = PROFILES.linux_3_17_ept;
 * const scenario = WORKLOADS["many-pages"].generate({ pages: 256, vcpus: 1, seed: 0 });
 * const { entries } = defaultStrategies(profile);
 * const { strategies } = compareStrategies({ scenario, source: "here", written: false, profile, entries });
 * const [fullWalk, generation] = strategies.map(({ counters }) => counters);
 * assert(fullWalk.worstUpdateUnits > 10 * generation.worstUpdateUnits);
 * ```
 *
 * @module
 */
export * from "./command.ts";
export * from "./command_args.ts";
export * from "./commands.ts";
export * from "./comparison.ts";
export * from "./format_comparison.ts";
export * from "./guard_strategy.ts";
export * from "./input_error.ts";
export * from "./io.ts";
export * from "./judge.ts";
export * from "./load_scenario.ts";
export * from "./load_strategies.ts";
export * from "./measures.ts";
export * from "./run_lab.ts";
export * from "./run_scenario.ts";
export * from "./spte_record.ts";

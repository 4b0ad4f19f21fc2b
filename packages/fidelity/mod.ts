/**
 * Holds the model against a real kernel: carries out what a recording asked of KVM, and compares what came of it, event
 * by event. Also the walker of guest page tables against recorded walks and against the architecture's rules.
 *
 * @example
 * ```ts
 * import { align } from "@mmu-lab/fidelity";
 * import { assertEquals } from "@std/assert";
 *
 * const kernel = ["exit", "check", "mark"];
 * const model = ["exit", "mark"];
 * assertEquals(align(3, 2, (l, r) => kernel[l] === model[r]), [
 *   { left: 0, right: 0 },
 *   { left: 1, right: -1 },
 *   { left: 2, right: 1 },
 * ]);
 * ```
 *
 * @module
 */
export * from "./levels.ts";
export * from "./conformance.ts";
export * from "./comparison.ts";
export * from "./overlap/act.ts";
export * from "./overlap/follow_order.ts";
export * from "./overlap/explain_order.ts";
export * from "./conform_recording.ts";
export * from "./conform_trace.ts";
export * from "./choose_profile.ts";
export * from "./recorded_kernel.ts";
export * from "./kernel_signs.ts";
export * from "./comparable.ts";
export * from "./align.ts";
export * from "./page_renaming.ts";
export * from "./frame_renaming.ts";
export * from "./mask_frames.ts";
export * from "./places.ts";
export * from "./event_collector.ts";
export * from "./outcome.ts";
export * from "./compare_statistics.ts";
export * from "./walks/walk_vector.ts";
export * from "./walks/walk_replay.ts";
export * from "./walks/replay_walk_file.ts";
export * from "./access/architecture_rules.ts";
export * from "./access/access_cases.ts";
export * from "./access/access_check.ts";

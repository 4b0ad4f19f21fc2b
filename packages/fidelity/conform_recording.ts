import type { Profile } from "@mmu-lab/machine";
import type { Era } from "@mmu-lab/tracing";
import type { Recording } from "@mmu-lab/workloads";
import { Comparison } from "./comparison.ts";
import type { Conformance } from "./conformance.ts";
import { DEFAULT_LEVEL, type Level } from "./levels.ts";
import { explainOrder } from "./overlap/explain_order.ts";
import { recordedKernel } from "./recorded_kernel.ts";

/** Options of {@linkcode conformRecording}. */
export interface ConformOptions {
  /** The kernel and processor that the model is. */
  readonly profile: Profile;
  /** The highest level to compare; 2 unless told. */
  readonly level?: Level;
  /** How the recorded kernel prints; as the recording shows unless told, and as 3.11 if it does not. */
  readonly era?: Era;
  /** Name of the file, for messages. */
  readonly file?: string;
}

/**
 * Holds the model against a recording that is in memory, see {@linkcode Comparison}; `conformTrace` does it with one that
 * is not.
 *
 * @param recording What was asked of the kernel, and what it did.
 * @param options The model, and how closely to look.
 * @throws As {@linkcode Comparison.push} does.
 */
export function conformRecording(recording: Recording, options: ConformOptions): Conformance {
  const seen = recordedKernel(recording);
  const { prefixed, hidden } = seen.signs;
  const { level = DEFAULT_LEVEL, era = seen.era ?? "3.11" } = options;
  const how = { ...options, level, era, prefixed, hidden, telling: new Map() };
  const comparison = new Comparison(how);
  for (const stretch of recording.stretches) comparison.push(stretch);
  const conformance = comparison.result();
  if (!comparison.overlaps || conformance.mismatches.length === 0) return conformance;
  return explainOrder(recording.stretches, how).result();
}

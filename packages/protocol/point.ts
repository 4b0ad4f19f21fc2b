import type { Step } from "./step.ts";

/**
 * A named place where another CPU could run, and nothing else: always enabled, changes nothing.
 *
 * @param name What the actor does next, in the kernel's words.
 * @param joins Whether an explorer may take it as one with a neighbour, see {@linkcode Step.joins}.
 * @returns A frozen step, meant to be made once per module and shared.
 *
 * @example
 * ```ts
 * import { point, type Protocol } from "@mmu-lab/protocol";
 *
 * const READ_GENERATION = point("read memslots->generation");
 *
 * function* readTwice(slots: { generation: number }): Protocol<boolean> {
 *   const first = slots.generation;
 *   yield READ_GENERATION;
 *   return slots.generation === first;
 * }
 * ```
 */
export function point(name: string, joins?: Step["joins"]): Step {
  return Object.freeze({ name, ...(joins === undefined ? {} : { joins }), enabled: always, take: nothing });
}

function always(): boolean {
  return true;
}

function nothing(): void {}

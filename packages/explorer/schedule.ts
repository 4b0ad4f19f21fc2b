/**
 * A schedule: who took each step, as actors by their place in the world. Written as a short string of letters and
 * counts: `a12b3a` is 12 steps of the first actor, 3 of the second, and one of the first.
 *
 * @module
 */

import { Run } from "./run_of.ts";
import type { WorldFactory } from "./world.ts";

/** Writes a schedule as a string. */
export function formatSchedule(choices: readonly number[]): string {
  let text = "";
  for (let at = 0; at < choices.length;) {
    let end = at + 1;
    while (end < choices.length && choices[end] === choices[at]) end++;
    text += String.fromCharCode(97 + choices[at]) + (end - at > 1 ? end - at : "");
    at = end;
  }
  return text;
}

/**
 * Reads a schedule from a string.
 *
 * @param text What {@linkcode formatSchedule} wrote.
 * @param actors How many actors the world has.
 * @throws {SyntaxError} If it is no schedule, or names an actor that is not there.
 */
export function parseSchedule(text: string, actors: number): number[] {
  const choices: number[] = [];
  const pattern = /([a-z])(\d*)/y;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    const actor = match === null ? -1 : match[1].charCodeAt(0) - 97;
    if (match === null || actor >= actors) {
      const last = String.fromCharCode(96 + actors);
      throw new SyntaxError(
        `Cannot parse schedule '${text}' at '${
          text.slice(at, at + 10)
        }': expected a letter from a to ${last}, then a count`,
      );
    }
    const count = match[2] === "" ? 1 : Number(match[2]);
    for (let i = 0; i < count; i++) choices.push(actor);
  }
  return choices;
}

/**
 * How often a schedule takes the processor from an actor that could have gone on.
 *
 * @param factory Makes the world.
 * @param choices Who took each step.
 */
export function countPreemptions(factory: WorldFactory, choices: readonly number[]): number {
  const run = new Run(factory);
  let preemptions = 0;
  choices.forEach((actor, step) => {
    const last = choices[step - 1];
    if (step > 0 && last !== actor && run.isEnabled(last)) preemptions++;
    run.advance(actor);
  });
  return preemptions;
}

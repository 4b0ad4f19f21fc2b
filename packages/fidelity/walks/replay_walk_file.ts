import type { GuestWalkRules } from "@mmu-lab/paging";
import { formatWalkOutcome, WalkReplay } from "./walk_replay.ts";
import { parseWalkHeader, parseWalkVector, type WalkHeader } from "./walk_vector.ts";

/** A walk that did not come out as recorded. */
export interface WalkMismatch {
  /** Its line in the file, from 1. */
  readonly line: number;
  /** Its number. */
  readonly id: number;
  /** What the manual demands. */
  readonly expected: string;
  /** What the walker did. */
  readonly got: string;
}

/** What came of a file. */
export interface WalkFileResult {
  /** Walks in it. */
  readonly walks: number;
  /** Those that did not come out as recorded. */
  readonly mismatches: readonly WalkMismatch[];
}

/** A line is not what it should be. */
export class WalkSyntaxError extends SyntaxError {
  /** `WalkSyntaxError`. */
  override readonly name: string = "WalkSyntaxError";
  /** The line, from 1. */
  readonly line: number;

  /** Makes one. @param line The line. @param expected What was expected there, such as `expected a JSON object`. */
  constructor(line: number, expected: string, options?: ErrorOptions) {
    super(`line ${line}: ${expected}`, options);
    this.line = line;
  }
}

/**
 * Carries out all walks of a file, and compares.
 *
 * @param blocks The text of the file in blocks of whole lines, such as `readTraceLines` gives.
 * @param rules The choices of the kernel; `WALK_RULES_ARCHITECTURE` for those of the manual.
 * @throws {WalkSyntaxError} If a line is not what it should be, or there is none.
 */
export async function replayWalkFile(
  blocks: AsyncIterable<string>,
  rules: GuestWalkRules,
): Promise<WalkFileResult> {
  const mismatches: WalkMismatch[] = [];
  let line = 0;
  let walks = 0;
  let header: WalkHeader | undefined;
  let replay: WalkReplay | undefined;
  for await (const block of blocks) {
    for (const text of block.replace(/\n$/, "").split("\n")) {
      line++;
      try {
        if (header === undefined || replay === undefined) {
          header = parseWalkHeader(text);
          replay = new WalkReplay(header, rules);
          continue;
        }
        const vector = parseWalkVector(text, header);
        const expected = formatWalkOutcome(vector.expected);
        const got = formatWalkOutcome(replay.outcomeOf(vector));
        if (got !== expected) mismatches.push({ line, id: vector.id, expected, got });
        walks++;
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        throw new WalkSyntaxError(line, error.message, { cause: error });
      }
    }
  }
  if (header === undefined) throw new WalkSyntaxError(1, `expected a header, "header":1`);
  return { walks, mismatches };
}

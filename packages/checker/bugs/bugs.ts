import type { Bug } from "./bug.ts";
import { ENCODING_BUGS } from "./encoding_bugs.ts";
import { RACE_BUGS } from "./race_bugs.ts";
import { STALE_BUGS } from "./stale_bugs.ts";

/** The corpus: historical bugs by id, each a kernel put together wrongly in one part. */
export const BUGS: Readonly<Record<string, Bug>> = Object.fromEntries(
  [...STALE_BUGS, ...RACE_BUGS, ...ENCODING_BUGS]
    .sort((a, b) => a.id < b.id ? -1 : 1)
    .map((bug) => [bug.id, bug]),
);

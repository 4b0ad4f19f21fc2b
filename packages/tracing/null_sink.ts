import type { TraceSink } from "./sink.ts";

/** A sink that is off and keeps nothing. */
export const NULL_SINK: TraceSink = Object.freeze({ on: false, emit() {} });

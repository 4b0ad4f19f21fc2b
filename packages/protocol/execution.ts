import { WorkCounters } from "./work_counters.ts";

/**
 * What the actors of one world share with the scheduler that drives them: who runs now, and the work done. Locks and
 * SRCU domains of a world are made with its execution.
 */
export class Execution {
  /** The actor whose code runs now; a scheduler sets it before it resumes a protocol. */
  actor = 0;
  /** Work done in this world, by all actors. */
  readonly counters: WorkCounters = new WorkCounters();
}

/**
 * The named points of the TDP MMU: where another CPU can run although `mmu_lock` is held, as it is held to read.
 *
 * @module
 */
import { point, type Step } from "@mmu-lab/protocol";

/** An entry was read; it is about to be compared and exchanged. */
export const EXCHANGE_SPTE: Step = point("compare and exchange the spte");
/** An entry is frozen (`REMOVED_SPTE`), its mappings flushed; it is about to be cleared. */
export const CLEAR_REMOVED_SPTE: Step = point("clear the removed spte");

/**
 * The named points of the fault path: places where another CPU can run, beside the locks and SRCU sections. Facts sheet
 * 11: slot lookup and generation read are two steps, so are publication and wrap zap, cache fill and lock.
 *
 * @module
 */
import { point, type Step } from "@mmu-lab/protocol";

/** The per-vCPU MMIO cache is about to be compared. */
export const CHECK_MMIO_CACHE: Step = point("look at the vCPU's MMIO cache");
/** The shadow tables are about to be read without a lock. */
export const LOCKLESS_WALK: Step = point("walk the shadow tables without lock");
/** The memslot generation is about to be read, to judge an MMIO spte. */
export const CHECK_GENERATION: Step = point("read the generation to check an MMIO spte");
/** The memslots are about to be searched for the faulting gfn. */
export const LOOK_UP_SLOT: Step = point("look up the memslot of the gfn");
/** The per-vCPU MMIO cache is about to be filled. */
export const FILL_MMIO_CACHE: Step = point("fill the vCPU's MMIO cache");
/** Under `mmu_lock`: the memslot generation is about to be read, to stamp an MMIO spte. */
export const STAMP_MMIO_SPTE: Step = point("read the generation and write the MMIO spte");
/** The guest's own page tables are about to be walked, and accessed and dirty bits set in them. */
export const WALK_GUEST_TABLES: Step = point("walk the guest's page tables");
/** Whether anything below the root may be out of date is about to be looked up without a lock. */
export const LOOK_FOR_UNSYNC: Step = point("look whether the root must be synced");

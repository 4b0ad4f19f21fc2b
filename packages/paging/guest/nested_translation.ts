import type { Gfn } from "@mmu-lab/memslots";
import { PFERR_USER } from "../fault/pferr.ts";
import { type GuestFault, GuestWalker } from "./guest_walker.ts";
import { walkAddr } from "./walk_addr.ts";
import type { GpaTranslator, WalkMmu } from "./walk_mmu.ts";

/**
 * The second dimension as a walk of its own: of the tables that a guest hypervisor keeps for its guest, EPT or AMD's
 * nested ones. Such walks are always a user's (`translate_nested_gpa`).
 *
 * With n levels of tables whose addresses go through m levels each, a walk reads (n + 1)(m + 1) - 1 entries: 24 for 4
 * and 4.
 */
export class NestedTranslation implements GpaTranslator {
  /** What the last translation left behind. */
  readonly walker: GuestWalker = new GuestWalker();
  /** Why the last translation failed. */
  readonly fault: GuestFault = this.walker.fault;
  /** The tables of the hypervisor in the guest. */
  readonly mmu: WalkMmu;

  /** Makes one. @param mmu The tables of the hypervisor in the guest. */
  constructor(mmu: WalkMmu) {
    this.mmu = mmu;
  }

  translateGfn(gfn: Gfn, access: number): Gfn {
    const walked = walkAddr(this.mmu, this.walker, gfn << 12, (gfn / 0x100000) | 0, access | PFERR_USER);
    return walked ? this.walker.gfn : -1;
  }
}

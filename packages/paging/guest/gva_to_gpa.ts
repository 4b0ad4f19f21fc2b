import type { GuestWalker } from "./guest_walker.ts";
import { walkAddr } from "./walk_addr.ts";
import type { WalkMmu } from "./walk_mmu.ts";

/**
 * Translates an address for the emulator or for KVM itself (`FNAME(gva_to_gpa)`): the walk of a fault, and all that it
 * does, accessed and dirty bits included.
 *
 * @param lo Bits 31:0 of the address. @param hi Bits 63:32. @param access PFERR bits of the access.
 * @returns The guest-physical address below 2^52, or -1 (`UNMAPPED_GVA`): then `walker.fault` says why.
 */
export function gvaToGpa(mmu: WalkMmu, walker: GuestWalker, lo: number, hi: number, access: number): number {
  return walkAddr(mmu, walker, lo, hi, access) ? walker.gfn * 4096 + (lo & 0xfff) : -1;
}

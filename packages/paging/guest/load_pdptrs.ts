import { addressHi, addressLo } from "@mmu-lab/spte-encoding";
import { PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import type { WalkMmu } from "./walk_mmu.ts";

/**
 * Loads the four PDPTEs of PAE, as the processor does when CR3 is loaded (`load_pdptrs`; architecture: SDM 4.4.1). They
 * stay in use until the next time, whatever becomes of the table.
 *
 * @param cr3 Bits 31:0 of CR3; bits 31:5 say where the table lies.
 * @returns Whether they are loaded; if not, none is, and the instruction that loads CR3 gets #GP: one of them is present
 * and has a reserved bit, or there is no memory.
 */
export function loadPdptrs(mmu: WalkMmu, cr3: number): boolean {
  const { tables, nested } = mmu;
  const { pdpteReserved } = mmu.role;
  let gfn = cr3 >>> 12;
  if (nested !== undefined) gfn = nested.translateGfn(gfn, PFERR_USER | PFERR_WRITE);
  if (gfn < 0) return false;
  const table = tables.find(addressLo(gfn), addressHi(gfn));
  if (table < 0) return false;
  const first = table | (((cr3 >>> 5) & 127) << 3);
  const loaded = tables.lanes.subarray(first, first + mmu.pdptrs.length);
  for (let at = 0; at < loaded.length; at += 2) {
    const bad = (loaded[at] & pdpteReserved[0]) | (loaded[at + 1] & pdpteReserved[1]);
    if ((loaded[at] & 1) !== 0 && bad !== 0) return false;
  }
  mmu.pdptrs.set(loaded);
  mmu.rootLo = cr3;
  mmu.rootHi = 0;
  return true;
}

import { addressHi, addressLo } from "@mmu-lab/spte-encoding";
import { PFERR_USER, PFERR_WRITE } from "../pferr.ts";
import { reservedLane } from "./reserved_bits.ts";
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
  const { reserved } = mmu.role;
  let gfn = cr3 >>> 12;
  if (nested !== undefined) gfn = nested.translateGfn(gfn, PFERR_USER | PFERR_WRITE);
  if (gfn < 0) return false;
  const lane = reservedLane(false, 3);
  const loaded = new Int32Array(mmu.pdptrs.length);
  for (let n = 0; n < 4; n++) {
    if (tables.read8(addressLo(gfn), addressHi(gfn), ((cr3 >>> 5) & 127) * 4 + n) < 0) return false;
    const { lo, hi } = tables;
    if ((lo & 1) !== 0 && ((lo & reserved[lane]) | (hi & reserved[lane | 1])) !== 0) return false;
    loaded[2 * n] = lo;
    loaded[2 * n + 1] = hi;
  }
  mmu.pdptrs.set(loaded);
  mmu.rootLo = cr3;
  mmu.rootHi = 0;
  return true;
}

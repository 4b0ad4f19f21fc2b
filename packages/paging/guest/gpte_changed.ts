import { Work } from "@mmu-lab/protocol";
import { addressHi, addressLo } from "@mmu-lab/spte-encoding";
import type { GuestWalker } from "./guest_walker.ts";
import type { WalkMmu } from "./walk_mmu.ts";

/**
 * Whether the entry of a level is no longer what the walk left of it, or cannot be read any more (`FNAME(gpte_changed)`).
 * The shadow MMU asks once it has write-protected a table, since the guest may have written to it meanwhile.
 *
 * @param level A level that the last walk of `walker` read.
 */
export function gpteChanged(mmu: WalkMmu, walker: GuestWalker, level: number): boolean {
  const { tables, counters, role } = mmu;
  const gfn = walker.tableGfn(level);
  const table = tables.find(addressLo(gfn), addressHi(gfn));
  if (table < 0) return true;
  counters.counts[Work.gptesRead]++;
  const index = walker.pteIndex(level, role.format);
  const at = table | (role.eightBytes ? index << 1 : index);
  if (tables.lanes[at] !== walker.pteLo(level)) return true;
  return role.eightBytes && tables.lanes[at | 1] !== walker.pteHi(level);
}

/**
 * What the shadow page of a table may allow at most: what the entries above it allow, or, by the rule of 3.11, what all
 * entries above the leaf do.
 *
 * @param level Level of the table, one that the last walk of `walker` read.
 * @returns Exec 1, write 2, user 4.
 */
export function tableAccess(mmu: WalkMmu, walker: GuestWalker, level: number): number {
  const { rules, format } = mmu.role;
  return walker.ptAccess(rules.tableAccess === "leaf" ? walker.level : level, format);
}

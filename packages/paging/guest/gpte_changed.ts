import { Work } from "@mmu-lab/protocol";
import type { GuestWalker } from "./guest_walker.ts";
import type { WalkMmu } from "./walk_mmu.ts";

/**
 * Whether the entry of a level is no longer what the walk left of it, or cannot be read any more (`FNAME(gpte_changed)`).
 * The shadow MMU asks once it has write-protected a table, since the guest may have written to it meanwhile.
 *
 * @param level A level that the last walk of `walker` read.
 */
export function gpteChanged(mmu: WalkMmu, walker: GuestWalker, level: number): boolean {
  const { tables, counters } = mmu;
  const slot = level - 1;
  const gpa = walker.pteGpa[slot];
  const gfn = Math.floor(gpa / 4096);
  const offset = gpa % 4096;
  const at = mmu.role.format.entryBytes === 8 ? tables.read8(gfn, offset / 8) : tables.read4(gfn, offset / 4);
  if (at < 0) return true;
  counters.counts[Work.gptesRead]++;
  return tables.lo !== walker.ptes[2 * slot] || tables.hi !== walker.ptes[2 * slot + 1];
}

/**
 * What the shadow page of a table may allow at most: what the entries above it allow, or, by the rule of 3.11, what all
 * entries above the leaf do.
 *
 * @param level Level of the table, one that the last walk of `walker` read.
 * @returns Exec 1, write 2, user 4.
 */
export function tableAccess(mmu: WalkMmu, walker: GuestWalker, level: number): number {
  return walker.ptAccess[(mmu.role.rules.tableAccess === "leaf" ? walker.level : level) - 1];
}

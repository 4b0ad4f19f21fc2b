import { FlatTables, type GpaTranslator, GuestRole, PAGING_4_LEVEL, WALK_RULES_6_1, WalkMmu } from "@mmu-lab/paging";
import { WorkCounters } from "@mmu-lab/protocol";
import { NULL_SINK } from "@mmu-lab/tracing";

/** First page that {@linkcode guestTables} maps, to the frame of the same number. */
export const FIRST_GFN = 0x100000;
/** Present, writable, user, accessed, dirty. */
const BITS = 0x67;
const LEVELS = 4;

/**
 * Makes guest tables of four levels that map pages from {@linkcode FIRST_GFN} on, all in use.
 *
 * @param pages How many tables, in frames from 0 on; the root is the first. @param nested A second dimension.
 * @returns What walks them, and how many tables of level 1 there are.
 */
export function guestTables(pages: number, nested?: GpaTranslator): { mmu: WalkMmu; mapped: number } {
  const tables = new FlatTables(pages + 2);
  let used = 1;
  let mapped = 0;
  for (; used < pages; mapped++) used = mapTable(tables, used, FIRST_GFN + mapped * 512);
  return { mmu: walkMmu(tables, nested), mapped };
}

/** Makes the tables of a second dimension for {@linkcode guestTables}: they map tables and pages to themselves. */
export function nestedTables(pages: number): WalkMmu {
  const tables = new FlatTables(2 * pages + 4);
  let used = 1;
  for (let gfn = 0; gfn < pages + 2; gfn += 512) used = mapTable(tables, used, gfn);
  for (let table = 0; table < pages; table++) used = mapTable(tables, used, FIRST_GFN + table * 512);
  return walkMmu(tables);
}

/** Maps the 512 pages from `gfn` on to themselves. @returns How many tables there are now. */
function mapTable(tables: FlatTables, used: number, gfn: number): number {
  let table = 0;
  for (let level = LEVELS; level > 1; level--) {
    const index = Math.floor(gfn / 512 ** (level - 1)) & 511;
    if (tables.read8(table, index)[0] === 0) tables.write8(table, index, (used++ << 12) | BITS, 0);
    table = tables.read8(table, index)[0] >>> 12;
  }
  for (let index = 0; index < 512; index++) {
    tables.write8(table, index, ((gfn + index) << 12) | BITS, (gfn + index) >>> 20);
  }
  return used;
}

function walkMmu(tables: FlatTables, nested?: GpaTranslator): WalkMmu {
  const role = GuestRole.ofPaging({
    format: PAGING_4_LEVEL,
    maxphyaddr: 46,
    cr0Wp: true,
    eferNx: true,
    gigabytePages: true,
  }, WALK_RULES_6_1);
  return new WalkMmu({
    role,
    tables,
    counters: new WorkCounters(),
    trace: NULL_SINK,
    vcpu: 0,
    ...(nested === undefined ? {} : { nested }),
  });
}

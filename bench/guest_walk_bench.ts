/**
 * Walks of guest tables by wall clock: 4 levels, in one dimension and in two.
 *
 * @module
 */
import { GuestWalker, NestedTranslation, PFERR_USER, PFERR_WRITE, walkAddr, type WalkMmu } from "@mmu-lab/paging";
import { seededRandom } from "@mmu-lab/protocol";
import { FIRST_GFN, guestTables, nestedTables } from "./guest_tables.ts";

/** Guest tables: a guest of half a gigabyte. */
const TABLES = 256;
const WALKS = 2 ** 12;

/** Walks to the same random pages in each round. */
function walks(mmu: WalkMmu, mapped: number, access: number): () => void {
  const random = seededRandom(1);
  const gfns = Int32Array.from({ length: WALKS }, () => FIRST_GFN + random(mapped * 512));
  const walker = new GuestWalker();
  return () => {
    for (let n = 0; n < gfns.length; n++) {
      if (!walkAddr(mmu, walker, gfns[n] << 12, gfns[n] >>> 20, access)) {
        throw new Error("Cannot measure: a walk failed");
      }
    }
  };
}

const group = `guest walks of 4 levels x ${WALKS}`;
const { mmu, mapped } = guestTables(TABLES);
const nested = guestTables(TABLES, new NestedTranslation(nestedTables(TABLES)));

Deno.bench({ group, baseline: true, name: "read by user mode", fn: walks(mmu, mapped, PFERR_USER) });
Deno.bench({ group, name: "write by the supervisor", fn: walks(mmu, mapped, PFERR_WRITE) });
Deno.bench({ group, name: "through tables of 4 levels: 24 entries", fn: walks(nested.mmu, nested.mapped, PFERR_USER) });

import { assert, assertEquals } from "@std/assert";
import { getPage } from "./get_page.ts";
import { directRole } from "./role.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";

Deno.test("getPage() finds a page by gfn and role, and passes over obsolete ones", () => {
  const tiny = new TinyMmu();
  tiny.locked(() => {
    const page = getPage(tiny.mmu, 0x200, directRole(1));
    assertEquals(getPage(tiny.mmu, 0x200, directRole(1)), page);
    const other = getPage(tiny.mmu, 0x200, directRole(2));
    assert(other !== page);
    assertEquals(tiny.mmu.stats.mmu_cache_miss, 3);
    tiny.mmu.validGen++;
    assert(getPage(tiny.mmu, 0x200, directRole(1)) !== page);
  });
});

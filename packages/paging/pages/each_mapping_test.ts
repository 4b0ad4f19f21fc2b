import { assertEquals } from "@std/assert";
import { eachMapping, eachSlotMapping } from "./each_mapping.ts";
import { levelOf } from "./role.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";

function slotOf(tiny: TinyLegacy) {
  return tiny.mmu.memslots[0].active.byId(0)!;
}

Deno.test("eachMapping() visits what maps a frame at one level, and no table, MMIO spte or other address space", () => {
  const tiny = new TinyLegacy();
  tiny.slot();
  for (const gfn of [5, 0x100]) tiny.handle(gfn);
  const visits = (asId: number, gfn: number, level: number) => {
    let count = 0;
    eachMapping(tiny.mmu, asId, gfn, level, () => ++count > 0);
    return count;
  };
  assertEquals([visits(0, 5, 1), visits(0, 9, 1), visits(0, 0x100, 1), visits(0, 0, 2), visits(1, 5, 1)], [
    1,
    0,
    0,
    0,
    0,
  ]);
});

Deno.test("eachSlotMapping() goes level by level, and says whether any visit asks for a flush", () => {
  const tiny = new TinyLegacy({ transparentHuge: true });
  tiny.slot({ size: 0x400000 });
  tiny.handle(0x205);
  tiny.slot({ size: 0x400000, flags: 1 });
  tiny.handle(3);
  const seen: string[] = [];
  const look = (flush: boolean) =>
    eachSlotMapping(tiny.mmu, slotOf(tiny), 1, 3, (mmu, page, index) => {
      seen.push(`${levelOf(mmu.pool.role[page])}:${index}`);
      return flush;
    });
  assertEquals([look(false), look(true)], [false, true]);
  assertEquals(seen, ["1:3", "2:1", "1:3", "2:1"]);
  assertEquals(eachSlotMapping(tiny.mmu, slotOf(tiny), 3, 3, () => true), false);
});

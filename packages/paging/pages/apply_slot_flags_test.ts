import { assertEquals } from "@std/assert";
import { applySlotFlags } from "./apply_slot_flags.ts";
import { SPTE_WRITABLE } from "./spte_bits.ts";
import { TinyLegacy } from "../testdata/tiny_legacy.ts";
import { TinyMmu } from "../testdata/tiny_mmu.ts";

function slotOf(tiny: TinyMmu) {
  return tiny.mmu.memslots[0].active.byId(0)!;
}

Deno.test("applySlotFlags() does nothing for a read-only slot, nor when more than flags has changed", () => {
  const tiny = new TinyLegacy();
  tiny.slot();
  tiny.handle(5);
  tiny.slot({ flags: 1 });
  for (const [slot, flagsOnly] of [[slotOf(tiny), false], [{ ...slotOf(tiny), flags: 3 }, true]] as const) {
    tiny.run(applySlotFlags(tiny.mmu, undefined, slot, flagsOnly));
    assertEquals(tiny.entry(5).lo & SPTE_WRITABLE, 2);
  }
});

Deno.test("applySlotFlags() of 3.11 takes write access whatever has changed, and collapses nothing", () => {
  const tiny = new TinyMmu();
  tiny.slot();
  tiny.fault(5);
  tiny.slot({ flags: 1 });
  tiny.run(applySlotFlags(tiny.mmu, undefined, slotOf(tiny), false));
  assertEquals(tiny.entry(5).lo & SPTE_WRITABLE, 0);
  const logged = slotOf(tiny);
  tiny.slot({ flags: 0 });
  tiny.run(applySlotFlags(tiny.mmu, logged, slotOf(tiny), true));
  assertEquals(tiny.mapped(5), "1:5");
});

import { assertEquals } from "@std/assert";
import { parseEventText } from "./parse_event.ts";
import { printEvent } from "./print_event.ts";
import { MMIO_PAGE_FAULT, SET_MEMORY_REGION, SET_MEMORY_REGION_RET, SWAP_MEMSLOTS } from "./probes.ts";

Deno.test("Probes print bare hexadecimal in 3.11 and 0x later", () => {
  const args = [10, 1, 0xe0000000, 0x1000, 0];
  assertEquals(printEvent(SET_MEMORY_REGION, -1, args, "3.11"), "slot=a flags=1 gpa=e0000000 size=1000");
  assertEquals(printEvent(SET_MEMORY_REGION, -1, args, "6.1"), "slot=10 flags=0x1 gpa=0xe0000000 size=0x1000");
  assertEquals(
    printEvent(SWAP_MEMSLOTS, -1, [0xffffff6a, 0xffffffff, 0], "4.10"),
    "as_id=0 gen_before=0xffffffffffffff6a",
  );
});

Deno.test("Return probes print a signed number in every era", () => {
  assertEquals(printEvent(SET_MEMORY_REGION_RET, -1, [-17], "3.11"), "ret=-17");
  assertEquals(printEvent(SET_MEMORY_REGION_RET, -1, [0], "6.12"), "ret=0");
});

Deno.test("MMIO_PAGE_FAULT is read without its location", () => {
  const text = "(handle_mmio_page_fault_common+0x0/0x300) addr=e0000000 direct=1 mmio_gva=0 mmio_gfn=e0000";
  const parsed = parseEventText("mmio_page_fault", text, "3.11");
  assertEquals(parsed?.event, MMIO_PAGE_FAULT);
  assertEquals(parsed?.values, { addr: 0xe0000000, direct: 1, mmio_gva: 0, mmio_gfn: 0xe0000 });
});

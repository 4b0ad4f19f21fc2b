import { assertEquals } from "@std/assert";
import { bareNumbers } from "./probe_numbers.ts";

Deno.test("bareNumbers() writes hexadecimal and decimal numbers bare, and leaves return values", () => {
  assertEquals(bareNumbers("slot=10 flags=0x1 gpa=0xd0000000"), "slot=a flags=1 gpa=d0000000");
  assertEquals(bareNumbers("sptep=0xffff880133480800 spte=0x0"), "sptep=ffff880133480800 spte=0");
  assertEquals(bareNumbers("ret=-22"), "ret=-22");
});

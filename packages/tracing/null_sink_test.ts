import { assertEquals } from "@std/assert";
import { KVM_ENTRY } from "./events_kvm.ts";
import { NULL_SINK } from "./null_sink.ts";

Deno.test("NULL_SINK is off and takes events", () => {
  assertEquals(NULL_SINK.on, false);
  NULL_SINK.emit(KVM_ENTRY, 0);
});

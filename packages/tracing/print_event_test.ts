import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Era, ERAS } from "./era.ts";
import { allEvents, eventSlots, eventValues, type TraceEvent } from "./event.ts";
import { type Field, packBytes } from "./field.ts";
import { KVM_MMU_ZAP_ALL_FAST } from "./events_kvmmmu.ts";
import { SVM_EXIT_BASE } from "./exit_reason.ts";
import { parseEventText, stripProbeLocation } from "./parse_event.ts";
import { printEvent, printEventValues } from "./print_event.ts";
import { RECORDED } from "./testdata/recorded.ts";

const SAFE = Number.MAX_SAFE_INTEGER;
const LANE = fc.integer({ min: 0, max: 0xffffffff });

function slotsOf(field: Field): fc.Arbitrary<readonly number[]> {
  switch (field.kind) {
    case "vcpu":
      return fc.constant([]);
    case "u64":
      return fc.tuple(LANE, LANE);
    case "bytes":
      return fc.uint8Array({ maxLength: 15 }).map((bytes) => packBytes(bytes));
    case "address":
      return fc.tuple(fc.integer({ min: -SAFE, max: SAFE }));
    case "int":
      return fc.tuple(fc.integer());
    case "sptep": // the direct map has 2^43 places from its start to the end of the address space
      return fc.tuple(fc.nat(2 ** 43));
    case "flag":
      return fc.tuple(fc.nat(1));
    case "bits": // 23: two rights bits never hold 3
      return fc.tuple(fc.nat(field.name === "rights" ? 23 : 0x7fff));
    case "enum":
      return fc.tuple(fc.oneof(fc.nat(100), fc.nat(0x410).map((code) => field.name === "reason" ? code : code % 3)));
    default:
      return fc.tuple(fc.nat(Math.floor(SAFE / 8)));
  }
}

const record = (event: TraceEvent): fc.Arbitrary<{ vcpu: number; args: number[] }> =>
  fc.record({ vcpu: fc.nat(255), args: fc.tuple(...event.fields.map(slotsOf)).map((slots) => slots.flat()) });

function checkRecord(event: TraceEvent, era: Era, vcpu: number, args: number[]): void {
  const values = eventValues(event, vcpu, args, era);
  const text = printEvent(event, vcpu, args, era);
  const parsed = parseEventText(event.name, text, era);
  assertEquals(parsed?.era, era);
  for (const [name, value] of Object.entries(parsed?.values ?? {})) assertEquals(value, values[name], name);
  const back = eventSlots(event, parsed?.values ?? {}, era);
  assertEquals(printEvent(event, back.vcpu, back.args, era), text);
}

for (const era of ERAS) {
  Deno.test(`printEvent() prints what parseEventText() reads back, for every event of ${era}`, () => {
    for (const event of allEvents().filter((event) => event.format(era))) {
      fc.assert(
        fc.property(record(event), ({ vcpu, args }) => checkRecord(event, era, vcpu, args)),
        { numRuns: 50 },
      );
    }
  });
}

Deno.test("printEvent() reads back SVM exit reasons", () => {
  for (const era of ERAS) {
    for (const event of allEvents().filter((event) => event.name === "kvm_exit")) {
      for (const code of [0x4e, 0x60, 0x7b, 0x400]) checkRecord(event, era, 0, [SVM_EXIT_BASE + code]);
    }
  }
});

Deno.test("printEventValues() reprints recorded text to the letter, by name and by slot", () => {
  for (const [era, name, text] of RECORDED) {
    const parsed = parseEventText(name, text, era);
    assert(parsed, name);
    const body = parsed.event.system === "probe" ? stripProbeLocation(text) : text;
    assertEquals(printEventValues(parsed.event, parsed.values, era), body);
    const { vcpu, args } = eventSlots(parsed.event, parsed.values, era);
    assertEquals(printEvent(parsed.event, vcpu, args, era), body);
  }
});

Deno.test("printEvent() rejects an era without the event", () => {
  assertThrows(
    () => printEvent(KVM_MMU_ZAP_ALL_FAST, -1, [0, 8], "3.11"),
    RangeError,
    "Cannot print event 'kvm_mmu_zap_all_fast': Linux 3.11 does not have it",
  );
});

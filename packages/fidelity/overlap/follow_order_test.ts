import { assertEquals, assertThrows } from "@std/assert";
import { PROFILES } from "@mmu-lab/machine";
import { parseTraceText } from "@mmu-lab/tracing";
import { type RecordedStretch, RecordingReader, runOperation, vmForScenario } from "@mmu-lab/workloads";
import { EventCollector } from "../event_collector.ts";
import { MisplacedActError } from "./act.ts";
import { followOrder } from "./follow_order.ts";

const BEGIN = [
  "7 tracing_mark_write: seq=0 op=scenario name=s7b cfg=tdp seed=0 vcpus=2 guest_paging=1g-identity",
  "7 tracing_mark_write: seq=1 op=memslot_create as=0 id=0 gpa=0x0 size=0x80000 flags=0",
  "7 tracing_mark_write: seq=1 op=done ret=0",
  "7 tracing_mark_write: seq=2 op=vcpu_create vcpu=0",
  "7 tracing_mark_write: seq=2 op=done ret=0",
  "7 tracing_mark_write: seq=3 op=vcpu_start vcpu=0",
  "7 tracing_mark_write: seq=3 op=done ret=0",
];

/** The stretches of a trace of lines `THREAD EVENT` behind {@linkcode BEGIN}. */
function stretches(lines: readonly string[]): RecordedStretch[] {
  const text = [...BEGIN, ...lines].map((line) => {
    const [, pid, event] = /^(\d+) (.*)$/.exec(line)!;
    return `     memslot_lab-${pid}     [001] .....         3984: ${event}\n`;
  }).join("");
  const reader = new RecordingReader();
  return [...parseTraceText(text)].map((line) => reader.push(line)).filter((stretch) => stretch !== undefined);
}

/** Carries out what comes behind {@linkcode BEGIN}; the model's events by operation. Acts of the first may be placed. */
function follow(lines: readonly string[], turns: Readonly<Record<number, number>> = {}): string[][] {
  const all = stretches(lines);
  const sink = new EventCollector();
  const profile = PROFILES["linux_6_1_npt_tdp"];
  const vm = vmForScenario({ ...all[0].header.setting, operations: [] }, profile, { trace: sink });
  for (const { operations } of all.slice(0, 3)) runOperation(vm, operations[0].operation);
  const isPresent = (lo: number, hi: number) => vm.mmu.isPresent(lo, hi);
  const context = { era: "6.1", layout: vm.mmu.layout, isPresent, bare: false, hidden: false } as const;
  const told: string[][] = [];
  for (const stretch of all.slice(3)) {
    sink.clear(() => true);
    const placed = new Map(Object.entries(turns).map(([act, turn]) => [Number(act), turn]));
    const placements = new Map([[stretch.operations[0].startLine, placed]]);
    followOrder({ vm, sink, context, telling: new Map(), placements }, stretch, (index, { events }) => {
      told[index] = events.filter(({ level }) => level <= 2).map(({ name }) => name);
    });
  }
  return told;
}

const READ = "8 tracing_mark_write: seq=4 op=read vcpu=0 gpa=0xd0000000 gva=0xd0000000 size=4";
const READ_DONE = "8 tracing_mark_write: seq=4 op=done ret=0 kind=mmio mmio_reads=1 mmio_writes=0 value=0xb5a5a5a5";
const CREATE = "9 tracing_mark_write: seq=5 op=memslot_create as=0 id=5 gpa=0xd0000000 size=0x1000 flags=0";
const CREATE_DONE = "9 tracing_mark_write: seq=5 op=done ret=0";
const MADE = "8 make_mmio_spte: (make_mmio_spte+0x0/0xa0 [kvm]) gfn=0xd0000 access=0x7";
const UPDATED = "9 memslots_updated: (kvm_arch_memslots_updated+0x0/0xb0 [kvm]) gen=0x4";

Deno.test("followOrder() lets the recorded order decide whether an access or a memslot update comes first", () => {
  const [accessFirst] = follow([READ, CREATE, MADE, UPDATED, CREATE_DONE, READ_DONE]);
  assertEquals(accessFirst.includes("make_mmio_spte"), true);
  const [updateFirst] = follow([READ, CREATE, UPDATED, CREATE_DONE, READ_DONE]);
  assertEquals(updateFirst.includes("make_mmio_spte"), false, "the page is memory by then");
});

Deno.test("followOrder() lets those go on who hold up others", () => {
  // The update waits for the reader of memslots that the access is.
  const told = follow([READ, CREATE, MADE, UPDATED, READ_DONE, CREATE_DONE]);
  assertEquals(told[1].at(-1), "set_memory_region_ret");
  assertEquals(told[0].at(-1), "kvm_userspace_exit");
});

Deno.test("followOrder() carries out what the recording does not tell of, and an operation alone", () => {
  const [access, update] = follow([READ, CREATE, CREATE_DONE, READ_DONE]);
  assertEquals([access.includes("kvm_exit"), update.includes("swap_active_memslots")], [true, true]);
  assertEquals(follow([READ, READ_DONE]), follow([READ, MADE, READ_DONE]));
});

const CREATED = [CREATE, CREATE_DONE];
const DELETE = "9 tracing_mark_write: seq=6 op=memslot_delete as=0 id=5 gpa=0xd0000000 size=0x1000 flags=0";
const DELETE_DONE = "9 tracing_mark_write: seq=6 op=done ret=0";
const SWAP = "9 swap_active_memslots: (kvm_swap_active_memslots+0x0/0x160 [kvm]) as_id=0";
const ZAP = "9 kvm_mmu_zap_all_fast: kvm-mmu-valid-gen 0 used_pages 0";

Deno.test("followOrder() lets others go on where a vCPU would try again for ever", () => {
  // The slot is invalid, and stays so until the deletion goes on: each fault says RETRY.
  const told = follow([...CREATED, DELETE, SWAP, ZAP, READ, READ_DONE, DELETE_DONE]);
  assertEquals(told[0].at(-1), "set_memory_region_ret");
  assertEquals(told[1].at(-1), "kvm_userspace_exit");
  assertEquals(told[1].length > 1000, true, `${told[1].length} events`);
});

Deno.test("followOrder() lets an act happen in the turn in which it is placed, earlier or later than else", () => {
  const FAULT = "8 mmu_page_fault: (kvm_mmu_page_fault+0x0/0x980 [kvm]) addr=0xd0000000 error_code=0x10000000c";
  // Turns 0 to 5; nothing tells whether the fault looks its slot up before the update or after it.
  const lines = [READ, CREATE, FAULT, UPDATED, CREATE_DONE, READ_DONE];
  assertEquals(
    follow(lines)[0].includes("make_mmio_spte"),
    false,
    "as late as can be, while nothing is known of steps",
  );
  assertEquals(follow(lines, { 8: 3 })[0].includes("make_mmio_spte"), true);
  assertEquals(follow(lines, { 8: 4 })[0].includes("make_mmio_spte"), false);
});

Deno.test("followOrder() refuses to place an act behind an event that comes after it, if somebody touched the same", () => {
  const lines = [READ, CREATE, MADE, UPDATED, CREATE_DONE, READ_DONE];
  // The update publishes its memslots in turn 3, and then it is too late to look them up without.
  assertThrows(() => follow(lines, { 2: 4 }), MisplacedActError, "in turn 4: an event of its thread shows");
  // Before that it might as well be late.
  assertEquals(follow(lines, { 2: 3 }), follow(lines));
});

Deno.test("followOrder() refuses to place an act before an event that it comes after, if somebody touched the same", () => {
  const EXIT =
    "8 kvm_exit: vcpu 0 reason npf rip 0x1002 info1 0x10000000c info2 0xd0000000 intr_info 0x0 error_code 0x0";
  const lines = [READ, CREATE, UPDATED, CREATE_DONE, EXIT, READ_DONE];
  // Turn 2 is that of the update: the fault looks the slot up before it, although it exits after it.
  assertThrows(() => follow(lines, { 8: 2 }), MisplacedActError, "in turn 4: an event of its thread shows");
});

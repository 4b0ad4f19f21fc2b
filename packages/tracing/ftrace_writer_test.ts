import { assertEquals } from "@std/assert";
import { KVM_ENTRY } from "./events_kvm.ts";
import { MARK_MMIO_SPTE } from "./events_kvmmmu.ts";
import { parseTraceText } from "./ftrace_parser.ts";
import { ftraceHeader, ftraceLine, writeFtrace } from "./ftrace_writer.ts";
import { FLUSH_SHADOW_MEMSLOT, SET_MEMORY_REGION_RET } from "./probes.ts";

Deno.test("ftraceLine() lays a line out as Linux 3.11 does", () => {
  const record = { event: KVM_ENTRY, vcpu: 0, sequence: 7731852553, args: [] };
  const recorded = "           <...>-277   [000] ....   7731852553: kvm_entry: vcpu 0";
  assertEquals(ftraceLine(record, { era: "3.11", pid: 276 }), recorded);
});

Deno.test("ftraceLine() lays a line out as Linux 6.1 does", () => {
  const marker = { marker: "seq=1 op=vm_create", sequence: 23 };
  const recorded = "     memslot_lab-284     [000] .....           23: tracing_mark_write: seq=1 op=vm_create";
  assertEquals(ftraceLine(marker, { era: "6.1", task: "memslot_lab", pid: 284 }), recorded);
});

Deno.test("ftraceLine() prints the location of a probe", () => {
  const ret = ftraceLine({ event: SET_MEMORY_REGION_RET, vcpu: -1, sequence: 1, args: [-17] }, { era: "3.11" });
  assertEquals(ret.slice(48), "set_memory_region_ret: (caller <- __kvm_set_memory_region) ret=-17");
  const flush = ftraceLine({ event: FLUSH_SHADOW_MEMSLOT, vcpu: -1, sequence: 1, args: [0, 0] }, { era: "6.1" });
  assertEquals(flush.slice(51), "flush_shadow_memslot: (kvm_arch_flush_shadow_memslot+0x0/0x0)");
});

Deno.test("ftraceHeader() states entries and CPUs in comments only", () => {
  for (const era of ["3.11", "6.1"] as const) {
    const lines = ftraceHeader({ era, cpus: 2, entries: 10, lost: 3 }).trimEnd().split("\n");
    assertEquals(lines[2], "# entries-in-buffer/entries-written: 10/13   #P:2");
    assertEquals(lines.every((line) => line.startsWith("#")), true);
  }
});

Deno.test("writeFtrace() writes what parseTraceText() reads", () => {
  const records = [
    { marker: "seq=7 op=read", sequence: 0 },
    { event: MARK_MMIO_SPTE, vcpu: 1, sequence: 1, args: [0x39b76 * 512, 0xe0000, 6, 0x7ff6b] },
  ];
  for (const era of ["3.11", "6.12"] as const) {
    const [marker, mark] = parseTraceText([...writeFtrace(records, { era, task: "lab" })].join(""));
    assertEquals([marker?.task, marker?.pid, marker?.cpu, marker?.text], ["lab", 1, 0, "seq=7 op=read"]);
    assertEquals([mark?.pid, mark?.cpu, mark?.timestamp, mark?.name], [3, 1, 1, "mark_mmio_spte"]);
    assertEquals(mark?.text, "sptep:ffff880039b76000 gfn e0000 access 6 gen 7ff6b");
  }
});

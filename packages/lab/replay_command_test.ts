import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DENO_IO } from "./deno_io.ts";
import { runLab } from "./run_lab.ts";
import { lab, MemoryIo } from "./testdata/memory_io.ts";

const RECORDED = new URL("../workloads/testdata/linux-6.1-tdp_s13.trace.txt.gz", import.meta.url).pathname;

/** A trace as `trace-cmd report` prints it, of one device page. */
const REPORT = `cpus=2
 qemu-system-x86-812   [001]  4711.100000: kvm_exit:             vcpu 0 reason EPT_MISCONFIG rip 0xffffffff81 info1 0x0000000000000000 info2 0x0000000000000000 intr_info 0x00000000 error_code 0x00000000
 qemu-system-x86-812   [001]  4711.100001: check_mmio_spte:      spte 7ff00000febf1016 kvm_gen 12 spte-gen 10 valid 0
 qemu-system-x86-812   [001]  4711.100002: mark_mmio_spte:       sptep:ffff888101234560 gfn febf1 access 6 gen 12
 qemu-system-x86-812   [001]  4711.100003: kvm_mmio:             mmio write len 4 gpa 0xfebf1018 val 0x1
`;

/** The same on AMD, as libtraceevent prints it: pointers with 0x, other names of exits, info for info1. */
const LIBTRACEEVENT = `cpus=2
   CPU 0/KVM-812   [001]  4711.100000: kvm_exit:             reason EXIT_NPF rip 0xffffffff81 info 10000000e febf1018
   CPU 0/KVM-812   [001]  4711.100001: check_mmio_spte:      spte 7ff80000febf1017 kvm_gen 12 spte-gen 10 valid 0
   CPU 0/KVM-812   [001]  4711.100002: mark_mmio_spte:       sptep:0xffff888101234560 gfn febf1 access 6 gen 12
   CPU 0/KVM-812   [001]  4711.100003: kvm_mmio:             mmio write len 4 gpa 0xfebf1018 val 0x1
CPU:1 [LOST 12 EVENTS]
   CPU 0/KVM-812   [001]  4711.100004: kvm_entry:            vcpu 0, rip 0xffffffff85
`;

/** The same by perf script, with stacks. */
const PERF = LIBTRACEEVENT.split("\n")
  .filter((line) => line.includes("KVM"))
  .map((line) =>
    line.replace(/KVM-812 +\[001\]/, "KVM   812 [001]").replace(/: (\w+): +/, ":      kvm:$1: ") +
    "\n\tffffffffc0a1b2c3 vcpu_enter_guest+0x5a3 (/lib/modules/kvm.ko)\n\n"
  )
  .join("");

async function replay(...args: string[]): Promise<{ code: number; io: MemoryIo }> {
  const io = new MemoryIo();
  io.readFile = (path) => DENO_IO.readFile(path);
  return { code: await runLab(["replay", ...args], io), io };
}

Deno.test("lab replay says what it could not infer, what is hot, and what each strategy would have cost", async () => {
  const { code, io } = await replay(RECORDED);
  assertEquals(code, 0, io.errors);
  assertStringIncludes(io.output, "633 events of an AMD processor");
  assertStringIncludes(io.output, "Inferred 14 MMIO accesses and 8 memslot updates. Could not\n  see accesses to RAM");
  assertStringIncludes(io.output, "\n0xe0000000      6       4                4\n");
  assertStringIncludes(io.output, "fullWalk  generation  hybrid");
});

Deno.test("lab replay takes what trace-cmd report prints", async () => {
  const { code, output, errors } = await lab("replay trace.txt", { files: { "trace.txt": REPORT } });
  assertEquals(code, 0, errors);
  assertStringIncludes(output, "4 events of an Intel processor, 0 seconds");
  assertStringIncludes(output, "0 were current, 1 stale (100.0 % refaults)");
});

for (const [tool, text] of Object.entries({ "trace-cmd report": LIBTRACEEVENT, "perf script": PERF })) {
  Deno.test(`lab replay takes what ${tool} prints of an AMD processor`, async () => {
    const { code, output, errors } = await lab("replay trace.txt", { files: { "trace.txt": text } });
    assertEquals(code, 0, errors);
    assertStringIncludes(output, "5 events of an AMD processor, 0 seconds");
    assertStringIncludes(output, "Inferred 1 MMIO accesses and 0 memslot updates.");
    assertStringIncludes(output, "0 were current, 1 stale (100.0 % refaults)");
  });
}

Deno.test("lab replay says that there are several VMs in a trace", async () => {
  const two = LIBTRACEEVENT + LIBTRACEEVENT.replaceAll("KVM-812", "KVM-977");
  const { output } = await lab("replay trace.txt", { files: { "trace.txt": two } });
  assertStringIncludes(output, "tell VMs apart: 1 threads are vCPUs whose number another thread has");
});

Deno.test("lab replay --json has summary, inference and comparison, with as many pages as asked for", async () => {
  const { io } = await replay(RECORDED, "--json", "--top", "1", "--strategies", "generation");
  const { version, summary, inferred, comparison } = JSON.parse(io.output);
  assertEquals([version, summary.pages.length, inferred.accesses], [1, 1, 14]);
  assert(inferred.couldNot.length > 3);
  assertEquals(comparison.strategies.map(({ name }: { name: string }) => name), ["generation"]);
});

const BAD_FILES = {
  "empty.txt": "# tracer: nop\n",
  "quiet.txt": " qemu-812 [001]  4711.1: kvm_entry: vcpu 0\n",
  "odd.txt": "cpus=2\n qemu-812 [001]  4711.1: mark_mmio_spte: sptep nowhere\n",
  "log.txt": "Nov 30 12:00:00 host kernel: kvm: Nested Virtualization enabled\n",
  "cut.txt": REPORT + " qemu-812 [0",
};

for (
  const [line, message] of [
    ["replay", "Name a trace; docs/record.md tells how to make one"],
    ["replay a b", "Unexpected argument 'b': name one trace"],
    ["replay nowhere.txt", "Cannot read nowhere.txt"],
    ["replay empty.txt", "Cannot parse trace"],
    ["replay quiet.txt", "trace quiet.txt: expected at least one kvm_mmio event"],
    ["replay odd.txt", "Cannot parse trace line 2 of odd.txt: expected 'mark_mmio_spte:"],
    ["replay log.txt", "Cannot parse trace line 1 of log.txt"],
    ["replay cut.txt", "but the text ends within it (truncated)"],
  ]
) {
  Deno.test(`lab replay says what is wrong in one line: ${message}`, async () => {
    const { code, output, errors } = await lab(line, { files: BAD_FILES });
    assertEquals([code, output], [2, ""]);
    assertStringIncludes(errors, message);
    assertEquals(errors.trimEnd().split("\n").length, 1);
  });
}

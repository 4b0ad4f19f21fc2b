import { assertEquals, assertThrows } from "@std/assert";
import { parseTraceText } from "@mmu-lab/tracing";
import { readRecording } from "@mmu-lab/workloads";
import { chooseProfile } from "./choose_profile.ts";

function recordingOf(event: string) {
  const line = (text: string) => `           <...>-211   [000] ...2   21886: ${text}\n`;
  const trace = line(
    "tracing_mark_write: seq=0 op=scenario name=s1 cfg=tdp seed=0 vcpus=1 guest_paging=1g-identity",
  ) +
    line("tracing_mark_write: seq=5 op=read vcpu=0 gpa=0xd0000000 gva=0xd0000000 size=4") + line(event) +
    line("tracing_mark_write: seq=5 op=done ret=0 kind=mmio mmio_reads=1 mmio_writes=0 value=0x0");
  return readRecording(parseTraceText(trace));
}

Deno.test("chooseProfile() says what it saw when no profile fits", () => {
  const newer = recordingOf("make_mmio_spte: (make_mmio_spte+0x0/0x0) gfn=0xd0000 access=7");
  assertThrows(() => chooseProfile(newer), RangeError, "its events are those of 6.1 or later");
  const shadow = recordingOf("kvm_exit: vcpu 0 reason PF excp rip 0x1000 info1 0x0000000000000006 info2 0x2000");
  const [stretch] = shadow.stretches;
  const withMore = (text: string) => {
    const [more] = recordingOf(text).stretches;
    const events = more.operations.flatMap((operation) => operation.events);
    const operations = stretch.operations.map((operation) => ({
      ...operation,
      events: [...operation.events, ...events, ...mmio],
    }));
    return { ...shadow, stretches: [{ ...stretch, operations }] };
  };
  const mmio = recordingOf("kvm_mmio: mmio read len 4 gpa 0xd0000000 val 0x0").stretches[0].operations[0].events;
  const bit63 = "kvm_tdp_mmu_spte_changed: as id 0 gfn 0 level 4 old_spte 8000000000000000 new_spte 800000000a125907";
  assertEquals(chooseProfile(withMore(bit63)).name, "linux_6_12_npt_shadow_nocache");
  assertEquals(
    chooseProfile(withMore("swap_active_memslots: (x+0x0/0x0) as_id=0")).name,
    "linux_6_1_npt_shadow_nocache",
  );
  const made = "make_mmio_spte: (make_mmio_spte+0x0/0x0) gfn=0xd0000 access=7";
  assertEquals(chooseProfile(withMore(made)).name, "linux_6_1_npt_shadow");
  // Bits 44:40 set beside the gpa: where no processor of the recordings splits the gfn.
  const elsewhere = recordingOf("kvm_exit: vcpu 0 reason EPT_VIOLATION rip 0x1 info1 0x182 info2 0x0 ");
  const split = withMore("make_mmio_spte_ret: (x <- make_mmio_spte) spte=0x1f00d0000006");
  const onEpt = elsewhere.stretches[0].operations[0].events;
  const odd = {
    ...split,
    stretches: split.stretches.map((it) => ({
      ...it,
      operations: it.operations.map((operation) => ({
        ...operation,
        events: [...operation.events, ...recordingOf(made).stretches[0].operations[0].events, ...onEpt],
      })),
    })),
  };
  assertThrows(() => chooseProfile(odd), RangeError, "its MMIO sptes are those of no profile");
  const empty = recordingOf(
    "kvm_tdp_mmu_spte_changed: as id 0 gfn 0 level 4 old_spte 8000000000000000 new_spte 800000000a125907",
  );
  assertThrows(() => chooseProfile(empty), RangeError, "its events are those of 6.12");
  const ept = recordingOf("memslots_updated: (kvm_arch_memslots_updated+0x0/0x10) gen=0xffffffffffffff6c");
  assertThrows(() => chooseProfile(ept), RangeError, "it has no EPT violation, nested page fault or page fault exit");
  const unknown = recordingOf("kvm_entry: vcpu 0");
  assertThrows(() => chooseProfile(unknown), RangeError, "its events are those of an unknown kernel");
  const noExit = recordingOf("swap_memslots: (install_new_memslots+0x0/0x40) gen_before=0");
  assertThrows(
    () => chooseProfile(noExit),
    RangeError,
    "it has no EPT violation, nested page fault or page fault exit",
  );
});

Deno.test("chooseProfile() tells 6.12 by the inhibits that it names while the VM is made, the legacy MMU by the events that it lacks", () => {
  const made = (inhibits: string) => {
    const recording = recordingOf("kvm_exit: vcpu 0 reason npf rip 0x1000 info1 0x0000000200000006 info2 0x2000");
    const [stretch] = recording.stretches;
    const [operation] = stretch.operations;
    const [line] = operation.events;
    const creation = [{ ...line, name: "kvm_apicv_inhibit_changed", text: `set reason=0, inhibits=${inhibits}` }];
    const spte = { ...line, name: "make_mmio_spte", text: "(make_mmio_spte+0x0/0x0) gfn=0xd0000 access=7" };
    const operations = [{ ...operation, events: [...operation.events, spte] }];
    const header = { ...stretch.header, creation };
    return chooseProfile({ ...recording, stretches: [{ ...stretch, header, operations }] }).name;
  };
  assertEquals(made("0x5"), "linux_6_1_npt_legacy");
  assertEquals(made("0x1 DISABLED"), "linux_6_12_npt_legacy");
});

import { assert, assertEquals } from "@std/assert";
import { type Profile, PROFILES } from "@mmu-lab/machine";
import { nptBackend, type NptProcessor } from "@mmu-lab/svm-backend";
import { parseTraceText, type TraceLine } from "@mmu-lab/tracing";
import { readRecording, type Recording } from "@mmu-lab/workloads";
import { chooseProfile } from "./choose_profile.ts";
import { compareStatistics } from "./compare_statistics.ts";
import { conformRecording } from "./conform_recording.ts";
import { LEVELS } from "./levels.ts";

const TESTDATA = new URL("./testdata/", import.meta.url);

async function recordingText(path: string): Promise<string> {
  const file = await Deno.open(new URL(path, TESTDATA));
  return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).text();
}

async function read(path: string, change: (text: string) => string = (text) => text): Promise<Recording> {
  return readRecording(parseTraceText(change(await recordingText(path)), { file: path }), { file: path });
}

async function recordings(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(new URL(folder, TESTDATA))) {
    if (name.endsWith(".trace.txt.gz")) names.push(folder + name);
  }
  return names.sort();
}

const SETS: [folder: string, files: number, profile: Profile][] = [
  ["linux-3.11-ept/ept/", 15, PROFILES["linux_3_11_ept"]],
  ["linux-3.11-ept/ept-noad/", 8, PROFILES["linux_3_11_ept_noad"]],
  ["linux-3.11-ept/shadow-vmx/", 9, PROFILES["linux_3_11_shadow"]],
  ["linux-3.11/shadow/", 7, PROFILES["linux_3_11_npt_shadow"]],
  ["linux-3.11/npt/", 11, PROFILES["linux_3_11_npt"]],
  ["linux-4.10/npt/", 9, PROFILES["linux_4_10_npt"]],
  ["linux-4.10/shadow/", 5, PROFILES["linux_4_10_npt_shadow"]],
  ["linux-4.19/npt/", 8, PROFILES["linux_4_19_npt"]],
  ["linux-4.19/shadow/", 6, PROFILES["linux_4_19_npt_shadow"]],
  ["linux-6.1/tdp/", 9, PROFILES["linux_6_1_npt_tdp"]],
  ["linux-6.1/tdp-smp2/", 3, PROFILES["linux_6_1_npt_tdp"]],
  ["linux-6.1/shadow-smp2/", 3, PROFILES["linux_6_1_npt_shadow"]],
  ["linux-6.1/legacy-smp2/", 1, PROFILES["linux_6_1_npt_legacy"]],
  ["linux-6.1/tdp-nocache/", 2, PROFILES["linux_6_1_npt_tdp_nocache"]],
  ["linux-6.1/tdp-6.1.187/", 2, PROFILES["linux_6_1_npt_tdp_187"]],
  ["linux-6.1/legacy/", 7, PROFILES["linux_6_1_npt_legacy"]],
  ["linux-6.1/legacy-6.1.187/", 2, PROFILES["linux_6_1_npt_legacy_187"]],
  ["linux-6.1/shadow/", 7, PROFILES["linux_6_1_npt_shadow"]],
  ["linux-6.1/shadow-6.1.187/", 2, PROFILES["linux_6_1_npt_shadow_187"]],
  ["linux-6.1/legacy-nocache/", 2, PROFILES["linux_6_1_npt_legacy_nocache"]],
  ["linux-6.1/shadow-nocache/", 2, PROFILES["linux_6_1_npt_shadow_nocache"]],
  ["linux-6.1-ept/shadow-vmx/", 3, PROFILES["linux_6_1_vmx_shadow"]],
  ["linux-6.1-ept/ept-legacy/", 4, PROFILES["linux_6_1_ept_legacy"]],
  ["linux-6.1-ept/ept/", 4, PROFILES["linux_6_1_ept_tdp"]],
  ["linux-6.1-ept/ept-nocache/", 1, PROFILES["linux_6_1_ept_tdp_nocache"]],
  ["linux-6.1-ept/ept-nol1tf/", 1, PROFILES["linux_6_1_ept_tdp_nol1tf"]],
  ["linux-6.1-ept/ept-skx/", 2, PROFILES["linux_6_1_ept_tdp_pml"]],
  ["linux-6.12/tdp/", 8, PROFILES["linux_6_12_npt_tdp"]],
  ["linux-6.12/tdp-smp2/", 1, PROFILES["linux_6_12_npt_tdp"]],
  ["linux-6.12/shadow-smp2/", 1, PROFILES["linux_6_12_npt_shadow"]],
  ["linux-6.12/tdp-slotzap/", 7, PROFILES["linux_6_12_npt_tdp_slotzap"]],
  ["linux-6.12/legacy/", 4, PROFILES["linux_6_12_npt_legacy"]],
  ["linux-6.12/legacy-slotzap/", 4, PROFILES["linux_6_12_npt_legacy_slotzap"]],
  ["linux-6.12/shadow/", 4, PROFILES["linux_6_12_npt_shadow"]],
  ["linux-6.12/shadow-slotzap/", 4, PROFILES["linux_6_12_npt_shadow_slotzap"]],
  ["linux-6.12/shadow-vmx/", 1, PROFILES["linux_6_12_vmx_shadow"]],
  ["linux-6.12/tdp-nocache/", 2, PROFILES["linux_6_12_npt_tdp_nocache"]],
  ["linux-6.12/shadow-nocache/", 2, PROFILES["linux_6_12_npt_shadow_nocache"]],
  ["linux-6.12/ept/", 4, PROFILES["linux_6_12_ept_tdp"]],
  ["linux-6.12/ept-slotzap/", 5, PROFILES["linux_6_12_ept_tdp_slotzap"]],
];

for (const [folder, files, profile] of SETS) {
  Deno.test(`conformRecording() agrees with every recording of ${folder} at levels 1 to 3`, async (t) => {
    const paths = await recordings(folder);
    assertEquals(paths.length, files);
    for (const path of paths) {
      await t.step(path, async () => {
        const recording = await read(path);
        assertEquals(chooseProfile(recording).name, profile.name);
        const { levels, mismatches } = conformRecording(recording, { profile, file: path, level: 3 });
        assertEquals(mismatches, []);
        for (const level of LEVELS) assertEquals(levels[level]!.matched, levels[level]!.total);
        // Without MMIO sptes level 1 is outcomes alone.
        const events = levels[1]!.total > recording.operations.length;
        assertEquals(events, profile.layout().cachingEnabled, "events were compared, not only outcomes");
        assert(levels[2]!.total > levels[1]!.total && levels[3]!.total > levels[2]!.total);
      });
    }
  });

  Deno.test(`conformRecording() counts what KVM's own statistics count in ${folder}`, async () => {
    for (const path of await recordings(folder)) {
      const { statistics } = conformRecording(await read(path), { profile });
      const text = await Deno.readTextFile(new URL(path.replace(".trace.txt.gz", ".stats.txt"), TESTDATA));
      const { differences, total } = compareStatistics(text, statistics);
      assertEquals(differences, [], path);
      assert(total >= 17, "most of what the model counts, the kernel does too");
    }
  });
}

Deno.test("conformRecording() loses the same writes as 3.11 did, and other kernels do not", async () => {
  const recording = await read("linux-3.11-ept/ept/s18.trace.txt.gz");
  const fixed = conformRecording(recording, { profile: PROFILES["linux_3_17_ept"], level: 1 });
  const outcomes = fixed.mismatches.filter(({ kernel }) => kernel.startsWith("ret="));
  assert(outcomes.some(({ kernel, model }) => kernel.includes("kind=mmio") && model.includes("kind=ram")));
});

for (const path of ["tdp/s15", "tdp/s16", "legacy/s15", "legacy/s16", "shadow/s15", "shadow/s16"]) {
  Deno.test(`conformRecording() tells 6.1.187 from 6.1.192 by ${path}: each agrees with its own recording alone`, async () => {
    const [mmu, name] = path.split("/");
    const [older, newer] = [PROFILES[`linux_6_1_npt_${mmu}_187`], PROFILES[`linux_6_1_npt_${mmu}`]];
    for (const [folder, other] of [[`${mmu}-6.1.187`, newer], [mmu, older]] as const) {
      const { levels } = conformRecording(await read(`linux-6.1/${folder}/${name}.trace.txt.gz`), { profile: other });
      assert(levels[1]!.matched < levels[1]!.total);
    }
  });
}

const OTHER_QUIRK = [
  ...[["tdp/s4", "npt_tdp_slotzap"], ["tdp-slotzap/s4", "npt_tdp"], ["ept-slotzap/s4", "ept_tdp"]],
  ...[["legacy-slotzap/s4", "npt_legacy"], ["shadow/s16", "npt_shadow_slotzap"], ["shadow-slotzap/s16", "npt_shadow"]],
];

for (const [path, other] of OTHER_QUIRK) {
  Deno.test(`conformRecording() tells by ${path} of 6.12 whether a slot takes all mappings along`, async () => {
    const recording = await read(`linux-6.12/${path}.trace.txt.gz`);
    const { levels } = conformRecording(recording, { profile: PROFILES[`linux_6_12_${other}`] });
    assert(levels[1]!.matched < levels[1]!.total);
  });
}

Deno.test("conformRecording() notices a processor that is not the recorded one", async () => {
  const manual = { maxPhyAddr: 40, maxPageLevel: 3, reservedFaultIsPresent: true, readModifyWrite: "write" } as const;
  const firstMismatch = (recording: Recording, processor: NptProcessor) => {
    const profile = { ...PROFILES["linux_3_11_npt"], backend: () => nptBackend(processor) };
    const { mismatches } = conformRecording(recording, { profile });
    return [mismatches.find(({ kernel }) => kernel !== "nothing")?.kernel, mismatches[0].level];
  };
  const recording = await read("linux-3.11/npt/s8.trace.txt.gz");
  // A fault for a reserved bit: 0xd by the manual.
  assertEquals(firstMismatch(recording, { ...manual, readModifyWrite: "read-then-write" }), [
    "kvm_exit: reason npf rip 0x101f info 10000000e f0000000",
    2,
  ]);
  // A read-modify-write, by its read: 0xe where it is one access.
  assertEquals(firstMismatch(recording, { ...manual, reservedFaultIsPresent: false }), [
    "kvm_exit: reason npf rip 0x1028 info 10000000c f0000010",
    2,
  ]);
});

/** Changes the first line of a recording that has `what`, which must be there. */
function tamper(what: string | RegExp, by: string): (text: string) => string {
  return (text) => {
    const changed = text.replace(what, by);
    assert(changed !== text, `the recording has ${what}`);
    return changed;
  };
}

const TAMPERED: [name: string, level: 1 | 2, change: (text: string) => string][] = [
  ["an outcome's kind", 1, tamper("kind=mmio", "kind=ram")],
  ["a value read", 1, tamper("value=0xb5a5a5a5", "value=0xb5a5a5a4")],
  ["a bit of a raw MMIO spte", 1, tamper(/spte=fff00000d0000b5e/, "spte=fff00000d0000b56")],
  ["the generation of a mark", 1, tamper(/gen 7ff6b/, "gen 7ff6c")],
  ["the validity of a check", 1, tamper("valid 0", "valid 1")],
  ["the page of an spte pointer, once", 1, tamper(/sptep:ffff8800[0-9a-f]{8}(?= gfn d0001)/, "sptep:ffff880012345008")],
  ["the index of an spte pointer", 1, tamper(/(sptep:ffff8800[0-9a-f]{5})008/, "$1010")],
  ["the reason of an exit", 2, tamper("reason EPT_MISCONFIG", "reason EPT_VIOLATION")],
  ["the qualification of an exit", 2, tamper("info 181", "info 182")],
  ["the gfn in a vCPU's cache", 2, tamper("mmio_gfn=d0000", "mmio_gfn=d0001")],
  ["the result of a fault", 2, tamper(/(mmio_page_fault_ret: .*) ret=2/, "$1 ret=1")],
  ["an event left out", 2, tamper(/.*vcpu_match_mmio.*\n/, "")],
  ["the generation before an update", 2, tamper("gen_before=3", "gen_before=4")],
];

for (const [name, level, change] of TAMPERED) {
  Deno.test(`conformRecording() notices ${name} that was changed by hand`, async () => {
    const path = "linux-3.11-ept/ept/s2.trace.txt.gz";
    const recording = await read(path, change);
    const { levels, mismatches } = conformRecording(recording, { profile: PROFILES["linux_3_11_ept"] });
    assert(levels[level]!.matched < levels[level]!.total);
    assertEquals(mismatches[0].level, level);
    if (level === 2) assertEquals(levels[1]!.matched, levels[1]!.total);
  });
}

const TAMPERED_NPT: [name: string, change: (text: string) => string][] = [
  ["EXITINFO1", tamper("info 10000000e e0000008", "info 10000000f e0000008")],
  ["EXITINFO2", tamper(/(npf .* info 1\w+ )e0000000/, "$1e0000008")],
  ["the error code that the exit handler prints", tamper("error_code 4\n", "error_code 6\n")],
  ["the high half of an error code", tamper("error_code=0x200000006", "error_code=0x100000006")],
  ["the generation in a vCPU's cache", tamper("mmio_gen=0xffffffffffffff6c", "mmio_gen=0xffffffffffffff6e")],
  ["the generation after an update", tamper("gen=0xffffffffffffff70", "gen=0xffffffffffffff72")],
];

for (const [name, change] of TAMPERED_NPT) {
  Deno.test(`conformRecording() notices ${name} that was changed by hand in a recording of nested paging`, async () => {
    const recording = await read("linux-4.10/npt/s3.trace.txt.gz", change);
    const { levels, mismatches } = conformRecording(recording, { profile: PROFILES["linux_4_10_npt"] });
    assertEquals(levels[2]!.total - levels[2]!.matched, 2);
    assertEquals(mismatches.map(({ level }) => level), [2]);
  });
}

/** Puts a line of s7b behind another; both are named by their time stamps. */
function moved(line: number, behind: number): (text: string) => string {
  return (text) => {
    const find = (stamp: number) => new RegExp(`^.* {2}${stamp}: .*\\n`, "m").exec(text)![0];
    const [from, to] = [find(line), find(behind)];
    return text.replace(from, "").replace(to, to + from);
  };
}

Deno.test("conformRecording() takes the recorded order for its schedule where operations overlap", async () => {
  const path = "linux-6.1/tdp-smp2/s7b.trace.txt.gz";
  const profile = PROFILES["linux_6_1_npt_tdp"];
  // A memslot update has begun when vCPU 1 reads (4256 to 4274): that MMIO spte is not trusted. Later, it would have been.
  const late = conformRecording(await read(path, moved(4255, 4274)), { profile });
  assertEquals(late.mismatches[0].kernel, "make_mmio_spte: gfn=0xd0000 access=0x7");
  assert(late.mismatches[0].model.startsWith("check_mmio_spte:"));
  // Whether it had left the guest by then nobody can tell.
  const same = conformRecording(await read(path, moved(4255, 4256)), { profile });
  assertEquals(same.mismatches, []);
});

const TAMPERED_LEVEL_3: [path: string, name: string, change: (text: string) => string][] = [
  ["linux-6.1/tdp/s14", "a bit of an entry that changes", tamper(/(new_spte [0-9a-f]+)e67/, "$1e65")],
  ["linux-6.1/tdp/s14", "the frame of a page, once", tamper(/(gfn 2 level 1 .*new_spte )[0-9a-f]+(?=e67)/, "$112345")],
  ["linux-6.1/tdp/s14", "a frame within a large page", tamper(/(gfn c0001 pfn [0-9a-f]+)1 level 2/, "$12 level 2")],
  ["linux-6.1/tdp/s14", "the frame of a table", tamper(/(level 3 old_spte 0 new_spte )[0-9a-f]+(?=827)/, "$112345")],
  [
    "linux-6.1/tdp/s14",
    "the page of an spte that is shown by address",
    tamper(/ at [0-9a-f]+(?=[0-9a-f]{3}\n)/, " at 123"),
  ],
  ["linux-6.1/tdp/s14", "the rights of an entry", tamper("(rwxu)", "(r-xu)")],
  ["linux-6.1/tdp/s14", "whether a page was made", tamper("sync new", "sync existing")],
  ["linux-6.1/tdp/s14", "a zap left out", tamper(/.*kvm_mmu_prepare_zap_page.*\n/, "")],
  [
    "linux-6.1/tdp/s14",
    "the entry that a fault is fixed in",
    tamper(/(fast_page_fault: .*sptep [0-9a-f]{13})008/, "$1010"),
  ],
  ["linux-6.1/tdp/s14", "what a fault is fixed to", tamper(/(fast_page_fault: .* new [0-9a-f]+)67 /, "$165 ")],
  ["linux-6.1/tdp/s14", "that a gfn has no frame", tamper("pfn 8000000000000000", "pfn 12345")],
  ["linux-3.11/npt/s8", "an entry of memory", tamper(/(mmu_spte_set: .*spte=[0-9a-f]+)c27\n/, "$1c25\n")],
  ["linux-3.11/npt/s8", "an entry of a table", tamper(/(mmu_spte_set: .*spte=[0-9a-f]+)027\n/, "$1007\n")],
  ["linux-3.11/npt/s8", "an entry of the guest's tables", tamper("pte a7 level 3", "pte e7 level 3")],
  ["linux-3.11/npt/s8", "what a walk is for", tamper("pferr 10 F", "pferr 12 W|F")],
  ["linux-4.10/npt/s8", "the level of a page", tamper(/(kvm_mmu_get_page: .*) 2 q0/, "$1 1 q0")],
  [
    "linux-3.11/shadow/s8",
    "where an accessed bit is set",
    tamper("set_accessed_bit: gpa 6000", "set_accessed_bit: gpa 6008"),
  ],
  ["linux-3.11/shadow/s8", "a dirty bit left out", tamper(/.*kvm_mmu_set_dirty_bit.*\n/, "")],
];

for (const [path, name, change] of TAMPERED_LEVEL_3) {
  Deno.test(`conformRecording() notices ${name}, changed by hand in ${path}, at level 3 alone`, async () => {
    const recording = await read(`${path}.trace.txt.gz`, change);
    const { levels, mismatches } = conformRecording(recording, { profile: chooseProfile(recording), level: 3 });
    assert(levels[3]!.matched < levels[3]!.total);
    assert(mismatches.every(({ level }) => level === 3));
    for (const level of [1, 2] as const) assertEquals(levels[level]!.matched, levels[level]!.total);
  });
}

Deno.test("conformRecording() leaves out what depends on when the host is interrupted", async () => {
  const recording = await read("linux-3.11-ept/ept/s1.trace.txt.gz");
  const interrupted: TraceLine = {
    ...recording.operations[5].events[0],
    name: "kvm_exit",
    text: "reason EXTERNAL_INTERRUPT rip 0x1002 info 0 800000ef",
  };
  const stretches = recording.stretches.map((stretch, i) => {
    const [operation] = stretch.operations;
    const events = [interrupted, ...operation.events];
    return i === 5 ? { ...stretch, operations: [{ ...operation, events }] } : stretch;
  });
  const { mismatches } = conformRecording({ ...recording, stretches }, { profile: PROFILES["linux_3_11_ept"] });
  assertEquals(mismatches, []);
});

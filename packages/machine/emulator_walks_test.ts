import { PAGING_4_LEVEL } from "@mmu-lab/paging";
import { type Era, printEvent, type TraceEvent, type TraceSink } from "@mmu-lab/tracing";
import { assertEquals } from "@std/assert";
import { type Guest, identityGuestPaging } from "./guest.ts";
import { PROFILES } from "./profiles.ts";
import { Vm } from "./vm.ts";

const [PML4, PDPT] = [0x2000, 0x3000];
const HVA = 0x7f0000000000;
const MMIO = 0xd0000000;

/** A guest with code, and with page tables in its memory that map it to itself by pages of 1 GiB. */
const GUEST: Guest = {
  paging: identityGuestPaging(PML4, [PDPT]),
  tables: { cr3: PML4, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp: true, gigabytePages: true } },
  code: { loopRip: 0x1000, resumeRip: 0x1002, ripOf: () => 0x1010, nextRipOf: () => 0x1012, outPort: 0x10 },
};

const TABLES = {
  hva: HVA,
  size: 0x8000,
  contents: [
    [PML4, PDPT | 7, 0] as const,
    ...Array.from({ length: 4 }, (_, i) => [PDPT + 8 * i, ((i << 30) >>> 0) + 0x87, 0] as const),
  ],
};

/** Events of guest walks, as the kernel prints them. */
class Walks implements TraceSink {
  readonly on = true;
  readonly lines: string[] = [];

  constructor(readonly era: Era) {}

  emit(event: TraceEvent, vcpu: number, ...args: number[]): void {
    if (!/pagetable_walk|paging_element|_bit$/.test(event.name)) return;
    this.lines.push(`${event.name.replace("kvm_mmu_", "")}: ${printEvent(event, vcpu, args, this.era).trim()}`);
  }
}

function machine(profile: string, era: Era): { vm: Vm; walks: Walks } {
  const walks = new Walks(era);
  const vm = new Vm(PROFILES[profile], { guest: GUEST, hostMemory: [TABLES], trace: walks });
  vm.createVcpu();
  vm.memslot({ id: 0, gpa: 0, size: 0x8000, flags: 0, userspaceAddr: HVA });
  vm.startVcpu(0);
  return { vm, walks };
}

const FETCH = [
  "pagetable_walk: addr 1010 pferr 10 F",
  "paging_element: pte 3027 level 4",
  "paging_element: pte a7 level 3",
];
const [READ, WRITE] = ["pferr 0", "pferr 2 W"];

/** A walk for an operand, whose entry the processor has marked before. */
function operand(gva: number, pferr: string, entry: string): string[] {
  return [
    `pagetable_walk: addr ${gva.toString(16)} ${pferr}`,
    "paging_element: pte 3027 level 4",
    `paging_element: pte ${entry} level 3`,
  ];
}

for (const profile of ["linux_3_11_npt", "linux_3_11_ept", "linux_4_10_npt"]) {
  Deno.test(`the emulator of ${profile} walks for the instruction and for each operand`, () => {
    const { vm, walks } = machine(profile, "3.11");
    vm.access(0, "read", MMIO, 4);
    assertEquals(walks.lines.splice(0), [...FETCH, ...operand(MMIO, READ, "c00000a7")]);
    vm.access(0, "write", MMIO, 4);
    assertEquals(walks.lines.splice(0), [...FETCH, ...operand(MMIO, WRITE, "c00000e7")]);
    vm.access(0, "rmw", MMIO + 4, 4);
    assertEquals(walks.lines, [
      ...FETCH,
      ...operand(MMIO + 4, READ, "c00000e7"),
      ...operand(MMIO + 4, WRITE, "c00000e7"),
    ]);
  });
}

for (const profile of ["linux_4_19_npt", "linux_6_1_npt_tdp", "linux_6_1_ept_legacy", "linux_6_12_ept_tdp"]) {
  Deno.test(`the emulator of ${profile} walks for an operand only where the fault was on another page`, () => {
    const { vm, walks } = machine(profile, "6.1");
    vm.access(0, "write", MMIO, 4);
    assertEquals(walks.lines.splice(0), FETCH);
    vm.access(0, "read", MMIO + 0x1ffe, 4);
    assertEquals(walks.lines, [...FETCH, ...operand(MMIO + 0x2000, READ, "c00000e7")]);
  });
}

Deno.test("the processor sets accessed and dirty bits in the guest's entries, and a read does not let a write by", () => {
  const { vm } = machine("linux_3_11_npt", "3.11");
  const entry = (gpa: number) => vm.host.words(vm.host.pfn(HVA + gpa))[(gpa % 4096) / 4];
  assertEquals([entry(PML4), entry(PDPT), entry(PDPT + 8)], [PDPT | 0x27, 0xa7, (1 << 30) | 0x87]);
  vm.access(0, "read", 0x4000, 4);
  assertEquals(entry(PDPT), 0xa7);
  vm.access(0, "write", 0x4000, 4);
  assertEquals(entry(PDPT), 0xe7);
});

Deno.test("a guest whose tables are not in its memory, or that has no code, is not walked for", () => {
  const walks = new Walks("3.11");
  const vm = new Vm(PROFILES.linux_3_11_npt, { trace: walks });
  vm.createVcpu();
  vm.access(0, "rmw", MMIO, 4);
  assertEquals(walks.lines, []);
});

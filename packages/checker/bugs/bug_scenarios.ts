/**
 * The scenarios in which the bugs of the corpus show: as small as each allows.
 *
 * @module
 */
import type { MemoryRegion } from "@mmu-lab/memslots";
import type { CheckScenario, Prelude } from "../check_scenario.ts";

const GFN = 0xd0000;
const READ = { kind: "read", gfn: GFN } as const;
/** The slot that makes the page RAM. */
const SLOT: MemoryRegion = { id: 1, gpa: GFN * 4096, size: 4096, flags: 0, userspaceAddr: 0x7f0000000000 };
/** A slot elsewhere, which nobody accesses: changing it moves the generation, and nothing else. */
const OTHER: MemoryRegion = { id: 2, gpa: 0x10000000, size: 4096, flags: 0, userspaceAddr: 0x7f0000100000 };
const LOGGED: MemoryRegion = { ...OTHER, flags: 1 };

const memslot = (region: MemoryRegion): Prelude => ({ op: "memslot", ...region });
const access = (vcpu: number): Prelude => ({ op: "access", vcpu, ...READ });

/** A slot is created over a page that one vCPU has used as MMIO, and uses again (B01). */
export const CREATE_USED_BY_ONE: CheckScenario = {
  name: "create-used-by-one",
  summary: "a slot is created over a page that the vCPU has used as MMIO",
  prelude: [access(0)],
  vcpus: [[READ]],
  updates: [SLOT],
};

/** A slot is created over a page that a vCPU touches for the first time, and then again (B02, B03). */
export const CREATE_UNUSED: CheckScenario = {
  name: "create-unused",
  summary: "a slot is created over a page that the vCPU has not touched yet",
  prelude: [],
  vcpus: [[READ, READ]],
  updates: [SLOT],
};

/**
 * For a generation of 3 bits that moves by 2 and is 4 when the vCPUs are there (G2): the page is used at number 0, becomes
 * RAM, and the update that runs takes the number to 0 again (B04).
 */
export const WRAP_TO_ZERO: CheckScenario = {
  name: "wrap-to-zero",
  summary: "an update takes the number to the one that an old MMIO spte carries, at which everything is zapped",
  prelude: [memslot(OTHER), memslot(LOGGED), access(0), memslot(SLOT), memslot(OTHER), memslot(LOGGED)],
  vcpus: [[READ]],
  updates: [OTHER],
};

/**
 * For a generation of 4 bits that moves by 4 (G3): the page is used, becomes RAM, and three updates later the number comes
 * round (B05).
 */
export const NUMBER_COMES_ROUND: CheckScenario = {
  name: "number-comes-round",
  summary: "updates take the number once round, to the one that an old MMIO spte carries",
  prelude: [access(0), memslot(SLOT), memslot(OTHER), memslot(LOGGED)],
  vcpus: [[READ]],
  updates: [OTHER],
};

/**
 * An update moves the number while a page is used that the vCPU's cache never remembers, so that only its spte can answer:
 * gfn 0 (B07).
 */
export const UPDATE_ELSEWHERE: CheckScenario = {
  name: "update-elsewhere",
  summary: "a slot is created elsewhere while gfn 0 is used as MMIO",
  prelude: [{ op: "access", vcpu: 0, kind: "read", gfn: 0 }],
  vcpus: [[{ kind: "read", gfn: 0 }]],
  updates: [OTHER],
};

/** A slot is created over a page that two vCPUs have used as MMIO; both touch it once more (B23). */
export const CREATE_USED_BY_BOTH: CheckScenario = {
  name: "create-used-by-both",
  summary: "a slot is created over a page that both vCPUs have used as MMIO",
  prelude: [access(0), access(1)],
  vcpus: [[READ], [READ]],
  updates: [SLOT],
};

/** A page without slot is used twice, and nothing else happens (B10). */
export const NO_UPDATE: CheckScenario = {
  name: "no-update",
  summary: "a page without slot is used twice, and nothing else happens",
  prelude: [],
  vcpus: [[READ, READ]],
  updates: [],
};

/** A slot that nobody has touched is deleted while two vCPUs touch it (B24). */
export const DELETE_UNUSED: CheckScenario = {
  name: "delete-unused",
  summary: "a slot that nobody has touched is deleted while two vCPUs touch it",
  prelude: [memslot(SLOT)],
  vcpus: [[READ], [READ]],
  updates: [{ ...SLOT, size: 0 }],
};

/**
 * For a generation of 3 bits that moves by 2 from 0 (G8): the update that runs takes the number round, while a vCPU uses a
 * page without slot for ever (B06).
 */
export const WRAP_BESIDE_ENDLESS: CheckScenario = {
  name: "wrap-beside-endless",
  summary: "an update takes the number round while a vCPU uses a page without slot for ever",
  prelude: [memslot(OTHER), memslot(LOGGED), access(0)],
  vcpus: [[READ]],
  endless: true,
  updates: [OTHER],
};

/** A page without slot whose address has one of the five highest bits that the host has (B12). */
export const HIGH_PAGE: CheckScenario = {
  name: "high-page",
  summary: "a page without slot near the top of the address space is used",
  prelude: [],
  vcpus: [[{ kind: "read", gfn: 0x800000 }]],
  updates: [],
};

/** A page of a slot is used twice, and nothing else happens (B18). */
export const RAM_IS_USED: CheckScenario = {
  name: "ram-is-used",
  summary: "a page of a slot is used twice, and nothing else happens",
  prelude: [memslot(SLOT)],
  vcpus: [[READ, READ]],
  updates: [],
};

/** A slot is created in the second address space, over a page that a vCPU has used there as MMIO, and uses again (B20). */
export const CREATE_IN_SMM: CheckScenario = {
  name: "create-in-smm",
  summary: "in system management mode, a slot is created over a page that the vCPU has used as MMIO",
  prelude: [{ op: "access", vcpu: 0, ...READ, smm: true }],
  vcpus: [[{ ...READ, smm: true }]],
  updates: [{ ...SLOT, asId: 1 }],
};

/** The frame that L1's EPT has at the page of L2 whose number is that of a device of L1. */
const BEHIND_L2 = 0xe0000;

/**
 * L1 uses a device; a page of L2 has the same number and leads to another frame, without slot, which L2 has used too. A slot
 * is created there, while L1 uses its device again, and then L2 its page (B19).
 */
export const CREATE_BEHIND_L2: CheckScenario = {
  name: "create-behind-l2",
  summary: "a slot is created over a frame that L2 has used as MMIO, at a page with the number of a device of L1",
  prelude: [{ op: "access", vcpu: 0, ...READ, l2: true }, access(0)],
  ept: [{ page: GFN, gfn: BEHIND_L2, bits: 7 }],
  vcpus: [[READ, { ...READ, l2: true }]],
  updates: [{ ...SLOT, gpa: BEHIND_L2 * 4096 }],
};

/** Present, writable, user, accessed, and not yet dirty. */
const CLEAN = 0x27;
/** The same, dirty. */
const DIRTY = 0x67;
/** A linear page, and a frame of RAM beside the guest's tables. */
const PAGE = 0x30;
const FRAME = 0x20;

/** The program rewrites a guest's entry, from RAM to a page without slot, while the vCPU reads and then writes (B25). */
export const REWRITE_TO_MMIO: CheckScenario = {
  name: "rewrite-to-mmio",
  summary: "an entry of the guest's page table, written by the program, leads from RAM to a page without slot",
  prelude: [],
  tables: [{ page: PAGE, gfn: FRAME, bits: CLEAN }],
  rewrites: [{ page: PAGE, gfn: GFN, bits: DIRTY }],
  vcpus: [[{ kind: "read", gfn: PAGE }, { kind: "write", gfn: PAGE }]],
  updates: [],
};

/** A page is used whose entry in the guest's table has neither accessed nor dirty bit (B27). */
export const CLEAN_ENTRY: CheckScenario = {
  name: "clean-entry",
  summary: "a page is used for the first time, and its accessed bit must be set",
  prelude: [],
  tables: [{ page: PAGE, gfn: FRAME, bits: 7 }],
  vcpus: [[{ kind: "read", gfn: PAGE }]],
  updates: [],
};

import type { MemoryRegion } from "@mmu-lab/memslots";
import { PAGING_4_LEVEL } from "@mmu-lab/paging";
import { FLAT_GUEST, type Guest } from "./guest.ts";
import type { HostRegion } from "./host_memory.ts";

const GPA = 0x7f_0000_0000;
const HVA = 0x7ffe_0000_0000;
const SIZE = 0x2000;
const GIGABYTE = 2 ** 30;
/** Present, writable, accessed, dirty; 1 GiB. The supervisor's. */
const PAGE = 0xe3;

/**
 * {@linkcode FLAT_GUEST} in long mode, for shadow paging, which with paging off ends at 4 GiB: page tables in its memory map
 * the first 512 GiB to themselves, 1 GiB at a time. It needs {@linkcode IDENTITY_TABLES} as host memory and
 * {@linkcode IDENTITY_SLOT} as memslot.
 */
export const IDENTITY_GUEST: Guest = {
  ...FLAT_GUEST,
  tables: { cr3: GPA, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp: true, gigabytePages: true } },
};

/** The memory with the two tables of {@linkcode IDENTITY_GUEST}. */
export const IDENTITY_TABLES: HostRegion = {
  hva: HVA,
  size: SIZE,
  contents: [
    [0, (GPA % 2 ** 32) + 0x1000 + 0x27, Math.floor(GPA / 2 ** 32)],
    ...Array.from({ length: 512 }, (_, i): [number, number, number] => [
      0x1000 + 8 * i,
      ((i * GIGABYTE) % 2 ** 32) + PAGE,
      Math.floor((i * GIGABYTE) / 2 ** 32),
    ]),
  ],
};

/** The memslot of {@linkcode IDENTITY_TABLES}, with the highest number that user space may use. */
export const IDENTITY_SLOT: MemoryRegion = { id: 0x7c, gpa: GPA, size: SIZE, flags: 0, userspaceAddr: HVA };

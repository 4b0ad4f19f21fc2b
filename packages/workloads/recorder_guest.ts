/**
 * The guest of the recordings, as the machine needs it: its page tables, the addresses of its code, the data it stores,
 * and the program that answers its MMIO.
 *
 * @module
 */
import {
  type AccessKind,
  type AccessSize,
  type Guest,
  identityGuestPaging,
  type MmioUserspace,
} from "@mmu-lab/machine";
import { PAGING_4_LEVEL } from "@mmu-lab/paging";
import { hexOf, mul64, type Words, wordsOf } from "./_mul64.ts";

const CODE_GPA = 0x1000;

/**
 * Lengths in bytes of the guest's code, in order. The loop is `outb %al, $0x10` and `jmp *%rdx`; each routine is the
 * instruction below and a `jmp` of 2 bytes back to the loop.
 */
const LOOP_BYTES = { out: 2, jmp: 2 } as const;
const JMP_BYTES = 2;
const ROUTINES: readonly (readonly [name: string, bytes: number])[] = [
  ["read1", 2], // movb (%rbx), %al
  ["read2", 3], // movw (%rbx), %ax
  ["read4", 2], // movl (%rbx), %eax
  ["read8", 3], // movq (%rbx), %rax
  ["write1", 2], // movb %al, (%rbx)
  ["write2", 3], // movw %ax, (%rbx)
  ["write4", 2], // movl %eax, (%rbx)
  ["write8", 3], // movq %rax, (%rbx)
  ["rmw4", 2], // addl %eax, (%rbx)
];

/** Where each routine begins, and where its `jmp` lies. */
const RIPS: ReadonlyMap<string, readonly [rip: number, next: number]> = (() => {
  const rips = new Map<string, readonly [number, number]>();
  let rip = CODE_GPA + LOOP_BYTES.out + LOOP_BYTES.jmp;
  for (const [name, bytes] of ROUTINES) {
    rips.set(name, [rip, rip + bytes]);
    rip += bytes + JMP_BYTES;
  }
  return rips;
})();

function ripsOf(kind: AccessKind, size: AccessSize): readonly [rip: number, next: number] {
  const rips = RIPS.get(kind + size);
  if (rips === undefined) {
    const sizes = kind === "rmw" ? "4 bytes" : "1, 2, 4 or 8 bytes";
    throw new RangeError(`Cannot ${kind} ${size} bytes: the guest of the recordings has code for ${sizes}`);
  }
  return rips;
}

const PML4 = 0x2000;
const PDPTS = [0x3000, 0x4000];
/** Present, writable, the user's. */
const TABLE = 7;
const GIGABYTE_PAGE = 0x87;

/** The page tables of {@linkcode RECORDER_GUEST} as it starts: gpa, low word, high word. */
export const RECORDER_1G_TABLES: readonly (readonly [gpa: number, low: number, high: number])[] = [
  ...PDPTS.map((gpa, i): [number, number, number] => [PML4 + 8 * i, gpa | TABLE, 0]),
  ...Array.from({ length: 1024 }, (_, i): [number, number, number] => [
    PDPTS[0] + 8 * i,
    (i * 2 ** 30) % 2 ** 32 + GIGABYTE_PAGE,
    Math.floor(i / 4),
  ]),
];

/**
 * The guest of the recordings: one loop in long mode. `OUT` hands control to user space, which sets `%rdx` to one of nine
 * routines, `%rbx` to the address and `%rax` to the data. Guest-virtual equals guest-physical below 1 TiB, through pages
 * of 1 GiB; so the processor touches some pages of its own accord: code 0x1000, tables 0x2000 and 0x3000, and 0x4000 above
 * 512 GiB, which only the recorder of Linux 6.1 on Intel has and uses.
 *
 * Its `ripOf` throws a `RangeError` for an access it has no code for: sizes are 1, 2, 4 and 8 bytes, and 4 for `rmw`.
 *
 * Source: guest.S and memslot_lab.c of the recordings.
 */
export const RECORDER_GUEST: Guest = {
  paging: identityGuestPaging(PML4, PDPTS),
  tables: { cr3: PML4, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp: true, gigabytePages: true } },
  code: {
    loopRip: CODE_GPA,
    resumeRip: CODE_GPA + LOOP_BYTES.out,
    ripOf: (kind, size) => ripsOf(kind, size)[0],
    nextRipOf: (kind, size) => ripsOf(kind, size)[1],
    outPort: 0x10,
  },
};

/**
 * The same guest for the recordings of shadow paging, with other contents of its tables: its code at its place, and
 * from 0x40000000 on a window of pages of 4 KiB that the program maps as it goes. CR0.WP is set, EFER.NX is not.
 */
export const RECORDER_4K_GUEST: Guest = RECORDER_GUEST;

/** Where the page tables of the window begin. */
const WINDOW_TABLES = 0x10000;
const WINDOW_TABLE_COUNT = 16;

/** The page tables of {@linkcode RECORDER_4K_GUEST} as it starts, nothing mapped in the window: gpa, low word, high word. */
export const RECORDER_4K_TABLES: readonly (readonly [gpa: number, low: number, high: number])[] = [
  [0x2000, 0x3007, 0],
  [0x3000, 0x4007, 0],
  [0x3008, 0x6007, 0],
  [0x4000, 0x5007, 0],
  [0x5008, CODE_GPA | 7, 0],
  ...Array.from(
    { length: WINDOW_TABLE_COUNT },
    (_, i): [number, number, number] => [0x6000 + 8 * i, (WINDOW_TABLES + 0x1000 * i) | 7, 0],
  ),
];

const READ_FACTOR: Words = [0x7f4a7c15, 0x9e3779b9];
const READ_MASK = 0xa5a5a5a5;
const STORE_FACTOR: Words = [0x05060708, 0x01020304];

/**
 * The program that ran the recordings: it answers an MMIO read of `gpa` with the low bytes of
 * `(gpa * 0x9E3779B97F4A7C15) ^ 0xA5A5A5A5A5A5A5A5` modulo 2^64, and ignores writes.
 */
export const RECORDER_USERSPACE: MmioUserspace = {
  read(gpa: number, data: Uint8Array, length: number): void {
    const [low, high] = mul64(wordsOf(gpa), READ_FACTOR);
    for (let i = 0; i < length; i++) data[i] = ((i < 4 ? low : high) ^ READ_MASK) >>> (8 * (i & 3));
  },
  write(): void {},
};

/**
 * What an operation of the recordings stores, or adds: `%rax` is 0x0102030405060708 times the operation's number, modulo
 * 2^64.
 *
 * @param seq The operation's number.
 * @param size Size of the access in bytes: as many low bytes are told.
 * @returns Hexadecimal with 0x, for an operation's `value`.
 */
export function recorderValue(seq: number, size: AccessSize): string {
  return hexOf(mul64(wordsOf(seq), STORE_FACTOR), size);
}

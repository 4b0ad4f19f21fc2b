/**
 * The rules of paging as the manual states them (Intel SDM volume 3, chapter 4), written down as plainly as possible and
 * without a thought for speed. The walker is held against them, so they share no code with it: values are `bigint`,
 * entries are looked at bit by bit, and the rules of access are sentences, one after the other.
 *
 * Left out: shadow stacks, protection keys of supervisor pages, PCIDs, and what AMD reserves that Intel does not.
 *
 * @module
 */

/** A paging mode (section 4.1.1). */
export type ArchitectureMode = "32-bit" | "PAE" | "4-level" | "5-level";

/** What the processor is set to. */
export interface ArchitectureState {
  /** The paging mode. */
  readonly mode: ArchitectureMode;
  /** MAXPHYADDR. */
  readonly maxphyaddr: bigint;
  /** CR0.WP. */
  readonly wp: boolean;
  /** CR4.PSE; counts in 32-bit paging. */
  readonly pse: boolean;
  /** CR4.SMEP. */
  readonly smep: boolean;
  /** CR4.SMAP. */
  readonly smap: boolean;
  /** CR4.PKE; counts in 4-level and 5-level paging. */
  readonly pke: boolean;
  /** IA32_EFER.NXE; counts where entries have 8 bytes. */
  readonly nxe: boolean;
  /** EFLAGS.AC. */
  readonly ac: boolean;
  /** PKRU. */
  readonly pkru: bigint;
  /** CPUID: pages of 1 GiB. */
  readonly gigabytePages: boolean;
  /** CPUID: PSE-36. */
  readonly pse36: boolean;
  /** CR3. */
  readonly cr3: bigint;
}

/** An explicit access of the program. */
export interface ArchitectureAccess {
  /** The linear address. */
  readonly linear: bigint;
  /** What it does. */
  readonly kind: "read" | "write" | "fetch";
  /** Whether it is a user-mode access (CPL 3). */
  readonly user: boolean;
}

/** An entry that a translation used. */
export interface UsedEntry {
  /** Its physical address. */
  readonly address: bigint;
  /** Its value. */
  readonly value: bigint;
}

/** What comes of an access. */
export type ArchitectureResult =
  | {
    readonly kind: "translated";
    /** The physical address. */
    readonly physical: bigint;
    /** Entries that now have the accessed flag set, the last of them the one that maps the page. */
    readonly used: readonly UsedEntry[];
  }
  | {
    readonly kind: "page-fault";
    /** The error code. */
    readonly error: bigint;
    /** Entries read before the fault, which may have got their accessed flag. */
    readonly used: readonly UsedEntry[];
  }
  | { readonly kind: "general-protection" };

/** Reads physical memory. @param address Physical. @param bytes 4 or 8. */
export type ReadPhysical = (address: bigint, bytes: bigint) => bigint;

type Range = readonly [high: bigint, low: bigint];

/** One kind of entry: tables 4-3 to 4-6 (32-bit), 4-8 to 4-11 (PAE), 4-14 to 4-20 (4-level and 5-level). */
interface EntryKind {
  /** The bits of the linear address that select it. */
  readonly index: Range;
  /** Whether bit 7 makes it map a page. */
  readonly mapsPage: (state: ArchitectureState) => boolean;
  /** Bits that must be 0 when it names a table; of the last kind, when it maps a page. */
  readonly reserved: (state: ArchitectureState) => readonly Range[];
  /** Bits that must be 0 when bit 7 makes it map a page. */
  readonly reservedInPage: (state: ArchitectureState) => readonly Range[];
}

const never = () => false;
const always = () => true;
const none = (): readonly Range[] => [];
const physicalUpTo = (top: bigint) => ({ maxphyaddr }: ArchitectureState): Range => [top, maxphyaddr];
const upTo51 = physicalUpTo(51n);
const upTo62 = physicalUpTo(62n);
const xd = ({ nxe }: ArchitectureState): readonly Range[] => nxe ? [] : [[63n, 63n]];
/** The highest address bit that a 4 MiB page can have: 40 bits, or MAXPHYADDR, with PSE-36; else 32 bits. */
const pse36Bits = ({ pse36, maxphyaddr }: ArchitectureState) =>
  !pse36 ? 0n : (maxphyaddr < 40n ? maxphyaddr : 40n) - 32n;

const LONG: readonly EntryKind[] = [
  {
    index: [47n, 39n],
    mapsPage: never,
    reserved: (state) => [upTo51(state), [7n, 7n], ...xd(state)],
    reservedInPage: none,
  },
  {
    index: [38n, 30n],
    mapsPage: ({ gigabytePages }) => gigabytePages,
    reserved: (state) => [upTo51(state), ...(state.gigabytePages ? [] : [[7n, 7n] as const]), ...xd(state)],
    reservedInPage: (state) => [upTo51(state), [29n, 13n], ...xd(state)],
  },
  {
    index: [29n, 21n],
    mapsPage: always,
    reserved: (state) => [upTo51(state), ...xd(state)],
    reservedInPage: (state) => [upTo51(state), [20n, 13n], ...xd(state)],
  },
  { index: [20n, 12n], mapsPage: never, reserved: (state) => [upTo51(state), ...xd(state)], reservedInPage: none },
];

/** The entries of each mode, from the one that CR3 leads to, down. */
const ENTRIES: Readonly<Record<ArchitectureMode, readonly EntryKind[]>> = {
  "32-bit": [
    {
      index: [31n, 22n],
      mapsPage: ({ pse }) => pse,
      reserved: none,
      reservedInPage: (state) => [[21n, 13n + pse36Bits(state)]],
    },
    { index: [21n, 12n], mapsPage: never, reserved: none, reservedInPage: none },
  ],
  "PAE": [
    {
      index: [29n, 21n],
      mapsPage: always,
      reserved: (state) => [upTo62(state), ...xd(state)],
      reservedInPage: (state) => [upTo62(state), [20n, 13n], ...xd(state)],
    },
    { index: [20n, 12n], mapsPage: never, reserved: (state) => [upTo62(state), ...xd(state)], reservedInPage: none },
  ],
  "4-level": LONG,
  "5-level": [{ ...LONG[0], index: [56n, 48n] }, ...LONG],
};

function bits(value: bigint, [high, low]: Range): bigint {
  return high < low ? 0n : (value >> low) & ((1n << (high - low + 1n)) - 1n);
}

function bit(value: bigint, place: bigint): boolean {
  return ((value >> place) & 1n) === 1n;
}

/** Translates a linear address for an access, or says which exception it causes. */
export function translate(
  state: ArchitectureState,
  access: ArchitectureAccess,
  read: ReadPhysical,
): ArchitectureResult {
  const { mode, cr3 } = state;
  const bytes = mode === "32-bit" ? 4n : 8n;
  const used: UsedEntry[] = [];
  let table = mode === "32-bit" ? bits(cr3, [31n, 12n]) << 12n : bits(cr3, [51n, 12n]) << 12n;

  if (mode === "PAE") {
    // 4.4.1: MOV to CR loads the four PDPTEs; a reserved bit in one that is present causes #GP.
    const pointers = [0n, 1n, 2n, 3n].map((n) => read((bits(cr3, [31n, 5n]) << 5n) + 8n * n, 8n));
    const reserved: Range[] = [[63n, state.maxphyaddr], [8n, 5n], [2n, 1n]];
    for (const pointer of pointers) {
      if (bit(pointer, 0n) && reserved.some((range) => bits(pointer, range) !== 0n)) {
        return { kind: "general-protection" };
      }
    }
    const pointer = pointers[Number(bits(access.linear, [31n, 30n]))];
    if (!bit(pointer, 0n)) return pageFault(state, access, used, { present: false });
    table = bits(pointer, [51n, 12n]) << 12n;
  }

  for (const kind of ENTRIES[mode]) {
    const address = table + bits(access.linear, kind.index) * bytes;
    const value = read(address, bytes);
    // 4.7: a fault because an entry is not present has P = 0, and is found before any reserved bit.
    if (!bit(value, 0n)) return pageFault(state, access, used, { present: false });
    const isLast = kind === ENTRIES[mode].at(-1);
    const page = !isLast && kind.mapsPage(state) && bit(value, 7n);
    const reserved = page ? kind.reservedInPage(state) : kind.reserved(state);
    if (reserved.some((range) => bits(value, range) !== 0n)) {
      return pageFault(state, access, used, { present: true, reserved: true });
    }
    used.push({ address, value });
    if (isLast || page) return useTranslation(state, access, used, kind.index[1], page);
    table = bits(value, [bytes === 4n ? 31n : 51n, 12n]) << 12n;
  }
  throw new Error("Cannot translate: no entry maps a page");
}

/** The access rights (section 4.6) of a translation that exists. @param offsetBits Address bits within the page. */
function useTranslation(
  state: ArchitectureState,
  access: ArchitectureAccess,
  used: readonly UsedEntry[],
  offsetBits: bigint,
  page: boolean,
): ArchitectureResult {
  const leaf = used.at(-1)!.value;
  const key = bits(leaf, [62n, 59n]);
  const userAddress = used.every(({ value }) => bit(value, 2n));
  const keyDenies = deniedByKey(state, access, key, userAddress);
  if (!permitted(state, access, used, userAddress) || keyDenies) {
    return pageFault(state, access, used, { present: true, key: keyDenies });
  }
  const offset = bits(access.linear, [offsetBits - 1n, 0n]);
  let frame = bits(leaf, [51n, offsetBits]) << offsetBits;
  if (state.mode === "32-bit") {
    frame = bits(leaf, [31n, offsetBits]) << offsetBits;
    // Table 4-4: bits 20:13 of a PDE that maps a 4 MiB page are bits 39:32 of its address.
    if (page) frame |= bits(leaf, [12n + pse36Bits(state), 13n]) << 32n;
  }
  return { kind: "translated", physical: frame | offset, used };
}

/** Section 4.6.1, sentence by sentence, but for protection keys. */
function permitted(
  state: ArchitectureState,
  { kind, user }: ArchitectureAccess,
  used: readonly UsedEntry[],
  userAddress: boolean,
): boolean {
  const everyWritable = used.every(({ value }) => bit(value, 1n));
  const executable = state.mode === "32-bit" || !state.nxe || used.every(({ value }) => !bit(value, 63n));
  if (user) {
    if (!userAddress) return false;
    if (kind === "read") return true;
    if (kind === "write") return everyWritable;
    return executable;
  }
  if (kind === "read") return !userAddress || !state.smap || state.ac;
  if (kind === "write") {
    if (userAddress && state.smap && !state.ac) return false;
    return !state.wp || everyWritable;
  }
  if (userAddress && state.smep) return false;
  return executable;
}

/** Section 4.6.2: protection keys apply to data accesses to user-mode addresses. */
function deniedByKey(
  state: ArchitectureState,
  { kind, user }: ArchitectureAccess,
  key: bigint,
  userAddress: boolean,
): boolean {
  const long = state.mode === "4-level" || state.mode === "5-level";
  if (!long || !state.pke || kind === "fetch" || !userAddress) return false;
  const accessDisabled = bit(state.pkru, 2n * key);
  const writeDisabled = bit(state.pkru, 2n * key + 1n);
  if (accessDisabled) return true;
  return kind === "write" && writeDisabled && (user || state.wp);
}

/** The error code (section 4.7, figure 4-12). */
function pageFault(
  state: ArchitectureState,
  { kind, user }: ArchitectureAccess,
  used: readonly UsedEntry[],
  cause: { readonly present: boolean; readonly reserved?: boolean; readonly key?: boolean },
): ArchitectureResult {
  let error = 0n;
  if (cause.present) error |= 1n;
  if (kind === "write") error |= 2n;
  if (user) error |= 4n;
  if (cause.reserved) error |= 8n;
  if (kind === "fetch" && (state.smep || (state.mode !== "32-bit" && state.nxe))) error |= 16n;
  if (cause.key) error |= 32n;
  return { kind: "page-fault", error, used };
}

import { type Profile, PROFILES } from "@mmu-lab/machine";
import { type Era, ERAS } from "@mmu-lab/memslots";
import {
  EPT_ENTRIES,
  EPT_ENTRIES_5_4,
  LEGACY_ENTRIES,
  LEGACY_ENTRIES_5_13,
  MmioLayout,
  mmioLayout,
} from "@mmu-lab/spte-encoding";
import { type AddressBits, nptBackend } from "@mmu-lab/svm-backend";
import { linux44, linux513, startingAt } from "./_kernels.ts";
import type { Bug } from "./bug.ts";
import { HIGH_PAGE, NO_UPDATE, RAM_IS_USED, UPDATE_ELSEWHERE } from "./bug_scenarios.ts";

/** A processor of which all bits above 46 select a key. */
const SIX_KEY_BITS: AddressBits = { maxPhyAddr: 46, keyIdBits: 6 };

/** 5.13 with another generation and layout, a few updates before the number reaches bit 9: a real VM gets there after 256. */
function before512(era: Era, layout: () => MmioLayout): Profile {
  return { ...PROFILES.linux_5_13_ept, era: startingAt(era, 508), layout };
}

/** The layout of 5.6 to 5.10 (G6): bits 62:54 repeat g[8:0] where they should keep g[17:9]. Facts sheet 4.8. */
function layoutOf510(): MmioLayout {
  return new MmioLayout({
    name: "linux_5_10_ept",
    mask: 3n << 52n,
    value: 3n << 52n | 6n,
    accessMask: 0,
    generation: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 54, genLow: 0, width: 9 }],
    generationMask: 0x3ffff,
    maxPhyAddr: 40,
    entryFormat: EPT_ENTRIES_5_4,
  });
}

/** The layout of 5.4 with the fix of B07: the mark, 11b in bits 53:52, lies over two bits of the generation. */
function layoutOf54(): MmioLayout {
  return new MmioLayout({
    name: "linux_5_4_ept, encoding as in 5.11",
    mask: 3n << 52n,
    value: 3n << 52n | 6n,
    accessMask: 0,
    generation: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 52, genLow: 9, width: 10 }],
    generationMask: 0x7ffff,
    maxPhyAddr: 40,
    entryFormat: EPT_ENTRIES_5_4,
    allowOverlap: true,
  });
}

/** The layout of 4.19, whose decoding leaves the moved copy of gfn bits where it is, or not. */
function layoutOf419(keepsMovedBits: boolean): MmioLayout {
  return new MmioLayout({
    name: "linux_4_19_ept",
    mask: 1n << 62n | 7n,
    value: 1n << 62n | 6n,
    accessMask: 0,
    generation: [{ spteLow: 3, genLow: 1, width: 9 }, { spteLow: 52, genLow: 10, width: 10 }],
    generationMask: 0xfffff,
    maxPhyAddr: 40,
    l1tf: { reservedLow: 35, reservedHigh: 39, keepsMovedBits },
    entryFormat: EPT_ENTRIES,
  });
}

/** 4.4 with the layout of 4.19. */
function linux419(keepsMovedBits: boolean): Profile {
  return linux44({ layout: () => layoutOf419(keepsMovedBits) });
}

/** The rules of 5.13 on AMD's nested paging, whose entries have the format of shadow page tables. */
function nested513(hardware: AddressBits, layout: () => MmioLayout): Profile {
  const processor = { maxPageLevel: 3, reservedFaultIsPresent: true, readModifyWrite: "write", ...hardware } as const;
  return linux513({ backend: () => nptBackend(processor, "4.10"), layout });
}

/** Marks with a value of one's own, for hosts with memory encryption (facts sheet 4.9, last row). */
function markedWith(value: bigint, gfnHigh: number): MmioLayout {
  return new MmioLayout({
    name: "5.x, memory encryption",
    mask: value,
    value,
    accessMask: 6,
    generation: [{ spteLow: 3, genLow: 0, width: 9 }, { spteLow: 52, genLow: 9, width: 10 }],
    generationMask: 0x7ffff,
    maxPhyAddr: 48,
    gfnHigh,
    entryFormat: LEGACY_ENTRIES,
    allowOverlap: gfnHigh > 42,
  });
}

/** Bits `low` to 51, and the present bit. */
function reservedFrom(low: number): bigint {
  return (1n << 52n) - (1n << BigInt(low)) | 1n;
}

/** No bit of an entry is left to mark it with, MMIO sptes are off, and some kernels ask for the mark all the same. */
function unmarked(matchesWhenOff: boolean): MmioLayout {
  return new MmioLayout({
    name: "linux_6_1_shadow, 52 bits",
    mask: 0n,
    value: 0n,
    accessMask: 6,
    generation: [{ spteLow: 3, genLow: 0, width: 8 }, { spteLow: 52, genLow: 8, width: 11 }],
    generationMask: 0x7ffff,
    maxPhyAddr: 52,
    gfnHigh: 51,
    entryFormat: LEGACY_ENTRIES_5_13,
    matchesWhenOff,
  });
}

/** What an MMIO spte says is not what was put into it. */
export const ENCODING_BUGS: readonly Bug[] = [
  {
    id: "B07",
    title: "the upper half of the number is stored from the wrong bits",
    kernels: "5.1 to 5.10",
    fixedBy: { commit: "34c0f6f2695a", subject: "KVM: mmu: Fix SPTE encoding of MMIO generation upper half" },
    note: "Its VM begins with a number that a real one reaches after some 250 updates.",
    breaks: "liveness",
    profile: () => before512(ERAS.G7, layoutOf510),
    fixed: () => before512(ERAS.G7, () => mmioLayout("linux_5_11_ept")),
    scenario: UPDATE_ELSEWHERE,
    numbers: { beforeTheTop: true },
  },
  {
    id: "B08",
    title: "the mark of MMIO sptes lies over two bits of the generation",
    kernels: "5.4, hidden by B07",
    fixedBy: { commit: "56871d444bc4", subject: "KVM: x86: fix overlap between SPTE_MMIO_MASK and generation" },
    note: "B07 stores in these two bits what the lower half holds anyway, so its kernel has B07 fixed.",
    breaks: "liveness",
    profile: () => before512(ERAS.G8, layoutOf54),
    fixed: () => before512(ERAS.G7, () => mmioLayout("linux_5_11_ept")),
    scenario: UPDATE_ELSEWHERE,
  },
  {
    id: "B12",
    title: "decoding leaves moved gfn bits in the gfn",
    kernels: "4.19-rc",
    fixedBy: { commit: "daa07cbc9ae3", subject: "KVM: x86: fix L1TF's MMIO GFN calculation" },
    breaks: "books",
    profile: () => linux419(true),
    fixed: () => linux419(false),
    scenario: HIGH_PAGE,
  },
  {
    id: "B13",
    title: "the bit that marks MMIO sptes is the one that says encrypted: no fault",
    kernels: "AMD SME, until its fix",
    fixedBy: {
      commit: "52918ed5fcf0",
      subject: "KVM: SVM: Override default MMIO mask if memory encryption is enabled",
    },
    breaks: "stale RAM",
    profile: () => nested513({ maxPhyAddr: 43, encryptionBit: 51 }, () => markedWith(1n << 51n | 1n, 42)),
    fixed: () => nested513({ maxPhyAddr: 43, encryptionBit: 51 }, () => markedWith(reservedFrom(43), 42)),
    scenario: NO_UPDATE,
  },
  {
    id: "B14",
    title: "the gfn is read from bits of the mark, on a processor that needs no such care",
    kernels: "AMD SME, after B13's fix",
    fixedBy: { commit: "d43e2675e96f", subject: "KVM: x86: only do L1TF workaround on affected processors" },
    note: "Memory encryption takes five of 48 address bits, and the width of the cache, which stays, was looked at.",
    breaks: "books",
    profile: () => nested513({ maxPhyAddr: 43, encryptionBit: 47 }, () => markedWith(reservedFrom(43), 47)),
    fixed: () => nested513({ maxPhyAddr: 43, encryptionBit: 47 }, () => markedWith(reservedFrom(43), 42)),
    scenario: NO_UPDATE,
  },
  {
    id: "B15",
    title: "bits that select a key are taken for reserved: no fault",
    kernels: "Intel MKTME",
    fixedBy: {
      commit: "f3ecb59dd49f",
      subject: "kvm: x86: Fix reserved bits related calculation errors caused by MKTME",
    },
    note: "On Intel it concerns shadow page tables; here it is shown on nested tables of the same format.",
    breaks: "stale RAM",
    profile: () => nested513(SIX_KEY_BITS, () => mmioLayout("linux_6_1_shadow", { maxPhyAddr: 46 })),
    fixed: () => nested513(SIX_KEY_BITS, () => mmioLayout("linux_6_1_shadow", { maxPhyAddr: 52 })),
    scenario: NO_UPDATE,
  },
  {
    id: "B16",
    title: "with 52 address bits no bit is reserved, and the mark lies over the gfn",
    kernels: "52 address bits",
    fixedBy: {
      commit: "6129ed877d40",
      subject: "KVM: x86/mmu: Set mmio_value to '0' if reserved #PF can't be generated",
    },
    breaks: "books",
    profile: () => nested513({ maxPhyAddr: 52 }, () => mmioLayout("linux_4_19_shadow", { maxPhyAddr: 52 })),
    fixed: () => nested513({ maxPhyAddr: 52 }, () => mmioLayout("linux_6_1_shadow", { maxPhyAddr: 52 })),
    scenario: NO_UPDATE,
  },
  {
    id: "B18",
    title: "with MMIO sptes off, every entry is taken for one",
    kernels: "until 5.13",
    fixedBy: {
      commit: undefined,
      subject: "KVM: x86/mmu: Don't install bogus MMIO SPTEs if MMIO caching is disabled",
    },
    note: "By its subject the commit also keeps such sptes from being written; the kernel here writes none.",
    breaks: "books",
    profile: () => nested513({ maxPhyAddr: 52 }, () => unmarked(true)),
    fixed: () => nested513({ maxPhyAddr: 52 }, () => unmarked(false)),
    scenario: RAM_IS_USED,
  },
];

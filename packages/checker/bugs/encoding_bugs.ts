import { type Profile, PROFILES } from "@mmu-lab/machine";
import { type Era, ERAS } from "@mmu-lab/memslots";
import { EPT_ENTRIES, EPT_ENTRIES_5_4, MmioLayout, mmioLayout } from "@mmu-lab/spte-encoding";
import { linux44, startingAt } from "./_kernels.ts";
import type { Bug } from "./bug.ts";
import { HIGH_PAGE, UPDATE_ELSEWHERE } from "./bug_scenarios.ts";

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
];

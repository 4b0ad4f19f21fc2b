import type { HostPages } from "@mmu-lab/paging";
import type { StateHasher } from "@mmu-lab/protocol";

/** A piece of host memory that user space has set aside. */
export interface HostRegion {
  /** Host virtual address of the first byte, a multiple of 4096. */
  readonly hva: number;
  /** Size in bytes, a multiple of 4096. */
  readonly size: number;
  /** What every 8 bytes hold at first, as two 32-bit words, low first; zero unless told. */
  readonly fill?: readonly [number, number];
  /** Words that it holds at first instead: offset of 8 bytes, low word, high word. */
  readonly contents?: readonly (readonly [offset: number, low: number, high: number])[];
  /** How the host backs it: 4 KiB pages, transparent huge pages, or hugetlbfs pages of 2 MiB or 1 GiB. */
  readonly pages?: "4k" | "transparent-huge" | "hugetlb-2m" | "hugetlb-1g";
}

const GIGABYTE = 2 ** 30;

/**
 * The memory of the host process, sparse: a page exists once it is written, or read. Frames are handed out by the
 * gigabyte of virtual addresses, in the order of first use, so that large pages are contiguous (modelling choice:
 * nothing in KVM depends on which frame it is).
 */
export class HostMemory implements HostPages {
  readonly #pages: Map<number, Uint8Array> = new Map();
  readonly #words: Map<number, Int32Array> = new Map();
  readonly #regions: HostRegion[];
  /** For each gigabyte of host virtual addresses in use, the gigabyte of frames behind it, and the other way round. */
  readonly #frameGigabyte: Map<number, number> = new Map();
  readonly #virtualGigabyte: number[] = [];

  /**
   * Makes the memory.
   *
   * @param regions What is set aside; elsewhere memory is zero, in 4 KiB pages.
   */
  constructor(regions: readonly HostRegion[] = []) {
    this.#regions = [...regions];
  }

  pfn(hva: number): number {
    const gigabyte = Math.floor(hva / GIGABYTE);
    let frames = this.#frameGigabyte.get(gigabyte);
    if (frames === undefined) {
      frames = this.#virtualGigabyte.length;
      this.#frameGigabyte.set(gigabyte, frames);
      this.#virtualGigabyte.push(gigabyte);
    }
    return frames * (GIGABYTE / 4096) + Math.floor((hva % GIGABYTE) / 4096);
  }

  mappingLevel(hva: number): number {
    const pages = this.#regionOf(hva)?.pages;
    return pages === "hugetlb-1g" ? 3 : pages === "hugetlb-2m" ? 2 : 1;
  }

  isTransparentHuge(hva: number): boolean {
    const region = this.#regionOf(hva);
    if (region?.pages !== "transparent-huge") return false;
    const start = hva - (hva % 0x200000);
    return start >= region.hva && start + 0x200000 <= region.hva + region.size;
  }

  /**
   * Reads bytes of one page.
   *
   * @param pfn Host frame. @param offset First byte in the page. @param into Where they go, from `at` on. @param length
   * How many; they must not cross the page.
   */
  read(pfn: number, offset: number, into: Uint8Array, at: number, length: number): void {
    const page = this.#page(pfn);
    for (let i = 0; i < length; i++) into[at + i] = page[offset + i];
  }

  /** Writes bytes of one page; the counterpart of {@linkcode HostMemory.read}. */
  write(pfn: number, offset: number, from: Uint8Array, at: number, length: number): void {
    const page = this.#page(pfn);
    for (let i = 0; i < length; i++) page[offset + i] = from[at + i];
  }

  /** A page as 1024 words of 32 bits, low first: the memory itself. */
  words(pfn: number): Int32Array {
    let words = this.#words.get(pfn);
    if (words === undefined) {
      words = new Int32Array(this.#page(pfn).buffer);
      this.#words.set(pfn, words);
    }
    return words;
  }

  /** Folds all memory that was ever used into a hash, in the order of its frames. */
  hashInto(hasher: StateHasher): void {
    for (const pfn of [...this.#pages.keys()].sort((a, b) => a - b)) {
      hasher.add(pfn);
      const words = this.words(pfn);
      for (let at = 0; at < words.length; at++) if (words[at] !== 0) hasher.add(at).add(words[at]);
    }
  }

  #page(pfn: number): Uint8Array {
    const known = this.#pages.get(pfn);
    if (known !== undefined) return known;
    const page = new Uint8Array(4096);
    const hva = this.#hva(pfn);
    const region = this.#regionOf(hva);
    const words = new Uint32Array(page.buffer);
    const { fill } = region ?? {};
    if (fill !== undefined) words.set(Array.from({ length: 1024 }, (_, i) => fill[i & 1]));
    for (const [offset, low, high] of region?.contents ?? []) {
      const at = (region!.hva + offset - hva) / 4;
      if (at >= 0 && at < 1024) words.set([low, high], at);
    }
    this.#pages.set(pfn, page);
    return page;
  }

  #hva(pfn: number): number {
    const address = pfn * 4096;
    return this.#virtualGigabyte[Math.floor(address / GIGABYTE)] * GIGABYTE + (address % GIGABYTE);
  }

  #regionOf(hva: number): HostRegion | undefined {
    return this.#regions.find((region) => hva >= region.hva && hva < region.hva + region.size);
  }
}

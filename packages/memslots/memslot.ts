/**
 * A guest frame number: guest-physical address divided by 4096. At most 2^40 - 1.
 */
export type Gfn = number;

/** Flag of a slot: log the pages that are written (`KVM_MEM_LOG_DIRTY_PAGES`). */
export const MEM_LOG_DIRTY_PAGES = 1;
/** Flag of a slot: guest writes do not reach memory (`KVM_MEM_READONLY`). */
export const MEM_READONLY = 2;

/** Why large pages may not map part of a slot: flags for the first, the last and every large page of a level. */
export interface LargePageLimits {
  /** No large page at all: gfn and host address are not aligned to each other. */
  readonly all: boolean;
  /** Not the first one: the slot begins inside it. */
  readonly first: boolean;
  /** Not the last one: the slot ends inside it. */
  readonly last: boolean;
}

/**
 * A range of guest-physical memory that is backed by host memory (`struct kvm_memory_slot`). A published slot never
 * changes, but for the bits of its dirty bitmap; a memslot update publishes a new one.
 */
export interface Memslot {
  /** Address space: 0 normal, 1 system management mode. */
  readonly asId: number;
  /** The slot's number in its address space. */
  readonly id: number;
  /** First guest frame. */
  readonly baseGfn: Gfn;
  /** Size in pages of 4096 bytes. */
  readonly npages: number;
  /** {@linkcode MEM_LOG_DIRTY_PAGES} and {@linkcode MEM_READONLY}, or 0. */
  readonly flags: number;
  /** Host virtual address of the first byte; a multiple of 4096. */
  readonly userspaceAddr: number;
  /** `KVM_MEMSLOT_INVALID`: the slot is being deleted or moved, and new mappings of it are not made. */
  readonly invalid: boolean;
  /** One bit a page, or `null` when dirty pages are not logged. */
  readonly dirtyBitmap: Uint32Array | null;
  /**
   * Limits of large pages for levels 2 and 3, at index 0 and 1. Computed when the slot is created; whether again when it is
   * moved is one of `MemslotLimits` (`kvm_arch_create_memslot`, 3.11 x86.c, does not).
   */
  readonly largePageLimits: readonly [LargePageLimits, LargePageLimits];
}

/** Pages that one entry of a level maps: 1, 512, 262144. */
export function pagesPerEntry(level: number): number {
  return 2 ** (9 * (level - 1));
}

/**
 * The limits of large pages for a slot as it is created (3.11 x86.c, `kvm_arch_create_memslot`).
 *
 * @param baseGfn First guest frame. @param npages Size in pages. @param userspaceAddr Host address.
 */
export function largePageLimits(
  baseGfn: Gfn,
  npages: number,
  userspaceAddr: number,
): readonly [LargePageLimits, LargePageLimits] {
  const limits = (level: number): LargePageLimits => {
    const pages = pagesPerEntry(level);
    return {
      all: baseGfn % pages !== (userspaceAddr / 4096) % pages,
      first: baseGfn % pages !== 0,
      last: (baseGfn + npages) % pages !== 0,
    };
  };
  return [limits(2), limits(3)];
}

/**
 * Whether a large page of `level` may map `gfn`, as far as the slot goes (`has_wrprotected_page` of 3.11, without
 * shadowed guest tables).
 *
 * @param slot A slot that holds `gfn`. @param gfn A guest frame. @param level 2 (2 MiB) or 3 (1 GiB).
 */
export function largePageAllowed(slot: Memslot, gfn: Gfn, level: number): boolean {
  const limits = slot.largePageLimits[level - 2];
  if (limits.all) return false;
  const pages = pagesPerEntry(level);
  const index = Math.floor(gfn / pages);
  if (limits.first && index === Math.floor(slot.baseGfn / pages)) return false;
  return !(limits.last && index === Math.floor((slot.baseGfn + slot.npages - 1) / pages));
}

/**
 * Marks a page dirty, if the slot logs dirty pages.
 *
 * @param slot A slot that holds `gfn`. @param gfn The guest frame that was written.
 */
export function markPageDirty(slot: Memslot, gfn: Gfn): void {
  if (slot.dirtyBitmap === null) return;
  const page = gfn - slot.baseGfn;
  slot.dirtyBitmap[page >>> 5] |= 1 << (page & 31);
}

/** Folds what a slot is into a hash: place, size, flags, validity and memory; -1 for none. */
export function hashSlot(slot: Memslot | undefined, add: (value: number) => void): void {
  if (slot === undefined) return add(-1);
  add(slot.baseGfn);
  add(slot.npages);
  add(slot.id * 8 + slot.flags * 2 + (slot.invalid ? 1 : 0));
  add(slot.userspaceAddr);
}

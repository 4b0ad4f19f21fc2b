import { type Gfn, largePageLimits, MEM_LOG_DIRTY_PAGES, MEM_READONLY, type Memslot } from "./memslot.ts";
import type { MemslotSet } from "./memslot_set.ts";

/** `-EINVAL`: the request makes no sense or asks for a change that is not allowed. */
export const EINVAL: -22 = -22;
/** `-EEXIST`: the slot would overlap another. */
export const EEXIST: -17 = -17;
/** `-ENOENT`: there is no such thing. */
export const ENOENT: -2 = -2;

/** What user space asks for (`struct kvm_userspace_memory_region`). A size of 0 deletes the slot. */
export interface MemoryRegion {
  /** Address space; 0 unless told. */
  readonly asId?: number;
  /** The slot's number in its address space. */
  readonly id: number;
  /** Guest-physical address, a multiple of 4096. */
  readonly gpa: number;
  /** Size in bytes, a multiple of 4096. */
  readonly size: number;
  /** {@linkcode MEM_LOG_DIRTY_PAGES}, {@linkcode MEM_READONLY}, both or 0. */
  readonly flags: number;
  /** Host virtual address of the memory, a multiple of 4096. */
  readonly userspaceAddr: number;
}

/** The kinds of memslot change (`enum kvm_mr_change`), and `none` where all is as before. */
export type ChangeKind = "create" | "delete" | "move" | "flags" | "none";

/** How many slots a kernel allows. */
export interface MemslotLimits {
  /** Slots that user space may use: ids below this (125 in 3.11, 509 in 4.10, 32764 in 6.1). */
  readonly userSlots: number;
  /** Slots that KVM makes for itself: ids from `userSlots` on (3). */
  readonly privateSlots: number;
  /**
   * Whether it is worked out anew for a slot that moves where large pages may map it (edd4fa37baa6, 5.6); before, a slot
   * kept the limits of its first place. No unless told.
   */
  readonly moveRenewsLargePages?: boolean;
  /**
   * Whether a slot may not be created or moved beyond what the processor can map (86931ff7207b, 5.18). It is looked at
   * last: a slot that moves has been flushed by then, and stays where it was. No unless told.
   */
  readonly withinMaxGfn?: boolean;
  /** Whether the ioctl itself refuses flags that it does not know, before all else (bb58b90b1a8f, 6.8). No unless told. */
  readonly ioctlChecksFlags?: boolean;
}

/** A memslot change that passed every check. */
export interface ClassifiedChange {
  /** What kind of change it is. */
  readonly kind: ChangeKind;
  /** The slot as it was; `undefined` for a create. */
  readonly old: Memslot | undefined;
  /** The slot as it will be; `undefined` for a delete. */
  readonly new: Memslot | undefined;
}

const MAX_PAGES = 2 ** 31 - 1;
const TOP_OF_HOST_USER_SPACE = 2 ** 47;

/**
 * Checks a request and says what kind of change it is, in the order of `__kvm_set_memory_region` of 3.11
 * (virt/kvm/kvm_main.c; facts sheet 4.2): flags, alignment, slot number, wrap-around, size, what may change of an
 * existing slot, and last the overlap with other user slots.
 *
 * @param set The slots of the request's address space as they are.
 * @param region The request.
 * @param limits The kernel's limits.
 * @returns The change, or the negative errno that the ioctl returns. O(slots).
 */
export function classifyChange(
  set: MemslotSet,
  region: MemoryRegion,
  limits: MemslotLimits,
): ClassifiedChange | typeof EINVAL | typeof EEXIST {
  const { id, gpa, size, userspaceAddr } = region;
  if ((region.flags & ~(MEM_LOG_DIRTY_PAGES | MEM_READONLY)) !== 0) return EINVAL;
  if (size % 4096 !== 0 || gpa % 4096 !== 0 || size < 0 || gpa < 0) return EINVAL;
  if (id < limits.userSlots && (userspaceAddr % 4096 !== 0 || userspaceAddr + size > TOP_OF_HOST_USER_SPACE)) {
    return EINVAL;
  }
  if (!Number.isInteger(id) || id < 0 || id >= limits.userSlots + limits.privateSlots) return EINVAL;
  if (gpa + size >= 2 ** 64) return EINVAL;
  const baseGfn = gpa / 4096;
  const npages = size / 4096;
  if (npages > MAX_PAGES) return EINVAL;

  const old = set.byId(id);
  if (npages === 0) return old === undefined ? EINVAL : { kind: "delete", old, new: undefined };
  const kind = old === undefined ? "create" : kindOfModification(old, region);
  if (kind === undefined) return EINVAL;
  if (kind === "none") return { kind, old, new: old };
  if ((kind === "create" || kind === "move") && overlapsAnother(set, id, baseGfn, npages, limits)) return EEXIST;

  const logs = (region.flags & MEM_LOG_DIRTY_PAGES) !== 0;
  return {
    kind,
    old,
    new: {
      asId: region.asId ?? 0,
      id,
      baseGfn,
      npages,
      flags: region.flags,
      userspaceAddr,
      invalid: false,
      dirtyBitmap: logs ? old?.dirtyBitmap ?? new Uint32Array(Math.ceil(npages / 32)) : null,
      largePageLimits: old === undefined || (kind === "move" && limits.moveRenewsLargePages)
        ? largePageLimits(baseGfn, npages, userspaceAddr)
        : old.largePageLimits,
    },
  };
}

/** `undefined`: a change that is not allowed (size, host address, or the read-only flag). */
function kindOfModification(old: Memslot, region: MemoryRegion): ChangeKind | undefined {
  if (region.userspaceAddr !== old.userspaceAddr || region.size !== old.npages * 4096) return undefined;
  if (((region.flags ^ old.flags) & MEM_READONLY) !== 0) return undefined;
  if (region.gpa !== old.baseGfn * 4096) return "move";
  return region.flags === old.flags ? "none" : "flags";
}

/** Slots that KVM made for itself do not count: they may be overlapped, and a private one may overlap nothing else. */
function overlapsAnother(set: MemslotSet, id: number, baseGfn: Gfn, npages: number, limits: MemslotLimits): boolean {
  for (const slot of set) {
    if (slot.id >= limits.userSlots || slot.id === id) continue;
    if (baseGfn < slot.baseGfn + slot.npages && slot.baseGfn < baseGfn + npages) return true;
  }
  return false;
}

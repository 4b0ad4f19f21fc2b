import type { HostRegion } from "@mmu-lab/machine";
import type { TraceMarker } from "@mmu-lab/tracing";
import type { MemslotOperation } from "./scenario.ts";

const PAGE = 0x1000;
const HUGE_PAGE = 0x20_0000;
const INFRA: HostRegion = { hva: 0x7f00_0000_0000, size: 0x8_0000 };
const POOL = { hva: 0x7f00_1000_0000, size: 16 << 20, fill: [0x55667788, 0x11223344] } as const;

/** The infrastructure slot: the guest's code and page tables. It has memory of its own. */
const INFRA_ID = 0;

/** The flag that {@linkcode RecorderMemory.bulkFlags} toggles: log dirty pages. */
const LOG_DIRTY = 1;

interface SlotNote {
  size: number;
  flags: number;
  /** Host virtual address; kept when the slot is deleted, as the recorder does. */
  hva: number;
}

/**
 * The memory policy of the recorder (memslot_lab.c: `pool_init`, `pool_take`, `slot_create` to `slot_flags`). Its
 * addresses are a choice of ours: the recorder took what `mmap` gave it, and no trace tells.
 */
export class RecorderMemory {
  /** Memory set aside before the first operation: that of slot 0, and the pool of all others. */
  readonly regions: readonly HostRegion[];
  readonly #notes: Map<string, SlotNote> = new Map();
  #poolUsed = 0;

  /** @param hugePages Whether the pool has transparent huge pages; the recorder forbids them except in s14. */
  constructor(hugePages: boolean) {
    this.regions = [INFRA, { ...POOL, pages: hugePages ? "transparent-huge" : "4k" }];
  }

  /** `slot_create`: takes from the pool, also for a call that will be refused. */
  create(marker: TraceMarker): MemslotOperation {
    const size = marker.num("size");
    const isInfra = marker.num("id") === INFRA_ID;
    return call(marker, size, marker.num("flags"), isInfra ? INFRA.hva : POOL.hva + this.#take(size));
  }

  /** `slot_delete`: gpa as noted, all else 0. */
  delete(marker: TraceMarker): MemslotOperation {
    return call(marker, 0, 0, 0);
  }

  /** `slot_move` and `slot_flags`: the slot's own memory; none for a slot that never was. */
  change(marker: TraceMarker): MemslotOperation {
    return call(marker, marker.num("size"), marker.num("flags"), this.#notes.get(keyOf(marker))?.hva ?? 0);
  }

  /** The call has returned 0: the recorder notes it. */
  succeeded(operation: MemslotOperation): void {
    if (operation.size === 0) return;
    const { size, flags, userspaceAddr: hva } = operation;
    this.#notes.set(`${operation.asId ?? 0}:${operation.id}`, { size, flags, hva });
  }

  /** The flags of a slot of address space 0 after `count` toggles of dirty logging, noted. */
  bulkFlags(id: number, count: number): number | undefined {
    const note = this.#notes.get(`0:${id}`);
    if (note === undefined) return undefined;
    if (count % 2 === 1) note.flags ^= LOG_DIRTY;
    return note.flags;
  }

  #take(size: number): number {
    const align = size >= HUGE_PAGE ? HUGE_PAGE : PAGE;
    let at = Math.ceil(this.#poolUsed / align) * align;
    if (at + size > POOL.size) at = 0;
    this.#poolUsed = at + size;
    return at;
  }
}

function keyOf(marker: TraceMarker): string {
  return `${marker.num("as")}:${marker.num("id")}`;
}

function call(marker: TraceMarker, size: number, flags: number, userspaceAddr: number): MemslotOperation {
  const asId = marker.num("as");
  return {
    op: "memslot",
    ...(asId === 0 ? {} : { asId }),
    id: marker.num("id"),
    gpa: marker.num("gpa"),
    size,
    flags,
    userspaceAddr,
  };
}

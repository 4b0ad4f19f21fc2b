import type { HostRegion } from "@mmu-lab/machine";
import type { TraceMarker } from "@mmu-lab/tracing";
import { RECORDER_1G_TABLES, RECORDER_4K_TABLES } from "./recorder_guest.ts";
import type { HostWriteOperation, MemslotOperation } from "./scenario.ts";

const PAGE = 0x1000;
const HUGE_PAGE = 0x20_0000;
const INFRA: HostRegion = { hva: 0x7f00_0000_0000, size: 0x8_0000 };
const POOL = { hva: 0x7f00_1000_0000, size: 16 << 20, fill: [0x55667788, 0x11223344] } as const;

/** The infrastructure slot: the guest's code and page tables. It has memory of its own. */
const INFRA_ID = 0;

/**
 * The memory policy of the recorder (memslot_lab.c: `pool_init`, `pool_take`, `slot_create` to `slot_flags`). Its
 * addresses are a choice of ours: the recorder took what `mmap` gave it, and no trace tells.
 */
export class RecorderMemory {
  /** Memory set aside before the first operation: that of slot 0, and the pool of all others. */
  readonly regions: readonly HostRegion[];
  /** Host virtual address of each slot that was ever created; a delete keeps it, as in the recorder. */
  readonly #hvas: Map<string, number> = new Map();
  #poolUsed = 0;

  /**
   * @param hugePages Whether the pool has transparent huge pages; the recorder forbids them except in s14.
   * @param ownTables Whether the guest's page tables have pages of 4 KiB; else they have pages of 1 GiB.
   */
  constructor(hugePages: boolean, ownTables: boolean) {
    this.regions = [{ ...INFRA, contents: ownTables ? RECORDER_4K_TABLES : RECORDER_1G_TABLES }, {
      ...POOL,
      pages: hugePages ? "transparent-huge" : "4k",
    }];
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
    return call(
      marker,
      marker.num("size"),
      marker.num("flags"),
      this.#hvas.get(keyOf(marker.num("as"), marker.num("id"))) ?? 0,
    );
  }

  /**
   * The call has returned 0: the recorder notes it. Of its notes only the address matters, for a marker tells the rest;
   * a call that is refused leaves them alone.
   */
  succeeded(operation: MemslotOperation): void {
    if (operation.size === 0) return;
    this.#hvas.set(keyOf(operation.asId ?? 0, operation.id), operation.userspaceAddr);
  }

  /** `gva_of` and `remap`: the program writes an entry of a guest table. */
  writeEntry(marker: TraceMarker): HostWriteOperation {
    const { perm = "" } = marker.words;
    const flags = 1 | (perm.includes("w") ? 2 : 0) | (perm.includes("u") ? 4 : 0);
    const value = marker.op === "remap" ? marker.num("pte") : marker.num("gpa") + flags;
    return { op: "host-write", hva: INFRA.hva + marker.num("pte_gpa"), value: `0x${value.toString(16)}` };
  }

  #take(size: number): number {
    const align = size >= HUGE_PAGE ? HUGE_PAGE : PAGE;
    let at = Math.ceil(this.#poolUsed / align) * align;
    if (at + size > POOL.size) at = 0;
    this.#poolUsed = at + size;
    return at;
  }
}

function keyOf(asId: number, id: number): string {
  return `${asId}:${id}`;
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

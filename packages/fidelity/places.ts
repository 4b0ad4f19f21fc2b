import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import type { Mmu } from "@mmu-lab/paging";
import { levelOf } from "@mmu-lab/paging";
import {
  FAST_PAGE_FAULT,
  KVM_MMU_SET_SPTE,
  KVM_MMU_SPTE_REQUESTED,
  KVM_TDP_MMU_SPTE_CHANGED,
  MARK_MMIO_SPTE,
  MMU_SPTE_SET,
  NO_SPTEP,
  type TraceEvent,
} from "@mmu-lab/tracing";

/** What the model has where an event of the kernel shows a frame: a shadow page, or a page of host memory. */
export type Place =
  | {
    /** A shadow page. */
    readonly kind: "table";
    /** Its serial, which no other page ever has. */
    readonly serial: number;
  }
  | {
    /** Host memory. */
    readonly kind: "ram";
    /** A frame of the model's host. */
    readonly pfn: number;
    /** Level of the page that it lies in: 1, 2 or 3. */
    readonly level: number;
  };

/** Bit 63 and what else is no frame number (`KVM_PFN_ERR_MASK`, `KVM_PFN_NOSLOT`): high lane. */
const NO_FRAME_HI = 0xfff00000;
/** Bit 7 of an entry above level 1 maps a large page. */
const LARGE = 0x80;

/**
 * What the frames are that an event of the model shows, in the order in which the kernel prints them; `undefined` for an
 * entry that is not present, or a pointer that is NULL. To be called when the event is emitted: later the pages may be
 * gone.
 */
export class PlaceFinder {
  readonly #mmu: Mmu;
  /** The page id of each serial that was looked for. */
  readonly #pageOf: Map<number, number> = new Map();

  /** Makes a finder for the pages of an MMU. */
  constructor(mmu: Mmu) {
    this.#mmu = mmu;
  }

  /** The places of an event, by its slots. */
  placesOf(event: TraceEvent, args: readonly number[]): readonly (Place | undefined)[] {
    switch (event) {
      case MARK_MMIO_SPTE:
        return [pageOfSptep(args[0])];
      case MMU_SPTE_SET:
        return [pageOfSptep(args[0]), this.#entryAt(args[0], args[1], args[2])];
      case KVM_MMU_SET_SPTE:
        return [this.#entry(args[1], args[2], args[4]), pageOfSptep(args[5])];
      case KVM_MMU_SPTE_REQUESTED:
        return [
          (args[2] & NO_FRAME_HI) !== 0
            ? undefined
            : { kind: "ram", pfn: (args[2] >>> 0) * 2 ** 32 + (args[1] >>> 0), level: args[3] },
        ];
      case KVM_TDP_MMU_SPTE_CHANGED:
        return [this.#entry(args[3], args[4], args[2]), this.#entry(args[5], args[6], args[2])];
      case FAST_PAGE_FAULT:
        return [
          pageOfSptep(args[2]),
          this.#entryAt(args[2], args[3], args[4]),
          this.#entryAt(args[2], args[5], args[6]),
        ];
      default:
        return NOTHING;
    }
  }

  /** Whether the page of a serial is there still. */
  isLive(serial: number): boolean {
    const page = this.#page(serial);
    return page >= 0 && this.#mmu.pool.isLive(page);
  }

  #entry(lo: number, hi: number, level: number): Place | undefined {
    const mmu = this.#mmu;
    if (!mmu.isPresent(lo, hi)) return undefined;
    if (level === 1 || (lo & LARGE) !== 0) return { kind: "ram", pfn: pfnOfLanes(lo, hi), level };
    return { kind: "table", serial: mmu.pool.serial[mmu.childOf(lo, hi)] };
  }

  /** The same for an entry that is told by its place. */
  #entryAt(sptep: number, lo: number, hi: number): Place | undefined {
    if (!this.#mmu.isPresent(lo, hi)) return undefined;
    const page = this.#page(Math.floor(sptep / 512));
    return this.#entry(lo, hi, page < 0 ? 1 : levelOf(this.#mmu.pool.role[page]));
  }

  #page(serial: number): number {
    const { pool } = this.#mmu;
    // Those that are gone are forgotten with all others, now and then: they are soon found again.
    if (this.#pageOf.size > 2 * pool.length + MANY_PAGES) this.#pageOf.clear();
    const known = this.#pageOf.get(serial);
    if (known !== undefined) return pool.serial[known] === serial ? known : -1;
    const page = pool.serial.subarray(0, pool.length).indexOf(serial);
    if (page >= 0) this.#pageOf.set(serial, page);
    return page;
  }
}

/** So many serials of pages that are gone do no harm. */
const MANY_PAGES = 1024;

const NOTHING: readonly (Place | undefined)[] = [];

function pageOfSptep(sptep: number): Place | undefined {
  return sptep === NO_SPTEP ? undefined : { kind: "table", serial: Math.floor(sptep / 512) };
}

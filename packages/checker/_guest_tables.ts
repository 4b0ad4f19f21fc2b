import { FLAT_GUEST, type Guest, type Vm } from "@mmu-lab/machine";
import { PAGING_4_LEVEL } from "@mmu-lab/paging";
import type { GuestMapping } from "./check_scenario.ts";

const HOST = 0x7f8000000000;
/** Guest frames of the tables, from 1 on; the slot that holds them also has some frames of data. */
const TABLE_SLOT = { id: 0, gpa: 0, size: 0x40000, flags: 0, userspaceAddr: HOST } as const;
/** Present, writable, user, accessed: what entries that link a table have. */
const LINK = 0x27;
/** The same in an EPT: readable, writable, executable. */
const EPT_LINK = 7;
/** The EPTP of an EPT that is laid out like the tables of {@linkcode PAGED_GUEST}: write-back, four levels. */
export const L2_EPTP = 0x101e;

/** A guest in long mode whose tables lie in its memory, from frame 1 on. */
export const PAGED_GUEST: Guest = {
  ...FLAT_GUEST,
  tables: { cr3: 0x1000, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp: true } },
};

/**
 * The tables of {@linkcode PAGED_GUEST}, or an EPT that a guest keeps in their place, as the program that runs the VM
 * sets them up and rewrites them.
 */
export class GuestTablesOf {
  readonly #vm: Vm;
  readonly #link: number;
  /** Frames of the tables by what they map: level and first linear page. */
  readonly #frames: Map<string, number> = new Map();

  /** Creates the slot, and writes the entries. @param ept Whether they are those of an EPT. */
  constructor(vm: Vm, mappings: readonly GuestMapping[], ept: boolean = false) {
    this.#vm = vm;
    this.#link = ept ? EPT_LINK : LINK;
    this.#makeSlot(0);
    this.#frameOf(4, 0);
    for (const mapping of mappings) this.write(mapping);
  }

  /** Has the tables in the second address space too, in which a vCPU in system management mode walks them. */
  shareWithSmm(): void {
    this.#makeSlot(1);
  }

  /** Writes the entry of a linear page. */
  write({ page, gfn, bits }: GuestMapping): void {
    this.#entry(this.#frameOf(1, page), page % 512, gfn, bits);
  }

  #makeSlot(asId: number): void {
    if (this.#vm.memslot({ ...TABLE_SLOT, asId }) !== 0) {
      throw new RangeError("Cannot set up the guest's tables: their memslot is refused");
    }
  }

  /** The table of a level that maps a page; made, and linked from above, if there is none. */
  #frameOf(level: number, page: number): number {
    const first = page - (page % 512 ** level);
    const key = `${level}:${first}`;
    const known = this.#frames.get(key);
    if (known !== undefined) return known;
    const frame = this.#frames.size + 1;
    this.#frames.set(key, frame);
    if (level < 4) {
      this.#entry(this.#frameOf(level + 1, page), Math.floor(page / 512 ** level) % 512, frame, this.#link);
    }
    return frame;
  }

  #entry(table: number, index: number, gfn: number, bits: number): void {
    this.#vm.writeHost(HOST + table * 4096 + index * 8, BigInt(gfn) << 12n | BigInt(bits));
  }
}

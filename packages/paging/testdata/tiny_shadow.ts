/**
 * An MMU that shadows the tables of one small guest, without a processor and a machine around it.
 *
 * @module
 */
import type { Gfn } from "@mmu-lab/memslots";
import { run, Work } from "@mmu-lab/protocol";
import { ACC_ALL, mmioLayout } from "@mmu-lab/spte-encoding";
import { FlatTables } from "../guest/flat_tables.ts";
import { PAGING_4_LEVEL } from "../guest/format.ts";
import { NO_PAGE, type PageId } from "../pages/page_pool.ts";
import { isDirect, isInvalid, type Role } from "../pages/role.ts";
import { tableRole } from "../shadow/get_shadow_page.ts";
import { SHADOW_BITS } from "../shadow/shadow_bits.ts";
import { shadowPageFault } from "../shadow/shadow_page_fault.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";
import { TinyMmu, type TinyOptions } from "./tiny_mmu.ts";

/** Frames of the guest's tables: level 4, 3, 2 and 1. The last maps linear page n, below 512, by its entry n. */
export const [LEVEL_4, LEVEL_3, LEVEL_2, LEVEL_1] = [1, 2, 3, 4];
/** A second table of level 1, for linear pages from 512 on. */
export const OTHER_LEVEL_1 = 5;
/** Present, writable, user, accessed, dirty. */
export const USED = 0x67;
/** The same, but for writes. */
export const READ_ONLY = 0x65;

/** A guest with 4-level tables in frames 1 to 5, and memory from 0 to 255. */
export class TinyShadow extends TinyMmu {
  readonly tables: FlatTables;
  #seen = 0;

  constructor(options: TinyOptions = {}) {
    const tables = new FlatTables(256);
    tables.write8(LEVEL_4, 0, LEVEL_3 * 4096 + USED, 0);
    tables.write8(LEVEL_3, 0, LEVEL_2 * 4096 + USED, 0);
    tables.write8(LEVEL_2, 0, LEVEL_1 * 4096 + USED, 0);
    tables.write8(LEVEL_2, 1, OTHER_LEVEL_1 * 4096 + USED, 0);
    super({
      format: { bits: SHADOW_BITS, layout: mmioLayout("linux_3_11_shadow") },
      guest: { tables, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp: true } },
      ...options,
    });
    this.tables = tables;
  }

  /** The guest's entry of a linear page below 1024 leads to a gfn; 0 takes it away. KVM is not told. */
  guestMaps(page: number, gfn: Gfn, bits: number = USED): void {
    const table = page < 512 ? LEVEL_1 : OTHER_LEVEL_1;
    this.tables.write8(table, page % 512, gfn === 0 ? 0 : gfn * 4096 + bits, 0);
  }

  /** A page fault at a linear page; the result of the handler of 3.11. */
  touch(page: number, errorCode: number = 0, vcpu: VcpuMmu = this.vcpu): number {
    return run(this.execution, shadowPageFault(this.mmu, vcpu, page * 4096, errorCode), vcpu.index);
  }

  /** The role of the page that shadows a table of a level, all of whose entries above allow everything. */
  roleOf(level: number, access: number = ACC_ALL): Role {
    return tableRole(this.vcpu, 0, level, access);
  }

  /** The page that shadows the table in a frame; `NO_PAGE` if none does. */
  shadowOf(gfn: Gfn): PageId {
    const { pool } = this.mmu;
    for (let page = 0; page < pool.length; page++) {
      if (pool.isLive(page) && pool.gfn[page] === gfn && !isDirect(pool.role[page]) && !isInvalid(pool.role[page])) {
        return page;
      }
    }
    return NO_PAGE;
  }

  /** The spte that maps a linear page below 1024: its low lane. */
  spte(page: number): number {
    return this.mmu.pool.lo(this.shadowOf(page < 512 ? LEVEL_1 : OTHER_LEVEL_1), page % 512);
  }

  /** Takes note that everybody has flushed; whether anybody was asked to, and how often all were. */
  flushes(): { own: boolean; all: number } {
    const { counts } = this.mmu.counters;
    const all = counts[Work.remoteTlbFlushes] - this.#seen;
    const own = this.vcpu.flushRequested;
    this.#seen = counts[Work.remoteTlbFlushes];
    for (const vcpu of this.mmu.vcpus) vcpu.flushRequested = false;
    return { own, all };
  }
}

/**
 * What the 64 bits of a shadow page table entry (spte) mean: entry lanes, the MMIO layouts of nine kernel eras in EPT and in
 * shadow or NPT paging, and decoding for people.
 *
 * An spte is two 32-bit lanes, `lo` and `hi`; `bigint` appears only where text or tests need it. A layout is data: mask, value,
 * where the generation is kept, how the gfn is split. Historical bugs are layouts too.
 *
 * Sources: the facts sheet of this project, which cites the kernel files and versions.
 *
 * @example
 * ```ts
 * import { describeSpte, formatDescription, formatLanes, mmioLayout } from "@mmu-lab/spte-encoding";
 * import { assertEquals } from "@std/assert";
 *
 * // A guest touches the local APIC page under Linux 3.11 with EPT; the generation starts at 0x7ff69.
 * const layout = mmioLayout("linux_3_11_ept");
 * const { lo, hi } = layout.encode(0xfee00, 7, 0x7ff69);
 * assertEquals(formatLanes(lo, hi), "0xfff00000fee00b4e");
 * assertEquals(layout.gfnOf(lo, hi), 0xfee00);
 *
 * assertEquals(
 *   formatDescription(describeSpte(lo, hi, layout)),
 *   `0xfff00000fee00b4e (linux_3_11_ept): mmio, gfn 0xfee00, access not stored, generation 0x7ff69
 *   63:62  mask             0x3
 *   61:52  generation high  0x3ff
 *   51:12  gfn              0xfee00
 *    11:3  generation low   0x169
 *     2:1  mask             0x3`,
 * );
 * ```
 *
 * @module
 */

export * from "./access.ts";
export * from "./describe_spte.ts";
export * from "./entry_format.ts";
export * from "./lanes.ts";
export * from "./layouts.ts";
export * from "./mmio_layout.ts";

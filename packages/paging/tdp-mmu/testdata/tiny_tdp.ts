/**
 * A TDP MMU without a processor and a machine around it, with sptes as 6.1 has them on EPT.
 *
 * @module
 */
import { mmioLayout } from "@mmu-lab/spte-encoding";
import { BITS_6_1, TinyLegacy } from "../../testdata/tiny_legacy.ts";
import type { TinyOptions } from "../../testdata/tiny_mmu.ts";
import type { TdpMmu, TdpMmuRules } from "../tdp_mmu.ts";

/** What 6.12 does otherwise: its sptes, and its rules. */
export const LIKE_6_12: { readonly rules: Partial<TdpMmuRules>; readonly options: TinyOptions } = {
  rules: { splitsInFault: true, booksAfterFlush: true, firstZapLevel: 1 },
  options: { format: { bits: { ...BITS_6_1, presentHi: 1 << 31 }, layout: mmioLayout("linux_6_12_ept") } },
};

/** A {@linkcode TinyLegacy} whose mapping is done by the TDP MMU. */
export class TinyTdp extends TinyLegacy {
  constructor(rules: Partial<TdpMmuRules> = {}, options: TinyOptions = {}) {
    super({ tdpMmu: { eagerPageSplit: true, ...rules }, ...options });
  }

  /** The TDP MMU. */
  get tdp(): TdpMmu {
    return this.mmu.tdp!;
  }
}

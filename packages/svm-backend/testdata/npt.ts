/**
 * An MMU of 3.11 on nested paging, without a machine around it.
 *
 * @module
 */
import { Access, type HardwareBackend, type VcpuMmu } from "@mmu-lab/paging";
import { mmioLayout } from "@mmu-lab/spte-encoding";
import { TinyMmu, type TinyOptions } from "../../paging/testdata/tiny_mmu.ts";
import { nptBackend, type NptProcessor } from "../npt_backend.ts";
import { NPT_BITS } from "../npt_bits.ts";

/** A processor with 40 physical address bits that does all by the manual. */
export const PROCESSOR: NptProcessor = {
  maxPhyAddr: 40,
  maxPageLevel: 3,
  reservedFaultIsPresent: true,
  readModifyWrite: "write",
};

/** An MMU and its processor. */
export class Npt extends TinyMmu {
  readonly backend: HardwareBackend;

  /**
   * Makes one.
   *
   * @param processor What the hardware has; {@linkcode PROCESSOR} unless told.
   * @param believed MAXPHYADDR as KVM believes it, which makes its MMIO sptes; 40 unless told.
   * @param options More about the MMU.
   */
  constructor(processor: Partial<NptProcessor> = {}, believed: number = 40, options: TinyOptions = {}) {
    super({ ...options, format: { bits: NPT_BITS, layout: mmioLayout("linux_3_11_shadow", { maxPhyAddr: believed }) } });
    this.backend = nptBackend({ ...PROCESSOR, ...processor });
  }

  /** Translates for an access; the host frame or -1. */
  translate(gva: number, access: number = Access.READ, vcpu: VcpuMmu = this.vcpu): number {
    return this.backend.translate(this.mmu, vcpu, gva, access);
  }

  /** Handles the last exit. */
  handle(vcpu: VcpuMmu = this.vcpu): number {
    return this.run(this.backend.handleExit(this.mmu, vcpu));
  }

  /** Translates, and handles the exit that this makes. */
  touch(gva: number, access: number = Access.READ): void {
    if (this.translate(gva, access) < 0) this.handle();
  }
}

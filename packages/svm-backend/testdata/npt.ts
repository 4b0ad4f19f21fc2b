/**
 * An MMU of 3.11 on nested paging, without a machine around it.
 *
 * @module
 */
import { Access, type HardwareBackend, type VcpuMmu } from "@mmu-lab/paging";
import { mmioLayout } from "@mmu-lab/spte-encoding";
import { TinyMmu, type TinyOptions } from "../../paging/testdata/tiny_mmu.ts";
import type { NptKernel } from "../exit_handlers.ts";
import { nptBackend, type NptProcessor } from "../npt_backend.ts";

/** A processor with 40 physical address bits that does all by the manual. */
export const PROCESSOR: NptProcessor = {
  maxPhyAddr: 40,
  maxPageLevel: 3,
  reservedFaultIsPresent: true,
  readModifyWrite: "write",
};

/** What a test may want otherwise. */
export interface NptOptions extends TinyOptions {
  /** What the hardware has; {@linkcode PROCESSOR} unless told. */
  readonly hardware?: Partial<NptProcessor>;
  /** MAXPHYADDR as KVM believes it, which makes its MMIO sptes; 40 unless told. */
  readonly believed?: number;
  /** Whose sptes and error codes; those of 3.11 unless told. */
  readonly kernel?: NptKernel;
}

/** An MMU and its processor. */
export class Npt extends TinyMmu {
  readonly backend: HardwareBackend;

  constructor(options: NptOptions = {}) {
    const backend = nptBackend({ ...PROCESSOR, ...options.hardware }, options.kernel);
    const layout = mmioLayout("linux_3_11_shadow", { maxPhyAddr: options.believed ?? 40 });
    super({ ...options, format: { bits: backend.bits, layout } });
    this.backend = backend;
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

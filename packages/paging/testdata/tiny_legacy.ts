/**
 * An MMU of 6.1 without the TDP MMU, a processor and a machine around it, with sptes as 6.1 has them on EPT.
 *
 * @module
 */
import type { Gfn } from "@mmu-lab/memslots";
import type { Protocol } from "@mmu-lab/protocol";
import { mmioLayout } from "@mmu-lab/spte-encoding";
import { doPageFault } from "../fault/do_page_fault.ts";
import { FAULT_RULES_6_1 } from "../fault/fault_rules.ts";
import { PAGE_RULES_6_1 } from "../pages/page_rules.ts";
import type { SpteBits } from "../pages/spte_bits.ts";
import { BITS, TinyMmu, type TinyOptions } from "./tiny_mmu.ts";
import type { VcpuMmu } from "../vcpu_mmu.ts";

/** Present, host-writable and MMU-writable where 6.1 has them on EPT. */
export const BITS_6_1: SpteBits = {
  ...BITS,
  dirtyIfWritable: BITS.dirty,
  software: {
    presentLo: 0x800,
    hostWritableLo: 0,
    hostWritableHi: 1 << 25,
    mmuWritableLo: 0,
    mmuWritableHi: 1 << 26,
  },
};

/** A {@linkcode TinyMmu} with the rules of 6.1. */
export class TinyLegacy extends TinyMmu {
  constructor(options: TinyOptions = {}) {
    super({
      format: { bits: BITS_6_1, layout: mmioLayout("linux_6_1_ept") },
      cacheRule: { generation: "full", skipWhileInFlux: true },
      faultRules: FAULT_RULES_6_1,
      pageRules: PAGE_RULES_6_1,
      ...options,
    });
  }

  /** A page fault, to be driven step by step. */
  faultProtocol(gfn: Gfn, errorCode: number = 0, vcpu: VcpuMmu = this.vcpu): Protocol<number> {
    return doPageFault(this.mmu, vcpu, gfn * 4096, errorCode);
  }

  /** A page fault from start to end: 1 to run the guest on. */
  handle(gfn: Gfn, errorCode: number = 0, vcpu: VcpuMmu = this.vcpu): number {
    return this.finish(this.faultProtocol(gfn, errorCode, vcpu), vcpu.index);
  }

  /** Drives a protocol to its end, from wherever it is. */
  finish<T>(protocol: Protocol<T>, actor: number): T {
    for (;;) {
      this.execution.actor = actor;
      const { done, value } = protocol.next();
      if (done) return value;
      if (!value.enabled(actor)) throw new Error(`Cannot go on: it waits at '${value.name}'`);
      value.take(actor);
    }
  }

  /** Drives a protocol until it is about to take a step of that name, for the so-manieth time. */
  until(protocol: Protocol<unknown>, step: string, times: number, actor: number): () => void {
    for (let left = times;;) {
      this.execution.actor = actor;
      const { done, value } = protocol.next();
      if (done) throw new Error(`Cannot stop at '${step}': it is done`);
      if (value.name === step && --left === 0) return () => value.take(actor);
      value.take(actor);
    }
  }
}

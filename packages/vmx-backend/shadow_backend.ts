import {
  contextOf,
  type HardwareBackend,
  highWord,
  type Mmu,
  mmuPageFault,
  SHADOW_BITS,
  SHADOW_BITS_4_10,
  SHADOW_BITS_6_1,
  type ShadowProcessor,
  type SpteBits,
  translateShadow,
  type VcpuMmu,
} from "@mmu-lab/paging";
import type { Protocol } from "@mmu-lab/protocol";
import { KVM_PAGE_FAULT } from "@mmu-lab/tracing";
import { outQualification } from "./exit_qualification.ts";
import { EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_IO_INSTRUCTION } from "./exit_reasons.ts";

/** The processor that a VMX backend without EPT models. */
export interface VmxShadowProcessor extends ShadowProcessor {
  /** The largest page: level 1, 2 or 3. */
  readonly maxPageLevel: 1 | 2 | 3;
}

/** Whose sptes and tracepoints, named by the kernel that was read; 4.10 stands for 4.19 too. */
export type VmxShadowKernel = "3.11" | "4.10" | "6.1";

/** Interruption information of a page fault: valid, with an error code, a hardware exception, vector 14. Architecture. */
const PAGE_FAULT_INFO = 0x80000b0e;

/**
 * VMX without EPT (`ept=0`): the processor's CR3 points to shadow tables, and every page fault is an exit.
 *
 * @param processor What the processor can do.
 * @param kernel Whose sptes and tracepoints; those of 3.11 unless told.
 */
export function vmxShadowBackend(processor: VmxShadowProcessor, kernel: VmxShadowKernel = "3.11"): HardwareBackend {
  return new VmxShadowBackend(processor, kernel);
}

class VmxShadowBackend implements HardwareBackend {
  readonly name = "vmx shadow";
  readonly bits: SpteBits;
  readonly shadowsGuestTables = true;
  readonly tracesInterruptionApart: boolean;
  readonly la57: boolean;
  readonly maxPageLevel: 1 | 2 | 3;
  readonly readModifyWrite = "write";
  readonly flushesLoadedVcpu = true;

  constructor(readonly processor: VmxShadowProcessor, kernel: VmxShadowKernel) {
    this.bits = kernel === "3.11" ? SHADOW_BITS : kernel === "4.10" ? SHADOW_BITS_4_10 : SHADOW_BITS_6_1;
    this.tracesInterruptionApart = kernel === "6.1";
    this.maxPageLevel = processor.maxPageLevel;
    this.la57 = processor.la57 ?? false;
  }

  translate(mmu: Mmu, vcpu: VcpuMmu, gva: number, access: number): number {
    const pfn = translateShadow(mmu, vcpu, gva, access, this.processor);
    if (pfn >= 0) return pfn;
    const { exit } = vcpu;
    exit.reason = EXIT_REASON_EXCEPTION_NMI;
    exit.info1 = gva;
    exit.info2 = PAGE_FAULT_INFO;
    contextOf(vcpu).exitErrorCode = -1 - pfn;
    return -1;
  }

  exitForOut(vcpu: VcpuMmu, port: number): void {
    const { exit } = vcpu;
    exit.reason = EXIT_REASON_IO_INSTRUCTION;
    exit.info1 = outQualification(port);
    exit.info2 = 0;
    contextOf(vcpu).exitErrorCode = 0;
  }

  /** The page fault's address and error code go to the MMU as they are (`handle_exception`, 3.11 vmx.c; facts sheet 3.6). */
  *handleExit(mmu: Mmu, vcpu: VcpuMmu): Protocol<number> {
    const { info1 } = vcpu.exit;
    const errorCode = contextOf(vcpu).exitErrorCode;
    if (mmu.trace.on) mmu.trace.emit(KVM_PAGE_FAULT, vcpu.index, vcpu.rip, info1, highWord(info1), errorCode);
    return yield* mmuPageFault(mmu, vcpu, info1, errorCode);
  }
}

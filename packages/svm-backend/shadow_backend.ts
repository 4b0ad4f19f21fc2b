import {
  type HardwareBackend,
  type Mmu,
  SHADOW_BITS,
  SHADOW_BITS_4_10,
  SHADOW_BITS_6_1,
  type ShadowProcessor,
  type SpteBits,
  translateShadow,
  type VcpuMmu,
} from "@mmu-lab/paging";
import type { Protocol } from "@mmu-lab/protocol";
import { SVM_EXIT_PF_EXCP } from "./exit_codes.ts";
import { handleNestedPageFault, type NptKernel } from "./exit_handlers.ts";
import { exitForOut } from "./exit_info.ts";

/** The processor that an SVM backend without nested paging models. */
export interface SvmShadowProcessor extends ShadowProcessor {
  /** The largest page: level 1, 2 or 3. */
  readonly maxPageLevel: 1 | 2 | 3;
  /** How it translates for a read-modify-write: real ones `write`, QEMU's TCG `read-then-write`. */
  readonly readModifyWrite: "write" | "read-then-write";
}

/**
 * SVM without nested paging (`npt=0`): the processor's CR3 points to shadow tables, and every page fault is an exit.
 *
 * @param processor What the processor can do.
 * @param kernel Whose sptes and error codes; those of 3.11 unless told.
 */
export function svmShadowBackend(processor: SvmShadowProcessor, kernel: NptKernel = "3.11"): HardwareBackend {
  return new SvmShadowBackend(processor, kernel);
}

class SvmShadowBackend implements HardwareBackend {
  readonly name = "svm shadow";
  readonly bits: SpteBits;
  readonly shadowsGuestTables = true;
  readonly la57: boolean;
  readonly maxPageLevel: 1 | 2 | 3;
  readonly readModifyWrite: "write" | "read-then-write";

  constructor(readonly processor: SvmShadowProcessor, readonly kernel: NptKernel) {
    this.bits = kernel === "3.11" ? SHADOW_BITS : kernel === "4.10" ? SHADOW_BITS_4_10 : SHADOW_BITS_6_1;
    this.maxPageLevel = processor.maxPageLevel;
    this.la57 = processor.la57 ?? false;
    this.readModifyWrite = processor.readModifyWrite;
  }

  translate(mmu: Mmu, vcpu: VcpuMmu, gva: number, access: number): number {
    const pfn = translateShadow(mmu, vcpu, gva, access, this.processor);
    if (pfn >= 0) return pfn;
    const { exit } = vcpu;
    exit.reason = SVM_EXIT_PF_EXCP;
    exit.info1 = -1 - pfn;
    exit.info2 = gva;
    // One handler serves both page faults, and takes the address from here.
    exit.gpa = gva;
    return -1;
  }

  exitForOut(vcpu: VcpuMmu, port: number, nextRip: number): void {
    exitForOut(vcpu.exit, port, nextRip);
  }

  handleExit(mmu: Mmu, vcpu: VcpuMmu): Protocol<number> {
    return handleNestedPageFault(mmu, vcpu, this.kernel);
  }
}

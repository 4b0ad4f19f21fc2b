import {
  type HardwareBackend,
  type Mmu,
  SHADOW_BITS,
  type ShadowProcessor,
  type SpteBits,
  translateShadow,
  type VcpuMmu,
} from "@mmu-lab/paging";
import type { Protocol } from "@mmu-lab/protocol";
import { SVM_EXIT_PF_EXCP } from "./exit_codes.ts";
import { handleNestedPageFault } from "./exit_handlers.ts";
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
 */
export function svmShadowBackend(processor: SvmShadowProcessor): HardwareBackend {
  return new SvmShadowBackend(processor);
}

class SvmShadowBackend implements HardwareBackend {
  readonly name = "svm shadow";
  readonly bits: SpteBits = SHADOW_BITS;
  readonly shadowsGuestTables = true;
  readonly maxPageLevel: 1 | 2 | 3;
  readonly readModifyWrite: "write" | "read-then-write";

  constructor(readonly processor: SvmShadowProcessor) {
    this.maxPageLevel = processor.maxPageLevel;
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
    return handleNestedPageFault(mmu, vcpu, "3.11");
  }
}

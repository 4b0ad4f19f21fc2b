import {
  Access,
  entryIndex,
  type HardwareBackend,
  type Mmu,
  type NestedTables,
  READS_TABLES,
  SPTE_LARGE,
  type SpteBits,
  translateNested,
  type VcpuMmu,
  WRITES_TABLES,
} from "@mmu-lab/paging";
import { type Gfn, markPageDirty } from "@mmu-lab/memslots";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import { EPT_ACCESSED, EPT_DIRTY, EPT_WRITE, eptBits, eptBits410, eptBits61, eptBits612 } from "./ept_bits.ts";
import { EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION, EXIT_REASON_IO_INSTRUCTION } from "./exit_reasons.ts";
import { handleEptMisconfig, handleEptViolation } from "./exit_handlers.ts";
import { type ErrorCodeRule, outQualification, violationQualification } from "./exit_qualification.ts";
import { type EptCapabilities, isMisconfigured } from "./misconfiguration.ts";

/** The processor that an EPT backend models. */
export interface EptProcessor extends EptCapabilities {
  /** Whether it keeps accessed and dirty bits in EPT entries, and KVM uses them. */
  readonly accessedDirty: boolean;
  /**
   * Whether it logs the pages whose dirty bit it sets, and KVM uses it (page modification logging, SDM vol. 3, 28.3.6);
   * no unless told.
   */
  readonly logsDirtyPages?: boolean;
}

/**
 * Intel's two-dimensional paging, with the exit handlers of 3.11.
 *
 * @param processor What the processor can do.
 * @param errorCodes Whose error codes its violations make, and whose sptes it has; those of 3.11 unless told.
 */
export function eptBackend(processor: EptProcessor, errorCodes: ErrorCodeRule = "3.11"): HardwareBackend {
  return new EptBackend(processor, errorCodes);
}

/** Whose sptes go with whose error codes. */
const BITS: Readonly<Record<ErrorCodeRule, (accessedDirty: boolean) => SpteBits>> = {
  "3.11": eptBits,
  "3.13": eptBits,
  "4.10": eptBits410,
  "4.19": eptBits410,
  "6.1": eptBits61,
  "6.12": eptBits612,
};

class EptBackend implements HardwareBackend, NestedTables {
  readonly name = "ept";
  readonly bits: SpteBits;
  readonly maxPageLevel: 1 | 2 | 3;
  readonly readModifyWrite = "write";
  readonly flushesLoadedVcpu = true;
  /** With accessed and dirty bits the processor treats its walk of the guest's tables as writes (SDM 28.3.3.2). */
  readonly guestTableAccess: number;

  constructor(readonly processor: EptProcessor, readonly errorCodes: ErrorCodeRule) {
    this.bits = BITS[errorCodes](processor.accessedDirty);
    this.maxPageLevel = processor.maxPageLevel;
    this.guestTableAccess = processor.accessedDirty ? Access.WRITE : Access.READ;
  }

  translate(mmu: Mmu, vcpu: VcpuMmu, gva: number, access: number): number {
    return translateNested(mmu, vcpu, gva, access, this);
  }

  exitForOut(vcpu: VcpuMmu, port: number): void {
    exit(vcpu, EXIT_REASON_IO_INSTRUCTION, outQualification(port), 0);
  }

  handleExit(mmu: Mmu, vcpu: VcpuMmu): Protocol<number> {
    return vcpu.exit.reason === EXIT_REASON_EPT_VIOLATION
      ? handleEptViolation(mmu, vcpu, this.errorCodes)
      : handleEptMisconfig(mmu, vcpu);
  }

  /** Walks the EPT tables for one gpa; the leaf stays in `vcpu.walk`. */
  walk(mmu: Mmu, vcpu: VcpuMmu, gpa: number, access: number, final: boolean): number {
    const { pool, counters } = mmu;
    const gfn = Math.floor(gpa / 4096);
    mmu.execution.touched |= READS_TABLES;
    let page = vcpu.root;
    let rights = 7;
    for (let level: number = mmu.rootLevel;; level--) {
      const index = entryIndex(gfn, level);
      const lo = pool.lo(page, index);
      const hi = pool.hi(page, index);
      counters.counts[Work.walkReferences]++;
      if (isMisconfigured(lo, hi, level, this.processor)) return exit(vcpu, EXIT_REASON_EPT_MISCONFIG, 0, gpa);
      rights &= lo;
      const leaf = level === 1 || (lo & SPTE_LARGE) !== 0;
      if ((lo & 7) === 0 || (leaf && (rights & access) === 0)) {
        return exit(vcpu, EXIT_REASON_EPT_VIOLATION, violationQualification(access, rights & 7, final), gpa);
      }
      if (leaf) {
        const used = this.processor.accessedDirty ? lo | EPT_ACCESSED | (access === Access.WRITE ? EPT_DIRTY : 0) : lo;
        if (used !== lo) {
          mmu.execution.touched |= WRITES_TABLES;
          pool.set(page, index, used, hi);
          if (((used & ~lo) & EPT_DIRTY) !== 0 && this.processor.logsDirtyPages) logDirty(mmu, vcpu, gfn);
        }
        vcpu.walk.lo = used;
        return pfnOfLanes(lo, hi) + (level === 1 ? 0 : gfn % 512 ** (level - 1));
      }
      page = mmu.childOf(lo, hi);
    }
  }

  servesWrites(vcpu: VcpuMmu): boolean {
    const { lo } = vcpu.walk;
    return (lo & EPT_WRITE) !== 0 && (!this.processor.accessedDirty || (lo & EPT_DIRTY) !== 0);
  }
}

/**
 * Page modification logging, and what KVM does with the log at the next exit (`vmx_flush_pml_buffer`): at once, as nobody
 * looks at a dirty bitmap before all vCPUs have left their guests. That the log is never full is a modelling choice.
 */
function logDirty(mmu: Mmu, vcpu: VcpuMmu, gfn: Gfn): void {
  const slot = mmu.memslots[vcpu.asId].active.find(gfn);
  if (slot !== undefined) markPageDirty(slot, gfn);
}

function exit(vcpu: VcpuMmu, reason: number, qualification: number, gpa: number): -1 {
  vcpu.exit.reason = reason;
  vcpu.exit.info1 = qualification;
  vcpu.exit.info2 = 0;
  vcpu.exit.gpa = gpa;
  return -1;
}

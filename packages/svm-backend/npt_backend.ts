import {
  Access,
  entryIndex,
  type HardwareBackend,
  type Mmu,
  type NestedTables,
  PFERR_PRESENT,
  PFERR_RSVD,
  READS_TABLES,
  SPTE_LARGE,
  SPTE_PRESENT,
  SPTE_WRITABLE,
  type SpteBits,
  translateNested,
  type VcpuMmu,
  WRITES_TABLES,
} from "@mmu-lab/paging";
import { type Protocol, Work } from "@mmu-lab/protocol";
import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import { SVM_EXIT_NPF } from "./exit_codes.ts";
import { handleNestedPageFault, type NptKernel } from "./exit_handlers.ts";
import { exitForOut, nestedFaultInfo } from "./exit_info.ts";
import { NPT_ACCESSED, NPT_BITS, NPT_BITS_4_10, NPT_BITS_6_1, NPT_DIRTY, NPT_USER } from "./npt_bits.ts";
import { type AddressBits, hasReservedBits, memoryAddressBits, reservedAddressBits } from "./reserved_bits.ts";

/**
 * The processor that an NPT backend models. Its address bits are those of the hardware: KVM decides by the host that its
 * MMIO layout is made for. A bit that KVM takes for reserved and the hardware does not makes an MMIO spte a mapping of
 * memory that is not the guest's (bugs B13, B15, B16).
 */
export interface NptProcessor extends AddressBits {
  /** The largest page: level 1, 2 or 3. */
  readonly maxPageLevel: 1 | 2 | 3;
  /**
   * Whether a fault for a reserved bit says that the entry is present, as by AMD's manual (APM vol. 2, 8.4.2). QEMU's
   * TCG sets the RSVD bit alone.
   */
  readonly reservedFaultIsPresent: boolean;
  /** How it translates for a read-modify-write: real ones `write`, QEMU's TCG `read-then-write`. */
  readonly readModifyWrite: "write" | "read-then-write";
}

/**
 * AMD's two-dimensional paging, with KVM's exit handler.
 *
 * @param processor What the processor can do.
 * @param kernel Whose sptes and error codes; those of 3.11 unless told.
 * @throws {RangeError} If its address bits make no sense.
 */
export function nptBackend(processor: NptProcessor, kernel: NptKernel = "3.11"): HardwareBackend {
  return new NptBackend(processor, kernel);
}

class NptBackend implements HardwareBackend, NestedTables {
  readonly name = "npt";
  readonly bits: SpteBits;
  readonly maxPageLevel: 1 | 2 | 3;
  readonly readModifyWrite: "write" | "read-then-write";
  /** The walk of the guest's tables counts as writes always (APM vol. 2, 15.25.6). */
  readonly guestTableAccess: number = Access.WRITE;
  readonly #reservedHi: number;
  readonly #addressHi: number;
  /** The cause of a fault for a reserved bit. */
  readonly #reserved: number;

  constructor(processor: NptProcessor, readonly kernel: NptKernel) {
    this.bits = kernel === "3.11" ? NPT_BITS : kernel === "4.10" ? NPT_BITS_4_10 : NPT_BITS_6_1;
    this.maxPageLevel = processor.maxPageLevel;
    this.readModifyWrite = processor.readModifyWrite;
    this.#reservedHi = reservedAddressBits(processor);
    this.#addressHi = memoryAddressBits(processor);
    this.#reserved = PFERR_RSVD | (processor.reservedFaultIsPresent ? PFERR_PRESENT : 0);
  }

  translate(mmu: Mmu, vcpu: VcpuMmu, gva: number, access: number): number {
    return translateNested(mmu, vcpu, gva, access, this);
  }

  exitForOut(vcpu: VcpuMmu, port: number, nextRip: number): void {
    exitForOut(vcpu.exit, port, nextRip);
  }

  handleExit(mmu: Mmu, vcpu: VcpuMmu): Protocol<number> {
    return handleNestedPageFault(mmu, vcpu, this.kernel);
  }

  /** Walks the nested tables for one gpa; the leaf stays in `vcpu.walk`. */
  walk(mmu: Mmu, vcpu: VcpuMmu, gpa: number, access: number, final: boolean): number {
    const { pool, counters } = mmu;
    const gfn = Math.floor(gpa / 4096);
    const needed = access === Access.WRITE ? NPT_USER | SPTE_WRITABLE : NPT_USER;
    mmu.execution.touched |= READS_TABLES;
    let page = vcpu.root;
    let rights = needed;
    let noExecute = 0;
    for (let level: number = mmu.rootLevel;; level--) {
      const index = entryIndex(gfn, level);
      const lo = pool.lo(page, index);
      const hi = pool.hi(page, index);
      counters.counts[Work.walkReferences]++;
      if ((lo & SPTE_PRESENT) === 0) return fault(vcpu, gpa, access, 0, final);
      if (hasReservedBits(lo, hi, level, this.maxPageLevel, this.#reservedHi)) {
        return fault(vcpu, gpa, access, this.#reserved, final);
      }
      rights &= lo;
      noExecute |= hi;
      if (level > 1 && (lo & SPTE_LARGE) === 0) {
        page = mmu.childOf(lo, hi);
        continue;
      }
      if (rights !== needed || (access === Access.FETCH && noExecute < 0)) {
        return fault(vcpu, gpa, access, PFERR_PRESENT, final);
      }
      // The tables above have the accessed bit from the start: KVM sets it when it links them.
      const used = lo | NPT_ACCESSED | (access === Access.WRITE ? NPT_DIRTY : 0);
      if (used !== lo) {
        mmu.execution.touched |= WRITES_TABLES;
        pool.set(page, index, used, hi);
      }
      vcpu.walk.lo = used;
      const frame = pfnOfLanes(lo, hi & this.#addressHi);
      if (level === 1) return frame;
      const pages = 512 ** (level - 1);
      // Bit 12 of a large page is its PAT bit.
      return frame - (frame % pages) + (gfn % pages);
    }
  }

  servesWrites(vcpu: VcpuMmu): boolean {
    const both = SPTE_WRITABLE | NPT_DIRTY;
    return (vcpu.walk.lo & both) === both;
  }
}

function fault(vcpu: VcpuMmu, gpa: number, access: number, cause: number, final: boolean): -1 {
  const { exit } = vcpu;
  exit.reason = SVM_EXIT_NPF;
  exit.info1 = nestedFaultInfo(access, cause, final);
  exit.info2 = gpa;
  exit.gpa = gpa;
  return -1;
}

import { type AccessSize, APIC_GFN, type MmioUserspace, SILENT_USERSPACE, type Vcpu, type Vm } from "@mmu-lab/machine";
import { isReadOnly } from "@mmu-lab/paging";
import type { AccessOperation } from "@mmu-lab/workloads";
import { GuestView } from "./guest_view.ts";

/** An access that went the wrong way. */
export interface StaleAccess {
  /** Guest-physical address of the first part of it that did. */
  readonly gpa: number;
  /** Where that part should have gone by the memslots as they were. */
  readonly expected: "memory" | "device";
  /**
   * Whether the vCPU's own MMIO cache answered, and had rightly learnt that the page is MMIO: no strategy was asked then.
   * What it learnt from an MMIO spte that was stale already is that spte's fault.
   */
  readonly byCache: boolean;
}

/**
 * Judges accesses: each part of one, reading or writing one page, must reach memory where a slot is, and a device where
 * none is or the slot is read-only and the part writes. The memslots at that moment are the truth, for nothing runs
 * meanwhile. What a device in the kernel serves is not seen: a judged VM has none.
 *
 * Where KVM shadows the guest's tables, these say to which frame an address leads, as they are just before the access.
 *
 * Not judged: the local APIC's page under a slot, which the kernel takes for MMIO whenever it emulates; an access that the
 * guest gets a page fault for; and one by an entry that the program has changed, of which nobody has told KVM.
 */
export class Judge {
  /** What the VM must have for its user space. */
  readonly userspace: MmioUserspace;
  /** The frames of the access that is being judged, of its first page and of its second; -1 if there is none. */
  readonly #gfns: [number, number] = [-1, -1];
  #view: GuestView | undefined;
  /** The parts that must go to a device, and those that may go either way. Parts: bit 2 x page + write. */
  #expected = 0;
  #either = 0;
  /** The pages with memory and those without: 1 the first, 2 the second. */
  #memory = 0;
  #devices = 0;
  /** The pages that the vCPU's cache knew, and had learnt rightly. */
  #cached = 0;
  /** The page that a vCPU's cache has learnt wrongly, by vCPU. */
  readonly #mislearnt: Map<number, number> = new Map();
  /** The parts that went to a device. */
  #served = 0;

  /**
   * Makes a judge.
   *
   * @param userspace What serves MMIO; it reads zero unless told.
   */
  constructor(userspace: MmioUserspace = SILENT_USERSPACE) {
    this.userspace = {
      read: (gpa, data, length) => {
        this.#note(gpa, 0);
        userspace.read(gpa, data, length);
      },
      write: (gpa, data, length) => {
        this.#note(gpa, 1);
        userspace.write(gpa, data, length);
      },
    };
  }

  /** The program is about to write an entry of a guest's table, which KVM does not see; see `GuestView`. */
  beforeHostWrite(vm: Vm, hva: number): void {
    (this.#view ??= new GuestView(vm)).beforeHostWrite(hva);
  }

  /** Looks at the memslots and the vCPU's cache just before an access. */
  before(vm: Vm, vcpu: Vcpu, { op, gva, size }: AccessOperation): void {
    this.#view ??= new GuestView(vm);
    this.#gfns.fill(-1);
    this.#expected = 0;
    this.#either = 0;
    this.#memory = 0;
    this.#devices = 0;
    this.#cached = 0;
    this.#served = 0;
    const slots = vm.mmu.slotsOf(vcpu.mmu);
    for (let page = 0; page < pagesOf(gva, size); page++) {
      const gfn = this.#gfns[page] = this.#view.gfnOf(vcpu, (Math.floor(gva / 4096) + page) * 4096);
      const slot = slots.active.find(gfn);
      const isMemory = slot !== undefined && !slot.invalid;
      if (isMemory) this.#memory |= 1 << page;
      else this.#devices |= 1 << page;
      const parts = (op === "write" ? 0 : 1) | (op === "read" ? 0 : 2);
      if (gfn < 0 || this.#view.isRewritten || (isMemory && gfn === APIC_GFN)) this.#either |= parts << (2 * page);
      if (!isMemory) this.#expected |= parts << (2 * page);
      else if (isReadOnly(slot)) this.#expected |= (parts & 2) << (2 * page);
      const known = vcpu.mmu.cache.matchesGpa(gfn * 4096, slots);
      if (known && this.#mislearnt.get(vcpu.index) !== gfn) this.#cached |= 1 << page;
    }
  }

  /** Judges the access, when it is done. */
  after(vcpu: Vcpu, { gva }: AccessOperation): StaleAccess | undefined {
    const wrong = vcpu.outcome.faultCode >= 0 ? 0 : (this.#expected ^ this.#served) & ~this.#either;
    const page = (wrong & 3) === 0 ? 1 : 0;
    const expected = (this.#expected & wrong & (3 << (2 * page))) !== 0 ? "device" : "memory";
    const byCache = expected === "memory" && (this.#cached & (1 << page)) !== 0;
    this.#watchCache(vcpu);
    if (wrong === 0) return undefined;
    return { gpa: this.#gfns[page] * 4096 + (page === 0 ? gva % 4096 : 0), expected, byCache };
  }

  /** Notes what the vCPU's cache has learnt from the access, or forgotten. */
  #watchCache({ index, mmu }: Vcpu): void {
    const { gfn } = mmu.cache;
    const page = gfn < 0 ? 0 : gfn === this.#gfns[0] ? 1 : gfn === this.#gfns[1] ? 2 : 0;
    if ((page & this.#memory & ~this.#cached) !== 0) this.#mislearnt.set(index, gfn);
    else if (gfn !== this.#mislearnt.get(index) || (page & this.#devices) !== 0) this.#mislearnt.delete(index);
  }

  #note(gpa: number, write: 0 | 1): void {
    const page = Math.floor(gpa / 4096) === this.#gfns[1] ? 1 : 0;
    this.#served |= 1 << (2 * page + write);
  }
}

function pagesOf(gva: number, size: AccessSize): number {
  return (gva % 4096) + size > 4096 ? 2 : 1;
}

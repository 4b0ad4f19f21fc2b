import type { Vcpu, Vm } from "@mmu-lab/machine";
import {
  GuestRole,
  type GuestTables,
  GuestWalker,
  hvaOf,
  linearHi,
  linearLo,
  linearPage,
  WALK_RULES_ARCHITECTURE,
  walkAddr,
  WalkMmu,
} from "@mmu-lab/paging";
import { WorkCounters } from "@mmu-lab/protocol";
import { pfnOfLanes } from "@mmu-lab/spte-encoding";
import { NULL_SINK } from "@mmu-lab/tracing";

const PRESENT = 1;

/**
 * Where a guest's linear addresses lead by its page tables, read as they are: nothing is counted, and no accessed or dirty
 * bit is set.
 */
export class GuestView {
  readonly #vm: Vm;
  readonly #walker: GuestWalker = new GuestWalker();
  /** Host virtual addresses of entries that were changed while they led somewhere. */
  readonly #rewritten: Set<number> = new Set();
  /** Whether the last address was found by such an entry: of it a TLB, or a shadow page, may know what it was. */
  isRewritten = false;

  /** @param vm A VM, whose guest may have tables or not. */
  constructor(vm: Vm) {
    this.#vm = vm;
  }

  /** The frame of an address, or -1 if the tables lead nowhere; the address's own where nobody shadows tables. */
  gfnOf(vcpu: Vcpu, gva: number): number {
    this.isRewritten = false;
    const { shadow, inL2 } = vcpu.mmu;
    const page = linearPage(gva);
    if (shadow === undefined || shadow.nonpaging || inL2) return page;
    const mmu = new WalkMmu({
      role: GuestRole.ofPaging(shadow.paging, WALK_RULES_ARCHITECTURE),
      tables: new ReadOnlyTables(this.#vm, vcpu),
      counters: new WorkCounters(),
      trace: NULL_SINK,
      vcpu: vcpu.index,
    });
    mmu.rootLo = shadow.walk.rootLo;
    mmu.rootHi = shadow.walk.rootHi;
    mmu.pdptrs.set(shadow.walk.pdptrs);
    const walker = this.#walker;
    if (!walkAddr(mmu, walker, linearLo(page, 0), linearHi(page), 0)) return -1;
    const entry = walker.pteGpa(walker.level, mmu.role.format);
    const slot = this.#vm.memslots[vcpu.mmu.asId].active.find(Math.floor(entry / 4096));
    this.isRewritten = slot !== undefined &&
      this.#rewritten.has(hvaOf(slot, Math.floor(entry / 4096)) + (entry % 4096));
    return walker.gfn;
  }

  /** The program is about to write an entry, and does not tell KVM. @param hva Where: a multiple of 8. */
  beforeHostWrite(hva: number): void {
    const words = this.#vm.host.words(this.#vm.host.pfn(hva));
    if ((words[(hva % 4096) / 4] & PRESENT) !== 0) this.#rewritten.add(hva);
  }
}

/** Guest memory by the memslots of now, looked at from outside. */
class ReadOnlyTables implements GuestTables {
  lanes: Int32Array = new Int32Array(0);

  constructor(readonly vm: Vm, readonly vcpu: Vcpu) {}

  find(tableLo: number, tableHi: number): number {
    const gfn = pfnOfLanes(tableLo, tableHi);
    const slot = this.vm.memslots[this.vcpu.mmu.asId].active.find(gfn);
    if (slot === undefined || slot.invalid) return -1;
    this.lanes = this.vm.host.words(this.vm.host.pfn(hvaOf(slot, gfn)));
    return 0;
  }

  /** No walk sets a bit then. */
  isWritable(): boolean {
    return false;
  }

  compareExchange8(): number {
    return -1;
  }

  compareExchange4(): number {
    return -1;
  }

  markPageDirty(): void {}
}

import type { MmuControl } from "@mmu-lab/invalidation";
import { ENOENT, Memslots } from "@mmu-lab/memslots";
import type { MemoryRegion } from "@mmu-lab/memslots";
import {
  changeAddressSpace,
  changePaging,
  enterL2,
  getDirtyLog,
  type HardwareBackend,
  invalidatePage,
  invept,
  leaveL2,
  linearOffset,
  linearPage,
  loadCr3,
  MIN_MMU_PAGES,
  Mmu,
  mmuControl,
  type PagingState,
  shrink,
  type VcpuMmu,
  WRITES_GUEST_TABLES,
} from "@mmu-lab/paging";
import { Execution, Lock, type Protocol, run, Srcu } from "@mmu-lab/protocol";
import { NULL_SINK, type TraceSink } from "@mmu-lab/tracing";
import { checkAddress } from "./check_address.ts";
import { checkLa57 } from "./check_la57.ts";
import { createVcpu } from "./create_vcpu.ts";
import { destroyVm } from "./destroy_vm.ts";
import { DeviceBus, type MmioUserspace, SILENT_USERSPACE } from "./device_bus.ts";
import { emulateInstruction } from "./emulate.ts";
import { type AccessKind, type AccessSize, FLAT_GUEST, type Guest } from "./guest.ts";
import { HostMemory, type HostRegion } from "./host_memory.ts";
import type { Profile } from "./profile.ts";
import { exitFor, performAccess, runToOut } from "./run_vcpu.ts";
import { setUserMemoryRegion } from "./set_user_memory_region.ts";
import { setNrMmuPages } from "./set_nr_mmu_pages.ts";
import type { AccessOutcome, Vcpu } from "./vcpu.ts";

/** What a VM is made with, beside its profile. */
export interface VmOptions {
  /** The guest; {@linkcode FLAT_GUEST} unless told. */
  readonly guest?: Guest;
  /** The program that serves MMIO; it reads zero unless told. */
  readonly userspace?: MmioUserspace;
  /** Host memory that is set aside. */
  readonly hostMemory?: readonly HostRegion[];
  /** Where tracepoints go; nowhere unless told. */
  readonly trace?: TraceSink;
  /** Shadow pages the VM may have (`KVM_SET_NR_MMU_PAGES`), at least 64; 2 percent of its memory unless told. */
  readonly maxShadowPages?: number;
}

/**
 * A virtual machine: a profile put together. The methods that can race with each other are protocols, to be driven by
 * a scheduler; those without `Protocol` in their type drive one straight through.
 *
 * @example
 * ```ts
 * import { PROFILES, Vm } from "@mmu-lab/machine";
 * import { assertEquals } from "@std/assert";
 *
 * const vm = new Vm(PROFILES.linux_3_11_ept);
 * vm.createVcpu();
 * vm.memslot({ id: 0, gpa: 0, size: 0x100000, flags: 0, userspaceAddr: 0x7f0000000000 });
 * vm.access(0, "write", 0x1000, 4, 0x12345678n);
 * assertEquals(vm.access(0, "read", 0x1000, 4).value, 0x12345678n);
 * assertEquals(vm.access(0, "read", 0xfee00000, 4).kind, "mmio");
 * ```
 */
export class Vm {
  /** The kernel and processor. */
  readonly profile: Profile;
  /** The guest. */
  readonly guest: Guest;
  /** Who runs and what work is done. */
  readonly execution: Execution = new Execution();
  /** `slots_lock`: one memslot update at a time. */
  readonly slotsLock: Lock = new Lock("slots_lock", this.execution);
  /** `kvm->srcu`: protects readers of memslots. */
  readonly srcu: Srcu = new Srcu("kvm->srcu", this.execution);
  /** Memslots by address space. */
  readonly memslots: readonly Memslots[];
  /** Host memory. */
  readonly host: HostMemory;
  /** Devices in the kernel. */
  readonly bus: DeviceBus = new DeviceBus();
  /** The program that serves MMIO. */
  readonly userspace: MmioUserspace;
  /** The processor with KVM's exit handlers. */
  readonly backend: HardwareBackend;
  /** The MMU. */
  readonly mmu: Mmu;
  /** What the strategy may do to the MMU. */
  readonly control: MmuControl;
  /** The vCPUs by number. */
  readonly vcpus: Vcpu[] = [];
  /** The actor that stands for the user-space thread which changes memslots. */
  readonly updater: number = 1000;
  /** Shadow pages the VM may have, if it was told (`n_requested_mmu_pages`). */
  maxShadowPages: number | undefined;

  /**
   * Makes a VM without slots and vCPUs.
   *
   * @param profile The kernel and processor.
   * @param options The rest.
   * @throws {RangeError} If the profile's strategy does not fit its layout or era, or with fewer than 64 shadow pages.
   */
  constructor(profile: Profile, options: VmOptions = {}) {
    const { maxShadowPages } = options;
    if (maxShadowPages !== undefined && !(maxShadowPages >= MIN_MMU_PAGES)) {
      throw new RangeError(`Cannot give a VM ${maxShadowPages} shadow pages: expected at least ${MIN_MMU_PAGES}`);
    }
    this.profile = profile;
    this.guest = options.guest ?? FLAT_GUEST;
    this.userspace = options.userspace ?? SILENT_USERSPACE;
    this.host = new HostMemory(options.hostMemory);
    this.maxShadowPages = maxShadowPages;
    this.backend = profile.backend();
    const rule = profile.era.memslots;
    this.memslots = Array.from({ length: rule.addressSpaces }, (_, asId) => new Memslots(asId, rule));
    this.mmu = new Mmu({
      execution: this.execution,
      memslots: this.memslots,
      layout: profile.layout(),
      bits: this.backend.bits,
      strategy: profile.strategy(profile.era),
      cacheRule: profile.cacheRule,
      faultRules: profile.faultRules,
      rootLevel: profile.rootLevel,
      maxPageLevel: this.backend.maxPageLevel,
      host: this.host,
      trace: options.trace ?? NULL_SINK,
      ...(profile.pageRules === undefined ? {} : { pageRules: profile.pageRules }),
      ...(profile.shadowRules === undefined ? {} : { shadowRules: profile.shadowRules }),
      ...(profile.tdpMmu === undefined ? {} : { tdpMmu: profile.tdpMmu }),
    });
    this.mmu.emulator = {
      emulate: (vcpu, address, retry) => emulateInstruction(this, this.vcpus[vcpu.index], address, retry),
    };
    if (maxShadowPages !== undefined) this.mmu.maxPages = maxShadowPages;
    this.control = mmuControl(this.mmu);
  }

  /** Creates a vCPU; with the first, KVM makes its private slots. */
  createVcpu(): Vcpu {
    return createVcpu(this);
  }

  /** Whether KVM shadows guest tables, always or while a vCPU runs L2: then what guest memory holds decides steps. */
  get shadowsGuestTables(): boolean {
    return this.backend.shadowsGuestTables === true || this.profile.nested !== undefined;
  }

  /** Runs a vCPU whose guest has code to its first hand-over to user space; a flat guest has none. */
  startVcpu(index: number): void {
    const { code } = this.guest;
    if (code !== undefined) run(this.execution, runToOut(this, this.vcpu(index), code), index);
  }

  /**
   * Changes a memslot (`KVM_SET_USER_MEMORY_REGION`).
   *
   * @returns 0, or the negative errno of the ioctl.
   */
  memslot(region: MemoryRegion): number {
    return run(this.execution, setUserMemoryRegion(this, region), this.updater);
  }

  /** The same, for a scheduler. */
  memslotProtocol(region: MemoryRegion): Protocol<number> {
    return setUserMemoryRegion(this, region);
  }

  /**
   * Says how many shadow pages the VM may have from now on, whatever its memslots (`KVM_SET_NR_MMU_PAGES`). The oldest go if
   * it has more.
   *
   * @param pages At least 64. @returns 0, or `-EINVAL`.
   */
  setNrMmuPages(pages: number): number {
    return run(this.execution, setNrMmuPages(this, pages), this.updater);
  }

  /**
   * Lets the host ask for memory that shadow pages take (the shrinker).
   *
   * @param pages How many. @returns How many have gone, as the kernel counts.
   */
  shrink(pages: number): number {
    return run(this.execution, shrink(this.mmu, pages), this.updater);
  }

  /**
   * Lets a vCPU execute one instruction that accesses memory.
   *
   * @param index Which vCPU.
   * @param kind What it does.
   * @param gva Where: the linear address. From 2^47 on, and with 5-level paging, better as a `bigint` of 64 bits; as a number
   * those of the upper half are negative.
   * @param size Bytes.
   * @param value What it writes, or adds.
   * @returns What became of it; the vCPU's next access overwrites it.
   */
  access(index: number, kind: AccessKind, gva: number | bigint, size: AccessSize, value: bigint = 0n): AccessOutcome {
    const vcpu = this.vcpu(index);
    new DataView(vcpu.operand.buffer).setBigUint64(0, value, true);
    run(this.execution, this.accessProtocol(vcpu, kind, gva, size), index);
    return vcpu.outcome;
  }

  /** The same, for a scheduler and without `bigint`: the operand is what `vcpu.operand` holds. */
  accessProtocol(vcpu: Vcpu, kind: AccessKind, gva: number | bigint, size: AccessSize): Protocol<void> {
    if (typeof gva === "bigint") {
      vcpu.page = Number(BigInt.asUintN(64, gva) >> 12n);
      vcpu.offset = Number(gva & 0xfffn);
    } else {
      if (!Number.isSafeInteger(gva)) throw new RangeError(`Cannot access ${gva}: write the address as a bigint`);
      vcpu.page = linearPage(gva);
      vcpu.offset = linearOffset(gva);
    }
    const { shadow } = vcpu.mmu;
    if (shadow !== undefined && !vcpu.mmu.inL2) checkAddress(vcpu, size, shadow);
    vcpu.kind = kind;
    vcpu.size = size;
    return performAccess(this, vcpu);
  }

  /**
   * Lets a vCPU enter or leave system management mode (`KVM_SET_VCPU_EVENTS`), where it sees the second address space.
   *
   * @throws {RangeError} If the kernel has one address space only.
   */
  setSmm(index: number, on: boolean): void {
    run(this.execution, this.smmProtocol(this.vcpu(index), on), index);
  }

  /** The same, for a scheduler. */
  smmProtocol(vcpu: Vcpu, on: boolean): Protocol<void> {
    if (this.memslots.length < 2) {
      throw new RangeError(`Cannot change the mode of vCPU ${vcpu.index}: ${this.profile.name} has one address space`);
    }
    if (vcpu.mmu.inL2) throw new Error(`Cannot change the mode of vCPU ${vcpu.index}: it runs L2`);
    vcpu.inGuest = false;
    return changeAddressSpace(this.mmu, vcpu.mmu, on ? 1 : 0);
  }

  /**
   * Hands out the dirty log of a slot and clears it (`KVM_GET_DIRTY_LOG`).
   *
   * @returns Page numbers in the slot, in order; or the negative errno of the ioctl.
   */
  dirtyLog(id: number, asId: number = 0): number[] | typeof ENOENT {
    const slot = this.memslots[asId].active.byId(id);
    if (slot === undefined || slot.dirtyBitmap === null) return ENOENT;
    return run(this.execution, getDirtyLog(this.mmu, slot), this.updater);
  }

  /**
   * Lets the guest load CR3: an exit with shadow paging. With two-dimensional paging KVM does not see it, and the
   * processor forgets its translations; where the guest's tables are is then no part of the model.
   *
   * @returns Whether it is loaded; if not, the guest gets #GP.
   */
  loadCr3(index: number, cr3: number): boolean {
    const vcpu = this.vcpu(index);
    if (vcpu.mmu.shadow !== undefined) return run(this.execution, this.loadCr3Protocol(vcpu, cr3), index);
    vcpu.mmu.tlb.flush();
    return true;
  }

  /** The same with shadow paging, for a scheduler. */
  loadCr3Protocol(vcpu: Vcpu, cr3: number): Protocol<boolean> {
    return exitFor(this, vcpu, loadCr3(this.mmu, vcpu.mmu, cr3));
  }

  /**
   * Lets the guest forget the translation of one address (`INVLPG`); with what becomes of it as for {@linkcode Vm.loadCr3}.
   *
   * @param gva Linear address, with its sign.
   */
  invlpg(index: number, gva: number): void {
    const vcpu = this.vcpu(index);
    if (vcpu.mmu.shadow !== undefined) return run(this.execution, this.invlpgProtocol(vcpu, gva), index);
    vcpu.mmu.tlb.flush();
  }

  /** The same with shadow paging, for a scheduler. */
  invlpgProtocol(vcpu: Vcpu, gva: number): Protocol<void> {
    return exitFor(this, vcpu, invalidatePage(this.mmu, vcpu.mmu, gva));
  }

  /**
   * Lets a guest, L1, run its own guest, L2, on a vCPU: accesses are L2's until it leaves. An access that L1's EPT does not
   * allow leaves by itself.
   *
   * @param eptp As L1's VMCS has it: the address of its EPT, and 0x1e.
   * @throws {RangeError} If the VM entry fails. @throws {Error} If the kernel lets no guest have a guest, or L2 runs already.
   */
  enterL2(index: number, eptp: number): void {
    run(this.execution, this.enterL2Protocol(this.vcpu(index), eptp), index);
  }

  /** The same, for a scheduler. */
  enterL2Protocol(vcpu: Vcpu, eptp: number): Protocol<void> {
    vcpu.inGuest = false;
    return enterL2(this.mmu, vcpu.mmu, eptp);
  }

  /** Lets a vCPU come back from L2 to L1. */
  leaveL2(index: number): void {
    run(this.execution, this.leaveL2Protocol(this.vcpu(index)), index);
  }

  /** The same, for a scheduler. */
  leaveL2Protocol(vcpu: Vcpu): Protocol<void> {
    vcpu.inGuest = false;
    return leaveL2(this.mmu, vcpu.mmu);
  }

  /** Lets L1 flush what its vCPU remembers of its EPT (`INVEPT`): of one EPTP, or of all. */
  invept(index: number, eptp?: number): void {
    run(this.execution, this.inveptProtocol(this.vcpu(index), eptp), index);
  }

  /** The same, for a scheduler. */
  inveptProtocol(vcpu: Vcpu, eptp?: number): Protocol<void> {
    vcpu.inGuest = false;
    return invept(this.mmu, vcpu.mmu, eptp);
  }

  /**
   * Lets a guest with shadow paging change how its tables are read, by CR0, CR4 or EFER.
   *
   * @throws {RangeError} If it wants 5-level paging, and the processor has none.
   */
  setPaging(index: number, paging: PagingState): void {
    checkLa57(this, paging);
    run(this.execution, changePaging(this.mmu, this.#stopped(index), paging), index);
  }

  /** Lets a guest with shadow paging go to user mode or back, which costs its TLB (modelling choice). */
  setUserMode(index: number, on: boolean): void {
    const { mmu } = this.vcpu(index);
    if (mmu.shadow === undefined) {
      throw new Error(`Cannot set the mode of vCPU ${index}: ${this.profile.name} has no shadow paging`);
    }
    mmu.shadow.userMode = on;
    mmu.tlb.flush();
  }

  /** The vCPU's MMU, out of the guest for something that KVM does for it. */
  #stopped(index: number): VcpuMmu {
    const vcpu = this.vcpu(index);
    vcpu.inGuest = false;
    return vcpu.mmu;
  }

  /**
   * Writes 8 bytes of host memory, as the program that runs the VM may: a guest's page table, say. KVM is not told.
   *
   * @param hva Host virtual address, a multiple of 8.
   */
  writeHost(hva: number, value: bigint): void {
    const words = this.host.words(this.host.pfn(hva));
    const at = (hva % 4096) / 4;
    words[at] = Number(value & 0xffffffffn) | 0;
    words[at + 1] = Number(value >> 32n) | 0;
    this.execution.touched |= WRITES_GUEST_TABLES;
  }

  /** Lets the strategy do one piece of its background work, if it has any. */
  sweep(): void {
    const { strategy } = this.mmu;
    if (strategy.sweep !== undefined) run(this.execution, strategy.sweep(this.control), this.updater);
  }

  /** Destroys the VM. */
  destroy(): void {
    destroyVm(this);
  }

  /** The vCPU of that number. */
  vcpu(index: number): Vcpu {
    const vcpu = this.vcpus[index];
    if (vcpu === undefined) {
      throw new RangeError(`Cannot use vCPU ${index}: the VM has ${this.vcpus.length}; create it first`);
    }
    return vcpu;
  }
}

import type { EmulationResult } from "@mmu-lab/paging";
import {
  hvaOf,
  injectPageFault,
  isReadOnly,
  linearAddress,
  linearOffset,
  linearPage,
  PFERR_FETCH,
  PFERR_WRITE,
  pteWrite,
  unprotectPage,
  WRITES_GUEST_TABLES,
} from "@mmu-lab/paging";
import { markPageDirty } from "@mmu-lab/memslots";
import { point, type Protocol, type Step, Work } from "@mmu-lab/protocol";
import { KVM_MMIO, KVM_MMIO_TYPE } from "@mmu-lab/tracing";
import { gpaOfExit, gpaOfMmioGva, isAtFault, isMmio, walk } from "./_emulator_address.ts";
import type { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";

/** Whether the address is MMIO is about to be looked up in the vCPU's cache. */
export const EMULATE_LOOK: Step = point("emulator looks at the vCPU's MMIO cache");
/** Guest memory is about to be accessed by the emulator. */
export const EMULATE_MEMORY: Step = point("emulator looks up the memslot and accesses guest memory");

/**
 * Emulates the vCPU's instruction (`x86_emulate_instruction`, 3.11 x86.c; facts sheet 3.2). The instructions of the lab
 * are plain loads, stores and one read-modify-write, so there is nothing to decode.
 *
 * @param address The address that faulted.
 * @param retry Whether an instruction that does not write page tables may first be sent back to the guest.
 */
export function* emulateInstruction(
  vm: Vm,
  vcpu: Vcpu,
  address: number,
  retry: boolean,
): Protocol<EmulationResult> {
  // From here on nothing counts but the instruction and whether it may be retried, whatever led here.
  vm.execution.keepOnly(address, retry ? 1 : 0);
  vcpu.faultAddress = address;
  vm.mmu.counters.counts[Work.emulations]++;
  vm.mmu.stats.insn_emulation++;
  fetchInstruction(vm, vcpu);
  if (yield* sendsBack(vm, vcpu, address, retry)) return "done";
  const result = yield* emulateAccess(vm, vcpu);
  if (result === "done") vcpu.emulated = true;
  return result;
}

/**
 * Performs the access of the instruction, from its start or, when user space has supplied what a read needed, from there
 * (`x86_emulate_insn`).
 */
export function* emulateAccess(vm: Vm, vcpu: Vcpu): Protocol<EmulationResult> {
  vm.execution.keepOnly(vcpu.faultAddress);
  if (vcpu.kind !== "write") {
    if (!(yield* readOperand(vm, vcpu))) return "done";
    if (vcpu.fragmentCount > 0) return needsUserspace(vm);
    for (let i = 0; i < vcpu.size; i++) vcpu.outcome.data[i] = vcpu.readBuffer[i];
    if (vcpu.kind === "read") return "done";
  }
  vcpu.prepareWrite();
  if (!(yield* eachPage(vm, vcpu, true))) return "done";
  return vcpu.fragmentCount > 0 ? needsUserspace(vm) : "done";
}

/** The instruction goes on when user space has served it; 6.1 counts that here. */
function needsUserspace(vm: Vm): EmulationResult {
  if (vm.mmu.faultRules.countsAllMmioExits) vm.mmu.stats.mmio_exits++;
  return "do-mmio";
}

/** Whether the guest is sent back to execute the instruction itself; what it writes then counts as no guest table any more. */
function* sendsBack(vm: Vm, vcpu: Vcpu, address: number, retry: boolean): Protocol<boolean> {
  if (vm.mmu.faultRules.tellsWriteProtected !== true) {
    if (!retriesInstead(vcpu, address, retry)) return false;
    yield* unprotect(vm, vcpu, address);
    return true;
  }
  // kvm_mmu_write_protect_fault and x86_emulate_instruction, 6.12: only if a page goes, and not twice for the same fault.
  if (!retry || (vcpu.lastRetryRip === vcpu.rip && vcpu.lastRetryAddress === address)) return false;
  vcpu.lastRetryRip = 0;
  vcpu.lastRetryAddress = 0;
  if (vcpu.kind === "write" || !(yield* unprotect(vm, vcpu, address))) return false;
  vcpu.lastRetryRip = vcpu.rip;
  vcpu.lastRetryAddress = address;
  return true;
}

/** `retry_instruction`: a fault on a page that is not MMIO may go away if the guest tries again; once. */
function retriesInstead(vcpu: Vcpu, address: number, retry: boolean): boolean {
  const lastRip = vcpu.lastRetryRip;
  const lastAddress = vcpu.lastRetryAddress;
  vcpu.lastRetryRip = 0;
  vcpu.lastRetryAddress = 0;
  // MOV to memory is an instruction that guests write page tables with; MOV from it and ADD are not (the PageTable flag of
  // 3.11 emulate.c).
  if (!retry || vcpu.kind === "write") return false;
  if (lastRip === vcpu.rip && lastAddress === address) return false;
  vcpu.lastRetryRip = vcpu.rip;
  vcpu.lastRetryAddress = address;
  return true;
}

/**
 * What is written may be a shadowed table that is none any more: its pages go (`kvm_mmu_unprotect_page`); whether there
 * were any.
 */
function* unprotect(vm: Vm, vcpu: Vcpu, address: number): Protocol<boolean> {
  if (!vm.shadowsGuestTables) return false;
  // In L2 the kernel takes the guest-physical address of the fault for a linear one (retry_instruction).
  const gpa = vcpu.mmu.shadow === undefined
    ? address
    : walk(vcpu, linearPage(address), linearOffset(address), PFERR_WRITE);
  vm.execution.observe(gpa);
  return gpa >= 0 && (yield* unprotectPage(vm.mmu, Math.floor(gpa / 4096)));
}

/** False if the guest gets a page fault. */
function* readOperand(vm: Vm, vcpu: Vcpu): Protocol<boolean> {
  const { trace } = vm.mmu;
  if (vcpu.readCompleted) {
    vcpu.readCompleted = false;
    vcpu.fragmentCount = 0;
    if (trace.on) traceMmio(vm, vcpu, KVM_MMIO_TYPE.READ, vcpu.size, vcpu.fragments[0].gpa, vcpu.readBuffer, 0);
    return true;
  }
  if (!(yield* eachPage(vm, vcpu, false))) return false;
  if (vcpu.fragmentCount > 0 && trace.on) {
    const { gpa } = vcpu.fragments[0];
    // The length is that of the last page's piece, the address that of the first fragment (emulator_read_write).
    const inFirst = bytesInFirstPage(vcpu);
    const length = inFirst < vcpu.size ? vcpu.size - inFirst : vcpu.size;
    trace.emit(KVM_MMIO, vcpu.index, KVM_MMIO_TYPE.UNSATISFIED_READ, length, gpa, 0, 0);
  }
  return true;
}

/** Splits an access at the page boundary (`emulator_read_write`); false if the guest gets a page fault. */
function* eachPage(vm: Vm, vcpu: Vcpu, write: boolean): Protocol<boolean> {
  vcpu.fragmentCount = 0;
  vcpu.fragmentsWrite = write;
  const inFirst = bytesInFirstPage(vcpu);
  if (!(yield* onePage(vm, vcpu, vcpu.page, vcpu.offset, 0, inFirst, write))) return false;
  return inFirst === vcpu.size ||
    (yield* onePage(vm, vcpu, vcpu.page + 1, 0, inFirst, vcpu.size - inFirst, write));
}

/** One page of an access (`emulator_read_write_onepage`): guest memory, a device, or a fragment for user space. */
function* onePage(
  vm: Vm,
  vcpu: Vcpu,
  page: number,
  offset: number,
  at: number,
  length: number,
  write: boolean,
): Protocol<boolean> {
  const { mmu } = vm;
  const gva = linearAddress(page, offset);
  yield EMULATE_LOOK;
  let gpa = gpaOfMmioGva(vm, vcpu, gva, offset, write);
  if (gpa < 0) gpa = gpaOfExit(vm, vcpu, offset);
  const isKnown = gpa >= 0;
  if (!isKnown) {
    gpa = isAtFault(vm, vcpu, offset) ? vcpu.faultAddress : walk(vcpu, page, offset, write ? PFERR_WRITE : 0);
    if (gpa < 0) {
      yield* injectPageFault(mmu, vcpu.mmu);
      vcpu.fragmentCount = 0;
      return false;
    }
  }
  vm.execution.observe(gpa);
  if (!isKnown && !isMmio(vm, vcpu, gva, gpa, write)) {
    yield EMULATE_MEMORY;
    if (accessGuestMemory(vm, vcpu, gpa, at, length, write)) {
      if (write) yield* pteWrite(mmu, vcpu.mmu, gpa, length);
      return true;
    }
  }
  const buffer = write ? vcpu.writeBuffer : vcpu.readBuffer;
  if (write && mmu.trace.on) traceMmio(vm, vcpu, KVM_MMIO_TYPE.WRITE, length, gpa, buffer, at);
  const device = vm.bus.find(gpa, length);
  if (device !== undefined) {
    vcpu.outcome.deviceAccesses++;
    const data = buffer.subarray(at, at + length);
    if (write) device.write(gpa, data, length);
    else {
      device.read(gpa, data, length);
      if (mmu.trace.on) traceMmio(vm, vcpu, KVM_MMIO_TYPE.READ, length, gpa, buffer, at);
    }
    return true;
  }
  const fragment = vcpu.fragments[vcpu.fragmentCount++];
  fragment.gpa = gpa;
  fragment.at = at;
  fragment.length = length;
  return true;
}

/**
 * Reads the instruction from guest memory, which takes a walk of the guest's tables (`kvm_fetch_guest_virt`): the recorded
 * processors do not hand its bytes over. It lies in one page, and what it is the model knows.
 */
function fetchInstruction(vm: Vm, vcpu: Vcpu): void {
  if (vm.guest.code !== undefined) walk(vcpu, linearPage(vcpu.rip), linearOffset(vcpu.rip), PFERR_FETCH);
}

/** Reads or writes guest memory (`kvm_read_guest`, `kvm_write_guest`); false where there is none to be had. */
function accessGuestMemory(vm: Vm, vcpu: Vcpu, gpa: number, at: number, length: number, write: boolean): boolean {
  const gfn = Math.floor(gpa / 4096);
  const slot = vm.mmu.slotOf(vcpu.mmu, gfn);
  if (slot === undefined || slot.invalid || (write && isReadOnly(slot))) return false;
  const pfn = vm.host.pfn(hvaOf(slot, gfn));
  vcpu.outcome.ramAccesses++;
  if (write) {
    if (vm.shadowsGuestTables) vm.execution.touched |= WRITES_GUEST_TABLES;
    vm.host.write(pfn, gpa % 4096, vcpu.writeBuffer, at, length);
    markPageDirty(slot, gfn);
  } else vm.host.read(pfn, gpa % 4096, vcpu.readBuffer, at, length);
  return true;
}

function bytesInFirstPage(vcpu: Vcpu): number {
  return Math.min(vcpu.size, 4096 - vcpu.offset);
}

function traceMmio(
  vm: Vm,
  vcpu: Vcpu,
  type: number,
  length: number,
  gpa: number,
  buffer: Uint8Array,
  at: number,
): void {
  const shown = vm.profile.tracesAccessedBytes ? length : 8;
  const low = word(buffer, at) & bytesMask(shown);
  const high = word(buffer, at + 4) & bytesMask(shown - 4);
  vm.mmu.trace.emit(KVM_MMIO, vcpu.index, type, length, gpa, low, high);
}

/** A mask of so many bytes of a word, low ones first; all if there are four or more, none if there are none. */
function bytesMask(count: number): number {
  return count >= 4 ? -1 : count <= 0 ? 0 : (1 << (8 * count)) - 1;
}

function word(buffer: Uint8Array, at: number): number {
  return buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24);
}

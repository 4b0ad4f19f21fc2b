import {
  Access,
  changeRoot,
  FETCH_PAGES,
  flushIfAsked,
  highWord,
  leaveL2,
  linearAddress,
  linearOffset,
  linearPage,
  needsRoot,
  WRITES_GUEST_TABLES,
} from "@mmu-lab/paging";
import { point, type Protocol, type Step, Work } from "@mmu-lab/protocol";
import { KVM_ENTRY, KVM_EXIT, KVM_PIO, KVM_USERSPACE_EXIT } from "@mmu-lab/tracing";
import { emulateAccess } from "./emulate.ts";
import type { GuestCode } from "./guest.ts";
import type { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";

/** The guest is about to execute an instruction, or to access memory. */
export const GUEST_RUNS: Step = point("the guest runs");
/** KVM has returned to user space, which is about to serve an MMIO access. */
export const USERSPACE_SERVES: Step = point("user space serves the MMIO access", "before");

const KVM_EXIT_IO = 2;
const KVM_EXIT_MMIO = 6;

/**
 * Lets the guest perform the access that is set in `vcpu`, with everything that comes of it, until it is done
 * (`vcpu_run` and user space's loop around `KVM_RUN`). With guest code, the guest then comes back to its `OUT`.
 */
export function* performAccess(vm: Vm, vcpu: Vcpu): Protocol<void> {
  const code = codeOf(vm, vcpu);
  vcpu.outcome.clear();
  if (code !== undefined) yield* execute(vm, vcpu, code.resumeRip, fetchOnly);
  const emulated = yield* execute(vm, vcpu, code === undefined ? 0 : code.ripOf(vcpu.kind, vcpu.size), accessMemory);
  if (vcpu.outcome.faultCode >= 0 || vcpu.outcome.exitToL1 !== undefined || code === undefined) return;
  // The TLB may have been flushed on the way.
  if (emulated) yield* execute(vm, vcpu, code.nextRipOf(vcpu.kind, vcpu.size), fetchOnly);
  yield* runToOut(vm, vcpu, code);
}

/** The guest's code; L2 has none. */
function codeOf(vm: Vm, vcpu: Vcpu): GuestCode | undefined {
  return vcpu.mmu.inL2 ? undefined : vm.guest.code;
}

/** Runs a guest with code to its `OUT`, where control goes to user space. */
export function* runToOut(vm: Vm, vcpu: Vcpu, code: GuestCode): Protocol<void> {
  yield* execute(vm, vcpu, code.loopRip, fetchOnly);
  const { mmu } = vm;
  vm.backend.exitForOut(vcpu.mmu, code.outPort, code.resumeRip);
  leaveGuest(vm, vcpu);
  mmu.stats.io_exits++;
  mmu.counters.counts[Work.userspaceExits]++;
  if (mmu.trace.on) {
    mmu.trace.emit(KVM_PIO, vcpu.index, 1, code.outPort, 1, 1);
    mmu.trace.emit(KVM_USERSPACE_EXIT, vcpu.index, KVM_EXIT_IO);
  }
}

/** Tries one instruction: true when it is done, false when it caused an exit. One atomic act of the processor. */
type Attempt = (vm: Vm, vcpu: Vcpu) => boolean;

/** Executes one instruction, entering the guest and handling exits until it is done; whether KVM has emulated it. */
function* execute(vm: Vm, vcpu: Vcpu, rip: number, attempt: Attempt): Protocol<boolean> {
  const { mmu } = vm;
  vcpu.rip = rip;
  vcpu.mmu.rip = rip;
  for (;;) {
    mmu.execution.forget();
    yield GUEST_RUNS;
    // A request from another CPU comes with an IPI: a guest that runs is out of it before anything else happens.
    if (needsRoot(mmu, vcpu.mmu)) {
      vcpu.inGuest = false;
      yield* changeRoot(mmu, vcpu.mmu);
      continue;
    }
    if (flushIfAsked(mmu, vcpu.mmu) || !vcpu.inGuest) {
      vcpu.inGuest = true;
      mmu.counters.counts[Work.guestEntries]++;
      if (mmu.trace.on) mmu.trace.emit(KVM_ENTRY, vcpu.index, rip);
    }
    if (attempt(vm, vcpu)) return false;
    leaveGuest(vm, vcpu);
    yield vm.srcu.readLock;
    const result = yield* vm.backend.handleExit(mmu, vcpu.mmu);
    yield vm.srcu.readUnlock;
    if (yield* faulted(vm, vcpu)) return false;
    if (result < 0) throw new Error(`Cannot run vCPU ${vcpu.index}: KVM_RUN fails with ${result}`);
    if (result === 0) {
      yield* serveMmio(vm, vcpu);
      if (yield* faulted(vm, vcpu)) return false;
    }
    if (vcpu.emulated) {
      vcpu.emulated = false;
      return true;
    }
  }
}

/**
 * An instruction of the guest that is an exit and that KVM carries out, such as INVLPG. Its tracepoints are not modelled,
 * as no recording has any.
 */
export function* exitFor<T>(vm: Vm, vcpu: Vcpu, handler: Protocol<T>): Protocol<T> {
  const { mmu } = vm;
  mmu.execution.forget();
  yield GUEST_RUNS;
  vcpu.inGuest = false;
  mmu.stats.exits++;
  mmu.counters.counts[Work.exits]++;
  yield vm.srcu.readLock;
  const result = yield* handler;
  yield vm.srcu.readUnlock;
  return result;
}

function leaveGuest(vm: Vm, vcpu: Vcpu): void {
  const { mmu } = vm;
  vcpu.inGuest = false;
  mmu.stats.exits++;
  mmu.counters.counts[Work.exits]++;
  if (!mmu.trace.on) return;
  const { reason, info1, info2 } = vcpu.mmu.exit;
  const high = highWord(info1);
  if (vm.backend.tracesInterruptionApart === true) {
    const errorCode = vcpu.mmu.shadow?.exitErrorCode ?? 0;
    mmu.trace.emit(KVM_EXIT, vcpu.index, reason, vcpu.rip, info1, high, 0, 0, info2, errorCode);
  } else mmu.trace.emit(KVM_EXIT, vcpu.index, reason, vcpu.rip, info1, high, info2, highWord(info2));
}

/**
 * Whether the guest gets a page fault, or L1 an exit from L2. What the handler there would do is not modelled: the
 * instruction ends.
 */
function* faulted(vm: Vm, vcpu: Vcpu): Protocol<boolean> {
  const { shadow } = vcpu.mmu;
  if (shadow === undefined || !shadow.faultPending) return false;
  shadow.faultPending = false;
  vcpu.emulated = false;
  vcpu.fragmentCount = 0;
  const { fault } = shadow.walker;
  if (fault.kind === "page-fault") vcpu.outcome.faultCode = fault.errorCode;
  else {
    const isViolation = fault.kind === "ept-violation";
    const gpa = (fault.addressHi >>> 0) * 2 ** 32 + (fault.addressLo >>> 0);
    vcpu.outcome.exitToL1 = { kind: fault.kind, qualification: isViolation ? fault.exitQualification : 0, gpa };
    yield* leaveL2(vm.mmu, vcpu.mmu);
  }
  return true;
}

/** User space serves the fragments of an MMIO access one `KVM_RUN` at a time (`complete_emulated_mmio`, 3.11). */
function* serveMmio(vm: Vm, vcpu: Vcpu): Protocol<void> {
  const { mmu } = vm;
  while (vcpu.fragmentCount > 0 && vcpu.mmu.shadow?.faultPending !== true) {
    for (let i = 0; i < vcpu.fragmentCount; i++) {
      mmu.counters.counts[Work.userspaceExits]++;
      if (mmu.trace.on) mmu.trace.emit(KVM_USERSPACE_EXIT, vcpu.index, KVM_EXIT_MMIO);
      yield USERSPACE_SERVES;
      serveFragment(vm, vcpu, i);
    }
    if (vcpu.fragmentsWrite) {
      vcpu.fragmentCount = 0;
      vcpu.emulated = true;
      return;
    }
    vcpu.readCompleted = true;
    yield vm.srcu.readLock;
    const result = yield* emulateAccess(vm, vcpu);
    yield vm.srcu.readUnlock;
    if (result === "done") vcpu.emulated = true;
  }
}

function serveFragment(vm: Vm, vcpu: Vcpu, i: number): void {
  const { gpa, at, length } = vcpu.fragments[i];
  if (vcpu.fragmentsWrite) {
    vcpu.outcome.mmioWrites++;
    vm.userspace.write(gpa, vcpu.writeBuffer.subarray(at, at + length), length);
  } else {
    vcpu.outcome.mmioReads++;
    vm.userspace.read(gpa, vcpu.readBuffer.subarray(at, at + length), length);
  }
}

/** Translates an address as the processor does, TLB first; the host frame, or -1 with the exit in `vcpu.mmu.exit`. */
function translate(vm: Vm, vcpu: Vcpu, page: number, offset: number, access: number): number {
  const pfn = vcpu.mmu.tlb.lookup(access === Access.FETCH ? page + FETCH_PAGES : page, access === Access.WRITE);
  if (pfn >= 0) {
    vm.mmu.counters.counts[Work.tlbHits]++;
    return pfn;
  }
  return vm.backend.translate(vm.mmu, vcpu.mmu, linearAddress(page, offset), access);
}

function fetchOnly(vm: Vm, vcpu: Vcpu): boolean {
  return translate(vm, vcpu, linearPage(vcpu.rip), linearOffset(vcpu.rip), Access.FETCH) >= 0;
}

function accessMemory(vm: Vm, vcpu: Vcpu): boolean {
  if (codeOf(vm, vcpu) !== undefined && !fetchOnly(vm, vcpu)) return false;
  const { page, offset, size, kind, outcome } = vcpu;
  const inFirst = Math.min(size, 4096 - offset);
  if (kind === "rmw" && vm.backend.readModifyWrite === "read-then-write") {
    if (translate(vm, vcpu, page, offset, Access.READ) < 0) return false;
    if (inFirst < size && translate(vm, vcpu, page + 1, 0, Access.READ) < 0) return false;
  }
  const access = kind === "read" ? Access.READ : Access.WRITE;
  const first = translate(vm, vcpu, page, offset, access);
  if (first < 0) return false;
  let second = first;
  if (inFirst < size) {
    second = translate(vm, vcpu, page + 1, 0, access);
    if (second < 0) return false;
    outcome.ramAccesses++;
  }
  outcome.ramAccesses++;
  if (kind !== "write") {
    vm.host.read(first, offset, outcome.data, 0, inFirst);
    if (inFirst < size) vm.host.read(second, 0, outcome.data, inFirst, size - inFirst);
  }
  if (kind !== "read") {
    if (vm.shadowsGuestTables) vm.execution.touched |= WRITES_GUEST_TABLES;
    vcpu.prepareWrite();
    vm.host.write(first, offset, vcpu.writeBuffer, 0, inFirst);
    if (inFirst < size) vm.host.write(second, 0, vcpu.writeBuffer, inFirst, size - inFirst);
  }
  return true;
}

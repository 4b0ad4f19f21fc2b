import {
  type AccessOutcome,
  FLAT_GUEST,
  type Guest,
  IDENTITY_GUEST,
  IDENTITY_SLOT,
  IDENTITY_TABLES,
  type Profile,
  Vm,
  type VmOptions,
} from "@mmu-lab/machine";
import { MEM_LOG_DIRTY_PAGES, type MemoryRegion } from "@mmu-lab/memslots";
import { PAGING_4_LEVEL } from "@mmu-lab/paging";
import { RECORDER_4K_GUEST, RECORDER_GUEST, RECORDER_USERSPACE } from "./recorder_guest.ts";
import type { BulkFlagsOperation, Operation, Scenario } from "./scenario.ts";

/** What came of an operation. */
export interface OperationResult {
  /** 0, or a negative errno. */
  readonly ret: number;
  /** Of an access. Overwritten by the vCPU's next access. */
  readonly access?: AccessOutcome;
  /** Of the dirty-log ioctl: the pages of the slot that were dirty, in order. */
  readonly dirty?: readonly number[];
}

/**
 * Makes the VM that a scenario starts with. Where KVM shadows guest tables, the flat guest has some, in a memslot of its
 * own, which map its memory to itself.
 *
 * @param scenario What is going to happen.
 * @param profile The kernel and processor.
 * @param options Where tracepoints go, nowhere unless told; and what serves MMIO, if not what the scenario says.
 */
export function vmForScenario(
  scenario: Scenario,
  profile: Profile,
  options: Pick<VmOptions, "trace" | "userspace"> = {},
): Vm {
  const shadowsFlat = scenario.guest === "flat" && profile.backend().shadowsGuestTables === true;
  const vm = new Vm(profile, {
    guest: shadowsFlat ? IDENTITY_GUEST : guestOf(scenario),
    ...(scenario.guest.startsWith("recorder") ? { userspace: RECORDER_USERSPACE } : {}),
    hostMemory: shadowsFlat ? [...scenario.hostMemory, IDENTITY_TABLES] : scenario.hostMemory,
    ...(scenario.maxShadowPages === undefined ? {} : { maxShadowPages: scenario.maxShadowPages }),
    ...options,
  });
  if (shadowsFlat) vm.memslot(IDENTITY_SLOT);
  return vm;
}

/** The guest of a scenario. With two-dimensional paging nobody looks at the tables of one that has some. */
function guestOf({ guest, cr3 = 0 }: Scenario): Guest {
  switch (guest) {
    case "flat":
      return FLAT_GUEST;
    case "paged":
      return { ...FLAT_GUEST, tables: { cr3, paging: { format: PAGING_4_LEVEL, maxphyaddr: 40, cr0Wp: true } } };
    case "recorder":
      return RECORDER_GUEST;
    case "recorder-4k":
      return RECORDER_4K_GUEST;
  }
}

/**
 * Carries out one operation of a scenario, straight through.
 *
 * @param vm A VM made by {@linkcode vmForScenario}, with all earlier operations carried out.
 * @param operation What happens.
 */
export function runOperation(vm: Vm, operation: Operation): OperationResult {
  switch (operation.op) {
    case "read":
    case "write":
    case "rmw": {
      const { vcpu, op, gva, size, value } = operation;
      return { ret: 0, access: vm.access(vcpu, op, gva, size, value === undefined ? 0n : BigInt(value)) };
    }
    case "memslot":
      return { ret: vm.memslot(operation) };
    case "bulk-flags":
      return { ret: bulkFlags(vm, operation) };
    case "get-dirty-log": {
      const dirty = vm.dirtyLog(operation.id);
      return typeof dirty === "number" ? { ret: dirty } : { ret: 0, dirty };
    }
    case "set-smm":
      vm.setSmm(operation.vcpu, operation.on);
      return { ret: 0 };
    case "host-write":
      vm.writeHost(operation.hva, BigInt(operation.value));
      return { ret: 0 };
    case "load-cr3":
      vm.loadCr3(operation.vcpu, operation.cr3);
      return { ret: 0 };
    case "invlpg":
      vm.invlpg(operation.vcpu, operation.gva);
      return { ret: 0 };
    case "enter-l2":
      if (vm.vcpu(operation.vcpu).mmu.inL2) vm.leaveL2(operation.vcpu);
      vm.enterL2(operation.vcpu, operation.eptp ?? 0);
      return { ret: 0 };
    case "leave-l2":
      // An access may have left L2 by itself.
      if (vm.vcpu(operation.vcpu).mmu.inL2) vm.leaveL2(operation.vcpu);
      return { ret: 0 };
    case "invept":
      if (vm.vcpu(operation.vcpu).mmu.inL2) vm.leaveL2(operation.vcpu);
      vm.invept(operation.vcpu, operation.eptp);
      return { ret: 0 };
    case "vcpu-create":
      vm.createVcpu();
      return { ret: 0 };
    case "vcpu-start":
      vm.startVcpu(operation.vcpu ?? 0);
      return { ret: 0 };
    case "vm-destroy":
      vm.destroy();
      return { ret: 0 };
  }
}

function bulkFlags(vm: Vm, operation: BulkFlagsOperation): number {
  for (let i = 0; i < operation.count; i++) {
    const region = dirtyLogToggled(vm, operation);
    if (region === undefined) throw new RangeError(`Cannot change the flags of slot ${operation.id}: there is none`);
    const ret = vm.memslot(region);
    if (ret !== 0) return ret;
  }
  return 0;
}

/** One change of many: the slot as it is, with dirty logging the other way round; `undefined` if there is no slot. */
export function dirtyLogToggled(vm: Vm, { id, asId = 0 }: BulkFlagsOperation): MemoryRegion | undefined {
  const slot = vm.memslots[asId]?.active.byId(id);
  if (slot === undefined) return undefined;
  const { baseGfn, npages, userspaceAddr } = slot;
  const flags = slot.flags ^ MEM_LOG_DIRTY_PAGES;
  return { asId, id, gpa: baseGfn * 4096, size: npages * 4096, flags, userspaceAddr };
}

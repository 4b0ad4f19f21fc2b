/**
 * An MMU of 3.11 on EPT, without a machine around it.
 *
 * @module
 */
import { generation } from "@mmu-lab/invalidation";
import { classifyChange, ERAS, type MemoryRegion, Memslots } from "@mmu-lab/memslots";
import { type EmulationResult, FAULT_RULES_3_11, type HardwareBackend, Mmu, prepareEntry, type VcpuMmu } from "@mmu-lab/paging";
import { Execution, type Protocol, run } from "@mmu-lab/protocol";
import { mmioLayout } from "@mmu-lab/spte-encoding";
import { NULL_SINK } from "@mmu-lab/tracing";
import { eptBackend, type EptProcessor } from "../ept_backend.ts";

const NO_MEMORY = new Int32Array(1024);

/** Host addresses are host frames here: frame 0x1000 of slot memory is at 0x1000000. */
export const HVA = 0x1000000;

/** A Haswell with 40 physical address bits. */
export const HASWELL: EptProcessor = { maxPhyAddr: 40, executeOnly: true, maxPageLevel: 3, accessedDirty: true };

/** What a call of the emulator was for. */
export interface Emulation {
  /** The address that it was told. */
  readonly address: number;
  /** Whether it might send the instruction back. */
  readonly retry: boolean;
}

/** A vCPU with its MMU. */
export interface EptMmu {
  readonly execution: Execution;
  readonly mmu: Mmu;
  readonly vcpu: VcpuMmu;
  readonly backend: HardwareBackend;
  /** Calls of the emulator, in order. */
  readonly emulations: Emulation[];
  /** What the emulator returns. */
  emulatorReturns: EmulationResult;
}

/** Makes one that has entered the guest once. */
export function eptMmu(processor: EptProcessor = HASWELL): EptMmu {
  const execution = new Execution();
  const backend = eptBackend(processor);
  const mmu = new Mmu({
    execution,
    memslots: [new Memslots(0, ERAS.G1.memslots)],
    layout: mmioLayout("linux_3_11_ept"),
    bits: backend.bits,
    strategy: generation(),
    cacheRule: { generation: "full", skipWhileInFlux: false },
    faultRules: FAULT_RULES_3_11,
    rootLevel: 4,
    maxPageLevel: 3,
    host: { pfn: (hva) => hva / 4096, mappingLevel: () => 1, isTransparentHuge: () => false, words: () => NO_MEMORY },
    trace: NULL_SINK,
  });
  const vcpu = mmu.addVcpu({ levels: 0, entryGpa: () => 0, translate: (gva) => gva });
  const made: EptMmu = { execution, mmu, vcpu, backend, emulations: [], emulatorReturns: "done" };
  mmu.emulator = {
    // deno-lint-ignore require-yield
    *emulate(_vcpu, address, retry): Protocol<EmulationResult> {
      made.emulations.push({ address, retry });
      return made.emulatorReturns;
    },
  };
  run(execution, prepareEntry(mmu, vcpu));
  return made;
}

/** Adds a slot as user space would, without any of the rest of an update. */
export function addSlot({ mmu }: EptMmu, region: Partial<MemoryRegion>): void {
  const [memslots] = mmu.memslots;
  const whole = { id: 0, gpa: 0, size: 0x10000, flags: 0, userspaceAddr: HVA, ...region };
  const change = classifyChange(memslots.active, whole, { userSlots: 125, privateSlots: 3 });
  if (typeof change === "number" || change.new === undefined) throw new Error(`Cannot add slot: ${change}`);
  memslots.publish(memslots.active.with(change.new));
  memslots.complete();
}

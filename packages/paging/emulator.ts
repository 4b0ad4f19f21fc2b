import type { Protocol } from "@mmu-lab/protocol";
import type { VcpuMmu } from "./vcpu_mmu.ts";

/** What became of an emulated instruction (`enum emulation_result`, 3.11). */
export type EmulationResult =
  /** Done; the guest goes on. */
  | "done"
  /** User space has to serve an MMIO access. */
  | "do-mmio"
  /** KVM cannot emulate it. */
  | "fail";

/** The instruction emulator, as the fault path calls it. A machine brings one. */
export interface Emulator {
  /**
   * Emulates the instruction that the vCPU is at (`x86_emulate_instruction`).
   *
   * @param vcpu Whose instruction.
   * @param address The address that faulted.
   * @param retry Whether the guest may be sent back to execute the instruction itself (`EMULTYPE_RETRY`).
   */
  emulate(vcpu: VcpuMmu, address: number, retry: boolean): Protocol<EmulationResult>;
}

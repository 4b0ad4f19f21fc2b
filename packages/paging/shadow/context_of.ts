import type { VcpuMmu } from "../vcpu_mmu.ts";
import type { ShadowContext } from "./shadow_context.ts";

/** The shadow paging of a vCPU that has it. @throws {Error} If its processor has two-dimensional paging. */
export function contextOf(vcpu: VcpuMmu): ShadowContext {
  if (vcpu.shadow === undefined) throw new Error(`vCPU ${vcpu.index} has no shadow paging: its processor needs none`);
  return vcpu.shadow;
}

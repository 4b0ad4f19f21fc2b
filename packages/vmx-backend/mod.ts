/**
 * VMX as KVM's MMU sees it: what EPT entries mean to the processor, when it leaves the guest with an EPT violation or an
 * EPT misconfiguration, and KVM's handlers of both.
 *
 * Runs in Deno, Node and browsers.
 *
 * @example
 * ```ts
 * import { isMisconfigured } from "@mmu-lab/vmx-backend";
 * import { assert } from "@std/assert";
 *
 * const haswell = { maxPhyAddr: 40, executeOnly: true, maxPageLevel: 3 } as const;
 * // An MMIO spte of 3.11: writable and executable, but not readable.
 * assert(isMisconfigured(0x00000b5e, 0xfff00000, 1, haswell));
 * // RAM.
 * assert(!isMisconfigured(0x3f706d77, 0, 1, haswell));
 * ```
 *
 * @module
 */
export * from "./ept_backend.ts";
export * from "./shadow_backend.ts";
export * from "./ept_bits.ts";
export * from "./misconfiguration.ts";
export * from "./exit_reasons.ts";
export * from "./exit_qualification.ts";
export * from "./exit_handlers.ts";

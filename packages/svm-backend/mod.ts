/**
 * SVM with nested paging as KVM's MMU sees it: what nested entries mean to the processor and which of their bits it
 * reserves, when it leaves the guest with a nested page fault, and KVM's handler of that.
 *
 * Which bits are reserved is decided here by the processor, and in an `MmioLayout` by what KVM believes of it. Where
 * the two differ, an MMIO spte does not fault (bugs B13, B15, B16).
 *
 * Runs in Deno, Node and browsers.
 *
 * @example
 * ```ts
 * import { hasReservedBits, reservedAddressBits } from "@mmu-lab/svm-backend";
 * import { assert } from "@std/assert";
 *
 * // An MMIO spte of 3.11 on a host with 40 address bits has bits 51:40 set.
 * const [lo, hi] = [0x00000b57, 0xffffff00];
 * assert(hasReservedBits(lo, hi, 1, 3, reservedAddressBits({ maxPhyAddr: 40 })));
 * // All of them mean something to a processor with 40 address bits and 12 bits of key id.
 * assert(!hasReservedBits(lo, hi, 1, 3, reservedAddressBits({ maxPhyAddr: 40, keyIdBits: 12 })));
 * ```
 *
 * @module
 */
export * from "./npt_backend.ts";
export * from "./shadow_backend.ts";
export * from "./npt_bits.ts";
export * from "./reserved_bits.ts";
export * from "./exit_codes.ts";
export * from "./exit_info.ts";
export * from "./exit_handlers.ts";

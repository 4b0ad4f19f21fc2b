/**
 * A virtual machine put together from a profile: vCPUs, guest memory, devices, the memslot and dirty-log ioctls.
 *
 * Runs in Deno, Node and browsers.
 *
 * @example
 * ```ts
 * import { PROFILES, Vm } from "@mmu-lab/machine";
 * import { assertEquals } from "@std/assert";
 *
 * const vm = new Vm(PROFILES.linux_3_11_ept);
 * vm.createVcpu();
 * assertEquals(vm.access(0, "read", 0xd0000000, 4).kind, "mmio");
 * assertEquals(vm.mmu.counters.toJSON().mmioSptesMarked, 1);
 * ```
 *
 * @module
 */
export * from "./profile.ts";
export * from "./profiles.ts";
export * from "./vm.ts";
export * from "./vcpu.ts";
export * from "./guest.ts";
export * from "./host_memory.ts";
export * from "./device_bus.ts";
export * from "./run_vcpu.ts";
export * from "./emulate.ts";
export { APIC_GFN } from "./_emulator_address.ts";
export * from "./set_memory_region.ts";
export * from "./hash_vm.ts";
export * from "./oracle.ts";
export * from "./identity_guest.ts";

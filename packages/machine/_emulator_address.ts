/**
 * Which guest-physical address the emulator takes an operand to have, and whether that is MMIO.
 *
 * @module
 */
import {
  gvaToGpa,
  highWord,
  linearAddress,
  linearHi,
  linearLo,
  PFERR_USER,
  PFERR_WRITE,
  type ShadowContext,
} from "@mmu-lab/paging";
import type { Gfn } from "@mmu-lab/memslots";
import { VCPU_MATCH_MMIO } from "@mmu-lab/tracing";
import type { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";

/** The local APIC's page: the emulator takes it for MMIO, slot or not (`APIC_DEFAULT_PHYS_BASE`). */
export const APIC_GFN: Gfn = 0xfee00;

/** The address behind a linear one that the vCPU's cache holds, if it allows the access; or -1 (`vcpu_mmio_gva_to_gpa`). */
export function gpaOfMmioGva(vm: Vm, vcpu: Vcpu, gva: number, offset: number, write: boolean): number {
  const { cache, shadow } = vcpu.mmu;
  if (shadow === undefined || !cache.matchesGva(gva, vm.mmu.cacheSlotsOf(vcpu.mmu))) return -1;
  const code = (write ? PFERR_WRITE : 0) | (shadow.userMode ? PFERR_USER : 0);
  if (((shadow.walk.role.permissions[code >> 1] >> cache.access) & 1) !== 0) return -1;
  const gpa = cache.gfn * 4096 + offset;
  traceMatch(vm, vcpu, gva, gpa, write, "gva");
  return gpa;
}

/** The address of the exit, if the kernel goes by that and the vCPU's cache holds it; or -1; see the rule. */
export function gpaOfExit(vm: Vm, { mmu, faultAddress }: Vcpu, offset: number): number {
  if (vm.mmu.faultRules.emulatedAddress !== "of-the-exit" || faultAddress % 4096 !== offset) return -1;
  const slots = vm.mmu.cacheSlotsOf(mmu);
  const matches = mmu.inL2
    ? mmu.cache.matchesNestedGpa(faultAddress, slots)
    : mmu.cache.matchesGpa(faultAddress, slots);
  return matches ? faultAddress : -1;
}

/** Whether the kernel takes the address of the exit for that of the operand; see the rule. */
export function isAtFault(vm: Vm, { mmu, faultAddress }: Vcpu, offset: number): boolean {
  return vm.mmu.faultRules.emulatedAddress === "of-the-fault" && mmu.shadow === undefined &&
    faultAddress % 4096 === offset;
}

/** Translates as the guest's tables say, for the emulator; -1 if they do not allow it. @param access PFERR bits. */
export function walk(vcpu: Vcpu, page: number, offset: number, access: number): number {
  const { shadow, inL2, guestPaging } = vcpu.mmu;
  if (shadow !== undefined && inL2) return gpaOfL2(vcpu, shadow, linearAddress(page, offset), access);
  const tables = shadow ?? vcpu.emulatorWalk;
  if (tables === undefined) return guestPaging.translate(linearAddress(page, offset));
  const mode = tables.userMode ? PFERR_USER : 0;
  return gvaToGpa(tables.walk, tables.walker, linearLo(page, offset), linearHi(page), access | mode);
}

/** Goes by L2's own tables, and by L1's EPT for each address on the way (`gva_to_gpa_nested`, `translate_nested_gpa`). */
function gpaOfL2(vcpu: Vcpu, { walk, walker }: ShadowContext, gva: number, access: number): number {
  const paging = vcpu.mmu.guestPaging;
  const translateNested = (gpa: number, code: number) =>
    gvaToGpa(walk, walker, gpa | 0, Math.floor(gpa / 2 ** 32), code | PFERR_USER);
  for (let step = 0; step < paging.levels; step++) {
    if (translateNested(paging.entryGpa(gva, step), PFERR_WRITE) < 0) return -1;
  }
  return translateNested(paging.translate(gva), access);
}

/** Whether memory need not be tried (`vcpu_mmio_gva_to_gpa`). */
export function isMmio(vm: Vm, vcpu: Vcpu, gva: number, gpa: number, write: boolean): boolean {
  if (Math.floor(gpa / 4096) === APIC_GFN) return true;
  if (!vcpu.mmu.cache.matchesGpa(gpa, vm.mmu.cacheSlotsOf(vcpu.mmu))) return false;
  traceMatch(vm, vcpu, gva, gpa, write, "gpa");
  return true;
}

function traceMatch(vm: Vm, vcpu: Vcpu, gva: number, gpa: number, write: boolean, by: "gva" | "gpa"): void {
  const { trace } = vm.mmu;
  if (!trace.on) return;
  trace.emit(VCPU_MATCH_MMIO, vcpu.index, gva, highWord(gva), gpa, write ? 1 : 0, by === "gva" ? 0 : 1);
}

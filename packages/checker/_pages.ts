/**
 * How a world numbers the pages that are accessed: those of L2 apart from the guest's own.
 *
 * @module
 */
import { L2_EPTP } from "./_guest_tables.ts";
import type { CheckAccess } from "./check_scenario.ts";
import type { Vcpu, Vm } from "@mmu-lab/machine";
import type { Protocol } from "@mmu-lab/protocol";

/** Added to a page of L2. */
const L2_PAGES = 2 ** 40;

/** The number of the page that an access is to. */
export function pageOf({ gfn, l2 = false }: CheckAccess): number {
  return l2 ? gfn + L2_PAGES : gfn;
}

/** Whether a number is that of a page of L2. */
export function isOfL2(page: number): boolean {
  return page >= L2_PAGES;
}

/** The address of a page, as the one who accesses it has it. */
export function addressOf(page: number): number {
  return (page % L2_PAGES) * 4096;
}

/** A page, in words. */
export function nameOf(page: number): string {
  const number = `0x${(page % L2_PAGES).toString(16)}`;
  return isOfL2(page) ? `page ${number} of L2` : `gfn ${number}`;
}

/** Lets a vCPU run who accesses a page, L2 or the guest itself, if it does not yet. @returns Whether it has changed. */
export function* enterFor(vm: Vm, vcpu: Vcpu, page: number): Protocol<boolean> {
  if (isOfL2(page) === vcpu.mmu.inL2) return false;
  yield* isOfL2(page) ? vm.enterL2Protocol(vcpu, L2_EPTP) : vm.leaveL2Protocol(vcpu);
  return true;
}

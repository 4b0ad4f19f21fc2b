import { isCanonical, linearAddress, type ShadowContext } from "@mmu-lab/paging";
import type { AccessSize } from "./guest.ts";
import type { Vcpu } from "./vcpu.ts";

/**
 * That an access lies in the address space that its guest has by its paging.
 *
 * @throws {RangeError} If it does not; that the guest gets #GP is not modelled.
 */
export function checkAddress({ page, offset }: Vcpu, size: AccessSize, shadow: ShadowContext): void {
  const last = offset + size > 4096 ? page + 1 : page;
  if (shadow.isLongMode) {
    const levels = shadow.shadowLevels === 5 ? 5 : 4;
    if (isCanonical(page, levels) && isCanonical(last, levels)) return;
    throw new RangeError(`Cannot access 0x${page.toString(16)}${offset.toString(16).padStart(3, "0")}: not canonical`);
  }
  if (last < 2 ** 20) return;
  const address = linearAddress(page, offset).toString(16);
  throw new RangeError(`Cannot access 0x${address}: this guest has 32-bit addresses; give it page tables of long mode`);
}

/**
 * Who may do what, computed once for a role: a bitmap by error code and access (`update_permission_bitmask`) and a mask
 * for protection keys (`update_pkru_bitmask`); 3.11 and 6.1 mmu.c, facts sheet 6.5. A walk then looks one bit up.
 *
 * @module
 */
import { ACC_EXEC, ACC_USER, ACC_WRITE } from "@mmu-lab/spte-encoding";
import { PFERR_FETCH, PFERR_RSVD, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import type { PagingState } from "./guest_role.ts";

/** Error codes that have an entry: those of bits 4:1. */
const ENTRIES = 16;

/**
 * Stands in the place of RSVD when the bitmap is asked, and says that SMAP does not apply to this access: EFLAGS.AC is
 * set, and the access is explicit.
 */
export const NOT_SMAP: number = PFERR_RSVD;

/** The bitmap: entry `error code >> 1` has bit `access` set where such an access to such a page faults. */
export function permissionBitmap(state: PagingState): Uint8Array {
  return bitmap((code, access) => {
    const user = (code & PFERR_USER) !== 0;
    const userPage = (access & ACC_USER) !== 0;
    if (user && !userPage) return true;
    if ((code & PFERR_FETCH) !== 0) {
      if (state.eferNx && (access & ACC_EXEC) === 0) return true;
      if (state.cr4Smep && !user && userPage) return true;
    } else if (state.cr4Smap && !user && userPage && (code & NOT_SMAP) === 0) return true;
    return (code & PFERR_WRITE) !== 0 && (access & ACC_WRITE) === 0 && (user || state.cr0Wp === true);
  });
}

/** The bitmap of EPT, where `ACC_USER` stands for readable (6.1), and CR0, CR4 and EFER mean nothing. */
export function eptPermissionBitmap(): Uint8Array {
  return bitmap((code, access) =>
    ((code & PFERR_WRITE) !== 0 && (access & ACC_WRITE) === 0) ||
    ((code & PFERR_USER) !== 0 && (access & ACC_USER) === 0) ||
    ((code & PFERR_FETCH) !== 0 && (access & ACC_EXEC) === 0)
  );
}

function bitmap(faults: (code: number, access: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: ENTRIES }, (_, entry) => {
    let bits = 0;
    for (let access = 0; access < 8; access++) if (faults(entry << 1, access)) bits |= 1 << access;
    return bits;
  });
}

/**
 * Which of the two bits of a protection key count: two bits at `error code`, with the page's U bit in the place of RSVD.
 * Bit 0 (access disabled) counts for data accesses to user pages, bit 1 (write disabled) for writes of these, and for
 * those of the supervisor only with CR0.WP. 0 where keys are off.
 */
export function pkruMask(state: PagingState): number {
  if (!state.format.protectionKeys || !state.cr4Pke) return 0;
  let mask = 0;
  for (let entry = 0; entry < ENTRIES; entry++) {
    const code = entry << 1;
    if ((code & PFERR_FETCH) !== 0 || (code & PFERR_RSVD) === 0) continue;
    const write = (code & PFERR_WRITE) !== 0 && ((code & PFERR_USER) !== 0 || state.cr0Wp === true);
    mask |= (write ? 3 : 1) << code;
  }
  return mask;
}

/**
 * The role of a shadow page (`union kvm_mmu_page_role`): together with the gfn it says what the page is for. Packed in
 * one integer so that a lookup compares one word. The order of the fields is that of 6.1 (facts sheet 6.6), a modelling
 * choice for all eras: no recording shows the word itself.
 */
export type Role = number;

const LEVEL = 0xf;
const DIRECT = 1 << 7;
const ACCESS_SHIFT = 8;
const INVALID = 1 << 11;
/** The byte on top is the address space: 1 in system management mode. */
const SMM_SHIFT = 24;

/**
 * The role of a direct page: its gfn is guest-physical, it allows all access.
 *
 * @param level Its level.
 * @param asId The address space whose memory it maps; 0 unless told.
 */
export function directRole(level: number, asId: number = 0): Role {
  return level | DIRECT | (7 << ACCESS_SHIFT) | (asId << SMM_SHIFT);
}

/** The address space whose memory a page maps: 0, or 1 for system management mode. */
export function asIdOf(role: Role): number {
  return role >>> SMM_SHIFT;
}

/** The level of a page: 1 holds 4 KiB leaves, and each step up covers 512 times as much. */
export function levelOf(role: Role): number {
  return role & LEVEL;
}

/** Whether the page maps guest-physical addresses themselves. */
export function isDirect(role: Role): boolean {
  return (role & DIRECT) !== 0;
}

/** The access a page allows at most: exec 1, write 2, user 4. */
export function accessOf(role: Role): number {
  return (role >> ACCESS_SHIFT) & 7;
}

/** Whether the page has been zapped and lives on only as the root of some vCPU. */
export function isInvalid(role: Role): boolean {
  return (role & INVALID) !== 0;
}

/** The same role, marked as zapped. */
export function invalidated(role: Role): Role {
  return role | INVALID;
}

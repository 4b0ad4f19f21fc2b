/**
 * The role of a shadow page (`union kvm_mmu_page_role`): together with the gfn it says what the page is for. Packed in
 * one integer so that a lookup compares one word. The order of the fields is that of 6.1 (facts sheet 6.6), a modelling
 * choice for all eras: no recording shows the word itself.
 */
export type Role = number;

const LEVEL = 0xf;
const FOUR_BYTE_GPTES = 1 << 4;
const QUADRANT_SHIFT = 5;
const DIRECT = 1 << 7;
const ACCESS_SHIFT = 8;
const INVALID = 1 << 11;
const EFER_NX = 1 << 12;
const CR0_WP = 1 << 13;
const SMEP_AND_NOT_WP = 1 << 14;
const SMAP_AND_NOT_WP = 1 << 15;
const AD_DISABLED = 1 << 16;
const GUEST_MODE = 1 << 17;
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

/** What all shadow pages of a vCPU have in common, by the mode its guest is in (`base_role`). */
export interface RoleMode {
  /** Whether guest entries have 4 bytes (`!cr4_pae`). */
  readonly fourByteGptes: boolean;
  /** EFER.NX. */
  readonly eferNx: boolean;
  /** CR0.WP. */
  readonly cr0Wp: boolean;
  /** CR4.SMEP without CR0.WP. */
  readonly smepAndNotWp: boolean;
  /** CR4.SMAP without CR0.WP. */
  readonly smapAndNotWp: boolean;
  /** The address space. */
  readonly asId: number;
}

/** The part of a role that a vCPU's mode decides. */
export function baseRole(mode: RoleMode): Role {
  return (mode.fourByteGptes ? FOUR_BYTE_GPTES : 0) | (mode.eferNx ? EFER_NX : 0) | (mode.cr0Wp ? CR0_WP : 0) |
    (mode.smepAndNotWp ? SMEP_AND_NOT_WP : 0) | (mode.smapAndNotWp ? SMAP_AND_NOT_WP : 0) | (mode.asId << SMM_SHIFT);
}

/**
 * The role of a page that shadows a guest table.
 *
 * @param base What {@linkcode baseRole} gives. @param quadrant Which part of a table of 4-byte entries it shadows.
 */
export function indirectRole(base: Role, level: number, access: number, quadrant: number): Role {
  return base | level | (access << ACCESS_SHIFT) | (quadrant << QUADRANT_SHIFT);
}

/** The role of a page that maps part of a large guest page, or the memory of a guest with paging off. */
export function directShadowRole(base: Role, level: number, access: number): Role {
  // The size of guest entries means nothing here, and the pages of both kinds of guest are the same.
  return (base & ~FOUR_BYTE_GPTES) | level | DIRECT | (access << ACCESS_SHIFT);
}

/** Whether the page shadows a table of 4-byte entries. */
export function hasFourByteGptes(role: Role): boolean {
  return (role & FOUR_BYTE_GPTES) !== 0;
}

/**
 * The part of a role that all pages have in common that shadow L1's EPT for L2 (`kvm_calc_shadow_ept_root_page_role`).
 *
 * @param fourByteGptes Whether it says that entries have 4 bytes, though those of EPT have 8.
 * @param guestMode Whether it says that the page is for L2. @param adDisabled That L1's EPT has no accessed and dirty bits.
 */
export function nestedBaseRole(fourByteGptes: boolean, guestMode: boolean, adDisabled: boolean): Role {
  return (fourByteGptes ? FOUR_BYTE_GPTES : 0) | (guestMode ? GUEST_MODE : 0) | (adDisabled ? AD_DISABLED : 0);
}

/** Which part of a guest table the page shadows, if that has entries of 4 bytes: 0 to 3. */
export function quadrantOf(role: Role): number {
  return (role >> QUADRANT_SHIFT) & 3;
}

/** Whether EFER.NX was on for the page. */
export function hasEferNx(role: Role): boolean {
  return (role & EFER_NX) !== 0;
}

/** Whether two roles agree in the size of entries, EFER.NX and CR0.WP. */
export function sameFormat(a: Role, b: Role): boolean {
  return ((a ^ b) & (FOUR_BYTE_GPTES | EFER_NX | CR0_WP)) === 0;
}

/** Whether two roles agree in all that {@linkcode baseRole} decides. */
export function sameMode(a: Role, b: Role): boolean {
  return sameFormat(a, b) && ((a ^ b) & (SMEP_AND_NOT_WP | SMAP_AND_NOT_WP)) === 0 && asIdOf(a) === asIdOf(b);
}

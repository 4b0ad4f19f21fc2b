import { bitName, bitRange, bits, type Field } from "./field.ts";
import { choice } from "./symbols.ts";

/** What the page string of kvm_mmu_get_page and its kin says about the role of a shadow page. */
export interface SpRole {
  /** Level of the page: 1 holds the sptes of 4 KiB pages. */
  readonly level: number;
  /** Access of the page: bit 0 execute, bit 1 write, bit 2 user. */
  readonly access: number;
  /** Which part of a guest table the page shadows, when guest tables are wider than shadow tables. Default 0. */
  readonly quadrant?: number;
  /** Maps a range of gfns rather than a guest table. Default false. */
  readonly direct?: boolean;
  /** Zapped, but still in use as a root. Default false. */
  readonly invalid?: boolean;
  /** EFER.NX is on in the guest. Default false. */
  readonly nxe?: boolean;
  /** CR4.PAE is on in the guest (printed until 4.19). Default false. */
  readonly pae?: boolean;
  /** Guest entries have 4 bytes (printed from 6.1). Default false. */
  readonly fourByteGpte?: boolean;
  /** Accessed and dirty bits are not used (printed from 4.19). Default false. */
  readonly adDisabled?: boolean;
}

const ACCESS = { 0: "---", 1: "--x", 2: "w--", 3: "w-x", 4: "-u-", 5: "-ux", 6: "wu-", 7: "wux" };

/** The parts of a packed role. The packing is this package's own: kernels moved their bits from release to release. */
export function spRole(name: string): Field {
  return bits(
    name,
    bitRange("level", 0, 4),
    bitName("access", 4, 3, ACCESS),
    bitRange("quadrant", 7, 2),
    bitRange("direct", 9, 1, choice("", " direct")),
    bitRange("invalid", 10, 1, choice("", " invalid")),
    bitRange("nxe", 11, 1, choice("!", "")),
    bitRange("pae", 12, 1, choice("", " pae")),
    bitRange("four_byte_gpte", 13, 1, choice("8", "4")),
    bitRange("ad_disabled", 14, 1, choice("", "!")),
  );
}

/**
 * Packs a role into the `role` slot of kvm_mmu_get_page, kvm_mmu_sync_page, kvm_mmu_unsync_page and
 * kvm_mmu_prepare_zap_page.
 *
 * @param role What to pack.
 * @returns The slot value.
 */
export function packSpRole(role: SpRole): number {
  return role.level | role.access << 4 | (role.quadrant ?? 0) << 7 | Number(role.direct ?? false) << 9 |
    Number(role.invalid ?? false) << 10 | Number(role.nxe ?? false) << 11 | Number(role.pae ?? false) << 12 |
    Number(role.fourByteGpte ?? false) << 13 | Number(role.adDisabled ?? false) << 14;
}

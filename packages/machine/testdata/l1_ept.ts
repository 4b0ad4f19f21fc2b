import { FLAT_GUEST, type Guest } from "../guest.ts";
import type { HostRegion } from "../host_memory.ts";
import { IDENTITY_TABLES } from "../identity_guest.ts";
import type { Profile } from "../profile.ts";
import { Vm } from "../vm.ts";

const HOST = 0x7f0000000000;
/** Frames of L1's memory; the tables of its EPT begin at the first. */
const FRAMES = 0x40;
/** Readable, writable, executable: what an entry allows that links a table. */
const LINK = 7;

/** The EPTP of the EPT of {@linkcode L1Memory}: its root is at frame 1, write-back, four levels. */
export const L1_EPT = 0x101e;

/** The tables of {@linkcode IDENTITY_TABLES} as an EPT: links, and pages of 1 GiB, write-back, with all rights. */
export const IDENTITY_EPT: HostRegion = {
  ...IDENTITY_TABLES,
  contents: IDENTITY_TABLES.contents!.map(([at, lo, hi]) => [at, lo - (lo % 4096) + (at === 0 ? LINK : 0xb7), hi]),
};

/** A VM whose guest has 64 frames of memory from 0 on, and in frames 1 to 15 the tables of an EPT. */
export class L1Memory {
  readonly vm: Vm;
  readonly ept: L1Ept;

  constructor(profile: Profile, guest: Guest = FLAT_GUEST) {
    this.vm = new Vm(profile, { guest });
    this.vm.createVcpu();
    this.vm.memslot({ id: 0, gpa: 0, size: FRAMES * 4096, flags: 0, userspaceAddr: HOST });
    this.ept = new L1Ept(this.vm);
  }

  /** Writes 8 bytes of L1's memory behind KVM's back: an entry of a table. */
  poke(gfn: number, index: number, value: bigint): void {
    this.vm.writeHost(HOST + gfn * 4096 + 8 * index, value);
  }
}

/** The tables of an EPT in L1's memory, from frame 1 on, made as they are needed. */
export class L1Ept {
  readonly #vm: Vm;
  /** Frame of each table by level and first page. */
  readonly #tables = new Map<string, number>();

  constructor(vm: Vm) {
    this.#vm = vm;
    this.#table(4, 0);
  }

  /** Maps a page of L2 to a frame of L1, behind KVM's back. @param bits Bits 11:0 of the entry. */
  map(page: number, gfn: number, bits: number): void {
    this.#write(this.entry(page), BigInt(gfn) << 12n | BigInt(bits));
  }

  /** The same by a write of L1, on vCPU 0. */
  mapByL1(page: number, gfn: number, bits: number): void {
    this.#vm.access(0, "write", this.entry(page), 8, BigInt(gfn) << 12n | BigInt(bits));
  }

  /** Guest-physical address of the entry that maps a page. */
  entry(page: number): number {
    return this.#table(1, page) * 4096 + 8 * (page % 512);
  }

  #table(level: number, page: number): number {
    const first = page - (page % 512 ** level);
    const key = `${level}:${first}`;
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const frame = this.#tables.size + 1;
    this.#tables.set(key, frame);
    if (level < 4) {
      const above = this.#table(level + 1, page) * 4096 + 8 * (Math.floor(page / 512 ** level) % 512);
      this.#write(above, BigInt(frame) << 12n | BigInt(LINK));
    }
    return frame;
  }

  #write(gpa: number, value: bigint): void {
    this.#vm.writeHost(HOST + gpa, value);
  }
}

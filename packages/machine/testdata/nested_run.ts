/**
 * A random run of a guest that runs guests: L1 and L2 on two vCPUs, two EPTs that L1 keeps in its memory. All frames of L1
 * are tables and data at once: L1 writes them, L2 writes what its EPT maps of them, INVEPT and memslots come and go. Each
 * access of L1 must come to what the memslots say, and each of L2 to what the two-dimensional walk gives: by the tables
 * as they are, or with entries as they were since the vCPU's last INVEPT. Repeatable from its seed.
 *
 * @module
 */
import { EPT_4_LEVEL, GuestRole, isBadMemoryType } from "@mmu-lab/paging";
import { type RandomBelow, seededRandom } from "@mmu-lab/protocol";
import { Vm } from "../vm.ts";
import { type RandomRun, type RandomWorld, runToDisagreement, Story } from "./random_world.ts";
import { TableHistory } from "./table_history.ts";

const HOST = 0x7f0000000000;
/** Frames of slot 0: tables and data. */
const FRAMES = 12;
/** Words of 8 bytes at the start of a frame that are used, and so entries of a table. */
const WORDS = 4;
/**
 * Frames of slot 1, and where it may lie; elsewhere is nothing, so devices. The numbers of the first four are also pages of
 * L2.
 */
const SLOT_FRAMES = 4;
const PLACES = [0x200, 0x204, 0xd0000] as const;
/** Frames of the two roots. */
const ROOTS = [1, 6] as const;
/** Bits of an entry that a walk sets. */
const WALK_BITS = 0x300n;

/** Where an access of L2 may lead, or the exit to L1 that it may be. */
type Outcome = { readonly gfn: number } | { readonly exit: string };

/** Runs random operations of a kernel with nested paging; the first disagreement, or `undefined`. */
export function runInL2(run: RandomRun): string | undefined {
  return runToDisagreement(run, new World(run));
}

class World implements RandomWorld {
  readonly vm: Vm;
  readonly story: Story = new Story();
  readonly #random: RandomBelow;
  readonly #role: GuestRole;
  /** Bits 11:0 of EPTPs. */
  readonly #eptFlags: readonly number[];
  /** Time of each vCPU's last flush of all EPTs, and of single ones by EPTP. */
  readonly #flushed = [0, 0];
  readonly #rootFlushed: [Map<number, number>, Map<number, number>] = [new Map(), new Map()];
  readonly #tables: TableHistory;
  readonly #exchanges: { write: boolean; gpa: number }[] = [];
  /** Frame of the root of each vCPU's EPT, and the EPTP. */
  readonly #root = [1, 1];
  readonly #eptp = [0x101e, 0x101e];
  #place: number | undefined;
  #readOnly = false;
  #unique = 0;
  readonly #recent = [0, 1, 2, 3];

  constructor({ profile, seed }: RandomRun) {
    this.#random = seededRandom(seed);
    const { ept } = profile.nested!;
    this.#eptFlags = ept.accessedDirty === true ? [0x1e, 0x5e] : [0x1e];
    this.#role = GuestRole.ofEpt({ ...ept, format: EPT_4_LEVEL }, profile.walkRules);
    this.vm = new Vm(profile, {
      userspace: {
        read: (gpa, data) => {
          new DataView(data.buffer, data.byteOffset, 8).setBigUint64(0, deviceWord(gpa), true);
          this.#exchanges.push({ write: false, gpa });
        },
        write: (gpa) => void this.#exchanges.push({ write: true, gpa }),
      },
      maxShadowPages: 64,
    });
    const hvaOf = (gfn: number) => gfn < FRAMES ? HOST + gfn * 4096 : HOST + 0x1000000 + (gfn - this.#place!) * 4096;
    this.#tables = new TableHistory(this.vm, { words: WORDS, walkBits: WALK_BITS, hvaOf });
    this.vm.createVcpu();
    this.vm.createVcpu();
    this.vm.memslot({ id: 0, gpa: 0, size: FRAMES * 4096, flags: 0, userspaceAddr: HOST });
    this.#layTables();
    this.#noteChanges();
  }

  step(): string | undefined {
    const dice = this.#random(1000);
    const vcpu = this.#random(2);
    if (dice < 640) return this.#accessOfL2(vcpu);
    if (dice < 880) return this.#accessOfL1(vcpu);
    if (dice < 930) {
      this.#toL1(vcpu);
      const eptp = this.#random(2) === 0 ? this.#eptp[vcpu] : undefined;
      this.story.tell(`vCPU ${vcpu}: invept${eptp === undefined ? "" : ` of 0x${eptp.toString(16)}`}`);
      this.vm.invept(vcpu, eptp);
      if (eptp === undefined) this.#flushed[vcpu] = this.#tables.clock++;
      else this.#rootFlushed[vcpu].set(eptp, this.#tables.clock++);
    } else if (dice < 955) {
      this.#toL1(vcpu);
      this.#root[vcpu] = this.#random(5) === 0 ? 1 + this.#random(FRAMES - 1) : ROOTS[this.#random(2)];
      this.#eptp[vcpu] = this.#root[vcpu] * 4096 + this.#eptFlags[this.#random(this.#eptFlags.length)];
      this.story.tell(`vCPU ${vcpu}: EPTP 0x${this.#eptp[vcpu].toString(16)}`);
    } else if (dice < 975) this.#changeSlot();
    else if (dice < 980) {
      this.story.tell("sweep");
      this.vm.sweep();
    } else if (dice < 990) {
      const pages = 1 + this.#random(8);
      this.story.tell(`the host asks for ${pages} pages`);
      this.vm.shrink(pages);
    } else this.#repair();
    return undefined;
  }

  #toL1(vcpu: number): void {
    if (this.vm.vcpu(vcpu).mmu.inL2) this.vm.leaveL2(vcpu);
  }

  /** L1's tables as they were at first, in memory that KVM is told of by a memslot that goes. */
  #repair(): void {
    this.story.tell("program: repairs the tables");
    this.#layTables();
    this.#noteChanges();
    this.vm.memslot({ id: 3, gpa: 0x40000000, size: 0x1000, flags: 0, userspaceAddr: HOST + 0x2000000 });
    this.vm.memslot({ id: 3, gpa: 0x40000000, size: 0, flags: 0, userspaceAddr: 0 });
    this.#allFlushed();
  }

  /** Tables at first: 1, or 6, leads by 2 and 3 to 4 and 5. Table 4 maps frames 4, 5 and 6, and table 5 those above. */
  #layTables(): void {
    for (const root of ROOTS) this.#tables.poke(root, 0, 0x2007n);
    this.#tables.poke(2, 0, 0x3007n);
    for (const table of [4, 5]) this.#tables.poke(3, table - 4, BigInt(table << 12) | 7n);
    for (const [i, frame] of [4, 5, 6, 10].entries()) this.#tables.poke(4, i, BigInt(frame << 12) | 7n);
    for (const [i, frame] of [3, 2, 1, 0xd0001].entries()) this.#tables.poke(5, i, BigInt(frame) << 12n | 7n);
  }

  #changeSlot(): void {
    if (this.#place === undefined) {
      this.#place = PLACES[this.#random(PLACES.length)];
      this.#readOnly = this.#random(4) === 0;
      this.story.tell(`slot 1 at gfn 0x${this.#place.toString(16)}${this.#readOnly ? ", read-only" : ""}`);
      this.#setSlot(this.#place, SLOT_FRAMES);
    } else {
      const place = PLACES[this.#random(PLACES.length)];
      const moves = place !== this.#place && this.#random(2) === 0;
      this.story.tell(moves ? `slot 1 moves to gfn 0x${place.toString(16)}` : "slot 1 goes");
      this.#setSlot(moves ? place : this.#place, moves ? SLOT_FRAMES : 0);
      this.#place = moves ? place : undefined;
      this.#allFlushed();
    }
    this.#noteChanges();
  }

  #setSlot(gfn: number, frames: number): void {
    const flags = this.#readOnly ? 2 : 0;
    this.vm.memslot({ id: 1, gpa: gfn * 4096, size: frames * 4096, flags, userspaceAddr: HOST + 0x1000000 });
  }

  /** KVM has zapped everything, and every vCPU has flushed. */
  #allFlushed(): void {
    this.#flushed.fill(this.#tables.clock++);
    this.#tables.forget();
  }

  #accessOfL1(vcpu: number): string | undefined {
    this.#toL1(vcpu);
    const gfn = this.#random(4) === 0
      ? PLACES[this.#random(PLACES.length)] + this.#random(SLOT_FRAMES)
      : 1 + this.#random(FRAMES - 1);
    return this.#access(vcpu, gfn, 8 * this.#random(WORDS), () => [{ gfn }]);
  }

  #accessOfL2(vcpu: number): string | undefined {
    const page = this.#pageNumber();
    if (!this.vm.vcpu(vcpu).mmu.inL2) {
      this.story.tell(`vCPU ${vcpu}: enters L2`);
      this.vm.enterL2(vcpu, this.#eptp[vcpu]);
    }
    return this.#access(vcpu, page, 8 * this.#random(WORDS), (write) => this.#outcomes(vcpu, page, write));
  }

  #access(vcpu: number, page: number, offset: number, mayBe: (write: boolean) => Outcome[]): string | undefined {
    const address = page * 4096 + offset;
    const write = this.#random(2) === 0;
    const stored = this.#random(3) === 0 ? BigInt(++this.#unique) << 44n | 0x800n : this.#entry();
    const allowed = mayBe(write);
    const before = this.#contents(allowed, offset);
    this.#exchanges.length = 0;
    const who = `vCPU ${vcpu} in ${this.vm.vcpu(vcpu).mmu.inL2 ? "L2" : "L1"}`;
    this.story.tell(`${who}: ${write ? `write 0x${stored.toString(16)}` : "read"} at 0x${address.toString(16)}`);
    const { exitToL1, value } = this.vm.access(vcpu, write ? "write" : "read", address, 8, stored);
    const [exchange] = this.#exchanges;
    const after = this.#contents(allowed, offset);
    this.#noteChanges();
    const exit = exitToL1 && `${exitToL1.kind} ${exitToL1.qualification & 0x38}`;
    const fits = allowed.some((outcome, i) => {
      if (exit !== undefined || "exit" in outcome) return "exit" in outcome && outcome.exit === exit;
      const isRam = this.#isRam(outcome.gfn, write);
      if (exchange !== undefined) return !isRam && exchange.gpa === outcome.gfn * 4096 + offset;
      return isRam && (write ? this.#tables.same(after[i]!, stored) : before[i] === value || after[i] === value);
    });
    if (fits) return undefined;
    const got = exit ?? (exchange === undefined
      ? `RAM, 0x${value.toString(16)}`
      : `MMIO at 0x${exchange.gpa.toString(16)}`);
    const expected = allowed.map((outcome, i) =>
      "exit" in outcome ? outcome.exit : `gfn 0x${outcome.gfn.toString(16)} (0x${(before[i] ?? 0n).toString(16)})`
    );
    return `got ${got}, expected ${expected.join(" or ")}`;
  }

  /** What the places that an access may lead to hold at an offset. */
  #contents(outcomes: readonly Outcome[], offset: number): (bigint | undefined)[] {
    return outcomes.map((outcome) =>
      "exit" in outcome || !this.#isRam(outcome.gfn, false) ? undefined : this.#tables.peek(outcome.gfn, offset / 8)
    );
  }

  #isRam(gfn: number, write: boolean): boolean {
    return gfn < FRAMES || (this.#inSlot(gfn) && !(write && this.#readOnly));
  }

  #inSlot(gfn: number): boolean {
    return this.#place !== undefined && gfn >= this.#place && gfn < this.#place + SLOT_FRAMES;
  }

  /** Where an access of L2 may lead: by L1's tables as they are, or with entries that may still be remembered. */
  #outcomes(vcpu: number, page: number, write: boolean): Outcome[] {
    const outcomes: Outcome[] = [];
    const since = Math.max(this.#flushed[vcpu], this.#rootFlushed[vcpu].get(this.#eptp[vcpu]) ?? 0);
    const walk = (level: number, table: number, rights: number, isNow: boolean) => {
      // What is not there is remembered by nobody: an exit is by the tables as they are.
      const exit = (kind: string, all: number) => {
        if (isNow) outcomes.push({ exit: `${kind} ${(all & 7) << 3}` });
      };
      if (!this.#isRam(table, false)) return exit("ept-violation", rights);
      const index = Math.floor(page / 512 ** (level - 1)) % 512;
      const values = [{ value: this.#tables.peek(table, index), now: isNow }];
      for (const { value, until } of this.#tables.stale(table, index)) {
        if (until > since) values.push({ value, now: false });
      }
      for (const { value, now } of values) {
        const lo = Number(value & 0xffffffffn) | 0;
        const hi = Number(value >> 32n) | 0;
        const below = rights & lo;
        if ((lo & 7) === 0) {
          if (now) exit("ept-violation", below);
          continue;
        }
        if (this.#isMisconfigured(lo, hi, level)) {
          if (now) outcomes.push({ exit: "ept-misconfiguration 0" });
          continue;
        }
        const gfn = Number((value >> 12n) & 0xfffffffffn);
        if (level > 1 && (lo & 0x80) === 0) {
          walk(level - 1, gfn, below, now);
          continue;
        }
        const pages = 512 ** (level - 1);
        if ((below & (write ? 2 : 1)) === 0) {
          if (now) exit("ept-violation", below);
        } else outcomes.push({ gfn: gfn - (gfn % pages) + (page % pages) });
      }
    };
    walk(4, this.#root[vcpu], 7, true);
    return outcomes;
  }

  #isMisconfigured(lo: number, hi: number, level: number): boolean {
    const { reserved, reservedHi } = this.#role;
    const bits = (lo & reserved[((lo & 0x80) >> 4) | level]) | (hi & reservedHi);
    return bits !== 0 || isBadMemoryType(this.#role, lo);
  }

  #noteChanges(): void {
    const frames = Array.from({ length: FRAMES }, (_, i) => i);
    if (this.#place !== undefined) for (let i = 0; i < SLOT_FRAMES; i++) frames.push(this.#place + i);
    this.#tables.note(frames, false, Math.min(...this.#flushed));
  }

  /** An entry as L1 may write it: a table, memory, a device, sometimes large, sometimes wrong. */
  #entry(): bigint {
    const dice = this.#random(20);
    const frame = dice < 12
      ? 1 + this.#random(FRAMES - 1)
      : dice < 15
      ? PLACES[this.#random(PLACES.length)] + this.#random(SLOT_FRAMES)
      : 0xd0000 + 2 * this.#random(4);
    const rights = [7, 7, 7, 7, 3, 5, 1, this.#random(8)][this.#random(8)];
    const walked = this.#random(2) === 0 ? 0 : 0x300;
    // Write-back in some: in an entry that links a table that is a misconfiguration.
    const flags = rights | walked | (this.#random(4) === 0 ? 0x30 : 0);
    if (dice === 18) return 0xd0000000n | BigInt(flags | 0x80);
    return BigInt(frame) << 12n | BigInt(flags) | (this.#random(40) === 0 ? 1n << 45n : 0n);
  }

  /** A page of L2: often one that was used just now, so that what is remembered of it is used. */
  #pageNumber(): number {
    if (this.#random(2) === 0) return this.#recent[this.#random(this.#recent.length)];
    const upper = this.#random(8) === 0 ? this.#random(2) : 0;
    const third = this.#random(8) === 0 ? this.#random(2) : 0;
    const page = ((upper * 512 + third) * 512 + this.#random(2)) * 512 + this.#random(WORDS);
    this.#recent[this.#random(this.#recent.length)] = page;
    return page;
  }
}

function deviceWord(gpa: number): bigint {
  return BigInt(gpa) * 0x9e3779b97f4a7c15n & 0xffffffffffffffffn;
}

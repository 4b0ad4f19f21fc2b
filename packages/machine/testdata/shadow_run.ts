/**
 * A random run of a guest with shadow paging beside its own page tables. All frames are tables and data at once: the
 * guest writes them through whatever its tables map, directly or emulated, the program writes them behind KVM's back,
 * CR3 changes, addresses are flushed, memslots come and go. Each access must come to what a walk of the guest's tables
 * gives: as they are, or with entries as they were since the vCPU last flushed. Repeatable from its seed.
 *
 * @module
 */
import {
  GuestRole,
  isDirect,
  levelOf,
  LINEAR_PAGES,
  linearAddress,
  NO_PAGE,
  PAGING_4_LEVEL,
  PAGING_5_LEVEL,
  type PagingState,
} from "@mmu-lab/paging";
import { type RandomBelow, run, seededRandom } from "@mmu-lab/protocol";
import { Vm } from "../vm.ts";
import { type RandomRun, type RandomWorld, runToDisagreement, Story } from "./random_world.ts";
import { TableHistory } from "./table_history.ts";

/** What to run. */
export interface ShadowRun extends RandomRun {
  /** Levels of the guest's tables; 4 unless told. */
  readonly levels?: 4 | 5;
  /** CR0.WP of the guest; set unless told. */
  readonly cr0Wp?: boolean;
  /** Whether the program also writes guest tables; then what it wrote over may be seen until memslots go. */
  readonly hostWrites?: boolean;
}

const HOST = 0x7f0000000000;
/** Frames of slot 0: tables and data. */
const FRAMES = 12;
/** Words of 8 bytes at the start of a frame that are used, and so entries of a table. */
const WORDS = 4;
/** Frames of slot 1, one large page of the host, and how many are used; where it may lie. Elsewhere are devices. */
const SLOT_FRAMES = 512;
const USED_FRAMES = 4;
const PLACES = [0x200, 0x400, 0xd0000] as const;
const SLOT_HOST = HOST + 0x1000000;
/** Sizes of accesses that are less than an entry: to KVM a sign that a table is none any more. */
const PIECES = [4, 2, 1] as const;
/** Bits that a guest changes in an entry: present, writable, user. */
const CHANGED_BITS = [1n, 2n, 4n] as const;
/** Bits of an entry that a walk sets. */
const WALK_BITS = 0x60n;

/** Where an access may lead, or the fault it may be. */
interface Outcome {
  readonly gfn?: number;
  readonly fault?: number;
}

/** Runs random operations; the first disagreement as a story that ends with it, or `undefined`. */
export function runBesideTables(run: ShadowRun): string | undefined {
  return runToDisagreement(run, new World(run));
}

class World implements RandomWorld {
  readonly vm: Vm;
  readonly story: Story = new Story();
  readonly #random: RandomBelow;
  readonly #paging: PagingState;
  readonly #role: GuestRole;
  readonly #levels: 4 | 5;
  readonly #hostWrites: boolean;
  /** Whether KVM reads tables in read-only memory. */
  readonly #readsReadOnly: boolean;
  readonly #user = [false, false];
  readonly #cr3 = [1, 1];
  /** Time of each vCPU's last flush of everything, and of single pages. */
  readonly #flushed = [0, 0];
  readonly #pageFlushed: [Map<number, number>, Map<number, number>] = [new Map(), new Map()];
  readonly #tables: TableHistory;
  /** What the access asked of devices: addresses. */
  readonly #exchanges: number[] = [];
  #place: number | undefined;
  #readOnly = false;
  #unique = 0;
  readonly #recent = [0, 1, 2, 3];

  constructor(run: ShadowRun) {
    this.#random = seededRandom(run.seed);
    this.#hostWrites = run.hostWrites === true;
    this.#levels = run.levels ?? 4;
    this.#readsReadOnly = run.profile.walkRules.readOnlyTables === "not-updated";
    const format = this.#levels === 5 ? PAGING_5_LEVEL : PAGING_4_LEVEL;
    this.#paging = { format, maxphyaddr: 40, cr0Wp: run.cr0Wp ?? true, eferNx: true };
    this.#role = GuestRole.ofPaging(this.#paging, run.profile.walkRules);
    this.vm = new Vm(run.profile, {
      guest: {
        paging: { levels: 0, entryGpa: () => 0, translate: (gva) => gva },
        tables: { cr3: 0x1000, paging: this.#paging },
      },
      userspace: {
        read: (gpa) => void this.#exchanges.push(gpa),
        write: (gpa) => void this.#exchanges.push(gpa),
      },
      hostMemory: [{ hva: SLOT_HOST, size: SLOT_FRAMES * 4096, pages: "hugetlb-2m" }],
      maxShadowPages: 64,
    });
    const hvaOf = (gfn: number) => gfn < FRAMES ? HOST + gfn * 4096 : SLOT_HOST + (gfn - this.#place!) * 4096;
    this.#tables = new TableHistory(this.vm, { words: WORDS, walkBits: WALK_BITS, hvaOf });
    this.vm.createVcpu();
    this.vm.createVcpu();
    this.vm.memslot({ id: 0, gpa: 0, size: FRAMES * 4096, flags: 0, userspaceAddr: HOST });
    this.#layTables();
    this.#noteChanges(false);
  }

  step(): string | undefined {
    const dice = this.#random(1000);
    const vcpu = this.#random(2);
    if (dice < 875) return this.#access(vcpu);
    if (dice < 915) {
      const page = this.#pageNumber();
      this.story.tell(`vCPU ${vcpu}: invlpg page 0x${page.toString(16)}`);
      this.vm.invlpg(vcpu, linearAddress(page, 0));
      this.#pageFlushed[vcpu].set(page, this.#tables.clock++);
      if (this.#remembers(vcpu, page)) return "INVLPG leaves a translation of the page in the TLB";
    } else if (dice < 945) {
      const dice = this.#random(6);
      const frame = dice === 0 ? 1 + this.#random(FRAMES - 1) : dice === 1 ? 6 : 1;
      this.story.tell(`vCPU ${vcpu}: CR3 = frame ${frame}`);
      this.vm.loadCr3(vcpu, frame * 4096);
      this.#cr3[vcpu] = frame;
      this.#flushed[vcpu] = this.#tables.clock++;
      if (this.#remembers(vcpu)) return "a load of CR3 leaves translations in the TLB";
    } else if (dice < 955) {
      this.#user[vcpu] = !this.#user[vcpu];
      this.story.tell(`vCPU ${vcpu}: ${this.#user[vcpu] ? "user" : "supervisor"}`);
      this.vm.setUserMode(vcpu, this.#user[vcpu]);
    } else if (dice < 970) this.#changeSlot();
    else if (dice < 974) {
      this.story.tell("sweep");
      this.vm.sweep();
    } else if (dice < 990) this.#repair();
    else if (this.#hostWrites) {
      const [frame, index, entry] = [1 + this.#random(6), this.#random(WORDS), this.#entry()];
      if (this.#isUpperTable(frame)) return undefined;
      this.story.tell(`program: frame ${frame}[${index}] = 0x${entry.toString(16)}`);
      this.#tables.poke(frame, index, entry);
      this.#noteChanges(true);
    }
    return undefined;
  }

  /** Whether the vCPU's TLB holds a page, or any, that it may use when it runs on. */
  #remembers(vcpu: number, page?: number): boolean {
    const { tlb, flushRequested, root } = this.vm.vcpu(vcpu).mmu;
    if (flushRequested || root === NO_PAGE) return false;
    return [...tlb.translations()].some((known) => page === undefined || known.page === page);
  }

  /**
   * Whether KVM shadows a frame above level 1. What the program writes there would make it take entries of one table for
   * those of another: KVM does not stand that.
   */
  #isUpperTable(frame: number): boolean {
    const { pool } = this.vm.mmu;
    for (let page = pool.firstInBucket(frame); page !== NO_PAGE; page = pool.nextInBucket(page)) {
      if (pool.gfn[page] === frame && !isDirect(pool.role[page]) && levelOf(pool.role[page]) > 1) return true;
    }
    return false;
  }

  /** What guests do after a while: tables as they were at first, KVM told by a memslot that goes. */
  #repair(): void {
    this.story.tell("program: repairs the tables");
    this.#layTables();
    this.#noteChanges(true);
    if (this.#slotZapsAll) {
      this.vm.memslot({ id: 3, gpa: 0x40000000, size: 0x1000, flags: 0, userspaceAddr: HOST + 0x2000000 });
      this.vm.memslot({ id: 3, gpa: 0x40000000, size: 0, flags: 0, userspaceAddr: 0 });
    } else run(this.vm.execution, this.vm.control.zapAll(), this.vm.updater);
    this.#allFlushed();
  }

  /** Whether everything is zapped when a slot goes, so that nothing stale is left. */
  get #slotZapsAll(): boolean {
    return this.vm.profile.flushSlot !== "slot-range";
  }

  /**
   * Tables at first: 1, or 6, leads by 2 and 3 to 4 and 5, with five levels by 11 before them, and its last entry, which
   * nobody writes, leads there too: to the same in the upper half of addresses. Table 4 maps frames 4, 5 and 6, and table 5 those
   * above.
   */
  #layTables(): void {
    for (const root of [1, 6]) { for (const index of [0, 511]) this.#tables.poke(root, index, this.#levels === 5 ? 0xb007n : 0x2007n); }
    if (this.#levels === 5) this.#tables.poke(11, 0, 0x2007n);
    this.#tables.poke(2, 0, 0x3007n);
    for (const table of [4, 5]) this.#tables.poke(3, table - 4, BigInt(table << 12) | 7n);
    for (const [i, frame] of [4, 5, 6, 10].entries()) this.#tables.poke(4, i, BigInt(frame << 12) | 7n);
    for (const [i, frame] of [3, 2, 1, 7].entries()) this.#tables.poke(5, i, BigInt(frame << 12) | 7n);
  }

  #changeSlot(): void {
    if (this.#place === undefined) {
      this.#place = PLACES[this.#random(PLACES.length)];
      this.#readOnly = this.#random(4) === 0;
      this.story.tell(`slot 1 at gfn 0x${this.#place.toString(16)}${this.#readOnly ? ", read-only" : ""}`);
      this.#setSlot(this.#place, SLOT_FRAMES);
    } else if (this.#random(3) === 0) {
      const place = PLACES[this.#random(PLACES.length)];
      // A move to where it lies is none.
      if (place === this.#place) return;
      this.#place = place;
      this.story.tell(`slot 1 moves to gfn 0x${this.#place.toString(16)}`);
      this.#setSlot(this.#place, SLOT_FRAMES);
      if (this.#slotZapsAll) this.#allFlushed();
    } else {
      this.story.tell("slot 1 goes");
      this.#setSlot(this.#place, 0);
      this.#place = undefined;
      if (this.#slotZapsAll) this.#allFlushed();
    }
    this.#noteChanges(false);
  }

  #setSlot(gfn: number, frames: number): void {
    const flags = this.#readOnly ? 2 : 0;
    this.vm.memslot({ id: 1, gpa: gfn * 4096, size: frames * 4096, flags, userspaceAddr: SLOT_HOST });
  }

  /** KVM has zapped everything, and every vCPU has flushed. */
  #allFlushed(): void {
    this.#flushed.fill(this.#tables.clock++);
    this.#tables.forget();
  }

  #access(vcpu: number): string | undefined {
    const page = this.#pageNumber();
    const size = this.#random(8) === 0 ? PIECES[this.#random(PIECES.length)] : 8;
    const offset = size * this.#random(8 * WORDS / size);
    const gva = BigInt(page) * 4096n + BigInt(offset);
    const write = this.#random(2) === 0;
    const allowed = this.#outcomes(vcpu, page, write);
    const before = this.#contents(allowed, offset);
    const dice = this.#random(3);
    const whole = dice === 0
      ? BigInt(++this.#unique) << 44n | 0x800n
      : dice === 1 && before[0] !== undefined
      ? before[0] ^ CHANGED_BITS[this.#random(CHANGED_BITS.length)]
      : this.#entry();
    const stored = BigInt.asUintN(8 * size, whole);
    this.#exchanges.length = 0;
    const what = write ? `write 0x${stored.toString(16)}` : "read";
    this.story.tell(`vCPU ${vcpu}: ${what}, ${size} bytes at 0x${gva.toString(16)}`);
    const { faultCode, value: word } = this.vm.access(vcpu, write ? "write" : "read", gva, size, stored);
    const value = BigInt.asUintN(8 * size, word);
    const [exchange] = this.#exchanges;
    const after = this.#contents(allowed, offset);
    this.#noteChanges(false);
    const got = faultCode >= 0
      ? `fault ${faultCode}`
      : exchange !== undefined
      ? `MMIO at 0x${exchange.toString(16)}`
      : `RAM, 0x${value.toString(16)}`;
    const fits = allowed.some(({ gfn, fault }, i) => {
      if (faultCode >= 0) return fault === faultCode;
      if (gfn === undefined) return false;
      if (exchange !== undefined) return !this.#isRam(gfn, write) && exchange === gfn * 4096 + offset;
      if (!this.#isRam(gfn, write)) return false;
      const shift = 8n * BigInt(offset % 8);
      const [was, is] = [before[i]!, after[i]!].map((word) => BigInt.asUintN(8 * size, word >> shift));
      return write ? this.#tables.same(is << shift, stored << shift) : was === value || is === value;
    });
    if (fits) return undefined;
    const expected = allowed.map(({ gfn, fault }, i) =>
      fault !== undefined ? `fault ${fault}` : `gfn 0x${gfn!.toString(16)} (0x${(before[i] ?? 0n).toString(16)})`
    );
    return `got ${got}, expected ${expected.join(" or ")}`;
  }

  /** What the places that an access may lead to hold at an offset. */
  #contents(outcomes: readonly Outcome[], offset: number): (bigint | undefined)[] {
    return outcomes.map(({ gfn }) =>
      gfn === undefined || !this.#isRam(gfn, false) ? undefined : this.#tables.peek(gfn, Math.floor(offset / 8))
    );
  }

  #isRam(gfn: number, write: boolean): boolean {
    return gfn < FRAMES || (this.#inSlot(gfn) && !(write && this.#readOnly));
  }

  #inSlot(gfn: number): boolean {
    return this.#place !== undefined && gfn >= this.#place && gfn < this.#place + SLOT_FRAMES;
  }

  /** Where an access may lead: by the tables as they are, or with entries that may still be remembered. */
  #outcomes(vcpu: number, page: number, write: boolean): Outcome[] {
    const since = Math.max(this.#flushed[vcpu], this.#pageFlushed[vcpu].get(page) ?? 0);
    const outcomes: Outcome[] = [];
    const walk = (level: number, table: number, rights: bigint, isNow: boolean) => {
      const fault = (code: number) => {
        // What is not there is remembered by nobody: a fault is by the tables as they are.
        if (isNow) outcomes.push({ fault: code | (write ? 2 : 0) | (this.#user[vcpu] ? 4 : 0) });
      };
      if (!(table < FRAMES || (this.#inSlot(table) && (!this.#readOnly || this.#readsReadOnly)))) return fault(0);
      const index = Math.floor(page / 512 ** (level - 1)) % 512;
      const current = this.#tables.peek(table, index);
      const values = [{ value: current, now: true }];
      for (const { value, until, byHost } of this.#tables.stale(table, index)) {
        if (byHost || until > since) values.push({ value, now: false });
      }
      for (const { value, now } of values) {
        const stillNow = isNow && now;
        const failNow = (code: number) => {
          if (stillNow) fault(code);
        };
        if ((value & 1n) === 0n) {
          failNow(0);
          continue;
        }
        const lo = Number(value & 0xffffffffn) | 0;
        const hi = Number(value >> 32n) | 0;
        const { reserved, reservedHi } = this.#role;
        if (((lo & reserved[((lo & 0x80) >> 4) | level]) | (hi & reservedHi)) !== 0) {
          failNow(9);
          continue;
        }
        const below = rights & value;
        const gfn = Number((value >> 12n) & 0xfffffffffn);
        if (level > 1 && !((lo & 0x80) !== 0 && level < 4)) {
          walk(level - 1, gfn, below, stillNow);
          continue;
        }
        const pages = 512 ** (level - 1);
        const denied = (this.#user[vcpu] && (below & 4n) === 0n) ||
          (write && (below & 2n) === 0n && (this.#user[vcpu] || this.#paging.cr0Wp === true));
        if (denied) failNow(1);
        else outcomes.push({ gfn: gfn - (gfn % pages) + (page % pages) });
      }
    };
    walk(this.#levels, this.#cr3[vcpu], 7n, true);
    return outcomes;
  }

  #noteChanges(byHost: boolean): void {
    const frames = Array.from({ length: FRAMES }, (_, i) => i);
    if (this.#place !== undefined) for (let i = 0; i < USED_FRAMES; i++) frames.push(this.#place + i);
    this.#tables.note(frames, byHost, Math.min(...this.#flushed));
  }

  /** An entry as a guest may write it: a table, memory, a device, sometimes large, sometimes wrong. */
  #entry(): bigint {
    const dice = this.#random(20);
    const frame = dice < 12
      ? 1 + this.#random(FRAMES - 1)
      : dice < 15
      ? PLACES[this.#random(PLACES.length)] + this.#random(USED_FRAMES)
      : dice < 17
      ? 0xd0000 + 2 * this.#random(4)
      : 2 + this.#random(4);
    let flags = 1 | (this.#random(4) === 0 ? 0 : 2) | (this.#random(4) === 0 ? 0 : 4) | (this.#random(2) === 0 ? 0 : 0x60);
    if (dice === 19) flags &= ~1;
    if (dice === 18) return BigInt(PLACES[this.#random(PLACES.length)]) << 12n | BigInt(flags | 0x80);
    if (dice === 17 && this.#random(4) === 0) return BigInt(flags | 0x80);
    return BigInt(frame) << 12n | BigInt(flags) | (this.#random(40) === 0 ? 1n << 45n : 0n);
  }

  /** A linear page: often one that was used just now, so that what is remembered of it is used. */
  #pageNumber(): number {
    if (this.#random(2) === 0) return this.#recent[this.#random(this.#recent.length)];
    const page = this.#anyPage();
    this.#recent[this.#random(this.#recent.length)] = page;
    return page;
  }

  #anyPage(): number {
    const upper = this.#random(8) === 0 ? this.#random(2) : 0;
    const third = this.#random(8) === 0 ? this.#random(2) : 0;
    const page = ((upper * 512 + third) * 512 + this.#random(2)) * 512 + this.#random(WORDS);
    // The same in the upper half, where the root's last entry leads: all bits above it are set.
    return upper === 0 && this.#random(3) === 0 ? LINEAR_PAGES - 512 ** (this.#levels - 1) + page : page;
  }
}


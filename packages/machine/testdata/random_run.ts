/**
 * A random run of a VM beside the flat oracle, repeatable from its seed.
 *
 * @module
 */
import type { Era, MemoryRegion } from "@mmu-lab/memslots";
import { narrowEra, STRATEGIES } from "@mmu-lab/invalidation";
import { auditBooks, levelOf, SPTE_LARGE } from "@mmu-lab/paging";
import { type RandomBelow, seededRandom } from "@mmu-lab/protocol";
import type { AccessKind, AccessSize } from "../guest.ts";
import { FlatOracle, type MmioExchange } from "../oracle.ts";
import { type Profile, withStrategy } from "../profile.ts";
import { Vm } from "../vm.ts";
import { DENSE, type Place } from "./places.ts";

const KINDS: readonly AccessKind[] = ["read", "write", "rmw"];
const SLOTS = 6;
/** Host memory of each slot, and where it begins. */
const SLOT_MEMORY = 0x1000000;
const HOST_MEMORY = 0x7f0000000000;
const OPERATIONS_SHOWN = 25;
/** Operations between two audits of the books. */
const AUDIT_EVERY = 250;

/** What to run. */
export interface RandomRun {
  /** The kernel, strategy included. */
  readonly profile: Profile;
  /** Where randomness starts. */
  readonly seed: number;
  /** How many operations. */
  readonly operations: number;
  /** Where; {@linkcode DENSE} unless told. */
  readonly place?: Place;
}

/** A kernel with one of the strategies of `@mmu-lab/invalidation`, and perhaps fewer bits for the generation. */
export function strategyProfile(profile: Profile, name: string, bits?: number): Profile {
  const era: Era = bits === undefined ? profile.era : narrowEra(profile.era, bits);
  return withStrategy({ ...profile, era }, STRATEGIES[name].create, name);
}

/** What a run came to. */
export interface RunReport {
  /** The first disagreement, as a story that ends with it; `undefined` if there is none. */
  readonly disagreement: string | undefined;
  /** The VM as the run left it. */
  readonly vm: Vm;
  /** The most large mappings that an audit met. */
  readonly largeMappings: number;
}

/** Runs random operations, compares each with the oracle, and audits the books now and then. */
export function runBesideOracle(run: RandomRun): RunReport {
  const pair = new Pair(run.profile, run.place ?? DENSE, seededRandom(run.seed));
  const { vm } = pair;
  const story: string[] = [];
  let largeMappings = 0;
  for (let i = 0; i < run.operations; i++) {
    const { did, wrong } = pair.step();
    story.push(did);
    if (story.length > OPERATIONS_SHOWN) story.shift();
    let what = wrong;
    if (wrong === undefined && i % AUDIT_EVERY === 0) {
      what = auditBooks(vm.mmu).join("\n") || undefined;
      largeMappings = Math.max(largeMappings, countLargeMappings(vm));
    }
    if (what === undefined) continue;
    const disagreement = `${run.profile.name}, seed ${run.seed}, operation ${i}:\n${story.join("\n")}\n${what}`;
    return { disagreement, vm, largeMappings };
  }
  return { disagreement: undefined, vm, largeMappings };
}

function countLargeMappings(vm: Vm): number {
  const { pool } = vm.mmu;
  let count = 0;
  for (let page = 0; page < pool.length; page++) {
    if (!pool.isLive(page) || levelOf(pool.role[page]) === 1) continue;
    for (let index = 0; index < 512; index++) if ((pool.lo(page, index) & SPTE_LARGE) !== 0) count++;
  }
  return count;
}

/** What one operation was, and what was wrong with it. */
interface Step {
  did: string;
  wrong?: string | undefined;
}

/** A VM and its oracle. */
class Pair {
  readonly vm: Vm;
  readonly #oracle: FlatOracle = new FlatOracle(deviceByte);
  readonly #exchanges: MmioExchange[] = [];
  readonly #slots: Map<number, MemoryRegion> = new Map();
  readonly #random: RandomBelow;
  readonly #place: Place;
  #touched = 0;

  constructor(profile: Profile, place: Place, random: RandomBelow) {
    this.#random = random;
    this.#place = place;
    const { hostPages, maxShadowPages } = place;
    this.vm = new Vm(profile, {
      hostMemory: hostPages === undefined
        ? []
        : [{ hva: HOST_MEMORY, size: SLOTS * SLOT_MEMORY, pages: hostPages }],
      ...(maxShadowPages === undefined ? {} : { maxShadowPages }),
      userspace: {
        read: (gpa, data, length) => {
          for (let i = 0; i < length; i++) data[i] = deviceByte(gpa + i);
          this.#exchanges.push({ write: false, gpa, bytes: [...data] });
        },
        write: (gpa, data) => {
          this.#exchanges.push({ write: true, gpa, bytes: [...data] });
        },
      },
    });
    this.vm.createVcpu();
    this.vm.createVcpu();
  }

  step(): Step {
    if (this.#random(100) < (this.#place.extraAccesses ?? 0)) return this.#access();
    const dice = this.#random(100);
    if (dice < 78) return this.#access();
    if (dice < 84) return this.#create();
    if (dice < 88) return this.#delete();
    if (dice < 91) return this.#move();
    if (dice < 94) return this.#flags();
    if (dice < 96) return this.#refused();
    if (dice < 98) return this.#sweep();
    return this.#dirtyLog();
  }

  #gfn(): number {
    const { windows } = this.#place;
    const [base, pages] = windows[this.#random(windows.length)];
    return base + this.#random(pages);
  }

  /** A gfn where a slot may begin; often the page that was touched last, as that is where mistakes show. */
  #slotGfn(unit: number = this.#place.unit): number {
    const gfn = this.#random(3) === 0 ? this.#touched : this.#gfn();
    return gfn - (gfn % unit);
  }

  #access(): Step {
    const vcpu = this.#random(2);
    const kind = KINDS[this.#random(3)];
    const size = 1 + this.#random(8) as AccessSize;
    const offset = this.#random(4) === 0 ? 4096 - this.#random(9) : 8 * this.#random(3);
    // Now and then the page that was touched last: it may have changed hands since.
    if (this.#random(8) !== 0) this.#touched = this.#gfn();
    const gpa = this.#touched * 4096 + offset;
    const operand = Array.from({ length: size }, () => this.#random(256));
    const did = `vCPU ${vcpu}: ${kind} ${size} at 0x${gpa.toString(16)}${kind === "read" ? "" : ` [${operand}]`}`;

    this.#exchanges.length = 0;
    const value = operand.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const outcome = this.vm.access(vcpu, kind, gpa, size, value);
    const data = kind === "write" ? [] : [...outcome.data.subarray(0, size)];
    const seen = describe(data, this.#exchanges);
    const prediction = this.#oracle.access({ kind, gpa, size, operand });
    const expected = describe(prediction.data, prediction.exchanges);
    return seen === expected ? { did } : { did, wrong: `  saw      ${seen}\n  expected ${expected}` };
  }

  #create(): Step {
    const free = Array.from({ length: SLOTS }, (_, id) => id).filter((id) => !this.#slots.has(id));
    if (free.length === 0) return { did: "all slots are in use" };
    const { unit, slotUnits } = this.#place;
    const gfn = this.#slotGfn();
    const id = free[this.#random(free.length)];
    // Half of the slots lie in the host as in the guest, as far as large pages go.
    const hostPage = this.#random(2) === 0 ? gfn % 512 : unit * this.#random(8);
    return this.#change("create", {
      id,
      gpa: gfn * 4096,
      size: (1 + this.#random(slotUnits)) * unit * 4096,
      flags: this.#random(4),
      userspaceAddr: HOST_MEMORY + id * SLOT_MEMORY + (hostPage % 1024) * 4096,
    });
  }

  #delete(): Step {
    const slot = this.#anySlot();
    return slot === undefined ? { did: "no slot to delete" } : this.#change("delete", { ...slot, size: 0 });
  }

  #move(): Step {
    const slot = this.#anySlot();
    if (slot === undefined) return { did: "no slot to move" };
    const { hostPages, unit } = this.#place;
    const within = hostPages === undefined ? 0 : (slot.gpa / 4096) % 512;
    const gfn = this.#slotGfn(hostPages === undefined ? unit : 512) + within;
    return this.#change("move", { ...slot, gpa: gfn * 4096, flags: slot.flags ^ this.#random(2) });
  }

  #flags(): Step {
    const slot = this.#anySlot();
    return slot === undefined
      ? { did: "no slot to change" }
      : this.#change("flags", { ...slot, flags: slot.flags ^ 1 });
  }

  /** What no kernel accepts: nothing may come of it. */
  #refused(): Step {
    const slot = this.#anySlot() ?? { id: 0, gpa: 0, size: 0x1000, flags: 0, userspaceAddr: HOST_MEMORY };
    const { userSlots, privateSlots } = this.vm.profile.slotLimits;
    const bad = [
      { ...slot, flags: 4 },
      { ...slot, gpa: slot.gpa + 1 },
      { ...slot, id: userSlots + privateSlots },
      { ...slot, size: slot.size + 1 },
      { ...slot, userspaceAddr: slot.userspaceAddr + 8 },
      { ...slot, id: SLOTS, size: 0 },
    ][this.#random(6)];
    const errno = this.vm.memslot(bad);
    const did = `refused: ${JSON.stringify(bad)} -> ${errno}`;
    return errno < 0 ? { did } : { did, wrong: "  was accepted" };
  }

  #sweep(): Step {
    this.vm.sweep();
    return { did: "sweep" };
  }

  #dirtyLog(): Step {
    const id = this.#random(SLOTS);
    const reported = this.vm.dirtyLog(id);
    const expected = this.#oracle.dirtyLog(id);
    const did = `dirty log of slot ${id} -> ${reported}`;
    if (expected === undefined || typeof reported === "number") {
      return expected === undefined && typeof reported === "number" ? { did } : { did, wrong: "  one has a log" };
    }
    const missed = expected.written.filter((page) => !reported.includes(page));
    const invented = reported.filter((page) => !expected.touched.includes(page));
    return missed.length + invented.length === 0 ? { did } : { did, wrong: `  missed ${missed}, invented ${invented}` };
  }

  #anySlot(): MemoryRegion | undefined {
    const slots = [...this.#slots.values()];
    return slots[this.#random(Math.max(1, slots.length))];
  }

  /** Changes a slot in both worlds; the kernel may refuse, as for an overlap, and then nothing has changed. */
  #change(what: string, region: MemoryRegion): Step {
    const errno = this.vm.memslot(region);
    if (errno === 0) {
      this.#oracle.change(region);
      if (region.size === 0) this.#slots.delete(region.id);
      else this.#slots.set(region.id, region);
    }
    const { id, gpa, size, flags } = region;
    const did = `${what} slot ${id} gpa 0x${gpa.toString(16)} pages ${size / 4096} flags ${flags} -> ${errno}`;
    return errno === 0 || errno === -17 ? { did } : { did, wrong: "  was refused" };
  }
}

function deviceByte(gpa: number): number {
  return (Math.floor(gpa / 4096) * 7 + gpa) & 0xff;
}

function describe(data: readonly number[], exchanges: readonly MmioExchange[]): string {
  const asked = exchanges.map(({ write, gpa, bytes }) => `${write ? "write" : "read"} 0x${gpa.toString(16)} [${bytes}]`);
  return `data [${data}]${asked.map((exchange) => `, ${exchange}`).join("")}`;
}

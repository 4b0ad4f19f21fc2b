import {
  FlatTables,
  GuestRole,
  GuestWalker,
  type GuestWalkRules,
  loadPdptrs,
  PAGING_32BIT,
  PAGING_4_LEVEL,
  PAGING_5_LEVEL,
  PAGING_PAE,
  PFERR_FETCH,
  PFERR_USER,
  PFERR_WRITE,
  walkAddr,
  WalkMmu,
} from "@mmu-lab/paging";
import { WorkCounters } from "@mmu-lab/protocol";
import { NULL_SINK } from "@mmu-lab/tracing";
import { type AccessCase, MAXPHYADDR } from "./access_cases.ts";
import { type ArchitectureResult, translate, type UsedEntry } from "./architecture_rules.ts";

const FORMATS = { "32-bit": PAGING_32BIT, "PAE": PAGING_PAE, "4-level": PAGING_4_LEVEL, "5-level": PAGING_5_LEVEL };
const ACCESS = { read: 0, write: PFERR_WRITE, fetch: PFERR_FETCH } as const;

/** Levels of tables, the PDPT of PAE included. */
const LEVELS = { "32-bit": 2, "PAE": 3, "4-level": 4, "5-level": 5 } as const;
/** Index of the address that is accessed, in 9 and in 10 bits, by level. It differs at each, so that none is mistaken. */
const LINEAR = (5n << 48n) | (4n << 39n) | (3n << 30n) | (2n << 21n) | (1n << 12n) | 0x234n;
/** Where pages lie: frames that large pages may begin at too. No memory is there, since only tables are read. */
const PAGE = 0x4000_0000;
/** Frames of memory: one for each table, by level. */
const FRAMES = 6;
const PRESENT_WRITABLE_USER = 7;
const PRESENT = 1;
const ACCESSED = 0x20n;
const DIRTY = 0x40n;

/** Holds the walker against the rules of the architecture, case by case. */
export class AccessCheck {
  readonly #rules: GuestWalkRules;
  readonly #memory: FlatTables = new FlatTables(FRAMES);
  readonly #walker: GuestWalker = new GuestWalker();
  readonly #counters: WorkCounters = new WorkCounters();
  /** What walks, by mode and settings: making a role costs more than a case. */
  readonly #mmus: Map<number, WalkMmu> = new Map();

  /** Makes one. @param rules The choices of the kernel. */
  constructor(rules: GuestWalkRules) {
    this.#rules = rules;
  }

  /**
   * Carries a case out.
   *
   * @returns What the rules demand and what the walker does, if that differs.
   */
  check(testCase: AccessCase): string | undefined {
    this.#writeTables(testCase);
    const expected = this.#expect(testCase);
    const mmu = this.#mmuFor(testCase);
    const root = LEVELS[testCase.mode];
    const loaded = testCase.mode !== "PAE" || loadPdptrs(mmu, root << 12);
    if (!loaded) return expected.kind === "general-protection" ? undefined : `expected ${describe(expected)}, got #GP`;
    const access = ACCESS[testCase.kind] | (testCase.user ? PFERR_USER : 0);
    const hi = root < 4 ? 0 : Number(LINEAR >> 32n);
    const allowed = walkAddr(mmu, this.#walker, Number(BigInt.asIntN(32, LINEAR)), hi, access);
    const got = this.#describeWalk(allowed);
    const demanded = describe(expected);
    if (got !== demanded) return `expected ${demanded}, got ${got}`;
    return this.#wrongEntry(testCase, expected);
  }

  #mmuFor({ mode, wp, nxe, pse, smep, smap, pke, ac, pkru }: AccessCase): WalkMmu {
    const key = [wp, nxe, pse, smep, smap, pke].reduce<number>((bits, flag) => 2 * bits + (flag ? 1 : 0), LEVELS[mode]);
    let mmu = this.#mmus.get(key);
    if (mmu === undefined) {
      const role = GuestRole.ofPaging({
        format: FORMATS[mode],
        maxphyaddr: MAXPHYADDR,
        cr0Wp: wp,
        cr4Pse: pse,
        cr4Smep: smep,
        cr4Smap: smap,
        cr4Pke: pke,
        eferNx: nxe,
        gigabytePages: true,
        pse36: true,
      }, this.#rules);
      mmu = new WalkMmu({ role, tables: this.#memory, counters: this.#counters, trace: NULL_SINK, vcpu: 0 });
      mmu.rootLo = LEVELS[mode] << 12;
      this.#mmus.set(key, mmu);
    }
    mmu.rflagsAc = ac;
    mmu.pkru = pkru;
    return mmu;
  }

  /** The table of a level lies in the frame of that number. */
  #writeTables({ mode, pse, pde, pte }: AccessCase): void {
    const memory = this.#memory;
    const mapsPage = (pde[0] & 0x80) !== 0 && (mode !== "32-bit" || pse);
    const pdeLo = pde[0] | (mapsPage ? PAGE : 1 << 12);
    if (mode === "32-bit") {
      memory.write4(2, INDEX[mode][2], pdeLo);
      memory.write4(1, INDEX[mode][1], pte[0] | PAGE);
      return;
    }
    for (let level: number = LEVELS[mode]; level > 2; level--) {
      const bits = mode === "PAE" ? PRESENT : PRESENT_WRITABLE_USER;
      memory.write8(level, INDEX[mode][level], ((level - 1) << 12) | bits, 0);
    }
    memory.write8(2, INDEX[mode][2], pdeLo, pde[1]);
    memory.write8(1, INDEX[mode][1], pte[0] | PAGE, pte[1]);
  }

  #expect(testCase: AccessCase): ArchitectureResult {
    const { mode, kind, user } = testCase;
    const linear = LEVELS[mode] < 4 ? BigInt.asUintN(32, LINEAR) : LINEAR;
    return translate(
      {
        ...testCase,
        pkru: BigInt(testCase.pkru >>> 0),
        maxphyaddr: BigInt(MAXPHYADDR),
        gigabytePages: true,
        pse36: true,
        cr3: BigInt(LEVELS[mode]) << 12n,
      },
      { linear, kind, user },
      (address, bytes) => this.#read(address, bytes),
    );
  }

  #read(address: bigint, bytes: bigint): bigint {
    const { lanes } = this.#memory;
    const at = Number(address) / 4;
    const low = BigInt(lanes[at] >>> 0);
    return bytes === 4n ? low : (BigInt(lanes[at + 1] >>> 0) << 32n) | low;
  }

  #describeWalk(allowed: boolean): string {
    const { gfn, fault } = this.#walker;
    if (!allowed) return `#PF error 0x${fault.errorCode.toString(16)}`;
    return `physical 0x${(gfn * 4096 + 0x234).toString(16)}`;
  }

  /** Looks for an entry whose accessed and dirty flags are not as they must be now. */
  #wrongEntry({ mode, kind, pde, pte }: AccessCase, expected: ArchitectureResult): string | undefined {
    if (expected.kind === "general-protection") return undefined;
    const bytes = mode === "32-bit" ? 4n : 8n;
    const wide = mode === "32-bit" ? 0 : -1;
    for (const used of expected.used) {
      const now = this.#read(used.address, bytes);
      const accessed = used.value | ACCESSED;
      const demanded = expected.kind === "translated" && kind === "write" && used === expected.used.at(-1)
        ? accessed | DIRTY
        : accessed;
      // Which accessed flags a walk that faults leaves set is up to the processor (section 4.8).
      const right = now === demanded || (expected.kind === "page-fault" && now === used.value);
      if (!right) return `expected entry ${hex(demanded)} at ${hex(used.address)}, got ${hex(now)}`;
    }
    for (const [level, [lo, hi]] of [[2, pde], [1, pte]] as const) {
      const address = BigInt(level * 4096 + INDEX[mode][level] * Number(bytes));
      if (expected.used.some((used: UsedEntry) => used.address === address)) continue;
      const now = this.#read(address, bytes);
      const lanes = (BigInt(hi & wide & 0xffffffff) << 32n) | BigInt(lo >>> 0);
      const flags = BigInt.asUintN(64, now & ~BigInt(PAGE) & ~0x1000n);
      if (flags !== BigInt.asUintN(64, lanes)) return `expected no flag to be set at ${hex(address)}, got ${hex(now)}`;
    }
    return undefined;
  }
}

/** Index of the address in the tables of each level, by mode. */
const INDEX = Object.fromEntries(
  Object.entries(LEVELS).map(([mode, levels]) => {
    const bits = mode === "32-bit" ? 10n : 9n;
    const index = (level: number) => (LINEAR >> (12n + BigInt(level - 1) * bits)) & ((1n << bits) - 1n);
    const table = Array.from({ length: levels + 1 }, (_, level) => level === 0 ? 0 : Number(index(level)));
    if (mode === "PAE") table[3] &= 3;
    return [mode, table];
  }),
);

function describe(result: ArchitectureResult): string {
  if (result.kind === "general-protection") return "#GP";
  return result.kind === "page-fault" ? `#PF error ${hex(result.error)}` : `physical ${hex(result.physical)}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

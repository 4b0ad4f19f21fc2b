import { WALK_RULES_ARCHITECTURE } from "@mmu-lab/paging";
import type { Lanes } from "@mmu-lab/spte-encoding";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { rulesOutcome } from "../testdata/rules_outcome.ts";
import { formatWalkOutcome, WalkReplay } from "../walks/walk_replay.ts";
import type { WalkHeader, WalkMode, WalkVector } from "../walks/walk_vector.ts";

const LEVELS: Readonly<Record<WalkMode, number>> = { legacy32: 2, pae: 3, long4: 4, long5: 5 };
/** Frame of the lowest table; the others follow. */
const FIRST = 0x10;

const lane = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
/** Bits that are set often, so that walks go deep; then some that are set seldom. */
const bits = fc.tuple(
  fc.oneof({ weight: 16, arbitrary: fc.constant(7) }, { weight: 4, arbitrary: fc.constantFrom(5, 3, 1, 6) }),
  fc.constantFrom(0, 0x20, 0x60, 0x40),
  fc.constantFrom(0, 0, 0, 0, 0, 0x80),
  fc.constantFrom(0, 0, 0x100, 0xe18),
  fc.constantFrom(0, 0, 0, 0x2000, 0x10000, 0x200000),
).map((parts) => parts.reduce<number>((all, part) => all | part, 0));
const highBits = fc.oneof(
  { weight: 20, arbitrary: fc.constant(0) },
  { weight: 6, arbitrary: fc.constantFrom(1 << 31, 5 << 27, 5 << 27, 0x7ff00000) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 31 }).map((bit) => 1 << bit) },
  { weight: 1, arbitrary: lane },
);

/** An entry that mostly names the table below, or a page. */
function entry(level: number, mode: WalkMode): fc.Arbitrary<Lanes> {
  const below = (FIRST + level - 2) << 12;
  const page = fc.constantFrom(0x40000000, 0x12345000, 0);
  return fc.tuple(bits, highBits, page).map(([lo, hi, at]) => {
    const names = level > 1 && ((lo & 0x80) === 0 || level > 3);
    // A PDPTE of PAE has few bits that may be set at all. No table is named twice: its entries would change each other.
    const kept = mode === "pae" && level === 3 ? 0x219 : names ? 0xfff : -1;
    return { lo: (lo & kept) | (names ? below : at), hi: mode === "legacy32" ? 0 : hi };
  });
}

const KINDS: ReadonlySet<string> = new Set([
  "ok",
  "general-protection",
  "page-fault 0", // not present
  "page-fault 1", // protection
  "page-fault 9", // reserved bit
  "page-fault 33", // protection key
]);

const mode = fc.constantFrom<WalkMode>("legacy32", "pae", "long4", "long5");

const walk: fc.Arbitrary<{ header: WalkHeader; vector: WalkVector }> = mode.chain((mode) => {
  const levels = Array.from({ length: LEVELS[mode] }, (_, n) => LEVELS[mode] - n);
  const flag = fc.boolean();
  const header = fc.record({
    maxphyaddr: fc.integer({ min: 36, max: 52 }),
    gigabytePages: flag,
    pse36: flag,
  }).map((cpu) => ({
    ...cpu,
    mode,
    cr3: (FIRST + levels.length - 1) << 12,
    tables: levels.map((level) => (FIRST + level - 1) << 12),
  }));
  const high = levels.length < 4 ? fc.constant(0) : fc.integer({ min: 0, max: levels.length < 5 ? 0x7fff : 0xffffff });
  const vector = fc.record({
    id: fc.constant(0),
    wp: flag,
    nxe: flag,
    smep: flag,
    smap: flag,
    pke: flag,
    pse: flag,
    ac: flag,
    pkru: fc.constantFrom(0, 0x55555555, 0xaaaaaaaa, 1 << 10, 2 << 10),
    la: fc.record({ lo: lane, hi: high }),
    access: fc.constantFrom("read" as const, "write" as const, "fetch" as const),
    user: flag,
    before: fc.tuple(...levels.map((level) => entry(level, mode))),
    expected: fc.constant({ kind: "general-protection" as const }),
  });
  return fc.record({ header, vector });
});

Deno.test("a walk of random tables is what the rules of the architecture say", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(walk, ({ header, vector }) => {
      const outcome = new WalkReplay(header, WALK_RULES_ARCHITECTURE).outcomeOf(vector);
      assertEquals(formatWalkOutcome(outcome), formatWalkOutcome(rulesOutcome(vector, header)));
      const kind = outcome.kind === "page-fault" ? `${outcome.kind} ${outcome.error & 0x29}` : outcome.kind;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }),
    { numRuns: 5000 },
  );
  // Each comes up dozens of times, whatever the seed: if one did not, the test would say little.
  for (const kind of KINDS) assert(seen.has(kind), kind);
});

Deno.test("a second walk of random tables finds the same, and all bits set", () => {
  fc.assert(
    fc.property(walk, ({ header, vector }) => {
      const replay = new WalkReplay(header, WALK_RULES_ARCHITECTURE);
      const first = replay.outcomeOf(vector);
      if (first.kind !== "ok") return;
      assertEquals(replay.outcomeOf({ ...vector, before: first.after }), first);
    }),
    { numRuns: 2000 },
  );
});

/**
 * The rules of the architecture, asked about a recorded walk, or one of that form.
 *
 * @module
 */
import { lanesToBigInt } from "@mmu-lab/spte-encoding";
import { type ArchitectureResult, translate } from "../access/architecture_rules.ts";
import type { WalkHeader, WalkOutcome, WalkVector } from "../walks/walk_vector.ts";

const MODES = { legacy32: "32-bit", pae: "PAE", long4: "4-level", long5: "5-level" } as const;

/** What the rules say of a walk. */
export function rulesOutcome(vector: WalkVector, header: WalkHeader): WalkOutcome {
  const { tables, mode } = header;
  const la = lanesToBigInt(vector.la.lo, vector.la.hi);
  const bytes = mode === "legacy32" ? 4n : 8n;
  const bits = mode === "legacy32" ? 10n : 9n;
  const places = tables.map((table, n) => {
    const index = (la >> (12n + bits * BigInt(tables.length - 1 - n))) & ((1n << bits) - 1n);
    // Of the PDPT of PAE there are four entries.
    return BigInt(table) + bytes * (mode === "pae" && n === 0 ? index & 3n : index);
  });
  const values = vector.before.map(({ lo, hi }) => lanesToBigInt(lo, hi));
  const result: ArchitectureResult = translate(
    {
      mode: MODES[mode],
      maxphyaddr: BigInt(header.maxphyaddr),
      wp: vector.wp,
      pse: vector.pse,
      smep: vector.smep,
      smap: vector.smap,
      pke: vector.pke,
      nxe: vector.nxe,
      ac: vector.ac,
      pkru: BigInt(vector.pkru),
      gigabytePages: header.gigabytePages,
      pse36: header.pse36,
      cr3: BigInt(header.cr3),
    },
    { linear: la, kind: vector.access, user: vector.user },
    (address) => values[places.indexOf(address)] ?? 0n,
  );
  if (result.kind === "page-fault") return { kind: "page-fault", error: Number(result.error) };
  if (result.kind === "general-protection") return result;
  const after = vector.before.map((lanes, n) => {
    const at = result.used.findIndex(({ address }) => address === places[n]);
    if (at < 0) return lanes;
    const dirty = vector.access === "write" && at === result.used.length - 1 ? 0x40 : 0;
    return { lo: lanes.lo | 0x20 | dirty, hi: lanes.hi };
  });
  return { kind: "ok", physical: Number(result.physical), after };
}


/**
 * Writes the tables of `docs/eras.md` from the code that they describe, or with `--check` says whether they are right.
 * What is between two markers is generated; all other text is left alone.
 *
 * @module
 */

import { type Profile, PROFILES } from "@mmu-lab/machine";
import { type Era, ERAS, mmioGeneration, type MmioGenerationRule } from "@mmu-lab/memslots";
import { formatLanes, MMIO_LAYOUT_NAMES, type MmioLayout, mmioLayout } from "@mmu-lab/spte-encoding";
import { ROOT, writeGenerated } from "./workspace.ts";

/** The page, below the root. */
export const PAGE = "docs/eras.md";

/** The tables by the name in their markers; the first row of each is its heading. */
const TABLES: Readonly<Record<string, () => string[][]>> = {
  generations: () => generations(),
  layouts: () => layouts(),
  profiles: () => profiles(),
};

/**
 * Puts the tables into a page.
 *
 * @param page The page, with a pair of markers `<!-- NAME: generated -->` and `<!-- NAME: end -->` for each table.
 * @returns The page with its tables as the code has it.
 * @throws {Error} If a pair of markers is missing.
 */
export function withTables(page: string): string {
  for (const [name, rows] of Object.entries(TABLES)) {
    const [begin, end] = [`<!-- ${name}: generated -->`, `<!-- ${name}: end -->`];
    const [from, to] = [page.indexOf(begin), page.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`Cannot find '${begin}' and after it '${end}' in ${PAGE}`);
    page = page.slice(0, from + begin.length) + `\n\n${markdownTable(rows())}\n` + page.slice(to);
  }
  return page;
}

/** A table as `deno fmt` leaves it. */
function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |\n`;
  const [heading, ...body] = rows;
  return line(heading!) + line(widths.map((width) => "-".repeat(width))) + body.map(line).join("");
}

const hex = (value: number) => `0x${value.toString(16)}`;
const unique = (texts: readonly string[]) => [...new Set(texts)].join("; or ");

function generations(): string[][] {
  return [
    [
      "era",
      "kernels",
      "number",
      "bits of the spte",
      "start",
      "an update adds",
      "in progress",
      "number of a wrap",
      "MMIO cache of a vCPU",
      "a delete takes",
    ],
    ...Object.values(ERAS).map((era) => {
      const users = Object.values(PROFILES).filter((profile) => profile.era.name === era.name);
      const layouts = users.map((profile) => profile.layout()).filter(({ cachingEnabled }) => cachingEnabled);
      const parts = [
        unique(layouts.map(storedGeneration)),
        startOf(era),
        stepsOf(era),
        IN_PROGRESS[era.memslots.inProgress],
        wrapOf(era.mmio),
        unique(users.map(cacheOf)),
        unique(users.map((profile) => DELETE[profile.flushSlot])),
      ];
      return [era.name, era.kernels, numberOf(era.mmio), ...parts];
    }),
  ];
}

function numberOf(mmio: MmioGenerationRule | null): string {
  if (mmio === null) return "none";
  const bits = `${Math.log2(mmio.mask + 1)} bits`;
  return mmio.bias === 0 ? bits : `${bits}, that of the memslots + ${hex(mmio.bias)}`;
}

/** Which bits of an spte hold which of the number, found by encoding one bit at a time. */
function storedGeneration(layout: MmioLayout): string {
  const pairs: { spte: number; gen: number }[] = [];
  const zero = layout.encode(0, 0, 0);
  for (let gen = 0; 2 ** gen <= layout.generationMask; gen++) {
    const one = layout.encode(0, 0, 2 ** gen);
    for (let spte = 0; spte < 64; spte++) {
      const changed = spte < 32 ? one.lo ^ zero.lo : one.hi ^ zero.hi;
      if (((changed >>> (spte & 31)) & 1) !== 0) pairs.push({ spte, gen });
    }
  }
  pairs.sort((a, b) => a.spte - b.spte);
  const runs: { low: typeof pairs[0]; high: typeof pairs[0] }[] = [];
  for (const pair of pairs) {
    const last = runs.at(-1);
    if (last !== undefined && pair.spte === last.high.spte + 1 && pair.gen === last.high.gen + 1) last.high = pair;
    else runs.push({ low: pair, high: pair });
  }
  return runs.map(({ low, high }) => `[${high.spte}:${low.spte}] = g[${high.gen}:${low.gen}]`).join(", ") || "none";
}

/** The number of a VM without slots, by address space. */
function startOf({ memslots, mmio }: Era): string {
  const starts = Array.from({ length: memslots.addressSpaces }, (_, asId) => memslots.start(asId));
  return mmio === null ? "-" : [...new Set(starts.map((start) => hex(mmioGeneration(mmio, start))))].join(", ");
}

/** What one set of memslots adds that is installed, and how often that is. */
function stepsOf({ memslots: { publishStep, completeStep } }: Era): string {
  if (completeStep === 0) return `${publishStep}`;
  return publishStep === 0 ? `${completeStep}, when complete` : `${publishStep}, and ${completeStep} when complete`;
}

const IN_PROGRESS: Readonly<Record<Era["memslots"]["inProgress"], string>> = {
  unmarked: "does not show",
  odd: "number is odd",
  flag: "flag beside the number",
};

function wrapOf(mmio: MmioGenerationRule | null): string {
  if (mmio === null) return "none";
  const { wrap, wrapCheckedAt } = mmio;
  const above = wrap.kind === "at-least" && wrap.value < mmio.mask ? " or above" : "";
  const value = wrap.kind === "at-least" ? `${hex(wrap.value)}${above}` : (IGNORED[wrap.ignore] ?? "0");
  return `${value}, looked for ${WRAP_CHECKED[wrapCheckedAt] ?? wrapCheckedAt}`;
}

/** Bits that a wrap does not look at, by their mask. */
const IGNORED: Readonly<Record<number, string>> = { 1: "0 but for bit 0", 3: "0 but for bits 1:0" };

const WRAP_CHECKED: Readonly<Partial<Record<MmioGenerationRule["wrapCheckedAt"], string>>> = {
  published: "before it is visible",
  completed: "when installed",
  committed: "when the update is committed",
};

function cacheOf({ cacheRule, era }: Profile): string {
  if (cacheRule.generation === "none") return "knows no number (B01)";
  const whose = era.memslots.addressSpaces === 1
    ? "knows the number"
    : cacheRule.addressSpace === "first"
    ? "knows that of address space 0 (B20)"
    : "knows that of its own address space";
  return cacheRule.skipWhileInFlux ? `${whose}, takes nothing in while in flux` : whose;
}

const DELETE: Readonly<Record<Profile["flushSlot"], string>> = {
  "walk-all": "everything, in one walk",
  "obsolete-all": "everything, in batches",
  "slot-range": "its own mappings",
};

function layouts(): string[][] {
  return [
    ["layout", "mark: value, on the bits of mask", "gfn", "access", "split for L1TF"],
    ...MMIO_LAYOUT_NAMES.map((name) => {
      const layout = mmioLayout(name);
      const value = formatLanes(layout.valueLo, layout.valueHi);
      const mask = formatLanes(layout.maskLo, layout.maskHi);
      const marks = mask === value ? value : `${value}, on ${mask}`;
      const access = layout.accessMask === 0 ? "none" : "write, user";
      return [`\`${name}\``, marks, bitsOf(mmioLayout(name, { maxPhyAddr: 47 }), "gfn"), access, splitOf(name)];
    }),
  ];
}

function bitsOf(layout: MmioLayout, name: string): string {
  return layout.fields.filter((field) => field.name === name).map(({ high, low }) => `[${high}:${low}]`).join(", ");
}

/** Where gfn bits are split: on a processor without the bug, and on one with it whose cache uses 44 address bits. */
function splitOf(name: string): string {
  const sound = bitsOf(mmioLayout(name), "L1TF");
  const split = bitsOf(mmioLayout(name, { l1tf: true, cacheBits: 44 }), "L1TF");
  if (split === "") return "never";
  return sound === "" ? `${split} of a cache with 44 bits, if the bug is there` : `${sound}, on every processor`;
}

function profiles(): string[][] {
  return [
    ["profile", "era", "layout", "MMIO cache of a vCPU", "an MMIO fault on another entry", "MMU", "a delete takes"],
    ...Object.values(PROFILES).map((profile) => {
      const layout = profile.layout();
      const on = layout.cachingEnabled ? "" : ", off";
      const other = profile.faultRules.unexpectedSpte === "bug" ? "kills the VM (B23)" : "is tried again";
      const backend = profile.backend();
      const mmu = profile.tdpMmu !== undefined ? "TDP" : backend.shadowsGuestTables === true ? "shadow" : "direct";
      const era = profile.era.name;
      const taken = DELETE[profile.flushSlot];
      return [`\`${profile.name}\``, era, `\`${layout.name}\`${on}`, cacheOf(profile), other, mmu, taken];
    }),
  ];
}

/** Writes the page, or looks; returns the exit code. */
function main(args: readonly string[]): number {
  const page = Deno.readTextFileSync(`${ROOT}/${PAGE}`);
  const wanted = withTables(page);
  if (!args.includes("--check")) writeGenerated(PAGE, wanted);
  else if (page !== wanted) {
    console.error(`The tables of ${PAGE} are not those of the code: deno task docs:eras writes them`);
    return 1;
  }
  return 0;
}

if (import.meta.main) Deno.exit(main(Deno.args));

import { type BitRun, bitRuns, formatRun, rsvdBits } from "./_bit_runs.ts";
import { ACC_USER, ACC_WRITE } from "./access.ts";
import type { GenerationSegment, MmioField, MmioLayoutOptions } from "./mmio_layout_options.ts";

/** Throws a RangeError that says what is wrong with a single option. */
export function checkRanges(options: MmioLayoutOptions): void {
  const { name, accessMask, generation, generationMask, l1tf } = options;
  const require = (ok: boolean, problem: string) => {
    if (!ok) throw new RangeError(`Layout '${name}': ${problem}`);
  };
  require((accessMask & ~(ACC_WRITE | ACC_USER)) === 0, `access mask ${accessMask} has bits besides write and user`);
  require(
    generationMask >= 0 && generationMask < 2 ** 31 && (generationMask & (generationMask + 1)) === 0,
    `generation mask 0x${generationMask.toString(16)} is not 0 or one less than a power of two up to 2^31`,
  );
  for (const segment of generation) {
    const { spteLow, genLow, width } = segment;
    const bits = formatRun(runOf(segment));
    require(spteLow >> 5 === (spteLow + width - 1) >> 5, `generation bits [${bits}] cross a lane`);
    require(genLow <= (spteLow & 31), `generation bit ${genLow} cannot move right to spte bit ${spteLow}`);
    require(
      2 ** (genLow + width) - 1 <= generationMask,
      `generation bits [${bits}] keep more than the generation mask`,
    );
  }
  const [first, second, ...more] = generation;
  require(
    more.length === 0 && (second === undefined || first!.spteLow >> 5 !== second.spteLow >> 5),
    "more than one generation segment in a lane",
  );
  const gpaHigh = gpaHighOf(options);
  require(gpaHigh >= 12 && gpaHigh <= 51, `gpa bit ${gpaHigh} is not one of 51:12`);
  require(l1tf === undefined || l1tf.reservedLow > 12 && l1tf.reservedLow <= gpaHigh, "L1TF bits leave no gfn");
}

/** The highest gpa bit that the layout keeps. */
export function gpaHighOf({ l1tf, gfnHigh, maxPhyAddr }: MmioLayoutOptions): number {
  return l1tf?.reservedHigh ?? gfnHigh ?? maxPhyAddr - 1;
}

function runOf({ spteLow, width }: GenerationSegment): BitRun {
  return { high: spteLow + width - 1, low: spteLow };
}

/** The spte bits of a segment. */
export function segmentBits({ spteLow, width }: GenerationSegment): bigint {
  return rsvdBits(spteLow, spteLow + width - 1);
}

/** Every field of the layout, each run of bits by itself. */
export function fieldsOf(options: MmioLayoutOptions, gfn: bigint, moved: bigint, split: bigint): MmioField[] {
  const named = (name: MmioField["name"], mask: bigint) => bitRuns(mask).map((run) => ({ name, ...run }));
  return [
    ...options.generation.map((segment) => ({ name: "generation" as const, ...runOf(segment) })),
    ...named("gfn", gfn),
    ...named("moved gfn", moved),
    ...named("L1TF", split),
    ...named("access", BigInt(options.accessMask)),
    ...named("mask", options.mask),
    ...named("value", options.value & ~options.mask),
  ];
}

/** Throws a RangeError that names the first two fields that share a bit. */
export function checkDisjoint(layout: string, fields: readonly MmioField[]): void {
  fields.forEach((one, index) => {
    const other = fields.slice(index + 1).find(({ high, low }) => low <= one.high && one.low <= high);
    if (other === undefined) return;
    throw new RangeError(
      `Layout '${layout}': ${one.name} bits [${formatRun(one)}] overlap ${other.name} bits [${formatRun(other)}]`,
    );
  });
}

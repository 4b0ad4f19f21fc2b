/**
 * How near the model's inner loops come to C: compiles `reference.c` with -O2 if there is a compiler, runs it and the
 * model in turns, and prints ratios. `--json` prints them as JSON.
 *
 * @module
 */
import { type Loop, makeLoops } from "./loops.ts";
import {
  formatRatios,
  type LoopName,
  LOOPS,
  type Nanoseconds,
  parseReference,
  ratios,
  type Round,
  type Sizes,
} from "./ratios.ts";

const COMPILERS = ["cc", "gcc", "clang"];
const SOURCE = "bench/limit/reference.c";
const BUILD = "bench/limit/build";
const BINARY = `${BUILD}/reference`;

const SIZES: Sizes = {
  scanPages: 2 ** 16,
  lookupPages: 2 ** 10,
  lookups: 2 ** 20,
  markPages: 16,
  marks: 2 ** 20,
  walkPages: 2 ** 10,
  walks: 2 ** 20,
};
const ROUNDS = 7;
/** Repetitions of a loop in a round, of which the fastest counts, and one more before them that does not. */
const REPETITIONS = 9;

/** Compiles the reference; the compiler that did, or `undefined` if there is none. */
async function compile(): Promise<string | undefined> {
  await Deno.mkdir(BUILD, { recursive: true });
  for (const compiler of COMPILERS) {
    try {
      const { success, stderr } = await new Deno.Command(compiler, { args: ["-O2", "-o", BINARY, SOURCE] }).output();
      if (success) return compiler;
      throw new Error(`Cannot compile ${SOURCE} with ${compiler}: ${new TextDecoder().decode(stderr).trim()}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

async function runReference(): Promise<Nanoseconds> {
  const { scanPages, lookupPages, lookups, markPages, marks, walkPages, walks } = SIZES;
  const args = [scanPages, lookupPages, lookups, markPages, marks, walkPages, walks, REPETITIONS].map(String);
  const { success, code, stdout } = await new Deno.Command(BINARY, { args }).output();
  if (!success) throw new Error(`Cannot run ${BINARY}: it ends with ${code}`);
  return parseReference(new TextDecoder().decode(stdout));
}

function runModel(loops: Readonly<Record<LoopName, Loop>>): Nanoseconds {
  const fastest = (loop: Loop) => Math.min(...Array.from({ length: REPETITIONS + 1 }, loop).slice(1));
  return Object.fromEntries(LOOPS.map((loop) => [loop, fastest(loops[loop])])) as Record<LoopName, number>;
}

/** Measures; what it is doing goes to standard error if somebody is looking. */
async function measure(): Promise<Round[]> {
  const tell = (text: string) => {
    if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
  };
  tell("making the tables");
  const loops = makeLoops(SIZES);
  // Once before it counts, so that the compiler of the engine has done its work as that of C has.
  runModel(loops);
  const rounds: Round[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    tell(`round ${round} of ${ROUNDS}`);
    rounds.push({ c: await runReference(), model: runModel(loops) });
  }
  tell("");
  return rounds;
}

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => arg !== "--json");
  if (unknown !== undefined) {
    console.error(`Unknown option '${unknown}': expected --json`);
    return 2;
  }
  const json = args.includes("--json");
  const compiler = await compile();
  if (compiler === undefined) {
    const skipped = `no C compiler: none of ${COMPILERS.join(", ")} is there`;
    console.log(json ? JSON.stringify({ skipped }) : `skipped: ${skipped}`);
    return 0;
  }
  const rounds = await measure();
  if (json) console.log(JSON.stringify({ ratios: ratios(rounds) }));
  else console.log(`${formatRatios(rounds)}\n${ROUNDS} rounds, ${compiler} -O2, Deno ${Deno.version.deno}`);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

import { ACCESS_CASES, accessCase, AccessCheck, formatAccessCase } from "@mmu-lab/fidelity";
import { seededRandom } from "@mmu-lab/protocol";
import { type Command, ExitCode } from "./command.ts";
import { InputError } from "./input_error.ts";
import { withProgress } from "./progress.ts";
import { formatNumber } from "./text_table.ts";
import { WALK_RULES_OPTION, walkRulesOf } from "./walk_rules_option.ts";

/** Failures that are shown; the number of all is in the last line. */
const SHOWN = 20;
/** Cases between two looks at the clock. */
const BATCH = 4096;

/** `lab access`: does the guest walker allow what the architecture allows? */
export const accessCommand: Command = {
  name: "access",
  summary: "hold the guest page-table walker against the rules of the architecture, in every combination of bits",
  options: [
    { name: "sample", value: "N", summary: "only N cases, chosen at random; all unless told" },
    { name: "seed", value: "S", summary: "what chooses them; 0 unless told" },
    WALK_RULES_OPTION,
  ],
  notes: [
    "A case: bits of PDE and PTE (P, W, U, A, D, page size, NX, reserved bits, protection key), an access (read, write,",
    "fetch; user, supervisor) and settings (WP, NX, PSE, SMEP, SMAP, AC, PKE, PKRU), in 32-bit, PAE, 4-level and 5-level",
    `paging: ${
      formatNumber(ACCESS_CASES)
    } in all, which takes minutes. The rules are written apart from the walker, by the manual.`,
    "The last line is 'N cases, M failures'; exit code 1 if there is a failure.",
  ],
  examples: [
    { args: "access --sample 200000", does: "a sample, in a few seconds" },
    { args: "access", does: "every combination" },
  ],
  async run(args, io) {
    const sample = args.integer("sample", 1, ACCESS_CASES);
    const seed = args.integer("seed", 0, 2 ** 32 - 1);
    if (seed !== undefined && sample === undefined) {
      throw new InputError("Option '--seed' chooses a sample: add --sample N");
    }
    const check = new AccessCheck(walkRulesOf(args));
    const random = seededRandom(seed ?? 0);
    const cases = sample ?? ACCESS_CASES;
    let failures = 0;
    let text = "";
    await withProgress(io, (progress) => {
      for (let n = 0; n < cases; n++) {
        if (n % BATCH === 0) progress.update("Checking", n, cases);
        const testCase = accessCase(sample === undefined ? n : random(ACCESS_CASES));
        const problem = check.check(testCase);
        if (problem !== undefined && failures++ < SHOWN) text += `${formatAccessCase(testCase)}: ${problem}\n`;
      }
    });
    io.stdout(`${text}${cases} cases, ${failures} failures\n`);
    return failures === 0 ? ExitCode.DONE : ExitCode.FAILED;
  },
};

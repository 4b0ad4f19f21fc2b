import { type GuestWalkRules, WALK_RULES_3_11, WALK_RULES_6_1, WALK_RULES_ARCHITECTURE } from "@mmu-lab/paging";
import type { OptionSpec } from "./command.ts";
import type { CommandArgs } from "./command_args.ts";
import { named } from "./suggest.ts";

const ALL = Object.fromEntries(
  [WALK_RULES_ARCHITECTURE, WALK_RULES_3_11, WALK_RULES_6_1].map((rules) => [rules.name, rules]),
);

/** The option that chooses whose rules the guest walker follows. */
export const WALK_RULES_OPTION: OptionSpec = {
  name: "rules",
  value: "NAME",
  summary: `whose rules the walker follows: ${Object.keys(ALL).join(", ")}; the first unless told`,
};

/**
 * The rules that were chosen.
 *
 * @throws {InputError} If there are none of that name.
 */
export function walkRulesOf(args: CommandArgs): GuestWalkRules {
  return named("rules", args.text(WALK_RULES_OPTION.name) ?? WALK_RULES_ARCHITECTURE.name, ALL);
}

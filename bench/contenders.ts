import type { Contender } from "./contender.ts";
import { fullWalk } from "./strategies/full_walk.ts";
import { generation } from "./strategies/generation.ts";
import { hybrid } from "./strategies/hybrid.ts";

/** All contenders. The first is the baseline: what the others replaced. */
export const CONTENDERS: readonly Contender[] = [fullWalk, generation, hybrid];

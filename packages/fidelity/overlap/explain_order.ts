import type { RecordedStretch } from "@mmu-lab/workloads";
import { Comparison, type ComparisonOptions } from "../comparison.ts";
import { type Difference, MisplacedActError, NO_PLACEMENTS, type Placements, type TellingSteps } from "./act.ts";
import { type Move, movesAgainst } from "./moves.ts";

/** Moves that are tried against one difference; moves that may depend on each other; tries to get past one difference. */
const MOST_MOVES = 300;
const DEEPEST = 4;
const MOST_TRIES = 600;
/** Lines further on at which a move is taken at once, and others are not tried. */
const FAR_LINES = 300;
/** Of the moves that get further, how many are gone on from. */
const BRANCHES = 3;
/** Differences that nothing explains, after which nothing more is looked for. */
const MOST_UNEXPLAINED = 3;
/** Turns that are followed in all, before nothing more is looked for: some 2 microseconds each. */
const MOST_TURNS = 30_000_000;

/** Called as it gets on, with the line up to which everything is explained, and the last line. */
export type OnExplained = (line: number, last: number) => void;

/**
 * Looks for what a recording of operations that overlap does not tell: when between two events of its thread an act happened
 * that has none of its own. The recording conforms if the model can do what it shows in *some* order of acts that its events
 * allow. The rules of `followOrder` give one order. Where the model then differs, an act near by is moved across another that
 * touches the same; the move that gets furthest is kept, and so on, depth first. Events stay in their order within their
 * thread, and acts between the events that they lie between.
 *
 * @param stretches All of a trace.
 * @param options The model, and how closely to look.
 * @param onExplained Is told how far it is.
 * @returns What came of the best order that was found.
 */
export function explainOrder(
  stretches: readonly RecordedStretch[],
  options: ComparisonOptions,
  onExplained: OnExplained = () => {},
): Comparison {
  return new Search(stretches, options, onExplained).run();
}

/** What came of an order: how far it explains the recording. */
interface Try {
  readonly placements: Placements;
  /** The first operation that differs; none if all agree. */
  readonly difference: Difference | undefined;
  /** The line on which that one is done; infinite if there is none, 0 for an order that cannot be. */
  readonly line: number;
}

/** How a comparison ends at the first difference. */
class Stop extends Error {}

class Search {
  readonly #stretches: readonly RecordedStretch[];
  readonly #options: ComparisonOptions;
  readonly #onExplained: OnExplained;
  readonly #telling: TellingSteps;
  /** Operations that nothing explains, by the lines on which they begin. */
  readonly #unexplained: Set<number> = new Set();
  #turns = 0;
  #tries = 0;

  constructor(stretches: readonly RecordedStretch[], options: ComparisonOptions, onExplained: OnExplained) {
    this.#stretches = stretches;
    this.#options = options;
    this.#onExplained = onExplained;
    this.#telling = options.telling ?? new Map();
  }

  get #isTired(): boolean {
    return this.#turns > MOST_TURNS;
  }

  run(): Comparison {
    const plain = this.#compare({});
    if (misses(plain) === 0) return plain;
    const last = Math.max(...this.#stretches.at(-1)!.operations.map(({ endLine }) => endLine));
    let best = this.#try(NO_PLACEMENTS);
    while (best.difference !== undefined && this.#unexplained.size < MOST_UNEXPLAINED && !this.#isTired) {
      this.#onExplained(best.line, last);
      const furthest = this.#getPast(best);
      if (furthest.line >= best.line + FAR_LINES || furthest.difference === undefined) {
        best = furthest;
        continue;
      }
      this.#unexplained.add(lineOf(furthest.difference));
      best = this.#try(furthest.placements);
    }
    const explained = this.#compare({ placements: best.placements });
    return misses(explained) < misses(plain) ? explained : plain;
  }

  /** The furthest that moves lead to from an order, one upon the other. */
  #getPast(from: Try): Try {
    let furthest = from;
    const last = this.#tries + MOST_TRIES;
    const isPast = (at: Try, depth: number): boolean => {
      if (at.line > furthest.line) furthest = at;
      if (at.line >= from.line + FAR_LINES) return true;
      if (depth === DEEPEST || this.#tries > last || this.#isTired) return false;
      return this.#further(at).some((next) => isPast(next, depth + 1));
    };
    isPast(from, 0);
    return furthest;
  }

  /** What single moves lead to that gets further, furthest first. */
  #further({ difference, placements, line }: Try): Try[] {
    const found = new Map<number, Try>();
    for (const move of movesAgainst(difference!).slice(0, MOST_MOVES)) {
      const moved = this.#try(withMove(placements, move));
      if (moved.line <= line || found.has(moved.line)) continue;
      found.set(moved.line, moved);
      if (moved.line >= line + FAR_LINES || this.#isTired) break;
    }
    return [...found.values()].sort((a, b) => b.line - a.line).slice(0, BRANCHES);
  }

  /** Follows an order to the first difference that is not given up. */
  #try(placements: Placements): Try {
    this.#tries++;
    let difference: Difference | undefined;
    const onDifference = (found: Difference) => {
      if (this.#unexplained.has(lineOf(found))) return;
      difference = found;
      throw new Stop();
    };
    try {
      this.#compare({ placements, onDifference });
    } catch (error) {
      // An order in which an operation cannot end, or comes to wait for ever, is none.
      if (error instanceof MisplacedActError || error instanceof RangeError) return { placements, difference, line: 0 };
      if (!(error instanceof Stop)) throw error;
    }
    const line = difference === undefined ? Infinity : difference.stretch.operations[difference.operation].endLine;
    return { placements, difference, line };
  }

  #compare(how: Pick<ComparisonOptions, "placements" | "onDifference">): Comparison {
    // Each time from the same knowledge, so that the same order comes of the same placements.
    const comparison = new Comparison({ ...this.#options, ...how, telling: new Map(this.#telling) });
    for (const stretch of this.#stretches) {
      this.#turns += stretch.order.length;
      comparison.push(stretch);
    }
    return comparison;
  }
}

function withMove(placements: Placements, { line, turns }: Move): Placements {
  return new Map([...placements, [line, new Map([...placements.get(line) ?? [], ...turns])]]);
}

function lineOf({ stretch, operation }: Difference): number {
  return stretch.operations[operation].startLine;
}

/** What does not agree at any level that is looked at. */
function misses(comparison: Comparison): number {
  const { matched, total } = Object.values(comparison.result().levels).at(-1)!;
  return total - matched;
}

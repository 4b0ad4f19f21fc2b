import type { RecordedStretch } from "@mmu-lab/workloads";
import { Comparison, type ComparisonOptions } from "../comparison.ts";
import { type Difference, MisplacedActError, NO_PLACEMENTS, type Placements } from "./act.ts";
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
 * thread, and an act lies between the events of its thread that it lies between, or where it might as well: see
 * `MisplacedActError`. Each VM of the trace is looked at by itself.
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
  const plain = compare(stretches, options, {});
  if (misses(plain) === 0) return plain;
  const budget = { turns: MOST_TURNS };
  const last = Math.max(...stretches.at(-1)!.operations.map(({ endLine }) => endLine));
  const headers = [...new Set(stretches.map(({ header }) => header))];
  const placements = new Map(headers.flatMap((header) => {
    const ofVm = stretches.filter((stretch) => stretch.header === header);
    return [...new Search(ofVm, options, budget, (line) => onExplained(line, last)).run()];
  }));
  const explained = compare(stretches, options, { placements });
  return misses(explained) < misses(plain) ? explained : plain;
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
  readonly #onExplained: (line: number) => void;
  /** Turns that may still be followed; shared by the searches of a trace. */
  readonly #budget: { turns: number };
  /** Operations that nothing explains, by the lines on which they begin. */
  readonly #unexplained: Set<number> = new Set();
  #tries = 0;

  constructor(
    stretches: readonly RecordedStretch[],
    options: ComparisonOptions,
    budget: { turns: number },
    onExplained: (line: number) => void,
  ) {
    this.#stretches = stretches;
    this.#options = options;
    this.#budget = budget;
    this.#onExplained = onExplained;
  }

  get #isTired(): boolean {
    return this.#budget.turns < 0;
  }

  run(): Placements {
    let best = this.#try(NO_PLACEMENTS);
    while (best.difference !== undefined && this.#unexplained.size < MOST_UNEXPLAINED && !this.#isTired) {
      this.#onExplained(best.line);
      const furthest = this.#getPast(best);
      if (furthest.line >= best.line + FAR_LINES || furthest.difference === undefined) {
        best = furthest;
        continue;
      }
      this.#unexplained.add(lineOf(furthest.difference));
      best = this.#firstThatCanBe([furthest.placements, best.placements]);
    }
    return best.placements;
  }

  /** What comes after a difference that is given up may show that an order cannot be; the rules' own always can. */
  #firstThatCanBe(orders: readonly Placements[]): Try {
    for (const placements of orders) {
      const next = this.#try(placements);
      if (next.line > 0) return next;
    }
    return this.#try(NO_PLACEMENTS);
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
      if (moved.line > line && !found.has(moved.line)) found.set(moved.line, moved);
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
      for (const { order } of this.#stretches) this.#budget.turns -= order.length;
      compare(this.#stretches, this.#options, { placements, onDifference });
    } catch (error) {
      // An order in which an operation cannot end, or comes to wait for ever, is none.
      if (error instanceof MisplacedActError || error instanceof RangeError) return { placements, difference, line: 0 };
      if (!(error instanceof Stop)) throw error;
    }
    const line = difference === undefined ? Infinity : difference.stretch.operations[difference.operation].endLine;
    return { placements, difference, line };
  }
}

function compare(
  stretches: readonly RecordedStretch[],
  options: ComparisonOptions,
  how: Pick<ComparisonOptions, "placements" | "onDifference">,
): Comparison {
  // Each time from the same knowledge of steps, so that the same order comes of the same placements.
  const comparison = new Comparison({ ...options, ...how, telling: new Map(options.telling) });
  for (const stretch of stretches) comparison.push(stretch);
  return comparison;
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

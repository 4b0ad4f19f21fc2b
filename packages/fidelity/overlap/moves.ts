import { type Act, type Difference, touchTheSame } from "./act.ts";

/** Turns before and behind a difference in which its cause is looked for, beside the whole of the operation. */
const NEAR_TURNS = 60;

/** An act that another place is tried for. */
export interface Move {
  /** The line on which its operation begins. */
  readonly line: number;
  /** The turns of acts by their numbers: of the act, perhaps of the one before. */
  readonly turns: readonly (readonly [act: number, turn: number])[];
  /** How far it is from where things lie, and from the difference, in turns; more where the operation has no part in it. */
  readonly distance: number;
}

/** Added to the distance of a move that the operation which differs has no part in. */
const OF_OTHERS = 1000;

/**
 * What may explain a difference: of two acts of different operations near it that touch the same, one the other way round.
 * An act that is to come later may come just behind the other, or as late as its own operation allows; what comes before it
 * may be early or late with it. Nearest first. O(acts near by, squared).
 */
export function movesAgainst(difference: Difference): Move[] {
  const { stretch: { operations, order }, operation, acts } = difference;
  const turn = turnOf(difference);
  const first = Math.min(order.indexOf(operation), turn) - NEAR_TURNS;
  const near = acts.filter((act) => act.turn >= first && act.turn <= turn + NEAR_TURNS);
  const moves = new Map<string, Move>();
  const add = (act: Act, turns: Move["turns"], distance: number) => {
    const { startLine: line } = operations[act.operation];
    const key = `${line} ${turns.join(" ")}`;
    if (distance < (moves.get(key)?.distance ?? Infinity)) moves.set(key, { line, turns, distance });
  };
  for (const [i, act] of near.entries()) {
    for (const [j, other] of near.entries()) {
      if (act.operation === other.operation || !touchTheSame(act.touched, other.touched)) continue;
      const has = act.operation === operation || other.operation === operation;
      const away = Math.min(Math.abs(act.turn - turn), Math.abs(other.turn - turn));
      const distance = (has ? 0 : OF_OTHERS) + Math.abs(act.turn - other.turn) + away;
      if (j < i) {
        add(act, [[act.number, other.turn]], distance);
        continue;
      }
      const behind = other.turn + 1;
      add(act, [[act.number, behind]], distance);
      const latest = order.indexOf(act.operation, behind);
      if (latest > behind) add(act, [[act.number, latest]], distance + 10);
      const earliest = order.lastIndexOf(act.operation, other.turn) + 1;
      if (act.number > 0) add(act, [[act.number - 1, earliest], [act.number, behind]], distance + 20);
    }
  }
  return [...moves.values()].sort((a, b) => a.distance - b.distance);
}

/** The turn of the first event that differs, or of the last one that agrees if there is none. */
function turnOf({ stretch: { operations, order }, operation, line }: Difference): number {
  const agreeing = operations[operation].events.filter(({ lineNumber }) => lineNumber <= line).length;
  let turn = order.indexOf(operation);
  for (let left = agreeing + 1; left > 0 && order.indexOf(operation, turn + 1) >= 0; left--) {
    turn = order.indexOf(operation, turn + 1);
  }
  return turn;
}

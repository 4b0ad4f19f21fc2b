import { LOCKS, reads, writes } from "@mmu-lab/protocol";
import type { TraceLine } from "@mmu-lab/tracing";
import type { RecordedOperation, RecordedStretch } from "@mmu-lab/workloads";
import { assertEquals } from "@std/assert";
import type { Act, Difference } from "./act.ts";
import { movesAgainst } from "./moves.ts";

const TABLES = 3;

function operation(startLine: number, ...lines: number[]): RecordedOperation {
  const events = lines.map((lineNumber): TraceLine => ({ lineNumber, name: "e", text: "", pid: 1 } as TraceLine));
  return { startLine, events, endLine: startLine + 50 } as Partial<RecordedOperation> as RecordedOperation;
}

/** Two operations: the first has turns 0, 2, 4 and 6, the second 1, 3, 5 and 7. */
const STRETCH = {
  operations: [operation(1, 3, 5), operation(2, 4, 6)],
  order: [0, 1, 0, 1, 0, 1, 0, 1],
} as Partial<RecordedStretch> as RecordedStretch;

function act(operation: number, number: number, turn: number, touched: number): Act {
  return { operation, number, turn, touched };
}

function difference(acts: readonly Act[]): Difference {
  return { stretch: STRETCH, operation: 0, line: 3, acts };
}

Deno.test("movesAgainst() moves each of two acts that touch the same across the other", () => {
  const acts = [act(0, 3, 2, reads(TABLES)), act(1, 4, 3, writes(TABLES))];
  assertEquals(movesAgainst(difference(acts)).map(({ line, turns }) => [line, turns]), [
    // The second is done before the turn in which the first was, or the first once that of the second is over.
    [1, [[3, 4]]],
    [2, [[4, 2]]],
    // As before, but what comes before it is as early as may be.
    [1, [[2, 3], [3, 4]]],
  ]);
});

Deno.test("movesAgainst() lets an act come as late as its own thread allows, too", () => {
  const acts = [act(1, 3, 1, reads(TABLES)), act(0, 4, 2, writes(TABLES))];
  const ofSecond = movesAgainst(difference(acts)).filter(({ line }) => line === 2);
  // Turn 3 is the next of the second operation.
  assertEquals(ofSecond.map(({ turns }) => turns), [[[3, 3]], [[2, 2], [3, 3]]]);
  const far = [act(1, 3, 0, reads(TABLES)), act(0, 4, 0, writes(TABLES))];
  assertEquals(
    movesAgainst({ ...difference(far), stretch: { ...STRETCH, order: [0, 1, 0, 0, 0, 1, 1, 1] } })
      .filter(({ line }) => line === 2).map(({ turns }) => turns)[0],
    [[3, 1]],
  );
});

Deno.test("movesAgainst() leaves acts alone that only read, touch different things or locks, or lie far away", () => {
  assertEquals(movesAgainst(difference([act(0, 1, 2, reads(TABLES)), act(1, 1, 3, reads(TABLES))])), []);
  assertEquals(movesAgainst(difference([act(0, 1, 2, writes(TABLES)), act(1, 1, 3, writes(4))])), []);
  assertEquals(movesAgainst(difference([act(0, 1, 2, writes(LOCKS)), act(1, 1, 3, writes(LOCKS))])), []);
  assertEquals(movesAgainst(difference([act(0, 1, 2, writes(TABLES)), act(1, 1, 200, writes(TABLES))])), []);
});

Deno.test("movesAgainst() tries the nearest first, and last what the operation that differs has no part in", () => {
  const order = [...STRETCH.order, 2, 2];
  const operations = [...STRETCH.operations, operation(7)];
  const acts = [
    act(1, 0, 1, writes(TABLES)),
    act(0, 1, 4, writes(TABLES)),
    act(0, 2, 6, writes(TABLES)),
    act(2, 0, 8, writes(TABLES)),
  ];
  const moves = movesAgainst({ stretch: { ...STRETCH, operations, order }, operation: 0, line: 3, acts });
  const distances = moves.map(({ distance }) => distance);
  assertEquals(distances, [...distances].sort((a, b) => a - b));
  assertEquals(moves.findIndex(({ distance }) => distance >= 1000) > 0, true);
});

import { assertEquals, assertThrows } from "@std/assert";
import { makeLoops } from "./loops.ts";
import { formatRatios, formatTable, LOOPS, parseReference, ratios, type Round, spread } from "./ratios.ts";

const ROUNDS: Round[] = [
  {
    c: { scan: 1, mark_check: 2, mark_check_books: 4, lookup: 10, walk: 30 },
    model: { scan: 1.5, mark_check: 3, mark_check_books: 4, lookup: 15, walk: 60 },
  },
  {
    c: { scan: 1, mark_check: 2, mark_check_books: 4, lookup: 20, walk: 30 },
    model: { scan: 2, mark_check: 8, mark_check_books: 8, lookup: 20, walk: 30 },
  },
];

Deno.test("spread() gives the median and the extremes, whatever the order", () => {
  assertEquals(spread([3, 1, 2]), { median: 2, min: 1, max: 3 });
  assertEquals(spread([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 });
  assertEquals(spread([7]), { median: 7, min: 7, max: 7 });
  assertThrows(() => spread([]), RangeError, "at least one");
});

Deno.test("ratios() divides the model's time by that of C, round by round", () => {
  assertEquals(ratios(ROUNDS), {
    scan: { median: 1.75, min: 1.5, max: 2 },
    mark_check: { median: 2.75, min: 1.5, max: 4 },
    mark_check_books: { median: 1.5, min: 1, max: 2 },
    lookup: { median: 1.25, min: 1, max: 1.5 },
    walk: { median: 1.5, min: 1, max: 2 },
  });
});

Deno.test("parseReference() takes a line with a positive number for each loop", () => {
  const line = '{"scan":0.6,"mark_check":5.5,"mark_check_books":6,"lookup":14,"walk":30}\n';
  assertEquals(parseReference(line), { scan: 0.6, mark_check: 5.5, mark_check_books: 6, lookup: 14, walk: 30 });
  for (const broken of ["", "null", "[]", "{}", line.replace("14", "0"), line.replace("14", '"14"'), line.slice(2)]) {
    assertThrows(() => parseReference(broken), SyntaxError, "Cannot read the reference's output");
  }
});

Deno.test("formatRatios() has a line for each loop", () => {
  const lines = formatRatios(ROUNDS).split("\n");
  assertEquals(lines.length, 1 + LOOPS.length);
  assertEquals(lines[1].split(/\s{2,}/), ["scan for MMIO sptes, an spte", "1.00", "1.75", "1.75", "1.50", "2.00"]);
});

Deno.test("formatTable() lines up columns", () => {
  assertEquals(formatTable([["a", "b", "c"], ["long", "x", "10"]], 2), "a     b   c\nlong  x  10");
});

Deno.test("makeLoops() gives loops that run over and over on the model's own code", () => {
  const loops = makeLoops({
    scanPages: 4,
    lookupPages: 64,
    lookups: 100,
    markPages: 2,
    marks: 100,
    walkPages: 8,
    walks: 100,
  });
  for (const name of LOOPS) {
    for (let i = 0; i < 3; i++) assertEquals(loops[name]() >= 0, true, name);
  }
});

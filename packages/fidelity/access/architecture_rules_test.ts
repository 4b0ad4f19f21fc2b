import { readTraceLines } from "@mmu-lab/tracing";
import { assertEquals } from "@std/assert";
import { rulesOutcome } from "../testdata/rules_outcome.ts";
import { formatWalkOutcome } from "../walks/walk_replay.ts";
import { parseWalkHeader, parseWalkVector } from "../walks/walk_vector.ts";

const WALKS = new URL("../testdata/walks/", import.meta.url);

for (const set of ["legacy32", "pae", "long4", "long4-no1g", "long5"]) {
  Deno.test(`translate() says of recorded walks what the processors did: ${set}`, async () => {
    const file = await Deno.open(new URL(`walks-${set}-1.ndjson.gz`, WALKS));
    let text = "";
    for await (const block of readTraceLines(file.readable)) text += block;
    const [first, ...lines] = text.trimEnd().split("\n");
    const header = parseWalkHeader(first);
    for (const line of lines) {
      const vector = parseWalkVector(line, header);
      const outcome = formatWalkOutcome(rulesOutcome(vector, header));
      assertEquals(outcome, formatWalkOutcome(vector.expected), `walk ${vector.id}`);
    }
  });
}

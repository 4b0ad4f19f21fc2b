import { assertEquals } from "@std/assert";
import { parseTraceText } from "@mmu-lab/tracing";
import { readRecording } from "./read_recording.ts";
import { scenarioFromRecording } from "./scenario_from_recording.ts";
import { recordingOf } from "./testdata/open.ts";

Deno.test("scenarioFromRecording() is the scenario of readRecording()", () => {
  const text = recordingOf(["seq=1 op=vcpu_create vcpu=0", "seq=1 op=done ret=0"], "s14");
  const scenario = scenarioFromRecording(parseTraceText(text));
  assertEquals(scenario, readRecording(parseTraceText(text)).scenario);
  assertEquals([scenario.name, scenario.guest, scenario.operations.length], ["s14", "recorder", 1]);
});

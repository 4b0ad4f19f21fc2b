import type { Profile, Vm } from "@mmu-lab/machine";
import { type Era, ftraceHeader, ftraceLine } from "@mmu-lab/tracing";
import { type Recording, runOperation, vmForScenario } from "@mmu-lab/workloads";
import { EventCollector } from "../event_collector.ts";
import { levelOfEvent } from "../levels.ts";
import { modelOutcome, showOutcome } from "../outcome.ts";

/**
 * A recording as another kernel would have made it, by what the model has of that kernel: the same markers, the model's
 * events and outcomes. It shows how such a recording looks, and nothing of the kernel itself.
 *
 * @param text The recording's text. @param recording The same, read. @param profile The other kernel.
 * @param era How it prints.
 * @param changed Changes a line, as kernels do that print in another way.
 */
export function retell(
  text: string,
  recording: Recording,
  profile: Profile,
  era: Era,
  changed: (line: string) => string = (line) => line,
): string {
  const lines = text.split("\n");
  const sink = new EventCollector();
  const vm: Vm = vmForScenario({ ...recording.setting, operations: [] }, profile, { trace: sink });
  const first = recording.operations[0].startLine - 1;
  const told = lines.slice(0, first).filter((line) => line.includes("tracing_mark_write"));
  for (const recorded of recording.operations) {
    sink.clear(({ name }) => levelOfEvent(name) !== undefined || name === "kvm_mmu_get_page");
    const outcome = modelOutcome(recorded, runOperation(vm, recorded.operation), undefined);
    told.push(lines[recorded.startLine - 1]);
    for (const record of sink.records) {
      if (record.event.format(era) !== undefined) told.push(changed(ftraceLine(record, { era })));
    }
    told.push(lines[recorded.endLine - 1].replace(/ret=.*/, showOutcome(outcome)));
  }
  return ftraceHeader({ era }) + told.join("\n") + "\n";
}

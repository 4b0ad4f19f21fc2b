import type { Profile } from "@mmu-lab/machine";
import { type Protocol, seededRandom, type Step } from "@mmu-lab/protocol";
import { type Era, printEvent } from "@mmu-lab/tracing";
import {
  actorOf,
  operationProtocol,
  type OperationResult,
  type RecordedOperation,
  type Recording,
  runOperation,
  vmForScenario,
} from "@mmu-lab/workloads";
import { EventCollector } from "../event_collector.ts";
import { levelOfEvent } from "../levels.ts";
import { modelOutcome, showOutcome } from "../outcome.ts";
import { GUIDES } from "../overlap/follow_order.ts";

/** A thread of the recorder: its operations, the one that it is in, and the next step of that. */
interface Thread {
  readonly pid: string;
  readonly operations: RecordedOperation[];
  protocol: Protocol<OperationResult> | undefined;
  next: Step | undefined;
}

/** How a recording is told anew. */
export interface RandomRetelling {
  /** The kernel. */
  readonly profile: Profile;
  /** How it prints. */
  readonly era: Era;
  /** Operations that overlap of each thread; no more. */
  readonly operations: number;
  /** Where the random numbers begin. */
  readonly seed: number;
  /** One act of so many gives the turn to any thread. */
  readonly patience: number;
}

/**
 * A recording of threads that overlap as it would have been made had they run in another order, by what the model does: the
 * same operations, each thread's in their order, but whose act comes next is drawn at random.
 *
 * @param text The recording's text. @param recording The same, read. @param how The order.
 */
export function retellAtRandom(text: string, recording: Recording, how: RandomRetelling): string {
  const { profile, era, seed, patience } = how;
  const lines = text.split("\n");
  const alone = recording.stretches.findIndex(({ order }) => order.length > 0);
  const first = recording.operations[0].startLine - 1;
  const told = lines.slice(0, first).filter((line) => line.startsWith("#") || line.includes("tracing_mark_write"));
  const sink = new EventCollector();
  sink.clear(({ name }) => levelOfEvent(name) !== undefined || GUIDES.includes(name) || name === "kvm_mmu_get_page");
  const vm = vmForScenario({ ...recording.setting, operations: [] }, profile, { trace: sink });
  const tell = (pid: string) => {
    for (const { event, vcpu, args } of sink.records) {
      if (event.format(era) === undefined) continue;
      const stamp = `${told.length}`.padStart(12);
      told.push(`     memslot_lab-${pid}     [001] ..... ${stamp}: ${event.name}: ${printEvent(event, vcpu, args, era)}`);
    }
    sink.records.length = 0;
  };
  const end = (recorded: RecordedOperation, result: OperationResult) => {
    const outcome = showOutcome(modelOutcome(recorded, result, undefined));
    told.push(lines[recorded.endLine - 1].replace(/ret=.*/, outcome));
  };
  for (const { operations: [recorded] } of recording.stretches.slice(0, alone)) {
    told.push(lines[recorded.startLine - 1]);
    const result = runOperation(vm, recorded.operation);
    tell(pidOf(lines[recorded.startLine - 1]));
    end(recorded, result);
  }

  const threads = new Map<string, Thread>();
  for (const recorded of recording.stretches.slice(alone).flatMap(({ operations }) => operations)) {
    if (recorded.operation.op === "vm-destroy") break;
    const pid = pidOf(lines[recorded.startLine - 1]);
    const thread = threads.get(pid) ?? { pid, operations: [], protocol: undefined, next: undefined };
    threads.set(pid, thread);
    if (thread.operations.length < how.operations) thread.operations.push(recorded);
  }
  const all = [...threads.values()];
  const idOf = (thread: Thread) => actorOf(vm, thread.operations[0].operation, all.indexOf(thread));
  const random = seededRandom(seed);
  let thread = all[0];
  while (all.some(({ operations }) => operations.length > 0)) {
    const able = all.filter(({ operations }) => operations.length > 0).filter((other) =>
      other.next === undefined || other.next.enabled(idOf(other))
    );
    if (!able.includes(thread) || random(patience) === 0) thread = able[random(able.length)];
    const [recorded] = thread.operations;
    const id = idOf(thread);
    if (thread.protocol === undefined) {
      told.push(lines[recorded.startLine - 1]);
      thread.protocol = operationProtocol(vm, recorded.operation);
    } else thread.next!.take(id);
    vm.execution.actor = id;
    const { done, value } = thread.protocol.next();
    tell(thread.pid);
    if (!done) {
      thread.next = value;
      continue;
    }
    end(recorded, value);
    thread.operations.shift();
    thread.protocol = undefined;
    thread.next = undefined;
  }
  return told.join("\n") + "\n";
}

function pidOf(line: string): string {
  return /memslot_lab-(\d+)/.exec(line)![1];
}

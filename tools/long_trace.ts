/**
 * Writes a trace of any length to standard output, to see that memory stays flat and how fast traces are read:
 *
 * - with files, their recordings one after another, over and over: VMs that come and go;
 * - without, one VM of the model in which the same operations happen over and over, as the recorder would write it. Its
 *   frames are no machine's, so it is for levels 1 and 2.
 *
 * `deno task long-trace --megabytes 1000 [FILE...] > long.trace.txt`
 *
 * @module
 */

import { EventCollector, modelOutcome, showOutcome } from "@mmu-lab/fidelity";
import { type Profile, PROFILES, type Vm } from "@mmu-lab/machine";
import { ftraceHeader, ftraceLine, parseTraceText, readTraceLines } from "@mmu-lab/tracing";
import { RecordingReader, runOperation, vmForScenario } from "@mmu-lab/workloads";

/** The kernel of the one VM, and how it prints. */
const KERNEL = { profile: "linux_6_1_npt_tdp", era: "6.1" } as const;

const SCENARIO = "seq=0 op=scenario name=long cfg=tdp seed=0 vcpus=1 guest_paging=1g-identity";
const CREATION = [
  "memslot_create as=0 id=0 gpa=0x0 size=0x80000 flags=0",
  "vcpu_create vcpu=0",
  "vcpu_start vcpu=0",
];
const SLOT = "as=0 id=5 gpa=0xe0000000 size=0x4000";
const access = (op: string, gpa: number) => `${op} vcpu=0 gpa=0x${gpa.toString(16)} gva=0x${gpa.toString(16)} size=4`;
const DEVICES = [0xd0000000, 0xd0001000, 0xd0002000, 0xe0001000];

/** What happens over and over: device pages are touched, and a slot that covers one of them comes, is used, and goes. */
const ROUND = [
  ...DEVICES.map((gpa) => access("read", gpa)),
  ...DEVICES.map((gpa) => access("write", gpa)),
  `memslot_create ${SLOT} flags=0`,
  ...DEVICES.map((gpa) => access("read", gpa)),
  access("write", 0xe0001000),
  access("rmw", 0xe0002000),
  `memslot_flags ${SLOT} flags_old=0 flags=1`,
  access("write", 0xe0001000),
  "get_dirty_log id=5",
  ...DEVICES.map((gpa) => access("read", gpa)),
  `memslot_delete ${SLOT} flags=1`,
];

/** The text of one VM in which {@linkcode ROUND} happens again and again, at least so many bytes of it. */
export function* oneVm(bytes: number): Generator<string> {
  const recorder = new ModelRecorder(PROFILES[KERNEL.profile]);
  let written = 0;
  const count = (text: string): string => {
    written += text.length;
    return text;
  };
  yield count(recorder.head());
  for (const marker of CREATION) yield count(recorder.record(marker));
  while (written < bytes) for (const marker of ROUND) yield count(recorder.record(marker));
  yield count(recorder.record("vm_destroy"));
}

/** Texts of recordings one after another, over and over, at least so many bytes of them. */
export function* repeated(texts: readonly string[], bytes: number): Generator<string> {
  for (let i = 0, written = 0; written < bytes; i = (i + 1) % texts.length) {
    yield texts[i];
    written += texts[i].length;
  }
}

/** Writes down what the model does as the recorder writes down what a kernel does. */
class ModelRecorder {
  readonly #profile: Profile;
  readonly #sink = new EventCollector();
  /** Makes operations of markers. */
  readonly #reader = new RecordingReader();
  #vm: Vm | undefined;
  #seq = 0;
  #sequence = 0;

  constructor(profile: Profile) {
    this.#profile = profile;
    // What no level compares is recorded too, as far as the model tells of it.
    this.#sink.clear(() => true);
  }

  head(): string {
    return ftraceHeader({ era: KERNEL.era }) + this.#mark(SCENARIO).text;
  }

  record(what: string): string {
    const seq = ++this.#seq;
    const start = this.#mark(`seq=${seq} op=${what}`).text;
    const { header, operations: [recorded] } = this.#mark(`seq=${seq} op=done ret=0`).stretch!;
    this.#vm ??= vmForScenario({ ...header.setting, operations: [] }, this.#profile, { trace: this.#sink });
    const { operation } = recorded;
    const result = runOperation(this.#vm, operation);
    let text = start;
    for (const record of this.#sink.records) {
      if (record.event.format(KERNEL.era) === undefined) continue;
      text += ftraceLine({ ...record, sequence: this.#sequence++ }, { era: KERNEL.era }) + "\n";
    }
    this.#sink.records.length = 0;
    const outcome = showOutcome(modelOutcome(recorded, result, undefined));
    return text + this.#line(`seq=${seq} op=done ${outcome}`);
  }

  #mark(marker: string) {
    const text = this.#line(marker);
    const [line] = parseTraceText(text);
    return { text, stretch: this.#reader.push(line) };
  }

  #line(marker: string): string {
    return ftraceLine({ marker, sequence: this.#sequence++ }, { era: KERNEL.era }) + "\n";
  }
}

async function textOf(path: string): Promise<string> {
  let text = "";
  for await (const block of readTraceLines((await Deno.open(path)).readable, { file: path })) text += block;
  return text;
}

if (import.meta.main) {
  const [flag, megabytes, ...files] = Deno.args;
  const bytes = Number(megabytes) * 1e6;
  if (flag !== "--megabytes" || !(bytes > 0)) {
    console.error("Cannot tell how long: write deno task long-trace --megabytes N [FILE...]");
    Deno.exit(2);
  }
  const texts = await Promise.all(files.map(textOf));
  const encoder = new TextEncoder();
  for (const text of texts.length > 0 ? repeated(texts, bytes) : oneVm(bytes)) {
    const chunk = encoder.encode(text);
    for (let done = 0; done < chunk.length;) done += Deno.stdout.writeSync(chunk.subarray(done));
  }
}

import type { Vm } from "@mmu-lab/machine";
import type { KvmStats } from "@mmu-lab/paging";
import type { Era } from "@mmu-lab/tracing";
import { type RecordingHeader, vmForScenario } from "@mmu-lab/workloads";
import type { ComparableContext } from "./comparable.ts";
import type { ComparisonOptions } from "./comparison.ts";
import { EventCollector } from "./event_collector.ts";
import { FrameRenaming } from "./frame_renaming.ts";
import { HashedPointers } from "./hashed_pointers.ts";
import { PlaceFinder } from "./places.ts";

/** Kernels whose kprobes print bare hexadecimal numbers, or did when they were recorded. */
const BARE_ERAS: readonly Era[] = ["3.11", "3.13"];

/** The model's VM that stands for one recorded VM. */
export class ModelVm {
  /** What the recording says of the VM. */
  readonly header: RecordingHeader;
  /** Takes the model's events. */
  readonly sink: EventCollector = new EventCollector();
  /** The model. */
  readonly vm: Vm;
  /** How events are read. */
  readonly context: ComparableContext;
  /** The model's frames by the kernel's. */
  readonly renaming: FrameRenaming;
  /** What the kernel's hidden pointers stand for. */
  readonly pointers: HashedPointers = new HashedPointers();
  /** KVM's own statistics, kept when it is about to be destroyed. */
  statistics: KvmStats | undefined;

  /** Makes it as the recording begins. */
  constructor(header: RecordingHeader, { profile, era, prefixed, hidden = false, file }: ComparisonOptions) {
    this.header = header;
    this.vm = vmForScenario({ ...header.setting, operations: [] }, profile, { trace: this.sink });
    const { mmu } = this.vm;
    const { layout } = mmu;
    const isPresent = (lo: number, hi: number) => mmu.isPresent(lo, hi);
    const bare = prefixed === true && BARE_ERAS.includes(era);
    this.context = { era, layout, isPresent, bare, hidden, ...(file === undefined ? {} : { file }) };
    const finder = new PlaceFinder(mmu);
    this.sink.findPlaces = (event, args) => finder.placesOf(event, args);
    this.renaming = new FrameRenaming((serial) => finder.isLive(serial));
  }
}

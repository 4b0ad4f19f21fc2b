import {
  applySlotFlags,
  changeMaxPages,
  defaultMaxPages,
  unmapGfnRange,
  WRITES_GENERATION,
  WRITES_MEMSLOTS,
  zapAllPages,
} from "@mmu-lab/paging";
import type { MemslotChange } from "@mmu-lab/invalidation";
import {
  type ClassifiedChange,
  classifyChange,
  EINVAL,
  type MemoryRegion,
  type Memslot,
  type MemslotSet,
  type UpdatePhase,
} from "@mmu-lab/memslots";
import { point, type Protocol, type Step, Work } from "@mmu-lab/protocol";
import {
  COMMIT_MEMORY_REGION,
  FLUSH_SHADOW_MEMSLOT,
  MEMSLOTS_UPDATED,
  SET_MEMORY_REGION,
  SET_MEMORY_REGION_RET,
  SWAP_ACTIVE_MEMSLOTS,
  SWAP_MEMSLOTS,
} from "@mmu-lab/tracing";
import type { Vm } from "./vm.ts";

/** The new set of memslots is about to become visible. */
export const PUBLISH_MEMSLOTS: Step = point("publish the new memslots");
/** The published set is about to get its final generation. */
export const COMPLETE_MEMSLOTS: Step = point("give the memslots their final generation");

/** `enum kvm_mr_change`, as the recorder's probe prints it. */
const CHANGE_CODE = { create: 0, delete: 1, move: 2, flags: 3 } as const;

/**
 * Changes a memslot (`__kvm_set_memory_region`, 3.11 kvm_main.c; facts sheet 4.2): checks; for a delete or move first an
 * intermediate set with the slot marked invalid, and a flush of what it mapped; then the final set; then commit.
 *
 * @returns 0, or the negative errno of the ioctl.
 */
export function* setMemoryRegion(vm: Vm, region: MemoryRegion): Protocol<number> {
  const { trace } = vm.mmu;
  const { asId = 0 } = region;
  yield vm.slotsLock.acquire;
  if (trace.on) {
    const slot = region.id + asId * 0x10000;
    trace.emit(SET_MEMORY_REGION, -1, slot, region.flags, region.gpa, region.size, region.size / 2 ** 32);
  }
  const memslots = vm.memslots[asId];
  const change = memslots === undefined ? EINVAL : classifyChange(memslots.active, region, vm.profile.slotLimits);
  let result = 0;
  if (typeof change === "number") result = change;
  else if (change.kind !== "none") result = yield* carryOut(vm, asId, change);
  if (trace.on) trace.emit(SET_MEMORY_REGION_RET, -1, result);
  yield vm.slotsLock.release;
  return result;
}

function* carryOut(vm: Vm, asId: number, change: ClassifiedChange): Protocol<number> {
  const { mmu } = vm;
  const { old } = change;
  const memslots = vm.memslots[asId];
  const before = memslots.active;
  const refused = isBeyondMaxGfn(vm, change);
  if (refused && old === undefined) return EINVAL;
  mmu.counters.counts[Work.memslotUpdates]++;
  if (old !== undefined && (change.kind === "delete" || change.kind === "move")) {
    yield* install(vm, asId, memslots.active.with({ ...old, invalid: true }), change, true);
    yield* flushSlot(vm, old);
    yield* tellStrategy(vm, "flushing", describe(vm, asId, change, true));
  }
  if (refused) {
    // The slot was invalid for a while, and is what it was (6.1 kvm_main.c, `kvm_set_memslot`).
    yield* install(vm, asId, before, change, false);
    return EINVAL;
  }
  const final = change.new === undefined ? memslots.active.without(old!.id) : memslots.active.with(change.new);
  yield* install(vm, asId, final, change, false);
  yield* commit(vm, asId, change);
  return 0;
}

/**
 * Whether the kernel will not have the slot where it would come to lie (`kvm_arch_prepare_memory_region`, 6.1 x86.c).
 * Where guest tables are shadowed the processor sees no gfn, and 52 bits are allowed.
 */
function isBeyondMaxGfn({ profile, backend, mmu }: Vm, { kind, new: slot }: ClassifiedChange): boolean {
  if (!profile.slotLimits.withinMaxGfn || slot === undefined || (kind !== "create" && kind !== "move")) return false;
  const maxGfn = backend.shadowsGuestTables === true ? 2 ** 40 - 1 : mmu.maxGfn;
  return slot.baseGfn + slot.npages - 1 > maxGfn;
}

/** Publishes a set of memslots (`install_new_memslots`): new number, visible to readers, grace period. */
function* install(
  vm: Vm,
  asId: number,
  set: MemslotSet,
  change: ClassifiedChange,
  intermediate: boolean,
): Protocol<void> {
  const memslots = vm.memslots[asId];
  if (memslots.updateInProgress) vm.mmu.warnings.push("the memslots are in flux when an update of them begins");
  const { trace } = vm.mmu;
  if (trace.on) {
    // One function in the kernels of each name; a kernel prints the one that it has.
    trace.emit(SWAP_MEMSLOTS, -1, ...lanes(firstGeneration(vm)), asId);
    trace.emit(SWAP_ACTIVE_MEMSLOTS, -1, asId);
  }
  const hookBefore = vm.profile.era.mmio?.wrapCheckedAt === "published";
  const next = memslots.nextGeneration;
  const described = describe(vm, asId, change, intermediate, next);
  yield* tellStrategy(vm, "publishing", described);
  yield PUBLISH_MEMSLOTS;
  vm.execution.touched |= WRITES_MEMSLOTS | WRITES_GENERATION;
  memslots.publish(set);
  yield* vm.srcu.synchronize();
  // The hook that looks for a wrap was called with the new number after it was stored, and from 152482580a1b on before.
  if (trace.on && hookBefore) trace.emit(MEMSLOTS_UPDATED, -1, ...lanes(next));
  yield* tellStrategy(vm, "published", described);
  yield COMPLETE_MEMSLOTS;
  vm.execution.touched |= WRITES_GENERATION;
  memslots.complete();
  if (trace.on && !hookBefore) trace.emit(MEMSLOTS_UPDATED, -1, ...lanes(memslots.generation));
  yield* tellStrategy(vm, "completed", described);
}

/** What goes when a slot is deleted or moved (`kvm_arch_flush_shadow_memslot`): everything, or what maps its pages. */
function* flushSlot(vm: Vm, slot: Memslot): Protocol<void> {
  const { mmu } = vm;
  if (mmu.trace.on) mmu.trace.emit(FLUSH_SHADOW_MEMSLOT, -1, ...lanes(firstGeneration(vm)));
  if (vm.profile.flushSlot === "obsolete-all") yield* zapAllPages(mmu);
  else if (vm.profile.flushSlot === "slot-range") yield* unmapGfnRange(mmu, slot);
  else {
    yield mmu.lock.acquire;
    vm.control.zapMmioPages("every-page");
    yield mmu.lock.release;
  }
}

/** The last part of an update (`kvm_arch_commit_memory_region`, 3.11 and 6.1 x86.c). */
function* commit(vm: Vm, asId: number, change: ClassifiedChange): Protocol<void> {
  const { mmu } = vm;
  if (mmu.trace.on && change.kind !== "none") {
    mmu.trace.emit(COMMIT_MEMORY_REGION, -1, ...lanes(firstGeneration(vm)), CHANGE_CODE[change.kind]);
  }
  const always = mmu.pageRules.commit === "always";
  // Pages of the TDP MMU are not limited.
  if (mmu.tdp === undefined && (always || change.kind === "create" || change.kind === "delete")) {
    yield mmu.lock.acquire;
    changeMaxPages(mmu, vm.maxShadowPages ?? defaultMaxPages(vm.memslots.flatMap((slots) => [...slots.active])));
    yield mmu.lock.release;
  }
  if (change.new !== undefined) yield* applySlotFlags(mmu, change.old, change.new, change.kind === "flags");
  yield* tellStrategy(vm, "committed", describe(vm, asId, change, false));
}

function* tellStrategy(vm: Vm, phase: UpdatePhase, change: MemslotChange): Protocol<void> {
  const { strategy } = vm.mmu;
  if (strategy.onMemslotUpdate !== undefined) yield* strategy.onMemslotUpdate(phase, change, vm.control);
}

function describe(
  vm: Vm,
  asId: number,
  change: ClassifiedChange,
  intermediate: boolean,
  generation: number = vm.memslots[asId].generation,
): MemslotChange {
  const slot = (change.new ?? change.old)!;
  return {
    kind: change.kind as MemslotChange["kind"],
    asId,
    baseGfn: slot.baseGfn,
    npages: slot.npages,
    generation,
    intermediate,
  };
}

/** What the recorder's probes show as the generation: that of address space 0, whichever is being changed. */
function firstGeneration(vm: Vm): number {
  return vm.memslots[0].generation;
}

/** A memslot generation as the two lanes of the kernel's u64; it may be negative, as -150 is. */
function lanes(generation: number): [lo: number, hi: number] {
  return [generation, Math.floor(generation / 2 ** 32)];
}

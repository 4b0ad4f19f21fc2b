import {
  CHECK_MMIO_SPTE,
  MAKE_MMIO_SPTE,
  MAKE_MMIO_SPTE_RET,
  MARK_MMIO_SPTE,
  MARK_MMIO_SPTE_RAW,
  MEMSLOTS_UPDATED,
  type TraceLine,
} from "@mmu-lab/tracing";
import type { RecordedOperation } from "@mmu-lab/workloads";
import { isTimingExit } from "./comparable.ts";

/** Events behind which KVM reads the generation that it stamps an entry with. */
export const BEFORE_STAMP: readonly string[] = [MARK_MMIO_SPTE_RAW.name, MAKE_MMIO_SPTE.name];
/** Those that show that it had not read it before. */
export const UP_TO_STAMP: readonly string[] = [MAKE_MMIO_SPTE.name, MAKE_MMIO_SPTE_RET.name];
/** Events that tell which generation KVM read. */
const TELLS_GENERATION: readonly string[] = [CHECK_MMIO_SPTE.name, MARK_MMIO_SPTE.name];
const GENERATION = /(?: |_)gen[ =](?:0x)?([0-9a-f]+)/;

/**
 * Whether the next event of others that tells of a generation, before the updater's own next event, tells of another than
 * the one that was just announced.
 */
export function seesOlder(
  { text }: TraceLine,
  updater: number,
  operations: readonly RecordedOperation[],
  rest: readonly number[],
  turns: readonly number[],
): boolean {
  const announced = generationOf(text);
  const ahead = [...turns];
  for (const index of rest) {
    if (index === updater) return false;
    const turn = ahead[index]++;
    const event = operations[index].events[turn - 1];
    if (event === undefined || !TELLS_GENERATION.includes(event.name)) continue;
    return generationOf(event.text) !== announced;
  }
  return false;
}

/** Whether a generation is announced before the operation's own next event. */
export function isUpdatedBetween(
  own: number,
  operations: readonly RecordedOperation[],
  rest: readonly number[],
  turns: readonly number[],
): boolean {
  const ahead = [...turns];
  for (const index of rest) {
    if (index === own) return false;
    if (operations[index].events[ahead[index]++ - 1]?.name === MEMSLOTS_UPDATED.name) return true;
  }
  return false;
}

/** The generation that an event tells of. */
function generationOf(text: string): number {
  return parseInt(GENERATION.exec(text)?.[1] ?? "", 16);
}

/** Whether the guest was last left for an interrupt of the host. */
export function leftForHost(events: readonly TraceLine[], at: number): boolean {
  for (let i = at - 1; i >= 0; i--) if (events[i].name === "kvm_exit") return isTimingExit(events[i]);
  return false;
}

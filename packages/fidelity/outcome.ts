import type { OperationResult, RecordedOperation, RecordedOutcome } from "@mmu-lab/workloads";

/** The recorder cuts its list of dirty pages when it has grown to this length. */
const PAGES_LENGTH = 180;

/**
 * What the recorder would have written into its `done` marker for what the model did.
 *
 * @param recorded The operation.
 * @param result What the model did with it.
 * @param flags For many flags changes in a row: the slot's flags after them.
 */
export function modelOutcome(
  recorded: RecordedOperation,
  result: OperationResult,
  flags: number | undefined,
): RecordedOutcome {
  const { ret, access, dirty } = result;
  if (access !== undefined) {
    const served = access.mmioReads + access.mmioWrites > 0;
    return {
      ret,
      kind: served ? "mmio" : "ram",
      mmioReads: access.mmioReads,
      mmioWrites: access.mmioWrites,
      value: recorded.operation.op === "read" ? `0x${access.value.toString(16)}` : "0x0",
    };
  }
  if (recorded.operation.op === "get-dirty-log") {
    return { ret, dirty: dirty?.length ?? 0, pages: pageList(dirty ?? []) };
  }
  return { ret, ...(flags === undefined ? {} : { flags }) };
}

/** An outcome as one line of text. */
export function showOutcome(outcome: RecordedOutcome): string {
  const words = [`ret=${outcome.ret}`];
  if (outcome.kind !== undefined) {
    words.push(`kind=${outcome.kind} mmio_reads=${outcome.mmioReads} mmio_writes=${outcome.mmioWrites}`);
  }
  if (outcome.value !== undefined) words.push(`value=${outcome.value}`);
  if (outcome.dirty !== undefined) words.push(`dirty=${outcome.dirty} pages=${outcome.pages}`);
  if (outcome.flags !== undefined) words.push(`flags=${outcome.flags}`);
  return words.join(" ");
}

function pageList(pages: readonly number[]): string {
  let list = "";
  for (const page of pages) {
    if (list.length < PAGES_LENGTH) list += list === "" ? `${page}` : `,${page}`;
  }
  return list === "" ? "-" : list;
}

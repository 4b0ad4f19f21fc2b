import type { Inference, TraceSummary } from "@mmu-lab/workloads";
import { formatNumber, textTable } from "./text_table.ts";
import { wrapText } from "./wrap_text.ts";

/**
 * Prints what a trace shows: what could not be inferred, the pages by heat, and what became of the generation.
 *
 * @param file Name of the trace. @param summary What was counted. @param inference What could be inferred.
 * @param top How many pages to list.
 */
export function formatTraceSummary(file: string, summary: TraceSummary, inference: Inference, top: number): string {
  const { events, time, processor, accesses, pages } = summary;
  const clock = Number.isInteger(time.first) && Number.isInteger(time.last) ? "ticks" : "seconds";
  return [
    `${file}: ${formatNumber(events)} events of ${
      processor === undefined ? "an unknown" : `an ${processor}`
    } processor, `,
    `${formatNumber(Math.round((time.last - time.first) * 1000) / 1000)} ${clock}\n\n`,
    `Inferred ${formatNumber(inference.accesses)} MMIO accesses and ${
      formatNumber(inference.updates)
    } memslot updates. `,
    "Could not\n",
    ...inference.couldNot.map((regret) => `  ${regret}\n`),
    `\n${formatNumber(accesses)} MMIO reads and writes to ${formatNumber(pages.length)} pages`,
    pages.length > top ? `, the ${formatNumber(top)} hottest of them\n` : "\n",
    pageTable(summary, top),
    "\n",
    ...findings(summary, clock).map((finding) => wrapText(finding) + "\n"),
  ].join("");
}

function pageTable({ pages }: TraceSummary, top: number): string {
  const rows = pages.slice(0, top).map(({ gpa, reads, writes, marked }) => [
    `0x${gpa.toString(16)}`,
    formatNumber(reads),
    formatNumber(writes),
    formatNumber(marked),
  ]);
  return rows.length === 0 ? "" : textTable([["gpa", "reads", "writes", "MMIO sptes made"], ...rows]);
}

function findings({ answered, generation, storms }: TraceSummary, clock: string): string[] {
  const { byCache, bySpte, stale, marked } = answered;
  const checked = bySpte + stale;
  const { values, first, last, wraps } = generation;
  const [storm] = storms;
  return [
    `The vCPU's own cache matched ${formatNumber(byCache)} times when the emulator looked; MMIO sptes were made ` +
    `${formatNumber(marked)} times, and checked ${formatNumber(checked)} times: ${
      formatNumber(bySpte)
    } were current, ` +
    `${formatNumber(stale)} stale${checked === 0 ? "" : ` (${percent(stale / checked)} refaults)`}.`,
    values === 0
      ? "No generation was seen: the trace has neither mark_mmio_spte nor check_mmio_spte."
      : `The generation had ${formatNumber(values)} values, from ${first} to ${last}, and went round ` +
        `${formatNumber(wraps)} times.`,
    ...(storm === undefined ? [] : [
      `The worst storm after an update: ${formatNumber(storm.refaults)} ${
        storm.refaults === 1 ? "refault" : "refaults"
      } at generation ${storm.generation}, within ` +
      `${formatNumber(Math.round((storm.last - storm.first) * 1e6) / 1e6)} ${clock}.`,
    ]),
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

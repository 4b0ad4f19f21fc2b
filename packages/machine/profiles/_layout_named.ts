import { type MmioHost, type MmioLayout, mmioLayout } from "@mmu-lab/spte-encoding";

/** A layout that is made when it is first asked for, and shared: it never changes. */
export function layoutNamed(name: string, host: MmioHost = {}): () => MmioLayout {
  let layout: MmioLayout | undefined;
  return () => layout ??= mmioLayout(name, host);
}

import type { TraceLine } from "@mmu-lab/tracing";

/** A pointer as 4.15 and later print it: a hash of 32 bits, or, before there is a key, words (lib/vsprintf.c, `ptr_to_id`). */
const HIDDEN = /\bsptep[: ](0{8}[0-9a-f]{8}|\(_*ptrval_*\))/;
const RAW = /\bsptep=(?:0x)?([0-9a-f]{16})/;

/** Whether an event of the MMU shows a pointer that it hides. */
export function hidesPointer({ name, text }: TraceLine): boolean {
  return (name === "mark_mmio_spte" || name === "fast_page_fault") && HIDDEN.test(text);
}

/**
 * Puts back the pointers that `mark_mmio_spte` does not show: kernels from 4.15 on print a hash in their place, and cannot
 * be told not to before 5.12. The probe on `mmu_spte_set`, which the kernel calls next, shows the pointer itself. One hash
 * stands for one pointer, and the other way round; where it does not, it is left as it is.
 */
export class HashedPointers {
  readonly #pointerOf: Map<string, string> = new Map();
  readonly #hashOf: Map<string, string> = new Map();

  /** The events of an operation with their pointers; the same array if none is hidden. */
  restore(events: readonly TraceLine[]): readonly TraceLine[] {
    if (!events.some(({ name, text }) => name === "mark_mmio_spte" && HIDDEN.test(text))) return events;
    return events.map((line, i) => {
      const hidden = line.name === "mark_mmio_spte" ? HIDDEN.exec(line.text)?.[1] : undefined;
      if (hidden === undefined) return line;
      const next = events.slice(i + 1).find(({ name, pid }) => name === "mmu_spte_set" && pid === line.pid);
      const pointer = RAW.exec(next?.text ?? "")?.[1];
      if (pointer === undefined || !this.#belong(hidden, pointer)) return line;
      return { ...line, text: line.text.replace(hidden, pointer) };
    });
  }

  #belong(hash: string, pointer: string): boolean {
    if (hash.startsWith("(")) return true;
    if ((this.#pointerOf.get(hash) ?? pointer) !== pointer) return false;
    if ((this.#hashOf.get(pointer) ?? hash) !== hash) return false;
    this.#pointerOf.set(hash, pointer);
    this.#hashOf.set(pointer, hash);
    return true;
  }
}

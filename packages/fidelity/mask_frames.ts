/**
 * Which parts of an event's text are places in the recorded machine's memory: they differ from boot to boot, and are
 * compared by renaming. All else is compared as it is printed.
 *
 * @module
 */

/** What a number in the text of an event is. */
type Shown =
  /** A kernel pointer to an spte: the page is renamed, the index is not. */
  | "pointer"
  /** The physical address of an spte. */
  | "address"
  /** An entry: if it is present, its frame is renamed, and the rest of the 64 bits is not. */
  | "spte"
  /** A host frame number, or bits that say why there is none. */
  | "pfn";

/** Where the numbers stand, by event: after which words, in order. */
const SHOWN: ReadonlyMap<string, readonly (readonly [after: string, what: Shown])[]> = new Map([
  ["mark_mmio_spte", [["sptep:", "pointer"]]],
  ["mmu_spte_set", [["sptep=", "pointer"], [" spte=", "spte"]]],
  ["kvm_mmu_set_spte", [[" spte ", "spte"], [" at ", "address"]]],
  ["kvm_mmu_spte_requested", [[" pfn ", "pfn"]]],
  ["kvm_tdp_mmu_spte_changed", [["old_spte ", "spte"], ["new_spte ", "spte"]]],
  ["fast_page_fault", [["sptep ", "pointer"], [" old ", "spte"], [" new ", "spte"]]],
]);

/** The frame that a pointer shows which the kernel hides: any. */
export const HIDDEN_FRAME: number = -1;

/** A text without its frames. */
export interface Masked {
  /** The text; where a frame stood, a `*`. */
  readonly text: string;
  /** The frames, in order; a pointer's are frames of the kernel's direct map. `undefined` where a number shows none. */
  readonly frames: readonly (number | undefined)[];
}

const TWO_20 = 2 ** 20;
/** Bits 63:52 of an entry, in its high lane. */
const ABOVE_FRAME = 0xfff00000;

/** Whether an event shows places in memory. */
export function showsFrames(name: string): boolean {
  return SHOWN.has(name);
}

/**
 * Takes the frames out of the text of an event. O(length).
 *
 * @param name Name of the event. @param text What it prints, without a probe's location.
 * @param isPresent Whether an entry maps memory or links a table, and so has a frame.
 * @param hidden Whether the kernel prints something else in place of a pointer, which tells nothing: neither page nor index.
 * @returns `undefined` if the text is not as the kernel prints that event.
 */
export function maskFrames(
  name: string,
  text: string,
  isPresent: (lo: number, hi: number) => boolean,
  hidden: boolean = false,
): Masked | undefined {
  const frames: (number | undefined)[] = [];
  let masked = "";
  let from = 0;
  for (const [after, what] of SHOWN.get(name) ?? []) {
    let at = text.indexOf(after, from);
    if (at < 0) return undefined;
    at += after.length;
    if (hidden && what === "pointer") {
      frames.push(HIDDEN_FRAME);
      masked += text.slice(from, at) + "*";
      from = text.indexOf(" ", at);
      if (from < 0) from = text.length;
      continue;
    }
    if (text.charCodeAt(at + 1) === LOWER_X) at += 2;
    const end = endOfHex(text, at);
    if (end === at) {
      frames.push(undefined); // (null)
      continue;
    }
    const lo = end - at > 8 ? parseInt(text.slice(end - 8, end), 16) : parseInt(text.slice(at, end), 16);
    const hi = end - at > 8 ? parseInt(text.slice(at, end - 8), 16) : 0;
    const has = what === "spte" ? isPresent(lo | 0, hi | 0) : what === "pfn" ? (hi & ABOVE_FRAME) === 0 : true;
    if (!has) {
      frames.push(undefined);
      continue;
    }
    if (what === "pfn") frames.push(hi * 2 ** 32 + lo);
    else if (what === "spte") frames.push((hi & ~ABOVE_FRAME) * TWO_20 + (lo >>> 12));
    else frames.push(hi * TWO_20 + (lo >>> 12));
    masked += text.slice(from, at) + "*";
    if (what === "spte") masked += `${(hi & ABOVE_FRAME) >>> 0}:`;
    if (what !== "pfn") masked += lo & 0xfff;
    from = end;
  }
  return { text: masked + text.slice(from), frames };
}

const LOWER_X = 0x78;

function endOfHex(text: string, at: number): number {
  for (;; at++) {
    const code = text.charCodeAt(at);
    const isHex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
    if (!isHex) return at;
  }
}

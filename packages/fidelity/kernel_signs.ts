import type { TraceLine } from "@mmu-lab/tracing";
import { hidesPointer } from "./hashed_pointers.ts";

/** Where a wrap of the number was seen to zap everything (facts sheet 2.8): G1 when an update commits, later ones before. */
export type WrapZap = "at-commit" | "at-install";

const NUMBER = "=(?:0x)?([0-9a-f]+)";
const GEN_BEFORE = new RegExp(`\\bgen_before${NUMBER}`);
const GEN = new RegExp(`\\bgen${NUMBER}`);
const ERROR_CODE = new RegExp(`\\berror_code${NUMBER}`);
const SPTE = new RegExp(`\\bspte${NUMBER}`);
const AS_ID = /\bas_id=(\d+)/;
const MARKED_GFN = /\bgfn ([0-9a-f]+)/;
const VIOLATION = /\breason EPT_VIOLATION .* info1? (?:0x)?([0-9a-f]+) /;
/** A shadow page's level has an `l` in front (4.13 or so; mmutrace.h of 4.19). */
const LEVEL_WITH_L = /\bgfn [0-9a-f]+ l\d/;
const HEXADECIMAL = /=0x/;
/** Bit 2 of an exit qualification, and bit 4 of an error code. */
const FETCH_EXIT = 4;
const FETCH_FAULT = 0x10;
/** The generation starts at -150 from 3.17 to 5.0. */
const NEGATIVE = 1n << 63n;
const BITS_20 = 0xfffffn;
/** Gpas below this have no bit where the gfn is split. */
const BELOW_SPLITS = 1n << 32n;
/** Bits 50:32 of an spte: above such gpas, below the mark of 4.19 and the generation. */
const SPLIT_BITS = 0x7ffffn;

/** What probes and numbers tell of kernels before 5.0, whose events have the same names. */
export class KernelSigns {
  /** What one swap of memslots adds to their number: 1 to 3.16, 2 to 4.10, 4 to 5.0. */
  step: number | undefined;
  /** Whether the number started below zero. */
  startedBelowZero: boolean | undefined;
  /** Where a wrap zapped everything, if one was seen. */
  wrapZap: WrapZap | undefined;
  /** Whether the number of 20 bits went round and nothing was zapped (bug B05). */
  wrapUnnoticed = false;
  /** Whether shadow pages are printed as from 4.13 on. */
  levelWithL = false;
  /** Lowest of five bits that MMIO sptes have set for L1TF, 0 if none; `undefined` if no MMIO spte was seen. */
  splitFrom: number | undefined;
  /** Whether an EPT violation of a fetch makes a fault of a fetch (3.13 on). */
  tellsFetches: boolean | undefined;
  /** Whether probes print `0x`, as kprobes do from 3.14 or so on. */
  prefixed = false;
  /** Whether pointers are hidden, as from 4.15 on unless the kernel is told not to. */
  hidden = false;
  #before: bigint | undefined;
  #beforeAs0: bigint | undefined;
  #markedGpa: bigint | undefined;
  #exitForFetch = false;

  /** Looks at the events of one operation, in order. */
  look(events: readonly TraceLine[]): void {
    let [swapped, flushing, committed, crossed, zapped] = [false, false, false, false, false];
    for (const line of events) {
      const { name, text } = line;
      this.hidden ||= hidesPointer(line);
      if (text.startsWith("(")) this.prefixed ||= HEXADECIMAL.test(text);
      switch (name) {
        case "swap_memslots":
          swapped = true;
          this.#swap(text);
          break;
        case "memslots_updated":
          crossed ||= this.#updated(text);
          break;
        case "flush_shadow_memslot":
          flushing = true;
          break;
        case "commit_memory_region":
          committed = true;
          break;
        case "kvm_mmu_invalidate_zap_all_pages":
          // A flush zaps everything itself, once.
          if (flushing) flushing = false;
          else if (swapped) {
            zapped = true;
            this.wrapZap ??= committed ? "at-commit" : "at-install";
          }
          break;
        default:
          this.#other(name, text);
      }
    }
    if (crossed && !zapped) this.wrapUnnoticed = true;
  }

  #swap(text: string): void {
    const before = numberIn(GEN_BEFORE, text);
    if (before === undefined) return;
    this.startedBelowZero ??= before >= NEGATIVE;
    if (this.#before !== undefined) this.#moved(before - this.#before);
    this.#before = before;
    // The probe shows the number of the first address space, whichever is changed.
    this.#beforeAs0 = Number(AS_ID.exec(text)?.[1] ?? 0) === 0 ? before : undefined;
  }

  /** Whether the number went round. */
  #updated(text: string): boolean {
    const now = numberIn(GEN, text);
    if (now === undefined || this.#beforeAs0 === undefined) return false;
    this.#moved(now - this.#beforeAs0);
    return (now & BITS_20) < (this.#beforeAs0 & BITS_20);
  }

  #moved(by: bigint): void {
    const step = Number(BigInt.asUintN(64, by));
    if (step > 0 && step < (this.step ?? 8)) this.step = step;
  }

  #other(name: string, text: string): void {
    switch (name) {
      case "kvm_mmu_get_page":
        this.levelWithL ||= LEVEL_WITH_L.test(text);
        break;
      case "mark_mmio_spte":
        this.#markedGpa = BigInt(`0x${MARKED_GFN.exec(text)?.[1] ?? "0"}`) << 12n;
        break;
      case "mmu_spte_set":
        if (this.splitFrom === undefined && this.#markedGpa !== undefined && this.#markedGpa < BELOW_SPLITS) {
          this.splitFrom = splitOf(numberIn(SPTE, text) ?? 0n);
        }
        this.#markedGpa = undefined;
        break;
      case "kvm_exit":
        this.#exitForFetch = (parseInt(VIOLATION.exec(text)?.[1] ?? "0", 16) & FETCH_EXIT) !== 0;
        break;
      case "mmu_page_fault":
        if (this.#exitForFetch) this.tellsFetches ??= (Number(numberIn(ERROR_CODE, text) ?? 0n) & FETCH_FAULT) !== 0;
        this.#exitForFetch = false;
    }
  }
}

function numberIn(pattern: RegExp, text: string): bigint | undefined {
  const digits = pattern.exec(text)?.[1];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
}

/** The place of five bits alone; 0 for any others, as those of a mark are. */
function splitOf(spte: bigint): number {
  const set = (spte >> 32n) & SPLIT_BITS;
  for (let low = 0; low <= 14; low++) if (set === 0x1fn << BigInt(low)) return 32 + low;
  return 0;
}

import type { Era, TraceLine } from "@mmu-lab/tracing";
import { KernelSigns } from "./kernel_signs.ts";
import { QUIRK_SLOT_ZAP_ALL, type RecordedStretch, type Recording, type RecordingHeader } from "@mmu-lab/workloads";

/** What a recording shows of the kernel and processor that it comes from. */
export interface RecordedKernel {
  /** The kernel whose events these are, or `undefined` if they are those of none that is known. */
  readonly era: Era | undefined;
  /** The processor's tables that were seen at work, if any. */
  readonly paging: "ept" | "npt" | "vmx-shadow" | "svm-shadow" | undefined;
  /** Whether the TDP MMU was seen at work. */
  readonly tdpMmu: boolean;
  /** Whether MMIO sptes were made, or nothing that could have made one happened. */
  readonly mmioSptes: boolean;
  /** Whether a slot that goes takes only its own mappings along (the quirk SLOT_ZAP_ALL is disabled, 6.12). */
  readonly slotZap: boolean;
  /** Whether a vCPU entered or left system management mode, and with it the second address space. */
  readonly usesSmm: boolean;
  /** Lowest of the five bits that every MMIO spte has set for L1TF, if any; `undefined` if no MMIO spte was seen. */
  readonly splitFrom: number | undefined;
  /** Qualification of the first EPT violation that is for an entry of the guest's tables. */
  readonly firstWalkExit: number | undefined;
  /** What tells kernels before 5.0 apart. */
  readonly signs: Readonly<KernelSigns>;
}

const EPT_VIOLATION = /\breason EPT_VIOLATION .* info1? (?:0x)?([0-9a-f]+) /;
const NESTED_PAGE_FAULT = /\breason npf /;
/** Empty entries have bit 63 set (`SHADOW_NONPRESENT_VALUE`, 6.12). */
const EMPTY_6_12 = / (?:old|new)_spte 8000000000000000(?: |$)/;
/** 6.12 names the reasons that APICv is inhibited for; every VM has one from the start (`kvm_apicv_init`). */
const NAMED_INHIBIT = / inhibits=0x[0-9a-f]+ [A-Z]/;
const MMIO_SPTE_EVENTS: readonly string[] = ["mark_mmio_spte", "make_mmio_spte"];
const GFN = /gfn=(0x[0-9a-f]+)/;
const SPTE = /spte=(0x[0-9a-f]+)/;
/** Where the five bits are looked for: above gpas of 32 bits. */
const LOWEST_SPLIT = 32n;
/** Bit 51, which marks an MMIO spte without EPT, above bit 32. */
const RESERVED_BIT = 1n << 19n;
/** A page fault, for its interruption information says so. */
const EXCEPTION = /\breason EXCEPTION_NMI .* (?:intr_info 0x)?80000b0e\b/;
const PAGE_FAULT_EXCEPTION = /\breason PF excp /;
/** Bit 8: the access was to the final address. */
const FINAL_TRANSLATION = 0x100;

/**
 * Finds out which kernel and processor a recording comes from, operation by operation: the names of the probes and what
 * they show tell the kernel, the exits tell the processor. `6.1` stands for later ones too, where nothing tells.
 */
export class KernelWatcher {
  readonly #events: Set<string> = new Set();
  readonly #signs = new KernelSigns();
  #header: RecordingHeader | undefined;
  #cacheHasGeneration = false;
  #emptyHasBit63 = false;
  #namesInhibits = false;
  #slotZap = false;
  #usesSmm = false;
  #paging: RecordedKernel["paging"];
  #firstWalkExit: number | undefined;
  #gpa = 0n;
  #splitFrom: number | undefined;

  /** Looks at operations and their events. O(events). */
  look({ header, operations }: RecordedStretch): void {
    if ((header.disabledQuirks & QUIRK_SLOT_ZAP_ALL) !== 0) this.#slotZap = true;
    if (header !== this.#header) { for (const line of header.creation) this.#event(line); }
    this.#header = header;
    for (const { operation, events } of operations) {
      if (operation.op === "set-smm") this.#usesSmm = true;
      for (const line of events) this.#event(line);
      this.#signs.look(events);
    }
  }

  /** What has been seen so far. */
  get kernel(): RecordedKernel {
    const events = this.#events;
    const mmioSptes = !events.has("kvm_mmio") || MMIO_SPTE_EVENTS.some((event) => events.has(event));
    const slotZap = this.#slotZap;
    return {
      era: this.#emptyHasBit63 || this.#namesInhibits || slotZap
        ? "6.12"
        : eraOf(events, this.#cacheHasGeneration, this.#signs),
      splitFrom: this.#splitFrom,
      paging: this.#paging,
      tdpMmu: events.has("kvm_tdp_mmu_spte_changed"),
      mmioSptes,
      slotZap,
      usesSmm: this.#usesSmm,
      firstWalkExit: this.#firstWalkExit,
      signs: this.#signs,
    };
  }

  #event({ name, text }: TraceLine): void {
    this.#events.add(name);
    switch (name) {
      case "make_mmio_spte":
        if (this.#splitFrom === undefined) this.#gpa = BigInt(GFN.exec(text)?.[1] ?? 0) << 12n;
        break;
      case "make_mmio_spte_ret":
        this.#splitFrom ??= splitOf(BigInt(SPTE.exec(text)?.[1] ?? 0), this.#gpa);
        break;
      case "kvm_tdp_mmu_spte_changed":
        this.#emptyHasBit63 ||= EMPTY_6_12.test(text);
        break;
      case "kvm_apicv_inhibit_changed":
        this.#namesInhibits ||= NAMED_INHIBIT.test(text);
        break;
      case "mmio_page_fault":
        this.#cacheHasGeneration ||= text.includes("mmio_gen=");
        break;
      case "kvm_exit":
        this.#exit(text);
    }
  }

  #exit(text: string): void {
    if (NESTED_PAGE_FAULT.test(text)) this.#paging = "npt";
    if (EXCEPTION.test(text)) this.#paging = "vmx-shadow";
    if (PAGE_FAULT_EXCEPTION.test(text)) this.#paging = "svm-shadow";
    const qualification = parseInt(EPT_VIOLATION.exec(text)?.[1] ?? "", 16);
    if (Number.isNaN(qualification)) return;
    this.#paging = "ept";
    if ((qualification & FINAL_TRANSLATION) === 0) this.#firstWalkExit ??= qualification;
  }
}

/** What a {@linkcode KernelWatcher} sees in a recording that is in memory. */
export function recordedKernel(recording: Pick<Recording, "stretches">): RecordedKernel {
  const watcher = new KernelWatcher();
  for (const stretch of recording.stretches) watcher.look(stretch);
  return watcher.kernel;
}

/** The place of the five bits that are set beside the gpa; 0 for none, `undefined` if the gpa itself is in the way. */
function splitOf(spte: bigint, gpa: bigint): number | undefined {
  if (gpa >> LOWEST_SPLIT !== 0n) return undefined;
  const set = (spte >> LOWEST_SPLIT) & 0xfffffn;
  for (let low = 0n; low <= 15n; low++) {
    const five = 0x1fn << low;
    if (set === five || set === (five | RESERVED_BIT)) return Number(LOWEST_SPLIT + low);
  }
  return 0;
}

function eraOf(
  events: ReadonlySet<string>,
  cacheHasGeneration: boolean,
  { step, startedBelowZero, levelWithL }: Readonly<KernelSigns>,
): Era | undefined {
  if (events.has("swap_active_memslots") || events.has("make_mmio_spte")) return "6.1";
  if (levelWithL || step === 4) return "4.19";
  if (cacheHasGeneration || startedBelowZero) return "4.10";
  const [swap, updated] = [events.has("swap_memslots"), events.has("memslots_updated")];
  if (updated) return swap || events.has("mmio_page_fault") ? "3.13" : "4.10";
  return swap ? "3.11" : undefined;
}

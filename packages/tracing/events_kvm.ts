/**
 * Tracepoints of system `kvm`. Formats: facts sheet, section 8.2 (arch/x86/kvm/trace.h of 3.11 and 6.1,
 * include/trace/events/kvm.h), and the `format` files of recorded 3.11, 4.10, 6.1 and 6.12 kernels.
 *
 * The comment above each event names its slots.
 */
import { defineEvent, type EventFormats, type TraceEvent } from "./event.ts";
import { EXIT_REASONS } from "./exit_reason.ts";
import {
  address,
  bitName,
  bitRange,
  bits,
  bytes,
  type Field,
  flag,
  names,
  num,
  type Part,
  u64,
  vcpu,
} from "./field.ts";
import { choice, NAME, nameTable } from "./symbols.ts";

function kvm(name: string, fields: readonly Field[], formats: EventFormats): TraceEvent {
  return defineEvent("kvm", name, fields, formats);
}

/** rip, immediate_exit; 3.11 prints neither. The guest is entered. */
export const KVM_ENTRY: TraceEvent = kvm("kvm_entry", [
  vcpu(),
  address("rip"),
  flag("immediate_exit", "", "[immediate exit]"),
], { "3.11": "vcpu %u{vcpu}", "6.1": "vcpu %u{vcpu}, rip 0x%lx{rip}%s{immediate_exit}" });

/**
 * reason (SVM: exit code + SVM_EXIT_BASE), rip, info1 lo, info1 hi, info2 lo, info2 hi, intr_info, error_code.
 * VMX: info1 is the exit qualification; info2 is the interruption information in 3.11, the IDT-vectoring information in
 * 6.1. SVM: EXITINFO1 and EXITINFO2. The last two print from 6.1.
 */
export const KVM_EXIT: TraceEvent = kvm("kvm_exit", [
  vcpu(),
  names("reason", EXIT_REASONS),
  address("rip"),
  u64("info1"),
  u64("info2"),
  num("intr_info"),
  num("error_code"),
], {
  "3.11": "reason %s{reason} rip 0x%lx{rip} info %llx{info1} %llx{info2}",
  "6.1": "vcpu %u{vcpu} reason %s{reason} rip 0x%lx{rip} info1 0x%016llx{info1} info2 0x%016llx{info2} " +
    "intr_info 0x%08x{intr_info} error_code 0x%08x{error_code}",
});

/**
 * rip, address lo, address hi, error_code; 3.11 has no rip. For an EPT violation the error code is the raw exit
 * qualification.
 */
export const KVM_PAGE_FAULT: TraceEvent = kvm("kvm_page_fault", [
  vcpu(),
  address("rip"),
  u64("address"),
  num("error_code"),
], {
  "3.11": "address %lx{address} error_code %x{error_code}",
  "6.1": "vcpu %u{vcpu} rip 0x%lx{rip} address 0x%016llx{address} error_code 0x%llx{error_code}",
});

/** The `type` slot of kvm_mmio: a read that goes to user space is unsatisfied first, and a read on the way back. */
export const KVM_MMIO_TYPE: { readonly UNSATISFIED_READ: 0; readonly READ: 1; readonly WRITE: 2 } = {
  UNSATISFIED_READ: 0,
  READ: 1,
  WRITE: 2,
};

/** type (see KVM_MMIO_TYPE), len in bytes, gpa, val lo, val hi. */
export const KVM_MMIO: TraceEvent = kvm("kvm_mmio", [
  names("type", nameTable({ 0: "unsatisfied-read", 1: "read", 2: "write" })),
  num("len"),
  num("gpa"),
  u64("val"),
], { "3.11": "mmio %s{type} len %u{len} gpa 0x%llx{gpa} val 0x%llx{val}" });

/** gva lo, gva hi, gpa, write, gpa_match. The vCPU's cache, or the guest tables with it, say that an access is MMIO. */
export const VCPU_MATCH_MMIO: TraceEvent = kvm("vcpu_match_mmio", [
  u64("gva"),
  num("gpa"),
  flag("write", "Read", "Write"),
  flag("gpa_match", "GVA", "GPA"),
], { "3.11": "gva %#lx{gva} gpa %#llx{gpa} %s{write} %s{gpa_match}" });

/** gpa. An MMIO write goes to an in-kernel device without decoding the instruction. */
export const KVM_FAST_MMIO: TraceEvent = kvm("kvm_fast_mmio", [num("gpa")], {
  "4.10": "fast mmio at gpa 0x%llx{gpa}",
});

// deno-fmt-ignore
const EXITS = [
  "UNKNOWN", "EXCEPTION", "IO", "HYPERCALL", "DEBUG", "HLT", "MMIO", "IRQ_WINDOW_OPEN", "SHUTDOWN", "FAIL_ENTRY",
  "INTR", "SET_TPR", "TPR_ACCESS", "S390_SIEIC", "S390_RESET", "DCR", "NMI", "INTERNAL_ERROR", "OSI", "PAPR_HCALL",
  "S390_UCONTROL", "WATCHDOG", "S390_TSCH", "EPR", "SYSTEM_EVENT", "S390_STSI", "IOAPIC_EOI", "HYPERV", "ARM_NISV",
  "X86_RDMSR", "X86_WRMSR",
];
const EXIT_NAMES = nameTable(Object.fromEntries(EXITS.map((name, code) => [code, "KVM_EXIT_" + name])));
const EINTR = 4;

/** The reason and its number share a slot: a negative slot is an errno, printed as `restart (4)` or `error (N)`. */
const USERSPACE_EXIT_PARTS: readonly Part[] = [{
  name: "reason",
  symbols: NAME,
  get(slots, at, era) {
    const reason = slots[at] ?? 0;
    return reason >= 0 ? EXIT_NAMES.name(reason, era) : reason === -EINTR ? "restart" : "error";
  },
  put: (value, slots, at, era) => void (slots[at] = EXIT_NAMES.code(String(value), era)),
}, {
  name: "code",
  get: (slots, at) => Math.abs(slots[at] ?? 0),
  put(value, slots, at) {
    if ((slots[at] ?? 0) < 0) slots[at] = -Number(value);
  },
}];

/** reason: a KVM_EXIT number (2 IO, 6 MMIO), or a negative errno. KVM_RUN returns to user space. */
export const KVM_USERSPACE_EXIT: TraceEvent = kvm("kvm_userspace_exit", [
  { name: "reason", kind: "enum", slots: 1, parts: USERSPACE_EXIT_PARTS },
], { "3.11": "reason %s{reason} (%d{code})" });

/** write, port, size in bytes, count, val, more (set if count is above 1); val and more print from 4.10. */
export const KVM_PIO: TraceEvent = kvm("kvm_pio", [
  flag("write", "read", "write"),
  num("port"),
  num("size"),
  num("count"),
  num("val"),
  flag("more", "", "(...)"),
], {
  "3.11": "pio_%s{write} at 0x%x{port} size %d{size} count %d{count}",
  "4.10": "pio_%s{write} at 0x%x{port} size %d{size} count %d{count} val 0x%x{val} %s{more}",
});

/** csbase, rip, four lanes of instruction bytes (see packBytes), mode and failure (see KVM_EMULATE_MODE). */
export const KVM_EMULATE_INSN: TraceEvent = kvm("kvm_emulate_insn", [
  num("csbase"),
  address("rip"),
  bytes("insn"),
  bits(
    "mode_and_failure",
    bitName("mode", 0, 4, { 0: "real", 1: "prot16", 3: "vm16", 5: "prot32", 9: "prot64" }),
    bitRange("failed", 4, 1, choice("", " failed")),
  ),
], { "3.11": "%x{csbase}:%llx{rip}:%s{insn} (%s{mode})%s{failed}" });

/** Values for the last slot of kvm_emulate_insn: a mode, with FAILED added if the instruction could not be emulated. */
export const KVM_EMULATE_MODE: {
  readonly REAL: 0;
  readonly PROT16: 1;
  readonly VM16: 3;
  readonly PROT32: 5;
  readonly PROT64: 9;
  readonly FAILED: 16;
} = { REAL: 0, PROT16: 1, VM16: 3, PROT32: 5, PROT64: 9, FAILED: 16 };

/** entering, smbase. The vCPU enters or leaves system management mode, and so changes its address space. */
export const KVM_SMM_TRANSITION: TraceEvent = kvm("kvm_smm_transition", [
  vcpu(),
  flag("entering", "leaving", "entering"),
  num("smbase"),
], { "6.1": "vcpu %u{vcpu}: %s{entering} SMM, smbase 0x%llx{smbase}" });

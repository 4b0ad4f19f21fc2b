import { type Era, ERAS } from "./era.ts";
import { hex, type NameTable } from "./symbols.ts";

/**
 * Added to an SVM exit code to make the `reason` slot of kvm_exit: the two architectures number their exits apart, and
 * the kernel prints the names of the one it runs on (`isa` in the record).
 */
export const SVM_EXIT_BASE = 2 ** 32;

type Table = Readonly<Record<number, string>>;
const SINCE: readonly Era[] = ["3.11", "4.10", "6.1"];

/** VMX_EXIT_REASONS by era, later tables on top of earlier ones. Linux, arch/x86/include/uapi/asm/vmx.h. */
// deno-fmt-ignore
const VMX: readonly Table[] = [{
  0: "EXCEPTION_NMI", 1: "EXTERNAL_INTERRUPT", 2: "TRIPLE_FAULT", 7: "PENDING_INTERRUPT", 8: "NMI_WINDOW",
  9: "TASK_SWITCH", 10: "CPUID", 12: "HLT", 13: "INVD", 14: "INVLPG", 15: "RDPMC", 16: "RDTSC", 18: "VMCALL",
  19: "VMCLEAR", 20: "VMLAUNCH", 21: "VMPTRLD", 22: "VMPTRST", 23: "VMREAD", 24: "VMRESUME", 25: "VMWRITE",
  26: "VMOFF", 27: "VMON", 28: "CR_ACCESS", 29: "DR_ACCESS", 30: "IO_INSTRUCTION", 31: "MSR_READ", 32: "MSR_WRITE",
  33: "INVALID_STATE", 36: "MWAIT_INSTRUCTION", 39: "MONITOR_INSTRUCTION", 40: "PAUSE_INSTRUCTION",
  41: "MCE_DURING_VMENTRY", 43: "TPR_BELOW_THRESHOLD", 44: "APIC_ACCESS", 45: "EOI_INDUCED", 48: "EPT_VIOLATION",
  49: "EPT_MISCONFIG", 52: "PREEMPTION_TIMER", 54: "WBINVD", 56: "APIC_WRITE", 58: "INVPCID",
}, {
  34: "MSR_LOAD_FAIL", 37: "MONITOR_TRAP_FLAG", 46: "GDTR_IDTR", 47: "LDTR_TR", 50: "INVEPT", 53: "INVVPID",
  63: "XSAVES", 64: "XRSTORS",
}, {
  3: "INIT_SIGNAL", 4: "SIPI_SIGNAL", 7: "INTERRUPT_WINDOW", 51: "RDTSCP", 55: "XSETBV", 57: "RDRAND", 59: "VMFUNC",
  60: "ENCLS", 61: "RDSEED", 62: "PML_FULL", 67: "UMWAIT", 68: "TPAUSE", 74: "BUS_LOCK", 75: "NOTIFY",
}];

/** SVM_EXIT_REASONS by era. Linux, arch/x86/include/uapi/asm/svm.h. */
// deno-fmt-ignore
const SVM: readonly Table[] = [{
  0x00: "read_cr0", 0x03: "read_cr3", 0x04: "read_cr4", 0x08: "read_cr8", 0x10: "write_cr0", 0x13: "write_cr3",
  0x14: "write_cr4", 0x18: "write_cr8", 0x20: "read_dr0", 0x21: "read_dr1", 0x22: "read_dr2", 0x23: "read_dr3",
  0x30: "write_dr0", 0x31: "write_dr1", 0x32: "write_dr2", 0x33: "write_dr3", 0x35: "write_dr5", 0x37: "write_dr7",
  0x41: "DB excp", 0x43: "BP excp", 0x46: "UD excp", 0x47: "NM excp", 0x4e: "PF excp", 0x52: "MC excp",
  0x60: "interrupt", 0x61: "nmi", 0x62: "smi", 0x63: "init", 0x64: "vintr", 0x72: "cpuid", 0x76: "invd", 0x78: "hlt",
  0x79: "invlpg", 0x7a: "invlpga", 0x7b: "io", 0x7c: "msr", 0x7d: "task_switch", 0x7f: "shutdown", 0x80: "vmrun",
  0x81: "hypercall", 0x82: "vmload", 0x83: "vmsave", 0x84: "stgi", 0x85: "clgi", 0x86: "skinit", 0x89: "wbinvd",
  0x8a: "monitor", 0x8b: "mwait", 0x8d: "xsetbv", 0x400: "npf",
}, {
  0x02: "read_cr2", 0x12: "write_cr2", 0x24: "read_dr4", 0x25: "read_dr5", 0x26: "read_dr6", 0x27: "read_dr7",
  0x34: "write_dr4", 0x36: "write_dr6", 0x40: "DE excp", 0x44: "OF excp", 0x45: "BR excp", 0x48: "DF excp",
  0x4a: "TS excp", 0x4b: "NP excp", 0x4c: "SS excp", 0x4d: "GP excp", 0x50: "MF excp", 0x51: "AC excp",
  0x53: "XF excp", 0x65: "cr0_sel_write", 0x66: "read_idtr", 0x67: "read_gdtr", 0x68: "read_ldtr", 0x69: "read_rt",
  0x6a: "write_idtr", 0x6b: "write_gdtr", 0x6c: "write_ldtr", 0x6d: "write_rt", 0x6e: "rdtsc", 0x6f: "rdpmc",
  0x70: "pushf", 0x71: "popf", 0x73: "rsm", 0x74: "iret", 0x75: "swint", 0x77: "pause", 0x7e: "ferr_freeze",
  0x87: "rdtscp", 0x88: "icebp", 0x401: "avic_incomplete_ipi", 0x402: "avic_unaccelerated_access",
  0xffffffff: "invalid_guest_state",
}, {
  0x8f: "write_efer_trap", 0x90: "write_cr0_trap", 0x94: "write_cr4_trap", 0x98: "write_cr8_trap", 0xa2: "invpcid",
  0x403: "vmgexit", 0x80000001: "vmgexit_mmio_read", 0x80000002: "vmgexit_mmio_write",
  0x80000003: "vmgexit_nmi_complete", 0x80000004: "vmgexit_ap_hlt_loop", 0x80000005: "vmgexit_ap_jump_table",
  0x80000010: "vmgexit_page_state_change", 0x80000011: "vmgexit_guest_request",
  0x80000012: "vmgexit_ext_guest_request", 0x80000013: "vmgexit_ap_creation",
  0x8000fffd: "vmgexit_hypervisor_feature",
}];

const FAILED_VMENTRY = " FAILED_VMENTRY";
const FAILED_VMENTRY_BIT = 0x80000000;

/** Tables that hold in an era, newest first. 3.13 is taken to name as 3.11 does, 4.19 as 4.10, 6.12 as 6.1. */
function tablesOf(era: Era): number[] {
  return SINCE.flatMap((since, index) => ERAS.indexOf(since) <= ERAS.indexOf(era) ? [index] : []).reverse();
}

function find(tables: readonly Table[], code: number, era: Era): string {
  for (const index of tablesOf(era)) {
    const name = tables[index]?.[code];
    if (name !== undefined) return name;
  }
  return hex(code);
}

const codes = new Map<string, number>();
for (const table of VMX) for (const [code, name] of Object.entries(table)) codes.set(name, Number(code));
for (const table of SVM) {
  for (const [code, name] of Object.entries(table)) codes.set(name, Number(code) + SVM_EXIT_BASE);
}

/**
 * Names of VM exits, as kvm_exit prints them: VMX in upper case, SVM in lower case. A VMX reason is its own slot value;
 * an SVM exit code gets {@linkcode SVM_EXIT_BASE} added. From 6.1 a VMX reason with bit 31 set has ` FAILED_VMENTRY`
 * after its name.
 *
 * Source: facts sheet, section 8.2; the `format` files of recorded 3.11, 4.10, 6.1 and 6.12 kernels.
 */
export const EXIT_REASONS: NameTable = {
  name(code, era) {
    if (code >= SVM_EXIT_BASE) return find(SVM, code - SVM_EXIT_BASE, era);
    const flagged = code >= FAILED_VMENTRY_BIT && (era === "6.1" || era === "6.12");
    return flagged ? find(VMX, code & 0xffff, era) + FAILED_VMENTRY : find(VMX, code, era);
  },
  code(name) {
    if (name.endsWith(FAILED_VMENTRY)) {
      return (codes.get(name.slice(0, -FAILED_VMENTRY.length)) ?? 0) + FAILED_VMENTRY_BIT;
    }
    return codes.get(name) ?? (name.startsWith("0x") ? Number(name) : -1);
  },
};

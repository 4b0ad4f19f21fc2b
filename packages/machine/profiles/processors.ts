import type { NptProcessor } from "@mmu-lab/svm-backend";
import type { EptProcessor } from "@mmu-lab/vmx-backend";

/** The processor of the recordings: a Haswell with 40 physical address bits. */
export const HASWELL = {
  maxPhyAddr: 40,
  executeOnly: true,
  maxPageLevel: 3,
  accessedDirty: true,
} as const satisfies EptProcessor;

/** The processor of the recordings on AMD: a Phenom with 40 physical address bits, as QEMU's TCG interprets it. */
export const PHENOM = {
  maxPhyAddr: 40,
  maxPageLevel: 3,
  reservedFaultIsPresent: false,
  readModifyWrite: "read-then-write",
} as const satisfies NptProcessor;

/** A processor without execute-only pages, which nested EPT does not model. */
export const WITHOUT_EXECUTE_ONLY = { ...HASWELL, executeOnly: false } as const;

/** The processor of the recordings of 6.1 on AMD: an EPYC with 40 physical address bits, as QEMU's TCG interprets it. */
export const EPYC = PHENOM;

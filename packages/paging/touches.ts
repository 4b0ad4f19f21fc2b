/**
 * What steps of an MMU touch of what its actors share, for explorers (`@mmu-lab/protocol`, `touches.ts`). Code that reads
 * or changes any of it adds these to `Execution.touched`.
 *
 * @module
 */
import { reads, writes } from "@mmu-lab/protocol";

const MEMSLOTS = 2;
const TABLES = 3;
const REQUESTS = 4;
const GUEST_TABLES = 5;
const ROOTS = 6;
const GENERATION = 7;

/** The published memslots are read. */
export const READS_MEMSLOTS: number = reads(MEMSLOTS);
/** They change. */
export const WRITES_MEMSLOTS: number = writes(MEMSLOTS);
/** The generation of the published memslots is read, or whether they are in flux. */
export const READS_GENERATION: number = reads(GENERATION);
/** It changes, as it does whenever memslots are published, and once more when an update is complete. */
export const WRITES_GENERATION: number = writes(GENERATION);
/** Shadow pages, their entries, or how they are kept are read. */
export const READS_TABLES: number = reads(TABLES);
/** They change. */
export const WRITES_TABLES: number = writes(TABLES);
/** Whether a root is still valid is read: less than its tables. */
export const READS_ROOTS: number = reads(ROOTS);
/** Pages become obsolete or invalid, roots perhaps among them; the tables change with that. */
export const WRITES_ROOTS: number = writes(ROOTS);
/** A vCPU looks for what others have asked it, or has done it. */
export const READS_REQUESTS: number = reads(REQUESTS);
/** All vCPUs are asked for something. */
export const WRITES_REQUESTS: number = writes(REQUESTS);
/** Guest memory is read, where its contents decide what happens: where it may hold page tables that KVM shadows. */
export const READS_GUEST_TABLES: number = reads(GUEST_TABLES);
/** It changes. */
export const WRITES_GUEST_TABLES: number = writes(GUEST_TABLES);

/**
 * The program: `deno task lab`.
 *
 * @module
 */
import { DENO_IO } from "./deno_io.ts";
import { runLab } from "./run_lab.ts";

// At once: somebody may still hold standard input open.
if (import.meta.main) Deno.exit(await runLab(Deno.args, DENO_IO));

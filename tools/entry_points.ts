/**
 * Prints the paths of all entry points of all packages, for commands that want them named.
 *
 * @module
 */

import { packages } from "./workspace.ts";

if (import.meta.main) {
  for (const { entryPoints } of packages()) for (const path of entryPoints.values()) console.log(path);
}

import type { Io } from "./io.ts";

/** Files beside a recording that name its kernel, as the recorder leaves them. */
const META = ["meta/version.txt", "meta/uname.txt"];
/** Debian's own number first: its kernels call themselves by the first of their line. */
const RELEASES = [/\bDebian (\d+\.\d+\.\d+)/, /\bLinux(?: version)? (\d+\.\d+(?:\.\d+)?)/];
/** In the name of a folder, such as `linux-4.19` or `tdp-6.1.187`. */
const IN_FOLDER = /(?<![\d.])(\d+\.\d+(?:\.\d+)?)(?![\d.])/g;
/** More than such a file has. */
const MOST_BYTES = 4096;

/**
 * The kernel release that a recording is said to come from: by the `meta` folder beside it, or by the names of its folders.
 *
 * @param path The recording. @param io Reads what lies beside it.
 * @returns Such as `4.19.0` or `4.19`; `undefined` if nothing says.
 */
export async function releaseBeside(path: string, io: Io): Promise<string | undefined> {
  const folder = /^(.*[\\/])?/.exec(path)![0];
  for (const name of META) {
    const text = await beginningOf(folder + name, io);
    for (const pattern of RELEASES) {
      const release = pattern.exec(text)?.[1];
      if (release !== undefined) return release;
    }
  }
  return [...folder.matchAll(IN_FOLDER)].at(-1)?.[1];
}

async function beginningOf(path: string, io: Io): Promise<string> {
  try {
    const reader = (await io.readFile(path)).getReader();
    const { value = new Uint8Array() } = await reader.read();
    await reader.cancel();
    return new TextDecoder().decode(value.subarray(0, MOST_BYTES));
  } catch {
    // Most traces have no such folder.
    return "";
  }
}

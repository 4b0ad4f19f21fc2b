/** What the user gave cannot be used. The message says what and how to mend it; the exit code is 2. */
export class InputError extends Error {
  /** `InputError`. */
  override readonly name: string = "InputError";
}

/**
 * Makes text fit one line of a terminal, whatever it quotes: no line breaks, colours or control characters.
 *
 * @param text Any text, such as a message with a piece of a binary file in it.
 */
export function oneLine(text: string): string {
  return text
    // deno-lint-ignore no-control-regex
    .replace(/\u001b\[[0-9;]*m/g, "")
    .replace(/\s*[\r\n]+\s*/g, " ")
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\ufffd]+/g, "\ufffd")
    .trim();
}

/** The message of whatever was thrown, in one line. */
export function messageOf(thrown: unknown): string {
  return oneLine(thrown instanceof Error ? thrown.message : String(thrown));
}

/** What was thrown and where, in one line. */
export function origin(error: unknown): string {
  const stack = error instanceof Error ? error.stack ?? "" : "";
  const place = /^\s*at (.*)$/m.exec(stack)?.[1];
  const name = error instanceof Error ? `${error.name}: ` : "";
  return `${name}${messageOf(error)}${place === undefined ? "" : ` (at ${place})`}`;
}

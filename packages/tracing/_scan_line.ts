/** One event line of a trace. */
export interface TraceLine {
  /** Line number in the text, from 1. */
  readonly lineNumber: number;
  /** Name of the task; `<...>` if the kernel had forgotten it. */
  readonly task: string;
  /** Thread id. */
  readonly pid: number;
  /** CPU of the recorded machine. */
  readonly cpu: number;
  /** The columns irqs-off, need-resched and so on, such as `d..1.`; empty if the trace has none. */
  readonly flags: string;
  /** Ticks of the clock `counter` or `x86-tsc`, or seconds. */
  readonly timestamp: number;
  /** Name of the event, without its system. */
  readonly name: string;
  /** What follows the name and a colon; trailing space is kept. */
  readonly text: string;
}

/** What an event line looks like, for messages. */
export const LINE_SHAPE = "'TASK-PID [CPU] FLAGS TIMESTAMP: event:'";

const SPACE = 32;
const TAB = 9;
const HASH = 35;
const OPEN_PAREN = 40;
const CLOSE_PAREN = 41;
const MINUS = 45;
const DOT = 46;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;
const CLOSE = 93;

function isDigit(code: number): boolean {
  return code >= ZERO && code <= 57;
}

/** Lines of `trace-cmd report`, of the kernel and of `perf script` that are no events; of the last the frames of stacks. */
function isRemark(line: string): boolean {
  return /^(?:[0-9a-f]{6,16} .+ \(.+\)|cpus=\d+|version = \d+|CPU \d+ is empty|CPU:\d+ \[(?:LOST \d+ EVENTS|EVENTS DROPPED)\]|trace-cmd version.*)$/
    .test(line.trim());
}

/**
 * Reads one line, `text.slice(start, end)`, without its newline.
 *
 * @returns The line, `null` for one to skip (blank, comment, remark), `undefined` for one that is no trace line.
 */
export function scanLine(text: string, start: number, end: number, lineNumber: number): TraceLine | null | undefined {
  if (end > start && text.charCodeAt(end - 1) === 13) end--;
  let from = start;
  while (from < end && (text.charCodeAt(from) === SPACE || text.charCodeAt(from) === TAB)) from++;
  if (from === end || text.charCodeAt(from) === HASH) return null;
  return scanEvent(text, from, end, lineNumber) ?? (isRemark(text.slice(from, end)) ? null : undefined);
}

function scanEvent(text: string, from: number, end: number, lineNumber: number): TraceLine | undefined {
  // [CPU], behind a number or a parenthesis: a task may have brackets in its name
  let open = from;
  let at = 0;
  let last = 0;
  let cpu = 0;
  for (;;) {
    open = text.indexOf("[", open + 1);
    if (open < 0 || open >= end) return undefined;
    at = open + 1;
    cpu = 0;
    for (let code = text.charCodeAt(at); isDigit(code); code = text.charCodeAt(++at)) cpu = cpu * 10 + code - ZERO;
    if (at === open + 1 || text.charCodeAt(at) !== CLOSE || text.charCodeAt(open - 1) !== SPACE) continue;
    last = open - 1;
    while (last > from && text.charCodeAt(last) === SPACE) last--;
    if (isDigit(text.charCodeAt(last)) || text.charCodeAt(last) === CLOSE_PAREN) break;
  }

  // TASK-PID before it (ftrace, trace-cmd; with a thread group in parentheses if asked for), or TASK PID (perf)
  if (text.charCodeAt(last) === CLOSE_PAREN) {
    while (last > from && text.charCodeAt(last) !== OPEN_PAREN) last--;
    last--;
    while (last > from && text.charCodeAt(last) === SPACE) last--;
  }
  let pid = 0;
  let scale = 1;
  const pidEnd = last;
  for (let code = text.charCodeAt(last); last > from && isDigit(code); code = text.charCodeAt(--last)) {
    pid += (code - ZERO) * scale;
    scale *= 10;
  }
  if (last === pidEnd) return undefined;
  let separator = text.charCodeAt(last);
  if (separator === SLASH) { // PID/TID of perf
    do last--; while (last > from && isDigit(text.charCodeAt(last)));
    separator = text.charCodeAt(last);
  }
  if (separator !== MINUS && separator !== SPACE) return undefined;
  if (separator === SPACE) { while (last > from && text.charCodeAt(last - 1) === SPACE) last--; }
  if (last <= from) return undefined;

  // FLAGS, if any, and TIMESTAMP:
  do at++; while (text.charCodeAt(at) === SPACE);
  let word = at;
  at = wordEnd(text, at, end);
  let flags = "";
  if (text.charCodeAt(at - 1) !== COLON) {
    flags = text.slice(word, at);
    while (text.charCodeAt(at) === SPACE) at++;
    word = at;
    at = wordEnd(text, at, end);
  }
  let timestamp = 0;
  let digit = word;
  while (isDigit(text.charCodeAt(digit))) timestamp = timestamp * 10 + text.charCodeAt(digit++) - ZERO;
  if (digit === word) return undefined;
  if (text.charCodeAt(digit) === DOT) {
    do digit++; while (isDigit(text.charCodeAt(digit)));
    timestamp = Number(text.slice(word, digit));
  }
  if (text.charCodeAt(digit) !== COLON || digit >= end) return undefined;

  // event:, or system:event: (perf)
  at = digit + 1;
  while (text.charCodeAt(at) === SPACE && at < end) at++;
  let name = at;
  for (;; at++) {
    if (at >= end) return undefined;
    const code = text.charCodeAt(at);
    if (code === SPACE) return undefined;
    if (code !== COLON) continue;
    if (at === name) return undefined;
    if (at + 1 === end || text.charCodeAt(at + 1) === SPACE) break;
    name = at + 1;
  }
  let body = at + 1;
  while (body < end && text.charCodeAt(body) === SPACE) body++;
  return {
    lineNumber,
    task: text.slice(from, last),
    pid,
    cpu,
    flags,
    timestamp,
    name: text.slice(name, at),
    text: text.slice(body, end),
  };
}

function wordEnd(text: string, at: number, end: number): number {
  while (at < end && text.charCodeAt(at) !== SPACE) at++;
  return at;
}

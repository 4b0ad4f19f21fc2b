/**
 * Stands in for `@std/cli/parse-args` where JSR is out of reach. Not there: dotted names, `boolean: true`.
 *
 * @module
 */

type Names<Name extends string> = Name | readonly Name[];

/** What a flag without a default may be. */
type Flags<Booleans extends string, Strings extends string, Collected extends string> =
  & { [Name in Booleans]: boolean }
  & { [Name in Exclude<Strings, Collected>]?: string }
  & { [Name in Extract<Strings, Collected>]: string[] }
  & { [Name in Exclude<Collected, Strings>]: unknown[] };

/** A default makes a flag that may be missing one that is there. */
type WithDefaults<All, Defaults> =
  & Omit<All, keyof Defaults>
  & {
    [Name in keyof Defaults]: Name extends keyof All ? Defaults[Name] | NonNullable<All[Name]> : unknown;
  };

/** What {@linkcode parseArgs} returns. */
export type Args<
  Booleans extends string = never,
  Strings extends string = never,
  Collected extends string = never,
  Defaults = Record<never, never>,
> =
  // deno-lint-ignore no-explicit-any
  & ([Booleans | Strings | Collected] extends [never] ? Record<string, any>
    : Record<string, unknown> & WithDefaults<Flags<Booleans, Strings, Collected>, Defaults>)
  & {
    /** Arguments that belong to no flag. */
    _: (string | number)[];
    /** Arguments after `--`, when the option `--` asks for them. */
    "--"?: string[];
  };

/** Options of {@linkcode parseArgs}. */
export interface ParseOptions<
  Booleans extends string = string,
  Strings extends string = string,
  Collected extends string = string,
  Defaults = Record<string, unknown>,
> {
  /** Whether the arguments after `--` get a place of their own. */
  "--"?: boolean;
  /** Other names of a flag. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Flags that take no value. */
  boolean?: Names<Booleans>;
  /** Flags whose value stays text. */
  string?: Names<Strings>;
  /** Flags that may come many times. */
  collect?: Names<Collected>;
  /** Flags that `--no-` turns off. */
  negatable?: Names<string>;
  /** Values of flags that are not given. */
  default?: Defaults;
  /** Whether parsing ends at the first argument that is no flag. */
  stopEarly?: boolean;
  /** Asked about each argument that no option names; `false` drops it. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

const NUMBER = /^(0x[0-9a-f]+|[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?)$/i;

/** One run of the parser. */
class Parser {
  readonly result: Record<string, unknown> & { _: (string | number)[] } = { _: [] };
  readonly #aliases = new Map<string, string[]>();
  readonly #booleans: Set<string>;
  readonly #strings: Set<string>;
  readonly #collected: Set<string>;
  readonly #negatable: Set<string>;

  constructor(readonly options: ParseOptions) {
    for (const [name, others] of Object.entries(options.alias ?? {})) {
      const group = [name, ...[others].flat()];
      for (const member of group) this.#aliases.set(member, group);
    }
    this.#booleans = this.#closure(options.boolean);
    this.#strings = this.#closure(options.string);
    this.#collected = this.#closure(options.collect);
    this.#negatable = this.#closure(options.negatable);
  }

  parse(args: readonly string[]): void {
    const dashes = args.indexOf("--");
    const flags = dashes < 0 ? args : args.slice(0, dashes);
    for (let i = 0; i < flags.length; i++) {
      const arg = flags[i]!;
      if (/^-./s.test(arg)) {
        if (this.#flag(arg, flags[i + 1])) i++;
        continue;
      }
      if (this.options.unknown?.(arg) !== false) this.result._.push(this.#positional(arg));
      if (this.options.stopEarly) {
        this.result._.push(...flags.slice(i + 1));
        break;
      }
    }
    this.#fill();
    const rest = dashes < 0 ? [] : args.slice(dashes + 1);
    if (this.options["--"]) this.result["--"] = rest;
    else this.result._.push(...rest);
  }

  /** The names together with their other names. */
  #closure(names: Names<string> = []): Set<string> {
    return new Set([names].flat().flatMap((name) => this.#group(name)));
  }

  #group(name: string): string[] {
    return this.#aliases.get(name) ?? [name];
  }

  #positional(arg: string): string | number {
    return !this.#strings.has("_") && NUMBER.test(arg) ? Number(arg) : arg;
  }

  /** Parses one flag; tells whether it took the next argument as its value. */
  #flag(arg: string, next: string | undefined): boolean {
    const [, name = "", value] = /^--?([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (arg.startsWith("--")) {
      if (value !== undefined) {
        this.#set(name, this.#booleans.has(name) ? value !== "false" : value, arg);
        return false;
      }
      const positive = name.replace(/^no-/, "");
      if (positive !== name && this.#negatable.has(positive)) {
        this.#set(positive, false, arg);
        return false;
      }
      return this.#last(name, next, arg);
    }
    for (let i = 0; i < name.length - 1; i++) {
      const rest = name.slice(i + 1);
      if (/^-?\d+(\.\d*)?$/.test(rest)) {
        this.#set(name[i]!, rest, arg);
        return false;
      }
      this.#set(name[i]!, this.#strings.has(name[i]!) ? "" : true, arg);
    }
    if (value === undefined) return this.#last(name.slice(-1), next, arg);
    this.#set(name.slice(-1), value, arg);
    return false;
  }

  /** A flag without `=`: the next argument may be its value. */
  #last(name: string, next: string | undefined, arg: string): boolean {
    if (next && !next.startsWith("-") && !this.#booleans.has(name)) {
      this.#set(name, next, arg);
      return true;
    }
    if (next === "true" || next === "false") {
      this.#set(name, next === "true", arg);
      return true;
    }
    this.#set(name, this.#strings.has(name) ? "" : true, arg);
    return false;
  }

  #set(name: string, value: string | boolean, arg: string): void {
    const known = [this.#booleans, this.#strings, this.#collected, this.#aliases].some((names) => names.has(name));
    if (!known && this.options.unknown?.(arg, name, value) === false) return;
    const typed = typeof value === "string" && !this.#strings.has(name) && NUMBER.test(value) ? Number(value) : value;
    for (const member of this.#group(name)) {
      if (this.#collected.has(member) && value !== false) {
        this.result[member] = [...(this.result[member] as unknown[] | undefined ?? []), typed];
      } else {
        this.result[member] = typed;
      }
    }
  }

  /** Gives the flags that did not come their values. */
  #fill(): void {
    const fill = (name: string, value: unknown) => {
      if (!Object.hasOwn(this.result, name)) this.result[name] = value;
    };
    for (const [name, value] of Object.entries(this.options.default ?? {})) {
      for (const member of this.#group(name)) fill(member, value);
    }
    for (const name of this.#booleans) fill(name, this.#collected.has(name) ? [] : false);
    for (const name of this.#strings) if (this.#collected.has(name)) fill(name, []);
  }
}

/**
 * Parses command line arguments.
 *
 * @param args The arguments.
 * @param options Which flags there are.
 * @returns The flags by name, and the other arguments as `_`.
 */
export function parseArgs<
  const Booleans extends string = never,
  const Strings extends string = never,
  const Collected extends string = never,
  Defaults extends Record<string, unknown> = Record<never, never>,
>(
  args: readonly string[],
  options: ParseOptions<Booleans, Strings, Collected, Defaults> = {},
): Args<Booleans, Strings, Collected, Defaults> {
  const parser = new Parser(options as ParseOptions);
  parser.parse(args);
  return parser.result as unknown as Args<Booleans, Strings, Collected, Defaults>;
}

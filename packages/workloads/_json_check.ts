import { ScenarioError } from "./scenario_error.ts";

/** An object from JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Short text of a value, for messages. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? text.slice(0, 40) + "…" : text;
}

/** Fails at a place. */
export function fail(place: string, problem: string, mend: string): never {
  throw new ScenarioError(place, problem, mend);
}

/** Checks that a value is an object with keys out of a list. */
export function objectAt(place: string, value: unknown, keys: readonly string[] | undefined): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    fail(place, `is ${show(value)}`, "write an object");
  }
  const stranger = keys && Object.keys(value).find((key) => !keys.includes(key));
  if (keys !== undefined && stranger !== undefined) {
    const path = place === "" ? stranger : `${place}.${stranger}`;
    fail(path, "is no part of a scenario here", `remove it, or use one of: ${keys.join(", ")}`);
  }
  return value as JsonObject;
}

/** Checks that a value is an array. */
export function arrayAt(place: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : fail(place, problemOf(value), "write an array");
}

/** Checks that a value is one of a few strings. */
export function oneOf<T extends string>(place: string, value: unknown, choices: readonly T[]): T {
  const chosen = choices.find((choice) => choice === value);
  return chosen ?? fail(place, problemOf(value), `write one of: ${choices.map((choice) => `"${choice}"`).join(", ")}`);
}

/** Checks that a value is a string. */
export function stringAt(place: string, value: unknown): string {
  return typeof value === "string" && value !== "" ? value : fail(place, problemOf(value), "write some text");
}

/** Checks that a value is an integer in a range, both ends included. */
export function integerAt(place: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  if (typeof value === "string" && /^(?:0x[0-9a-f]+|\d+)$/i.test(value) && Number.isSafeInteger(Number(value))) {
    fail(place, `is the text ${show(value)}`, `write the number ${Number(value)}`);
  }
  fail(place, problemOf(value), `write a whole number from ${min} to ${max}`);
}

/** Checks that a value is a multiple of 4096 in a range. */
export function pageMultipleAt(place: string, value: unknown, min: number, max: number): number {
  const number = integerAt(place, value, min, max);
  return number % 4096 === 0 ? number : fail(place, `is ${number}`, "write a multiple of 4096");
}

function problemOf(value: unknown): string {
  return value === undefined ? "is missing" : `is ${show(value)}`;
}

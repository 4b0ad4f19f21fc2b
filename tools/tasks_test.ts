import { assert, assertFalse } from "@std/assert";
import { readConfig } from "./workspace.ts";

const TASKS = Object.entries(readConfig("deno.json").tasks ?? {});

Deno.test("every task has a description", () => {
  for (const [name, { description }] of TASKS) assert(description, name);
});

Deno.test("no task runs with all permissions", () => {
  for (const [name, { command = "" }] of TASKS) {
    assertFalse(/(^|\s)(-\w*A\w*|--allow-all)(\s|$)/.test(command), name);
  }
});

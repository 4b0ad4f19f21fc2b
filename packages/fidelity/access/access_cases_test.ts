import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "@mmu-lab/protocol";
import { ACCESS_CASES, accessCase, formatAccessCase } from "./access_cases.ts";

Deno.test("accessCase() numbers millions of cases, and refuses others", () => {
  assert(ACCESS_CASES > 10_000_000);
  for (const number of [-1, ACCESS_CASES, 0.5]) {
    assertThrows(() => accessCase(number), RangeError, `expected 0 to ${ACCESS_CASES - 1}`);
  }
});

Deno.test("accessCase() makes no case twice: neighbours and a sample print differently", () => {
  const random = seededRandom(2013);
  const numbers = new Set([0, ACCESS_CASES - 1]);
  for (let i = 0; i < 200; i++) {
    const start = random(ACCESS_CASES - 100);
    for (let n = 0; n < 100; n++) numbers.add(start + n);
  }
  const texts = new Set([...numbers].map((number) => formatAccessCase(accessCase(number))));
  assertEquals(texts.size, numbers.size);
});

Deno.test("accessCase() varies every setting in every mode that has it", () => {
  const random = seededRandom(1);
  const seen = new Map<string, Set<unknown>>();
  for (let i = 0; i < 20_000; i++) {
    const { mode, pde, pte, ...settings } = accessCase(random(ACCESS_CASES));
    for (const [name, value] of Object.entries({ ...settings, pde: pde.join(), pte: pte.join() })) {
      const key = `${mode} ${name}`;
      seen.set(key, (seen.get(key) ?? new Set()).add(value));
    }
  }
  for (const mode of ["32-bit", "PAE", "4-level", "5-level"]) {
    for (const name of ["wp", "nxe", "smep", "smap", "ac", "user"]) assertEquals(seen.get(`${mode} ${name}`)!.size, 2);
    assertEquals(seen.get(`${mode} kind`)!.size, 3);
    assertEquals(seen.get(`${mode} pke`)!.size, mode.endsWith("level") ? 2 : 1);
    assert(seen.get(`${mode} pde`)!.size > 30 && seen.get(`${mode} pte`)!.size > 30, mode);
  }
});

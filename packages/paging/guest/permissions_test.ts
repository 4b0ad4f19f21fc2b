import { assertEquals } from "@std/assert";
import { PFERR_FETCH, PFERR_USER, PFERR_WRITE } from "../fault/pferr.ts";
import { PAGING_32BIT, PAGING_4_LEVEL } from "./format.ts";
import type { PagingState } from "./guest_role.ts";
import { eptPermissionBitmap, NOT_SMAP, permissionBitmap, pkruMask } from "./permissions.ts";

const OPTIONS = ["cr0Wp", "cr4Smep", "cr4Smap", "cr4Pke", "eferNx"] as const;

/** Every combination of what permissions depend on. */
function* states(): Generator<PagingState> {
  for (let bits = 0; bits < 1 << OPTIONS.length; bits++) {
    const on = Object.fromEntries(OPTIONS.map((name, n) => [name, ((bits >> n) & 1) !== 0]));
    yield { format: PAGING_4_LEVEL, maxphyaddr: 46, ...on };
  }
}

Deno.test("permissionBitmap() is the formula of 3.11 where there is no SMAP", () => {
  for (const state of states()) {
    if (state.cr4Smap) continue;
    const bitmap = permissionBitmap(state);
    for (let code = 0; code < 32; code += 2) {
      for (let access = 0; access < 8; access++) {
        const user = (code & PFERR_USER) !== 0;
        const u = (access & 4) !== 0;
        const x = ((access & 1) !== 0 || !state.eferNx) && !(state.cr4Smep && u && !user);
        const w = (access & 2) !== 0 || (!state.cr0Wp && !user);
        const fault = ((code & PFERR_FETCH) !== 0 && !x) || (user && !u) || ((code & PFERR_WRITE) !== 0 && !w);
        assertEquals((bitmap[code >> 1] >> access) & 1, fault ? 1 : 0, `code ${code} access ${access}`);
      }
    }
  }
});

Deno.test("permissionBitmap() with SMAP forbids the supervisor's data accesses to user pages, unless told it does not apply", () => {
  const state = { format: PAGING_4_LEVEL, maxphyaddr: 46, cr0Wp: true, eferNx: true };
  const without = permissionBitmap(state);
  const smap = permissionBitmap({ ...state, cr4Smap: true });
  for (let code = 0; code < 32; code += 2) {
    const applies = (code & (PFERR_USER | PFERR_FETCH | NOT_SMAP)) === 0;
    assertEquals(smap[code >> 1], without[code >> 1] | (applies ? 0xf0 : 0), `code ${code}`);
  }
});

Deno.test("eptPermissionBitmap() takes user for readable and knows no control register", () => {
  const bitmap = eptPermissionBitmap();
  assertEquals([...bitmap.slice(0, 4)], [0, 0b00110011, 0b00001111, 0b00111111]);
  assertEquals(bitmap[PFERR_FETCH >> 1], 0b01010101);
});

Deno.test("pkruMask() has two bits for user pages: access disabled for data, write disabled by ring or CR0.WP", () => {
  for (const state of states()) {
    const mask = pkruMask(state);
    for (let code = 0; code < 32; code += 2) {
      const data = (code & PFERR_FETCH) === 0 && (code & 8) !== 0;
      const write = (code & PFERR_WRITE) !== 0 && ((code & PFERR_USER) !== 0 || state.cr0Wp === true);
      const expected = state.cr4Pke && data ? (write ? 3 : 1) : 0;
      assertEquals((mask >>> code) & 3, expected, `code ${code}`);
    }
  }
  assertEquals(pkruMask({ format: PAGING_32BIT, maxphyaddr: 40, cr4Pke: true }), 0);
});

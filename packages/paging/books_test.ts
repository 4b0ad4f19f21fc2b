import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { auditBooks } from "./books.ts";
import { invalidated } from "./pages/role.ts";
import { TinyLegacy } from "./testdata/tiny_legacy.ts";
import { TinyMmu } from "./testdata/tiny_mmu.ts";
import { prepareZap } from "./pages/zap.ts";

/** Two vCPUs, RAM in one table, MMIO sptes in two others; pages 0 to 5: root, two directories, three tables. */
function busy(): TinyMmu {
  const tiny = new TinyMmu();
  tiny.addVcpu();
  tiny.slot();
  for (const gfn of [3, 0x200, 0x201, 0x400]) tiny.fault(gfn);
  assertEquals(auditBooks(tiny.mmu), []);
  return tiny;
}

/** Something wrong, and a finding that says so. */
const MISTAKES: Readonly<Record<string, readonly [finding: string, spoil: (tiny: TinyMmu) => void]>> = {
  "a wrong MMIO count": ["counts 3 MMIO sptes, and holds 2", ({ mmu }) => mmu.pool.mmioCount[4]++],
  "a wrong number of pages with MMIO sptes": [
    "3 pages are counted to hold MMIO sptes, and 2 do",
    ({ mmu }) => mmu.pagesWithMmio++,
  ],
  "a wrong number of used pages": ["7 pages are counted as used, and 6 are", ({ mmu }) => mmu.pool.used++],
  "a wrong number of mappings": [
    "2 mappings of level 2 are counted, and 0 are there",
    ({ mmu }) => mmu.stats.pages_2m = 2,
  ],
  "a wrong root count": ["Page 0 counts 3 users as root, and has 2", ({ mmu }) => mmu.pool.rootCount[0]++],
  "a root of the wrong level": ["has page 4 as root, of level 1", ({ mmu }) => mmu.vcpus[1].root = 4],
  "a table entry that is gone": ["no link", ({ mmu }) => mmu.pool.set(2, 1, 0, 0)],
  "a parent that is forgotten": ["does not know of its parent", ({ mmu }) => mmu.pool.parent[4] = -1],
  "a parent that is known twice": ["knows a parent twice", ({ mmu }) => {
    mmu.pool.moreParents.set(4, [mmu.pool.parent[4]]);
  }],
  "further parents without a first": ["has further parents and no first one", ({ mmu }) => {
    mmu.pool.moreParents.set(0, [5]);
  }],
  "an empty list of parents": ["an empty list of further parents", ({ mmu }) => {
    mmu.pool.moreParents.set(4, []);
  }],
  "a link to the wrong table": ["links page 4 (gfn 0x200 level 1) at 0x400", ({ mmu }) => {
    mmu.pool.set(2, 2, mmu.pool.lo(2, 1), mmu.pool.hi(2, 1));
  }],
  "an MMIO spte in the wrong place": ["an MMIO spte for gfn 0x201 at 0x202", ({ mmu }) => {
    mmu.setSpte(4, 2, mmu.pool.lo(4, 1), mmu.pool.hi(4, 1));
  }],
  "an MMIO spte above level 1": ["an MMIO spte at level 2", ({ mmu }) => {
    mmu.setSpte(2, 9, mmu.pool.lo(4, 1), mmu.pool.hi(4, 1));
  }],
  "an entry that means nothing": ["0x2 is neither present nor an MMIO spte", ({ mmu }) => {
    mmu.pool.set(3, 100, 2, 0);
  }],
  "a gfn that the hash does not know": ["is not found by the hash", ({ mmu }) => mmu.pool.gfn[5] = 0x1234567],
  "a page that is lost": ["is lost: neither listed nor waiting to be freed", ({ mmu }) => mmu.pool.unlist(5)],
  "a page that is listed and free": ["is on the list of active pages and free", ({ mmu }) => mmu.pool.free(5)],
  "a page that waits to be freed and is used": ["waits to be freed and is not marked invalid", ({ mmu }) => {
    mmu.zapped.push(5);
  }],
};

for (const [what, [finding, spoil]] of Object.entries(MISTAKES)) {
  Deno.test(`auditBooks() finds ${what}`, () => {
    const tiny = busy();
    spoil(tiny);
    assertStringIncludes(auditBooks(tiny.mmu).join("\n"), finding);
  });
}

Deno.test("auditBooks() is content between the steps of a zap", () => {
  const tiny = busy();
  tiny.locked(() => {
    prepareZap(tiny.mmu, 2);
    prepareZap(tiny.mmu, 0);
    assertEquals(tiny.mmu.zapped, [2]);
    assertEquals(auditBooks(tiny.mmu), []);
  });
});

Deno.test("auditBooks() counts no work", () => {
  const tiny = busy();
  const before = tiny.mmu.counters.toJSON();
  auditBooks(tiny.mmu);
  assertEquals(tiny.mmu.counters.toJSON(), before);
  assert(before.sptesVisited > 0);
});

Deno.test("auditBooks() finds a zapped root that is still listed where it must not be", () => {
  const tiny = new TinyLegacy();
  const { mmu, vcpu } = tiny;
  mmu.pool.role[vcpu.root] = invalidated(mmu.pool.role[vcpu.root]);
  assertStringIncludes(auditBooks(mmu).join("\n"), `Page ${vcpu.root} is a zapped root and still listed`);
});

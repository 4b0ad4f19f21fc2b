import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NO_PAGE, type PageId, ShadowPagePool } from "./page_pool.ts";

/** Pages from newest to oldest. */
function list(pool: ShadowPagePool): PageId[] {
  const pages: PageId[] = [];
  for (let page = pool.newest; page !== NO_PAGE; page = pool.olderThan(page)) pages.push(page);
  return pages;
}

function bucket(pool: ShadowPagePool, gfn: number): PageId[] {
  const pages: PageId[] = [];
  for (let page = pool.firstInBucket(gfn); page !== NO_PAGE; page = pool.nextInBucket(page)) pages.push(page);
  return pages;
}

Deno.test("ShadowPagePool.allocate() gives a page with all entries clear, at the head of the list", () => {
  const pool = new ShadowPagePool();
  const first = pool.allocate(0, 1, 0);
  const second = pool.allocate(0x200, 2, 7);
  assertEquals(list(pool), [second, first]);
  assertEquals([pool.newest, pool.oldest], [second, first]);
  assertEquals([pool.gfn[second], pool.role[second], pool.validGen[second]], [0x200, 2, 7]);
  assertEquals([pool.rootCount[second], pool.mmioCount[second], pool.parent[second]], [0, 0, -1]);
  for (let index = 0; index < 512; index++) assertEquals([pool.lo(second, index), pool.hi(second, index)], [0, 0]);
});

Deno.test("ShadowPagePool.free() lets an id be used again, clear, with a new serial", () => {
  const pool = new ShadowPagePool();
  const page = pool.allocate(0, 1, 0);
  const serial = pool.serial[page];
  pool.set(page, 511, 0x12345678, -1);
  pool.setMmioCached(page);
  pool.unlist(page);
  assert(pool.isLive(page));
  pool.free(page);
  assert(!pool.isLive(page));
  assertEquals(pool.allocate(0x200, 1, 0), page);
  assert(pool.serial[page] !== serial);
  assertEquals([pool.lo(page, 511), pool.hi(page, 511), pool.mmioCached(page)], [0, 0, false]);
  assertEquals(pool.length, 1);
});

Deno.test("ShadowPagePool keeps entries and columns when it grows", () => {
  const pool = new ShadowPagePool();
  const pages = Array.from({ length: 1000 }, (_, i) => pool.allocate(i * 512, 1, i));
  for (const page of pages) pool.set(page, page % 512, page, -page);
  for (let i = 0; i < 500; i++) pool.allocate(i, 2, 0);
  for (const page of pages) {
    assertEquals([pool.lo(page, page % 512), pool.hi(page, page % 512)], [page, -page || 0]);
    assertEquals([pool.gfn[page], pool.validGen[page]], [page * 512, page]);
    const at = pool.laneOffset(page) + 2 * (page % 512);
    assertEquals(pool.lanes(page)[at], page);
  }
});

Deno.test("ShadowPagePool.moveToNewest() moves a page from anywhere to the head", () => {
  const pool = new ShadowPagePool();
  const [a, b, c] = [0, 1, 2].map((gfn) => pool.allocate(gfn, 1, 0));
  pool.moveToNewest(b);
  assertEquals(list(pool), [b, c, a]);
  pool.moveToNewest(a);
  assertEquals(list(pool), [a, b, c]);
  pool.moveToNewest(a);
  assertEquals(list(pool), [a, b, c]);
  assertEquals(pool.oldest, c);
});

Deno.test("ShadowPagePool.isLive() is false for ids that were never used", () => {
  const pool = new ShadowPagePool();
  assert(!pool.isLive(0) && !pool.isLive(-1) && !pool.isLive(12345));
});

Deno.test("ShadowPagePool agrees with a map of live pages, whatever is allocated and freed", () => {
  const gfns = fc.oneof(fc.nat(40), fc.nat(2 ** 30).map((n) => n * 512));
  const operation = fc.oneof(
    fc.record({ kind: fc.constant("allocate" as const), gfn: gfns }),
    fc.record({ kind: fc.constantFrom("free", "unlist", "newest"), pick: fc.nat() }),
  );
  fc.assert(fc.property(fc.array(operation, { maxLength: 400, size: "max" }), (operations) => {
    const pool = new ShadowPagePool();
    const live = new Map<PageId, number>();
    let order: PageId[] = [];
    for (const operation of operations) {
      if ("gfn" in operation) {
        const page = pool.allocate(operation.gfn, 1, 0);
        assert(!live.has(page));
        live.set(page, operation.gfn);
        order.unshift(page);
        continue;
      }
      if (order.length === 0) continue;
      const page = order[operation.pick % order.length];
      order = order.filter((other) => other !== page);
      if (operation.kind === "newest") {
        pool.moveToNewest(page);
        order.unshift(page);
        continue;
      }
      pool.unlist(page);
      if (operation.kind === "free") {
        pool.free(page);
        live.delete(page);
      }
    }
    assertEquals(list(pool), order);
    assertEquals(order.map((page) => pool.newerThan(page)), [NO_PAGE, ...order].slice(0, order.length));
    for (let page = 0; page < pool.length; page++) assertEquals(pool.isLive(page), live.has(page));
    for (const [page, gfn] of live) assert(bucket(pool, gfn).includes(page));
    for (const gfn of live.values()) for (const page of bucket(pool, gfn)) assert(live.has(page));
  }));
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Execution } from "./execution.ts";
import { Lock, LockNotHeldError } from "./lock.ts";
import { Work } from "./work_counters.ts";

function world(): { execution: Execution; lock: Lock } {
  const execution = new Execution();
  return { execution, lock: new Lock("mmu_lock", execution) };
}

Deno.test("Lock.acquire is enabled while nobody holds the lock, not even its holder", () => {
  const { lock } = world();
  assert(lock.acquire.enabled(1));
  lock.acquire.take(1);
  assertEquals(lock.owner, 1);
  assert(!lock.acquire.enabled(1));
  assert(!lock.acquire.enabled(2));
  lock.release.take(1);
  assertEquals(lock.owner, -1);
  assert(lock.acquire.enabled(2));
});

Deno.test("Lock.release throws when another actor holds the lock", () => {
  const { lock } = world();
  lock.acquire.take(1);
  const error = assertThrows(() => lock.release.take(2), LockNotHeldError, "Cannot release mmu_lock");
  assertEquals([error.lock, error.action, error.actor], ["mmu_lock", "release mmu_lock", 2]);
  assertEquals(lock.owner, 1);
});

Deno.test("Lock.release throws when nobody holds the lock", () => {
  assertThrows(() => world().lock.release.take(0), LockNotHeldError);
});

Deno.test("Lock.assertHeld() throws unless the running actor holds the lock", () => {
  const { execution, lock } = world();
  lock.acquire.take(3);
  execution.actor = 3;
  lock.assertHeld("zap a shadow page");
  assert(lock.heldByCurrent);
  execution.actor = 4;
  assert(!lock.heldByCurrent);
  assertThrows(
    () => lock.assertHeld("zap a shadow page"),
    LockNotHeldError,
    "Cannot zap a shadow page: actor 4 does not hold mmu_lock",
  );
});

Deno.test("Lock measures the work done under it, and the longest hold", () => {
  const { execution, lock } = world();
  const { counts } = execution.counters;
  for (const pages of [5, 20, 10]) {
    counts[Work.pagesVisited] += 100;
    lock.acquire.take(0);
    counts[Work.pagesVisited] += pages;
    lock.release.take(0);
  }
  assertEquals(lock.heldUnits, 35);
  assertEquals(lock.longestHoldUnits, 20);
  assertEquals(counts[Work.lockAcquisitions], 3);
});

Deno.test("Lock has steps that are frozen and always the same", () => {
  const { lock } = world();
  assert(Object.isFrozen(lock.acquire) && Object.isFrozen(lock.release));
  assertEquals([lock.acquire.name, lock.release.name], ["acquire mmu_lock", "release mmu_lock"]);
});

Deno.test("Lock.acquireRead lets many in, and Lock.acquire waits for all of them", () => {
  const { lock } = world();
  lock.acquireRead.take(1);
  assert(lock.acquireRead.enabled(2));
  lock.acquireRead.take(2);
  assertEquals([lock.heldBy(1), lock.heldBy(2), lock.heldBy(3), lock.owner], ["read", "read", undefined, -1]);
  assert(!lock.acquire.enabled(3));
  lock.releaseRead.take(1);
  assert(!lock.acquire.enabled(3));
  lock.releaseRead.take(2);
  lock.acquire.take(3);
  assertEquals(lock.heldBy(3), "write");
  assert(!lock.acquireRead.enabled(1));
});

Deno.test("Lock.releaseRead throws when the actor does not hold the lock to read", () => {
  const { lock } = world();
  lock.acquireRead.take(1);
  assertThrows(() => lock.releaseRead.take(2), LockNotHeldError, "Cannot release mmu_lock (read)");
  lock.releaseRead.take(1);
  lock.acquire.take(1);
  assertThrows(() => lock.releaseRead.take(1), LockNotHeldError);
});

Deno.test("Lock.assertHeld() wants the lock held to write, Lock.assertHeldToRead() is content with either", () => {
  const { execution, lock } = world();
  execution.actor = 3;
  assertThrows(() => lock.assertHeldToRead("walk"), LockNotHeldError, "Cannot walk: actor 3 does not hold mmu_lock");
  lock.acquireRead.take(3);
  lock.assertHeldToRead("walk");
  assertThrows(() => lock.assertHeld("zap"), LockNotHeldError);
  lock.releaseRead.take(3);
  lock.acquire.take(3);
  lock.assertHeldToRead("walk");
});

Deno.test("Lock measures the work of each who holds it to read", () => {
  const { execution, lock } = world();
  lock.acquireRead.take(1);
  execution.counters.counts[Work.sptesVisited] += 10;
  lock.acquireRead.take(2);
  execution.counters.counts[Work.sptesVisited] += 5;
  lock.releaseRead.take(1);
  lock.releaseRead.take(2);
  // Taking the lock is work too: the second was taken while the first was held.
  assertEquals([lock.heldUnits, lock.longestHoldUnits], [21, 16]);
});

Deno.test("Lock.isTakenBy() tells the steps that take the lock from those that give it back, and from another lock's", () => {
  const execution = new Execution();
  const [lock, other] = [new Lock("a", execution), new Lock("b", execution)];
  const taking = [lock.acquire, lock.enter, lock.acquireRead, lock.enterRead];
  assertEquals(taking.map((step) => [lock.isTakenBy(step), other.isTakenBy(step)]), taking.map(() => [true, false]));
  for (const step of [lock.release, lock.leave, lock.releaseRead, lock.leaveRead]) {
    assertEquals(lock.isTakenBy(step), false);
  }
});

import type { Lock, Step } from "@mmu-lab/protocol";
import type { LockReport, WaitReport } from "./report.ts";

/** Keeps how long was waited at steps, and how long locks were held. */
export class Waits {
  readonly #locks: LockMeter[];
  readonly #byAcquire: Map<Step, LockMeter> = new Map();
  readonly #byRelease: Map<Step, LockMeter> = new Map();
  readonly #others: Map<string, WaitMeter> = new Map();

  constructor(locks: readonly Lock[]) {
    this.#locks = locks.map((lock) => {
      const meter = new LockMeter(lock.name);
      for (const step of [lock.acquire, lock.enter, lock.acquireRead, lock.enterRead]) this.#byAcquire.set(step, meter);
      for (const step of [lock.release, lock.leave, lock.releaseRead, lock.leaveRead]) this.#byRelease.set(step, meter);
      return meter;
    });
  }

  /** A step was taken at a virtual time, after a wait of so many cycles if it was `blocked`. */
  taken(step: Step, now: number, waited: number, blocked: boolean): void {
    const acquired = this.#byAcquire.get(step);
    if (acquired !== undefined) acquired.acquired(now, waited, blocked);
    else if (blocked) this.#other(step.name).add(waited);
    else this.#byRelease.get(step)?.released(now);
  }

  locks(): LockReport[] {
    return this.#locks.map((meter) => meter.report());
  }

  others(): WaitReport[] {
    return [...this.#others].map(([name, { count, total, longest }]) => ({ name, count, total, longest }));
  }

  #other(name: string): WaitMeter {
    let meter = this.#others.get(name);
    if (meter === undefined) this.#others.set(name, meter = new WaitMeter());
    return meter;
  }
}

class WaitMeter {
  count = 0;
  total = 0;
  longest = 0;

  add(waited: number): void {
    this.count++;
    this.total += waited;
    if (waited > this.longest) this.longest = waited;
  }
}

class LockMeter {
  readonly #waits = new WaitMeter();
  readonly #holds = new WaitMeter();
  #acquisitions = 0;
  /** Since when the lock is held, by how many: readers may be several, and count as one hold. */
  #since = 0;
  #holders = 0;

  constructor(readonly name: string) {}

  acquired(now: number, waited: number, blocked: boolean): void {
    this.#acquisitions++;
    if (this.#holders++ === 0) this.#since = now;
    if (blocked) this.#waits.add(waited);
  }

  released(now: number): void {
    if (--this.#holders === 0) this.#holds.add(now - this.#since);
  }

  report(): LockReport {
    return {
      name: this.name,
      acquisitions: this.#acquisitions,
      contended: this.#waits.count,
      totalWait: this.#waits.total,
      longestWait: this.#waits.longest,
      totalHold: this.#holds.total,
      longestHold: this.#holds.longest,
    };
  }
}

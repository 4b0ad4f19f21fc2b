/**
 * For tests: worlds so small that what an explorer must find is known.
 *
 * @module
 */
import { Execution, Lock, point, type Protocol, reads, writes } from "@mmu-lab/protocol";
import type { World, WorldFactory } from "../world.ts";

const WRITE = point("write");
const IDLE = point("idle");
const LOOK = point("look");

/** Actors that add one to a counter by a read and a write; with `locked` under a lock. */
export function counterWorld(actors: number, locked: boolean | "to-read"): WorldFactory {
  return () => {
    const execution = new Execution();
    const lock = new Lock("lock", execution);
    let counter = 0;
    function* add(): Protocol<void> {
      if (locked) yield locked === "to-read" ? lock.acquireRead : lock.acquire;
      const read = counter;
      execution.observe(read);
      yield WRITE;
      counter = read + 1;
      if (locked) yield locked === "to-read" ? lock.releaseRead : lock.release;
    }
    return world(execution, Array(actors).fill(add), {
      locks: [lock],
      hashInto: (hasher) => void hasher.add(counter),
      finalViolation: () => counter === actors ? undefined : `an update was lost: ${counter} of ${actors}`,
    });
  };
}

/** Two actors that look at a number some times, and one that changes it once; all say what they touch. */
export function readersWorld(looks: number): WorldFactory {
  const NUMBER = 2;
  return () => {
    const execution = new Execution();
    let number = 0;
    function* look(): Protocol<void> {
      for (let i = 0; i < looks; i++) {
        yield LOOK;
        execution.touched |= reads(NUMBER);
        execution.observe(number);
      }
    }
    function* change(): Protocol<void> {
      yield WRITE;
      execution.touched |= writes(NUMBER);
      number++;
    }
    return world(execution, [look, look, change], {
      hashInto: (hasher) => void hasher.add(number),
      saysWhatItTouches: () => true,
    });
  };
}

/**
 * An endless actor that counts to two and back, and one that begins anew whenever the count has changed between two looks.
 * With `patient` it begins anew once at most.
 */
export function restlessWorld(patient: boolean): WorldFactory {
  return () => {
    const execution = new Execution();
    let count = 0;
    function* tick(): Protocol<void> {
      for (;;) {
        yield WRITE;
        count = 1 - count;
        execution.forget();
      }
    }
    function* look(): Protocol<void> {
      const start = execution.observed(execution.actor);
      for (let tries = 0; tries < (patient ? 2 : Infinity); tries++) {
        if (!patient) execution.beginAnew(start);
        yield LOOK;
        const first = count;
        execution.observe(first);
        yield LOOK;
        execution.observe(count);
        if (count === first) return;
      }
    }
    const { actors, ...rest } = world(execution, [tick, look], { hashInto: (hasher) => void hasher.add(count) });
    return { ...rest, actors: [{ ...actors[0], endless: true }, actors[1]] };
  };
}

/** Two actors that take two locks, in the same order or in opposite ones. */
export function lockOrderWorld(opposite: boolean): WorldFactory {
  return () => {
    const execution = new Execution();
    const [a, b] = [new Lock("a", execution), new Lock("b", execution)];
    function* take(first: Lock, second: Lock): Protocol<void> {
      yield first.acquire;
      yield second.acquire;
      yield second.release;
      yield first.release;
    }
    const other = () => (opposite ? take(b, a) : take(a, b));
    return world(execution, [() => take(a, b), other], { locks: [a, b] });
  };
}

/** An actor that ends while it holds a lock. */
export const FORGETFUL_WORLD: WorldFactory = () => {
  const execution = new Execution();
  const lock = new Lock("lock", execution);
  function* forget(): Protocol<void> {
    yield lock.acquire;
  }
  return world(execution, [forget], { locks: [lock] });
};

/** Actors that take a number of steps each and share nothing. */
export function idleWorld(actors: number, steps: number, interchangeable: boolean): WorldFactory {
  return () => {
    const execution = new Execution();
    function* idle(): Protocol<void> {
      for (let i = 0; i < steps; i++) yield IDLE;
    }
    return world(execution, Array(actors).fill(idle), {
      ...(interchangeable ? { interchangeable: Array.from({ length: actors }, (_, i) => i) } : {}),
    });
  };
}

function world(
  execution: Execution,
  starts: readonly (() => Protocol<void>)[],
  rest: Partial<World>,
): World {
  return {
    execution,
    actors: starts.map((start, i) => ({ name: `actor ${i}`, start })),
    locks: [],
    hashInto: () => {},
    violation: () => undefined,
    ...rest,
  };
}

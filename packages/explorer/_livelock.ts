import { formatSchedule } from "./schedule.ts";

/** What is wrong with a circle, by who takes each step of it. */
export function livelockOf(round: readonly number[]): string {
  return `livelock: ${
    formatSchedule(round)
  }, the end of the schedule, may go round for ever, though everybody gets a turn`;
}

/** A state of a world in which some actor never ends, as far as circles are concerned. */
interface Node {
  /** Who can go on there, as bits. */
  readonly enabled: number;
  /** Where each step leads, by actor. */
  readonly next: Map<number, number>;
  /** The state from which it was first met, and who took the step; the first state has none. */
  readonly from: readonly [key: number, actor: number] | undefined;
}

/**
 * The states of an exploration and the steps between them, to find out whether a run may go on for ever although everybody
 * gets a turn. Kept only for worlds with endless actors.
 */
export class StateGraph {
  readonly #nodes: Map<number, Node> = new Map();

  /** Adds a state, unless it is known; `from` says how it was met. */
  add(key: number, enabled: readonly number[], from?: readonly [key: number, actor: number]): void {
    if (!this.#nodes.has(key)) this.#nodes.set(key, { enabled: bitsOf(enabled), next: new Map(), from });
    if (from !== undefined) this.#nodes.get(from[0])!.next.set(from[1], key);
  }

  /**
   * Finds a circle in which whoever can go on anywhere does (strong fairness: the kernel's spin locks are queued, nobody
   * starves at one). As no run is over in it, somebody goes round who should end, or waits for ever.
   *
   * @returns Who takes each step, from the first state into the circle, and once round it; or nothing if there is none.
   */
  fairCircle(): { way: number[]; round: number[] } | undefined {
    const work: (readonly number[])[] = [[...this.#nodes.keys()]];
    for (let states = work.pop(); states !== undefined; states = work.pop()) {
      for (const component of this.#components(states)) {
        const inside = new Set(component);
        const going = this.#goingIn(inside);
        if (going === 0) continue;
        const starving = component.filter((key) => (this.#nodes.get(key)!.enabled & ~going) !== 0);
        if (starving.length === 0) {
          return { way: this.#wayTo(component[0]), round: this.#round(component[0], inside, going) };
        }
        const left = new Set(starving);
        work.push(component.filter((key) => !left.has(key)));
      }
    }
    return undefined;
  }

  /** Who takes steps that stay inside, as bits. */
  #goingIn(inside: ReadonlySet<number>): number {
    let going = 0;
    for (const key of inside) {
      for (const [actor, to] of this.#nodes.get(key)!.next) if (inside.has(to)) going |= 1 << actor;
    }
    return going;
  }

  /** Strongly connected components (Tarjan 1972), without recursion. */
  #components(states: readonly number[]): number[][] {
    const among = new Set(states);
    const index = new Map<number, number>();
    const low = new Map<number, number>();
    const open: number[] = [];
    const isOpen = new Set<number>();
    const components: number[][] = [];
    const enter = (key: number) => {
      index.set(key, index.size);
      low.set(key, index.size - 1);
      open.push(key);
      isOpen.add(key);
      return { key, rest: [...this.#nodes.get(key)!.next.values()].filter((to) => among.has(to)) };
    };
    for (const start of states) {
      if (index.has(start)) continue;
      const stack = [enter(start)];
      while (stack.length > 0) {
        const { key, rest } = stack[stack.length - 1];
        const to = rest.pop();
        if (to !== undefined) {
          if (!index.has(to)) stack.push(enter(to));
          else if (isOpen.has(to)) low.set(key, Math.min(low.get(key)!, index.get(to)!));
          continue;
        }
        stack.pop();
        const above = stack.at(-1);
        if (above !== undefined) low.set(above.key, Math.min(low.get(above.key)!, low.get(key)!));
        if (low.get(key) !== index.get(key)) continue;
        const component = open.splice(open.lastIndexOf(key));
        for (const member of component) isOpen.delete(member);
        components.push(component);
      }
    }
    return components;
  }

  #wayTo(key: number): number[] {
    const way: number[] = [];
    for (let { from } = this.#nodes.get(key)!; from !== undefined; { from } = this.#nodes.get(from[0])!) {
      way.push(from[1]);
    }
    return way.reverse();
  }

  /** A way from a state back to it, inside, on which everybody takes a step who can take one inside. */
  #round(start: number, inside: ReadonlySet<number>, going: number): number[] {
    const way: number[] = [];
    let at = start;
    for (let missing = going; missing !== 0;) {
      const leg = this.#shortest(at, inside, (_, actor) => (missing & (1 << actor)) !== 0);
      for (const [actor, to] of leg) {
        way.push(actor);
        missing &= ~(1 << actor);
        at = to;
      }
    }
    if (at !== start) { for (const [actor] of this.#shortest(at, inside, (to) => to === start)) way.push(actor); }
    return way;
  }

  /** The shortest way inside whose last step is the first that fits. */
  #shortest(
    from: number,
    inside: ReadonlySet<number>,
    fits: (to: number, actor: number) => boolean,
  ): [actor: number, to: number][] {
    const ways = new Map<number, [actor: number, to: number][]>([[from, []]]);
    for (const [key, way] of ways) {
      for (const [actor, to] of this.#nodes.get(key)!.next) {
        if (!inside.has(to)) continue;
        if (fits(to, actor)) return [...way, [actor, to]];
        if (!ways.has(to)) ways.set(to, [...way, [actor, to]]);
      }
    }
    throw new Error("Cannot go round: the states are not connected");
  }
}

/**
 * Whether a run that has come back to a state goes round for ever: whoever can go on in the circle does.
 *
 * @param actors Who took each step of the circle. @param enabled Who could go on in each of its states.
 */
export function isFairCircle(actors: readonly number[], enabled: readonly (readonly number[])[]): boolean {
  return enabled.every((could) => could.every((actor) => actors.includes(actor)));
}

function bitsOf(actors: readonly number[]): number {
  return actors.reduce((bits, actor) => bits | (1 << actor), 0);
}

/**
 * Breadth-first search over all states that a configuration can reach, with the shortest way to what must not be.
 *
 * Rules: the search ends when there is no state left that was not looked at, so within the bounds nothing was left out. A state is known
 * by its whole key, not by a hash of it. From every state the *healed* way must lead to rest: what broke is noticed, dials succeed, bytes arrive,
 * applications finish, and time passes. So there is no state in which something waits for ever.
 *
 * @module
 */

import { awaited, unanswered } from "./asked.ts";
import { Violation } from "./effects.ts";
import { forgetFrames } from "./frames.ts";
import { atRest, unfinished } from "./judge.ts";
import { forget } from "./machine.ts";
import { type Configuration, Keys, type Side, type State, type Transport } from "./state.ts";
import { beginning, reaches, Step } from "./step.ts";

/** Something that can happen in a state. */
export interface Action {
  readonly name: string;
  readonly apply: (step: Step) => void;
}

/** What a search found. */
export interface Found {
  readonly states: number;
  readonly transitions: number;
  /** Different states of a client and of a server by themselves. */
  readonly machines: number;
  /** The most actions that it takes to reach a state. */
  readonly depth: number;
  /** States in which nothing is left to be done. */
  readonly rest: number;
  /** States beyond the bounds through which the healed ways led. */
  readonly beyond: number;
  /** What must not be, and the shortest way there; null: nothing. */
  readonly wrong: { readonly what: string; readonly trace: readonly string[] } | null;
}

const SIDES: readonly Side[] = ["client", "server"];

/** The longest healed way, steps. */
const HEALED = 2_000;

/** All that can happen. The order decides nothing but which of the shortest ways is shown. */
export function actions(state: State, configuration: Configuration): Action[] {
  const { bounds } = configuration;
  const { used } = state;
  const list: Action[] = [];
  const add = (name: string, apply: (step: Step) => void, what?: keyof State["used"]): void => {
    if (what !== undefined && used[what] >= bounds[what]) return;
    list.push({
      name,
      apply(step) {
        if (what !== undefined) step.use(what);
        apply(step);
      },
    });
  };
  for (const t of state.transports) {
    const on = `on ${t.dial}`;
    for (const to of SIDES) {
      const queue = t.to[to];
      if (queue.length === 0 || !reaches(state, t, to) || isHeld(state, t, to)) continue;
      add(`deliver to the ${to} ${on}`, (step) => step.deliver(t.dial, to, queue.length));
      if (configuration.frames && queue.length > 1) {
        add(`deliver a frame to the ${to} ${on}`, (step) => step.deliver(t.dial, to, 1));
      }
      if (t.dead && queue[0] !== null) {
        add(
          `deliver half a frame, and the end, to the ${to} ${on}`,
          (step) => step.deliver(t.dial, to, 0, true),
        );
      }
    }
    if (isHeld(state, t, "client") && (t.dead || t.to.client.length > 0)) {
      add(`something comes ${on}, which is held`, (step) => step.heard(t.dial));
    }
    if (!t.dead) add(`cut ${t.dial}`, (step) => step.cut(t.dial), "cuts");
    else {
      for (const side of SIDES) {
        if (state[side].ends.has(t.dial) && !isHeld(state, t, side)) {
          add(`the ${side} notices ${on}`, (step) => step.notice(t.dial, side));
        }
      }
    }
  }
  if (state.dials.length > 0) {
    add("the dial succeeds", (step) => step.dialed());
    add("the dial fails", (step) => step.dialFails(), "failures");
  }
  for (const side of SIDES) {
    if (maySend(state, side, configuration)) add(`the ${side} sends`, (step) => step.send(side));
    if (mayAsk(state, side, configuration)) add(`the ${side} asks`, (step) => step.ask(side));
    if (unfinished(state, side) !== undefined) add(`the ${side} finishes`, (step) => step.finish(side));
    if (unanswered(state, side) !== undefined) add(`the ${side} answers`, (step) => step.answer(side));
    if (awaited(state, side) !== undefined) {
      add(`the ${side} takes its request back`, (step) => step.cancel(side), "cancels");
    }
  }
  if (used.ticks < bounds.ticks || used.silences < bounds.silences) {
    const client = state.client.deadline;
    const server = state.server.deadline;
    if (client <= server && client < Infinity) {
      add("the client's deadline", (step) => step.tick("client"), "ticks");
    }
    if (server <= client && server < Infinity) {
      add("the server's deadline", (step) => step.tick("server"), "ticks");
    }
    if (Math.min(client, server) < Infinity) add("silence", (step) => step.silence(), "silences");
  }
  add("the server restarts", (step) => step.restart(), "restarts");
  if (!state.client.over) add("the client closes", (step) => step.close(), "closes");
  return list;
}

/** Nothing that comes over this transport is taken now. */
function isHeld(state: State, { dial }: Transport, side: Side): boolean {
  return side === "client" && state.client.held.has(dial);
}

function maySend(state: State, side: Side, { bounds }: Configuration): boolean {
  return maySpeak(state, side) &&
    state.messages.filter(({ from }) => from === side).length < bounds[side].length;
}

function mayAsk(state: State, side: Side, { bounds }: Configuration): boolean {
  return maySpeak(state, side) && state.asked.filter(({ from }) => from === side).length < bounds.asks[side];
}

function maySpeak(state: State, side: Side): boolean {
  const { session } = state[side];
  if (session === null || state.blocked[side] || !session.resumable) return false;
  if (side === "client" && state.used.closes > 0) return false;
  const { connection } = session;
  return connection === null || !connection.conversing || connection.phase === "open";
}

/** What happens when nothing goes wrong any more. */
function healing(all: readonly Action[]): number {
  const kinds = [/^the dial succeeds/, /notices/, /^deliver to/, /finishes$/, /answers$/, /deadline$/];
  for (const kind of kinds) {
    const index = all.findIndex(({ name }) => kind.test(name));
    if (index >= 0) return index;
  }
  return -1;
}

/** Searches. */
export class Search {
  readonly #configuration: Configuration;
  readonly #keys: Keys = new Keys();
  readonly #seen: Map<string, number> = new Map();
  readonly #parents: number[] = [];
  readonly #via: number[] = [];
  readonly #depths: number[] = [];
  /** Where the healed way goes from each state: another, or -1: it comes to rest. */
  readonly #healed: number[] = [];
  /** States beyond the bounds from which it does. */
  readonly #well: Set<string> = new Set();
  #transitions = 0;

  constructor(configuration: Configuration) {
    forget();
    forgetFrames();
    this.#configuration = configuration;
  }

  /** To the end, or to the first thing that must not be. `most`: give up beyond so many states. */
  run(most = Infinity): Found {
    const queue: { state: State | null; index: number }[] = [];
    const first = start(this.#configuration);
    this.#add(this.#keys.key(first), -1, 0);
    queue.push({ state: first, index: 0 });
    for (let head = 0; head < queue.length; head++) {
      const item = queue[head]!;
      const state = item.state!;
      item.state = null;
      if (head >= 4_096 && head * 2 > queue.length) head -= queue.splice(0, head).length;
      const all = actions(state, this.#configuration);
      const heals = atRest(state) ? -1 : healing(all);
      if (heals < 0) {
        try {
          this.#healed[item.index] = atRest(state) ? -1 : this.#tail(state);
        } catch (error) {
          return this.#wrong(error, item.index, null);
        }
      }
      for (const [i, action] of all.entries()) {
        this.#transitions++;
        let next: State;
        try {
          next = take(state, action, this.#configuration);
        } catch (error) {
          return this.#wrong(error, item.index, action);
        }
        const key = this.#keys.key(next);
        let index = this.#seen.get(key);
        if (index === undefined) {
          index = this.#add(key, item.index, i);
          queue.push({ state: next, index });
        }
        if (i === heals) this.#healed[item.index] = index;
      }
      if (this.#seen.size > most) return this.#found({ what: `more than ${most} states`, trace: [] });
    }
    return this.#found(this.#circle());
  }

  #add(key: string, parent: number, via: number): number {
    const index = this.#seen.size;
    this.#seen.set(key, index);
    this.#parents.push(parent);
    this.#via.push(via);
    this.#depths.push(parent < 0 ? 0 : this.#depths[parent]! + 1);
    this.#healed.push(-2);
    return index;
  }

  /** The healed way goes on beyond the bounds: time may pass without end. */
  #tail(state: State): number {
    const unbounded: Configuration = {
      ...this.#configuration,
      bounds: { ...this.#configuration.bounds, ticks: Infinity },
    };
    const passed: string[] = [];
    for (let at = state, i = 0;; i++) {
      const body = this.#keys.body(at);
      if (atRest(at) || this.#well.has(body)) break;
      passed.push(body);
      if (i > HEALED) throw new Violation("it does not come to rest");
      const all = actions(at, unbounded);
      const next = healing(all);
      if (next < 0) throw new Violation("nothing can happen any more, and not all is done");
      at = take(at, all[next]!, this.#configuration);
    }
    for (const body of passed) this.#well.add(body);
    return -1;
  }

  /** A state whose healed way comes back to itself. */
  #circle(): Found["wrong"] {
    const known = new Uint8Array(this.#healed.length);
    for (let begin = 0; begin < known.length; begin++) {
      const way: number[] = [];
      let at = begin;
      while (at >= 0 && known[at] === 0) {
        known[at] = 1;
        way.push(at);
        at = this.#healed[at]!;
      }
      if (at >= 0 && known[at] === 1) return { what: "it does not come to rest", trace: this.#trace(at) };
      for (const each of way) known[each] = 2;
    }
    return null;
  }

  #found(wrong: Found["wrong"]): Found {
    return {
      states: this.#seen.size,
      transitions: this.#transitions,
      machines: this.#keys.machines,
      depth: this.#depths.at(-1)!,
      rest: this.#healed.filter((next) => next === -1).length,
      beyond: this.#well.size,
      wrong,
    };
  }

  #wrong(error: unknown, index: number, action: Action | null): Found {
    const trace = [...this.#trace(index), ...(action === null ? [] : [action.name])];
    const what = error instanceof Violation ? error.message : `it throws: ${(error as Error).stack}`;
    return this.#found({ what, trace });
  }

  /** The shortest way to a state, by living it again. */
  #trace(index: number): string[] {
    const way: number[] = [];
    for (let at = index; this.#parents[at]! >= 0; at = this.#parents[at]!) way.unshift(this.#via[at]!);
    let state = start(this.#configuration);
    return way.map((i) => {
      const action = actions(state, this.#configuration)[i]!;
      state = take(state, action, this.#configuration);
      return action.name;
    });
  }
}

/** Does it. */
export function take(state: State, action: Action, configuration: Configuration): State {
  const step = new Step(state, configuration);
  action.apply(step);
  return step.done();
}

/** Where a search begins. */
export function start(configuration: Configuration): State {
  let state = beginning(configuration);
  if (!configuration.connected) return state;
  for (let i = 0; i < 20; i++) {
    const all = actions(state, configuration);
    const next = all.find(({ name }) => /^(the dial succeeds|deliver to)/.test(name));
    if (next === undefined) return state;
    state = take(state, next, configuration);
  }
  throw new Error("the client is not connected");
}

/** Lives a way again that a search found. */
export function replay(configuration: Configuration, trace: readonly string[]): State {
  return trace.reduce((state, name) => {
    const action = actions(state, configuration).find((each) => each.name === name);
    if (action === undefined) throw new Error(`"${name}" cannot happen here`);
    return take(state, action, configuration);
  }, start(configuration));
}

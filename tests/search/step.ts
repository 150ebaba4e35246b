/**
 * One step of the searched world: an action on a state makes the next state.
 *
 * What a machine wants to write is on the wire at once; what the wire does with it is the search's choice. The server comes to know of a transport
 * when the first bytes arrive over it.
 *
 * @module
 */

import { Client } from "../../core/client.ts";
import type { Connection } from "../../core/connection.ts";
import { Server } from "../../core/server.ts";
import { join } from "../support/crafted.ts";
import { answerTo, awaited, unanswered } from "./asked.ts";
import { Draws, type Effect, lifeOf } from "./effects.ts";
import type { Frame } from "./frames.ts";
import { Judge, unfinished } from "./judge.ts";
import type { Draft } from "./draft.ts";
import { Machine } from "./machine.ts";
import type { Both, Configuration, Side, State, Transport } from "./state.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const BROKEN = new Error("broken");
const REFUSED = new Error("refused");

const NO: Both<number> = { client: 0, server: 0 };

/** A draft of the next state. */
export class Step {
  readonly #draft: Mutable<State>;
  readonly #judge: Judge;
  readonly #configuration: Configuration;

  constructor(from: State, configuration: Configuration) {
    this.#configuration = configuration;
    this.#draft = { ...from };
    this.#judge = new Judge(this.#draft);
  }

  /** The state that came of it. */
  done(): State {
    const draft = this.#draft;
    for (const side of ["client", "server"] as const) {
      while (draft[side].deadline <= draft.now) {
        this.#input(side, "deadline", ({ owner, now }) => owner.handleTimeout(now));
      }
    }
    if (!this.#configuration.lingers) this.#buryEnds();
    const { client, server } = draft;
    draft.transports = draft.transports.filter(({ dial, born, to }) =>
      client.ends.has(dial) || server.ends.has(dial) || (born === 0 && to.server.length > 0)
    );
    return draft;
  }

  /** What is over, on a transport that is broken, is gone. */
  #buryEnds(): void {
    for (const { dial, dead } of this.#draft.transports) {
      for (const side of ["client", "server"] as const) {
        if (dead && this.#draft[side].ends.get(dial)?.phase === "closed") this.notice(dial, side);
      }
    }
  }

  #input(side: Side, name: string, act: (draft: Draft) => void): void {
    const draft = this.#draft;
    const outcome = draft[side].input(name, draft.now, this.#configuration.finishes, act);
    draft[side] = outcome.machine;
    for (const effect of outcome.effects) this.#effect(side, effect);
  }

  #change(dial: number, change: (transport: Transport) => Partial<Transport>): void {
    this.#draft.transports = this.#draft.transports.map((t) => t.dial === dial ? { ...t, ...change(t) } : t);
  }

  #transport(dial: number): Transport {
    return this.#draft.transports.find((t) => t.dial === dial)!;
  }

  #effect(side: Side, effect: Effect): void {
    const draft = this.#draft;
    switch (effect.type) {
      case "put":
        return this.#put(effect.dial, side, effect.frames);
      case "gone":
        return this.#change(effect.dial, ({ to }) => ({ to: { ...to, [side]: [] } }));
      case "dial":
        draft.dials = [...draft.dials, effect.attempt];
        return;
      case "cancelDial":
        draft.dials = draft.dials.filter((each) => each !== effect.attempt);
        return;
      case "writable":
        draft.blocked = { ...draft.blocked, [side]: false };
        return;
      case "over":
        if (draft.server.session === null) draft.blocked = { ...draft.blocked, server: false };
    }
    this.#judge.effect(side, effect);
  }

  #put(dial: number, from: Side, frames: readonly (Frame | null)[]): void {
    const side = from === "client" ? "server" : "client";
    for (const frame of frames) {
      if (frame !== null && frame.question >= 0) {
        this.#change(dial, ({ asked }) => ({ asked: { ...asked, [from]: frame.question } }));
      }
      if (frame === null) this.#change(dial, ({ ended }) => ({ ended: { ...ended, [from]: true } }));
    }
    const t = this.#transport(dial);
    const there = reaches(this.#draft, t, side);
    if (!t.dead && there) {
      this.#change(dial, ({ to }) => ({ to: { ...to, [side]: [...to[side], ...frames] } }));
    }
  }

  // What the world does.

  /** So much more of a bound is used. */
  use(what: keyof State["used"]): void {
    this.#draft.used = { ...this.#draft.used, [what]: this.#draft.used[what] + 1 };
  }

  /** The client's application begins. */
  begin(): void {
    this.#input("client", "begin", ({ client, now }) => client.start(now));
  }

  #takeDial(): number {
    const [attempt, ...rest] = this.#draft.dials;
    this.#draft.dials = rest;
    return attempt!;
  }

  /** The oldest dial gets its transport. */
  dialed(): void {
    const draft = this.#draft;
    const attempt = this.#takeDial();
    const dial = ++draft.lastDial;
    draft.transports = [...draft.transports, {
      dial,
      born: 0,
      to: { client: [], server: [] },
      dead: false,
      ended: { client: false, server: false },
      asked: NO,
      limit: NO,
      epoch: { client: NaN, server: NaN },
    }];
    this.#input("client", `dialed ${attempt} ${dial}`, (machine) => {
      const connection = machine.client.dialed(attempt, machine.now);
      if (connection !== null) machine.join(dial, connection as Connection);
    });
  }

  /** The oldest dial fails. */
  dialFails(): void {
    const attempt = this.#takeDial();
    this.#input(
      "client",
      `dial fails ${attempt}`,
      ({ client, now }) => client.dialFailed(attempt, REFUSED, now),
    );
  }

  /** The first `count` of what is under way to one side arrives; with `half`, half of the next frame, and the end, behind it. */
  deliver(dial: number, to: Side, count: number, half = false): void {
    const t = this.#transport(dial);
    const queue = t.to[to];
    const taken = queue.slice(0, count);
    const torn = half ? queue[count] ?? null : null;
    const fresh = to === "server" && t.born === 0;
    this.#change(dial, ({ born }) => ({
      to: { ...t.to, [to]: half ? [] : queue.slice(count) },
      born: fresh ? ++this.#draft.lastBorn : born,
      ...this.#told(t, to, taken),
    }));
    const pieces = taken.filter((frame) => frame !== null);
    const ends = half || pieces.length < taken.length;
    const name = `${dial} ${pieces.map(({ id }) => id)} ${torn?.id} ${ends}`;
    this.#input(to, name, (machine) => {
      if (fresh) machine.join(dial, machine.server.accepted("client", machine.now) as Connection);
      const bytes = join(
        ...pieces.map((frame) => frame.bytes),
        torn ? torn.bytes.subarray(0, torn.bytes.length >> 1) : NONE,
      );
      machine.read(dial, pieces);
      if (bytes.length > 0) machine.give(dial, (connection, now) => connection.receive(bytes, now));
      if (ends) machine.give(dial, (connection, now) => connection.receiveEof(now));
      if (to === "server") machine.admit(dial);
    });
  }

  /** What keys of wires are relative to. */
  #told(t: Transport, to: Side, frames: readonly (Frame | null)[]): Partial<Transport> {
    let { limit, epoch } = t;
    for (const frame of frames) {
      if (frame === null || frame.limit < 0) continue;
      limit = { ...limit, [to]: frame.limit };
      if (frame.opens) epoch = { ...epoch, [to]: this.#draft.now };
    }
    return { limit, epoch };
  }

  /** Something comes over a transport that the client holds: it stays where it is until that goes on. */
  heard(dial: number): void {
    this.#input("client", `hears ${dial}`, (machine) => machine.heard(dial));
  }

  /** From now on nothing that is sent over a transport arrives. */
  cut(dial: number): void {
    this.#change(dial, () => ({ dead: true }));
  }

  /** One end of a broken transport learns of it. */
  notice(dial: number, side: Side): void {
    this.#change(dial, ({ to }) => ({ to: { ...to, [side]: [] } }));
    this.#input(side, `notices ${dial}`, (machine) => {
      machine.give(dial, (connection, now) => connection.transportFailed(BROKEN, now));
      machine.leave(dial);
    });
  }

  /** The next message of one side's application. */
  send(side: Side): void {
    const draft = this.#draft;
    const number = said(draft, side);
    const size = this.#configuration.bounds[side][draft.messages.filter(({ from }) => from === side).length]!;
    const before = draft[side].session!.state.outbound.accepted;
    this.#input(side, `sends ${number}`, (machine) => {
      const payload = new Uint8Array(size).fill(46);
      payload[0] = side.charCodeAt(0);
      payload[1] = 48 + number;
      machine.session.send(payload, machine.now);
      machine.touched();
    });
    const { session } = draft[side];
    const { accepted } = session!.state.outbound;
    if (accepted === before) draft.blocked = { ...draft.blocked, [side]: true };
    else this.#judge.sent(side, number, lifeOf(session!.state)!, accepted);
  }

  /** The application of one side asks. */
  ask(side: Side): void {
    const draft = this.#draft;
    const number = said(draft, side);
    const before = draft[side].session!.state.requests.last;
    const payload = Uint8Array.of(side.charCodeAt(0), 48 + number);
    this.#input(side, `asks ${number}`, (machine) => machine.ask(payload));
    const { state } = draft[side].session!;
    const { last } = state.requests;
    if (last === before) draft.blocked = { ...draft.blocked, [side]: true };
    else this.#judge.requests.made(side, number, lifeOf(state)!, last, state.outbound.accepted);
  }

  /** The application of one side takes its oldest request back. */
  cancel(side: Side): void {
    const asked = awaited(this.#draft, side)!;
    this.#judge.requests.takenBack(asked);
    this.#input(side, `takes back ${asked.id}`, (machine) => machine.cancel(asked.id));
  }

  /** The application of one side answers the oldest request that it has. */
  answer(side: Side): void {
    const asked = unanswered(this.#draft, side)!;
    const payload = Uint8Array.from(answerTo(asked), (char) => char.charCodeAt(0));
    this.#input(side, `answers ${asked.id} ${asked.number}`, (machine) => machine.answer(asked.id, payload));
  }

  /** The application of one side finishes the oldest message that it has. */
  finish(side: Side): void {
    const { at, life } = unfinished(this.#draft, side)!;
    this.#judge.effect(side, { type: "finished", life, position: at });
    this.#input(side, `finishes ${at}`, (machine) => {
      machine.session.consumed(at, machine.now);
      machine.touched();
    });
  }

  /** The client's application closes. */
  close(): void {
    this.#input("client", "closes", ({ client, now }) => client.close(0, "", now));
  }

  /** Time goes on to the deadline of this side, which is the next. */
  tick(side: Side): void {
    const draft = this.#draft;
    draft.now = Math.max(draft.now, draft[side].deadline);
    this.#judge.timePassed();
    this.#input(side, "deadline", ({ owner, now }) => owner.handleTimeout(now));
  }

  /** Deadlines come until a machine takes notice. */
  silence(): void {
    const before = this.#phases();
    for (let i = 0; i < 100 && this.#phases() === before; i++) {
      const { client, server } = this.#draft;
      const side = client.deadline <= server.deadline ? "client" : "server";
      if (this.#draft[side].deadline === Infinity) return;
      this.tick(side);
    }
  }

  #phases(): string {
    const { client, server, dials } = this.#draft;
    const ends = [client, server].map(({ ends }) =>
      Array.from(ends, ([dial, { phase }]) => `${dial} ${phase}`)
    );
    return `${client.over} ${dials.length} ${server.session === null} ${ends}`;
  }

  /** The server dies, and another begins, which knows nothing. */
  restart(): void {
    const draft = this.#draft;
    draft.server = server(this.#configuration, draft.server.draws.who + 1, draft.server.living);
    draft.blocked = { ...draft.blocked, server: false };
    this.#judge.restarted();
    draft.transports = draft.transports.map((t) =>
      t.born === 0 ? t : { ...t, dead: true, to: { ...t.to, server: [] } }
    );
  }
}

const NONE = new Uint8Array(0);

/** How much one side sent and asked. */
function said({ messages, asked }: State, side: Side): number {
  return [...messages, ...asked].filter(({ from }) => from === side).length;
}

/** Whether there is, or will be, somebody who gets what is under way to a side. */
export function reaches(state: State, { dial, born }: Transport, side: Side): boolean {
  return state[side].ends.has(dial) || (side === "server" && born === 0);
}

function server({ options }: Configuration, who: number, living: boolean): Machine {
  const { reconnect: _reconnect, dialTimeout: _dialTimeout, ...serving } = options;
  const draws = new Draws(who);
  return new Machine("server", draws, new Server(serving, draws), { living });
}

/** The world at its beginning; `living`: of machines that are never copied. */
export function beginning(configuration: Configuration, living = false): State {
  const { resumeWindow: _window, maxConnections: _most, ...dialling } = configuration.options;
  const draws = new Draws(1);
  const nothing: State = {
    now: 1_000,
    client: new Machine("client", draws, new Client(dialling, draws), { living }),
    server: server(configuration, 2, living),
    transports: [],
    dials: [],
    lastDial: 0,
    lastBorn: 0,
    messages: [],
    asked: [],
    lives: [],
    blocked: { client: false, server: false },
    used: { cuts: 0, failures: 0, ticks: 0, silences: 0, restarts: 0, closes: 0, cancels: 0 },
  };
  const step = new Step(nothing, configuration);
  step.begin();
  return step.done();
}

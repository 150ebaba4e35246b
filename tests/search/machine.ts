/**
 * A client or a server with its applications' hands on it: an input makes another machine, and what it did is a list of effects.
 *
 * The same input on the same machine is lived once: its outcome is kept, for in a search one side meets the same things again and again while the
 * other side's differ. An input is the same when it is of the same kind, at the same time, with the very same frames.
 *
 * Rules: a machine never changes. What it wants to write is an effect at once, whole. What must hold of one machine by itself is looked at here: its
 * positions are in their order and never run back, and connections that were replaced change nothing.
 *
 * @module
 */

import { Copies, Names } from "../../core/canonical.ts";
import { Client } from "../../core/client.ts";
import type { Connection } from "../../core/connection.ts";
import type { ConnectionEvent } from "../../core/events.ts";
import type { SessionState } from "../../core/flow/session_state.ts";
import { Server } from "../../core/server.ts";
import type { Session } from "../../core/session.ts";
import { toMicros } from "../../core/time.ts";
import { Draws, type Effect, lifeOf, positions, rise, told, Violation } from "./effects.ts";
import { type Frame, framesOf } from "./frames.ts";
import type { Side } from "./state.ts";

/** What came of an input. */
export interface Outcome {
  readonly machine: Machine;
  readonly effects: readonly Effect[];
}

/** What one end of a transport is at, where its key has it only relative to something. */
interface Base {
  /** When its clock began, ms. */
  readonly epoch: number;
  /** The last question that it asked, and that it was asked. */
  readonly asked: number;
  readonly heard: number;
}

const UNKNOWN: Base = { epoch: 0, asked: 0, heard: 0 };
const NOTHING = new Map<never, never>();

/** Machines that were met: those that are the same to the last byte are one. */
const met: Map<string, Machine> = new Map();

/** Forgets what was met, for another search. */
export function forget(): void {
  met.clear();
}

/** One machine in one state. */
export class Machine {
  readonly side: Side;
  readonly owner: Client | Server;
  readonly draws: Draws;
  /** Its ends of transports, by dial, and what they are at. */
  readonly ends: ReadonlyMap<number, Connection>;
  readonly bases: ReadonlyMap<number, Base>;
  /** The session that the application has. */
  readonly session: Session | null;
  /** Server: the greatest dial that it admitted for each session. */
  readonly admits: ReadonlyMap<string, number>;
  /** Transports on which it ended its direction. */
  readonly ended: ReadonlySet<number>;
  /** It is never copied: an input changes it, and its past is gone. For holding copies against what was not copied. */
  readonly living: boolean;
  #outcomes: Map<string, Outcome> = new Map();
  #keys: Map<number, { readonly key: string; readonly names: Names }> = new Map();
  #deadline = -1;

  constructor(side: Side, draws: Draws, owner: Client | Server, from: Partial<Machine> = {}) {
    this.side = side;
    this.draws = draws;
    this.owner = owner;
    this.ends = from.ends ?? NOTHING;
    this.bases = from.bases ?? NOTHING;
    this.session = from.session ?? null;
    this.admits = from.admits ?? NOTHING;
    this.ended = from.ended ?? new Set();
    this.living = from.living ?? false;
  }

  /** This machine, or the one that is the same and was met before. */
  met(now: number): Machine {
    const { key, names } = this.key(now);
    let whole = `${now} ${this.draws.who} ${this.draws.count} ${key}`;
    for (const raw of names.seen.keys()) whole += ` ${raw}`;
    for (const [kind, base] of names.bases) whole += ` ${kind} ${base}`;
    for (const dial of this.ends.keys()) {
      const { epoch, asked, heard } = this.bases.get(dial) ?? UNKNOWN;
      whole += ` ${dial} ${epoch} ${asked} ${heard}`;
    }
    for (const [dial, { outbound, inbound }] of this.#flows()) {
      const { limit, received, offered } = inbound;
      whole += ` ${dial} ${outbound.limit} ${outbound.sent} ${limit} ${received} ${offered}`;
    }
    for (const [life, dial] of this.admits) whole += ` ${life} ${dial}`;
    whole += ` ${[...this.ended]} ${this.life}`;
    const known = met.get(whole);
    if (known !== undefined) return known;
    met.set(whole, this);
    return this;
  }

  /** The sessions of its connections, and of its application. */
  *#flows(): Iterable<[number, SessionState]> {
    for (const [dial, { session }] of this.ends) if (session !== null) yield [dial, session];
    if (this.session !== null) yield [0, this.session.state];
  }

  /** The id of the session that its application has. */
  get life(): string | null {
    return lifeOf(this.session?.state);
  }

  /** Client: which dial is the present connection. */
  get current(): number {
    const { connection } = this.owner as Client;
    for (const [dial, end] of this.ends) if (end === connection) return dial;
    return 0;
  }

  /** Client: whether it is over. */
  get over(): boolean {
    return this.owner instanceof Client && this.owner.ended;
  }

  /** The greatest dial that was admitted for a session. */
  admitted(life: string | null): number {
    return this.admits.get(life ?? "") ?? 0;
  }

  /** When its next deadline is, ms. A server may itself tell an early one; its copy does not. */
  get deadline(): number {
    if (this.#deadline >= 0) return this.#deadline;
    const { owner } = this;
    return this.#deadline = owner instanceof Client ? owner.deadline() : owner.clone(this.draws).deadline();
  }

  /** Its key at this time. */
  key(now: number): { readonly key: string; readonly names: Names } {
    const known = this.#keys.get(now);
    if (known !== undefined) return known;
    const names = new Names();
    const made = { key: this.owner.key(now, names), names };
    this.#keys.set(now, made);
    return made;
  }

  /** What comes of an input. `name` tells it from all others. */
  input(name: string, now: number, finishes: boolean, act: (draft: Draft) => void): Outcome {
    const key = `${now} ${name}`;
    const known = this.#outcomes.get(key);
    if (known !== undefined) return known;
    const draft = new Draft(this, now, finishes);
    act(draft);
    draft.drain();
    const made = draft.done();
    if (!this.living) this.#outcomes.set(key, made);
    return made;
  }
}

/** A machine that gets an input. */
export class Draft {
  readonly now: number;
  readonly owner: Client | Server;
  readonly #from: Machine;
  readonly #finishes: boolean;
  /** The session that it had before the input. */
  readonly #before: string | null;
  #session: Session | null;
  readonly #draws: Draws;
  #ends: Map<number, Connection> = new Map();
  #bases: Map<number, Base>;
  #ended: Set<number>;
  #admits: [string, number][] = [];
  #effects: Effect[] = [];

  constructor(from: Machine, now: number, finishes: boolean) {
    this.#from = from;
    this.#ended = new Set(from.ended);
    this.#before = from.life;
    this.now = now;
    this.#finishes = finishes;
    this.#bases = new Map(from.bases);
    if (from.living) {
      this.#draws = from.draws;
      this.owner = from.owner;
      this.#ends = new Map(from.ends);
      this.#session = from.session;
      return;
    }
    this.#draws = new Draws(from.draws.who, from.draws.count);
    const copies = new Copies();
    this.owner = from.owner.clone(this.#draws, copies);
    for (const [dial, end] of from.ends) {
      const copy = copies.made(end);
      if (copy !== null) this.#ends.set(dial, copy);
    }
    this.#session = from.session && (copies.made(from.session) ?? from.session);
  }

  /** Client. */
  get client(): Client {
    return this.owner as Client;
  }

  /** Server. */
  get server(): Server {
    return this.owner as Server;
  }

  /** The application's session. */
  get session(): Session {
    return this.#session!;
  }

  /** A transport is made. */
  join(dial: number, connection: Connection): void {
    this.#ends.set(dial, connection);
    if (this.owner instanceof Client) this.#session = this.owner.session;
  }

  /** An input to one end. A connection that another has replaced must change nothing of the session. */
  give(dial: number, input: (connection: Connection, now: number) => void): void {
    const connection = this.#ends.get(dial);
    if (connection === undefined) return;
    const before = this.#replaced(dial, connection) ? this.#frozen() : null;
    const count = this.#effects.length;
    input(connection, this.now);
    this.owner.settle(connection, this.now);
    this.drain();
    if (before === null) return;
    const told = this.#effects.slice(count).find(({ type }) => type !== "put" && type !== "gone");
    if (told !== undefined) {
      throw new Violation(`an old connection of the ${this.#from.side} tells: ${told.type}`);
    }
    if (this.#frozen() !== before) {
      throw new Violation(`an old connection of the ${this.#from.side} changes its session`);
    }
  }

  #replaced(dial: number, connection: Connection): boolean {
    const { owner } = this;
    if (this.#session === null) return false;
    if (owner instanceof Client) return connection !== owner.connection;
    return this.#from.admitted(lifeOf(this.#session.state)) > dial;
  }

  #frozen(): string {
    const state = this.#session!.state;
    return `${lifeOf(state)} ${state.key(toMicros(this.now), new Names())}`;
  }

  /** The transport of one end is gone. */
  leave(dial: number): void {
    this.#ends.delete(dial);
  }

  /** The application touched its session. */
  touched(): void {
    const { connection } = this.session;
    if (connection !== null) this.owner.settle(connection, this.now);
  }

  /** Does what a driver does. */
  drain(): void {
    const { owner } = this;
    for (let c = owner.nextDirty(); c !== null; c = owner.nextDirty()) this.#connection(c as Connection);
    if (owner instanceof Client) this.#actions(owner);
    else this.#overs(owner);
  }

  #actions(client: Client): void {
    for (let a = client.nextAction(); a !== null; a = client.nextAction()) {
      if (a.type === "dial" || a.type === "cancelDial") {
        this.#effects.push({ type: a.type, attempt: a.attempt });
      }
    }
    for (let e = client.nextEvent(); e !== null; e = client.nextEvent()) {
      if (e.type !== "ended") continue;
      const { session } = this;
      const life = lifeOf(session.state);
      if (e.reason.kind !== "closed" && life !== null) {
        this.#effects.push({ type: "lost", life, messages: told(session.unconfirmed()) });
      }
      this.#effects.push({ type: "ended", reason: e.reason });
    }
  }

  #overs(server: Server): void {
    for (let over = server.nextOver(); over !== null; over = server.nextOver()) {
      const { session, reason, unconfirmed } = over;
      const life = lifeOf(session.state)!;
      this.#effects.push({ type: "over", life, reason, messages: told(unconfirmed) });
      if (session === this.#session) this.#session = null;
    }
  }

  #connection(connection: Connection): void {
    const dial = [...this.#ends].find(([, end]) => end === connection)?.[0];
    if (dial === undefined) return;
    this.#events(dial, connection);
    for (let bytes = connection.peekTransmit(); bytes !== null; bytes = connection.peekTransmit()) {
      const frames = framesOf(bytes, this.now);
      for (const { question } of frames) if (question >= 0) this.#base(dial, { asked: question });
      this.#effects.push({ type: "put", dial, frames });
      connection.advanceTransmit(bytes.length);
    }
    this.#events(dial, connection);
    const action = connection.socketAction();
    if (action !== "keep" && !this.#ended.has(dial)) {
      this.#ended.add(dial);
      this.#effects.push({ type: "put", dial, frames: [null] });
    }
    if (action !== "destroy") return;
    this.#effects.push({ type: "gone", dial });
    this.#ends.delete(dial);
  }

  #events(dial: number, connection: Connection): void {
    const { owner } = this;
    const session = owner instanceof Client ? owner.session : owner.sessionOf(connection);
    const finished: { life: string | null; position: number }[] = [];
    for (let e = connection.nextEvent(); e !== null; e = connection.nextEvent()) {
      const life = lifeOf(connection.session);
      if (e.type === "message" && this.#finishes) finished.push({ life, position: e.position });
      this.#event(dial, connection, life, e);
    }
    for (const { life, position } of finished) {
      if (lifeOf(session!.state) !== life) continue; // it ended with what came
      session!.consumed(position, this.now);
      owner.settle(connection, this.now);
      this.#effects.push({ type: "finished", life, position });
    }
  }

  #event(dial: number, connection: Connection, life: string | null, event: ConnectionEvent): void {
    const { side } = this.#from;
    switch (event.type) {
      case "open":
        if (side === "client") return;
        this.#session = this.server.sessionOf(connection);
        return void this.#effects.push({ type: "opened", life: life! });
      case "message": {
        const { bytes, position } = event;
        const [sender, number] = [bytes[0]!, bytes[1]! - 48];
        return void this.#effects.push({ type: "message", life, sender, number, position });
      }
      case "processed":
        return void this.#effects.push({ type: "processed", life, position: event.position });
      case "writable":
        return void this.#effects.push({ type: "writable" });
      case "lost": {
        // Of the session before: the connection may carry the next one by now.
        const was = side === "server" ? life! : this.#before ?? life!;
        return void this.#effects.push({ type: "lost", life: was, messages: told(event.unconfirmed) });
      }
      case "fault":
        if (event.code !== "SUPERSEDED" && event.code !== "TRUNCATED") {
          throw new Violation(`${side}: ${event.code}, ${event.text}, on ${dial}`);
        }
    }
  }

  /** Server: a connection was let in with a session. */
  admit(dial: number): void {
    const end = this.#ends.get(dial);
    const life = end && lifeOf(this.server.sessionOf(end)?.state);
    if (life) this.#admits.push([life, dial]);
  }

  #base(dial: number, change: Partial<Base>): void {
    this.#bases.set(dial, { ...this.#bases.get(dial) ?? UNKNOWN, ...change });
  }

  /** An end read these frames. */
  read(dial: number, frames: readonly Frame[]): void {
    for (const { opens, question } of frames) {
      if (question >= 0) this.#base(dial, { heard: question });
      if (opens) this.#base(dial, { epoch: this.now });
    }
  }

  /** The machine that came of it, and what it did. */
  done(): Outcome {
    this.#check();
    const { side } = this.#from;
    let { admits } = this.#from;
    for (const [life, dial] of this.#admits) {
      if (dial > (admits.get(life) ?? 0)) admits = new Map([...admits, [life, dial]]);
    }
    for (const dial of this.#bases.keys()) if (!this.#ends.has(dial)) this.#bases.delete(dial);
    for (const dial of this.#ended) if (!this.#ends.has(dial)) this.#ended.delete(dial);
    const parts = {
      ends: this.#ends,
      bases: this.#bases,
      session: this.#session,
      admits,
      ended: this.#ended,
      living: this.#from.living,
    };
    const machine = new Machine(side, this.#draws, this.owner, parts);
    return { machine: machine.living ? machine : machine.met(this.now), effects: this.#effects };
  }

  #check(): void {
    const { side } = this.#from;
    if (this.#session !== null) {
      positions(side, this.#session.state);
      const before = this.#from.session?.state;
      if (before && lifeOf(before) === lifeOf(this.#session.state)) rise(side, before, this.#session.state);
    }
    if (!(this.owner instanceof Server)) return;
    const carried = new Set<SessionState>();
    for (const end of this.#ends.values()) {
      if (end.phase === "closed" || end.session === null) continue;
      if (carried.has(end.session)) throw new Violation("two connections carry one session");
      carried.add(end.session);
      const held = this.owner.sessionOf(end);
      if (held !== null && held.connection !== end) {
        throw new Violation("a connection carries a session that has another");
      }
    }
  }
}

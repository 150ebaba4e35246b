/**
 * A machine that gets an input: what a driver and an application do with it, as effects.
 *
 * Rules: what a machine wants to write is an effect at once, whole; of a connection that it holds, nothing. What must hold of one machine by itself is
 * looked at here: its positions are in their order and never run back, no two connections carry one session, and a connection that was replaced, or
 * is held, changes nothing.
 *
 * @module
 */

import { Copies, Names } from "../../core/canonical.ts";
import { Client } from "../../core/client.ts";
import type { Connection } from "../../core/connection.ts";
import type { Conversation } from "../../core/conversation.ts";
import type { ConnectionEvent } from "../../core/events.ts";
import type { SessionState } from "../../core/flow/session_state.ts";
import { Server } from "../../core/server.ts";
import type { Session } from "../../core/session.ts";
import { toMicros } from "../../core/time.ts";
import { Draws, type Effect, lifeOf, lost, positions, rise, Violation } from "./effects.ts";
import { type Frame, framesOf } from "./frames.ts";
import type { Machine } from "./machine.ts";

/** What one end of a transport is at, where its key has it only relative to something. */
export interface Base {
  /** When its clock began, ms. */
  readonly epoch: number;
  /** The last question that it asked, and that it was asked. */
  readonly asked: number;
  readonly heard: number;
}

/** Before anything was said. */
export const UNKNOWN: Base = { epoch: 0, asked: 0, heard: 0 };
/** What becomes of a machine, and what it did. */
export interface Became {
  readonly draws: Draws;
  readonly parts: Partial<Machine>;
  readonly effects: readonly Effect[];
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
  #held: Set<number>;
  /** Transports that were let go on in this step: what was made for them meanwhile is older than this. */
  #released: Set<number> = new Set();
  #admits: [string, number][] = [];
  #effects: Effect[] = [];

  constructor(from: Machine, now: number, finishes: boolean) {
    this.#from = from;
    this.#ended = new Set(from.ended);
    this.#held = new Set(from.held);
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
    if (owner instanceof Client) {
      return connection !== owner.connection && connection !== this.#session.connection;
    }
    return this.#from.admitted(lifeOf(this.#session.state)) > dial;
  }

  #frozen(): string {
    const state = this.#session!.state;
    return `${lifeOf(state)} ${state.key(toMicros(this.now), new Names())}`;
  }

  /** Something came over a transport that is held. */
  heard(dial: number): void {
    this.client.heard(this.#ends.get(dial)!, this.now);
  }

  /** The application asks; "blocked": it was not taken. */
  ask(payload: Uint8Array): void {
    this.session.request(payload, Infinity, this.now);
    this.touched();
  }

  /** The application takes a request back. */
  cancel(id: number): void {
    this.session.cancel(id, this.now);
    this.touched();
  }

  /** The application answers. */
  answer(id: number, payload: Uint8Array): void {
    const life = lifeOf(this.session.state);
    const result = this.session.reply(id, 0, payload, this.now);
    this.#effects.push({ type: "answered", life, id, result });
    this.touched();
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
    for (;;) {
      const dirty = owner.nextDirty();
      if (dirty !== null) this.#connection(dirty as Connection);
      else if (!(owner instanceof Client && this.#action(owner))) break;
    }
    if (owner instanceof Client) this.#told(owner);
    else this.#overs(owner);
  }

  /** Whether there was one. */
  #action(client: Client): boolean {
    const action = client.nextAction();
    switch (action?.type) {
      case "dial":
      case "cancelDial":
        this.#effects.push({ type: action.type, attempt: action.attempt });
        break;
      case "hold":
        this.#held.add(this.#dialOf(action.connection)!);
        break;
      case "release":
        this.#release(action.connection);
        break;
      case "drop":
        this.#drop(this.#dialOf(action.connection)!);
    }
    return action !== null;
  }

  #release(connection: Conversation): void {
    const dial = this.#dialOf(connection)!;
    this.#held.delete(dial);
    this.#released.add(dial);
    this.owner.settle(connection as Connection, this.now);
  }

  #drop(dial: number): void {
    this.#end(dial);
    this.#effects.push({ type: "gone", dial });
    this.#ends.delete(dial);
  }

  #end(dial: number): void {
    if (this.#ended.has(dial)) return;
    this.#ended.add(dial);
    this.#effects.push({ type: "put", dial, frames: [null] });
  }

  #dialOf(connection: Conversation): number | undefined {
    return [...this.#ends].find(([, end]) => end === connection)?.[0];
  }

  #told(client: Client): void {
    for (let e = client.nextEvent(); e !== null; e = client.nextEvent()) {
      if (e.type !== "ended") continue;
      const { session } = this;
      const life = lifeOf(session.state);
      if (e.reason.kind !== "closed" && life !== null) {
        this.#effects.push(lost(life, session.unconfirmed(), session.unsentRequests()));
      }
      this.#effects.push({ type: "ended", reason: e.reason });
    }
  }

  #overs(server: Server): void {
    for (let over = server.nextOver(); over !== null; over = server.nextOver()) {
      const { session, reason, unconfirmed } = over;
      const life = lifeOf(session.state)!;
      const { messages, unsent } = lost(life, unconfirmed, session.unsentRequests());
      this.#effects.push({ type: "over", life, reason, messages, unsent });
      if (session === this.#session) this.#session = null;
    }
  }

  #connection(connection: Connection): void {
    const dial = this.#dialOf(connection);
    if (dial === undefined) return;
    this.#events(dial, connection);
    if (this.#held.has(dial)) return;
    let wrote = false;
    for (let bytes = connection.peekTransmit(); bytes !== null; bytes = connection.peekTransmit()) {
      const frames = framesOf(bytes, this.now, this.#released.has(dial));
      for (const { question } of frames) if (question >= 0) this.#base(dial, { asked: question });
      this.#effects.push({ type: "put", dial, frames });
      connection.advanceTransmit(bytes.length);
      wrote = true;
    }
    this.#events(dial, connection);
    // With its last bytes it may be over.
    if (wrote && connection.reason !== null) this.owner.settle(connection, this.now);
    const action = connection.socketAction();
    if (action !== "keep") this.#end(dial);
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
      case "request": {
        const { id, bytes } = event;
        return void this.#effects.push({
          type: "request",
          life,
          id,
          sender: bytes[0]!,
          number: bytes[1]! - 48,
        });
      }
      case "cancelled":
        return void this.#effects.push({ type: "cancelled", life, id: event.id });
      case "reply": {
        const { id, status, bytes } = event;
        return void this.#effects.push({
          type: "reply",
          life,
          id,
          status,
          text: String.fromCharCode(...bytes),
        });
      }
      case "processed":
        return void this.#effects.push({ type: "processed", life, position: event.position });
      case "writable":
        return void this.#effects.push({ type: "writable" });
      case "lost": {
        // Of the session before: the connection may carry the next one by now.
        const was = side === "server" ? life! : this.#before ?? life!;
        return void this.#effects.push(lost(was, event.unconfirmed, event.unsentRequests));
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
  done(): Became {
    this.#check();
    let { admits } = this.#from;
    for (const [life, dial] of this.#admits) {
      if (dial > (admits.get(life) ?? 0)) admits = new Map([...admits, [life, dial]]);
    }
    for (const dial of this.#bases.keys()) if (!this.#ends.has(dial)) this.#bases.delete(dial);
    for (const dial of this.#ended) if (!this.#ends.has(dial)) this.#ended.delete(dial);
    for (const dial of this.#held) if (!this.#ends.has(dial)) this.#held.delete(dial);
    const parts = {
      ends: this.#ends,
      bases: this.#bases,
      session: this.#session,
      admits,
      ended: this.#ended,
      held: this.#held,
      living: this.#from.living,
    };
    return { draws: this.#draws, parts, effects: this.#effects };
  }

  #check(): void {
    const { side } = this.#from;
    if (this.#session !== null) {
      positions(side, this.#session.state);
      const before = this.#from.session?.state;
      if (before && lifeOf(before) === lifeOf(this.#session.state)) rise(side, before, this.#session.state);
    }
    if (this.owner instanceof Client) this.#checkHeld(this.owner);
    const carried = new Set<SessionState>();
    for (const end of this.#ends.values()) {
      if (end.phase === "closed" || end.session === null) continue;
      if (carried.has(end.session)) throw new Violation("two connections carry one session");
      carried.add(end.session);
      if (!(this.owner instanceof Server)) continue;
      const held = this.owner.sessionOf(end);
      if (held !== null && held.connection !== end) {
        throw new Violation("a connection carries a session that has another");
      }
    }
  }

  /** What is suspected is held as long as another connection asks to go on instead, and is not over then. */
  #checkHeld({ connection }: Client): void {
    const asks = this.#session?.connection ?? null;
    const undecided = connection !== null && asks !== null && connection !== asks;
    for (const [dial, end] of this.#ends) {
      const wanted = undecided && end === connection;
      if (this.#held.has(dial) && !(wanted && end.phase !== "closed")) {
        throw new Violation("a connection is held, and none asks");
      }
      if (wanted && !this.#held.has(dial)) {
        throw new Violation("two connections of the client take bytes for one session");
      }
    }
  }
}

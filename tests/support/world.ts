/**
 * One client and one server of sessions on a virtual clock, joined by transports that can be cut at any byte.
 *
 * Each dial makes a transport of two wires. Bytes arrive in order after `latency` ms. A transport that is *reset* tells both ends; one that is
 * *cut* tells nobody, and the silence is found by heartbeats. A process that is *stalled* does nothing until it goes on; an overdue timer
 * then comes before the bytes that wait. What each side's application was told of, in order, is in its {@link Application}.
 *
 * Rules: nothing sleeps; time moves only in `run`. Everything sent is text, so that loss, doubling and disorder show. An application that
 * was told "blocked" sends again only after `writable`, so a `writable` that never comes shows, too.
 *
 * @module
 */

import { Client } from "../../core/client.ts";
import type { Connection } from "../../core/connection.ts";
import type { Conversation } from "../../core/conversation.ts";
import type { ClientEvent, ConnectionEvent } from "../../core/events.ts";
import type { ClientOptions, ServerOptions } from "../../core/options.ts";
import { Server } from "../../core/server.ts";
import type { SessionOver } from "../../core/server_types.ts";
import type { Session } from "../../core/session.ts";
import { Application, type Cut, type End, type Side, type Unfinished } from "./application.ts";
import { Random, seeded } from "./random.ts";
import { Tasks } from "./tasks.ts";

export type { Cut, End, Side } from "./application.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** One for all: a stack for each would take longer than the run. */
const RESET = new Error("reset");
const UNREACHABLE = new Error("unreachable");

const RECONNECT = { base: 10, floor: 5, cap: 50 };

/** The world. */
export class World {
  now = 1_000;
  latency = 5;
  /** Bytes vanish, and nobody is told. */
  silent = false;
  /** How long a dial takes. */
  dialTime = 0;
  /** Whether dials succeed. */
  reachable = true;
  /** Bytes that reach a machine at a time, and that are taken from it at a time. */
  piece: number;
  writes = Infinity;
  /** Milliseconds that each piece takes to leave. */
  pace = 0;
  client: Client;
  server: Server;
  readonly near: Application = new Application();
  readonly far: Application = new Application();
  readonly told: ClientEvent[] = [];
  readonly over: SessionOver[] = [];
  /** The server's session with this client, once it has one. */
  remote: Session | null = null;
  dials = 0;
  readonly cuts: Cut[] = [];
  /** Called for each piece of bytes that reaches an end, before it does. */
  onBytes: ((end: End, bytes: Uint8Array) => void) | null = null;
  onDial: ((near: End, far: End) => void) | null = null;
  onOver: ((over: SessionOver) => void) | null = null;
  onEvent: ((end: End, event: ConnectionEvent) => void) | null = null;
  readonly ends: Map<Conversation, End> = new Map();
  readonly stalledUntil: Record<Side, number> = { client: 0, server: 0 };
  #random: Random;
  #serverOptions: ServerOptions;
  readonly #tasks: Tasks = new Tasks();

  constructor(client: ClientOptions = {}, server: ServerOptions = {}, seed = 1, piece = Infinity) {
    this.piece = piece;
    this.#random = new Random(seed);
    this.#serverOptions = server;
    this.client = new Client({ reconnect: RECONNECT, resume: true, ...client }, seeded(this.#random));
    this.server = new Server(server, seeded(this.#random));
    this.client.start(this.now);
    this.settle();
  }

  /** The server dies, and another begins, which knows nothing. */
  restart(): void {
    const ends = [...this.ends.values()];
    for (const end of ends) {
      if (end.side !== "server") continue;
      end.gone = true;
      this.ends.delete(end.connection);
    }
    this.server = new Server(this.#serverOptions, seeded(this.#random));
    this.remote = null;
    this.far.open.length = this.far.outbox.length = 0;
    for (const end of ends) if (!end.deaf) this.reset(end);
    this.settle();
  }

  session(side: Side): Session | null {
    return side === "client" ? this.client.session : this.remote;
  }

  application(side: Side): Application {
    return side === "client" ? this.near : this.far;
  }

  /** Sends text from one side; what is blocked is given up. */
  send(side: Side, text: string): "accepted" | "blocked" {
    const session = this.session(side)!;
    const result = session.send(encoder.encode(text), this.now);
    if (result === "accepted") this.application(side).sent.push(text);
    this.#touched(session.connection);
    return result;
  }

  /** Sends text from one side; what is blocked waits for `writable`. */
  post(side: Side, text: string): void {
    const { outbox } = this.application(side);
    outbox.push(text);
    if (outbox.length === 1) this.#flush(side);
    this.settle();
  }

  /** Whoever has no session to send to waits for it. */
  #flush(side: Side): void {
    const session = this.session(side);
    const application = this.application(side);
    const sendable = session !== null && (session.resumable || session.connection?.conversing === true);
    while (sendable && application.outbox.length > 0) {
      const text = application.outbox[0]!;
      if (session.send(encoder.encode(text), this.now) === "blocked") break;
      application.sent.push(application.outbox.shift()!);
      application.onSent?.(text);
    }
    if (session !== null) this.#settleOwner(session.connection);
  }

  /** An application finishes up to a position. */
  finish(side: Side, position: number): void {
    const session = this.session(side)!;
    session.consumed(position, this.now);
    this.#touched(session.connection);
  }

  /** An application finishes the oldest `count` messages that it has. */
  finishAll(side: Side, count = Infinity): void {
    const { open } = this.application(side);
    const last = open[Math.min(count, open.length) - 1];
    if (last !== undefined) this.#finish(side, last);
    this.settle();
  }

  /** An application finishes a message, and with it all before it. */
  #finish(side: Side, { state, position }: Unfinished): void {
    const session = this.session(side);
    const { open, finished } = this.application(side);
    if (session === null || session.state !== state) return; // of a session that was lost
    for (let first = open[0]; first !== undefined; first = open[0]) {
      if (first.state === state && first.position > position) break;
      if (first.state === state) finished.add(first.text);
      open.shift();
    }
    session.consumed(position, this.now);
    this.#settleOwner(session.connection);
  }

  #touched(connection: Connection | null): void {
    this.#settleOwner(connection);
    this.settle();
  }

  #settleOwner(connection: Conversation | null): void {
    const end = connection === null ? undefined : this.ends.get(connection);
    if (end !== undefined) this.#owner(end).settle(end.connection, this.now);
  }

  #owner(end: End): Client | Server {
    return end.side === "client" ? this.client : this.server;
  }

  /** Both ends of the present transports are told that it is gone. */
  resetAll(): void {
    for (const end of [...this.ends.values()]) this.reset(end);
    this.settle();
  }

  /** Both ends are told that the transport is gone. */
  reset(end: End): void {
    if (end.gone) return;
    end.gone = true;
    end.connection.transportFailed(RESET, this.now);
    this.#owner(end).settle(end.connection, this.now);
    if (end.peer !== null) this.reset(end.peer);
  }

  /** Nothing reaches these ends any more, and nobody is told. */
  deafen(...ends: (End | null)[]): void {
    for (const end of ends) {
      if (end === null) continue;
      end.deaf = true;
      end.queue.length = 0;
    }
  }

  /** A process does nothing for `span` ms. */
  stall(side: Side, span: number): void {
    this.stalledUntil[side] = Math.max(this.stalledUntil[side], this.now + span);
  }

  /** What the client does with a connection that it may give up for another. */
  #keep(how: "hold" | "release" | "drop", connection: Conversation): void {
    const end = this.ends.get(connection);
    if (end === undefined) return;
    if (how === "release") end.queue.unshift(...end.held ?? []);
    end.held = how === "hold" ? [] : null;
    if (how !== "drop") return this.client.settle(connection, this.now);
    end.gone = true;
    this.ends.delete(connection);
    this.#put(end, null);
  }

  #dial(attempt: number): void {
    if (this.dialTime === 0) this.#dialed(attempt);
    else this.later(this.dialTime, () => this.#dialed(attempt));
  }

  #dialed(attempt: number): void {
    this.dials++;
    if (!this.reachable) return this.client.dialFailed(attempt, UNREACHABLE, this.now);
    const connection = this.client.dialed(attempt, this.now);
    if (connection === null) return;
    const near = this.#end("client", connection);
    const far = this.#end("server", this.accept());
    near.peer = far;
    far.peer = near;
    this.onDial?.(near, far);
  }

  /** The server accepts a transport, of the client or of a stranger. */
  accept(): Conversation {
    const accepted = this.server.accepted("peer", this.now);
    if (accepted === null) throw new Error("the server destroys the transport");
    return accepted;
  }

  #end(side: Side, connection: Conversation): End {
    const end: End = {
      side,
      dial: this.dials,
      connection,
      peer: null,
      queue: [],
      held: null,
      sent: 0,
      received: 0,
      delay: 0,
      deaf: false,
      busyUntil: 0,
      first: null,
      ended: false,
      gone: false,
    };
    this.ends.set(connection, end);
    return end;
  }

  /** A transport to the server that the test itself speaks over: an end whose bytes go nowhere. */
  stranger(): End {
    return this.#end("server", this.accept());
  }

  /** The end of the client's present connection. */
  get current(): End | null {
    const { connection } = this.client;
    return connection === null ? null : this.ends.get(connection) ?? null;
  }

  /** Everything that can happen now happens. */
  settle(): void {
    const { client, server } = this;
    for (let busy = true; busy;) {
      busy = false;
      for (let a = client.nextAction(); a !== null; a = client.nextAction()) {
        busy = true;
        if (a.type === "dial") this.#dial(a.attempt);
        else if (a.type !== "cancelDial" && a.type !== "ask") this.#keep(a.type, a.connection);
      }
      for (let c = client.nextDirty(); c !== null; c = client.nextDirty()) busy = this.#drain(c) || busy;
      for (let e = client.nextEvent(); e !== null; e = client.nextEvent()) this.told.push(e);
      for (let c = server.nextDirty(); c !== null; c = server.nextDirty()) busy = this.#drain(c) || busy;
      for (let o = server.nextOver(); o !== null; o = server.nextOver()) this.#over(o);
    }
  }

  #over(over: SessionOver): void {
    this.over.push(over);
    this.onOver?.(over);
    if (over.session === this.remote) this.remote = null;
  }

  #drain(connection: Conversation): boolean {
    const end = this.ends.get(connection);
    if (end === undefined) return false;
    for (let e = connection.nextEvent(); e !== null; e = connection.nextEvent()) this.#event(end, e);
    while (!end.gone && end.busyUntil <= this.now && end.held === null) {
      const shown = connection.peekTransmit();
      if (shown === null) break;
      const going = shown.length <= this.writes ? shown : shown.subarray(0, this.writes);
      end.sent += going.length;
      end.first ??= going;
      this.#put(end, going);
      connection.advanceTransmit(going.length);
      if (this.pace === 0) continue;
      end.busyUntil = this.now + this.pace;
      this.later(this.pace, () => this.#owner(end).settle(connection, this.now));
    }
    for (let e = connection.nextEvent(); e !== null; e = connection.nextEvent()) this.#event(end, e);
    const action = connection.socketAction();
    const flushed = action !== "keep" && (action === "destroy" || connection.peekTransmit() === null);
    if (!end.gone && flushed && !end.ended) {
      end.ended = true;
      this.#put(end, null);
    }
    if (action === "destroy" || end.gone) {
      end.gone = true;
      this.ends.delete(connection);
    }
    return true;
  }

  #put(end: End, bytes: Uint8Array | null): void {
    const { peer } = end;
    if (this.silent || peer === null || peer.deaf || peer.gone) return;
    // In order, whatever became of the latency.
    const at = Math.max(this.now + this.latency + peer.delay, peer.queue.at(-1)?.at ?? 0);
    peer.queue.push({ at, bytes });
  }

  #event(end: End, event: ConnectionEvent): void {
    this.onEvent?.(end, event);
    const application = this.application(end.side);
    switch (event.type) {
      case "open":
        application.resumed.push(event.resumed);
        if (end.side === "server") this.remote = this.server.sessionOf(end.connection);
        return this.later(0, () => event.resumed ? undefined : this.#flush(end.side));
      case "message":
        return this.#message(end, decoder.decode(event.bytes), event.position);
      case "processed":
        return void application.processed.push(event.position);
      case "writable":
        application.writable++;
        return this.#flush(end.side);
      case "lost":
        application.lost.push(event.unconfirmed.map((one) => ({ ...one, bytes: one.bytes.slice() })));
        return;
      case "closed":
        application.closed.push(event.reason);
    }
  }

  #message(end: End, text: string, position: number): void {
    const application = this.application(end.side);
    application.messages.push(text);
    const session = end.side === "client" ? this.client.session : this.server.sessionOf(end.connection);
    if (session === null) {
      end.connection.consumed(position, this.now);
      return this.#settleOwner(end.connection);
    }
    const message = { text, state: session.state, position };
    const wait = application.consumes ? 0 : application.after?.(text) ?? Infinity;
    application.open.push(message);
    if (wait === 0) this.#finish(end.side, message);
    else if (wait < Infinity) this.later(wait, () => this.#finish(end.side, message));
    const answer = application.answer?.(text) ?? null;
    if (answer === null) return;
    application.outbox.push(answer);
    if (application.outbox.length === 1) this.#flush(end.side);
  }

  /** Does something in so many ms. */
  later(wait: number, run: () => void): void {
    this.#tasks.add(this.now + wait, run);
  }

  #next(): number {
    const { client, server } = this.stalledUntil;
    let at = Math.min(Math.max(this.server.deadline(), server), Math.max(this.client.deadline(), client));
    at = Math.min(at, this.#tasks.next);
    for (const end of this.ends.values()) {
      const first = end.queue[0];
      if (first !== undefined) at = Math.min(at, Math.max(first.at, this.stalledUntil[end.side]));
    }
    return at;
  }

  /** Lets time pass: `span` ms, or until `until` holds. */
  run(span: number, until: () => boolean = () => false): void {
    const finish = this.now + span;
    this.settle();
    while (!until()) {
      const at = this.#next();
      if (at > finish) break;
      this.now = Math.max(this.now, at);
      const { client, server } = this.stalledUntil;
      // After a stall an overdue timer comes before the bytes that wait, as on the runtimes.
      if (client <= this.now && this.client.deadline() <= this.now) this.client.handleTimeout(this.now);
      if (server <= this.now && this.server.deadline() <= this.now) this.server.handleTimeout(this.now);
      this.settle();
      for (const end of [...this.ends.values()]) {
        if (this.stalledUntil[end.side] <= this.now) this.#deliver(end);
      }
      this.#tasks.run(this.now);
      this.settle();
    }
    if (!until()) this.now = finish;
  }

  #deliver(end: End): void {
    while (end.queue.length > 0 && end.queue[0]!.at <= this.now && !end.gone) {
      if (end.held !== null) {
        end.held.push(end.queue.shift()!);
        this.client.heard(end.connection, this.now);
        continue;
      }
      const { bytes } = end.queue.shift()!;
      if (bytes === null) {
        end.connection.receiveEof(this.now);
        this.#owner(end).settle(end.connection, this.now);
        continue;
      }
      const to = end.received + bytes.length;
      const cut = this.cuts.find((c) => c.dial === end.dial && c.side === end.side && c.offset <= to);
      this.#give(end, cut === undefined ? bytes : bytes.subarray(0, cut.offset - end.received));
      if (cut?.silent) this.deafen(end, end.peer);
      else if (cut !== undefined) this.reset(end);
    }
    this.settle();
  }

  #give(end: End, bytes: Uint8Array): void {
    this.onBytes?.(end, bytes);
    end.received += bytes.length;
    for (let at = 0; at < bytes.length && !end.gone; at += this.piece) {
      const whole = bytes.length <= this.piece;
      end.connection.receive(whole ? bytes : bytes.subarray(at, at + this.piece), this.now);
      this.#owner(end).settle(end.connection, this.now);
      this.settle();
    }
  }
}

/**
 * One client and one server of sessions on a virtual clock, joined by transports that can be cut at any byte.
 *
 * Each dial makes a transport of two wires. Bytes arrive in order after `latency` ms. A transport that is *reset* tells both ends; one that is
 * *cut* tells nobody, and the silence is found by heartbeats. Applications: what each side was told of, in order, is in `messages`.
 *
 * Rules: nothing sleeps; time moves only in `run`. Everything sent is text that names itself, so that loss, doubling and disorder show.
 *
 * @module
 */

import { Client } from "../../core/client.ts";
import type { Connection } from "../../core/connection.ts";
import type { Conversation } from "../../core/conversation.ts";
import type { ClientEvent, ConnectionEvent, Unconfirmed } from "../../core/events.ts";
import type { ClientOptions, ServerOptions } from "../../core/options.ts";
import { Server } from "../../core/server.ts";
import type { SessionOver } from "../../core/server_types.ts";
import type { Session } from "../../core/session.ts";
import { Random, seeded } from "./random.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** One end of a transport. */
export interface End {
  readonly side: "client" | "server";
  readonly connection: Conversation;
  peer: End | null;
  /** What is on its way to this end; null is the end of the stream. */
  queue: { at: number; bytes: Uint8Array | null }[];
  /** Bytes that left this end in all. */
  sent: number;
  ended: boolean;
  gone: boolean;
}

/** What is known of one side's application. */
export class Application {
  readonly messages: string[] = [];
  readonly processed: number[] = [];
  readonly lost: Unconfirmed[][] = [];
  readonly resumed: boolean[] = [];
  /** Finishes each message at once. */
  consumes = true;
  /** Positions that it has not finished. */
  readonly open: number[] = [];
}

/** The world. */
export class World {
  now = 1_000;
  latency = 5;
  /** Bytes vanish, and nobody is told. */
  silent = false;
  /** Whether dials succeed. */
  reachable = true;
  /** Bytes taken from a machine at a time. */
  piece = Infinity;
  client: Client;
  server: Server;
  readonly near: Application = new Application();
  readonly far: Application = new Application();
  readonly told: ClientEvent[] = [];
  readonly over: SessionOver[] = [];
  /** The server's session with this client, once it has one. */
  remote: Session | null = null;
  dials = 0;
  /** Called for each piece of bytes before it is put on the wire; what it returns goes. */
  onBytes: ((end: End, bytes: Uint8Array) => Uint8Array | null) | null = null;
  readonly ends: Map<Conversation, End> = new Map();
  #random: Random;
  #serverOptions: ServerOptions;

  constructor(client: ClientOptions = {}, server: ServerOptions = {}, seed = 1) {
    this.#random = new Random(seed);
    this.#serverOptions = server;
    const reconnect = { base: 10, floor: 5, cap: 50 };
    this.client = new Client({ reconnect, resume: true, ...client }, seeded(this.#random));
    this.server = new Server(server, seeded(this.#random));
    this.client.start(this.now);
    this.settle();
  }

  /** The server dies, and another begins, which knows nothing. */
  restart(): void {
    for (const end of [...this.ends.values()]) this.reset(end);
    this.server = new Server(this.#serverOptions, seeded(this.#random));
    this.remote = null;
    this.settle();
  }

  /** Sends text from one side. */
  send(side: "client" | "server", text: string): "accepted" | "blocked" {
    const session = side === "client" ? this.client.session! : this.remote!;
    const result = session.send(encoder.encode(text), this.now);
    this.#touched(session.connection);
    return result;
  }

  /** An application finishes up to a position. */
  finish(side: "client" | "server", position: number): void {
    const session = side === "client" ? this.client.session! : this.remote!;
    session.consumed(position, this.now);
    this.#touched(session.connection);
  }

  #touched(connection: Connection | null): void {
    if (connection !== null) {
      const end = this.ends.get(connection);
      if (end?.side === "client") this.client.settle(connection, this.now);
      if (end?.side === "server") this.server.settle(connection, this.now);
    }
    this.settle();
  }

  /** Both ends of the present transports are told that it is gone. */
  resetAll(): void {
    for (const end of [...this.ends.values()]) this.reset(end);
    this.settle();
  }

  reset(end: End): void {
    if (end.gone) return;
    end.gone = true;
    end.connection.transportFailed(new Error("reset"), this.now);
    if (end.side === "client") this.client.settle(end.connection, this.now);
    else this.server.settle(end.connection, this.now);
    if (end.peer !== null) this.reset(end.peer);
  }

  #dialed(attempt: number): void {
    this.dials++;
    if (!this.reachable) return this.client.dialFailed(attempt, new Error("unreachable"), this.now);
    const connection = this.client.dialed(attempt, this.now);
    if (connection === null) return;
    const near = this.#end("client", connection);
    const accepted = this.server.accepted("peer", this.now);
    if (accepted === null) throw new Error("the server destroys the transport");
    const far = this.#end("server", accepted);
    near.peer = far;
    far.peer = near;
  }

  #end(side: "client" | "server", connection: Conversation): End {
    const end: End = { side, connection, peer: null, queue: [], sent: 0, ended: false, gone: false };
    this.ends.set(connection, end);
    return end;
  }

  /** Everything that can happen now happens. */
  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (let a = this.client.nextAction(); a !== null; a = this.client.nextAction()) {
        busy = true;
        if (a.type === "dial") this.#dialed(a.attempt);
      }
      for (let c = this.client.nextDirty(); c !== null; c = this.client.nextDirty()) {
        busy = this.#drain(c) || busy;
      }
      for (let e = this.client.nextEvent(); e !== null; e = this.client.nextEvent()) this.told.push(e);
      for (let c = this.server.nextDirty(); c !== null; c = this.server.nextDirty()) {
        busy = this.#drain(c) || busy;
      }
      for (let o = this.server.nextOver(); o !== null; o = this.server.nextOver()) this.over.push(o);
    }
  }

  #drain(connection: Conversation): boolean {
    const end = this.ends.get(connection);
    if (end === undefined) return false;
    for (let e = connection.nextEvent(); e !== null; e = connection.nextEvent()) this.#event(end, e);
    if (end.gone) return this.#forget(end);
    for (;;) {
      const shown = connection.peekTransmit();
      if (shown === null || end.gone) break;
      const bytes = shown.slice(0, Math.min(shown.length, this.piece));
      const going = this.onBytes === null ? bytes : this.onBytes(end, bytes);
      if (end.gone) break;
      if (going === null) break;
      end.sent += going.length;
      this.#put(end, going);
      connection.advanceTransmit(going.length);
    }
    const action = connection.socketAction();
    if (!end.gone && action !== "keep" && !end.ended) {
      end.ended = true;
      this.#put(end, null);
    }
    if (action === "destroy" || end.gone) {
      end.gone = true;
      return this.#forget(end);
    }
    return true;
  }

  #forget(end: End): boolean {
    this.ends.delete(end.connection);
    return true;
  }

  #put(end: End, bytes: Uint8Array | null): void {
    if (!this.silent && end.peer !== null) end.peer.queue.push({ at: this.now + this.latency, bytes });
  }

  #event(end: End, event: ConnectionEvent): void {
    const application = end.side === "client" ? this.near : this.far;
    switch (event.type) {
      case "open":
        application.resumed.push(event.resumed);
        if (end.side === "server") this.remote = this.server.sessionOf(end.connection);
        return;
      case "message":
        application.messages.push(decoder.decode(event.bytes));
        if (application.consumes) {
          const session = end.side === "client"
            ? this.client.session!
            : this.server.sessionOf(end.connection)!;
          session.consumed(event.position, this.now);
        } else application.open.push(event.position);
        return;
      case "processed":
        application.processed.push(event.position);
        return;
      case "lost":
        application.lost.push(event.unconfirmed.map((one) => ({ ...one, bytes: one.bytes.slice() })));
    }
  }

  /** Lets time pass: `span` ms, or until `until` holds. */
  run(span: number, until: () => boolean = () => false): void {
    const finish = this.now + span;
    this.settle();
    while (!until()) {
      let at = Math.min(this.server.deadline(), this.client.deadline());
      for (const end of this.ends.values()) at = Math.min(at, end.queue[0]?.at ?? Infinity);
      if (at > finish) break;
      this.now = Math.max(this.now, at);
      for (const end of [...this.ends.values()]) this.#deliver(end);
      if (this.client.deadline() <= this.now) this.client.handleTimeout(this.now);
      if (this.server.deadline() <= this.now) this.server.handleTimeout(this.now);
      this.settle();
    }
    if (!until()) this.now = finish;
  }

  #deliver(end: End): void {
    while (end.queue.length > 0 && end.queue[0]!.at <= this.now && !end.gone) {
      const { bytes } = end.queue.shift()!;
      if (bytes === null) end.connection.receiveEof(this.now);
      else end.connection.receive(bytes, this.now);
      if (end.side === "client") this.client.settle(end.connection, this.now);
      else this.server.settle(end.connection, this.now);
      this.settle();
    }
  }
}

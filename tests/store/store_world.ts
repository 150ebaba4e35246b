/**
 * One client, several servers and one store on a virtual clock: the client moves between servers that come and go, and the store is slow and fails.
 *
 * The servers' application answers each message within the turn in which it finishes it, pushes messages of its own, and answers requests after a while.
 * What the store is asked is carried out after a delay, and answered after another; a question may get lost before, its answer behind, and what was
 * given up may be carried out long after.
 *
 * What must hold, whatever happens:
 * - the client gets the answers to its messages in order, each once;
 * - what was stored for sending arrives, once;
 * - a message comes to an application again only when that it was finished had not been stored when the session was claimed;
 * - each request is answered once, by its handler or as failed;
 * - nothing is told as lost.
 *
 * Rules: nothing sleeps; time moves only in `run`. The same seed, the same life.
 *
 * @module
 */

import { Client } from "../../core/client.ts";
import type { Conversation } from "../../core/conversation.ts";
import type { ConnectionEvent } from "../../core/events.ts";
import { ReplyStatus } from "../../core/flow/requests.ts";
import type { ClientOptions, ServerOptions } from "../../core/options.ts";
import { Server } from "../../core/server.ts";
import type { ServerAction } from "../../core/server_types.ts";
import type { Session } from "../../core/session.ts";
import { Random, seeded } from "../support/random.ts";
import { type End, Process } from "./processes.ts";
import { SlowStore } from "./slow_store.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const RESET = new Error("reset");

/** The world. */
export class StoreWorld {
  now = 1_000;
  latency = 3;
  readonly store: SlowStore;
  client: Client;
  readonly processes: Process[] = [];
  /** Where the next dial goes; null: anywhere. */
  target: Process | null = null;
  /** What the client got, and what was lost. */
  readonly received: string[] = [];
  readonly lost: string[] = [];
  readonly replies: Map<number, number> = new Map();
  asked = 0;
  posted = 0;
  readonly handled: Map<string, number> = new Map();
  readonly counts: Record<string, number> = {};
  /** How long the application takes for a request, ms. */
  thinking = 5;
  /** An application has handled a message. */
  onFinished: ((process: Process, session: Session, text: string, position: number) => void) | null = null;
  /** A session came to a server from the store, with everything before this position finished. */
  onRestored: ((session: Session, processed: number) => void) | null = null;
  readonly #random: Random;
  readonly #serverOptions: ServerOptions;
  readonly #ends: Map<Conversation, End> = new Map();
  readonly #outbox: string[] = [];
  #tasks: { at: number; run: () => void }[] = [];
  #pushed = 0;

  constructor(
    seed: number,
    servers: number,
    client: ClientOptions = {},
    server: ServerOptions = {},
    limit = Infinity,
  ) {
    this.#random = new Random(seed);
    this.store = new SlowStore(limit, this.#random, this);
    const beat = { interval: 200, multiplier: 3, minimumInterval: 10 };
    this.#serverOptions = { heartbeat: beat, handshakeTimeout: 2_000, store: true, ...server };
    for (let i = 0; i < servers; i++) this.begin();
    const reconnect = { base: 10, floor: 5, cap: 50 };
    const options = { heartbeat: beat, handshakeTimeout: 2_000, reconnect, resume: true, ...client };
    this.client = new Client(options, seeded(this.#random));
    this.client.start(this.now);
    this.settle();
  }

  /** Another server starts. */
  begin(): Process {
    const process = new Process(this.processes.length, new Server(this.#serverOptions, seeded(this.#random)));
    this.processes.push(process);
    return process;
  }

  get alive(): Process[] {
    return this.processes.filter(({ alive }) => alive);
  }

  /** The process that the client is connected to, if there is one. */
  get where(): Process | null {
    const { connection } = this.client;
    return connection === null ? null : this.#ends.get(connection)?.peer?.process ?? null;
  }

  /** The server's side of the client's session, where it is connected. */
  get remote(): Session | null {
    const { connection } = this.client;
    const far = connection === null ? null : this.#ends.get(connection)?.peer ?? null;
    return far === null ? null : far.process!.server.sessionOf(far.connection);
  }

  /** A process dies: its connections are reset, and what it asked the store may still be carried out. */
  crash(process: Process): void {
    process.alive = false;
    for (const end of [...this.#ends.values()]) {
      if (end.process !== process) continue;
      this.#ends.delete(end.connection);
      end.gone = true;
      if (end.peer !== null) this.#reset(end.peer);
    }
    this.settle();
  }

  /** A server leaves in order: its sessions go on elsewhere. */
  leave(process: Process): void {
    process.server.drain({ retryAfter: 0 }, this.now);
    if (this.target === process) this.target = null;
    this.settle();
  }

  /** The client's connection is reset at both ends; or only at its own, and the server has to find out. */
  cut(silently = false): void {
    const { connection } = this.client;
    const end = connection === null ? undefined : this.#ends.get(connection);
    if (end === undefined) return;
    const { peer } = end;
    this.#reset(end);
    if (peer !== null) {
      peer.peer = null;
      if (!silently) this.#reset(peer);
    }
    this.settle();
  }

  #reset(end: End): void {
    if (end.gone) return;
    end.gone = true;
    end.connection.transportFailed(RESET, this.now);
    (end.process?.server ?? this.client).settle(end.connection, this.now);
  }

  /** The client sends a message; what is blocked waits. */
  post(size = 0): void {
    this.#outbox.push(`c${this.posted++}`.padEnd(size, "."));
    this.#flush();
    this.settle();
  }

  #flush(): void {
    const { session } = this.client;
    if (session === null || !(session.resumable || session.connection?.conversing)) return;
    while (this.#outbox.length > 0) {
      if (session.send(encoder.encode(this.#outbox[0]!), this.now) === "blocked") break;
      this.#outbox.shift();
    }
    if (session.connection !== null) this.client.settle(session.connection, this.now);
  }

  /** The client asks. */
  ask(): void {
    const { session } = this.client;
    if (session === null || !session.resumable) return;
    const id = session.request(encoder.encode(`q${++this.asked}`), Infinity, this.now);
    if (id === 0) this.asked--;
    if (session.connection !== null) this.client.settle(session.connection, this.now);
    this.settle();
  }

  /** An application sends something that nobody asked for. */
  push(process: Process, size = 0): void {
    for (const session of process.sessions) {
      if (!session.resumable) continue;
      const text = `s${this.#pushed++}`.padEnd(size, ".");
      if (session.send(encoder.encode(text), this.now) === "blocked") this.#pushed--;
      if (session.connection !== null) process.server.settle(session.connection, this.now);
    }
    this.settle();
  }

  /** The applications of a process ask the client; one that has another message in hand then still waits for the answer. */
  question(process: Process): void {
    for (const session of process.sessions) {
      if (!session.resumable) continue;
      const most = Math.min(40_000, session.state.outbound.maxMessage);
      const size = this.#random.between(0, 6) === 0 ? most : 3;
      if (session.request(new Uint8Array(size).fill(63), Infinity, this.now) > 0) this.count("question");
      if (session.connection !== null) process.server.settle(session.connection, this.now);
    }
    this.settle();
  }

  /** Counts what happens. */
  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #dialed(attempt: number): void {
    const { alive } = this;
    const process = this.target ?? alive[this.#random.between(0, alive.length - 1)];
    if (process === undefined || !process.alive) return this.client.dialFailed(attempt, RESET, this.now);
    const connection = this.client.dialed(attempt, this.now);
    if (connection === null) return;
    const accepted = process.server.accepted("peer", this.now);
    if (accepted === null) throw new Error("destroyed");
    const near: End = { connection, process: null, peer: null, queue: [], ended: false, gone: false };
    const far: End = { connection: accepted, process, peer: near, queue: [], ended: false, gone: false };
    near.peer = far;
    this.#ends.set(connection, near);
    this.#ends.set(accepted, far);
  }

  /** Everything that can happen now happens. */
  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      const { client } = this;
      for (let a = client.nextAction(); a !== null; a = client.nextAction()) {
        busy = true;
        if (a.type === "dial") this.#dialed(a.attempt);
      }
      for (let c = client.nextDirty(); c !== null; c = client.nextDirty()) busy = this.#drain(c) || busy;
      while (client.nextEvent() !== null);
      for (const process of this.processes) if (process.alive) busy = this.#serve(process) || busy;
    }
  }

  #serve(process: Process): boolean {
    const { server } = process;
    let busy = false;
    for (let c = server.nextDirty(); c !== null; c = server.nextDirty()) busy = this.#drain(c) || busy;
    for (let o = server.nextOver(); o !== null; o = server.nextOver()) {
      process.over.push(o);
      process.sessions.delete(o.session);
    }
    for (let a = server.nextAction(); a !== null; a = server.nextAction()) this.#ask(process, a);
    return busy;
  }

  #ask(process: Process, { id, question }: ServerAction): void {
    if (question.type === "admit") throw new Error("nobody asks that here");
    this.store.ask(question, (answer) => {
      if (!process.alive) return;
      process.server.answered(id, answer, this.now);
      this.settle();
    });
  }

  #drain(connection: Conversation): boolean {
    const end = this.#ends.get(connection);
    if (end === undefined) return false;
    for (let e = connection.nextEvent(); e !== null; e = connection.nextEvent()) this.#event(end, e);
    for (let b = connection.peekTransmit(); !end.gone && b !== null; b = connection.peekTransmit()) {
      this.#put(end, b);
      connection.advanceTransmit(b.length);
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
      this.#ends.delete(connection);
    }
    return true;
  }

  #put({ peer }: End, bytes: Uint8Array | null): void {
    if (peer === null || peer.gone) return;
    const at = Math.max(this.now + this.latency, peer.queue.at(-1)?.at ?? 0);
    peer.queue.push({ at, bytes });
  }

  #event(end: End, event: ConnectionEvent): void {
    if (end.process === null) return this.#clientEvent(event);
    const { process } = end;
    const { server } = process;
    if (event.type === "open") {
      const session = server.sessionOf(end.connection)!;
      this.count(event.resumed ? "resumed" : process.sessions.has(session) ? "wrong" : "new here");
      if (!process.sessions.has(session)) this.onRestored?.(session, session.state.inbound.durable);
      process.sessions.add(session);
      return;
    }
    const session = server.sessionOf(end.connection);
    if (event.type === "message") {
      const text = decoder.decode(event.bytes);
      const { position } = event;
      const { inbox } = process;
      if (!inbox.has(session!)) inbox.set(session!, []);
      inbox.get(session!)!.push({ text, position });
      this.later(
        this.hold === 0 ? 0 : this.#random.between(0, this.hold),
        () => this.#handle(process, session!),
      );
    } else if (event.type === "request") {
      const text = decoder.decode(event.bytes);
      const { id } = event;
      this.handled.set(text, (this.handled.get(text) ?? 0) + 1);
      this.later(this.#random.between(0, this.thinking), () => {
        if (!process.alive || !process.sessions.has(session!)) return;
        session!.reply(id, 0, encoder.encode(`a${text}`), this.now);
        if (session!.connection !== null) server.settle(session!.connection, this.now);
        this.settle();
      });
    } else if (event.type === "reply") {
      this.count("answer");
    } else if (event.type === "fault" && event.code !== "SUPERSEDED" && event.code !== "BUSY") {
      if (event.code !== "SHUTTING_DOWN") throw new Error(`server: ${event.code}, ${event.text}`);
    } else if (event.type === "lost") {
      throw new Error("a server tells of loss");
    }
  }

  /** So long an application holds a message before it answers and finishes it, ms. */
  hold = 0;

  /** An application handles a message: it answers, and has finished it, in one turn. */
  #handle(process: Process, session: Session): void {
    if (!process.alive || !process.sessions.has(session)) return;
    const inbox = process.inbox.get(session)!;
    for (let first = inbox[0]; first !== undefined; first = inbox[0]) {
      if (session.send(encoder.encode(`r${first.text}`), this.now) === "blocked") {
        this.later(5, () => this.#handle(process, session));
        break;
      }
      inbox.shift();
      this.onFinished?.(process, session, first.text, first.position);
      session.consumed(first.position, this.now);
    }
    if (session.connection !== null) process.server.settle(session.connection, this.now);
  }

  #clientEvent(event: ConnectionEvent): void {
    switch (event.type) {
      case "message":
        this.received.push(decoder.decode(event.bytes));
        return this.later(0, () => {
          const { session } = this.client;
          session!.consumed(event.position, this.now);
          if (session!.connection !== null) this.client.settle(session!.connection, this.now);
        });
      case "request": {
        const { id, bytes } = event;
        const copy = bytes.slice();
        return this.later(this.#random.between(0, this.thinking), () => {
          const { session } = this.client;
          session!.reply(id, 0, copy, this.now);
          if (session!.connection !== null) this.client.settle(session!.connection, this.now);
        });
      }
      case "reply":
        if (this.replies.has(event.id)) throw new Error(`request ${event.id} is answered twice`);
        this.replies.set(event.id, event.status);
        return;
      case "writable":
        return this.later(0, () => this.#flush());
      case "open":
        return this.later(0, () => this.#flush());
      case "lost":
        this.lost.push(...event.unconfirmed.map(({ bytes }) => decoder.decode(bytes)), "a session");
        return;
      case "fault":
        if (event.code !== "TRUNCATED") throw new Error(`client: ${event.code}, ${event.text}`);
        return;
    }
  }

  /** Something happens later, in order. */
  later(wait: number, run: () => void): void {
    const at = this.now + wait;
    const before = this.#tasks.findIndex((task) => task.at > at);
    if (before < 0) this.#tasks.push({ at, run });
    else this.#tasks.splice(before, 0, { at, run });
  }

  /** Lets time pass, until `until` if given. */
  run(time: number, until: () => boolean = () => false): void {
    const finish = this.now + time;
    this.settle();
    while (!until()) {
      let at = Math.min(this.#tasks[0]?.at ?? Infinity, this.client.deadline());
      for (const { server, alive } of this.processes) if (alive) at = Math.min(at, server.deadline());
      for (const end of this.#ends.values()) at = Math.min(at, end.queue[0]?.at ?? Infinity);
      if (at > finish) break;
      this.now = Math.max(this.now, at);
      if (this.client.deadline() <= this.now) this.client.handleTimeout(this.now);
      for (const { server, alive } of this.processes) {
        if (alive && server.deadline() <= this.now) server.handleTimeout(this.now);
      }
      this.settle();
      for (const end of [...this.#ends.values()]) this.#deliver(end);
      while (this.#tasks.length > 0 && this.#tasks[0]!.at <= this.now) this.#tasks.shift()!.run();
      this.settle();
      // A turn is over: what it did is written together.
      for (const process of this.processes) {
        if (!process.alive) continue;
        const { server } = process;
        for (let w = server.nextWrite(); w !== null; w = server.nextWrite()) this.#ask(process, w);
      }
    }
    if (!until()) this.now = finish;
  }

  #deliver(end: End): void {
    const owner = end.process?.server ?? this.client;
    while (end.queue.length > 0 && end.queue[0]!.at <= this.now && !end.gone) {
      const { bytes } = end.queue.shift()!;
      if (bytes === null) end.connection.receiveEof(this.now);
      else end.connection.receive(bytes, this.now);
      owner.settle(end.connection, this.now);
      this.settle();
    }
  }

  /** Everything that the client sent was handled, and everything has come to rest. */
  get quiet(): boolean {
    const { session } = this.client;
    if (session === null || this.#outbox.length > 0) return false;
    const { outbound, inbound } = session.state;
    return outbound.processed === outbound.end && inbound.processed === inbound.received &&
      this.replies.size === this.asked;
  }

  /** The answers to the client's messages, as it got them. */
  get answers(): string[] {
    return this.received.filter((text) => text.startsWith("rc"));
  }

  /** The other messages of servers. */
  get pushes(): string[] {
    return this.received.filter((text) => text.startsWith("s"));
  }

  /** Requests that ended as failed. */
  get failures(): number {
    return [...this.replies.values()].filter((status) => status === ReplyStatus.FAILED).length;
  }
}

/**
 * A server and many clients of the pure core, on one virtual clock, with nothing between them.
 *
 * Rules: the loop is that of core/machine.ts. What one end sends the other has at once, copied as a socket would.
 *
 * @module
 */

import type { Conversation, Environment } from "../../core/mod.ts";
import { Client, type ClientOptions, Server, type ServerOptions } from "../../core/mod.ts";
import { Deadlines, type Timed } from "../../core/deadlines.ts";

/** The wall clock when virtual time begins. */
const WALL = 1_700_000_000_000;
const ROOM = 1_000_000;

/** One client with its connection, and the server's side of it. */
export interface Pair extends Timed {
  readonly client: Client;
  here: Conversation | null;
  there: Conversation | null;
}

/** The world. */
export class CoreWorld {
  readonly server: Server;
  readonly pairs: Pair[] = [];
  /** Messages that the server received. */
  received = 0;
  readonly #environment: Environment;
  readonly #options: ClientOptions;
  readonly #clients = new Deadlines<Pair>();
  readonly #byServer = new Map<Conversation, Pair>();
  #now = 0;

  constructor(environment: Environment, server: ServerOptions, client: ClientOptions) {
    this.#environment = environment;
    this.#options = client;
    this.server = new Server({
      maxConnections: ROOM,
      maxConnectionsPerKey: ROOM,
      maxHandshakes: ROOM,
      maxHandshakesPerKey: ROOM,
      maxSessions: ROOM,
      ...server,
    }, environment);
    this.server.observeWall(WALL, 0);
  }

  /** A client dials and is connected. */
  connect(now: number): Pair {
    const client = new Client(this.#options, this.#environment);
    client.observeWall(WALL + now, now);
    const pair: Pair = { client, here: null, there: null, index: -1 };
    client.start(now);
    this.dial(pair, now);
    this.pairs.push(pair);
    return pair;
  }

  /** A client that wants to dial does, and is connected. */
  dial(pair: Pair, now: number): void {
    const { client } = pair;
    for (let action = client.nextAction(); action !== null; action = client.nextAction()) {
      if (action.type !== "dial") continue;
      pair.here = client.dialed(action.attempt, now);
      pair.there = this.server.accepted("key", now);
      if (pair.here === null || pair.there === null) throw new Error("not admitted");
      this.#byServer.set(pair.there, pair);
    }
    this.pump(pair, now);
    if (pair.here?.phase !== "open" || pair.there?.phase !== "open") throw new Error("not open");
  }

  /** The transport is gone; both ends are told, and the client waits for its next dial. */
  lose(pair: Pair, now: number): void {
    pair.here!.transportFailed(null, now);
    pair.client.settle(pair.here!, now);
    pair.there!.transportFailed(null, now);
    this.server.settle(pair.there!, now);
    this.#byServer.delete(pair.there!);
    this.#drainServer();
    drain(pair.here!);
    for (let event = pair.client.nextEvent(); event !== null; event = pair.client.nextEvent());
    pair.here = pair.there = null;
  }

  /** Whoever has something to send, sends it, until nobody has. */
  pump(pair: Pair, now: number): void {
    const { client, here, there } = pair;
    for (let moved = true; moved;) {
      moved = false;
      drain(here!);
      for (let bytes = here!.peekTransmit(); bytes !== null; bytes = here!.peekTransmit()) {
        there!.receive(bytes, now);
        here!.advanceTransmit(bytes.length);
        this.server.settle(there!, now);
        this.#drainServer();
        moved = true;
      }
      for (let bytes = there!.peekTransmit(); bytes !== null; bytes = there!.peekTransmit()) {
        here!.receive(bytes, now);
        there!.advanceTransmit(bytes.length);
        drain(here!);
        moved = true;
      }
      client.settle(here!, now);
      this.server.settle(there!, now);
      this.#drainServer();
    }
    for (let event = client.nextEvent(); event !== null; event = client.nextEvent());
    while (client.nextDirty() !== null);
    this.#clients.update(pair, client.deadline());
  }

  #drainServer(): void {
    for (let machine = this.server.nextDirty(); machine !== null; machine = this.server.nextDirty()) {
      for (let event = machine.nextEvent(); event !== null; event = machine.nextEvent()) {
        if (event.type !== "message") continue;
        this.received++;
        (this.server.sessionOf(machine) ?? machine).consumed(event.position, this.#now);
      }
    }
  }

  /** Lets time pass. */
  run(until: number): void {
    for (;;) {
      const at = Math.min(this.#clients.next(), this.server.deadline());
      if (at > until) break;
      this.#now = Math.max(this.#now, at);
      const now = this.#now;
      for (let pair = this.#clients.take(now); pair !== null; pair = this.#clients.take(now)) {
        if (pair.client.deadline() <= now) pair.client.handleTimeout(now);
        this.pump(pair, now);
      }
      if (this.server.deadline() > now) continue;
      this.server.handleTimeout(now);
      // Those that were woken have something to say.
      const woken: Conversation[] = [];
      for (let machine = this.server.nextDirty(); machine !== null; machine = this.server.nextDirty()) {
        woken.push(machine);
      }
      for (const machine of woken) {
        drain(machine);
        const pair = this.#byServer.get(machine);
        if (pair !== undefined && pair.there === machine) this.pump(pair, now);
      }
    }
    this.#now = until;
  }
}

function drain(machine: Conversation): void {
  for (let event = machine.nextEvent(); event !== null; event = machine.nextEvent());
}

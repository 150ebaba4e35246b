/**
 * Clients and a server on one virtual clock: the owners' side of the contract, without sockets.
 *
 * Rules: bytes arrive after `latency` ms, in order; dials succeed at once unless `dialing` says otherwise. Time moves only in `run`.
 *
 * @module
 */

import { Client } from "../../core/client.ts";
import type { Conversation } from "../../core/conversation.ts";
import type { ClientEvent, ConnectionEvent } from "../../core/events.ts";
import type { ClientOptions, ServerOptions } from "../../core/options.ts";
import { Server } from "../../core/server.ts";
import type { ServerAction } from "../../core/server_types.ts";
import { Random, seeded } from "./random.ts";

/** An owner's event and when it was drained, ms. */
export interface Told {
  readonly at: number;
  readonly event: ClientEvent;
}

/** A client with what it did. */
export class Dialler {
  readonly client: Client;
  /** Its address, the server's key for it. */
  readonly key: string;
  readonly told: Told[] = [];
  /** Times of its dials, ms. */
  readonly dials: number[] = [];
  readonly endpoints: number[] = [];
  readonly cancelled: number[] = [];

  constructor(client: Client, key: string) {
    this.client = client;
    this.key = key;
  }

  of<T extends ClientEvent["type"]>(type: T): Extract<ClientEvent, { type: T }>[] {
    return this.told.filter((told) => told.event.type === type)
      .map((told) => told.event as Extract<ClientEvent, { type: T }>);
  }
}

/** One end of a transport. */
interface End {
  readonly connection: Conversation;
  readonly settle: (connection: Conversation, now: number) => void;
  peer: End | null;
  queue: { at: number; bytes: Uint8Array | null }[];
  ended: boolean;
  gone: boolean;
  /** Its client keeps what comes from it. */
  held: boolean;
}

/** The world. */
export class Owners {
  now = 1_000;
  latency = 1;
  server: Server;
  readonly diallers: Dialler[] = [];
  readonly asked: ServerAction[] = [];
  readonly events: { side: "client" | "server"; connection: Conversation; event: ConnectionEvent }[] = [];
  /** What becomes of a dial. */
  dialing: "succeed" | "fail" | "hang" = "succeed";
  /** Bytes vanish. */
  cut = false;
  /** By how much the wall clock is ahead of the monotonic one, ms; null: nobody samples it. */
  wall: number | null = null;
  #random: Random;
  #ends: Map<Conversation, End> = new Map();

  constructor(options: ServerOptions = {}, seed = 1) {
    this.#random = new Random(seed);
    this.server = new Server(options, seeded(this.#random));
  }

  /** A new client that begins to dial. */
  dial(options: ClientOptions = {}, key = `client ${this.diallers.length}`): Dialler {
    const dialler = new Dialler(new Client(options, seeded(this.#random)), key);
    this.diallers.push(dialler);
    dialler.client.start(this.now);
    this.settle();
    return dialler;
  }

  /** Joins a fresh client's connection to what the server makes of it. Null: the server destroys it at once. */
  #join(dialler: Dialler, attempt: number): void {
    if (this.dialing === "hang") return;
    if (this.dialing === "fail") return dialler.client.dialFailed(attempt, new Error("refused"), this.now);
    const connection = dialler.client.dialed(attempt, this.now);
    if (connection === null) return;
    const near = this.#end(connection, (c, now) => dialler.client.settle(c, now));
    const accepted = this.server.accepted(dialler.key, this.now);
    if (accepted === null) {
      near.queue.push({ at: this.now + this.latency, bytes: null });
      return;
    }
    const far = this.#end(accepted, (c, now) => this.server.settle(c, now));
    near.peer = far;
    far.peer = near;
  }

  /** What a client does with a connection for which it has a replacement. */
  #keep(how: "hold" | "release" | "drop", connection: Conversation): void {
    const end = this.#ends.get(connection);
    if (end === undefined) return;
    end.held = how === "hold";
    if (how !== "drop") return end.settle(connection, this.now);
    this.#put(end, null);
    end.gone = true;
    this.#ends.delete(connection);
  }

  #end(connection: Conversation, settle: End["settle"]): End {
    const end: End = { connection, settle, peer: null, queue: [], ended: false, gone: false, held: false };
    this.#ends.set(connection, end);
    return end;
  }

  /** Everything that can happen now happens. */
  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const dialler of this.diallers) {
        const { client } = dialler;
        for (let action = client.nextAction(); action !== null; action = client.nextAction()) {
          busy = true;
          if (action.type === "dial") {
            dialler.dials.push(this.now);
            dialler.endpoints.push(action.endpoint);
            this.#join(dialler, action.attempt);
          } else if (action.type === "cancelDial") dialler.cancelled.push(action.attempt);
          else if (action.type !== "ask") this.#keep(action.type, action.connection);
        }
        for (let c = client.nextDirty(); c !== null; c = client.nextDirty()) {
          busy = true;
          this.#drain(c, "client");
        }
        for (let event = client.nextEvent(); event !== null; event = client.nextEvent()) {
          busy = true;
          dialler.told.push({ at: this.now, event });
        }
      }
      for (let action = this.server.nextAction(); action !== null; action = this.server.nextAction()) {
        busy = true;
        this.asked.push(action);
      }
      for (let c = this.server.nextDirty(); c !== null; c = this.server.nextDirty()) {
        busy = true;
        this.#drain(c, "server");
      }
    }
  }

  #drain(connection: Conversation, side: "client" | "server"): void {
    const end = this.#ends.get(connection);
    for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
      this.events.push({ side, connection, event });
      if (event.type === "message") connection.consumed(event.position, this.now);
    }
    if (end === undefined || end.gone || end.held) return;
    for (let bytes = connection.peekTransmit(); bytes !== null; bytes = connection.peekTransmit()) {
      this.#put(end, bytes.slice());
      connection.advanceTransmit(bytes.length);
    }
    const action = connection.socketAction();
    if (action !== "keep" && !end.ended) {
      end.ended = true;
      this.#put(end, null);
    }
    if (action === "destroy") {
      end.gone = true;
      this.#ends.delete(connection);
    }
  }

  #put(end: End, bytes: Uint8Array | null): void {
    if (!this.cut && end.peer !== null) end.peer.queue.push({ at: this.now + this.latency, bytes });
  }

  /** Lets time pass: `span` ms, or until `until` holds. */
  run(span: number, until: () => boolean = () => false): void {
    const finish = this.now + span;
    this.settle();
    while (!until()) {
      let at = this.server.deadline();
      for (const { client } of this.diallers) at = Math.min(at, client.deadline());
      for (const end of this.#ends.values()) {
        if (!end.held) at = Math.min(at, end.queue[0]?.at ?? Infinity);
      }
      if (at > finish) break;
      this.now = Math.max(this.now, at);
      for (const end of [...this.#ends.values()]) this.#deliver(end);
      for (const { client } of this.diallers) this.#fire(client);
      this.#fire(this.server);
      this.settle();
    }
    if (!until()) this.now = finish;
  }

  #fire(owner: Client | Server): void {
    if (owner.deadline() > this.now) return;
    if (this.wall !== null) owner.observeWall(this.now + this.wall, this.now);
    owner.handleTimeout(this.now);
  }

  #deliver(end: End): void {
    while (end.queue.length > 0 && end.queue[0]!.at <= this.now && !end.gone && !end.held) {
      const { bytes } = end.queue.shift()!;
      if (bytes === null) end.connection.receiveEof(this.now);
      else end.connection.receive(bytes, this.now);
      end.settle(end.connection, this.now);
      this.settle();
    }
  }
}

/**
 * Both ends of one connection in virtual time, with nothing between them: for what only the core costs.
 *
 * Rules: no socket, clock or timer. What one end sends the other has at once; when the link is cut, what is sent is gone and nobody is
 * told. The driver's loop is that of core/machine.ts.
 *
 * @module
 */

import { PACKET_BYTES } from "../core/classic/packet.ts";
import { type Conversation, converse, type Environment, type Profile } from "../core/mod.ts";

/** ms */
export const SECOND = 1_000;

/** The wall clock when virtual time begins. */
const WALL = 1_700_000_000_000;

/** Entropy that is the same in every run. */
function seeded(seed: number): Environment {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return {
    entropy: (into) => {
      for (let at = 0; at < into.length; at++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        into[at] = state >>> 24;
      }
    },
  };
}

/** How a server rejected what it was given. */
export interface Rejection {
  /** What it took until its end: packets, or bytes. */
  readonly took: number;
  /** The code of the end. */
  readonly reason: string;
  /** Faults reported, by code. */
  readonly faults: Readonly<Record<string, number>>;
}

/** A client and a server. */
export class LoopPair {
  readonly client: Conversation;
  readonly server: Conversation;
  /** When each side held the other dead, ms; null: not yet. */
  readonly deadAt: { client: number | null; server: number | null } = { client: null, server: null };
  /** What is sent is gone. */
  cut = false;

  constructor(profile: Profile, interval: number, seed: number) {
    const options = { profile, heartbeat: { interval } };
    // Connections do not begin in one moment.
    const start = (seed % 97) / 97 * interval;
    this.client = converse("client", options, seeded(2 * seed), start);
    this.server = converse("server", options, seeded(2 * seed + 1), start);
    for (const side of [this.client, this.server]) side.observeWall(WALL + start, start);
    this.#pump(start);
  }

  /** Bytes that both ends sent so far. */
  get bytes(): number {
    return this.client.stats().bytesSent + this.server.stats().bytesSent;
  }

  /** Lets time pass. */
  run(until: number): void {
    for (;;) {
      const at = Math.min(this.client.deadline(), this.server.deadline());
      if (at > until) return;
      if (this.client.deadline() <= at) this.client.handleTimeout(at);
      if (this.server.deadline() <= at) this.server.handleTimeout(at);
      this.#pump(at);
    }
  }

  #pump(now: number): void {
    for (let moved = true; moved;) {
      this.#events("client", now);
      this.#events("server", now);
      if (this.server.phase === "deciding") this.server.accept(now);
      const there = this.#carry(this.client, this.server, now);
      const back = this.#carry(this.server, this.client, now);
      moved = there || back;
    }
  }

  #events(side: "client" | "server", now: number): void {
    for (let event = this[side].nextEvent(); event !== null; event = this[side].nextEvent()) {
      if (event.type === "closed" && event.reason.kind === "dead") this.deadAt[side] = now;
    }
  }

  #carry(from: Conversation, to: Conversation, now: number): boolean {
    let moved = false;
    for (let bytes = from.peekTransmit(); bytes !== null; bytes = from.peekTransmit()) {
      if (!this.cut) {
        to.receive(bytes, now);
        moved = true;
        this.#events(to === this.client ? "client" : "server", now);
      }
      from.advanceTransmit(bytes.length);
    }
    return moved;
  }

  /** A server of profile classic gets packets whose checksum has one wrong bit; says how many it took. */
  static corrupt(count: number): Rejection {
    const client = converse("client", { profile: "classic" }, seeded(1), 0);
    const server = converse("server", { profile: "classic" }, seeded(2), 0);
    for (const side of [client, server]) side.observeWall(WALL, 0);
    server.accept(0);
    const faults: Record<string, number> = {};
    for (let sent = 1; sent <= count; sent++) {
      const now = sent * SECOND;
      const packet = client.peekTransmit()!.slice(0, PACKET_BYTES);
      client.advanceTransmit(packet.length);
      packet[4]! ^= 1;
      server.receive(packet, now);
      seen(server, faults);
      if (server.reason !== null) return { took: sent, reason: server.reason.code, faults };
      client.ping(now);
    }
    return { took: count, reason: "none", faults };
  }

  /** A server of profile classic gets bytes that are no packets; says how many it took. */
  static noise(): Rejection {
    const faults: Record<string, number> = {};
    const server = converse("server", { profile: "classic" }, seeded(2), 0);
    server.observeWall(WALL, 0);
    server.accept(0);
    for (let bytes = 1;; bytes++) {
      server.receive(Uint8Array.of(bytes & 0x7f), bytes / 100);
      seen(server, faults);
      if (server.reason !== null) return { took: bytes, reason: server.reason.code, faults };
    }
  }
}

/** Drains the events and counts faults. */
function seen(machine: Conversation, faults: Record<string, number>): void {
  for (let event = machine.nextEvent(); event !== null; event = machine.nextEvent()) {
    if (event.type === "fault") faults[event.code] = (faults[event.code] ?? 0) + 1;
  }
}

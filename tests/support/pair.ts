/**
 * Two machines, one virtual clock, and between them a byte stream as TCP shows it.
 *
 * The link keeps order and loses nothing: what TCP makes of loss is delay and a batch. A *cut* is silence: bytes are taken from the
 * sender and never arrive, and nobody is told. A *stall* of one side is a process that does not run: bytes wait for it, its timers
 * fire late, and the overdue timer comes before the bytes that wait, as it does on Node, Deno and Bun. A *suspension* is a machine that
 * does not run: its network is away too, and its monotonic clock may stand still (Linux) or move on (macOS).
 *
 * Rules: nothing sleeps; time moves only in `run`. What happened is in `events`, per side, with times. `now` is the world's time; a machine
 * is told its side's own monotonic clock, which differs by `offset` and `rate`.
 *
 * @module
 */

import { Connection } from "../../core/connection.ts";
import type { Environment } from "../../core/environment.ts";
import type { ConnectionEvent } from "../../core/events.ts";
import type { ConnectionOptions } from "../../core/options.ts";
import { Random, seeded } from "./random.ts";

/** An event and when it was drained, ms. Byte views are copied. */
export interface Seen {
  readonly at: number;
  readonly event: ConnectionEvent;
}

/** One direction of the link. */
export class Wire {
  /** From sending to arrival, ms. */
  latency = 1;
  /** ... and so much more, drawn for each piece. */
  jitter: (() => number) | null = null;
  /** Bytes a ms; Infinity = all at once. */
  rate = Infinity;
  /** Takes bytes and gives nothing. */
  cut = false;
  /** Cuts what arrives into pieces of so many bytes; Infinity = as it was written. */
  piece = Infinity;
  /** Holds so many bytes that are not yet with the peer, as a kernel's buffer does; the rest waits in the machine. */
  room = Infinity;
  /** Changes bytes on their way, for faults that TCP's own checksum would hide. */
  tamper: ((bytes: Uint8Array) => Uint8Array) | null = null;
  /** What would arrive before this time arrives then: a segment that is sent again. */
  heldUntil = 0;
  /** Bytes under way, in order. `null` is the end of the stream. */
  queue: { at: number; bytes: Uint8Array | null }[] = [];
  #free = 0;

  /** A copy. */
  clone(): Wire {
    const copy = Object.assign(new Wire(), this);
    copy.queue = this.queue.map((item) => ({ ...item }));
    copy.#free = this.#free;
    return copy;
  }

  /** How many bytes it takes now. */
  get free(): number {
    return this.room === Infinity
      ? Infinity
      : this.room - this.queue.reduce((sum, item) => sum + (item.bytes?.length ?? 0), 0);
  }

  put(bytes: Uint8Array | null, now: number): void {
    if (this.cut) return;
    const begin = Math.max(now, this.#free);
    this.#free = begin + (bytes === null || this.rate === Infinity ? 0 : bytes.length / this.rate);
    const latency = this.latency + (this.jitter?.() ?? 0);
    const at = Math.max(this.#free + latency, this.queue.at(-1)?.at ?? 0, this.heldUntil);
    this.queue.push({ at, bytes: bytes === null ? null : (this.tamper?.(bytes) ?? bytes) });
  }

  /** Nothing that is under way, or sent from now on, arrives before this time. */
  hold(until: number): void {
    this.heldUntil = Math.max(this.heldUntil, until);
    for (const item of this.queue) item.at = Math.max(item.at, until);
  }
}

/** One machine with its events. */
export class Side {
  readonly name: string;
  readonly connection: Connection;
  /** What it sends goes here. */
  readonly out: Wire;
  readonly events: Seen[] = [];
  /** Messages whole, copied. */
  readonly messages: Uint8Array[] = [];
  /** Calls `consumed` as soon as a message is seen. */
  consumes = true;
  /** Called with each event, as an application would be. */
  onEvent: ((event: ConnectionEvent) => void) | null = null;
  /** The process does not run before this time. */
  stalledUntil = 0;
  ended = false;
  destroyed = false;
  /** Bytes that left, all of them. */
  sent = 0;
  /** The transport takes at most so many bytes at a time, and nothing at 0. */
  takes = Infinity;
  /** Reads what arrives. */
  reads = true;
  /** After a stall the bytes come before the overdue timer: the order that no runtime promises either. */
  bytesFirst = false;
  /** Its monotonic clock, ms: `offset` + the world's time x `rate`. */
  offset = 0;
  rate = 1;
  /** Its wall clock - the world's time, ms. */
  wallOffset = 1_700_000_000_000;
  /** The wall clock is sampled before each timeout and at least so often, ms of its monotonic clock, as the driver does; Infinity = never. */
  samplesEvery = Infinity;
  sampledAt = 0;
  /** Stalls again and again: when the next begins, and what follows it. */
  stallAt = Infinity;
  nextStall: (() => { readonly span: number; readonly pause: number }) | null = null;

  constructor(name: string, connection: Connection, out: Wire = new Wire()) {
    this.name = name;
    this.connection = connection;
    this.out = out;
  }

  /** A copy around another machine; what was seen stays behind. */
  copy(connection: Connection): Side {
    const { consumes, stalledUntil, ended, destroyed, sent, takes, reads, bytesFirst } = this;
    const { offset, rate, wallOffset, samplesEvery, sampledAt, stallAt, nextStall } = this;
    const copy = new Side(this.name, connection, this.out.clone());
    Object.assign(copy, { consumes, stalledUntil, ended, destroyed, sent, takes, reads, bytesFirst });
    return Object.assign(copy, { offset, rate, wallOffset, samplesEvery, sampledAt, stallAt, nextStall });
  }

  /** Its monotonic clock at this time of the world, ms. */
  clock(now: number): number {
    return this.offset + now * this.rate;
  }

  /** When its timer fires, in the world's time, ms. */
  get due(): number {
    const at = Math.min(this.connection.deadline(), this.sampledAt + this.samplesEvery);
    return (at - this.offset) / this.rate;
  }

  /** The process does not run for so long, ms, from `now` on. */
  stall(span: number, now: number): void {
    this.stalledUntil = Math.max(this.stalledUntil, now + span);
  }

  /** Stalls begin that are due. */
  falter(now: number): void {
    while (this.nextStall !== null && this.stallAt <= now) {
      const { span, pause } = this.nextStall();
      this.stall(span, this.stallAt);
      this.stallAt = this.stalledUntil + pause;
    }
  }

  /** The events of one type. */
  of<T extends ConnectionEvent["type"]>(type: T): Extract<ConnectionEvent, { type: T }>[] {
    return this.events.filter((seen) => seen.event.type === type)
      .map((seen) => seen.event as Extract<ConnectionEvent, { type: T }>);
  }

  /** When the first event of a type came, ms; NaN if none did. */
  when(type: ConnectionEvent["type"]): number {
    return this.events.find((seen) => seen.event.type === type)?.at ?? NaN;
  }
}

/** What a {@link Pair} is made of. */
export interface PairOptions {
  readonly seed?: number;
  /** Entropy and checksum; default seeded entropy and the pure checksum. */
  readonly environment?: Environment;
  readonly client?: ConnectionOptions;
  readonly server?: ConnectionOptions;
  /** The clock's first time, ms. */
  readonly start?: number;
  /** The server accepts by itself; default true. */
  readonly accepts?: boolean;
}

/** Two connected machines. */
export class Pair {
  now: number;
  readonly client: Side;
  readonly server: Side;
  #accepts: boolean;

  constructor(options: PairOptions = {}, from?: Pair) {
    this.now = from?.now ?? options.start ?? 1_000;
    this.#accepts = (from === undefined ? options.accepts : from.#accepts) ?? true;
    const random = new Random(options.seed ?? 1);
    const environment = options.environment ?? seeded(random);
    if (from !== undefined) {
      this.client = from.client.copy(from.client.connection.clone(environment));
      this.server = from.server.copy(from.server.connection.clone(environment));
      return;
    }
    this.client = new Side("client", new Connection("client", options.client ?? {}, environment, this.now));
    this.server = new Side("server", new Connection("server", options.server ?? {}, environment, this.now));
    this.drain(this.client);
    this.drain(this.server);
  }

  /** A copy that goes on independently. */
  clone(environment?: Environment): Pair {
    return new Pair(environment === undefined ? {} : { environment }, this);
  }

  /** The canonical key of the whole: both machines and what is on the way between them. */
  key(): string {
    const wire = (side: Side): string =>
      side.out.queue.map((item) =>
        `${Math.round((item.at - this.now) * 1_000)}:${item.bytes?.length ?? "end"}`
      ).join(" ");
    return [this.client, this.server].map((side) =>
      `${side.connection.key(side.clock(this.now))}\n~ ${wire(side)}`
    ).join(
      "\n=\n",
    );
  }

  /** A pair whose handshake is complete. */
  static open(options: PairOptions = {}): Pair {
    const pair = new Pair(options);
    pair.run(10);
    if (pair.client.connection.phase !== "open" || pair.server.connection.phase !== "open") {
      throw new Error(`not open: ${pair.client.connection.phase}, ${pair.server.connection.phase}`);
    }
    return pair;
  }

  peer(side: Side): Side {
    return side === this.client ? this.server : this.client;
  }

  /** Gives an input to a side, at the present time of its clock, and drains it. */
  act<T>(side: Side, input: (connection: Connection, now: number) => T): T {
    const result = input(side.connection, side.clock(this.now));
    this.drain(side);
    return result;
  }

  /** Sends text. */
  send(side: Side, text: string): "accepted" | "blocked" {
    return this.act(side, (connection, now) => connection.send(new TextEncoder().encode(text), now));
  }

  /** Both directions fall silent; nobody is told. */
  cut(): void {
    for (const side of [this.client, this.server]) {
      side.out.cut = true;
      side.out.queue = [];
    }
  }

  /**
   * A side's machine does not run for so long, ms, and nothing reaches it for that time and `latency` more.
   *
   * @param standsStill its monotonic clock does, and only its wall clock moves on
   */
  suspend(side: Side, span: number, standsStill: boolean, latency: number): void {
    side.stall(span, this.now);
    if (standsStill) side.offset -= span * side.rate;
    this.peer(side).out.hold(this.now + span + latency);
  }

  /** Samples the wall clock of a side from now on, as a driver does. */
  sampleWall(side: Side, every = 500): void {
    side.samplesEvery = every;
    this.#sample(side);
    this.drain(side);
  }

  #sample(side: Side): void {
    if (side.samplesEvery === Infinity) return;
    side.sampledAt = side.clock(this.now);
    side.connection.observeWall(this.now + side.wallOffset, side.sampledAt);
  }

  /** Steps 2 to 5 of the driver's loop. */
  drain(side: Side): void {
    const { connection } = side;
    for (;;) {
      const event = connection.nextEvent();
      if (event !== null) {
        this.#seen(side, event);
        continue;
      }
      if (this.#accepts && connection.phase === "deciding") {
        connection.accept(side.clock(this.now));
        continue;
      }
      const bytes = side.takes === 0 ? null : connection.peekTransmit();
      if (bytes === null) break;
      const n = Math.min(bytes.length, side.takes, side.out.free);
      if (n <= 0) break;
      side.out.put(bytes.slice(0, n), this.now);
      side.sent += n;
      connection.advanceTransmit(n);
    }
    const action = connection.socketAction();
    const flushed = side.takes > 0 && connection.peekTransmit() === null;
    if (!side.ended && (action === "destroy" || (action === "end" && flushed))) {
      side.ended = true;
      side.out.put(null, this.now);
    }
    if (action === "destroy") side.destroyed = true;
  }

  #seen(side: Side, event: ConnectionEvent): void {
    const kept = "bytes" in event ? { ...event, bytes: event.bytes.slice() } : { ...event };
    side.events.push({ at: this.now, event: kept });
    if (event.type === "message") {
      side.messages.push(event.bytes.slice());
      if (side.consumes) side.connection.consumed(event.position, side.clock(this.now));
    }
    side.onEvent?.(kept);
  }

  /** When something happens next, ms. */
  next(): number {
    let least = Infinity;
    for (const side of [this.client, this.server]) {
      const arrival = side.reads ? this.peer(side).out.queue[0]?.at ?? Infinity : Infinity;
      const deadline = side.destroyed ? Infinity : side.due;
      least = Math.min(least, Math.max(Math.min(arrival, deadline), side.stalledUntil));
    }
    return least;
  }

  /** Lets time pass: `span` ms, or until `until` holds. */
  run(span: number, until: () => boolean = () => false): void {
    const end = this.now + span;
    for (let steps = 0; !until(); steps++) {
      const at = this.next();
      if (at > end) break;
      if (steps > 5_000_000) throw new Error("the machines do not come to rest");
      this.now = Math.max(this.now, at);
      for (const side of [this.client, this.server]) this.#step(side);
    }
    if (!until()) this.now = end;
  }

  #step(side: Side): void {
    side.falter(this.now);
    if (side.stalledUntil > this.now) return;
    // The overdue timer first, then the bytes that wait: the order that the runtimes have after a stall.
    if (side.bytesFirst) this.#arrive(side);
    if (!side.destroyed && side.due <= this.now) {
      this.#sample(side);
      // A time that went through another clock and back may be an ulp low.
      const due = side.connection.deadline();
      const at = side.clock(this.now);
      this.act(side, (connection) => connection.handleTimeout(at < due && due - at < 1e-3 ? due : at));
    }
    if (!side.bytesFirst) this.#arrive(side);
  }

  #arrive(side: Side): void {
    const { out } = this.peer(side);
    let due = 0;
    if (side.reads) { while (due < out.queue.length && out.queue[due]!.at <= this.now) due++; }
    const waiting = due === 0 ? [] : out.queue.splice(0, due);
    for (const { bytes } of waiting) {
      if (side.destroyed) continue;
      if (bytes === null) {
        this.act(side, (connection, now) => connection.receiveEof(now));
        continue;
      }
      for (let at = 0; at < bytes.length && !side.destroyed; at += out.piece) {
        const piece = bytes.subarray(at, Math.min(bytes.length, at + out.piece));
        this.act(side, (connection, now) => connection.receive(piece, now));
      }
    }
    if (out.room !== Infinity && waiting.length > 0) this.drain(this.peer(side));
  }
}

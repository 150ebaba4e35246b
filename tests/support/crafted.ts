/**
 * One machine against a peer that is nothing but bytes: what it gets is crafted, what it says is decoded.
 *
 * Rules: the machine is driven as `core/machine.ts` says, and what it shows is checked on the way: bytes shown stay the same, a
 * deadline lies ahead after `handleTimeout`, nothing follows `closed`.
 *
 * @module
 */

import { CODES } from "../../core/codes.ts";
import { Connection } from "../../core/connection.ts";
import type { CloseReason, ConnectionEvent } from "../../core/events.ts";
import type { SocketAction } from "../../core/machine.ts";
import type { ConnectionOptions } from "../../core/options.ts";
import type { Phase, Role } from "../../core/phases.ts";
import { ByteQueue } from "../../core/wire/bytes.ts";
import { crc32 } from "../../core/wire/crc32.ts";
import { Decoder, type FrameSink } from "../../core/wire/decoder.ts";
import * as encode from "../../core/wire/encoder.ts";
import type { ControlFrame } from "../../core/wire/frames.ts";
import type { Parameters } from "../../core/wire/parameters.ts";
import { ANSWER, FIRST, FRAME_LIMIT, LAST, MAGIC } from "../../core/wire/registry.ts";
import { varintSize, writeUint32, writeVarint } from "../../core/wire/varint.ts";
import { type AnyFrame, writeAny } from "./carriers.ts";
import { Random, seeded } from "./random.ts";

/** Pieces behind one another. */
export function join(...pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Text as ASCII or UTF-8. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function written(write: (out: ByteQueue) => void): Uint8Array {
  const out = new ByteQueue();
  write(out);
  const pieces: Uint8Array[] = [];
  for (let piece = out.peek(); piece !== null; piece = out.peek()) {
    pieces.push(piece);
    out.advance(piece.length);
  }
  return join(...pieces);
}

/** A preface. */
export function preface(lowest = 1, highest = 1): Uint8Array {
  return Uint8Array.of(...MAGIC, lowest, highest);
}

/** Any type and body, with a length and a CRC in order. */
export function raw(type: number, body: Uint8Array | readonly number[] = []): Uint8Array {
  const length = 1 + body.length + 4;
  const frame = new Uint8Array(varintSize(length) + length);
  const at = writeVarint(frame, 0, length);
  frame[at] = type;
  frame.set(body, at + 1);
  const end = at + 1 + body.length;
  writeUint32(frame, end, crc32(frame, 0, end, 0));
  return frame;
}

/** Any frame that is sent rarely. */
export function control(frame: AnyFrame): Uint8Array {
  return written((out) => writeAny(out, frame));
}

/** What the crafted peer offers unless told otherwise. */
export const OFFER: Parameters = {
  desiredTx: 10_000,
  requiredRx: 100,
  multiplier: 3,
  maxMessage: 1_048_576,
  credit: 1_200_000,
  integrity: 1,
};

const NONCE = new Uint8Array(16).fill(7);

export function hello(parameters: Parameters = {}): Uint8Array {
  return control({ kind: "hello", nonce: NONCE, parameters: { ...OFFER, ...parameters } });
}

export function welcome(parameters: Parameters = {}): Uint8Array {
  return control({ kind: "welcome", nonce: NONCE, parameters: { ...OFFER, ...parameters } });
}

export function reject(code: number, retryAfter = 0, why = ""): Uint8Array {
  return control({ kind: "reject", code, retryAfter, text: why, parameters: {} });
}

/** A PING; the timestamp grows with the sequence unless given. */
export function ping(
  sequence: number,
  { flags = ANSWER as number, timestamp = sequence, received = 0 } = {},
): Uint8Array {
  return written((out) => encode.writePing(out, flags, sequence, timestamp, 255, 0, received, 0));
}

/** A PONG to the PING with this sequence. */
export function pong(sequence: number, { timestamp = sequence, hold = 0, received = 0 } = {}): Uint8Array {
  return written((out) => encode.writePong(out, 0, sequence + 1, timestamp, hold, 255, received, 0));
}

export function ack(received: number, processed: number): Uint8Array {
  return written((out) => encode.writeAck(out, received, processed));
}

export function credit(limit: number): Uint8Array {
  return written((out) => encode.writeCredit(out, limit));
}

/** An offer of heartbeat terms, those of before unless given. */
export function params(
  serial: number,
  parameters: Parameters = { multiplier: OFFER.multiplier! },
): Uint8Array {
  return control({ kind: "params", serial, parameters });
}

/** A chunk; alone it is a whole message. */
export function data(
  position: number,
  payload: Uint8Array | string = "",
  flags: number = FIRST | LAST,
): Uint8Array {
  const bytes = typeof payload === "string" ? text(payload) : payload;
  const environment = { entropy: () => {} };
  return written((out) => encode.writeData(out, environment, flags, position, bytes, 0, bytes.length));
}

export function close(position: number, code = 0, why = ""): Uint8Array {
  return control({ kind: "close", code, position, text: why });
}

export function error(code: number, why = ""): Uint8Array {
  return control({ kind: "error", code, text: why });
}

export function goaway(scope = 0, code = 36): Uint8Array {
  return control({ kind: "goaway", scope, code, retryAfter: 5, jitter: 7, text: "moving", endpoint: "b" });
}

/** A frame that the machine sent. */
export type Told =
  | { readonly kind: "preface"; readonly lowest: number; readonly highest: number }
  | { readonly kind: "data"; readonly flags: number; readonly sequence: number; readonly payload: Uint8Array }
  | { readonly kind: "ping"; readonly flags: number; readonly sequence: number; readonly received: number }
  | { readonly kind: "pong"; readonly answer: number; readonly received: number }
  | { readonly kind: "ack"; readonly received: number; readonly processed: number }
  | { readonly kind: "credit"; readonly limit: number }
  | AnyFrame;

/** Reads what a machine sent, as its peer would. */
export class Reader implements FrameSink {
  readonly told: Told[] = [];
  readonly #decoder = new Decoder({ entropy: () => {} });

  constructor() {
    this.#decoder.frameLimit = FRAME_LIMIT;
  }

  read(bytes: Uint8Array): void {
    const fault = this.#decoder.push(bytes, this);
    if (fault !== null) {
      throw new Error(`the machine sent what its peer cannot read: ${fault.code}, ${fault.detail}`);
    }
  }

  /** Whether all that was read are whole frames. */
  get whole(): boolean {
    return !this.#decoder.inFrame;
  }

  preface(lowest: number, highest: number): void {
    this.told.push({ kind: "preface", lowest, highest });
  }
  data(flags: number, sequence: number, payload: Uint8Array): void {
    this.told.push({ kind: "data", flags, sequence, payload: payload.slice() });
  }
  volatile(payload: Uint8Array): void {
    this.told.push({ kind: "volatile", payload: payload.slice() });
  }
  request(flags: number, sequence: number, id: number, remaining: number, payload: Uint8Array): void {
    this.told.push({ kind: "request", flags, sequence, id, remaining, payload: payload.slice() });
  }
  reply(flags: number, sequence: number, id: number, status: number, payload: Uint8Array): void {
    this.told.push({ kind: "reply", flags, sequence, id, status, payload: payload.slice() });
  }
  ping(
    flags: number,
    sequence: number,
    _time: number,
    _promise: number,
    _heard: number,
    received: number,
  ): void {
    this.told.push({ kind: "ping", flags, sequence, received });
  }
  pong(
    _flags: number,
    answer: number,
    _time: number,
    _hold: number,
    _promise: number,
    received: number,
  ): void {
    this.told.push({ kind: "pong", answer, received });
  }
  ack(received: number, processed: number): void {
    this.told.push({ kind: "ack", received, processed });
  }
  credit(limit: number): void {
    this.told.push({ kind: "credit", limit });
  }
  control(frame: ControlFrame): void {
    this.told.push(frame);
  }
}

/** What a {@link Subject} is made of. */
export interface SubjectOptions {
  readonly options?: ConnectionOptions;
  /** A server's handshake is accepted when it comes; default true. */
  readonly accepts?: boolean;
  /** Calls `consumed` as soon as a message is seen; default true. */
  readonly consumes?: boolean;
  readonly seed?: number;
}

/** The machine under test. */
export class Subject {
  now = 1_000;
  readonly connection: Connection;
  readonly events: ConnectionEvent[] = [];
  /** Texts of messages, in order. */
  readonly messages: string[] = [];
  /** Everything it sent, as it was shown; the frames in it are with the reader, unless the peer is a stranger. */
  readonly pieces: Uint8Array[] = [];
  readonly reader: Reader = new Reader();
  /** Each socket action once, in order. */
  readonly actions: SocketAction[] = ["keep"];
  /** The transport takes nothing. */
  stuck = false;
  accepts: boolean;
  consumes: boolean;
  #foreign = false;

  constructor(role: Role, { options = {}, accepts = true, consumes = true, seed = 1 }: SubjectOptions = {}) {
    this.accepts = accepts;
    this.consumes = consumes;
    this.connection = new Connection(role, options, seeded(new Random(seed)), this.now);
    this.drain();
  }

  /** A machine whose handshake is complete: a client's first PING is 1, and a crafted client's was 1. */
  static open(role: Role, options: SubjectOptions = {}, offer: Parameters = {}): Subject {
    const subject = new Subject(role, options);
    if (role === "client") subject.give(preface(), welcome(offer));
    else subject.give(preface(), hello(offer)).give(ping(1));
    if (subject.phase !== "open") throw new Error(`not open but ${subject.phase}`);
    return subject;
  }

  get phase(): Phase {
    return this.connection.phase;
  }

  get over(): boolean {
    return this.connection.reason !== null;
  }

  /** Every byte that it sent. */
  get raw(): number[] {
    return [...join(...this.pieces)];
  }

  get told(): readonly Told[] {
    return this.reader.told;
  }

  /** The peer's answers are no heartwire: do not decode. */
  stranger(): this {
    this.#foreign = true;
    return this;
  }

  /** Bytes of the peer, in one chunk. */
  give(...pieces: readonly Uint8Array[]): this {
    return this.act((connection, now) => connection.receive(join(...pieces), now));
  }

  /** The same, byte by byte. */
  trickle(...pieces: readonly Uint8Array[]): this {
    for (const byte of join(...pieces)) this.give(Uint8Array.of(byte));
    return this;
  }

  eof(): this {
    return this.act((connection, now) => connection.receiveEof(now));
  }

  /** Any input. */
  act(input: (connection: Connection, now: number) => unknown): this {
    input(this.connection, this.now);
    return this.drain();
  }

  /** Lets time pass, with every timeout at its time. */
  pass(span: number): this {
    const end = Math.round((this.now + span) * 1_000) / 1_000;
    for (let at = this.connection.deadline(); at <= end; at = this.connection.deadline()) {
      this.now = Math.max(this.now, at);
      this.act((connection, now) => connection.handleTimeout(now));
      if (!(this.connection.deadline() > this.now)) throw new Error("a deadline that does not lie ahead");
    }
    this.now = end;
    return this;
  }

  drain(): this {
    const { connection } = this;
    for (;;) {
      const event = connection.nextEvent();
      if (event !== null) {
        this.#seen(event);
      } else if (this.accepts && connection.phase === "deciding") {
        connection.accept(this.now);
      } else {
        const bytes = this.stuck ? null : connection.peekTransmit();
        if (bytes === null) break;
        if (connection.peekTransmit() !== bytes) throw new Error("what was shown changed without advance");
        this.pieces.push(bytes);
        if (!this.#foreign) this.reader.read(bytes);
        connection.advanceTransmit(bytes.length);
      }
    }
    const action = connection.socketAction();
    if (action !== this.actions.at(-1)) this.actions.push(action);
    return this;
  }

  #seen(event: ConnectionEvent): void {
    if (this.events.at(-1)?.type === "closed") throw new Error(`${event.type} after closed`);
    this.events.push("bytes" in event ? { ...event, bytes: event.bytes.slice() } : { ...event });
    if (event.type !== "message") return;
    this.messages.push(new TextDecoder().decode(event.bytes));
    if (this.consumes) this.connection.consumed(event.position, this.now);
  }

  /** The events of one type. */
  of<T extends ConnectionEvent["type"]>(type: T): Extract<ConnectionEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as Extract<ConnectionEvent, { type: T }>[];
  }

  /** The types of all events. */
  get types(): string[] {
    return this.events.map((event) => event.type);
  }

  /** Frames that the machine sent, of one kind. */
  ofKind<K extends Told["kind"]>(kind: K): Extract<Told, { kind: K }>[] {
    return this.told.filter((frame) => frame.kind === kind) as Extract<Told, { kind: K }>[];
  }

  /** The kinds of all frames that it sent. */
  get kinds(): string[] {
    return this.told.map((frame) => frame.kind);
  }

  /** How it ended, which the last event says too; throws while it has not. */
  get reason(): CloseReason {
    const last = this.events.at(-1);
    if (last?.type !== "closed" || this.of("closed").length !== 1) {
      throw new Error(`not closed once: ${this.types}`);
    }
    if (last.reason !== this.connection.reason) throw new Error("two reasons");
    return last.reason;
  }

  /** The code that the peer was told, by REJECT or ERROR, e.g. "error CHECKSUM"; "nothing" without either. */
  get verdict(): string {
    const last = this.told.at(-1);
    if (last?.kind !== "error" && last?.kind !== "reject") return "nothing";
    const name = Object.entries(CODES).find(([, info]) => info.number === last.code)?.[0];
    return `${last.kind} ${name ?? last.code}`;
  }
}

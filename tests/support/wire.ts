/**
 * For tests of the codec: what a decoder saw as plain values, streams cut in every way, and frames that fast-check makes up.
 *
 * @module
 */

import fc from "fast-check";
import { crc32 as zlibCrc32 } from "node:zlib";
import type { Environment } from "../../core/environment.ts";
import { ByteQueue } from "../../core/wire/bytes.ts";
import { crc32 } from "../../core/wire/crc32.ts";
import { Decoder, type Fault, type FrameSink } from "../../core/wire/decoder.ts";
import { writeAck, writeCredit, writeData, writePing, writePong } from "../../core/wire/encoder.ts";
import type { ControlFrame } from "../../core/wire/frames.ts";
import type { Parameters } from "../../core/wire/parameters.ts";
import type { Foreign } from "../../core/wire/preface.ts";
import { FRAME_LIMIT, STALLED } from "../../core/wire/registry.ts";
import { varintSize, writeUint32, writeVarint } from "../../core/wire/varint.ts";
import { type AnyFrame, writeAny } from "./carriers.ts";

/** An environment without a checksum of its own. */
export const PLAIN: Environment = { entropy: (into) => void into.fill(0x5a) };

/** An environment with the runtime's checksum, where there is one (Node 20.15 and later, Deno, Bun). */
export const NATIVE: Environment = zlibCrc32 === undefined
  ? PLAIN
  : { ...PLAIN, crc32: (bytes, seed) => zlibCrc32(bytes, seed) };

/** A preface of version 1. */
export const PREFACE = "e299a5770d0a0101";

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Hexadecimal digits, with any white space between them, as bytes. */
export function unhex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hexadecimal: ${text}`);
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16),
  );
}

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

/** A frame with any type and body, its length and CRC in order: what a peer in another language might send. */
export function rawFrame(type: number, body: Uint8Array): Uint8Array {
  const length = 1 + body.length + 4;
  const frame = new Uint8Array(varintSize(length) + length);
  const at = writeVarint(frame, 0, length);
  frame[at] = type;
  frame.set(body, at + 1);
  const end = at + 1 + body.length;
  writeUint32(frame, end, crc32(frame, 0, end, 0));
  return frame;
}

/** What a queue holds, which is empty afterwards. */
export function drain(queue: ByteQueue): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let piece = queue.peek(); piece !== null; piece = queue.peek()) {
    pieces.push(piece);
    queue.advance(piece.length);
  }
  return join(...pieces);
}

/** A frame as a plain value, its bytes as hexadecimal digits: equal when the frames are. */
export type Seen = { readonly frame: string } & Record<string, unknown>;

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

/** A rarely sent frame as a plain value. */
export function seenFrame({ kind, ...fields }: AnyFrame): Seen {
  return { frame: kind, ...plain(fields) as Record<string, unknown> };
}

interface Given {
  readonly view: Uint8Array;
  readonly copy: string;
}

function intact(given: readonly Given[]): boolean {
  return given.every(({ view, copy }) => hex(view) === copy);
}

/** Notes what it gets; checks at the end of each push that what was lent has not changed, and at the end what it was given to keep. */
export class Collector implements FrameSink {
  readonly seen: Seen[] = [];
  /** Payloads that were its own. */
  readonly kept: Given[] = [];
  readonly #lent: Given[] = [];
  readonly #owns: () => boolean;

  /** `owns`: whether the payload that is given is its own. */
  constructor(owns: () => boolean = () => false) {
    this.#owns = owns;
  }

  #lend(view: Uint8Array): string {
    const copy = hex(view);
    (this.#owns() ? this.kept : this.#lent).push({ view, copy });
    return copy;
  }

  /** Whether every payload lent since the last call is still what it was. */
  loansIntact(): boolean {
    return intact(this.#lent.splice(0));
  }

  /** Whether what it owns is. */
  keptIntact(): boolean {
    return intact(this.kept);
  }

  preface(lowest: number, highest: number): void {
    this.seen.push({ frame: "preface", lowest, highest });
  }

  data(flags: number, sequence: number, payload: Uint8Array): void {
    this.seen.push({ frame: "data", flags, sequence, payload: this.#lend(payload) });
  }

  volatile(payload: Uint8Array): void {
    this.seen.push({ frame: "volatile", payload: this.#lend(payload) });
  }

  request(flags: number, sequence: number, id: number, remaining: number, payload: Uint8Array): void {
    this.seen.push({ frame: "request", flags, sequence, id, remaining, payload: this.#lend(payload) });
  }

  reply(flags: number, sequence: number, id: number, status: number, payload: Uint8Array): void {
    this.seen.push({ frame: "reply", flags, sequence, id, status, payload: this.#lend(payload) });
  }

  ping(
    flags: number,
    sequence: number,
    timestamp: number,
    promise: number,
    heard: number,
    received: number,
    stalled: number,
  ): void {
    this.seen.push({ frame: "ping", flags, sequence, timestamp, promise, heard, received, stalled });
  }

  pong(
    flags: number,
    answer: number,
    timestamp: number,
    hold: number,
    promise: number,
    received: number,
    stalled: number,
  ): void {
    this.seen.push({ frame: "pong", flags, answer, timestamp, hold, promise, received, stalled });
  }

  ack(received: number, processed: number): void {
    this.seen.push({ frame: "ack", received, processed });
  }

  credit(limit: number): void {
    this.seen.push({ frame: "credit", limit });
  }

  control(frame: ControlFrame): void {
    this.seen.push(seenFrame(frame));
  }
}

/** How a stream ended for a decoder that got it. */
export interface Outcome {
  readonly seen: readonly Seen[];
  readonly fault: Fault | null;
  readonly foreign: Foreign | null;
  /** Bytes of an unfinished frame. */
  readonly heldBytes: number;
  /** The decoder's canonical state. */
  readonly key: string;
  /** Payloads that were given to be kept. */
  readonly kept: number;
}

/** Gives a stream in pieces, each in memory that is overwritten when the next one comes, as runtimes do. */
export function decode(
  pieces: Iterable<Uint8Array>,
  environment = NATIVE,
  frameLimit = FRAME_LIMIT,
  copies = false,
): Outcome {
  const decoder = new Decoder(environment, copies);
  decoder.frameLimit = frameLimit;
  const sink = new Collector(() => decoder.owned);
  let fault: Fault | null = null;
  for (const piece of pieces) {
    const chunk = piece.slice();
    const found = decoder.push(chunk, sink);
    if (!sink.loansIntact()) throw new Error("a lent payload changed before the next push");
    chunk.fill(0xee);
    if (found !== null && fault !== null) throw new Error("a second fault");
    fault ??= found;
  }
  if (!sink.keptIntact()) throw new Error("a payload that is the sink's changed");
  return {
    kept: sink.kept.length,
    seen: sink.seen,
    fault,
    foreign: decoder.foreign,
    heldBytes: decoder.heldBytes,
    key: decoder.key(),
  };
}

/** A stream cut into pieces of these sizes, over and over. */
export function* cut(stream: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    yield stream.subarray(at, at + size);
    at += size;
  }
}

const byte = fc.integer({ min: 0, max: 255 });
const word = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
);
const sequence = fc.integer({ min: 0, max: 0xffff });
const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const payload = fc.oneof(bytes(0, 80), fc.nat(16_384).map((size) => new Uint8Array(size).fill(size)));

/** Whole numbers to 2^53 - 1, edges of the varint forms among them. */
export const varints: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 63, 64, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
  fc.maxSafeNat(),
  fc.nat(20_000),
);

/** Texts that fit a frame. */
const texts = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom("", "x".repeat(255), "\u{1f49a}".repeat(63)),
);

const beat = {
  desiredTx: fc.integer({ min: 10, max: 3_600_000 }),
  requiredRx: fc.integer({ min: 10, max: 3_600_000 }),
};
const multiplier = fc.integer({ min: 1, max: 255 });
const places = { received: varints, firstRetained: varints, sent: varints, processed: varints };

/** Parameters of a frame: those in `required` always, the others sometimes. */
function parameters(required: object, optional: object): fc.Arbitrary<Parameters> {
  const model = { ...required, ...optional } as Record<string, fc.Arbitrary<unknown>>;
  return fc.record(model, { requiredKeys: Object.keys(required) }) as fc.Arbitrary<Parameters>;
}

const helloParameters = parameters({ ...beat, multiplier }, {
  ...places,
  maxMessage: varints,
  credit: varints,
  integrity: fc.integer({ min: 1, max: 7 }),
  session: bytes(16),
  generation: varints,
  instance: bytes(16),
  proof: bytes(32),
  freshOnLoss: fc.boolean(),
  keyId: fc.string({ minLength: 1, maxLength: 16, unit: "grapheme-ascii" }),
  token: bytes(1, 512),
});
const welcomeParameters = parameters({ ...beat, multiplier }, {
  ...places,
  maxMessage: varints,
  credit: varints,
  integrity: fc.constantFrom(1, 2, 4),
  session: bytes(16),
  epoch: varints,
  resumed: fc.boolean(),
  resumable: fc.boolean(),
  secret: bytes(32),
  mac: bytes(32),
});

type Kind = AnyFrame["kind"];
type FrameOf<K extends Kind> = Extract<AnyFrame, { kind: K }>;
type Fields<K extends Kind> = { [F in Exclude<keyof FrameOf<K>, "kind">]: fc.Arbitrary<FrameOf<K>[F]> };

function frame<K extends Kind>(kind: K, fields: Fields<K>): fc.Arbitrary<AnyFrame> {
  return fc.record({ kind: fc.constant(kind), ...fields } as never) as unknown as fc.Arbitrary<AnyFrame>;
}

const flags = fc.integer({ min: 0, max: 3 });
const chunk = { sequence, payload };
const first = { ...chunk, flags: fc.constantFrom(2, 3), id: varints };
const later = { ...chunk, flags: fc.constantFrom(0, 1), id: fc.constant(0) };

/** Every rarely sent frame, by kind. */
export const controlFrames: Readonly<Record<Kind, fc.Arbitrary<AnyFrame>>> = {
  hello: frame("hello", { nonce: bytes(16), parameters: helloParameters }),
  challenge: frame("challenge", { nonce: bytes(16), parameters: parameters({}, { mac: bytes(32) }) }),
  auth: frame("auth", { parameters: parameters({}, { mac: bytes(32) }) }),
  welcome: frame("welcome", { nonce: bytes(16), parameters: welcomeParameters }),
  reject: frame("reject", {
    code: varints,
    retryAfter: varints,
    text: texts,
    parameters: parameters({}, { ...places, instance: bytes(16) }),
  }),
  params: frame("params", { serial: varints, parameters: parameters({}, { ...beat, multiplier }) }),
  paramsOk: frame("paramsOk", { serial: varints }),
  goaway: frame("goaway", {
    scope: fc.constantFrom(0, 1),
    code: varints,
    retryAfter: varints,
    jitter: varints,
    text: texts,
    endpoint: texts,
  }),
  close: frame("close", { code: varints, position: varints, text: texts }),
  error: frame("error", { code: varints, text: texts }),
  volatile: frame("volatile", { payload }),
  request: fc.oneof(
    frame("request", { ...first, remaining: varints }),
    frame("request", { ...later, remaining: fc.constant(0) }),
  ),
  reply: fc.oneof(
    frame("reply", { ...first, status: varints }),
    frame("reply", { ...later, status: fc.constant(0) }),
  ),
  cancel: frame("cancel", { sequence, id: varints }),
};

/** A frame as the encoder wrote it and as a decoder is to see it. */
export interface Sample {
  readonly bytes: Uint8Array;
  readonly seen: Seen;
}

function written(write: (out: ByteQueue) => void, seen: Seen): Sample {
  const out = new ByteQueue();
  write(out);
  return { bytes: drain(out), seen };
}

/** What a control frame looks like on the wire. */
export function controlSample(each: AnyFrame): Sample {
  return written((out) => writeAny(out, each), seenFrame(each));
}

const heartbeat = fc.record({ a: word, b: word, c: word, d: word, promise: byte, stalled: word, flags });

/** Every frame that travels often, by name. */
export const plainSamples: Readonly<Record<string, fc.Arbitrary<Sample>>> = {
  ping: heartbeat.map(({ a, b, c, d, promise, flags, stalled: given }) => {
    const stalled = (flags & STALLED) === 0 ? 0 : given;
    return written((out) => writePing(out, flags, a, b, promise, c, d, stalled), {
      frame: "ping",
      ...{ flags, sequence: a, timestamp: b, promise, heard: c, received: d, stalled },
    });
  }),
  pong: heartbeat.map(({ a, b, c, d, promise, flags, stalled: given }) => {
    const stalled = (flags & STALLED) === 0 ? 0 : given;
    return written((out) => writePong(out, flags, a, b, c, promise, d, stalled), {
      frame: "pong",
      ...{ flags, answer: a, timestamp: b, hold: c, promise, received: d, stalled },
    });
  }),
  ack: fc.record({ received: varints, processed: varints }).map(({ received, processed }) =>
    written((out) => writeAck(out, received, processed), { frame: "ack", received, processed })
  ),
  credit: varints.map((limit) => written((out) => writeCredit(out, limit), { frame: "credit", limit })),
  data: fc.record({ flags, sequence, payload, native: fc.boolean() }).map((
    { flags, sequence, payload, native },
  ) =>
    written((out) => writeData(out, native ? NATIVE : PLAIN, flags, sequence, payload, 0, payload.length), {
      frame: "data",
      ...{ flags, sequence, payload: hex(payload) },
    })
  ),
};

/** Any frame as the encoder writes it. */
export const samples: fc.Arbitrary<Sample> = fc.oneof(
  ...Object.values(plainSamples),
  ...Object.values(controlFrames).map((each) => each.map(controlSample)),
);

/** Ways to cut a stream: whole, byte by byte, at random. */
export const cuts: fc.Arbitrary<readonly number[]> = fc.oneof(
  fc.constantFrom([1], [2], [7], [64], [65_536]),
  fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 }),
  fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 20 }),
);

/**
 * Decoding and encoding by heartwire, `ws`, `rsocket-js` and yamux, in one process for each group of subjects that are compared.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Environment } from "../../core/environment.ts";
import { ByteQueue } from "../../core/wire/bytes.ts";
import { crc32 as crc32Of, crc32View, nativeFrom } from "../../core/wire/crc32.ts";
import { Decoder, type FrameSink } from "../../core/wire/decoder.ts";
import { writeData, writePing, writePreface } from "../../core/wire/encoder.ts";
import { CRC_BYTES, FIRST, FRAME_LIMIT, LAST, MAX_CHUNK } from "../../core/wire/registry.ts";
import { load, loadModule } from "../peers/packages.ts";
import { payloadOf } from "../peers/peer.ts";
import { maskedFrame } from "../peers/ws.ts";
import { answer, cpuMicros } from "./commands.ts";

const CHUNK = 65_536;
const SIZES = [16, 64, 1_024, 65_536];
/** Sizes and counts of the messages that come in chunks of 1 to 7 bytes. */
const TINY = [[1_024, 64], [65_536, 1]] as const;
const TINY_CUT = 7;

const OURS = "heartwire";
const BARE = "ws, not masked";
const MASKED = "ws, masked";
/** Nothing is decoded: of each message the view is made and the checksum computed, by the fastest way there is. */
const LIMIT = "its view and CRC alone";

const environment: Environment = { entropy: () => {}, crc32: (bytes, seed) => crc32(bytes, seed) };

/** Handles a number of messages; the count says how many that were. */
interface Subject {
  readonly what: string;
  readonly name: string;
  readonly messages: number;
  readonly run: () => void;
}

/** Something that depends on every message, so that no engine can leave one out. Kept to 30 bits, lest it become an object. */
let seen = 0;

function look(message: Uint8Array): void {
  seen = (seen + message.length + message[0]! + message[message.length - 1]!) & 0x3fff_ffff;
}

class Assembler implements FrameSink {
  #parts: Uint8Array | null = null;
  #length = 0;

  data(flags: number, _sequence: number, payload: Uint8Array): void {
    if (flags === (FIRST | LAST)) return look(payload);
    // The size is known here; a connection that does not know it doubles.
    this.#parts ??= new Uint8Array(65_536);
    this.#parts.set(payload, this.#length);
    this.#length += payload.length;
    if ((flags & LAST) === 0) return;
    look(this.#parts);
    this.#parts = null;
    this.#length = 0;
  }

  preface(): void {}
  ping(_flags: number, sequence: number): void {
    seen = (seen + sequence) & 0x3fff_ffff;
  }
  pong(): void {}
  ack(): void {}
  credit(): void {}
  control(): void {}
  volatile(): void {}
  request(): void {}
  reply(): void {}
}

function writeMessage(out: ByteQueue, sequence: number, payload: Uint8Array): void {
  for (let at = 0; at < payload.length; at += MAX_CHUNK) {
    const end = Math.min(at + MAX_CHUNK, payload.length);
    const flags = (at === 0 ? FIRST : 0) | (end === payload.length ? LAST : 0);
    writeData(out, environment, flags, sequence + at / MAX_CHUNK, payload, at, end);
  }
}

function everything(out: ByteQueue): Buffer {
  const pieces: Uint8Array[] = [];
  for (let piece = out.peek(); piece !== null; piece = out.peek()) {
    pieces.push(piece);
    out.advance(piece.length);
  }
  return Buffer.concat(pieces);
}

/** A stream cut into chunks of 64 KiB, or of 1 to `cut` bytes, the same for every subject: each in a buffer's memory as a socket gives it. */
function chunksOf(stream: Buffer, cut: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const size = cut === CHUNK ? CHUNK : 1 + (turn * 5) % cut;
    chunks.push(stream.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

const PREFACE = ((): Buffer => {
  const out = new ByteQueue();
  writePreface(out);
  return everything(out);
})();

function decodeOurs(what: string, messages: number, stream: Buffer, cut = CHUNK): Subject {
  const chunks = chunksOf(stream, cut);
  const decoder = new Decoder(environment);
  const sink = new Assembler();
  decoder.push(PREFACE, sink);
  decoder.frameLimit = FRAME_LIMIT;
  const run = (): void => {
    for (const chunk of chunks) {
      const fault = decoder.push(chunk, sink);
      if (fault !== null) throw new Error(`${fault.code}: ${fault.detail}`);
    }
  };
  return { what, name: OURS, messages, run };
}

function ourStream(size: number, messages: number): Buffer {
  const out = new ByteQueue();
  const payload = payloadOf(size);
  for (let count = 0; count < messages; count++) writeMessage(out, 4 * count, payload);
  return everything(out);
}

function limitOf(what: string, size: number, messages: number, stream: Buffer): Subject {
  const frame = stream.length / messages;
  const head = frame - size - CRC_BYTES;
  const words = new DataView(stream.buffer, stream.byteOffset, stream.length);
  const bytes = new Uint8Array(stream.buffer, stream.byteOffset, stream.length);
  const native = frame >= nativeFrom(environment);
  const run = (): void => {
    for (let at = 0; at < bytes.length; at += frame) {
      const end = at + frame - CRC_BYTES;
      const payload = bytes.subarray(at + head, end);
      const sum = native
        ? environment.crc32!(payload, crc32Of(bytes, at, at + head, 0)) | 0
        : crc32View(words, at, end, 0) | 0;
      if (sum !== words.getInt32(end)) throw new Error("not the frame's checksum");
      look(payload);
    }
  };
  return { what, name: LIMIT, messages, run };
}

function repeated(frame: Uint8Array, times: number): Buffer {
  return Buffer.alloc(frame.length * times, frame);
}

/** A frame as a server of ws sends it. */
function bareFrame(payload: Uint8Array): Uint8Array {
  const masked = maskedFrame(2, payload);
  const head = masked.subarray(0, masked.length - payload.length - 4);
  head[1]! &= 0x7f;
  return Buffer.concat([head, payload]);
}

interface Receiver {
  write(chunk: Uint8Array): boolean;
  on(event: string, listener: (value: never) => void): void;
}

function decodeWs(what: string, size: number, messages: number, masked: boolean, cut = CHUNK): Subject {
  const Receiver = load<new (options: { isServer: boolean }) => Receiver>("ws/lib/receiver.js");
  const frame = masked ? maskedFrame(2, payloadOf(size)) : bareFrame(payloadOf(size));
  const chunks = chunksOf(repeated(frame, messages), cut);
  // A server's receiver takes masked frames. It unmasks in place: every second round sees other payload, at the same cost.
  const receiver = new Receiver({ isServer: masked });
  receiver.on("message", look);
  receiver.on("error", (error: Error) => {
    throw error;
  });
  const run = (): void => {
    for (const chunk of chunks) receiver.write(chunk);
  };
  return { what, name: masked ? MASKED : BARE, messages, run };
}

interface Rsocket {
  serializeFrameWithLength(frame: object, encoders: object): Buffer;
  deserializeFrames(buffer: Buffer, encoders: object): [{ data: Uint8Array }[], Buffer];
}

function decodeRsocket(what: string, size: number, messages: number): Subject {
  const { deserializeFrames, serializeFrameWithLength } = load<Rsocket>(
    "rsocket-core/build/RSocketBinaryFraming.js",
  );
  const { BufferEncoders } = load<{ BufferEncoders: object }>("rsocket-core/build/RSocketEncoding.js");
  // A PAYLOAD frame that is the next and the last of its stream.
  const frame = {
    type: 0x0a,
    flags: 0x60,
    streamId: 1,
    data: Buffer.from(payloadOf(size)),
    metadata: undefined,
  };
  const chunks = chunksOf(repeated(serializeFrameWithLength(frame, BufferEncoders), messages), CHUNK);
  let rest = Buffer.alloc(0);
  const run = (): void => {
    for (const chunk of chunks) {
      // As its transport does.
      const [frames, remaining] = deserializeFrames(Buffer.concat([rest, chunk]), BufferEncoders);
      rest = remaining as typeof rest;
      for (const { data } of frames) look(data);
    }
  };
  return { what, name: "rsocket-js", messages, run };
}

interface Yamux {
  Decoder: new () => { emitFrames(chunk: Uint8Array): Iterable<{ data?: { subarray(): Uint8Array } }> };
}

async function decodeYamux(what: string, size: number, messages: number): Promise<Subject> {
  const { Decoder } = await loadModule<Yamux>("@chainsafe/libp2p-yamux/dist/src/decode.js");
  const head = Buffer.alloc(12);
  head.writeUint32BE(1, 4);
  head.writeUint32BE(size, 8);
  const chunks = chunksOf(repeated(Buffer.concat([head, payloadOf(size)]), messages), CHUNK);
  const decoder = new Decoder();
  const run = (): void => {
    for (const chunk of chunks) for (const { data } of decoder.emitFrames(chunk)) look(data!.subarray());
  };
  return { what, name: "yamux", messages, run };
}

function pings(count: number): Buffer {
  const out = new ByteQueue();
  for (let beat = 0; beat < count; beat++) writePing(out, 1, beat, beat, 255, beat, beat, 0);
  return everything(out);
}

function encode(what: string, size: number, messages: number): Subject[] {
  const payload = payloadOf(size);
  const out = new ByteQueue();
  const flush = (): void => {
    for (let piece = out.peek(); piece !== null; piece = out.peek()) {
      seen = (seen + piece.length) & 0x3fff_ffff;
      out.advance(piece.length);
    }
  };
  const heartwire = (): void => {
    for (let count = 0; count < messages; count++) {
      writeMessage(out, count, payload);
      if (out.pending >= CHUNK) flush();
    }
    flush();
  };
  interface Socket {
    cork(): void;
    uncork(): void;
    write(bytes: Uint8Array): boolean;
  }
  type Sending = { binary: boolean; compress: boolean; fin: boolean; mask: boolean };
  const Sender = load<new (socket: Socket) => { send(data: Uint8Array, options: Sending): void }>(
    "ws/lib/sender.js",
  );
  const peers = [false, true].map((mask): Subject => {
    const write = (bytes: Uint8Array): boolean => {
      seen = (seen + bytes.length) & 0x3fff_ffff;
      return true;
    };
    const sender = new Sender({ cork() {}, uncork() {}, write });
    const run = (): void => {
      for (let count = 0; count < messages; count++) {
        sender.send(payload, { binary: true, compress: false, fin: true, mask });
      }
    };
    return { what, name: mask ? MASKED : BARE, messages, run };
  });
  return [{ what, name: OURS, messages, run: heartwire }, ...peers];
}

/** Messages that fill some sixteen chunks of 64 KiB. */
const fill = (size: number): number => Math.ceil(16 * CHUNK / (size + 8));
const label = (size: number): string => size < 1_024 ? `${size} B` : `${size / 1_024} KiB`;
const whole = (size: number): string => `decode, ${label(size)}`;
const tiny = (size: number): string => `${whole(size)} in chunks of 1 to ${TINY_CUT} bytes`;

const GROUPS: readonly (() => Promise<Subject[]> | Subject[])[] = [
  ...SIZES.map((size) => async () => [
    decodeOurs(whole(size), fill(size), ourStream(size, fill(size))),
    // Longer messages have several frames.
    ...(size <= MAX_CHUNK ? [limitOf(whole(size), size, fill(size), ourStream(size, fill(size)))] : []),
    decodeWs(whole(size), size, fill(size), false),
    decodeWs(whole(size), size, fill(size), true),
    decodeRsocket(whole(size), size, fill(size)),
    await decodeYamux(whole(size), size, fill(size)),
  ]),
  () =>
    TINY.flatMap(([size, messages]) => [
      decodeOurs(tiny(size), messages, ourStream(size, messages), TINY_CUT),
      decodeWs(tiny(size), size, messages, false, TINY_CUT),
    ]),
  () => [decodeOurs("decode, PING", 10_000, pings(10_000))],
  ...SIZES.map((size) => () => encode(`encode, ${label(size)}`, size, fill(size))),
];

/** How often a subject runs in a round, found while it warms up. */
function repeats(subject: Subject, ms: number): number {
  let count = 0;
  const start = cpuMicros();
  while (cpuMicros() - start < 3_000 * ms || count < 3) {
    subject.run();
    count++;
  }
  return Math.max(1, Math.round(count / 3));
}

/** CPU time a message, us. */
export interface Measured {
  readonly what: string;
  readonly name: string;
  readonly us: number;
}

async function measure(
  { group, rounds, ms }: { group: number; rounds: number; ms: number },
): Promise<Measured[]> {
  const subjects = await GROUPS[group]!();
  const counts = subjects.map((subject) => repeats(subject, ms));
  const measured: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [at, { what, name, messages, run }] of subjects.entries()) {
      // What the last subject left to be collected is not charged to this one.
      await new Promise((done) => setTimeout(done, 5));
      const start = cpuMicros();
      for (let count = 0; count < counts[at]!; count++) run();
      measured.push({ what, name, us: (cpuMicros() - start) / (counts[at]! * messages) });
    }
  }
  if (seen < 0) throw new Error("nothing was looked at");
  return measured;
}

answer({ groups: () => GROUPS.length, measure });

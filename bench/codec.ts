/**
 * What the codec costs next to that of `ws`: decoding and encoding of messages of 16 B to 64 KiB, in chunks of 64 KiB and of 1
 * to 7 bytes.
 *
 *   tsx bench/codec.ts | deno run -A bench/codec.ts | bun bench/codec.ts      (one line of JSON; see run.ts)
 *
 * Rules: same payloads, same chunks, same process. Subjects take turns round by round, each round long enough for the clock;
 * CPU time of the whole process, so that the collector's threads count; the median of the rounds. Each group of subjects that
 * are compared has processes of its own, so that the types and the garbage of one do not weigh on the next. Every subject
 * delivers each message whole, as bytes of its own or a view, to a function that looks at it.
 *
 * heartwire checks a CRC of every frame, in both directions. ws checks none, but what a client sends is masked, so that is
 * what a server's receiver gets; what a server sends is not, so ws stands here twice. When it encodes without a mask, ws
 * leaves the payload to the socket and copies nothing; heartwire copies it once, and then writes once for many messages.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import type { Environment } from "../core/environment.ts";
import { ByteQueue } from "../core/wire/bytes.ts";
import { Decoder, type FrameSink } from "../core/wire/decoder.ts";
import { writeData, writePing, writePreface } from "../core/wire/encoder.ts";
import { FIRST, FRAME_LIMIT, LAST, MAX_CHUNK } from "../core/wire/registry.ts";
import { runtimeCommand, RUNTIMES } from "../tests/support/runtimes.ts";
import { type Figure, machineName, type Mark, type Report, runtimeName } from "./report.ts";

/** Processes for each group: how an engine compiles and lays out the same program differs by a fifth from start to start. */
const PROCESSES = 5;
/** Rounds in each. */
const ROUNDS = 5;
/** CPU time of one round, ms. */
const ROUND_MS = 40;
const CHUNK = 65_536;
const SIZES = [16, 64, 1_024, 65_536];
/** Sizes and counts of the messages that come in chunks of 1 to 7 bytes. */
const TINY = [[1_024, 64], [65_536, 1]] as const;
const TINY_CUT = 7;

const OURS = "heartwire";
const BARE = "ws, not masked";
const MASKED = "ws, masked";

// By path, for Bun has a module of its own under the name.
const ws = (file: string): unknown => createRequire(import.meta.url)(`../node_modules/ws/${file}`);
const Receiver = ws("lib/receiver.js") as new (options: { isServer: boolean }) => {
  write(chunk: Uint8Array): boolean;
  on(event: string, listener: (value: never) => void): void;
};
const Sender = ws("lib/sender.js") as new (socket: WsSocket) => {
  send(data: Uint8Array, options: { binary: boolean; compress: boolean; fin: boolean; mask: boolean }): void;
};
/** An optional helper of ws, written in C, which masks. */
const nativeMask = ((): boolean => {
  try {
    return createRequire(import.meta.url)("bufferutil") !== undefined;
  } catch {
    return false;
  }
})();
const { version: wsVersion } = ws("package.json") as { version: string };

const environment: Environment = { entropy: () => {}, crc32: (bytes, seed) => crc32(bytes, seed) };

/** Handles a number of messages; the count says how many that were. */
interface Subject {
  readonly what: string;
  readonly name: string;
  readonly messages: number;
  readonly run: () => void;
}

/** Subjects that take turns. */
type Group = () => Subject[];

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
}

function payloadOf(size: number): Uint8Array {
  return Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31) ^ (at >> 8)));
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

function heartwireDecode(what: string, messages: number, stream: Buffer, cut = CHUNK): Subject {
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

interface WsSocket {
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array, callback?: () => void): boolean;
}
const sending = { binary: true, compress: false, fin: true };

function wsStream(payload: Uint8Array, messages: number, mask: boolean): Buffer {
  const pieces: Uint8Array[] = [];
  const socket: WsSocket = { cork() {}, uncork() {}, write: (bytes) => pieces.push(Buffer.from(bytes)) > 0 };
  const sender = new Sender(socket);
  for (let count = 0; count < messages; count++) sender.send(payload, { ...sending, mask });
  return Buffer.concat(pieces);
}

function wsDecode(what: string, size: number, messages: number, masked: boolean, cut = CHUNK): Subject {
  const chunks = chunksOf(wsStream(payloadOf(size), messages, masked), cut);
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

function heartwireStream(size: number, messages: number): Buffer {
  const out = new ByteQueue();
  const payload = payloadOf(size);
  for (let count = 0; count < messages; count++) writeMessage(out, 4 * count, payload);
  return everything(out);
}

function pings(count: number): Buffer {
  const out = new ByteQueue();
  for (let beat = 0; beat < count; beat++) writePing(out, 1, beat, beat, 255, beat, beat, 0);
  return everything(out);
}

function encodeSubjects(what: string, size: number, messages: number): Subject[] {
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
  const peers = [false, true].map((mask): Subject => {
    const write = (bytes: Uint8Array): boolean => {
      seen = (seen + bytes.length) & 0x3fff_ffff;
      return true;
    };
    const sender = new Sender({ cork() {}, uncork() {}, write });
    const run = (): void => {
      for (let count = 0; count < messages; count++) sender.send(payload, { ...sending, mask });
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

const GROUPS: readonly Group[] = [
  ...SIZES.map((size): Group => () => [
    heartwireDecode(whole(size), fill(size), heartwireStream(size, fill(size))),
    wsDecode(whole(size), size, fill(size), false),
    wsDecode(whole(size), size, fill(size), true),
  ]),
  () => [heartwireDecode("decode, PING", 10_000, pings(10_000))],
  () =>
    TINY.flatMap(([size, messages]) => [
      heartwireDecode(tiny(size), messages, heartwireStream(size, messages), TINY_CUT),
      wsDecode(tiny(size), size, messages, false, TINY_CUT),
      wsDecode(tiny(size), size, messages, true, TINY_CUT),
    ]),
  ...SIZES.map((size): Group => () => encodeSubjects(`encode, ${label(size)}`, size, fill(size))),
];

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** How often a subject runs in a round, found while it warms up. */
function repeats(subject: Subject): number {
  let count = 0;
  const start = performance.now();
  while (performance.now() - start < 2 * ROUND_MS || count < 2) {
    subject.run();
    count++;
  }
  return Math.max(1, Math.round(count / 2));
}

/** CPU time per message of each round, us, by what was done and by whom. */
type Rounds = Record<string, number[]>;

const keyOf = (what: string, name: string): string => `${what} | ${name}`;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

async function measure(subjects: readonly Subject[]): Promise<Rounds> {
  const counts = subjects.map(repeats);
  const rounds: Rounds = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, { what, name, messages, run }] of subjects.entries()) {
      // What the last subject left to be collected is not charged to this one.
      await new Promise((done) => setTimeout(done, 5));
      const start = cpuMs();
      for (let count = 0; count < counts[at]!; count++) run();
      (rounds[keyOf(what, name)] ??= []).push(1_000 * (cpuMs() - start) / (counts[at]! * messages));
    }
  }
  if (seen < 0) throw new Error("nothing was looked at");
  return rounds;
}

/** Measures one group in processes of its own. */
function measureApart(group: number): Rounds {
  const all: Rounds = {};
  for (let count = 0; count < PROCESSES; count++) {
    for (const [key, values] of Object.entries(measureOnce(group))) (all[key] ??= []).push(...values);
  }
  return all;
}

function measureOnce(group: number): Rounds {
  const runtime = RUNTIMES.find((each) => runtimeName().toLowerCase().startsWith(each))!;
  const [command, ...args] = runtimeCommand(runtime, fileURLToPath(import.meta.url), [String(group)]);
  const { status, stdout } = spawnSync(command!, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`group ${group} ended with ${status}`);
  return JSON.parse(stdout) as Rounds;
}

function makeReport(rounds: Rounds): Report {
  /** How many times as long one takes as the other: the median over the rounds, so that a busy moment hits both. */
  const ratio = (one: string, other: string): number => {
    const base = rounds[other]!;
    return median(rounds[one]!.map((us, round) => us / base[round]!));
  };
  const ours = keyOf(whole(64), OURS);
  const [small, large] = TINY.map(([size]) => keyOf(tiny(size), OURS)) as [string, string];
  const marks: Mark[] = [
    {
      what: "decode, 64 B: a server's receiver of ws takes so many times as long",
      value: ratio(keyOf(whole(64), MASKED), ours),
      bound: "at least",
      limit: runtimeName().startsWith("Node") ? 1.5 : 2.5,
    },
    {
      what: "decode, 64 B: a client's receiver of ws takes so many times as long",
      value: ratio(keyOf(whole(64), BARE), ours),
      bound: "at least",
      limit: 1,
    },
    {
      what: "decode, in chunks of 1 to 7 bytes: a byte of a 64 KiB message costs so many times one of 1 KiB",
      value: ratio(large, small) * TINY[0][0] / TINY[1][0],
      bound: "at most",
      limit: 1.5,
    },
  ];
  const figures = Object.entries(rounds).map(([key, values]): Figure => {
    const [what, subject] = key.split(" | ") as [string, string];
    return { what, subject, value: median(values), unit: "us a message" };
  });
  const against =
    `ws ${wsVersion} (${
      nativeMask ? "with" : "without"
    } bufferutil), which checks no CRC, and without a mask ` +
    "hands a payload to the socket uncopied";
  return {
    suite: "codec",
    runtime: runtimeName(),
    machine: machineName(),
    against,
    rounds: PROCESSES * ROUNDS,
    figures,
    marks,
  };
}

const chosen = process.argv[2];
const result = chosen === undefined
  ? makeReport(Object.assign({}, ...GROUPS.map((_, group) => measureApart(group))))
  : await measure(GROUPS[Number(chosen)]!());
console.log(JSON.stringify(result));

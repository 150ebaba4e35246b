/**
 * Writes frames, each at the end of a {@link ByteQueue} (docs/PROTOCOL.md, section 3).
 *
 * Rules: frames that travel often are written by a function each, straight into the slab, without an object or a view; the rest
 * is a {@link ControlFrame}. The length and all before it is known before the first byte is written. `finish` is the one
 * place that ends a frame with its trailer. What the caller passes is trusted to be in range, as its own options and
 * positions are checked where they enter.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import type { ByteQueue } from "./bytes.ts";
import { checksum, crc32 } from "./crc32.ts";
import type { ControlFrame } from "./frames.ts";
import { encodeParameters, ParameterFrame, type Parameters, PARAMETERS_MAX } from "./parameters.ts";
import {
  CRC_BYTES,
  FrameType,
  HIGHEST_VERSION,
  LOWEST_VERSION,
  MAGIC,
  MAX_TEXT,
  PREFACE_BYTES,
  STALLED,
} from "./registry.ts";
import { encodeText } from "./text.ts";
import { varintSize, writeUint32, writeVarint } from "./varint.ts";

/** PING and PONG: type, 18 bytes of body, trailer. */
const HEARTBEAT_LENGTH = 1 + 18 + CRC_BYTES;

/** Up to here a loop copies faster than `set`, which needs a view. */
const COPY_BY_LOOP = 48;

/** Ends the frame that begins at `from` and whose body ends at `end`: writes the trailer and commits the frame. */
function finish(out: ByteQueue, from: number, end: number, crc: number): void {
  writeUint32(out.bytes, end, crc);
  out.commit(end + CRC_BYTES - from);
}

/** Writes the preface. */
export function writePreface(out: ByteQueue): void {
  out.reserve(PREFACE_BYTES);
  const { bytes, at } = out;
  bytes.set(MAGIC, at);
  bytes[at + 6] = LOWEST_VERSION;
  bytes[at + 7] = HIGHEST_VERSION;
  out.commit(PREFACE_BYTES);
}

/**
 * Writes PING. `received` may be the whole position; its low 32 bits travel, as do those of `sequence`, `timestamp` and `heard`.
 * `stalled` (ms) travels when `flags` has STALLED.
 */
export function writePing(
  out: ByteQueue,
  flags: number,
  sequence: number,
  timestamp: number,
  promise: number,
  heard: number,
  received: number,
  stalled: number,
): void {
  const length = HEARTBEAT_LENGTH + ((flags & STALLED) === 0 ? 0 : 4);
  out.reserve(1 + length);
  const { bytes, at: from } = out;
  bytes[from] = length;
  bytes[from + 1] = FrameType.PING;
  bytes[from + 2] = flags;
  writeUint32(bytes, from + 3, sequence);
  writeUint32(bytes, from + 7, timestamp);
  bytes[from + 11] = promise;
  writeUint32(bytes, from + 12, heard);
  let at = writeUint32(bytes, from + 16, received);
  if ((flags & STALLED) !== 0) at = writeUint32(bytes, at, stalled);
  finish(out, from, at, crc32(bytes, from, at, 0));
}

/** Writes PONG. `answer` is the sequence of the PING it answers, plus 1; `hold` is in us and must fit 32 bits. */
export function writePong(
  out: ByteQueue,
  flags: number,
  answer: number,
  timestamp: number,
  hold: number,
  promise: number,
  received: number,
  stalled: number,
): void {
  const length = HEARTBEAT_LENGTH + ((flags & STALLED) === 0 ? 0 : 4);
  out.reserve(1 + length);
  const { bytes, at: from } = out;
  bytes[from] = length;
  bytes[from + 1] = FrameType.PONG;
  bytes[from + 2] = flags;
  writeUint32(bytes, from + 3, answer);
  writeUint32(bytes, from + 7, timestamp);
  writeUint32(bytes, from + 11, hold);
  bytes[from + 15] = promise;
  let at = writeUint32(bytes, from + 16, received);
  if ((flags & STALLED) !== 0) at = writeUint32(bytes, at, stalled);
  finish(out, from, at, crc32(bytes, from, at, 0));
}

/** Writes ACK. */
export function writeAck(out: ByteQueue, received: number, processed: number): void {
  const length = 1 + varintSize(received) + varintSize(processed) + CRC_BYTES;
  out.reserve(1 + length);
  const { bytes, at: from } = out;
  bytes[from] = length;
  bytes[from + 1] = FrameType.ACK;
  const at = writeVarint(bytes, writeVarint(bytes, from + 2, received), processed);
  finish(out, from, at, crc32(bytes, from, at, 0));
}

/** Writes CREDIT. */
export function writeCredit(out: ByteQueue, limit: number): void {
  const length = 1 + varintSize(limit) + CRC_BYTES;
  out.reserve(1 + length);
  const { bytes, at: from } = out;
  bytes[from] = length;
  bytes[from + 1] = FrameType.CREDIT;
  const at = writeVarint(bytes, from + 2, limit);
  finish(out, from, at, crc32(bytes, from, at, 0));
}

/**
 * Writes a chunk of a message, `payload[start..end)`, at most `MAX_CHUNK` bytes, which is copied once. It lacks its sequence and its trailer:
 * {@link seal} fills them in when it is known behind what it leaves.
 *
 * @param type of DATA, REQUEST or REPLY, with FIRST and LAST
 * @param id of a REQUEST or REPLY with FIRST; else -1
 * @param word the remaining ms of that REQUEST, or the status of that REPLY
 */
export function writeChunk(
  out: ByteQueue,
  type: number,
  payload: Uint8Array,
  start: number,
  end: number,
  id = -1,
  word = 0,
): void {
  const size = end - start;
  const names = id < 0 ? 0 : varintSize(id) + varintSize(word);
  const length = 1 + 2 + names + size + CRC_BYTES;
  out.reserve(varintSize(length) + length);
  const { bytes, at: from } = out;
  let at = writeVarint(bytes, from, length);
  bytes[at] = type;
  at += 3;
  if (id >= 0) at = writeVarint(bytes, writeVarint(bytes, at, id), word);
  if (size <= COPY_BY_LOOP) {
    for (let next = start; next < end; next++) bytes[at++] = payload[next]!;
  } else {
    bytes.set(start === 0 && end === payload.length ? payload : payload.subarray(start, end), at);
    at += size;
  }
  out.commit(at + CRC_BYTES - from);
}

/** Writes CANCEL, which lacks its sequence and its trailer as a chunk does. */
export function writeCancel(out: ByteQueue, id: number): void {
  const length = 1 + 2 + varintSize(id) + CRC_BYTES;
  out.reserve(1 + length);
  const { bytes, at: from } = out;
  bytes[from] = length;
  bytes[from + 1] = FrameType.CANCEL;
  writeVarint(bytes, from + 4, id);
  out.commit(1 + length);
}

/**
 * Fills in what a chunk at `bytes[from..end)` lacks; `typeAt` is where its type stands. `sequence` may be the whole position. `words`: see `checksum`.
 */
export function seal(
  environment: Environment,
  bytes: Uint8Array,
  from: number,
  typeAt: number,
  end: number,
  sequence: number,
  words: DataView | null = null,
): void {
  bytes[typeAt + 1] = sequence >>> 8;
  bytes[typeAt + 2] = sequence;
  const trailer = end - CRC_BYTES;
  writeUint32(bytes, trailer, checksum(environment, bytes, from, trailer, 0, words));
}

/** Writes a whole DATA frame: {@link writeChunk} and {@link seal} in one. `flags` are FIRST and LAST. */
export function writeData(
  out: ByteQueue,
  environment: Environment,
  flags: number,
  sequence: number,
  payload: Uint8Array,
  start: number,
  end: number,
): void {
  const head = varintSize(1 + 2 + end - start + CRC_BYTES);
  writeChunk(out, FrameType.DATA | flags, payload, start, end);
  const from = out.at - (head + 1 + 2 + end - start + CRC_BYTES);
  seal(environment, out.bytes, from, from + head, out.at, sequence);
}

/** Writes VOLATILE. */
export function writeVolatile(out: ByteQueue, environment: Environment, payload: Uint8Array): void {
  const size = payload.length;
  const length = 1 + size + CRC_BYTES;
  out.reserve(varintSize(length) + length);
  const { bytes, at: from } = out;
  let at = writeVarint(bytes, from, length);
  bytes[at++] = FrameType.VOLATILE;
  if (size <= COPY_BY_LOOP) { for (let next = 0; next < size; next++) bytes[at++] = payload[next]!; }
  else {
    bytes.set(payload, at);
    at += size;
  }
  finish(out, from, at, checksum(environment, bytes, from, at, 0, out.words));
}

/** Two texts with their lengths, a nonce, five numbers and all parameters are shorter, bytes. */
const BODY_MAX = 2 * (MAX_TEXT + 2) + 16 + 5 * 8 + PARAMETERS_MAX;

/** Collects the body of a rarely sent frame, whose size must be known before it is written. There is one, for all of them. */
class BodyWriter {
  readonly #bytes = new Uint8Array(BODY_MAX);
  size = 0;

  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.size);
    this.size += value.length;
    return this;
  }

  byte(value: number): this {
    this.#bytes[this.size++] = value;
    return this;
  }

  sequence(value: number): this {
    return this.byte(value >>> 8).byte(value);
  }

  varint(value: number): this {
    this.size = writeVarint(this.#bytes, this.size, value);
    return this;
  }

  text(value: string): this {
    const bytes = encodeText(value, MAX_TEXT);
    return this.varint(bytes.length).bytes(bytes);
  }

  parameters(value: Parameters, frame: number): this {
    this.size = encodeParameters(value, frame, this.#bytes, this.size);
    return this;
  }

  writeTo(into: Uint8Array, at: number): number {
    for (let from = 0; from < this.size; from++) into[at++] = this.#bytes[from]!;
    return at;
  }

  /** Begins anew, and keeps no secret. */
  clear(): void {
    this.#bytes.fill(0);
    this.size = 0;
  }
}

const body = new BodyWriter();

/** Fills in the body in the order of its layout; returns the type. */
function layOut(frame: ControlFrame): number {
  switch (frame.kind) {
    case "hello":
      body.bytes(frame.nonce).parameters(frame.parameters, ParameterFrame.HELLO);
      return FrameType.HELLO;
    case "challenge":
      body.bytes(frame.nonce).parameters(frame.parameters, ParameterFrame.CHALLENGE);
      return FrameType.CHALLENGE;
    case "auth":
      body.parameters(frame.parameters, ParameterFrame.AUTH);
      return FrameType.AUTH;
    case "welcome":
      body.bytes(frame.nonce).parameters(frame.parameters, ParameterFrame.WELCOME);
      return FrameType.WELCOME;
    case "reject":
      body.varint(frame.code).varint(frame.retryAfter).text(frame.text);
      body.parameters(frame.parameters, ParameterFrame.REJECT);
      return FrameType.REJECT;
    case "params":
      body.varint(frame.serial).parameters(frame.parameters, ParameterFrame.PARAMS);
      return FrameType.PARAMS;
    case "paramsOk":
      body.varint(frame.serial);
      return FrameType.PARAMS_OK;
    case "goaway":
      body.byte(frame.scope).varint(frame.code).varint(frame.retryAfter).varint(frame.jitter);
      body.text(frame.text).text(frame.endpoint);
      return FrameType.GOAWAY;
    case "close":
      body.varint(frame.code).varint(frame.position).text(frame.text);
      return FrameType.CLOSE;
    case "error":
      body.varint(frame.code).text(frame.text);
      return FrameType.ERROR;
    case "cancel":
      body.sequence(frame.sequence).varint(frame.id);
      return FrameType.CANCEL;
  }
}

/**
 * Writes any rarely sent frame. Texts are cut to 255 bytes. Throws for what the frame cannot carry: a parameter out of range
 * or of another frame.
 */
export function writeFrame(out: ByteQueue, frame: ControlFrame): void {
  try {
    const type = layOut(frame);
    const length = 1 + body.size + CRC_BYTES;
    out.reserve(varintSize(length) + length);
    const { bytes, at: from } = out;
    let at = writeVarint(bytes, from, length);
    bytes[at] = type;
    at = body.writeTo(bytes, at + 1);
    finish(out, from, at, crc32(bytes, from, at, 0));
  } finally {
    body.clear();
  }
}

/**
 * Cuts a byte stream into frames and hands them to a sink (docs/PROTOCOL.md, sections 2 and 3).
 *
 * Rules:
 * - Bytes of a peer never throw; the first fault is returned once, and every byte after it, or after `stop`, is dropped.
 * - A frame that lies whole in a chunk is decoded where it lies. Only an unfinished one is copied, once, into a buffer that
 *   grows with the bytes that came, never with those that were announced; work is linear in the bytes however they are cut.
 * - One view for a message, none for a heartbeat.
 * - Checks come in this order: length, trailer, type, layout. States are the connection's business.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import { decodeBody } from "./bodies.ts";
import { checksum, crc32, nativeFrom } from "./crc32.ts";
import { type Fault, fault } from "./fault.ts";
import type { ControlFrame } from "./frames.ts";
import { describeForeign, type Foreign, prefaceDiffers, recogniseForeign } from "./preface.ts";
import {
  CRC_BYTES,
  FrameType,
  HANDSHAKE_FRAME_LIMIT,
  IGNORABLE,
  MAGIC,
  MAX_CHUNK,
  PREFACE_BYTES,
  STALLED,
} from "./registry.ts";
import { readUint32, readVarint, VARINT_EXCESS, VARINT_SHORT, varintForm, varintSize } from "./varint.ts";

export type { Fault } from "./fault.ts";

/** Receives what a {@link Decoder} finds. It may call {@link Decoder.stop} and set {@link Decoder.frameLimit} meanwhile. */
export interface FrameSink {
  /** The preface is complete. */
  preface(lowest: number, highest: number): void;
  /** DATA. `payload` is a view, borrowed until the next push. */
  data(flags: number, sequence: number, payload: Uint8Array): void;
  /** PING; `stalled` is 0 unless `flags` has STALLED. */
  ping(
    flags: number,
    sequence: number,
    timestamp: number,
    promise: number,
    heard: number,
    received: number,
    stalled: number,
  ): void;
  /** PONG; `stalled` is 0 unless `flags` has STALLED. */
  pong(
    flags: number,
    answer: number,
    timestamp: number,
    hold: number,
    promise: number,
    received: number,
    stalled: number,
  ): void;
  /** ACK. */
  ack(received: number, processed: number): void;
  /** CREDIT. */
  credit(limit: number): void;
  /** Any other frame. A `payload` in it is a view, borrowed until the next push; all else is the sink's own. */
  control(frame: ControlFrame): void;
}

/** PING and PONG: bytes of body without and with `stalled`. */
const HEARTBEAT_BODY = 18;
const STALLED_BODY = 22;

/** An unfinished frame's buffer up to this size is kept for the next one. */
const KEPT_BUFFER = 128;

const NOTHING = new Uint8Array(0);

/** Cuts one direction of one stream into frames. */
export class Decoder {
  /** The greatest length (type, body and trailer) of a frame; the owner raises it when the handshake is complete. */
  frameLimit: number = HANDSHAKE_FRAME_LIMIT;
  /** How many frames were finished, skipped ones included, the preface being the first. */
  framesDecoded = 0;
  /** Who the peer seems to be, once it was refused with NOT_HEARTWIRE. */
  foreign: Foreign | null = null;

  readonly #environment: Environment;
  readonly #nativeFrom: number;
  /** Bytes of the preface that came. */
  #prefaceBytes = 0;
  #lowest = 0;
  #stopped = false;
  /** The unfinished frame's bytes that came. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;
  /** How many bytes the unfinished frame must have before it can be judged further. */
  #wanted = 0;
  /** Whether a view of the held buffer was given out during this push. */
  #lent = false;

  /** @param environment its `crc32` is used for large frames */
  constructor(environment: Environment) {
    this.#environment = environment;
    this.#nativeFrom = nativeFrom(environment);
  }

  /** Whether a frame, or the preface, has begun and is not finished. */
  get inFrame(): boolean {
    return this.heldBytes > 0;
  }

  /** How many bytes of the unfinished frame or preface are here. */
  get heldBytes(): number {
    if (this.#stopped) return 0;
    return this.#prefaceBytes < PREFACE_BYTES ? this.#prefaceBytes : this.#heldBytes;
  }

  /** Bytes of memory held for the unfinished frame. */
  get heldMemory(): number {
    return this.#held.length;
  }

  /** No further frame is processed; what comes is dropped. */
  stop(): void {
    this.#stopped = true;
    this.#drop();
  }

  #drop(): void {
    this.#held = NOTHING;
    this.#heldBytes = 0;
  }

  /** Takes bytes of the peer, borrowed until the next push. Returns the fault that ends the stream, once. */
  push(bytes: Uint8Array, sink: FrameSink): Fault | null {
    if (this.#stopped) return null;
    const found = this.#run(bytes, sink);
    if (found !== null) this.stop();
    return found;
  }

  #run(bytes: Uint8Array, sink: FrameSink): Fault | null {
    const end = bytes.length;
    let at = 0;
    this.#lent = false;
    const have = this.#prefaceBytes;
    if (have < PREFACE_BYTES) {
      const found = this.#preface(bytes, sink);
      if (found !== null || this.#stopped) return found;
      at = this.#prefaceBytes - have;
    }
    while (this.#heldBytes > 0 && at < end) {
      at = this.#gather(bytes, at, end);
      if (this.#heldBytes < this.#wanted) return null;
      const size = frameSize(this.#held, 0, this.#heldBytes, this.frameLimit);
      if (size < 0) {
        if (size !== SHORT) return lengthFault(this.#held, this.#heldBytes, this.frameLimit);
        this.#wanted = varintForm(this.#held[0]!);
      } else if (size > this.#heldBytes) {
        this.#wanted = size;
      } else {
        const held = this.#held;
        this.#heldBytes = 0;
        const found = this.#frame(held, 0, size, sink, true);
        if (found !== null || this.#stopped) return found;
      }
    }
    while (at < end) {
      const size = frameSize(bytes, at, end, this.frameLimit);
      if (size < 0) {
        if (size !== SHORT) return lengthFault(bytes.subarray(at), end - at, this.frameLimit);
        this.#hold(bytes, at, end, varintForm(bytes[at]!));
        return null;
      }
      if (size > end - at) {
        this.#hold(bytes, at, end, size);
        return null;
      }
      const found = this.#frame(bytes, at, at + size, sink, false);
      if (found !== null || this.#stopped) return found;
      at += size;
    }
    if (this.#heldBytes === 0 && this.#held.length > KEPT_BUFFER) this.#held = NOTHING;
    return null;
  }

  #preface(bytes: Uint8Array, sink: FrameSink): Fault | null {
    const have = this.#prefaceBytes;
    const differs = prefaceDiffers(bytes, 0, bytes.length, have);
    if (differs >= 0) {
      const begun = Uint8Array.from([...MAGIC.slice(0, have), ...bytes.subarray(0, 64)]);
      this.foreign = recogniseForeign(begun);
      return fault("NOT_HEARTWIRE", describeForeign(begun, this.foreign));
    }
    const taken = Math.min(bytes.length, PREFACE_BYTES - have);
    const lowestAt = MAGIC.length - have;
    if (lowestAt >= 0 && lowestAt < taken) this.#lowest = bytes[lowestAt]!;
    this.#prefaceBytes = have + taken;
    if (this.#prefaceBytes === PREFACE_BYTES) {
      this.framesDecoded++;
      sink.preface(this.#lowest, bytes[taken - 1]!);
    }
    return null;
  }

  /** Begins to hold an unfinished frame that lies at the end of a push. */
  #hold(bytes: Uint8Array, at: number, end: number, wanted: number): void {
    if (this.#lent || this.#held.length > KEPT_BUFFER) this.#held = NOTHING;
    this.#wanted = wanted;
    this.#append(bytes, at, end);
  }

  /** Adds what came to the held frame, up to `wanted`; returns the offset behind what was taken. */
  #gather(bytes: Uint8Array, at: number, end: number): number {
    const until = Math.min(end, at + this.#wanted - this.#heldBytes);
    this.#append(bytes, at, until);
    return until;
  }

  #append(bytes: Uint8Array, at: number, end: number): void {
    const have = this.#heldBytes;
    const need = have + end - at;
    if (need > this.#held.length) {
      // Doubling keeps the copies linear; the frame's size is only an upper bound to what arrived.
      const roomy = Math.max(2 * need, 64);
      const grown = new Uint8Array(
        this.#wanted >= need ? Math.min(roomy, Math.max(this.#wanted, 64)) : roomy,
      );
      grown.set(this.#held.subarray(0, have));
      this.#held = grown;
    }
    const held = this.#held;
    if (end - at <= 16) { for (let to = have; at < end; at++, to++) held[to] = bytes[at]!; }
    else held.set(bytes.subarray(at, end), have);
    this.#heldBytes = need;
  }

  /** Judges and delivers the frame `bytes[from..end)`, whose length is in order. */
  #frame(bytes: Uint8Array, from: number, end: number, sink: FrameSink, held: boolean): Fault | null {
    const bodyEnd = end - CRC_BYTES;
    const typeAt = from + varintForm(bytes[from]!);
    const type = bytes[typeAt]!;
    const body = typeAt + 1;
    this.framesDecoded++;

    if ((type & 0xfc) === FrameType.DATA && bodyEnd - body >= 2) {
      const payloadAt = body + 2;
      const size = bodyEnd - payloadAt;
      const payload = new Uint8Array(bytes.buffer, bytes.byteOffset + payloadAt, size);
      const crc = size < this.#nativeFrom
        ? crc32(bytes, from, bodyEnd, 0)
        : this.#environment.crc32!(payload, crc32(bytes, from, payloadAt, 0)) >>> 0;
      if (crc !== readUint32(bytes, bodyEnd)) return checksumFault(crc, bytes, bodyEnd);
      if (size > MAX_CHUNK) return fault("FRAME_MALFORMED", `payload of ${size} bytes, limit ${MAX_CHUNK}`);
      if (held) this.#lent = true;
      sink.data(type & 0x03, (bytes[body]! << 8) | bytes[body + 1]!, payload);
      return null;
    }

    const crc = checksum(this.#environment, bytes, from, bodyEnd, 0);
    if (crc !== readUint32(bytes, bodyEnd)) return checksumFault(crc, bytes, bodyEnd);
    switch (type) {
      case FrameType.PING:
      case FrameType.PONG:
        return heartbeat(type, bytes, body, bodyEnd, sink);
      case FrameType.ACK:
        return ack(bytes, body, bodyEnd, sink);
      case FrameType.CREDIT:
        return credit(bytes, body, bodyEnd, sink);
    }
    const decoded = decodeBody(type, bytes, body, bodyEnd);
    if (decoded === null) {
      if ((type & 0xfc) === FrameType.DATA) return fault("FRAME_MALFORMED", "DATA without a sequence");
      if ((type & IGNORABLE) !== 0) return null;
      return fault("UNKNOWN_FRAME", `type ${type.toString(16).padStart(2, "0")}`);
    }
    if (decoded.fault !== null) return decoded.fault;
    if (held) this.#lent = true;
    sink.control(decoded.frame);
    return null;
  }

  /** The stream has ended: the fault, if that was inside a frame. */
  end(): Fault | null {
    if (this.#stopped || !this.inFrame) return null;
    const have = this.heldBytes;
    this.stop();
    const what = this.#prefaceBytes < PREFACE_BYTES ? "the preface" : "a frame";
    return fault("TRUNCATED", `the stream ended after ${have} bytes of ${what}`);
  }

  /** A decoder that goes on independently from the same state. */
  clone(environment: Environment = this.#environment): Decoder {
    const copy = new Decoder(environment);
    copy.frameLimit = this.frameLimit;
    copy.framesDecoded = this.framesDecoded;
    copy.foreign = this.foreign;
    copy.#prefaceBytes = this.#prefaceBytes;
    copy.#lowest = this.#lowest;
    copy.#stopped = this.#stopped;
    copy.#held = this.#held.slice(0, this.#heldBytes);
    copy.#heldBytes = this.#heldBytes;
    copy.#wanted = this.#wanted;
    return copy;
  }

  /** The state that decides what comes next, as text: equal keys behave alike. */
  key(): string {
    if (this.#stopped) return "stopped";
    if (this.#prefaceBytes < PREFACE_BYTES) {
      return `preface ${this.#prefaceBytes} ${this.#lowest} ${this.frameLimit}`;
    }
    let hex = "";
    for (let at = 0; at < this.#heldBytes; at++) hex += this.#held[at]!.toString(16).padStart(2, "0");
    return `${this.frameLimit} ${hex}`;
  }
}

/** {@link frameSize}: not even the length is complete. */
const SHORT = -1;
/** {@link frameSize}: {@link lengthFault} says why not. */
const BAD = -2;

/** Bytes of the whole frame at `at`, judged by its length alone. */
function frameSize(bytes: Uint8Array, at: number, end: number, limit: number): number {
  const first = bytes[at]!;
  let length = first;
  let form = 1;
  if (first >= 0x40) {
    length = readVarint(bytes, at, end);
    if (length === VARINT_SHORT) return SHORT;
    form = varintForm(first);
    if (length < 0 || varintSize(length) !== form) return BAD;
  }
  return length < 1 + CRC_BYTES || length > limit ? BAD : form + length;
}

/** What is wrong with the length that `bytes` begins with. */
function lengthFault(bytes: Uint8Array, end: number, limit: number): Fault {
  const length = readVarint(bytes, 0, end);
  if (length === VARINT_EXCESS) return fault("FRAME_TOO_LARGE", `length above 2^53 - 1, limit ${limit}`);
  if (length < 1 + CRC_BYTES) return fault("LENGTH_INVALID", `length ${length}, least ${1 + CRC_BYTES}`);
  const form = varintForm(bytes[0]!);
  if (varintSize(length) !== form) return fault("LENGTH_INVALID", `length ${length} in ${form} bytes`);
  return fault("FRAME_TOO_LARGE", `length ${length}, limit ${limit}`);
}

function checksumFault(crc: number, bytes: Uint8Array, at: number): Fault {
  const hex = (word: number) => word.toString(16).padStart(8, "0");
  return fault("CHECKSUM", `trailer ${hex(readUint32(bytes, at))}, computed ${hex(crc)}`);
}

function heartbeat(
  type: number,
  bytes: Uint8Array,
  body: number,
  end: number,
  sink: FrameSink,
): Fault | null {
  const size = end - body;
  const stalledFlag = size > 0 ? bytes[body]! & STALLED : 0;
  const expected = stalledFlag === 0 ? HEARTBEAT_BODY : STALLED_BODY;
  if (size !== expected) {
    return fault("FRAME_MALFORMED", `heartbeat body of ${size} bytes, ${expected} expected`);
  }
  const flags = bytes[body]!;
  const number = readUint32(bytes, body + 1);
  const timestamp = readUint32(bytes, body + 5);
  const received = readUint32(bytes, body + 14);
  const stalled = stalledFlag === 0 ? 0 : readUint32(bytes, body + 18);
  if (type === FrameType.PING) {
    sink.ping(flags, number, timestamp, bytes[body + 9]!, readUint32(bytes, body + 10), received, stalled);
  } else {
    sink.pong(flags, number, timestamp, readUint32(bytes, body + 9), bytes[body + 13]!, received, stalled);
  }
  return null;
}

function ack(bytes: Uint8Array, body: number, end: number, sink: FrameSink): Fault | null {
  const received = readVarint(bytes, body, end);
  const next = received < 0 ? end : body + varintForm(bytes[body]!);
  const processed = readVarint(bytes, next, end);
  if (processed < 0 || next + varintForm(bytes[next]!) !== end) {
    return fault("FRAME_MALFORMED", "ACK is not two varints");
  }
  sink.ack(received, processed);
  return null;
}

function credit(bytes: Uint8Array, body: number, end: number, sink: FrameSink): Fault | null {
  const limit = readVarint(bytes, body, end);
  if (limit < 0 || body + varintForm(bytes[body]!) !== end) {
    return fault("FRAME_MALFORMED", "CREDIT is not one varint");
  }
  sink.credit(limit);
  return null;
}

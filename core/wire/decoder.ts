/**
 * Cuts a byte stream into frames and hands them to a sink (docs/PROTOCOL.md, sections 2 and 3).
 *
 * Rules:
 * - Bytes of a peer never throw; the first fault is returned once, and every byte after it, or after `stop`, is dropped.
 * - A frame that lies whole in a chunk is decoded where it lies. Only an unfinished one is copied, once, into a buffer that
 *   grows with the bytes that came, never with those that were announced; work is linear in the bytes however they are cut.
 * - One view for a message, none for a heartbeat. Payloads are borrowed; but for a sink that wants to keep them, short frames that came together
 *   are copied together first: an array for each message costs more than all else of it (0.5 to 2 us of Node's and Deno's time from 65 bytes on).
 *   A short message that came alone is copied instead of viewed.
 * - Checks come in this order: length, trailer, type, layout. States are the connection's business.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import { decodeBody } from "./bodies.ts";
import { behindNames, deliverNamed, namedChunk, volatileFrame } from "./chunks.ts";
import { checksum, crc32, crc32View, nativeFrom } from "./crc32.ts";
import { type Fault, fault } from "./fault.ts";
import { frameSize, LENGTH_SHORT, lengthFault } from "./length.ts";
import { describeForeign, type Foreign, prefaceDiffers, recogniseForeign } from "./preface.ts";
import {
  CRC_BYTES,
  FIRST,
  FrameType,
  HANDSHAKE_FRAME_LIMIT,
  IGNORABLE,
  LAST,
  MAGIC,
  MAX_CHUNK,
  PREFACE_BYTES,
} from "./registry.ts";
import { ack, credit, heartbeat } from "./signals.ts";
import type { FrameSink } from "./sink.ts";
import { readUint32, varintForm } from "./varint.ts";

export type { Fault } from "./fault.ts";
export type { FrameSink } from "./sink.ts";

/** A message, a request, and a reply, of one chunk. */
const WHOLE = FIRST | LAST;
const WHOLE_REQUEST = FrameType.REQUEST | WHOLE;
const WHOLE_REPLY = FrameType.REPLY | WHOLE;

/** An unfinished frame's buffer up to this size is kept for the next one. */
const KEPT_BUFFER = 128;

/** From how many bytes on a push is worth views of its own, which make each frame in it cheaper. */
const LARGE_PUSH = 256;

/**
 * What is copied together, bytes at most: frames of one kind, one behind the other, so that what holds on to them was paid for with credit. Whoever
 * keeps one message of many holds on to as much; of requests, which are not finished in order, to less.
 */
const PIECE = 8_192;
const PIECE_OF_REQUESTS = 1_024;

/** Frames up to this size, and payloads where one comes alone, are worth it. */
const SHORT_FRAME = 2_048;

const NOTHING = new Uint8Array(0);

/** Cuts one direction of one stream into frames. */
export class Decoder {
  /** The greatest length (type, body and trailer) of a frame; the owner raises it when the handshake is complete. */
  frameLimit: number = HANDSHAKE_FRAME_LIMIT;
  /** How many frames were finished, skipped ones included, the preface being the first. */
  framesDecoded = 0;
  /** The payload that is being given is the sink's to keep. */
  owned = false;
  /** Who the peer seems to be, once it was refused with NOT_HEARTWIRE. */
  foreign: Foreign | null = null;

  readonly #environment: Environment;
  readonly #nativeFrom: number;
  readonly #copies: boolean;
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

  /** A decoder at the beginning of a stream; large frames are checked by `environment.crc32`. `copies`: its sink wants to keep payloads. */
  constructor(environment: Environment, copies = false) {
    this.#environment = environment;
    this.#copies = copies;
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
    this.owned = false;
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
      const have = this.#heldBytes;
      if (have < this.#wanted) return null;
      const held = this.#held;
      const size = frameSize(held, 0, have, this.frameLimit);
      if (size < 0) {
        if (size !== LENGTH_SHORT) return lengthFault(held, 0, have, this.frameLimit);
        this.#wanted = varintForm(held[0]!);
      } else if (size > have) {
        this.#wanted = size;
      } else {
        this.#heldBytes = 0;
        // Before the call, for the sink may keep the view and the same push may hold another frame.
        this.#lent = true;
        const found = this.#frame(held, 0, size, sink);
        if (found !== null || this.#stopped) return found;
      }
    }
    if (at < end) return this.#inPlace(bytes, at, end, sink);
    if (this.#heldBytes === 0 && this.#held.length > KEPT_BUFFER) this.#held = NOTHING;
    return null;
  }

  /** Decodes the frames that lie whole in a push and holds what is left. */
  #inPlace(given: Uint8Array, from: number, end: number, sink: FrameSink): Fault | null {
    const large = end - from >= LARGE_PUSH;
    const bytes = large ? plainView(given) : given;
    const words = large && !this.#copies ? new DataView(bytes.buffer, bytes.byteOffset, end) : null;
    let at = from;
    while (at < end) {
      if (words !== null) {
        at = this.#messages(bytes, words, at, end, sink);
        if (this.#stopped) return null;
        if (at === end) break;
      }
      const size = frameSize(bytes, at, end, this.frameLimit);
      if (size < 0 && size !== LENGTH_SHORT) return lengthFault(bytes, at, end, this.frameLimit);
      const next = at + size;
      if (size < 0 || next > end) {
        this.#hold(bytes, at, end, size < 0 ? varintForm(bytes[at]!) : size);
        return null;
      }
      const together = this.#copies && large ? this.#together(bytes, at, end) : next;
      const found = together > next
        ? this.#piece(bytes, at, together, sink)
        : this.#frame(bytes, at, next, sink);
      if (found !== null || this.#stopped) return found;
      at = together > next ? together : next;
    }
    if (this.#held.length > KEPT_BUFFER) this.#held = NOTHING;
    return null;
  }

  /** Where the whole, short frames that begin at `from`, all of one kind that carries payloads, end; `from` if the first is none. */
  #together(bytes: Uint8Array, from: number, end: number): number {
    const kind = lane(bytes, from);
    if (kind === 0) return from;
    const most = Math.min(end, from + (kind === FrameType.REQUEST ? PIECE_OF_REQUESTS : PIECE));
    let at = from;
    while (at < most) {
      const size = frameSize(bytes, at, most, this.frameLimit);
      if (size < 0 || size > SHORT_FRAME || at + size > most || lane(bytes, at) !== kind) break;
      at += size;
    }
    return at;
  }

  /** Decodes these whole frames in a copy of them. */
  #piece(bytes: Uint8Array, from: number, end: number, sink: FrameSink): Fault | null {
    const piece = bytes.slice(from, end);
    const words = new DataView(piece.buffer);
    const until = piece.length;
    let found: Fault | null = null;
    this.owned = true;
    for (let at = 0; found === null;) {
      at = this.#messages(piece, words, at, until, sink);
      if (this.#stopped || at === until) break;
      const next = at + frameSize(piece, at, until, this.frameLimit);
      found = this.#frame(piece, at, next, sink);
      if (this.#stopped || next === until) break;
      at = next;
    }
    this.owned = false;
    return found;
  }

  /**
   * Delivers frames with payloads as long as one follows another and each is whole and in order; returns where that ends. It judges
   * nothing: what it does not like, and a request or reply of several chunks, it leaves to `#frame`. One loop from the length to the sink is worth
   * a tenth of the time of a 64-byte message on Deno, reading `words` another; on Node a view that is cut from a plain one costs 0.2 us less.
   */
  #messages(bytes: Uint8Array, words: DataView, from: number, end: number, sink: FrameSink): number {
    const least = this.#nativeFrom;
    let at = from;
    while (at < end) {
      const size = frameSize(bytes, at, end, this.frameLimit);
      const next = at + size;
      if (size < 0 || next > end) break;
      const first = bytes[at]!;
      const typeAt = at + (first < 0x40 ? 1 : varintForm(first));
      const trailerAt = next - CRC_BYTES;
      const type = bytes[typeAt]!;
      const kind = type & 0xfc;
      let payloadAt = typeAt + 3;
      if (kind !== FrameType.DATA) {
        if (type === FrameType.VOLATILE) payloadAt = typeAt + 1;
        else if (type === WHOLE_REQUEST || type === WHOLE_REPLY) {
          payloadAt = behindNames(bytes, payloadAt, trailerAt);
        } else break;
      }
      const length = trailerAt - payloadAt;
      if (length < 0 || length > MAX_CHUNK) break;
      const payload = bytes.subarray(payloadAt, trailerAt);
      const crc = length < least
        ? crc32View(words, at, trailerAt, 0) | 0
        : this.#environment.crc32!(payload, crc32(bytes, at, payloadAt, 0)) | 0;
      if (crc !== words.getInt32(trailerAt)) break;
      this.framesDecoded++;
      at = next;
      if (kind === FrameType.DATA) {
        sink.data(type & 0x03, (bytes[typeAt + 1]! << 8) | bytes[typeAt + 2]!, payload);
      } else if (type === FrameType.VOLATILE) {
        sink.volatile(payload);
      } else {
        deliverNamed(type, bytes, typeAt + 1, payload, sink);
      }
      if (this.#stopped) break;
    }
    return at;
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
  #frame(bytes: Uint8Array, from: number, end: number, sink: FrameSink): Fault | null {
    const bodyEnd = end - CRC_BYTES;
    const typeAt = bytes[from]! < 0x40 ? from + 1 : from + varintForm(bytes[from]!);
    const type = bytes[typeAt]!;
    this.framesDecoded++;
    if ((type & 0xfc) === FrameType.DATA && typeAt + 3 <= bodyEnd) {
      return this.#data(bytes, from, typeAt, bodyEnd, sink);
    }
    const body = typeAt + 1;
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
      case FrameType.VOLATILE:
        return volatileFrame(bytes, body, bodyEnd, sink);
    }
    const kind = type & 0xfc;
    if (kind === FrameType.REQUEST || kind === FrameType.REPLY) {
      return namedChunk(type, bytes, body, bodyEnd, sink);
    }
    const decoded = decodeBody(type, bytes, body, bodyEnd);
    if (decoded === null) {
      if ((type & 0xfc) === FrameType.DATA) return fault("FRAME_MALFORMED", "DATA without a sequence");
      if ((type & IGNORABLE) !== 0) return null;
      return fault("UNKNOWN_FRAME", `type ${type.toString(16).padStart(2, "0")}`);
    }
    if (decoded.fault !== null) return decoded.fault;
    sink.control(decoded.frame);
    return null;
  }

  /**
   * DATA, with the one array that it costs: a view, over which the checksum of a large payload goes as well; or, of a short message that its sink
   * wants to keep, at once the copy.
   */
  #data(bytes: Uint8Array, from: number, typeAt: number, bodyEnd: number, sink: FrameSink): Fault | null {
    const at = typeAt + 3;
    const size = bodyEnd - at;
    const flags = bytes[typeAt]! & 0x03;
    const copy = this.#copies && flags === WHOLE && size <= SHORT_FRAME &&
      bytes.constructor === Uint8Array; // another class's slice may be no copy
    const payload = copy
      ? bytes.slice(at, bodyEnd)
      : new Uint8Array(bytes.buffer, bytes.byteOffset + at, size);
    const crc = size < this.#nativeFrom
      ? crc32(bytes, from, bodyEnd, 0)
      : this.#environment.crc32!(payload, crc32(bytes, from, at, 0)) >>> 0;
    if (crc !== readUint32(bytes, bodyEnd)) return checksumFault(crc, bytes, bodyEnd);
    if (size > MAX_CHUNK) return fault("FRAME_MALFORMED", `payload of ${size} bytes, limit ${MAX_CHUNK}`);
    const before = this.owned;
    this.owned ||= copy;
    sink.data(flags, (bytes[typeAt + 1]! << 8) | bytes[typeAt + 2]!, payload);
    this.owned = before;
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
    const copy = new Decoder(environment, this.#copies);
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

/** What may lie together with the frame that begins at `at`, of which the length is there: a kind that carries payloads; 0: nothing. */
function lane(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const type = bytes[at + (first < 0x40 ? 1 : varintForm(first))]!;
  const kind = type & 0xfc;
  if (kind === FrameType.DATA || kind === FrameType.REQUEST || kind === FrameType.REPLY) return kind;
  return type === FrameType.VOLATILE ? type : 0;
}

/** The same bytes as a plain Uint8Array: what Node and Bun give is a subclass, whose views cost half as much again. */
function plainView(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function checksumFault(crc: number, bytes: Uint8Array, at: number): Fault {
  const hex = (word: number) => word.toString(16).padStart(8, "0");
  return fault("CHECKSUM", `trailer ${hex(readUint32(bytes, at))}, computed ${hex(crc)}`);
}

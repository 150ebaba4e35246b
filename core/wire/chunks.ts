/**
 * Reads the bodies of the frames that carry payloads besides DATA: VOLATILE, REQUEST and REPLY (docs/PROTOCOL.md, section 3.1).
 *
 * Rules: no object but the one view of the payload; a body is read to its last byte.
 *
 * @module
 */

import { type Fault, fault } from "./fault.ts";
import { FIRST, FrameType, MAX_CHUNK } from "./registry.ts";
import type { FrameSink } from "./sink.ts";
import { readVarint, VARINT_EXCESS, varintForm } from "./varint.ts";

function tooLong(size: number): Fault {
  return fault("FRAME_MALFORMED", `payload of ${size} bytes, limit ${MAX_CHUNK}`);
}

function wrongNumber(value: number, name: string): Fault {
  return fault("FRAME_MALFORMED", value === VARINT_EXCESS ? `${name} above 2^53 - 1` : `${name} ends early`);
}

/** The payload `bytes[start..end)` as a plain view: what Node and Bun give is a subclass, whose views cost half as much again. */
function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

/** Delivers VOLATILE with the body `bytes[body..end)`. Returns what is wrong with it, or null. */
export function volatileFrame(bytes: Uint8Array, body: number, end: number, sink: FrameSink): Fault | null {
  if (end - body > MAX_CHUNK) return tooLong(end - body);
  sink.volatile(viewOf(bytes, body, end));
  return null;
}

/** Delivers REQUEST or REPLY, likewise. */
export function namedChunk(
  type: number,
  bytes: Uint8Array,
  body: number,
  end: number,
  sink: FrameSink,
): Fault | null {
  if (end - body < 2) return fault("FRAME_MALFORMED", `sequence of 2 bytes, ${end - body} left`);
  const asks = (type & 0xfc) === FrameType.REQUEST;
  const sequence = (bytes[body]! << 8) | bytes[body + 1]!;
  let at = body + 2;
  let id = 0;
  let word = 0;
  if ((type & FIRST) !== 0) {
    id = readVarint(bytes, at, end);
    if (id < 0) return wrongNumber(id, "id");
    at += varintForm(bytes[at]!);
    word = readVarint(bytes, at, end);
    if (word < 0) return wrongNumber(word, asks ? "remaining" : "status");
    at += varintForm(bytes[at]!);
  }
  if (end - at > MAX_CHUNK) return tooLong(end - at);
  const payload = viewOf(bytes, at, end);
  if (asks) sink.request(type & 0x03, sequence, id, word, payload);
  else sink.reply(type & 0x03, sequence, id, word, payload);
  return null;
}

/** Where the payload of a REQUEST or REPLY with FIRST begins whose id stands at `at`; behind `end` if its numbers cannot be. */
export function behindNames(bytes: Uint8Array, at: number, end: number): number {
  if (readVarint(bytes, at, end) < 0) return end + 1;
  const next = at + varintForm(bytes[at]!);
  return readVarint(bytes, next, end) < 0 ? end + 1 : next + varintForm(bytes[next]!);
}

/** Delivers a whole REQUEST or REPLY that {@link behindNames} found in order, whose sequence stands at `at`. */
export function deliverNamed(
  type: number,
  bytes: Uint8Array,
  at: number,
  payload: Uint8Array,
  sink: FrameSink,
): void {
  const sequence = (bytes[at]! << 8) | bytes[at + 1]!;
  const id = readVarint(bytes, at + 2, bytes.length);
  const word = readVarint(bytes, at + 2 + varintForm(bytes[at + 2]!), bytes.length);
  if ((type & 0xfc) === FrameType.REQUEST) sink.request(type & 0x03, sequence, id, word, payload);
  else sink.reply(type & 0x03, sequence, id, word, payload);
}

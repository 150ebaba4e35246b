/**
 * Reads the bodies of the frames that travel often and carry no payload: PING, PONG, ACK and CREDIT (docs/PROTOCOL.md, section 3.1).
 *
 * Rules: no object; a body is read to its last byte.
 *
 * @module
 */

import { type Fault, fault } from "./fault.ts";
import { FrameType, STALLED } from "./registry.ts";
import type { FrameSink } from "./sink.ts";
import { readUint32, readVarint, varintForm } from "./varint.ts";

/** PING and PONG: bytes of body without and with `stalled`. */
const HEARTBEAT_BODY = 18;
const STALLED_BODY = 22;

/** Delivers PING or PONG with the body `bytes[body..end)`. Returns what is wrong with it, or null. */
export function heartbeat(
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

/** Delivers ACK, likewise. */
export function ack(bytes: Uint8Array, body: number, end: number, sink: FrameSink): Fault | null {
  const received = readVarint(bytes, body, end);
  const next = received < 0 ? end : body + varintForm(bytes[body]!);
  const processed = readVarint(bytes, next, end);
  if (processed < 0 || next + varintForm(bytes[next]!) !== end) {
    return fault("FRAME_MALFORMED", "ACK is not two varints");
  }
  sink.ack(received, processed);
  return null;
}

/** Delivers CREDIT, likewise. */
export function credit(bytes: Uint8Array, body: number, end: number, sink: FrameSink): Fault | null {
  const limit = readVarint(bytes, body, end);
  if (limit < 0 || body + varintForm(bytes[body]!) !== end) {
    return fault("FRAME_MALFORMED", "CREDIT is not one varint");
  }
  sink.credit(limit);
  return null;
}

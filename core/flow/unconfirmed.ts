/**
 * What a session that cannot go on still held: which messages, and which questions, the peer is not known to have.
 *
 * Rules: reads frames where they lie; payloads are copied, for the slabs go.
 *
 * @module
 */

import type { Unconfirmed } from "../events.ts";
import { CRC_BYTES, FIRST, FrameType, LAST } from "../wire/registry.ts";
import { readVarint } from "../wire/varint.ts";
import { ownFrameSize, ownPayloadAt, ownTypeAt } from "./own_frames.ts";

/** What was found. */
export interface Remainder {
  /** The messages, in order. */
  readonly messages: Unconfirmed[];
  /** The ids of questions that never arrived. */
  readonly unsentRequests: number[];
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Reads frames in order.
 *
 * @param views the frames of messages and requests, those that left first
 * @param first the place of the first in their order
 * @param received how far the peer received, in that order: what ends behind it never arrived
 */
export function remainder(
  views: Iterable<Uint8Array>,
  first: number,
  received: number,
): Remainder {
  const found: Remainder = { messages: [], unsentRequests: [] };
  let parts: Uint8Array[] = [];
  let whole = false;
  let position = first;
  let request = 0;
  for (const view of views) {
    for (let at = 0; at < view.length;) {
      const end = at + ownFrameSize(view, at);
      const typeAt = ownTypeAt(view, at);
      const type = view[typeAt]!;
      const kind = type & 0xfc;
      position++;
      if (kind === FrameType.DATA) {
        if ((type & FIRST) !== 0) whole = true;
        if (whole) parts.push(view.subarray(ownPayloadAt(view, typeAt), end - CRC_BYTES));
        // A peer that has processed its beginning has finished it.
        if (whole && (type & LAST) !== 0) {
          found.messages.push({
            bytes: joined(parts),
            position,
            state: position <= received ? "maybeDelivered" : "unsent",
          });
          parts = [];
          whole = false;
        }
      } else if (kind === FrameType.REQUEST) {
        if ((type & FIRST) !== 0) request = readVarint(view, typeAt + 3, end);
        if ((type & LAST) !== 0 && position > received) found.unsentRequests.push(request);
      }
      at = end;
    }
  }
  return found;
}

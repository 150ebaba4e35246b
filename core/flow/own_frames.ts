/**
 * Reads the frames that this side wrote into its own slabs: where each begins and ends, what it carries, what it costs.
 *
 * Rules: no allocation, no check: what lies there is ours, with its length in the shortest form.
 *
 * @module
 */

import { CHUNK_COST, CRC_BYTES, FIRST, FrameType } from "../wire/registry.ts";
import { varintForm } from "../wire/varint.ts";

/** Sequence and trailer: what a chunk's frame has behind its type besides what it carries. */
const SEQUENCE_BYTES = 2;

/** Bytes of the whole frame at `at`. Chunks are short, so its length takes 1, 2 or 4 bytes. */
export function ownFrameSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x40) return 1 + first;
  if (first < 0x80) return 2 + (((first & 0x3f) << 8) | bytes[at + 1]!);
  return 4 + (((first & 0x3f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}

/** Where the type of the frame at `at` stands. */
export function ownTypeAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  return at + (first < 0x40 ? 1 : varintForm(first));
}

/** Whether the chunk whose type stands at `typeAt`, which has left before, has this position. */
export function ownIsAt(bytes: Uint8Array, typeAt: number, position: number): boolean {
  return bytes[typeAt + 1] === ((position >>> 8) & 0xff) && bytes[typeAt + 2] === (position & 0xff);
}

/** Where the payload of the chunk begins whose type stands at `typeAt`. */
export function ownPayloadAt(bytes: Uint8Array, typeAt: number): number {
  const type = bytes[typeAt]!;
  const at = typeAt + 1 + SEQUENCE_BYTES;
  if ((type & 0xfc) === FrameType.DATA || (type & FIRST) === 0) return at;
  const next = at + varintForm(bytes[at]!);
  return next + varintForm(bytes[next]!);
}

/** What the chunk whose type stands at `typeAt`, and whose frame ends at `end`, costs of the peer's credit (docs/PROTOCOL.md, section 6). */
export function ownCost(bytes: Uint8Array, typeAt: number, end: number): number {
  const kind = bytes[typeAt]! & 0xfc;
  if (kind !== FrameType.DATA && kind !== FrameType.REQUEST) return 0;
  return end - CRC_BYTES - ownPayloadAt(bytes, typeAt) + CHUNK_COST;
}

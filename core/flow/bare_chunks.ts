/**
 * Chunks without what only their frames have: for a store, which keeps them beyond this process.
 *
 * A bare chunk is the frame's type, then what follows its sequence, without the trailer (docs/PROTOCOL.md, section 3). Length, sequence and trailer are
 * made anew when it becomes a frame again.
 *
 * Rules: copies both ways, for slabs are not kept for a store's sake.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import type { ByteQueue } from "../wire/bytes.ts";
import { seal } from "../wire/encoder.ts";
import { CRC_BYTES } from "../wire/registry.ts";
import { varintSize, writeVarint } from "../wire/varint.ts";
import { ownFrameSize, ownTypeAt } from "./own_frames.ts";

/** What a frame's length counts besides a bare chunk: sequence and trailer. */
const AROUND = 2 + CRC_BYTES;

/** Copies whole frames in a queue, but for the first `skip` bytes and `pass` frames, until they are `most` bytes. Returns what is left of `pass`. */
export function bareChunks(
  queue: ByteQueue,
  skip: number,
  pass: number,
  most: number,
  into: Uint8Array[],
): number {
  const rest = queue.clone();
  rest.advance(skip);
  let left = pass;
  let bytes = into.reduce((sum, chunk) => sum + chunk.length, 0);
  for (let view = rest.peek(); view !== null; view = rest.peek()) {
    for (let at = 0; at < view.length;) {
      const end = at + ownFrameSize(view, at);
      if (left > 0) left--;
      else if (bytes >= most) return 0;
      else {
        const typeAt = ownTypeAt(view, at);
        const chunk = new Uint8Array(end - typeAt - AROUND);
        chunk[0] = view[typeAt]!;
        chunk.set(view.subarray(typeAt + 3, end - CRC_BYTES), 1);
        into.push(chunk);
        bytes += chunk.length;
      }
      at = end;
    }
    rest.advance(view.length);
  }
  return left;
}

function write(out: ByteQueue, chunk: Uint8Array): void {
  const length = chunk.length + AROUND;
  out.reserve(varintSize(length) + length);
  const { bytes, at: from } = out;
  const typeAt = writeVarint(bytes, from, length);
  bytes[typeAt] = chunk[0]!;
  bytes.set(chunk.subarray(1), typeAt + 3);
  out.commit(typeAt + length - from);
}

/** Makes frames of bare chunks, the first with this position. They pass through a queue, which must be empty. */
export function frames(
  environment: Environment,
  queue: ByteQueue,
  chunks: readonly Uint8Array[],
  first: number,
): Uint8Array[] {
  for (const chunk of chunks) write(queue, chunk);
  const views: Uint8Array[] = [];
  let position = first;
  for (let view = queue.peek(); view !== null; view = queue.peek()) {
    for (let at = 0; at < view.length;) {
      const end = at + ownFrameSize(view, at);
      seal(environment, view, at, ownTypeAt(view, at), end, position++);
      at = end;
    }
    views.push(view);
    queue.advance(view.length);
  }
  return views;
}

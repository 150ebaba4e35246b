/**
 * What is sent, as frames in a queue: messages, requests and answers in chunks, without what they get when they leave (wire/encoder.ts, `seal`).
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import { ByteQueue, GREATEST_SLAB } from "../wire/bytes.ts";
import { seal, writeCancel, writeChunk } from "../wire/encoder.ts";
import { CHUNK_COST, FIRST, FrameType, LAST, MAX_CHUNK, MAX_UNACKNOWLEDGED } from "../wire/registry.ts";
import type { Micros } from "../time.ts";
import type { Answers } from "./answers.ts";
import { InFlight } from "./inflight.ts";
import type { Outbound } from "./outbound.ts";
import { ownFrameSize, ownTypeAt } from "./own_frames.ts";
import { ReplyStatus } from "./requests.ts";

const NOTHING = new Uint8Array(0);

/** What a message of this size is counted for where bytes are bounded: payload and cost of its chunks. */
export function messageCost(size: number): number {
  return size + (Math.floor(size / MAX_CHUNK) + 1) * CHUNK_COST;
}

/** Frames a payload in chunks; returns how many. An id below 0: a message, which has none. */
export function frame(queue: ByteQueue, kind: number, payload: Uint8Array, id: number, word: number): number {
  const length = payload.length;
  // Chunks that fit into one slab lie in one, so that they can be written together.
  const room = length + Math.ceil(length / MAX_CHUNK) * CHUNK_COST;
  if (length > MAX_CHUNK && room <= GREATEST_SLAB) queue.reserve(room);
  let start = 0;
  let flags: number = FIRST;
  let count = 1;
  while (length - start > MAX_CHUNK) {
    writeChunk(queue, kind | flags, payload, start, start + MAX_CHUNK, flags === FIRST ? id : -1, word);
    start += MAX_CHUNK;
    flags = 0;
    count++;
  }
  writeChunk(queue, kind | flags | LAST, payload, start, length, flags === FIRST ? id : -1, word);
  return count;
}

/** So many chunks are replaced at once. */
const STOPGAPS = 256;

/**
 * Frames in the place of the next answers to leave again, which are not kept any more: the peer had received them, and was restored from a store.
 * Nobody there waits for them. Each is a reply to a request that was answered before, or, where there never was one, a CANCEL of one of ours.
 */
export function stopgaps(
  outbound: Outbound,
  answers: Answers,
  environment: Environment,
  now: Micros,
): Uint8Array | null {
  const { sent, everSent, received } = outbound;
  const inFlight = outbound.inFlight ??= new InFlight();
  const last = Math.min(everSent, sent + STOPGAPS, received + MAX_UNACKNOWLEDGED);
  if (sent === last || !inFlight.open) return null;
  const queue = new ByteQueue();
  queue.reserve(16 * STOPGAPS);
  for (let at = sent; at < last && answers.isGone(at); at++) {
    if (answers.replied) frame(queue, FrameType.REPLY, NOTHING, 1, ReplyStatus.CANCELLED);
    else writeCancel(queue, 1);
  }
  const view = queue.peek()!;
  for (let at = 0; at < view.length;) {
    const end = at + ownFrameSize(view, at);
    seal(environment, view, at, ownTypeAt(view, at), end, outbound.sent++);
    at = end;
  }
  inFlight.leaves(view.length);
  inFlight.batch(outbound.sent, now);
  return view;
}

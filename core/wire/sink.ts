/**
 * What a decoder calls for each frame it found.
 *
 * Rules: plain arguments for what travels often, so that a heartbeat costs no object. Measured on Node, Deno and Bun, ns for a
 * frame of 48 bytes without its checksum: plain arguments 15, 6, 8; an event object used again 29, 18, 13; an object and a view
 * for each frame 113, 73, 101. A payload is a view, borrowed until the next push unless the decoder says `owned`.
 *
 * @module
 */

import type { ControlFrame } from "./frames.ts";

/** Receives what a decoder finds. From within a call it may stop the decoder and change its `frameLimit`. */
export interface FrameSink {
  /** The preface is complete. */
  preface(lowest: number, highest: number): void;
  /** DATA. */
  data(flags: number, sequence: number, payload: Uint8Array): void;
  /** VOLATILE. */
  volatile(payload: Uint8Array): void;
  /** REQUEST; `id` and `remaining` are 0 unless `flags` has FIRST. */
  request(flags: number, sequence: number, id: number, remaining: number, payload: Uint8Array): void;
  /** REPLY; `id` and `status` are 0 unless `flags` has FIRST. */
  reply(flags: number, sequence: number, id: number, status: number, payload: Uint8Array): void;
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

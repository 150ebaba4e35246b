/**
 * Whether a peer's heartbeats can be believed: sequence, pace, timestamp, answer and hold (docs/PROTOCOL.md, section 3.3).
 *
 * The articles that this project grew from put a sequence number and a timestamp into a heartbeat so that an old or repeated
 * one can be told from a new one. This is where that is done.
 *
 * Rules: each check names the first thing wrong, or null. A faulty heartbeat changes nothing that a later check relies on.
 *
 * @module
 */

import type { Code } from "../codes.ts";
import type { Micros } from "../time.ts";
import type { Beat } from "./beat.ts";
import { pingBucket, pingDepth, pingPeriod, type TokenBucket } from "./bucket.ts";
import { ahead, earlier, later } from "./serial.ts";

/** Clocks tick apart: by this much at once, us, and by a thousandth of the span (twenty times a poor quartz). */
const CLOCK_SLACK = 1_000;

/** How far a sequence may jump ahead: so many times the sender's multiplier. */
const JUMP = 3;

/** What was last believed of one peer's heartbeats. */
export class HeartbeatChecks {
  /** The sequence of the last PING believed; 0 before the first. */
  heard = 0;
  /** The peer's clock at its last heartbeat that was believed, us; not wrapped. */
  peerTime: Micros = 0;
  #timestamp = 0;
  #window: number;
  #interval: Micros;
  #bucket: TokenBucket;

  constructor(beat: Beat, now: Micros, from?: HeartbeatChecks) {
    this.#window = from ? from.#window : JUMP * beat.peerMultiplier;
    this.#interval = beat.policedInterval;
    this.#bucket = from ? from.#bucket.clone() : pingBucket(beat.policedInterval, beat.peerMultiplier, now);
  }

  /** The terms changed. */
  retune(beat: Beat, now: Micros): void {
    // PINGs sent before the change are still on their way: the window only grows.
    this.#window = Math.max(this.#window, JUMP * beat.peerMultiplier);
    this.#interval = beat.policedInterval;
    this.#bucket.retune(pingPeriod(beat.policedInterval), pingDepth(beat.peerMultiplier), now);
  }

  /** This process did not run since then, and reads at once what came meanwhile; `known` only now, behind some of that. */
  excuse(since: Micros, now: Micros, known = false): void {
    this.#bucket.excuse(since, now, known);
  }

  /** Checks a PING, and believes it if nothing is wrong. One that comes too fast is right in itself, so the next is held against it. */
  ping(sequence: number, timestamp: number, now: Micros): Code | null {
    if (!later(sequence, this.heard)) return "PING_STALE";
    if (ahead(sequence, this.heard) > this.#window) return "PING_JUMPED";
    if (earlier(timestamp, this.#timestamp)) return "TIMESTAMP_BACKWARDS";
    this.heard = sequence;
    this.#believe(timestamp);
    return this.#bucket.take(now) ? null : "PING_TOO_FAST";
  }

  #believe(timestamp: number): void {
    this.peerTime += ahead(timestamp, this.#timestamp) * 100;
    this.#timestamp = timestamp;
  }

  /** Both values of a PING that came too fast: how often they come, and how often they may, us. */
  pace(now: Micros): { readonly observed: Micros; readonly allowed: Micros } {
    return { observed: this.#bucket.observed(now), allowed: pingPeriod(this.#interval) };
  }

  /**
   * Checks a PONG, and believes it if nothing is wrong.
   *
   * @param elapsed time since the PING it answers was sent, us; negative if it answers none that is open
   * @param hold what the peer says to have held it, us
   */
  pong(elapsed: number, hold: number, timestamp: number): Code | null {
    if (elapsed < 0) return "PONG_UNMATCHED";
    if (hold > elapsed + elapsed / 1_000 + CLOCK_SLACK) return "PONG_IMPLAUSIBLE";
    if (earlier(timestamp, this.#timestamp)) return "TIMESTAMP_BACKWARDS";
    this.#believe(timestamp);
    return null;
  }

  /** A copy. */
  clone(beat: Beat): HeartbeatChecks {
    const copy = new HeartbeatChecks(beat, 0, this);
    copy.heard = this.heard;
    copy.peerTime = this.peerTime;
    copy.#timestamp = this.#timestamp;
    return copy;
  }

  /** The canonical form; the timestamp relative to `timestamp`, the peer's clock being our own shifted. */
  key(timestamp: number, now: Micros): string {
    return `${ahead(this.#timestamp, timestamp)}/${this.#window}/${this.#interval}/${this.#bucket.key(now)}`;
  }
}

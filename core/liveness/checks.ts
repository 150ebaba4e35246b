/**
 * Whether a peer's heartbeats can be believed: sequence, timestamp, answer and hold (docs/PROTOCOL.md, section 3.3).
 *
 * The articles that this project grew from put a sequence number and a timestamp into a heartbeat so that an old or repeated
 * one can be told from a new one. This is where that is done.
 *
 * Rules: each check names the first thing wrong, or null. A faulty heartbeat changes nothing that a later check relies on.
 *
 * @module
 */

import type { Code } from "../codes.ts";
import { ahead, earlier, later } from "./serial.ts";

/** Clocks tick apart: by this much at once, us, and by a thousandth of the span (twenty times a poor quartz). */
const CLOCK_SLACK = 1_000;

/** What was last believed of one peer's heartbeats. */
export class HeartbeatChecks {
  /** The sequence of the last PING believed; 0 before the first. */
  heard = 0;
  #timestamp = 0;
  #window: number;

  /** @param window how far ahead a sequence may jump: 3 x the sender's multiplier */
  constructor(window: number) {
    this.#window = window;
  }

  /** Checks a PING, and believes it if nothing is wrong. */
  ping(sequence: number, timestamp: number): Code | null {
    if (!later(sequence, this.heard)) return "PING_STALE";
    if (ahead(sequence, this.heard) > this.#window) return "PING_JUMPED";
    if (earlier(timestamp, this.#timestamp)) return "TIMESTAMP_BACKWARDS";
    this.heard = sequence;
    this.#timestamp = timestamp;
    return null;
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
    this.#timestamp = timestamp;
    return null;
  }

  /** A copy. */
  clone(): HeartbeatChecks {
    const copy = new HeartbeatChecks(this.#window);
    copy.heard = this.heard;
    copy.#timestamp = this.#timestamp;
    return copy;
  }

  /** The canonical form; the timestamp relative to `timestamp`, the peer's clock being our own shifted. */
  key(timestamp: number): string {
    return `${ahead(this.#timestamp, timestamp)}/${this.#window}`;
  }
}

/**
 * When silence is death: what a detector is, and the simplest one.
 *
 * A detector watches one direction, receive idle, and answers with two times: when to suspect and when to convict if nothing comes
 * until then. It is asked nothing between: there is no polling. `Fixed` is the detection time of BFD (RFC 5880, section 6.8.4):
 * the sender's multiplier x the agreed interval. accrual.ts has the one that learns.
 *
 * Rules: a detector knows nothing of stalls; who uses it adds to its times what this process lost (blame.ts). Both times are later
 * than the last bytes, suspicion never later than conviction, and conviction never later than the detection time after them: that
 * bound holds whatever was learned. Whole microseconds.
 *
 * @module
 */

import type { Micros } from "../time.ts";

/** Watches receive idle. */
export interface Detector {
  /** Suspicion begins at this time if nothing comes before. */
  readonly suspectAt: Micros;
  /** ... and silence is death at this one. */
  readonly convictAt: Micros;
  /** Bytes came. */
  heard(now: Micros): void;
  /**
   * A heartbeat that was believed came; `heard` was told before, with the same `now`.
   *
   * @param sentAt when it was sent, on the peer's clock, us, not wrapped
   * @param promise after how long the peer's next frame leaves at the latest, us
   * @param asked it is an answer: its promise counts, its delay is no sample
   * @param spans a stall of either process made it late: no sample either
   */
  heartbeat(now: Micros, sentAt: Micros, promise: Micros, asked: boolean, spans: boolean): void;
  /** The detection time was agreed anew, us. */
  retune(detection: Micros): void;
  /** One of the two clocks jumped: what was learned from comparing them is void. */
  rebase(): void;
  /** A copy. */
  clone(): Detector;
  /** The canonical form, times relative to `now`. */
  key(now: Micros): string;
}

/** After how much of a detection time suspicion begins: two thirds. */
export function suspicion(detection: Micros): Micros {
  return Math.floor(detection * 2 / 3);
}

/** Suspects at two thirds of the detection time, convicts at the whole. */
export class Fixed implements Detector {
  #detection: Micros;
  #heardAt: Micros;

  /** @param detection the sender's multiplier x the agreed interval, us */
  constructor(detection: Micros, now: Micros) {
    this.#detection = detection;
    this.#heardAt = now;
  }

  get suspectAt(): Micros {
    return this.#heardAt + suspicion(this.#detection);
  }

  get convictAt(): Micros {
    return this.#heardAt + this.#detection;
  }

  heard(now: Micros): void {
    this.#heardAt = now;
  }

  heartbeat(): void {}

  retune(detection: Micros): void {
    this.#detection = detection;
  }

  rebase(): void {}

  clone(): Fixed {
    return new Fixed(this.#detection, this.#heardAt);
  }

  key(now: Micros): string {
    return `${this.#detection},${this.#heardAt - now}`;
  }
}

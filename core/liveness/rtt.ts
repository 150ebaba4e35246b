/**
 * Round-trip time, smoothed as TCP does (RFC 6298, section 2): the deviation is updated before the mean, with gains of 1/4
 * and 1/8. The peer's hold time is taken off before; a sample is bound to its question by sequence, which Karn's rule is for.
 *
 * Rules: whole microseconds in; the state is rounded to whole microseconds, so that every runtime gets the same numbers.
 *
 * @module
 */

import type { Micros } from "../time.ts";

/** The estimator of one connection. */
export class RoundTrip {
  /** Smoothed, us; -1 before the first sample. */
  smoothed: Micros = -1;
  /** Mean deviation, us. */
  deviation: Micros = 0;
  /** The least sample, us; -1 before the first. */
  least: Micros = -1;
  /** The last sample, us; -1 before the first. */
  last: Micros = -1;

  /** Takes a sample, us. */
  sample(rtt: Micros): void {
    this.last = rtt;
    if (this.least < 0 || rtt < this.least) this.least = rtt;
    if (this.smoothed < 0) {
      this.smoothed = rtt;
      this.deviation = Math.round(rtt / 2);
      return;
    }
    this.deviation = Math.round(0.75 * this.deviation + 0.25 * Math.abs(this.smoothed - rtt));
    this.smoothed = Math.round(0.875 * this.smoothed + 0.125 * rtt);
  }

  /** A copy. */
  clone(): RoundTrip {
    const copy = new RoundTrip();
    copy.smoothed = this.smoothed;
    copy.deviation = this.deviation;
    copy.least = this.least;
    copy.last = this.last;
    return copy;
  }
}

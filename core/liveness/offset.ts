/**
 * What timestamps tell beyond the round trip: how far the peer's clock is from ours, and which direction is late.
 *
 * The offset is NTP's (RFC 5905): four timestamps of a question and its answer (section 8), and of the last eight such the one
 * with the least delay (section 10, the clock filter), for what a sample says wrongly is at most half of its delay. A single
 * direction's delay cannot be known without equal clocks, but its changes can: the unknown constant is in the least one too.
 * Its jitter is RTP's (RFC 3550, section 6.4.1).
 *
 * Rules: whole microseconds. Both clocks are given as times that do not wrap; a heartbeat's timestamp counts 0.1 ms and is
 * rounded down, so an offset from it is up to 0.1 ms low and a delay as much too long. A clock that jumped makes everything
 * void: `rebase`. These are measures: no verdict rests on them, so they have no key.
 *
 * @module
 */

import type { Micros } from "../time.ts";

/** So many samples are compared (RFC 5905, NSTAGE). */
const STAGES = 8;

/** Samples after which the older half of the least is forgotten, as in flow/inflight.ts. */
const WINDOW = 100;

/** The offset of the peer's clock from ours. */
export class ClockOffset {
  /** The peer's clock - ours, us; 0 before the first sample. */
  offset: Micros = 0;
  /** The round trip of the sample that `offset` is from, us: the offset is wrong by half of it at most; -1 before the first. */
  delay: Micros = -1;
  /** Offset and delay of each sample, the oldest first: as objects they would be 700 bytes. */
  #stages: Micros[] = [];

  /** How many samples are compared, 0 to 8. */
  get samples(): number {
    return this.#stages.length / 2;
  }

  /**
   * A question and its answer.
   *
   * @param t1 our sending, our clock
   * @param t2 the peer's receipt, its clock: its answer's timestamp - hold
   * @param t3 the peer's sending, its clock
   * @param t4 our receipt, our clock
   */
  sample(t1: Micros, t2: Micros, t3: Micros, t4: Micros): void {
    const stages = this.#stages;
    // By hand: an array's own `copyWithin` asks for each place whether it is there.
    if (stages.length === 2 * STAGES) {
      for (let at = 2; at < 2 * STAGES; at++) {
        stages[at - 2] = stages[at]!;
      }
    }
    const newest = Math.min(stages.length, 2 * STAGES - 2);
    stages[newest] = Math.floor((t2 - t1 + (t3 - t4)) / 2);
    // Clocks that tick apart can make the shortest delay negative: at least nothing (section 8 says: the precision).
    stages[newest + 1] = Math.max(0, t4 - t1 - (t3 - t2));
    let best = 0;
    // Of equals the newer one: clocks drift.
    for (let at = 2; at <= newest; at += 2) if (stages[at + 1]! <= stages[best + 1]!) best = at;
    this.offset = stages[best]!;
    this.delay = stages[best + 1]!;
  }

  /** A clock jumped: forgets everything. */
  rebase(): void {
    this.#stages = [];
    this.offset = 0;
    this.delay = -1;
  }

  /** A copy. */
  clone(): ClockOffset {
    const copy = new ClockOffset();
    copy.offset = this.offset;
    copy.delay = this.delay;
    copy.#stages = this.#stages.slice();
    return copy;
  }
}

/**
 * The delay of one direction, relative to the least of the last one to two hundred samples, so that a route that became longer
 * is learned. Clocks that tick apart move it by as much as they drift in that time.
 */
export class OneWay {
  /** How much the last sample was above the least, us; 0 before the second. */
  excess: Micros = 0;
  /** 16 x the jitter, a whole number: the form of RFC 3550, appendix A.8, which loses nothing to rounding. */
  #jitter16 = 0;
  #last: Micros = 0;
  #least: Micros = Infinity;
  #leastBefore: Micros = Infinity;
  #counted = 0;
  #begun = false;

  /** The mean difference between one sample and the next, smoothed by 1/16, us; 0 before the second. */
  get jitter(): Micros {
    return Math.floor((this.#jitter16 + 8) / 16);
  }

  /** Takes a sample: the receiver's clock at receipt - the sender's clock at sending, us. */
  sample(transit: Micros): void {
    if (this.#begun) {
      const difference = Math.abs(transit - this.#last);
      this.#jitter16 += difference - Math.floor((this.#jitter16 + 8) / 16);
    }
    this.#begun = true;
    this.#last = transit;
    if (transit < this.#least) this.#least = transit;
    this.excess = transit - Math.min(this.#least, this.#leastBefore);
    if (++this.#counted >= WINDOW) {
      this.#leastBefore = this.#least;
      this.#least = Infinity;
      this.#counted = 0;
    }
  }

  /** A clock jumped: the least and the last are void; the jitter, of differences only, stays. */
  rebase(): void {
    this.excess = 0;
    this.#begun = false;
    this.#least = this.#leastBefore = Infinity;
    this.#counted = 0;
  }

  /** A copy. */
  clone(): OneWay {
    const copy = new OneWay();
    copy.excess = this.excess;
    copy.#jitter16 = this.#jitter16;
    copy.#last = this.#last;
    copy.#least = this.#least;
    copy.#leastBefore = this.#leastBefore;
    copy.#counted = this.#counted;
    copy.#begun = this.#begun;
    return copy;
  }
}

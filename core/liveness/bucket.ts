/**
 * How often a peer may ask: the token bucket that polices PINGs, and the mirror of it that keeps our own asking inside.
 *
 * A bucket of `depth` tokens, one more each `period`, is kept as one number, the time at which it will be full: the virtual
 * scheduling form of the generic cell rate algorithm (ITU-T I.371, annex A). Nothing ticks, and nothing is rounded.
 *
 * Why nobody honest is refused: no PING of the schedule leaves sooner than 0.75 x interval after the one before, and those the
 * application asks for leave only while the mirror has a token. So in a time T at most about multiplier + 1 + T / (0.75 x interval)
 * leave. A stall on the way holds them back and releases them together, but no longer than the detection time, multiplier x
 * interval: at most 2.34 x multiplier + 1 arrive at once. The bucket holds 3 x multiplier + 2.
 *
 * A receiver that did not run reads at once what came meanwhile: {@link TokenBucket.excuse}.
 *
 * Rules: whole microseconds, nothing else. Time does not run back. Answers are never policed as questions.
 *
 * @module
 */

import { type Micros, NEVER } from "../time.ts";

/** What waited behind a stall of ours comes so soon after it, us: the longest retransmission time-out of TCP (Linux; RFC 6298 says 60 s or more). */
const BEHIND: Micros = 120_000_000;

/** Tokens that come back one by one. */
export class TokenBucket {
  #period: Micros;
  #depth: number;
  /** When it will be full; in the past: since when it is. Each token missing is one period. */
  #fullAt: Micros;
  /** The takes since it was last full, granted or not, and the times of the first and the last. */
  #takes = 0;
  #first: Micros = 0;
  #last: Micros = 0;
  /** What is taken until the one time may have waited since the other: so many tokens more are there. */
  #excusedUntil: Micros = -1;
  #excusedSince: Micros = 0;

  /**
   * A full bucket.
   *
   * @param period one token more each, us, at least 1
   * @param depth so many tokens at most, at least 1
   */
  constructor(period: Micros, depth: number, now: Micros) {
    this.#period = period;
    this.#depth = depth;
    this.#fullAt = now;
  }

  /** Takes one token; false if none is there, and then nothing is taken. */
  take(now: Micros): boolean {
    this.#count(now);
    const from = now < this.#excusedUntil ? this.#excusedSince : now;
    const fullAt = Math.max(this.#fullAt, from) + this.#period;
    if (fullAt - now > this.#depth * this.#period) return false;
    this.#fullAt = fullAt;
    return true;
  }

  /**
   * Who takes did not run since then: what came in that time comes now, and is held against that time.
   *
   * @param known it is known only now, and something of that time was taken before
   */
  excuse(since: Micros, now: Micros, known: boolean): void {
    if (known) this.#fullAt = Math.max(since, this.#fullAt - (now - since));
    if (now >= this.#excusedUntil) this.#excusedSince = since;
    this.#excusedSince = Math.min(this.#excusedSince, since);
    this.#excusedUntil = now + BEHIND;
  }

  /** Takes one token whether it is there or not; the debt ends at `depth` tokens below none. */
  force(now: Micros): void {
    this.#count(now);
    const lowest = now + 2 * this.#depth * this.#period;
    this.#fullAt = Math.min(Math.max(this.#fullAt, now) + this.#period, lowest);
  }

  /** When a token is there, or not more than `debt` are missing with it: `now` if so. */
  readyAt(now: Micros, debt = 0): Micros {
    return Math.max(now, this.#fullAt - (this.#depth - 1 + debt) * this.#period);
  }

  /**
   * Another rate and depth. The share of the depth that is there stays the same: full stays full, empty stays empty, and what
   * honest traffic had left is not made a debt; nothing is won by changing there and back.
   */
  retune(period: Micros, depth: number, now: Micros): void {
    const before = this.#depth * this.#period;
    const after = depth * period;
    const missing = this.#fullAt - now;
    this.#period = period;
    this.#depth = depth;
    // Rounded against who asks. The quotient is at most 2, exactly 1 when empty; so is the product in proportion.
    if (missing > 0 && after !== before) this.#fullAt = now + Math.ceil(missing / before * after);
  }

  /**
   * The mean interval of the takes, granted or not, since it was last full, us, rounded down: the rate to name to who is too
   * fast. {@link NEVER} if there were not two.
   */
  observed(now: Micros): Micros {
    if (this.#fullAt <= now || this.#takes < 2) return NEVER;
    return Math.floor((this.#last - this.#first) / (this.#takes - 1));
  }

  #count(now: Micros): void {
    if (this.#fullAt <= now) {
      this.#takes = 0;
      this.#first = now;
    }
    this.#takes++;
    this.#last = now;
  }

  /** A copy. */
  clone(): TokenBucket {
    const copy = new TokenBucket(this.#period, this.#depth, this.#fullAt);
    copy.#takes = this.#takes;
    copy.#first = this.#first;
    copy.#last = this.#last;
    copy.#excusedUntil = this.#excusedUntil;
    copy.#excusedSince = this.#excusedSince;
    return copy;
  }

  /** The canonical form, times relative to `now`. All full buckets of one rate and depth are alike. */
  key(now: Micros): string {
    const excused = now < this.#excusedUntil
      ? `<${this.#excusedUntil - now},${this.#excusedSince - now},${this.#fullAt - now}`
      : "";
    const size = `${this.#period}x${this.#depth}${excused}`;
    if (this.#fullAt <= now) return size;
    return `${size}:${this.#fullAt - now},${this.#takes},${this.#first - now},${this.#last - now}`;
  }
}

/** How often a peer may ask: the fastest that its jitter makes. */
export function pingPeriod(interval: Micros): Micros {
  return Math.floor(interval * 3 / 4);
}

/** How many PINGs of a peer may come at once. */
export function pingDepth(multiplier: number): number {
  return 3 * multiplier + 2;
}

/** How often we ask: a thousandth slower than {@link pingPeriod}, for clocks tick apart (twenty times a poor quartz). */
export function askPeriod(interval: Micros): Micros {
  return Math.ceil(interval * 3_003 / 4_000);
}

/**
 * What polices a peer's PINGs: one each 0.75 x interval, and 3 x multiplier + 2 at once.
 *
 * @param interval the agreed interval of the peer's direction, us
 * @param multiplier the peer's
 */
export function pingBucket(interval: Micros, multiplier: number, now: Micros): TokenBucket {
  return new TokenBucket(pingPeriod(interval), pingDepth(multiplier), now);
}

/**
 * What our own asking is held to: PINGs of the schedule are forced, those the application asks for taken.
 *
 * @param interval the agreed interval of our direction, us
 * @param multiplier ours
 */
export function askBucket(interval: Micros, multiplier: number, now: Micros): TokenBucket {
  return new TokenBucket(askPeriod(interval), multiplier, now);
}

/**
 * What the tests of the learning detector share: a peer that beats over a way that delays, and the plain formulas.
 *
 * Rules: virtual time; the two clocks are 5 hours apart.
 *
 * @module
 */

import { Accrual, type AccrualOptions } from "../../core/liveness/accrual.ts";
import { Random } from "../support/random.ts";

/** us. */
export const SECOND: number = 1_000_000;

/** The detection time, if nothing else is said, us. */
export const DETECTION: number = 3 * SECOND;

/** The options, if nothing else is said. */
export const OPTIONS: AccrualOptions = { threshold: 8, pause: 0, floor: 10_000 };

/** Beyond so many deviations lies 1e-8. */
export const Z8: number = 5.612001244174789;

/** A peer that beats, a way that delays, and the detector at its end. All times us. */
export class Way {
  detector: Accrual;
  random: Random;
  /** Our clock when the peer's next frame leaves; the peer's clock differs. */
  leaves = 0;
  now = 0;
  /** The peer's clock minus ours. */
  offset = 5 * 3_600 * SECOND;
  /** ... and how much faster it runs. */
  drift = 0;
  /** The beats at which the detector had convicted or suspected before. */
  convictions = 0;
  suspicions = 0;
  promise = 0;

  constructor(seed: number, options: Partial<AccrualOptions> = {}, detection: number = DETECTION) {
    this.random = new Random(seed);
    this.detector = new Accrual(detection, { ...OPTIONS, ...options }, 0);
  }

  get peer(): number {
    return Math.round(this.offset + this.leaves * (1 + this.drift));
  }

  /** One beat, sent `tardy` after it was promised, under way for `delay`; the next comes within `interval`. */
  beat(delay: number, { tardy = 0, interval = SECOND, asked = false, spans = false } = {}): void {
    this.leaves += this.promise + tardy;
    this.hear(this.leaves + delay);
    this.promise = Math.floor(interval * (0.75 + 0.25 * this.random.fraction()));
    this.detector.heartbeat(this.now, this.peer, this.promise, asked, spans);
  }

  hear(at: number): void {
    this.now = Math.max(this.now, Math.round(at));
    if (this.now >= this.detector.convictAt) this.convictions++;
    if (this.now >= this.detector.suspectAt) this.suspicions++;
    this.detector.heard(this.now);
  }

  /** Beats that are 20 ms under way, and up to `jitter` more. */
  steady(beats: number, jitter = 2_000): void {
    for (let i = 0; i < beats; i++) this.beat(20_000 + this.random.between(0, jitter));
  }

  get convictIn(): number {
    return this.detector.convictAt - this.now;
  }
}

/** The mean. */
export function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** The deviation, with n - 1. */
export function deviation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1));
}

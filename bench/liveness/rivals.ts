/**
 * The detectors of the field, each with its own formula, read in its own source and written anew.
 *
 * Rules: a rival gets what it was made for: beats at even times, its own window, its own treatment of outliers. Nothing is taken
 * from it; where its real setting makes it slower than this (answers instead of one-way beats, polling once a second), it is spared.
 *
 * @module
 */

import type { Micros } from "../../core/time.ts";
import type { Judge } from "./contest.ts";
import { MS } from "./models.ts";

/** A plain timer, started again by each arrival. Also Socket.IO's: conviction pingInterval + pingTimeout after the last answer. */
export function timer(timeout: Micros): Judge {
  return { arrived: (at) => at + timeout };
}

/**
 * The snippet of the README of ws ("How to detect and close broken connections"): at each tick of an interval, whoever did not
 * answer since the last tick is terminated, the others are pinged.
 *
 * @param misses ticks without an answer that it takes; the snippet's is 1
 */
export function ticks(interval: Micros, misses: number): Judge {
  return { arrived: (at) => (Math.floor(at / interval) + 1 + misses) * interval };
}

/** The last so many numbers, with their mean and deviation (of the population, as Akka's). */
export class Window {
  #values: Float64Array;
  #size = 0;
  #next = 0;
  #sum = 0;
  #squares = 0;

  constructor(size: number) {
    this.#values = new Float64Array(size);
  }

  add(value: number): void {
    if (this.#size === this.#values.length) {
      const old = this.#values[this.#next]!;
      this.#sum -= old;
      this.#squares -= old * old;
    } else this.#size++;
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % this.#values.length;
    this.#sum += value;
    this.#squares += value * value;
  }

  get size(): number {
    return this.#size;
  }

  get mean(): number {
    return this.#sum / this.#size;
  }

  get deviation(): number {
    const mean = this.mean;
    return Math.sqrt(Math.max(0, this.#squares / this.#size - mean * mean));
  }
}

/** Where Akka's logistic approximation of the normal tail reaches phi: y (1.5976 + 0.070566 y^2) = ln(10^phi - 1). */
function logistic(phi: number): number {
  const goal = phi > 15 ? phi * Math.LN10 : Math.log(10 ** phi - 1);
  let y = 1;
  for (let step = 0; step < 60; step++) {
    y -= (y * (1.5976 + 0.070566 * y * y) - goal) / (1.5976 + 3 * 0.070566 * y * y);
  }
  return y;
}

/** What Akka is configured with. */
export interface AkkaSettings {
  readonly threshold: number;
  readonly interval: Micros;
  readonly deviation: Micros;
  readonly pause: Micros;
}

/**
 * Akka's PhiAccrualFailureDetector: the last 1,000 times between arrivals, which begin with two guesses, their mean, their
 * deviation of at least `min-std-deviation`, and `acceptable-heartbeat-pause` on top. The gap that ended a suspicion is not learned.
 */
export function akka({ threshold, interval, deviation, pause }: AkkaSettings): Judge {
  // Whole milliseconds, as there: its squares are whole numbers and its sums exact.
  const history = new Window(1_000);
  history.add(Math.round(interval * 0.75 / MS));
  history.add(Math.round(interval * 1.25 / MS));
  const y = logistic(threshold);
  let last = -1;
  let due = 0;
  return {
    arrived(at) {
      if (last >= 0 && at <= due) history.add(Math.round((at - last) / MS));
      last = at;
      const spread = Math.max(history.deviation * MS, deviation);
      due = at + history.mean * MS + pause + y * spread;
      return due;
    },
  };
}

/**
 * Cassandra's FailureDetector: phi = 0.4342945 t / mean, the mean of the last 1,000 times between arrivals, of which those longer
 * than twice the interval are ignored; convicts above 8.
 */
export function cassandra(threshold: number, interval: Micros): Judge {
  const history = new Window(1_000);
  history.add(2 * interval);
  let last = -1;
  return {
    arrived(at) {
      if (last >= 0 && at - last <= 2 * interval) history.add(at - last);
      last = at;
      return at + threshold * Math.LN10 * history.mean;
    },
  };
}

/**
 * Chen, Toueg and Aguilera's NFD-E (On the Quality of Service of Failure Detectors, IEEE Transactions on Computers 51(5), 2002): the
 * next arrival is expected at the mean of (arrival - interval x number) over a window, plus interval x its number; alpha is the margin.
 */
export function chen(alpha: Micros, interval: Micros, window = 100): Judge {
  const shifts = new Float64Array(window);
  let [size, sum] = [0, 0];
  return {
    arrived(at, beat) {
      const shift = at - interval * beat;
      const slot = beat % window;
      if (size === window) sum -= shifts[slot]!;
      else size++;
      shifts[slot] = shift;
      sum += shift;
      return Math.round(sum / size) + interval * (beat + 1) + alpha;
    },
  };
}

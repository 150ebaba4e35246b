/**
 * Five networks, as the delay that each heartbeat meets.
 *
 * A model is a process in time that is asked at each beat's nominal moment. What it gives is the delay from the sender's timer to
 * the receiver's socket: the sender's timer slack and a retransmission by TCP are part of it. {@link arrivals} then keeps TCP's
 * order: a late packet holds back those behind it.
 *
 * Rules: seeded; the same seed gives every detector the same delays. Whole microseconds.
 *
 * @module
 */

import type { Micros } from "../../core/time.ts";
import { Random } from "../../tests/support/random.ts";

/** A millisecond, us. */
export const MS = 1_000;
/** A second, us. */
export const SECOND = 1_000_000;

/** What one direction of a network does to a heartbeat. */
export interface Model {
  readonly name: string;
  /** For the reader: what it is, with its numbers. */
  readonly what: string;
  /** The process: asked with times that rise, gives the delay of a packet sent then, us. */
  start(random: Random): (at: Micros) => Micros;
}

function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random.fraction());
}

/** A standard normal number (Box and Muller). */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.fraction()));
  return radius * Math.cos(2 * Math.PI * random.fraction());
}

/** A number of at least `least` whose tail falls as its power -`shape`, cut at `most`. */
function pareto(random: Random, least: number, shape: number, most: number): number {
  return Math.min(most, least * (1 - random.fraction()) ** (-1 / shape));
}

/** A timer of an event loop fires up to a millisecond late. */
function slack(random: Random): number {
  return MS * random.fraction();
}

const constant: Model = {
  name: "constant",
  what: "20 ms, and up to 1 ms that the sender's timer is late (which all models have)",
  start: (random) => () => 20 * MS + slack(random),
};

const jittered: Model = {
  name: "jittered",
  what: "20 ms and a lognormal part with median 20 ms and sigma 0.5, as of a shared queue",
  start: (random) => () => 20 * MS + 20 * MS * Math.exp(0.5 * normal(random)) + slack(random),
};

/** Minimum retransmission time-out of Linux; it doubles. */
const RETRANSMIT: Micros = 200 * MS;

const bursty: Model = {
  name: "bursty loss",
  what:
    "30 ms +- 3 ms; Gilbert and Elliott's loss: good for 60 s in the mean (0.1 % lost), bad for 2 s (50 % lost); " +
    "what is lost is sent again after 200 ms, 400 ms, 800 ms ...",
  start(random) {
    let bad = false;
    let until = exponential(random, 60 * SECOND);
    return (at) => {
      for (; until <= at; bad = !bad) until += exponential(random, (bad ? 60 : 2) * SECOND);
      // Retransmissions look ahead in the same process, on a copy of its state.
      let [state, end, wait, delay] = [bad, until, RETRANSMIT, 0];
      while (random.fraction() < (state ? 0.5 : 0.001)) {
        delay += wait;
        wait *= 2;
        for (; end <= at + delay; state = !state) end += exponential(random, (state ? 60 : 2) * SECOND);
      }
      return Math.max(5 * MS, 30 * MS + 3 * MS * normal(random)) + delay + slack(random);
    };
  },
};

const cellular: Model = {
  name: "cellular",
  what:
    "50 ms and a lognormal part (median 15 ms, sigma 0.8); 2 % meet a Pareto tail (from 60 ms, shape 1.5); a radio idle for more " +
    "than 8 s needs 200 to 500 ms to wake; every 10 minutes in the mean a hole of Pareto length (from 0.8 s, shape 1.8, at most " +
    "20 s) in which nothing passes",
  start(random) {
    let last = 0;
    let hole = exponential(random, 600 * SECOND);
    let end = hole + pareto(random, 0.8 * SECOND, 1.8, 20 * SECOND);
    return (at) => {
      while (end <= at) {
        hole = end + exponential(random, 600 * SECOND);
        end = hole + pareto(random, 0.8 * SECOND, 1.8, 20 * SECOND);
      }
      let delay = 50 * MS + 15 * MS * Math.exp(0.8 * normal(random)) + slack(random);
      if (random.fraction() < 0.02) delay += pareto(random, 60 * MS, 1.5, 10 * SECOND);
      if (at - last > 8 * SECOND) delay += 200 * MS + 300 * MS * random.fraction();
      if (at >= hole) delay += end - at;
      last = at;
      return delay;
    };
  },
};

const diurnal: Model = {
  name: "diurnal drift",
  what:
    "the base rises and falls between 30 and 330 ms in a day, its lognormal part (median a tenth of it, sigma 0.6) with it; " +
    "every 3 hours in the mean the route changes and adds 0 to 150 ms until the next change",
  start(random) {
    let route = 0;
    let change = exponential(random, 3 * 3_600 * SECOND);
    return (at) => {
      while (change <= at) {
        change += exponential(random, 3 * 3_600 * SECOND);
        route = 150 * MS * random.fraction();
      }
      const base = route + 30 * MS + 150 * MS * (1 - Math.cos(2 * Math.PI * at / (86_400 * SECOND)));
      return base + 0.1 * base * Math.exp(0.6 * normal(random)) + slack(random);
    };
  },
};

/** The five networks. */
export const MODELS: readonly Model[] = [constant, jittered, bursty, cellular, diurnal];

/** The delays of `count` beats that leave every `interval`, us. */
export function delays(model: Model, interval: Micros, count: number, seed: number): Float64Array {
  const ask = model.start(new Random(seed));
  const all = new Float64Array(count);
  for (let beat = 0; beat < count; beat++) all[beat] = Math.round(ask(beat * interval));
  return all;
}

/** How much faster the peer's clock runs than ours: a poor quartz, 50 millionths. */
export const DRIFT = 50e-6;

/** What the receiver sees of one sender. */
export interface Stream {
  /** When each beat was sent, by the peer's clock, us. */
  readonly sentAt: Float64Array;
  /** After how long the next one leaves at the latest, as the beat says, us. */
  readonly promise: Float64Array;
  /** When it came, by our clock, us. */
  readonly at: Float64Array;
}

/** A sender that beats every `interval` by its own clock, as all but heartwire do. */
export function periodic(delay: Float64Array, interval: Micros): Stream {
  const sentAt = new Float64Array(delay.length);
  for (let beat = 0; beat < delay.length; beat++) sentAt[beat] = beat * interval;
  return { sentAt, promise: new Float64Array(delay.length).fill(interval), at: arrivals(sentAt, delay) };
}

/** A timestamp on heartwire's wire counts so many us. */
const TICK: Micros = 100;

/**
 * heartwire's sender: each delay is drawn from U[0.75, 1] x the agreed interval, with multiplier 1 from U[0.75, 0.90], and promised
 * in 255ths of it, rounded up.
 *
 * @param mean the mean time between beats, us
 */
export function heartwire(delay: Float64Array, mean: Micros, seed: number, multiplier = 3): Stream {
  const random = new Random(seed);
  const interval = agreed(mean, multiplier);
  const width = multiplier === 1 ? 0.15 : 0.25;
  const sentAt = new Float64Array(delay.length);
  const promise = new Float64Array(delay.length);
  let now = 0;
  for (let beat = 0; beat < delay.length; beat++) {
    const wait = Math.floor(interval * (0.75 + width * random.fraction()));
    sentAt[beat] = now;
    promise[beat] = Math.floor(Math.ceil(wait * 255 / interval) * interval / 255);
    now += wait;
  }
  const at = arrivals(sentAt, delay);
  for (let beat = 0; beat < delay.length; beat++) sentAt[beat] = Math.floor(sentAt[beat]! / TICK) * TICK;
  return { sentAt, promise, at };
}

/** The interval that costs as many beats as one every `mean`, us. */
export function agreed(mean: Micros, multiplier = 3): Micros {
  return Math.round(mean / (multiplier === 1 ? 0.825 : 0.875));
}

/** Times by the peer's clock and delays to times by ours, in order. */
function arrivals(sentAt: Float64Array, delay: Float64Array): Float64Array {
  const at = new Float64Array(delay.length);
  let last = 0;
  for (let beat = 0; beat < delay.length; beat++) {
    last = Math.max(last, Math.round(sentAt[beat]! / (1 + DRIFT) + delay[beat]!));
    at[beat] = last;
  }
  return at;
}

/** Answers to pings that leave every `interval` by our own clock: the way there, and the way back. */
export function answered(there: Float64Array, back: Float64Array, interval: Micros): Stream {
  const count = there.length;
  const sentAt = new Float64Array(count);
  const at = new Float64Array(count);
  let [reached, last] = [0, 0];
  for (let beat = 0; beat < count; beat++) {
    reached = Math.max(reached, beat * interval + there[beat]!);
    sentAt[beat] = reached;
    last = Math.max(last, reached + back[beat]!);
    at[beat] = last;
  }
  return { sentAt, promise: new Float64Array(count).fill(interval), at };
}

/** The same, but the next ping leaves `interval` after the last answer came. */
export function answeredInTurn(there: Float64Array, back: Float64Array, interval: Micros): Stream {
  const count = there.length;
  const sentAt = new Float64Array(count);
  const at = new Float64Array(count);
  let now = 0;
  for (let beat = 0; beat < count; beat++) {
    sentAt[beat] = now + there[beat]!;
    at[beat] = sentAt[beat]! + back[beat]!;
    now = at[beat]! + interval;
  }
  return { sentAt, promise: new Float64Array(count).fill(interval), at };
}

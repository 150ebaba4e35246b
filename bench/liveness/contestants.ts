/**
 * Who is compared, with which knob, and where the knob stands when nobody turns it.
 *
 * Every detector gets one beat in `mean` us. heartwire draws its delays from U[0.75, 1] x the agreed interval (U[0.75, 0.90] with
 * multiplier 1), so its agreed interval is mean / 0.875 (mean / 0.825). Who pings pays one frame each way for one that comes back; so
 * does heartwire, whose PINGs ask for an answer: one frame heard is one exchange for all.
 *
 * @module
 */

import { Accrual } from "../../core/liveness/accrual.ts";
import { Fixed } from "../../core/liveness/detector.ts";
import type { Detector } from "../../core/liveness/detector.ts";
import { resolveConnection } from "../../core/resolve.ts";
import { leastDeviation } from "../../core/liveness/detectors.ts";
import type { Micros } from "../../core/time.ts";
import { type Judge, MOST_WRONG, type Point, trial } from "./contest.ts";
import {
  agreed,
  answered,
  answeredInTurn,
  delays,
  heartwire,
  type Model,
  MS,
  periodic,
  SECOND,
  type Stream,
} from "./models.ts";
import { akka, cassandra, chen, ticks, timer } from "./rivals.ts";

/** One detector's setting, turned through. */
export interface Contestant {
  readonly name: string;
  readonly kind: "heartwire" | "accrual" | "timer";
  /** What the knob is. */
  readonly knob: string;
  readonly knobs: readonly number[];
  /** Only these: whole numbers. */
  readonly whole?: boolean;
  /** The knob as it comes; null: it has to be chosen. */
  readonly usual: number | null;
  make(knob: number): Judge;
  /** Which stream of beats it hears. */
  readonly hears: (knob: number) => keyof Streams;
}

/** One trace of delays, as each kind of sender meets it. */
export interface Streams {
  readonly even: Stream;
  readonly heartwire: Stream;
  /** heartwire with multiplier 1. */
  readonly single: Stream;
  readonly answers: Stream;
  readonly inTurn: Stream;
}

/** The streams of a model. */
export function streams(model: Model, mean: Micros, count: number, seed: number): Streams {
  const there = delays(model, mean, count, seed);
  const back = delays(model, mean, count, seed + 1);
  return {
    even: periodic(there, mean),
    heartwire: heartwire(there, mean, seed + 2),
    single: heartwire(there, mean, seed + 2, 1),
    answers: answered(there, back, mean),
    inTurn: answeredInTurn(there, back, mean),
  };
}

/** Puts one of core's detectors on trial. */
export function judge(detector: Detector): Judge {
  return {
    arrived(at, _beat, sentAt, promise) {
      detector.heard(at);
      detector.heartbeat(at, sentAt, promise, false, false);
      return detector.convictAt;
    },
  };
}

/** heartwire's multiplier as it comes. */
export const MULTIPLIER = 3;
const HEARTBEAT = resolveConnection({ heartbeat: { detector: "accrual" } }).heartbeat;
/** The threshold as it comes. */
export const THRESHOLD: number = HEARTBEAT.threshold;
/** The pause as it comes, ms. */
export const PAUSE: number = HEARTBEAT.pause;

/** The floor as it comes, us. */
export function usualFloor(mean: Micros): Micros {
  return leastDeviation(HEARTBEAT, agreed(mean));
}

/**
 * The accrual detector as it comes but for what is given, us. In a sweep its bound is put aside, as no rival has one: it is 60 s where
 * the multiplier would make it less.
 */
export function accrual(
  mean: Micros,
  { threshold = THRESHOLD, pause = PAUSE * MS, floor = usualFloor(mean), bounded = false },
): Judge {
  const detection = MULTIPLIER * agreed(mean);
  return judge(
    new Accrual(bounded ? detection : Math.max(60 * SECOND, detection), { threshold, pause, floor }, 0),
  );
}

/** Margins from 1 ms to 40 s, ms. */
const MARGINS: readonly number[] = [
  ...[1, 5, 20, 50, 100, 200, 400, 800, 1_500, 3_000, 6_000, 12_000, 20_000, 30_000, 40_000],
];

/** All of them, for beats that come every `mean` us. */
export function contestants(mean: Micros): Contestant[] {
  const even = (): "even" => "even";
  const beats = (): "heartwire" => "heartwire";
  return [
    {
      ...{
        name: "heartwire accrual",
        kind: "heartwire",
        knob: "floor, ms",
        knobs: MARGINS.map((ms) => ms / 5),
        hears: beats,
      },
      usual: usualFloor(mean) / MS,
      make: (floor) => accrual(mean, { floor: Math.round(floor * MS) }),
    },
    {
      ...{ name: "heartwire fixed", kind: "heartwire", knob: "multiplier", whole: true, usual: MULTIPLIER },
      knobs: [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 30],
      hears: (multiplier) => multiplier === 1 ? "single" : "heartwire",
      make: (multiplier) => judge(new Fixed(multiplier * agreed(mean, multiplier), 0)),
    },
    {
      ...{
        name: "Akka, pause",
        kind: "accrual",
        knob: "acceptable pause, ms",
        knobs: MARGINS,
        usual: 3_000,
        hears: even,
      },
      make: (pause) => akka({ threshold: 8, interval: mean, deviation: 100 * MS, pause: pause * MS }),
    },
    {
      ...{ name: "Akka, threshold", kind: "accrual", knob: "threshold, no pause", usual: 8, hears: even },
      knobs: [0.5, 1, 3, 8, 16, 40, 100, 300, 1_000, 3_000, 10_000, 30_000],
      make: (threshold) => akka({ threshold, interval: mean, deviation: 100 * MS, pause: 0 }),
    },
    {
      ...{ name: "Chen", kind: "accrual", knob: "alpha, ms", knobs: MARGINS, usual: null, hears: even },
      make: (alpha) => chen(alpha * MS, mean),
    },
    {
      ...{ name: "Cassandra", kind: "accrual", knob: "threshold", usual: 8, hears: even },
      knobs: [0.44, 0.45, 0.47, 0.5, 0.6, 0.8, 1.1, 1.5, 2, 3, 5, 8, 12],
      make: (threshold) => cassandra(threshold, mean),
    },
    {
      ...{
        name: "timer, any",
        kind: "timer",
        knob: "ms beyond the interval",
        knobs: MARGINS,
        usual: null,
        hears: even,
      },
      make: (margin) => timer(mean + margin * MS),
    },
    {
      ...{
        name: "timer, 3 x",
        kind: "timer",
        knob: "whole intervals",
        whole: true,
        knobs: [2, 3, 4, 5, 6, 8, 10, 15, 20, 30],
        usual: 3,
        hears: even,
      },
      make: (times) => timer(times * mean),
    },
    {
      ...{ name: "Socket.IO", kind: "timer", knob: "pingTimeout / pingInterval", usual: 0.8 },
      knobs: [0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6],
      hears: () => "inTurn",
      make: (part) => timer(mean + part * mean),
    },
    {
      ...{
        name: "ws README",
        kind: "timer",
        knob: "ticks missed",
        whole: true,
        knobs: [1, 2, 3, 4, 5, 8, 12, 20, 30],
        usual: 1,
      },
      hears: () => "answers",
      make: (misses) => ticks(mean, misses),
    },
  ];
}

/** So often a step of the knob is halved towards a rate. */
const HALVINGS = 6;

/** The curve of a contestant, from the rash to the patient, with more points where it crosses one of the rates. */
export function curve(
  { knobs, whole, make, hears }: Pick<Contestant, "knobs" | "whole" | "make" | "hears">,
  streams: Streams,
  rates: readonly number[],
): Point[] {
  const at = (knob: number): Point => trial(make(knob), streams[hears(knob)], knob);
  const points = knobs.map(at);
  if (whole) return points;
  const between: Point[] = [];
  for (const rate of rates) {
    const index = points.findIndex((point) => point.rate <= rate && point.wrong <= MOST_WRONG);
    if (index < 1) continue;
    let [rash, patient] = [points[index - 1]!.knob, points[index]!.knob];
    for (let step = 0; step < HALVINGS; step++) {
      const point = at(Math.sqrt(rash * patient));
      between.push(point);
      if (point.rate <= rate) patient = point.knob;
      else rash = point.knob;
    }
  }
  return [...points, ...between].toSorted((a, b) => a.knob - b.knob);
}

/** A contestant as it comes; heartwire's accrual then within its bound. */
export function asItComes(contestant: Contestant, mean: Micros, streams: Streams): Point | null {
  const { name, usual, make, hears } = contestant;
  if (usual === null) return null;
  const judge = name === "heartwire accrual" ? accrual(mean, { bounded: true }) : make(usual);
  return trial(judge, streams[hears(usual)], usual);
}

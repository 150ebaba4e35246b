/**
 * One detector against one stream of arrivals: how often it convicts the living, and how soon the dead.
 *
 * A detector is whatever says, after each arrival, when it convicts if nothing else comes. That is all there is to know: a false
 * conviction is an arrival after that time, and the time from a cut at a random moment to the conviction is an integral that needs no
 * throw of dice. In a gap from a to b with conviction due at d, a cut at c in (a, b) is found after max(0, d - c): the mean over
 * all moments is the sum of ((d - a)^2 - max(0, d - b)^2) / 2 over the gaps, divided by all the time; the worst is the greatest d - a.
 *
 * Rules: a cut loses what is on its way. After a false conviction the detector goes on with the next arrival, as its own code does
 * where one may come back. The first {@link WARMUP} beats teach and do not count.
 *
 * @module
 */

import type { Micros } from "../../core/time.ts";
import type { Stream } from "./models.ts";

/** So many beats go before those that count. */
export const WARMUP = 1_000;

/** A detector on trial. */
export interface Judge {
  /** A beat came. Returns when to convict if no other comes, us; `beat` counts from 0. */
  arrived(at: Micros, beat: number, sentAt: Micros, promise: Micros): Micros;
}

/** How one setting of one detector did. */
export interface Point {
  /** The knob. */
  readonly knob: number;
  /** False convictions in a million beats. */
  readonly rate: number;
  /** From a cut to the conviction, mean over all moments, us. */
  readonly mean: Micros;
  /** ... at worst, us. */
  readonly worst: Micros;
  /** The part of the time that the living was wrongly held dead. */
  readonly wrong: number;
}

/** Who holds the living dead for more of the time than this detects nothing, however seldom it changes its mind. */
export const MOST_WRONG = 0.02;

/** Tries one setting. */
export function trial(judge: Judge, { sentAt, promise, at }: Stream, knob: number): Point {
  const count = at.length;
  let [wrong, area, worst, doubt] = [0, 0, 0, 0];
  for (let beat = 0; beat < count - 1; beat++) {
    const came = at[beat]!;
    const due = judge.arrived(came, beat, sentAt[beat]!, promise[beat]!);
    if (beat < WARMUP) continue;
    const left = due - came;
    const over = due - at[beat + 1]!;
    if (over < 0) doubt += Math.min(-over, at[beat + 1]! - came);
    if (left > worst) worst = left;
    // Beats that were held back come at once; while they are too old to end a suspicion, it is still the same one.
    if (left <= 0) continue;
    area += left * left;
    if (over < 0) wrong++;
    else area -= over * over;
  }
  const beats = count - 1 - WARMUP;
  const time = at[count - 1]! - at[WARMUP]!;
  return { knob, rate: wrong / beats * 1e6, mean: area / 2 / time, worst, wrong: doubt / time };
}

/**
 * The least detection time among the settings that convict falsely no oftener than `rate` in a million beats, us. NaN when there is
 * none.
 */
export function atRate(points: readonly Point[], rate: number): Micros {
  let best = NaN;
  for (const point of points) {
    if (point.rate > rate || point.wrong > MOST_WRONG) continue;
    if (!(point.mean >= best)) best = point.mean;
  }
  return best;
}

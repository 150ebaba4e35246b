/**
 * The detector that the options ask for.
 *
 * @module
 */

import type { ResolvedHeartbeat } from "../options.ts";
import { type Micros, toMicros } from "../time.ts";
import { Accrual } from "./accrual.ts";
import type { Beat } from "./beat.ts";
import { type Detector, Fixed } from "./detector.ts";

/** Makes the detector of a connection. */
export function detectorFor(options: ResolvedHeartbeat, beat: Beat, now: Micros): Detector {
  if (options.detector === "fixed") return new Fixed(beat.rxDetection, now);
  const { threshold, pause } = options;
  const floor = leastDeviation(options, beat.rxInterval);
  return new Accrual(beat.rxDetection, { threshold, pause: toMicros(pause), floor }, now);
}

/**
 * The least deviation that the accrual detector assumes, us. On a way that was never late it would otherwise be nothing, and the
 * first lost segment would be a conviction.
 *
 * Without an option it is a sixteenth of the agreed interval, and at least 260 ms: at PHI 8, which is 5.6 deviations, that forgives 1.46 s,
 * two retransmissions after another (200 + 400 ms with the least timeout of Linux, and the round trips), and the third at long intervals.
 * Less convicts several times as often where segments are lost in bursts, and gains little (docs/liveness.md). The detection time
 * bounds it anyway.
 */
export function leastDeviation(heartbeat: ResolvedHeartbeat, interval: Micros): Micros {
  if (heartbeat.floor !== null) return toMicros(heartbeat.floor);
  return Math.max(260_000, Math.floor(interval / 16));
}

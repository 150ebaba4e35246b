/**
 * The detector that the options ask for.
 *
 * @module
 */

import { leastDeviation, type ResolvedHeartbeat } from "../options.ts";
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

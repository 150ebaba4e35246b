/**
 * What two sides made of their heartbeat terms, and how soon silence is found with it (docs/PROTOCOL.md, section 5).
 *
 * Rules: the formulas of intervals, detection times and bounds stand here and nowhere else. Terms are in ms, as they travel; a beat is
 * in whole microseconds.
 *
 * @module
 */

import type { Micros } from "../time.ts";

/** What one side asks for. */
export interface Terms {
  /** How often it wants to send, ms. */
  readonly desiredTx: number;
  /** The shortest interval at which it is willing to receive, ms. */
  readonly requiredRx: number;
  /** How many of its intervals may pass in silence. */
  readonly multiplier: number;
}

/** What is agreed, us, seen from one side. */
export interface Beat {
  /** At the latest so often this side sends. */
  readonly txInterval: Micros;
  /** At the latest so often the peer sends. */
  readonly rxInterval: Micros;
  /** The shortest interval at which the peer may ask. */
  readonly policedInterval: Micros;
  /** Silence of the peer that is death. */
  readonly rxDetection: Micros;
  /** A question of ours that stays unanswered for so long shows the same. */
  readonly probeDetection: Micros;
  /** Our multiplier: with 1 the jitter is narrower, so that a beat is never due at the very detection time. */
  readonly multiplier: number;
  /** The peer's. */
  readonly peerMultiplier: number;
}

/** One more turn of the driver's loop before a conviction, us. */
export const TURN: Micros = 1_000;

/** A probe goes out at the latest after so many intervals. */
export const PROBE_INTERVALS = 3;

/**
 * By how much the stalls of this process, and those that the peer confesses, may defer a verdict in all, us: half of the detection
 * time. It is bounded so that a process that is always slow still finds a dead peer.
 */
export function extensionCap(detection: Micros): Micros {
  return Math.floor(detection / 2);
}

/**
 * From a cut of both directions to the verdict, at most, us; stalls may add {@link extensionCap}.
 *
 * @param idle nothing but heartbeats is sent: then a probe leaves in every interval, else in every third
 */
export function detectionBound(
  beat: Pick<Beat, "txInterval" | "rxDetection" | "probeDetection">,
  idle: boolean,
): Micros {
  const ask = (idle ? 1 : PROBE_INTERVALS) * beat.txInterval;
  return Math.min(beat.rxDetection, ask + beat.probeDetection) + TURN;
}

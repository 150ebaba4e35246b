/**
 * Heartbeat terms that an application changes while connected: their check.
 *
 * @module
 */

import { numberOption, optionError, unknownOption } from "./errors.ts";
import type { Terms } from "./liveness/beat.ts";
import type { HeartbeatOptions } from "./options.ts";
import { INTERVAL_MAX, INTERVAL_MIN, MULTIPLIER_MAX } from "./wire/registry.ts";

/** Heartbeat terms that can change while connected; what is absent stays. */
export type HeartbeatTerms = Pick<HeartbeatOptions, "interval" | "multiplier" | "minimumInterval">;

const NAMES: readonly string[] = ["interval", "multiplier", "minimumInterval"];

/** Checks terms that are to change, and completes them with those of now. */
export function changedTerms(change: HeartbeatTerms, before: Terms): Terms {
  if (typeof change !== "object" || change === null) throw optionError("terms", "an object", change);
  for (const name of Object.keys(change)) if (!NAMES.includes(name)) throw unknownOption(name, NAMES);
  const { interval, multiplier, minimumInterval } = change;
  const time = (name: string, value: number): number =>
    numberOption(name, value, INTERVAL_MIN, INTERVAL_MAX, true);
  return {
    desiredTx: time("interval", interval ?? before.desiredTx),
    requiredRx: time("minimumInterval", minimumInterval ?? before.requiredRx),
    multiplier: numberOption("multiplier", multiplier ?? before.multiplier, 1, MULTIPLIER_MAX, true),
  };
}

/**
 * How long a client waits before it dials again: exponential with full jitter, and a floor.
 *
 * Full jitter (a draw from zero to the bound, not around it) spreads a herd best (Brooker, "Exponential Backoff And Jitter",
 * 2015). The bound starts over only after a connection was stable, for a server that accepts and drops at once would
 * otherwise be dialled at full speed for ever.
 *
 * @module
 */

import { type Environment, uniform } from "./environment.ts";
import type { ReconnectOptions } from "./options.ts";
import { type Micros, NEVER, toMicros } from "./time.ts";

/** A connection is stable after so long, or after twice its detection time if it has one and that is longer, us. */
const STABLE: Micros = 30_000_000;

/** Whether a connection that was open for `lived` us, with this detection time, was stable. */
export function wasStable(lived: Micros, detection: Micros): boolean {
  return lived >= (detection === NEVER ? STABLE : Math.max(STABLE, 2 * detection));
}

/** The delay before the dial that follows `failures` (1 or more) failures in a row, us. */
export function backoff(
  options: Required<ReconnectOptions>,
  failures: number,
  environment: Environment,
): Micros {
  let bound = options.base;
  for (let i = 1; i < failures && bound < options.cap; i++) bound *= 2;
  return toMicros(Math.max(options.floor, Math.min(bound, options.cap) * uniform(environment)));
}

/**
 * Time inside core: whole microseconds of the caller's monotonic clock.
 *
 * Callers speak milliseconds with fractions. Whole microseconds make sums exact, so that a deadline given out and passed
 * back is reached, never missed by a rounding error, and the same trace gives the same bytes on every runtime.
 *
 * @module
 */

/** Monotonic time or a span of it, in whole microseconds. */
export type Micros = number;

/** Never. */
export const NEVER: Micros = Infinity;

/** Milliseconds to whole microseconds, rounded down; what was a whole number before the division stays that number. */
export function toMicros(milliseconds: number): Micros {
  const exact = milliseconds * 1000;
  const nearest = Math.round(exact);
  // A deadline D went out as D / 1000; times 1000 it may come back a few ulps low. Closer than 1/100 us is that number.
  return exact - nearest < 0.01 && nearest - exact < 0.01 ? nearest : Math.floor(exact);
}

/** Microseconds to milliseconds, for the caller. */
export function toMillis(micros: Micros): number {
  return micros / 1000;
}

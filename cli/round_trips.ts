/**
 * Percentiles of round trips.
 *
 * Rule: bounded. Percentiles are those of the last {@link KEPT} answers, a day's at one a second; least and greatest those of
 * all.
 *
 * @module
 */

/** So many answers are remembered: 8 bytes each. */
export const KEPT = 100_000;

/** What is told of round trips, ms. */
export interface RoundTripSummary {
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Collects round trips. */
export class RoundTrips {
  readonly #kept: number;
  readonly #values: number[] = [];
  #next = 0;
  #min = Infinity;
  #max = -Infinity;

  constructor(kept: number = KEPT) {
    this.#kept = kept;
  }

  /** An answer came after `rtt` ms. */
  add(rtt: number): void {
    this.#values[this.#next] = rtt;
    this.#next = (this.#next + 1) % this.#kept;
    this.#min = Math.min(this.#min, rtt);
    this.#max = Math.max(this.#max, rtt);
  }

  /** What they were; null when there was none. Percentiles by nearest rank: each is a value that was measured. */
  summary(): RoundTripSummary | null {
    if (this.#values.length === 0) return null;
    const sorted = Float64Array.from(this.#values).sort();
    const at = (percent: number): number => sorted[Math.ceil(percent / 100 * sorted.length) - 1]!;
    return { min: this.#min, p50: at(50), p90: at(90), p99: at(99), max: this.#max };
  }
}

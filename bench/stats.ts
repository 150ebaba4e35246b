/**
 * What many rounds come to.
 *
 * Rule: a ratio is that of two subjects in the same round, so that a busy moment of the machine hits both; then the median of the rounds.
 *
 * @module
 */

/** The value at a share of the sorted values, 0 .. 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The median of one subject's rounds over another's, round by round. */
export function ratio(ones: readonly number[], others: readonly number[]): number {
  return median(ones.map((one, round) => one / others[round]!));
}

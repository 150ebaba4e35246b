/**
 * How suspicious a silence is, on the scale of Hayashibara, Defago, Yared and Katayama, "The phi accrual failure detector" (2004): phi
 * means that a living peer is silent for so long once in 10^phi times.
 *
 * Rules: for reports only. What it returns decides nothing, so it may use the runtime's logarithm, whose last bit differs between
 * runtimes; deadlines come from normal.ts.
 *
 * @module
 */

import { FAR, hazard, ROOT_TAU, tail } from "./normal.ts";

/** -log10 Q(y), to 1e-6; in logarithms from {@link FAR} on, so that nothing underflows. */
export function phi(y: number): number {
  if (y < FAR) return Math.abs(Math.log10(tail(y))); // abs: no -0
  return y * y / (2 * Math.LN10) + Math.log10(ROOT_TAU * hazard(y));
}

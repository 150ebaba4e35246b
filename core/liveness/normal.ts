/**
 * The upper tail of the standard normal distribution, and the point at which it has a given weight.
 *
 * accrual.ts waits z(PHI) deviations, where the tail beyond z weighs 10^-PHI. The tail is a series below {@link FAR} and Laplace's
 * continued fraction above (Abramowitz and Stegun, 26.2.11 and 26.2.14): neither loses digits, while the logistic curve that is often
 * put in place of the tail weighs 9 times too much at PHI 8.
 *
 * Rules: only + - * / and comparisons, which give the same last bit everywhere. Math.exp does not: the language leaves its accuracy
 * to the engine, and one differing bit may move a deadline by a microsecond, so that the same trace no longer decides the same on
 * Node, Deno and Bun. Hence an exponential of our own.
 *
 * @module
 */

/** From here on the continued fraction; it takes ever more steps below, and the series loses digits above. */
export const FAR = 3;

/** Steps of the continued fraction: at {@link FAR}, where it is slowest, more of them change nothing above 1e-15. */
const STEPS = 60;

/** The terms of the series of exp beyond this one are below half an ulp for arguments up to ln(2) / 2. */
const TERMS = 16;

/** ln(2) in two parts: the last 21 bits of the first are 0, so that a whole number of them is exact (fdlibm, e_exp.c). */
const LN2_HIGH = 6.93147180369123816490e-1;
const LN2_LOW = 1.90821492927058770002e-10;

/** The square root of 2 pi. */
export const ROOT_TAU = 2.5066282746310005;

/** Halvings that take the bracket of {@link quantile} below one part in 1e15. */
const HALVINGS = 55;

/** e to the power x, for x from -745 to 0; the same bits everywhere. */
function exponential(x: number): number {
  // x = k ln 2 + r
  let k = Math.round(x / Math.LN2);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let sum = 1;
  for (let i = TERMS; i > 0; i--) sum = 1 + r / i * sum;
  for (; k <= -16; k += 16) sum /= 65_536;
  for (; k < 0; k++) sum /= 2;
  return sum;
}

/** The density at y. */
function density(y: number): number {
  return exponential(-y * y / 2) / ROOT_TAU;
}

/** Density / tail for y from {@link FAR} on: y + 1/(y + 2/(y + 3/(y + ...))). */
export function hazard(y: number): number {
  let fraction = y;
  for (let i = STEPS; i > 0; i--) fraction = y + i / fraction;
  return fraction;
}

/** The weight beyond y: Q(y); relative error below 1e-12 for y to 37, 0 from 38 on. */
export function tail(y: number): number {
  if (y <= -FAR) return 1 - tail(-y);
  if (y >= 38) return 0; // below what a double holds with full precision
  if (y >= FAR) return density(y) / hazard(y);
  // Between 0 and y lies density(y) * (y + y^3/3 + y^5/(3*5) + ...).
  let term = y;
  let sum = y;
  for (let n = 3, last = 0; sum !== last; n += 2) {
    last = sum;
    term *= y * y / n;
    sum += term;
  }
  return 0.5 - density(y) * sum;
}

/**
 * The z beyond which lies 10^-phi of the normal distribution.
 *
 * @param phi from 0.31 to 299; accurate to 1e-9
 */
export function quantile(phi: number): number {
  const weight = exponential(-phi * Math.LN10);
  let low = 0;
  let high = 37;
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (tail(middle) > weight) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

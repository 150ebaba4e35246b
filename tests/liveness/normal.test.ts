/**
 * The normal tail, its points and phi, against tables made with arbitrary precision (phi_tails.py).
 */

import { describe, it } from "node:test";
import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import { quantile, tail } from "../../core/liveness/normal.ts";
import { phi } from "../../core/liveness/phi.ts";
import { Random } from "../support/random.ts";
import { QUANTILES, TAILS } from "./phi_tails.ts";

/** What is widespread in place of the normal tail: a logistic curve, with a cubic to bend it (Page, 1977). */
function logisticPhi(y: number): number {
  const e = Math.exp(-y * (1.5976 + 0.070566 * y * y));
  return -Math.log10(e / (1 + e));
}

describe("normal", () => {
  it("has the points of the tail to 1e-9", () => {
    for (const [level, z] of QUANTILES) assertAlmostEquals(quantile(level), Number(z), 1e-9, `phi ${level}`);
  });

  it("has the points that the documents name", () => {
    const named = { 1: 1.2816, 3: 3.0902, 5: 4.2649, 8: 5.6120, 10: 6.3613, 12: 7.0345, 16: 8.2221 };
    for (const [level, z] of Object.entries(named)) {
      assertEquals(Math.round(quantile(Number(level)) * 1e4) / 1e4, z, `phi ${level}`);
    }
  });

  it("has the tail to a relative 1e-12, on both sides of where the method changes", () => {
    let worst = 0;
    for (const [y, exact] of TAILS) {
      if (y > 37) continue;
      // Near 1 the exact weight cannot be had from its logarithm without expm1.
      const weight = 1 + Math.expm1(-exact * Math.LN10);
      if (exact < 1) worst = Math.max(worst, Math.abs(tail(y) - weight) / weight);
      // 1e-12 of the weight is 4e-13 of its logarithm.
      assertAlmostEquals(-Math.log10(tail(y)), exact, 4e-13 + exact * 2e-16, `y ${y}`);
    }
    assertLess(worst, 1e-12);
    assertEquals([tail(38), tail(1e300), tail(-38), tail(0)], [0, 0, 1, 0.5]);
  });

  it("inverts the tail for any level, and rises with it", () => {
    const random = new Random(1);
    const levels = Array.from({ length: 1_000 }, () => 1 + 15 * random.fraction()).sort((a, b) => a - b);
    let last = 0;
    for (const level of levels) {
      const z = quantile(level);
      assertGreater(z, last);
      last = z;
      assertAlmostEquals(phi(z), level, 1e-11);
    }
    assertAlmostEquals(tail(quantile(0.31)), 0.4897788193684461, 1e-15);
    assertAlmostEquals(-Math.log10(tail(quantile(299))), 299, 1e-10);
  });

  it("gives the same bits on every runtime", () => {
    // Of the binary form, so that the last bit counts.
    const bits = new DataView(new ArrayBuffer(8));
    let hash = 0x811c9dc5;
    for (let i = 0; i <= 3_000; i++) {
      bits.setFloat64(0, i % 3 === 0 ? quantile(1 + i / 200) : tail(i / 100 - 5));
      for (let k = 0; k < 8; k++) hash = Math.imul(hash ^ bits.getUint8(k), 0x01000193) >>> 0;
    }
    assertEquals(hash.toString(16), "6df5275d");
  });
});

describe("phi", () => {
  it("is exact to 1e-6 from -8 to 60 deviations", () => {
    for (const [y, exact] of TAILS) assertAlmostEquals(phi(y), exact, 1e-6, `y ${y}`);
  });

  it("never falls, is never less than nothing, and is whole at the ends", () => {
    let last = 0;
    for (let i = -1_000; i <= 6_000; i++) {
      const level = phi(i / 100);
      assert(level >= last, `phi(${i / 100}) = ${level} < ${last}`);
      last = level;
    }
    assert(Object.is(phi(-Infinity), 0), "not -0");
    assertEquals(phi(Infinity), Infinity);
  });

  it("is not the logistic curve, which reaches 8 where a living peer is silent 9 times as often", () => {
    let low = 0;
    let high = 10;
    while (high - low > 1e-12) {
      const middle = (low + high) / 2;
      if (logisticPhi(middle) < 8) low = middle;
      else high = middle;
    }
    assertAlmostEquals(tail(low) / 1e-8, 8.66, 0.01);
  });
});

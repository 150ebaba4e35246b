/**
 * The window of samples against a plain computation.
 */

import { describe, it } from "node:test";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { LatenessWindow, WINDOW } from "../../core/liveness/window.ts";
import { Random } from "../support/random.ts";
import { deviation, mean } from "./way.ts";

describe("window", () => {
  it("has the mean and the deviation of the last hundred, as plainly computed", () => {
    const random = new Random(1);
    const window = new LatenessWindow();
    let stored: number[] = [];
    let given: number[] = [];
    let base = 0;
    for (let i = 0; i < 10_000; i++) {
      // Drifts, jitters, and is sometimes seconds late.
      base += random.between(0, 20_000) - 5_000;
      const late = random.between(0, 50) === 0 ? random.between(0, 5_000_000) : random.between(0, 30_000);
      const lateness = base + late + random.fraction();
      stored = [...stored, Math.fround(lateness)].slice(-WINDOW);
      given = [...given, lateness].slice(-WINDOW);
      const shift = window.add(lateness);
      stored = stored.map((value) => Math.fround(value - shift));
      given = given.map((value) => value - shift);
      base -= shift;
      assertEquals(window.samples, stored.length);
      assertEquals(shift !== 0 || window.justFilled, i % WINDOW === WINDOW - 1, `${i}`);
      assertAlmostEquals(window.mean, mean(stored), 1e-5, `${i}`);
      assertAlmostEquals(window.mean, mean(given), 1, `${i}`);
      if (i === 0) assertEquals(window.deviation, 0);
      else assertAlmostEquals(window.deviation, deviation(stored), 1e-5, `${i}`);
    }
  });

  it("takes 400 bytes, however many samples come", () => {
    const window = new LatenessWindow();
    for (let i = 0; i < 1_000; i++) window.add(i);
    assertEquals(window.byteLength, 400);
    assertEquals(window.samples, 100);
  });

  it("forgets everything", () => {
    const window = new LatenessWindow();
    for (let i = 0; i < 250; i++) window.add(i * i);
    window.clear();
    assertEquals(window.key(), new LatenessWindow().key());
    assertEquals([window.samples, window.mean, window.deviation], [0, 0, 0]);
  });
});

/**
 * The learning detector: what it learns, what it refuses to learn, and that no lesson moves it past the detection time.
 *
 * Rules: virtual time, every expectation is computed anew here, in the plain way.
 */

import { describe, it } from "node:test";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";
import { Accrual, LEAST_SAMPLES, RISE } from "../../core/liveness/accrual.ts";
import { suspicion } from "../../core/liveness/detector.ts";
import { WINDOW } from "../../core/liveness/window.ts";
import { Random } from "../support/random.ts";
import { DETECTION, deviation, mean, OPTIONS, SECOND, Way, Z8 } from "./way.ts";

describe("accrual", () => {
  it("is the fixed detector until there are enough samples", () => {
    const way = new Way(1);
    for (let i = 1; i <= LEAST_SAMPLES; i++) {
      assertEquals(way.detector.convictAt, way.now + DETECTION);
      assertEquals(way.detector.suspectAt, way.now + suspicion(DETECTION));
      assertEquals(way.detector.phi(way.now + DETECTION), 0);
      way.steady(1);
      assertEquals(way.detector.samples, i);
    }
    assertLess(way.convictIn, SECOND + 100_000);
  });

  it("convicts at promised + mean + pause + z * max(deviation, floor)", () => {
    for (
      const [jitter, pause, floor] of [[200_000, 0, 1], [2_000, 0, 10_000], [30_000, 123_456, 5_000]] as const
    ) {
      const way = new Way(2, { pause, floor });
      const delays: number[] = [];
      for (let i = 0; i < WINDOW - 1; i++) {
        const delay = 20_000 + way.random.between(0, jitter);
        delays.push(delay);
        way.beat(delay);
        if (i + 1 < LEAST_SAMPLES) continue;
        const spread = Z8 * Math.max(deviation(delays), floor);
        const convictAt = way.leaves + way.promise + mean(delays) + pause + spread;
        const fixed = way.now + DETECTION;
        assertAlmostEquals(way.detector.convictAt, Math.min(fixed, convictAt), 1, `${i}`);
        assertAlmostEquals(
          way.detector.suspectAt,
          Math.min(way.now + suspicion(DETECTION), convictAt - spread / 3),
          1,
        );
        assertAlmostEquals(way.detector.mean, mean(delays) - Math.min(...delays), 1);
        assertAlmostEquals(way.detector.deviation, deviation(delays), 1);
        if (convictAt < fixed) {
          assertAlmostEquals(way.detector.phi(way.detector.convictAt), 8, 1e-3);
        }
      }
    }
  });

  it("says how suspicious it is: the threshold when it convicts, a third of the way less when it suspects", () => {
    for (const threshold of [1, 3, 8, 16]) {
      const way = new Way(3, { threshold, floor: 100_000 });
      way.steady(150);
      const { detector } = way;
      assertAlmostEquals(detector.phi(detector.convictAt), threshold, 1e-3);
      if (threshold === 8) assertAlmostEquals(detector.phi(detector.suspectAt), 4.0391, 1e-3); // Q(3.7413)
      let last = 0;
      for (let now = way.now; now < detector.convictAt; now += 10_000) {
        assertGreaterOrEqual(detector.phi(now), last);
        last = detector.phi(now);
      }
    }
  });

  it("assumes a deviation of one microsecond at least", () => {
    const way = new Way(3, { floor: 0 });
    way.steady(150, 0);
    assertEquals(way.convictIn, way.promise + 6);
    assertAlmostEquals(way.detector.phi(way.detector.convictAt), 8, 1);
  });

  it("convicts the living once in 10^threshold beats when lateness is normal", () => {
    // Mean and deviation are those of 100 samples: what is exceeded is z / sqrt(1 + 1/100) of Student's distribution with 99 degrees
    // of freedom, which weighs a little more than the normal tail: 1.134e-2 and 1.361e-3.
    for (const [threshold, beats, rate] of [[2, 50_000, 1.134e-2], [3, 200_000, 1.361e-3]] as const) {
      const way = new Way(19, { threshold, floor: 1 });
      for (let i = 0; i < beats; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - way.random.fraction())); // Box and Muller, 1958
        way.beat(300_000 + 30_000 * radius * Math.cos(2 * Math.PI * way.random.fraction()));
      }
      const expected = beats * rate;
      assertAlmostEquals(way.convictions, expected, 3 * Math.sqrt(expected), `threshold ${threshold}`);
    }
  });

  it("learns nothing from the sender's jitter", () => {
    const way = new Way(4);
    way.steady(500, 0);
    assertEquals([way.detector.mean, way.detector.deviation], [0, 0]);
    assertEquals(way.detector.convictAt, Math.round(way.leaves + way.promise + 20_000 + Z8 * 10_000));
  });

  it("learns that a sender is tardy, but not while other bytes may have kept its promise", () => {
    const idle = new Way(5);
    for (let i = 0; i < 60; i++) idle.beat(20_000, { tardy: i === 0 ? 0 : 30_000 });
    assertAlmostEquals(idle.detector.mean, 30_000 * 59 / 60, 1);

    const busy = new Way(5);
    for (let i = 0; i < 60; i++) {
      busy.beat(20_000, { tardy: i === 0 ? 0 : 30_000 });
      busy.hear(busy.now + 1_000);
    }
    assertEquals(busy.detector.mean, 0);

    // Bytes that come together with the beat were sent no sooner than promised either.
    const together = new Way(5);
    for (let i = 0; i < 60; i++) {
      together.beat(20_000, { tardy: i === 0 ? 0 : 30_000 });
      together.hear(together.now);
    }
    assertAlmostEquals(together.detector.mean, 30_000 * 59 / 60, 1);
  });

  it("does not take a beat that was sent sooner than promised for an early one", () => {
    const way = new Way(6);
    for (let i = 0; i < 150; i++) way.beat(20_000, { tardy: -way.random.between(0, way.promise) });
    assertEquals([way.detector.mean, way.detector.deviation], [0, 0]);
  });

  it("takes no sample of answers and of what a stall of this process delayed, but believes their promises", () => {
    for (const kind of [{ asked: true }, { spans: true }]) {
      const way = new Way(7);
      way.steady(60);
      const { samples, mean, deviation } = way.detector;
      const first = way.detector.convictAt;
      for (let i = 0; i < 20; i++) way.beat(20_000 + 100 * i, kind);
      assertEquals([way.detector.samples, way.detector.mean, way.detector.deviation], [
        samples,
        mean,
        deviation,
      ]);
      assertGreater(way.detector.convictAt, first + 10 * SECOND);
      assertLess(way.convictIn, SECOND + 100_000);
    }
  });

  it("after other bytes waits for a promise from then on, and never less than after the beat", () => {
    const way = new Way(8);
    const delays: number[] = [];
    for (let i = 0; i < 90; i++) {
      delays.push(20_000 + way.random.between(0, 50_000));
      way.beat(delays.at(-1)!);
    }
    const { convictAt, suspectAt } = way.detector;
    way.hear(way.now + 1);
    assertGreaterOrEqual(way.detector.convictAt, convictAt);
    assertGreaterOrEqual(way.detector.suspectAt, suspectAt);
    for (let i = 0; i < 1_000; i++) {
      way.hear(way.now + 777);
      const spread = Z8 * Math.max(deviation(delays), OPTIONS.floor);
      const expected = way.promise + mean(delays) - Math.min(...delays) + spread;
      assertAlmostEquals(way.convictIn, expected, 1);
      assertAlmostEquals(way.detector.suspectAt - way.now, expected - spread / 3, 1);
    }
  });

  it("remembers the least delay for one to two windows, so that a longer route is learned", () => {
    const way = new Way(9);
    const after = (beats: number, delay: number): number => {
      for (let i = 0; i < beats; i++) way.beat(delay);
      way.hear(way.now + 1);
      return way.convictIn - way.promise - Math.round(Z8 * OPTIONS.floor);
    };
    assertEquals(after(140, 60_000), 0);
    assertEquals(after(150, 20_000), 0);
    assertAlmostEquals(after(WINDOW, 50_000), 30_000, 2); // the window has forgotten 20 ms, the least delay has not
    assertAlmostEquals(after(WINDOW, 50_000), 0, 2);
  });

  it("lets what was late while other bytes came weigh as much as it was", () => {
    const way = new Way(9);
    way.steady(90, 0);
    way.leaves += way.promise;
    way.promise = 0;
    for (let i = 0; i < 10; i++) way.hear(way.leaves + i * 100_000);
    way.beat(20_000 + SECOND);
    assertEquals(way.suspicions, 0);
    assertAlmostEquals(way.detector.deviation, SECOND / Math.sqrt(91), 10);
  });

  it("is never later than the detection time and never at or before what was heard, whatever comes", () => {
    let learned = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const random = new Random(seed);
      let detection = random.between(2, 10 * SECOND);
      const detector = new Accrual(detection, {
        threshold: 1 + 15 * random.fraction(),
        pause: random.between(0, 1) * random.between(0, SECOND),
        floor: random.between(0, 100_000),
      }, 0);
      const wild = random.between(0, 3);
      let now = 0;
      let heardAt = 0;
      let offset = random.between(0, 2_000_000_000);
      const check = (what: string): void => {
        const { suspectAt, convictAt } = detector;
        const context = `seed ${seed} ${what}: ${suspectAt - heardAt} ${convictAt - heardAt} of ${detection}`;
        assert(Number.isSafeInteger(suspectAt) && Number.isSafeInteger(convictAt), context);
        assert(heardAt < suspectAt && suspectAt <= convictAt, context);
        assertLessOrEqual(convictAt, heardAt + detection, context);
        assertLessOrEqual(suspectAt, heardAt + suspicion(detection), context);
        if (convictAt < heardAt + detection) learned++;
      };
      for (let i = 0; i < 400; i++) {
        const kind = random.between(0, 99);
        now += random.between(0, random.between(0, 9) === 0 ? 2 * detection : detection >> 1);
        if (kind < 70 - wild) {
          heardAt = now;
          detector.heard(now);
          check("heard");
          const delay = random.between(0, 9) < wild
            ? random.between(0, 20 * SECOND)
            : random.between(0, 9_000);
          detector.heartbeat(now, now - offset - delay, random.between(0, detection), kind < 5, kind > 65);
          check("heartbeat");
        } else if (kind < 95) {
          heardAt = now;
          detector.heard(now);
          check("bytes");
        } else if (kind < 97) {
          detection = random.between(2, 10 * SECOND);
          detector.retune(detection);
          check("retune");
        } else if (kind < 97 + wild) {
          detector.rebase();
          check("rebase");
          assertEquals(detector.samples, 0);
          assertEquals(detector.convictAt, heardAt + detection);
        } else offset += random.between(-20 * SECOND, 20 * SECOND) * wild;
      }
    }
    assertGreater(learned, 5_000); // else the bound was not what was tested
  });

  it("lets one very late beat weigh no more than the threshold", () => {
    const way = new Way(10);
    way.steady(99);
    const { deviation, samples } = way.detector;
    const allowed = Z8 * OPTIONS.floor;
    way.beat(20_000 + 2 * SECOND);
    assertEquals(way.convictions, 1);
    assertEquals(way.detector.samples, samples + 1);
    // One sample at distance d adds about d / sqrt(100) to the deviation.
    assertLess(way.detector.deviation, deviation + allowed / 10);
    assertGreater(way.detector.deviation, deviation);
    // What was under way with it came in the same moment, or in the next, and is of the same event.
    const burst = way.detector.deviation;
    way.leaves -= 2 * SECOND;
    for (const delay of [1_500_000, 1_000_000, 500_000]) {
      way.promise = 0;
      way.leaves += 400_000;
      way.beat(delay);
    }
    assertEquals(way.detector.samples, WINDOW, "one event is no lasting rise");
    assertLess(way.detector.deviation, burst + 3 * allowed / 10);
  });

  it("takes no more than the detection time for late while it learns", () => {
    const way = new Way(10);
    way.steady(10, 0);
    way.beat(20_000 + 60 * SECOND);
    assertEquals(way.detector.samples, 11);
    assertAlmostEquals(way.detector.mean, DETECTION / 11, 1);
  });

  it("after a beat that was later than the living are waits for the next as if that were as late", () => {
    const way = new Way(11);
    way.steady(150, 0);
    way.beat(20_000 + SECOND);
    assertEquals(way.convictIn, way.promise + Math.round(Z8 * OPTIONS.floor));
    way.beat(20_000 + SECOND);
    assertEquals(way.convictions, 1, "the second would have been a conviction, had nothing been learned");
  });

  it("learns a lasting rise within a few beats, whether or not it was beyond the threshold", () => {
    for (const rise of [45_000, 200_000, SECOND]) {
      const way = new Way(12);
      way.steady(150);
      let beats = 0;
      let suspicions = -1;
      // The user's own grace keeps the connection alive; until nothing is suspected for 10 beats.
      for (let calm = 0; calm < 10; beats++) {
        way.beat(20_000 + rise + way.random.between(0, 2_000));
        calm = way.suspicions === suspicions ? calm + 1 : 0;
        suspicions = way.suspicions;
      }
      // One more where a beat is still under way when the next is sent.
      assertLessOrEqual(beats, 10 + RISE + 1, `rise ${rise}`);
      for (let i = 0; i < WINDOW; i++) way.beat(20_000 + rise + way.random.between(0, 2_000));
      assertEquals(way.suspicions, suspicions, `rise ${rise}`);
      assertLess(way.convictIn, SECOND + 150_000, `rise ${rise}`);
    }
  });

  it("begins anew after three late beats running, and only then", () => {
    const way = new Way(13);
    const late = (): void => way.beat(20_000 + 45_000); // between suspicion and conviction
    way.steady(150, 0);
    for (let i = 1; i < RISE; i++) {
      late();
      assertEquals([way.suspicions, way.detector.samples], [i, WINDOW]);
    }
    way.beat(20_000 + 25_000); // late, but not so that it is suspected
    for (let i = 1; i < RISE; i++) late();
    assertEquals(way.detector.samples, WINDOW, "they were not running");
    const { suspicions } = way;
    late();
    assertEquals([way.suspicions, way.convictions], [suspicions + 1, 0]);
    assertEquals(way.detector.samples, 1);
    assertEquals(way.convictIn, DETECTION);
    for (let i = 1; i < LEAST_SAMPLES; i++) late();
    assertEquals(way.detector.convictAt, Math.round(way.now + way.promise + Z8 * OPTIONS.floor));
  });

  it("convicts nobody whose clock drifts by 200 ppm, for twelve hours", () => {
    for (const drift of [200e-6, -200e-6]) {
      for (const interval of [SECOND, 30 * SECOND]) {
        for (const threshold of [3, 8]) {
          const way = new Way(14, { threshold, floor: 10_000 }, 3 * interval);
          way.drift = drift;
          while (way.now < 12 * 3_600 * SECOND) way.beat(20_000 + way.random.between(0, 2_000), { interval });
          const context = `drift ${drift} interval ${interval} threshold ${threshold}`;
          assertEquals([way.convictions, way.suspicions], [0, 0], context);
          assertEquals(way.detector.samples, WINDOW, context);
          // What drifts through a window of 100 beats is learned as spread, and no more than that.
          const through = WINDOW * interval * Math.abs(drift);
          assertLess(way.convictIn, interval + 60_000 + 3 * through, context);
        }
      }
    }
  });

  it("learns anew when a clock jumps, with the fixed bound meanwhile", () => {
    for (const jump of [3_600 * SECOND, -3_600 * SECOND, 4 * SECOND, -4 * SECOND]) {
      const way = new Way(15);
      way.steady(150);
      way.offset += jump;
      way.steady(1);
      assertEquals(way.detector.samples, 1, `${jump}`);
      assertEquals(way.convictIn, DETECTION, `${jump}`);
      way.steady(LEAST_SAMPLES - 1);
      assertLess(way.convictIn, SECOND + 100_000, `${jump}`);
      assertEquals([way.convictions, way.suspicions], [0, 0], `${jump}`);
    }
  });

  it("does not mistake a stall of its own process, or of the way, for a clock that jumped", () => {
    const way = new Way(16);
    way.steady(150);
    way.beat(20_000 + 10 * SECOND, { spans: true });
    assertEquals(way.detector.samples, WINDOW);
    way.leaves += 30 * SECOND;
    way.beat(20_000 + 10 * SECOND);
    assertEquals(way.detector.samples, WINDOW);
  });

  it("takes a new detection time at once", () => {
    const way = new Way(17);
    way.steady(5);
    way.detector.retune(SECOND);
    assertEquals([way.detector.suspectAt - way.now, way.convictIn], [suspicion(SECOND), SECOND]);
    way.detector.retune(DETECTION);
    assertEquals(way.convictIn, DETECTION);
    way.steady(150);
    const learned = way.convictIn;
    way.detector.retune(300_000);
    assertEquals(way.convictIn, 300_000);
    way.detector.retune(DETECTION);
    assertEquals(way.convictIn, learned);
  });
});

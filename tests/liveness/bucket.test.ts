/**
 * The token bucket is exact, cannot be cheated by changing its rate, refuses nobody honest, and stops who is too fast.
 *
 * Rules: virtual time in whole microseconds; seeded.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { askBucket, pingBucket, TokenBucket } from "../../core/liveness/bucket.ts";
import { NEVER } from "../../core/time.ts";
import { Random } from "../support/random.ts";

const SECOND = 1_000_000;

/** How many tokens are there now. */
function level(bucket: TokenBucket, now: number): number {
  const copy = bucket.clone();
  let tokens = 0;
  while (copy.take(now)) tokens++;
  return tokens;
}

describe("token bucket", () => {
  it("counts as a bucket does that is filled by hand", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new Random(seed);
      const period = random.between(1, 1_000);
      const depth = random.between(1, 20);
      let now = random.between(0, 1_000_000);
      const bucket = new TokenBucket(period, depth, now);
      // In periods' microseconds: whole numbers.
      let held = depth * period;
      for (let step = 0; step < 300; step++) {
        const passed = random.between(0, random.between(0, 1) * 2 * period);
        now += passed;
        held = Math.min(depth * period, held + passed);
        const wait = Math.max(0, period - held);
        assertEquals(bucket.readyAt(now), now + wait, `seed ${seed} step ${step}`);
        if (random.between(0, 3) === 0) {
          bucket.force(now);
          held = Math.max(-depth * period, held - period);
        } else {
          const granted = held >= period;
          assertEquals(bucket.take(now), granted, `seed ${seed} step ${step}`);
          if (granted) held -= period;
        }
      }
    }
  });

  it("has a token at readyAt and none a microsecond before", () => {
    const bucket = new TokenBucket(750, 3, 5_000);
    for (let i = 0; i < 3; i++) assert(bucket.take(5_000));
    const at = bucket.readyAt(5_000);
    assertEquals(at, 5_750);
    assert(!bucket.clone().take(at - 1));
    assert(bucket.take(at));
  });

  it("goes below none when forced, not further than its depth", () => {
    const bucket = new TokenBucket(100, 4, 0);
    for (let i = 0; i < 50; i++) bucket.force(0);
    assertEquals(bucket.readyAt(0), 500); // 4 owed, and one to have
  });

  it("keeps its share when it is retuned, and nothing is won by it", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const figures = (): [number, number] => [random.between(1, 5_000_000_000), random.between(1, 767)];
      const [period, depth] = figures();
      const bucket = new TokenBucket(period, depth, 0);
      const [other, otherDepth] = figures();
      const full = bucket.clone();
      full.retune(other, otherDepth, 0);
      assertEquals(level(full, 0), otherDepth, "full stays full");
      const empty = bucket.clone();
      while (empty.take(0));
      empty.retune(other, otherDepth, 0);
      assertEquals(empty.readyAt(0), other, "empty stays empty");
      const lowest = bucket.clone();
      for (let i = 0; i < 2 * depth; i++) lowest.force(0);
      lowest.retune(other, otherDepth, 0);
      assertEquals(lowest.readyAt(0), (otherDepth + 1) * other, "a debt stays in proportion");
      const taken = random.between(0, depth);
      for (let i = 0; i < taken; i++) bucket.take(0);
      const before = bucket.readyAt(0);
      for (let i = 0; i < 20; i++) {
        bucket.retune(other, otherDepth, 0);
        assertLessOrEqual(level(bucket, 0), otherDepth);
        bucket.retune(period, depth, 0);
      }
      assertLessOrEqual(before, bucket.readyAt(0), `seed ${seed}: a token was won`);
      assertLess(bucket.readyAt(0) - before, 0.001 * period + 40 * depth * period / other + 40);
      const key = bucket.key(0);
      bucket.retune(period, depth, 0);
      assertEquals(bucket.key(0), key, "the same figures change nothing");
    }
  });

  it("rounds against who asks when it is retuned", () => {
    const bucket = new TokenBucket(300, 1, 0);
    bucket.take(0);
    bucket.retune(200, 1, 299); // 1 of 300 is missing: two thirds of a microsecond of 200
    assertEquals(bucket.readyAt(299), 300);
  });

  it("names the mean interval of the takes, granted or not, since it was full", () => {
    const bucket = new TokenBucket(1_000, 2, 0);
    assertEquals(bucket.observed(0), NEVER);
    bucket.take(10);
    assertEquals(bucket.observed(10), NEVER);
    for (let i = 1; i <= 6; i++) bucket.take(10 + 100 * i);
    assertEquals(bucket.observed(610), 100);
    assertEquals(bucket.observed(900), 100, "time without a take is no take");
    assertEquals(bucket.observed(10_000), NEVER, "full again");
    bucket.take(20_000);
    bucket.take(20_333);
    assertEquals(bucket.observed(20_333), 333);
  });

  it("clones that go on independently, and equal keys step alike", () => {
    const random = new Random(7);
    for (let seed = 1; seed <= 100; seed++) {
      const bucket = new TokenBucket(random.between(1, 100), random.between(1, 5), 0);
      for (let i = 0, now = 0; i < 10; i++, now += random.between(0, 60)) bucket.take(now);
      for (let i = 0; i < 3; i++) bucket.take(499);
      const copy = bucket.clone();
      assertEquals(copy.key(500), bucket.key(500));
      assertEquals(copy.observed(500), bucket.observed(500));
      const key = bucket.key(500);
      copy.force(500);
      assertEquals(bucket.key(500), key);
      assert(copy.key(500) !== key);
    }
    const early = new TokenBucket(10, 3, 0);
    const late = new TokenBucket(10, 3, 777);
    early.take(100);
    late.take(5_100);
    assertEquals(early.key(105), late.key(5_105));
    assertEquals(early.key(200), late.key(9_000), "full ones are alike");
  });
});

describe("policing of PINGs", () => {
  /** The times at which a sender lets PINGs leave: beats of its schedule, and as much asking as its mirror grants. */
  function honest(random: Random, interval: number, multiplier: number, until: number): number[] {
    const mirror = askBucket(interval, multiplier, 0);
    const jitter = multiplier === 1 ? 0.15 : 0.25;
    const fastest = random.between(0, 1) === 0;
    const draw = (): number => Math.floor(interval * (0.75 + (fastest ? 0 : jitter * random.fraction())));
    const times: number[] = [];
    let beat = draw();
    while (times.length === 0 || times.at(-1)! < until) {
      // A greedy application: asks whenever it may, for a while; then leaves the mirror to fill.
      const greedy = Math.floor(beat / (20 * multiplier * interval)) % 2 === 0;
      const ask = mirror.readyAt(times.at(-1) ?? 0);
      const now = greedy && ask < beat ? ask : beat;
      if (now === beat) mirror.force(now);
      else assert(mirror.take(now));
      times.push(now);
      beat = now + draw();
    }
    return times;
  }

  it("refuses no honest sender, whatever the way holds back up to a detection time", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const interval = 1_000 * random.between(10, 30_000);
      const multiplier = random.between(1, 8);
      const span = 200 * multiplier * interval;
      const bucket = pingBucket(interval, multiplier, 0);
      // Up to 500 ppm fast or slow: ten times a poor quartz.
      const drift = 1 + (random.fraction() - 0.5) / 1_000;
      let released = 0;
      let stalls = 0;
      for (const sent of honest(random, interval, multiplier, span)) {
        if (sent > released && random.between(0, 5 * multiplier) === 0) {
          released = sent + random.between(0, multiplier * interval);
          stalls++;
        }
        const now = Math.floor(Math.max(sent, released) * drift);
        assert(bucket.take(now), `seed ${seed}: x ${multiplier}, sent ${sent / interval}`);
      }
      assertGreater(stalls, 5);
    }
  });

  it("stops who asks more often than agreed, and names the rate", () => {
    for (const multiplier of [1, 3, 10]) {
      const bucket = pingBucket(SECOND, multiplier, 0);
      let now = 0;
      let sent = 0;
      while (bucket.take(now)) {
        now += 600_000; // 0.6 of the interval: a fifth too fast
        sent++;
        assertLess(sent, 6 * (3 * multiplier + 2));
      }
      assertEquals(bucket.observed(now), 600_000);
    }
  });

  it("allows 3 x multiplier + 2 at once, then one each 0.75 x interval", () => {
    const bucket = pingBucket(10 * SECOND, 3, 0);
    assertEquals(level(bucket, 0), 11);
    while (bucket.take(0));
    assertEquals(bucket.readyAt(0), 7.5 * SECOND);
  });

  it("holds our own asking to `multiplier` at once and a thousandth slower, rounded up", () => {
    const bucket = askBucket(10_001, 4, 0);
    assertEquals(level(bucket, 0), 4);
    while (bucket.take(0));
    assertEquals(bucket.readyAt(0), Math.ceil(10_001 * 0.75 * 1.001));
  });
});

/**
 * The clock offset is never more wrong than half a round trip, follows drift, and forgets when told; one direction's delay shows
 * what that direction lost, and jitter is RTP's.
 *
 * Rules: seeded delays on virtual clocks, whole microseconds.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { ClockOffset, OneWay } from "../../core/liveness/offset.ts";
import { Random } from "../support/random.ts";

const SECOND = 1_000_000;

/** Two clocks and a way between them: least delays, and a queue that is empty now and then. */
class Way {
  readonly random: Random;
  /** The peer's clock - ours at time 0. */
  readonly offset: number;
  readonly there: number;
  readonly back: number;
  /** The peer's clock gains so much of each microsecond. */
  readonly drift: number;

  constructor(seed: number, drift = 0) {
    this.random = new Random(seed);
    this.offset = this.random.between(-1e12, 1e12);
    this.there = this.random.between(50, 100_000);
    this.back = this.random.between(50, 100_000);
    this.drift = drift;
  }

  /** The peer's clock. */
  peer(now: number): number {
    return now + this.offset + Math.floor(now * this.drift);
  }

  queue(): number {
    return Math.floor(20_000 * this.random.fraction() ** 4);
  }

  /** Asks at `now`, with timestamps of `grain` us at the peer; returns what waited in queues. */
  ask(clock: ClockOffset, now: number, grain = 1): number {
    const [out, home] = [this.queue(), this.queue()];
    const received = now + this.there + out;
    const sent = received + this.random.between(0, 50_000);
    const [t2, t3] = [this.peer(received), this.peer(sent)];
    const stamp = Math.floor(t3 / grain) * grain;
    clock.sample(now, stamp - (t3 - t2), stamp, sent + this.back + home);
    return out + home;
  }
}

describe("clock offset", () => {
  it("has none before the first sample", () => {
    const clock = new ClockOffset();
    assertEquals([clock.samples, clock.offset, clock.delay], [0, 0, -1]);
  });

  it("is exact on a way alike in both directions", () => {
    const clock = new ClockOffset();
    clock.sample(1_000, 501_200, 501_250, 1_450);
    assertEquals([clock.samples, clock.offset, clock.delay], [1, 500_000, 400]);
  });

  it("is wrong by half the asymmetry at most, and never by more than half the delay", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const way = new Way(seed);
      const clock = new ClockOffset();
      const queued: number[] = [];
      for (let i = 0; i < 50; i++) {
        queued.push(way.ask(clock, i * SECOND));
        assertEquals(clock.samples, Math.min(8, i + 1));
        const wrong = Math.abs(clock.offset - way.offset);
        const least = Math.min(...queued.slice(-8));
        assert(Number.isInteger(clock.offset));
        assertEquals(clock.delay, way.there + way.back + least, `seed ${seed}: the least of the last 8`);
        assertLessOrEqual(wrong, (Math.abs(way.there - way.back) + least) / 2 + 0.5, `seed ${seed}`);
        assertLessOrEqual(wrong, clock.delay / 2 + 0.5, `seed ${seed}`);
      }
    }
  });

  it("is low by 0.1 ms at most with the timestamps of heartbeats", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const way = new Way(seed);
      const [fine, coarse] = [new ClockOffset(), new ClockOffset()];
      const asks = way.random.word();
      for (const [clock, grain] of [[fine, 1], [coarse, 100]] as const) {
        const same = new Way(asks);
        same.ask(clock, SECOND, grain);
      }
      assertLessOrEqual(coarse.offset, fine.offset);
      assertLessOrEqual(fine.offset - coarse.offset, 100);
      assertEquals(coarse.delay, fine.delay);
    }
  });

  it("follows a clock that drifts, and a step once it is told", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const drift = (new Random(seed).fraction() - 0.5) / 2_500; // up to 200 ppm
      const way = new Way(seed, drift);
      const clock = new ClockOffset();
      const asymmetry = Math.abs(way.there - way.back) / 2 + 10_000;
      for (let i = 0; i < 2_000; i++) {
        const now = i * 10 * SECOND;
        way.ask(clock, now);
        const truth = way.peer(now) - now;
        // The sample chosen is at most eight questions old.
        assertLessOrEqual(Math.abs(clock.offset - truth), asymmetry + 80 * SECOND * Math.abs(drift) + 100);
      }
      assertGreater(Math.abs(way.peer(2e10) - 2e10 - way.offset), 0);
      clock.rebase();
      assertEquals([clock.samples, clock.offset, clock.delay], [0, 0, -1]);
      const stepped = new Way(seed + 1_000);
      stepped.ask(clock, 0);
      assertLessOrEqual(Math.abs(clock.offset - stepped.offset), clock.delay / 2 + 0.5);
    }
  });

  it("takes the newer of equal delays, and no delay below nothing", () => {
    const clock = new ClockOffset();
    clock.sample(0, 100, 100, 10);
    clock.sample(1_000, 1_101, 1_101, 1_010);
    assertEquals(clock.offset, 96);
    clock.sample(2_000, 2_100, 2_120, 2_010);
    assertEquals([clock.offset, clock.delay], [105, 0]);
  });

  it("clones that go on independently", () => {
    const way = new Way(3);
    const clock = new ClockOffset();
    for (let i = 0; i < 5; i++) way.ask(clock, i * SECOND);
    const copy = clock.clone();
    const seen = [clock.samples, clock.offset, clock.delay];
    assertEquals([copy.samples, copy.offset, copy.delay], seen);
    copy.sample(0, 7, 7, 0);
    assertEquals([clock.samples, clock.offset, clock.delay], seen);
    assertEquals([copy.samples, copy.offset, copy.delay], [6, 7, 0]);
  });
});

describe("one-way delay", () => {
  it("shows what is above the least, whatever the clocks differ by", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const way = new Way(seed);
      const oneWay = new OneWay();
      const queued: number[] = [];
      for (let i = 0; i < 100; i++) {
        queued.push(way.queue());
        oneWay.sample(way.there + queued.at(-1)! - way.offset);
        assertEquals(oneWay.excess, queued.at(-1)! - Math.min(...queued), `seed ${seed}`);
      }
    }
  });

  it("learns a longer way after one to two hundred samples, a shorter one at once", () => {
    for (let before = 1; before <= 250; before += 13) {
      const oneWay = new OneWay();
      for (let i = 0; i < before; i++) oneWay.sample(-5_000);
      let after = 0;
      do oneWay.sample(2_000); while (++after < 1_000 && oneWay.excess === 7_000);
      assertEquals(oneWay.excess, 0);
      assertGreater(after, 100);
      assertLessOrEqual(after, 201);
      oneWay.sample(-6_000);
      assertEquals(oneWay.excess, 0);
      oneWay.sample(-5_000);
      assertEquals(oneWay.excess, 1_000);
    }
  });

  it("has the jitter of RFC 3550, to a microsecond", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed);
      const oneWay = new OneWay();
      let last: number | null = null;
      let jitter = 0;
      const scale = random.between(1, 50_000);
      for (let i = 0; i < 300; i++) {
        const transit = random.between(0, scale) - 1e12;
        if (last !== null) jitter += (Math.abs(transit - last) - jitter) / 16;
        last = transit;
        oneWay.sample(transit);
        assert(Number.isInteger(oneWay.jitter));
        // Each step rounds by half a sixteenth, 16 of them add up; the result is rounded once more.
        assertLessOrEqual(Math.abs(oneWay.jitter - jitter), 1, `seed ${seed} step ${i}`);
      }
    }
  });

  it("comes to rest at a steady difference exactly, from above and below: no bias", () => {
    for (const difference of [0, 1, 2, 7, 8, 100, 12_345]) {
      for (const begin of [0, 1_000_000]) {
        const oneWay = new OneWay();
        oneWay.sample(0);
        oneWay.sample(begin);
        for (let i = 0; i < 1_000; i++) oneWay.sample(begin + (i % 2 === 0 ? difference : 0));
        assertEquals(oneWay.jitter, difference, `${difference} from ${begin}`);
      }
    }
  });

  it("forgets least and last when a clock jumped, and clones go on independently", () => {
    const oneWay = new OneWay();
    for (const transit of [100, 900, 100, 900]) oneWay.sample(transit);
    const { jitter } = oneWay;
    assertGreater(jitter, 0);
    const copy = oneWay.clone();
    oneWay.rebase();
    assertEquals(oneWay.excess, 0);
    oneWay.sample(1e9);
    assertEquals([oneWay.excess, oneWay.jitter], [0, jitter], "no jump seen");
    oneWay.sample(1e9 + 5);
    assertEquals(oneWay.excess, 5);
    assertEquals([copy.excess, copy.jitter], [800, jitter]);
    copy.sample(150);
    assertEquals(copy.excess, 50);
  });
});

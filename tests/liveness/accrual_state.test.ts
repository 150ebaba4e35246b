/**
 * The state of the learning detector: copies, the canonical form, and one trace that every runtime decides alike.
 */

import { describe, it } from "node:test";
import { assertEquals, assertNotEquals } from "@std/assert";
import { Accrual } from "../../core/liveness/accrual.ts";
import { Random } from "../support/random.ts";
import { DETECTION, OPTIONS, SECOND, Way } from "./way.ts";

describe("the state of accrual", () => {
  it("starts from nothing when told that a clock jumped", () => {
    for (let beats = 1; beats < 300; beats += 13) {
      const way = new Way(18);
      for (let i = 0; i < beats; i++) way.beat(way.random.between(0, beats % 2 === 0 ? 50_000 : 3 * SECOND));
      way.beat(5 * SECOND); // one of a rise, perhaps
      way.detector.rebase();
      const fresh = new Accrual(DETECTION, OPTIONS, way.now);
      assertEquals(way.detector.key(way.now), fresh.key(way.now));
    }
  });

  it("has a key with all that decides, and without what is over", () => {
    const make = (...steps: ((detector: Accrual) => void)[]): string => {
      const detector = new Accrual(DETECTION, OPTIONS, 0);
      for (const step of steps) step(detector);
      return detector.key(10 * SECOND);
    };
    const hear = (now: number) => (detector: Accrual): void => detector.heard(now);
    const answer = (now: number, promise: number) => (detector: Accrual): void => {
      detector.heard(now);
      detector.heartbeat(now, 0, promise, true, false);
    };
    const beat = (now: number) => (detector: Accrual): void => {
      detector.heard(now);
      detector.heartbeat(now, now - 5, SECOND, false, false);
    };
    assertNotEquals(make(answer(1, 5)), make(answer(1, 6)), "the promise");
    assertNotEquals(make(answer(0, 5), hear(1)), make(answer(1, 5)), "what was heard last");
    assertNotEquals(
      make(answer(0, 5), hear(1), hear(2)),
      make(answer(0, 5), hear(2)),
      "what was heard between",
    );
    const silent = [beat(0), hear(2 * SECOND)];
    const talking = [beat(0), hear(SECOND), hear(2 * SECOND)];
    const more = [beat(3 * SECOND), hear(4 * SECOND)];
    assertEquals(make(...silent, ...more), make(...talking, ...more), "a suspicion that is over");
    const late = (detector: Accrual): void => detector.heard(2 * SECOND + 1);
    assertNotEquals(make(...silent, late), make(...talking, late), "one that has just ended");
  });

  it("has copies that decide alike, and a key that says so and knows no absolute time", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const ways = [new Way(seed), new Way(seed), new Way(seed)] as const;
      const [a, b, c] = ways;
      const later = 1_000_003;
      c.leaves += later;
      c.now = later;
      c.detector = new Accrual(DETECTION, OPTIONS, later);
      const step = (kind: number, delay: number): void => {
        for (const way of ways) {
          if (kind === 0) way.hear(way.now + delay);
          else if (kind === 1) way.detector.rebase();
          else way.beat(delay, { asked: kind === 2, spans: kind === 3 });
        }
      };
      const random = new Random(seed);
      for (let i = 0; i < 500; i++) {
        const kind = [0, 2, 3, 4, 5, 6, 7, 8][random.between(0, 7)]!;
        const delay = random.between(0, random.between(0, 15) === 0 ? 4 * SECOND : 90_000);
        step(random.between(0, 300) === 0 ? 1 : kind, delay);
        if (i % 7 === 0) {
          const copy = a.detector.clone();
          assertEquals(copy.key(a.now), a.detector.key(a.now));
          const before = copy.key(a.now);
          a.detector.heard(a.now + 1);
          a.detector.heartbeat(a.now + 1, a.peer, 1, false, false);
          assertEquals(copy.key(a.now), before, "a copy is its own");
          assertNotEquals(a.detector.key(a.now), before);
          a.detector = copy;
        }
        assertEquals(a.detector.key(a.now), b.detector.key(b.now));
        assertEquals(a.detector.key(a.now), c.detector.key(c.now));
        assertEquals(a.detector.convictAt, b.detector.convictAt);
        assertEquals(a.detector.convictAt + later, c.detector.convictAt);
        assertEquals(a.detector.suspectAt + later, c.detector.suspectAt);
      }
    }
  });

  it("decides the same trace alike on every runtime, to the microsecond", () => {
    let hash = 0x811c9dc5;
    const mix = (value: number): void => {
      hash = Math.imul(hash ^ (value >>> 0), 0x01000193) >>> 0;
      hash = Math.imul(hash ^ Math.floor(value / 0x1_0000_0000), 0x01000193) >>> 0;
    };
    for (let seed = 1; seed <= 20; seed++) {
      const way = new Way(seed, { threshold: 1 + seed * 0.7, floor: 1_000 * seed, pause: seed % 3 * 10_000 });
      for (let i = 0; i < 1_000; i++) {
        const kind = way.random.between(0, 99);
        const delay = 20_000 + way.random.between(0, kind < 3 ? SECOND : 40_000);
        if (kind > 80) way.hear(way.now + delay);
        else way.beat(delay, { tardy: kind < 10 ? delay : 0, asked: kind === 20, spans: kind === 21 });
        if (kind === 90 && i % 10 === 0) way.detector.rebase();
        mix(way.detector.suspectAt);
        mix(way.detector.convictAt);
      }
    }
    assertEquals(hash.toString(16), "c483fff8");
  });
});

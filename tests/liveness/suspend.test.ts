/**
 * A machine that slept, and a wall clock that was set: the one asks its peer at once and knows within 2 s, the other means nothing.
 *
 * Rules: virtual time, seeded. The wall clock is sampled every 500 ms and before each timeout, as the driver does.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { Pair } from "../support/pair.ts";
import { Random } from "../support/random.ts";
import { chat, DETECTORS, roads, seen, sides, verdict } from "./scene.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A peer that keeps the connection for hours; we give it a few of its intervals. */
function sleepers(seed: number, random: Random, most = 300): Pair {
  const detector = DETECTORS[seed % 2]!;
  const patient = { maximumDetection: 900_000_000 };
  const pair = Pair.open({
    seed,
    client: {
      heartbeat: { interval: random.between(60_000, 80_000), multiplier: 255, detector, ...patient },
    },
    server: {
      heartbeat: { interval: random.between(15_000, 20_000), multiplier: random.between(2, 5), ...patient },
    },
  });
  roads(pair, random, most / 2);
  pair.client.bytesFirst = random.fraction() < 0.5;
  for (const side of sides(pair)) pair.sampleWall(side);
  return pair;
}

/** Some life before: with samples for the detector that learns, and sometimes with traffic. */
function live(pair: Pair, random: Random): number {
  const mean = [Infinity, 1_000][random.between(0, 1)]!;
  chat(pair, random, random.between(3_000, 200_000), mean);
  return mean;
}

for (const standsStill of [true, false]) {
  describe(`an hour asleep, the monotonic clock ${standsStill ? "stands still" : "moves on"}`, () => {
    it("with a peer that is there: told, asked, and on as before", () => {
      for (let seed = 1; seed <= 60; seed++) {
        const random = new Random(seed);
        const pair = sleepers(seed, random);
        const mean = live(pair, random);
        const context = `seed ${seed}`;
        const wakes = pair.now + HOUR;
        // The way is back after a while; what the peer sent meanwhile comes then, all at once.
        pair.suspend(pair.client, HOUR, standsStill, random.between(0, 600));
        chat(pair, random, HOUR + 5_000, mean === Infinity ? mean : HOUR / 20);
        chat(pair, random, 100_000, mean);
        for (const side of sides(pair)) assertEquals(verdict(side), "open", `${context} ${side.name}`);
        for (const side of sides(pair)) assertEquals(seen(side, "fault"), [], `${context} ${side.name}`);
        const told = pair.client.events.filter(({ event }) => event.type === "stall");
        assertEquals(told.length, 1, context);
        const event = told[0]!.event;
        assert(event.type === "stall" && event.verdict === "SUSPENDED", context);
        assertGreaterOrEqual(event.span, HOUR - 80_000, context);
        assertLessOrEqual(event.span, HOUR + 1, context);
        assertLessOrEqual(told[0]!.at - wakes, 2_000, context);
        assertEquals(seen(pair.client, "clockStep"), [], context);
        // The peer hears of it.
        const confessed = pair.server.of("stall");
        assertEquals(confessed.map((stall) => [stall.verdict, stall.span]), [[
          "PEER_STALLED",
          Math.ceil(event.span),
        ]]);
      }
    });

    it("with a peer that is gone: SUSPENDED within 2 s of waking", () => {
      for (let seed = 1; seed <= 60; seed++) {
        const random = new Random(seed);
        const pair = sleepers(seed, random);
        live(pair, random);
        // What had just arrived is read when it wakes, and proves nothing.
        const wakes = pair.now + HOUR;
        pair.server.out.cut = true;
        if (seed % 3 === 0) {
          pair.server.out.queue = pair.server.out.queue.filter((item) => item.at < pair.now + 50);
        } else pair.server.out.queue = [];
        pair.client.out.cut = true;
        pair.suspend(pair.client, HOUR, standsStill, 0);
        pair.run(HOUR + 60_000, () => pair.client.destroyed);
        const context = `seed ${seed}`;
        assertEquals(verdict(pair.client), "SUSPENDED", context);
        assertLessOrEqual(pair.client.when("closed") - wakes, 2_000, context);
        assertGreaterOrEqual(pair.client.when("closed") - wakes, 1_000, context);
        assertEquals(seen(pair.client, "suspect"), ["suspect"], context);
      }
    });

    it("of both machines at once: both go on", () => {
      for (let seed = 1; seed <= 40; seed++) {
        const random = new Random(seed);
        const pair = sleepers(seed, random);
        const mean = live(pair, random);
        const latency = random.between(0, 300);
        for (const side of sides(pair)) pair.suspend(side, HOUR, standsStill, latency);
        pair.run(HOUR);
        chat(pair, random, 100_000, mean);
        for (const side of sides(pair)) {
          const context = `seed ${seed} ${side.name}`;
          assertEquals(verdict(side), "open", context);
          assertEquals(seen(side, "fault"), [], context);
        }
        // The client at least notices, for its patience is short. Two clocks that stood still alike look like two that were set.
        assertGreaterOrEqual(seen(pair.client, "stall", "clockStep").length, 1);
      }
    });
  });
}

describe("a wall clock that is set", () => {
  it("by days or seconds, with a living peer: one event, and nothing else", () => {
    for (let seed = 1; seed <= 96; seed++) {
      const random = new Random(seed);
      const pair = sleepers(seed, random);
      const mean = live(pair, random);
      const step = [DAY, -DAY, HOUR, -HOUR, 5_000, -5_000, 61_000, 101][seed % 8]!;
      const context = `seed ${seed} step ${step}`;
      for (const side of sides(pair)) side.events.length = 0;
      pair.client.wallOffset += step;
      chat(pair, random, 200_000, mean);
      for (const side of sides(pair)) {
        assertEquals(
          seen(side, "suspect", "alive", "stall", "fault", "closed"),
          [],
          `${context} ${side.name}`,
        );
      }
      assertEquals(pair.client.of("clockStep").map((event) => Math.round(event.step)), [step], context);
      assertEquals(seen(pair.server, "clockStep"), [], context);
      assertEquals(pair.client.connection.stats().clockSteps, 1);
    }
  });

  it("again and again, forth and back: never a suspicion, and the peer is not asked too often", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const pair = sleepers(seed, random);
      const mean = live(pair, random);
      for (const side of sides(pair)) side.events.length = 0;
      for (let i = 0; i < 60; i++) {
        const side = sides(pair)[random.between(0, 1)]!;
        side.wallOffset += [DAY, -DAY, HOUR, -HOUR][random.between(0, 3)]!;
        chat(pair, random, random.between(100, 2_500), mean);
      }
      chat(pair, random, 100_000, mean);
      for (const side of sides(pair)) {
        const context = `seed ${seed} ${side.name}`;
        assertEquals(seen(side, "suspect", "alive", "stall", "fault", "closed"), [], context);
        assertGreaterOrEqual(seen(side, "clockStep").length, 5, context);
      }
    }
  });

  it("slowly, by up to 100 ms at a time: nothing at all", () => {
    for (const slew of [100, -100, 0.25, -0.25]) {
      const random = new Random(7);
      const pair = sleepers(2, random);
      live(pair, random);
      for (const side of sides(pair)) side.events.length = 0;
      for (let i = 0; i < 400; i++) {
        pair.client.wallOffset += slew;
        pair.run(Math.abs(slew) === 100 ? 1_001 : 500);
      }
      for (const side of sides(pair)) {
        assertEquals(seen(side, "suspect", "alive", "stall", "clockStep", "fault", "closed"), [], `${slew}`);
      }
    }
  });

  it("is told apart from sleep by the peer's clock, also when both happen", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const pair = sleepers(seed, random);
      live(pair, random);
      pair.client.events.length = 0;
      if (seed % 2 === 0) pair.client.wallOffset += HOUR;
      else pair.suspend(pair.client, HOUR, true, 30);
      pair.run(HOUR + 10_000);
      const expected = seed % 2 === 0 ? ["clockStep"] : ["stall"];
      assertEquals(seen(pair.client, "stall", "clockStep"), expected, `seed ${seed}`);
    }
  });
});

/**
 * Heartbeat terms that change while connected: nobody is convicted or struck by terms that it has not read, and in the end both agree.
 *
 * Rules: virtual time, seeded. A way delays by less than what the terms of the moment bear.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual, assertThrows } from "@std/assert";
import type { HeartbeatTerms } from "../../core/terms.ts";
import { Pair, type Side } from "../support/pair.ts";
import { Random } from "../support/random.ts";
import { chat, DETECTORS, roads, seen, sides, talks, TURN, verdict } from "./scene.ts";

function someTerms(random: Random, least: number, multiplier: number): HeartbeatTerms {
  const terms: { interval?: number; multiplier?: number; minimumInterval?: number } = {};
  const longs = [least, 2 * least, 5 * least, 20 * least];
  if (random.fraction() < 0.7) terms.interval = longs[random.between(0, 3)]!;
  if (random.fraction() < 0.4) terms.minimumInterval = longs[random.between(0, 3)]!;
  if (random.fraction() < 0.4) terms.multiplier = random.between(multiplier, multiplier + 6);
  return terms;
}

/** One side's view mirrors the other's. */
function agree(pair: Pair, context: string): void {
  const [mine, theirs] = sides(pair).map((side) => side.connection.agreement!);
  assertEquals([mine!.txInterval, mine!.rxInterval], [theirs!.rxInterval, theirs!.txInterval], context);
  for (const side of sides(pair)) assertEquals(side.connection.retuning, false, context);
}

function unharmed(pair: Pair, context: string): void {
  for (const side of sides(pair)) {
    assertEquals(verdict(side), "open", `${context} ${side.name}`);
    assertEquals(seen(side, "fault", "goaway"), [], `${context} ${side.name}`);
  }
}

const retune = (pair: Pair, side: Side, terms: HeartbeatTerms): void =>
  pair.act(side, (connection, now) => connection.retune(terms, now));

describe("terms that change while connected", () => {
  for (const detector of DETECTORS) {
    it(`at random on both sides, over ways that hold back: no verdict, no strike, and both agree: ${detector}`, () => {
      let changes = 0;
      for (let seed = 1; seed <= 40; seed++) {
        const random = new Random(seed);
        const multiplier = random.between(3, 5);
        // `pause` forgives what the way may hold back, as an application on such a way would set it.
        const least = random.between(400, 1_500);
        const most = least * multiplier;
        const learns = detector === "fixed" ? {} : { detector, pause: most };
        const beat = { interval: least, multiplier, minimumInterval: 10, ...learns };
        const pair = Pair.open({ seed, client: { heartbeat: beat }, server: { heartbeat: beat } });
        // A round trip, a held-back segment and an interval fit into the least detection time.
        const way = least * (multiplier - 1.3) / 4;
        roads(pair, random, way, way / 4);
        const mean = [Infinity, 150][random.between(0, 1)]!;
        for (let i = 0; i < 60; i++) {
          for (const side of sides(pair)) {
            if (random.fraction() < 0.3) retune(pair, side, someTerms(random, least, multiplier));
            if (random.fraction() < 0.2) pair.act(side, (connection, now) => connection.ping(now));
            if (random.fraction() < 0.15) side.out.hold(pair.now + way * random.fraction());
          }
          chat(pair, random, random.between(1, [30, 3_000][random.between(0, 1)]!), mean);
        }
        unharmed(pair, `seed ${seed}`);
        chat(pair, random, 30 * 20 * least, Infinity);
        unharmed(pair, `seed ${seed} quiet`);
        agree(pair, `seed ${seed}`);
        for (const side of sides(pair)) changes += side.of("terms").length;
        const { idleDetectionBound } = pair.client.connection.agreement!;
        pair.cut();
        const cutAt = pair.now;
        pair.run(1_000_000, () => pair.client.destroyed);
        assertLessOrEqual(pair.client.when("closed") - cutAt, idleDetectionBound, `seed ${seed}`);
      }
      assertGreaterOrEqual(changes, 700);
    });

    it(`to a slower beat keep the promise of the last PING: ${detector}`, () => {
      for (let seed = 1; seed <= 40; seed++) {
        const random = new Random(seed);
        const beat = { interval: 200, multiplier: 3, minimumInterval: 10, detector };
        const pair = Pair.open({ seed, client: { heartbeat: beat }, server: { heartbeat: beat } });
        roads(pair, random, 60);
        pair.run(10_000);
        const side = sides(pair)[seed % 2]!;
        retune(pair, side, random.fraction() < 0.5 ? { interval: 20_000 } : { minimumInterval: 20_000 });
        pair.run(200_000);
        unharmed(pair, `seed ${seed}`);
        for (const side of sides(pair)) assertEquals(seen(side, "suspect"), [], `seed ${seed} ${side.name}`);
        retune(pair, side, { interval: 200, minimumInterval: 10 });
        pair.run(20_000);
        unharmed(pair, `seed ${seed} back`);
        agree(pair, `seed ${seed}`);
      }
    });
  }

  it("leave a multiplier of 1 its narrow room: an answer late in the interval begins no new one", () => {
    for (let seed = 1; seed <= 80; seed++) {
      const random = new Random(seed);
      const beat = { interval: 1_000, multiplier: 1, minimumInterval: 10 };
      const other = { interval: 1_000, multiplier: 6, minimumInterval: 10 };
      const pair = new Pair({ seed, client: { heartbeat: beat }, server: { heartbeat: other } });
      // The round trip is nearly an interval, and does not change.
      for (const side of sides(pair)) side.out.latency = random.between(100, 430);
      pair.run(3_000 + 1_000 * random.fraction());
      const changes: HeartbeatTerms[] = [
        { minimumInterval: 300 },
        { multiplier: 3 },
        { minimumInterval: 50 },
        {
          multiplier: 1,
        },
      ];
      for (const change of changes) {
        retune(pair, pair.client, change);
        pair.run(random.between(1, 4_000));
      }
      pair.run(10_000);
      unharmed(pair, `seed ${seed}`);
      agree(pair, `seed ${seed}`);
    }
  });

  it("by an application that never stops changing them are offered no faster than the peer takes", () => {
    const pair = Pair.open({
      client: { heartbeat: { interval: 1_000 } },
      server: { heartbeat: { interval: 1_000 } },
    });
    for (let i = 0; i < 3_000; i++) {
      retune(pair, pair.client, { interval: 1_000 + i % 7 });
      pair.run(5);
    }
    pair.run(10_000);
    unharmed(pair, "");
    agree(pair, "");
    assertEquals(pair.client.connection.agreement!.txInterval, 1_000 + 2_999 % 7);
  });
});

describe("an offer that the peer declines", () => {
  it("changes nothing on either side, is told, and nobody is struck", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const detector = DETECTORS[seed % 2]!;
      const pair = Pair.open({
        seed,
        client: { heartbeat: { interval: 2_000, multiplier: 3, minimumInterval: 10, detector } },
        server: {
          heartbeat: { interval: 2_000, multiplier: 3, minimumInterval: 10, maximumDetection: 7_000 },
        },
      });
      // Long enough for a sender at the declined pace to come too often.
      roads(pair, random, random.between(1, 1_200));
      pair.run(random.between(1, 10_000));
      const before = sides(pair).map((side) => side.connection.agreement);
      retune(
        pair,
        pair.client,
        [
          { interval: 100, multiplier: 100 },
          { interval: 3_000 },
          { multiplier: 200 },
          { interval: 30, multiplier: 255 },
        ][seed % 4]!,
      );
      const end = pair.now + 8_000;
      while (pair.now < end) {
        // The application asks as often as it is let.
        if (talks(pair, pair.client) && pair.client.connection.stats().pingsSent < 5_000) {
          try {
            pair.act(pair.client, (connection, now) => connection.ping(now));
          } catch { /* 64 are unanswered */ }
        }
        pair.run(20);
      }
      const context = `seed ${seed}`;
      unharmed(pair, context);
      assertEquals(
        pair.client.of("terms").map((event) => [event.by, event.accepted]),
        [["local", false]],
        context,
      );
      assertEquals(seen(pair.server, "terms"), [], context);
      assertEquals(sides(pair).map((side) => side.connection.agreement), before, context);
      // What it will bear it accepts afterwards.
      retune(pair, pair.client, { interval: 1_000, multiplier: 4 });
      pair.run(10_000);
      unharmed(pair, context);
      agree(pair, context);
      assertEquals(pair.server.connection.agreement!.rxDetection, 4_000);
    }
  });

  it("cannot slip in between: two offers that cross, each bearable alone", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed);
      const beat = { interval: 1_000, multiplier: 3, minimumInterval: 10, maximumDetection: 12_000 };
      const pair = Pair.open({ seed, client: { heartbeat: beat }, server: { heartbeat: beat } });
      roads(pair, random, 200);
      for (let i = 0; i < 4; i++) {
        const [one, other] = random.fraction() < 0.5 ? sides(pair) : [pair.server, pair.client];
        try {
          retune(pair, one!, { minimumInterval: random.between(10, 4_000) });
          pair.run(random.between(0, 300));
          retune(pair, other!, { multiplier: random.between(3, 12) });
        } catch { /* not bearable by now */ }
        pair.run(random.between(0, 300));
      }
      pair.run(30_000);
      unharmed(pair, `seed ${seed}`);
      agree(pair, `seed ${seed}`);
      for (const side of sides(pair)) {
        assertLessOrEqual(side.connection.agreement!.rxDetection, 12_000, `seed ${seed}`);
      }
    }
  });
});

describe("retune", () => {
  it("refuses what makes no sense, with a typed error, and changes nothing", () => {
    const pair = Pair.open({ client: { heartbeat: { maximumDetection: 60_000 } } });
    const before = pair.client.connection.agreement;
    const wrong: unknown[] = [
      null,
      7,
      { interval: 9 },
      { interval: 3_600_001 },
      { interval: 1.5 },
      { interval: "1000" },
      { interval: NaN },
      { multiplier: 0 },
      { multiplier: 256 },
      { minimumInterval: -1 },
      { tolerance: 3 },
      { minimumInterval: 30_000 },
    ];
    for (const terms of wrong) {
      const error = assertThrows(() => retune(pair, pair.client, terms as HeartbeatTerms));
      assertEquals((error as { code?: string }).code, "ERR_HEARTWIRE_OPTION", JSON.stringify(terms));
    }
    pair.run(1_000);
    assertEquals(pair.client.connection.agreement, before);
    assertEquals(seen(pair.client, "terms"), []);
  });

  it("before it is open, or when it ends, is a typed error; an offer that closing overtakes harms nobody", () => {
    const early = new Pair({ accepts: false });
    const notOpen = (pair: Pair, side: Side, context: string): void => {
      const error = assertThrows(() => retune(pair, side, { interval: 500 }));
      assertEquals((error as { code?: string }).code, "ERR_HEARTWIRE_NOT_OPEN", context);
    };
    notOpen(early, early.client, "greeting");
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed);
      const pair = Pair.open({ seed });
      roads(pair, random, 100);
      pair.server.consumes = false;
      pair.send(pair.client, "unfinished");
      pair.run(random.between(0, 200));
      const [one, other] = random.fraction() < 0.5 ? sides(pair) : [pair.server, pair.client];
      retune(pair, one!, { interval: 500 });
      pair.run(random.between(0, 150));
      if (talks(pair, other!)) pair.act(other!, (connection, now) => connection.close(0, "", now));
      if (random.fraction() < 0.5 && talks(pair, one!)) retune(pair, one!, { multiplier: 9 });
      pair.run(random.between(0, 150));
      for (const side of sides(pair)) {
        const { phase } = side.connection;
        if (phase === "answering" || phase === "closed") notOpen(pair, side, phase);
      }
      pair.act(pair.server, (connection, now) => connection.consumed(1, now));
      pair.run(20_000);
      for (const side of sides(pair)) assertEquals(verdict(side), "closed NONE", `seed ${seed} ${side.name}`);
      notOpen(pair, pair.client, "closed");
      assert(!pair.client.connection.retuning);
    }
  });

  it("holds the bound of what is agreed at the cut, with an offer open or not", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const detector = DETECTORS[seed % 2]!;
      const beat = { interval: 1_000, multiplier: 3, minimumInterval: 10, detector };
      const pair = Pair.open({ seed, client: { heartbeat: beat }, server: { heartbeat: beat } });
      roads(pair, random, 100);
      pair.run(30_000);
      retune(pair, pair.client, someTerms(random, 300, 3));
      pair.run(random.between(0, 250));
      pair.cut();
      const cutAt = pair.now;
      const bounds = sides(pair).map((side) => side.connection.agreement!.idleDetectionBound);
      pair.run(200_000, () => sides(pair).every((side) => side.destroyed));
      for (const [index, side] of sides(pair).entries()) {
        assertLessOrEqual(side.when("closed") - cutAt, bounds[index]! + TURN, `seed ${seed} ${side.name}`);
      }
    }
  });
});

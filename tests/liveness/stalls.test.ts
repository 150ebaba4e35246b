/**
 * A process that does not run for a while: its own stall is not the peer's silence, the peer's stall is confessed, and whoever is always
 * slow finds a dead peer all the same.
 *
 * Rules: virtual time, seeded; bounds are those of `agreement`.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { Pair } from "../support/pair.ts";
import { Random } from "../support/random.ts";
import { chat, DETECTORS, roads, seen, sides, TURN, verdict } from "./scene.ts";

/** A peer that gives us much time, and to which we give 3 s. */
const PATIENT = { heartbeat: { interval: 1_000, multiplier: 30 } } as const;

describe("a stall of this process", () => {
  for (const detector of DETECTORS) {
    it(`of 10 s convicts nobody in 500 runs of 3 s detection: ${detector}`, () => {
      for (let seed = 1; seed <= 500; seed++) {
        const random = new Random(seed);
        const pair = Pair.open({
          seed,
          client: { heartbeat: { interval: 1_000, multiplier: 30, detector } },
          server: { heartbeat: { interval: 1_000, multiplier: 3 } },
        });
        roads(pair, random, 300, random.between(0, 1) * 30);
        pair.client.bytesFirst = random.fraction() < 0.5;
        const mean = [Infinity, 300, 2_000][random.between(0, 2)]!;
        chat(pair, random, random.between(0, detector === "fixed" ? 3_000 : 30_000), mean);
        for (let stalls = random.between(1, 3); stalls > 0; stalls--) {
          pair.client.stall(stalls === 1 ? 10_000 : random.between(20, 12_000), pair.now);
          chat(pair, random, random.between(2, 16_000), mean);
        }
        chat(pair, random, 12_000, mean);
        for (const side of sides(pair)) assertEquals(verdict(side), "open", `seed ${seed} ${side.name}`);
        const told = pair.client.of("stall").filter((event) => event.verdict === "SUSPENDED");
        assertGreaterOrEqual(told.length, 1, `seed ${seed}`);
      }
    });
  }

  it("does not hide a peer that died meanwhile", () => {
    const beat = { interval: 1_000, multiplier: 3 };
    const pair = Pair.open({ client: { heartbeat: beat }, server: { heartbeat: beat } });
    pair.run(1_000);
    pair.cut();
    pair.client.stalledUntil = pair.now + 10_000;
    const wakes = pair.client.stalledUntil;
    pair.run(60_000);
    // Asked when it ran again, the peer had a second to answer.
    assertLessOrEqual(pair.client.when("closed"), wakes + 1_000 + 2 * TURN);
    assertEquals(verdict(pair.client), "SUSPENDED");
  });

  it("in the turn before a verdict gives another turn: what waits then is read first", () => {
    const pair = Pair.open({ client: PATIENT, server: { heartbeat: { interval: 1_000, multiplier: 3 } } });
    pair.run(5_000);
    pair.server.out.hold(Infinity);
    const overdue = (): boolean => pair.client.connection.stats(pair.now).detection!.convictIn <= 0;
    pair.run(4_000, overdue);
    assert(overdue() && pair.client.connection.deadline() - pair.now <= TURN);
    pair.client.stall(5_000, pair.now);
    pair.run(5_000.5);
    // The peer was asked, and answers while this process stalls again, past the time that it has.
    const { queue } = pair.server.out;
    pair.server.out.heldUntil = 0;
    for (const item of queue) item.at = pair.now + 500;
    pair.client.stall(2_000, pair.now);
    pair.run(30_000);
    assertEquals(verdict(pair.client), "open");
    assertEquals(seen(pair.client, "suspect", "alive").at(-1), "alive");
  });

  it("inside a frame gives the rest of it its time", () => {
    for (const sleeps of [false, true]) {
      const pair = Pair.open({ client: PATIENT, server: { heartbeat: { interval: 1_000, multiplier: 3 } } });
      pair.server.takes = 1_000;
      pair.server.out.rate = 16;
      pair.act(pair.server, (connection, now) => connection.send(new Uint8Array(16_000), now));
      pair.run(500);
      assertEquals(pair.client.messages.length, 0);
      // Longer than a frame may take; the rest comes some time behind it.
      if (sleeps) pair.suspend(pair.client, 17_000, false, 800);
      else pair.client.stall(17_000, pair.now);
      pair.run(30_000);
      assertEquals(verdict(pair.client), "open", `${sleeps}`);
      assertEquals(pair.client.messages.length, 1);
    }
  });

  it("past the time of a closing exchange reads the CLOSE that waits", () => {
    for (const bytesFirst of [false, true]) {
      const pair = Pair.open({ client: PATIENT, server: PATIENT });
      pair.client.bytesFirst = bytesFirst;
      pair.act(pair.client, (connection, now) => connection.close(0, "", now));
      pair.client.stall(7_000, pair.now);
      pair.run(20_000);
      for (const side of sides(pair)) assertEquals(verdict(side), "closed NONE", side.name);
    }
  });

  it("is told with its span, and takes no sample of what waited", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new Random(seed);
      const detector = DETECTORS[seed % 2]!;
      const pair = Pair.open({
        seed,
        client: { heartbeat: { ...PATIENT.heartbeat, detector } },
        server: PATIENT,
      });
      roads(pair, random, 100);
      const { latency } = pair.client.out;
      const rtt = latency + pair.server.out.latency;
      pair.client.bytesFirst = seed % 3 === 0;
      pair.run(40_000 + 1_000 * random.fraction());
      const before = pair.client.connection.stats();
      const span = random.between(1_500, 15_000);
      pair.client.stall(span, pair.now);
      pair.run(span + 4_000);
      const after = pair.client.connection.stats();
      const told = pair.client.of("stall");
      assertEquals(told.map((event) => event.verdict), ["LOCAL_STALLED"], `seed ${seed}`);
      // It was to run at some moment of the last interval.
      assertLessOrEqual(told[0]!.span, span);
      assertGreaterOrEqual(told[0]!.span, span - 1_000);
      assertEquals(after.stalledFor, told[0]!.span);
      assertLessOrEqual(Math.abs(after.rtt!.last - rtt), 0.2);
      assertLessOrEqual(after.rtt!.smoothed, Math.max(rtt, before.rtt!.smoothed) + 0.2);
      assertLessOrEqual(after.rtt!.deviation, before.rtt!.deviation);
      assertLessOrEqual(after.oneWay!.inbound.excess, before.oneWay!.inbound.excess + 0.3);
      const lateness = after.detection!.lateness;
      if (lateness !== null) {
        assertLessOrEqual(lateness.deviation, before.detection!.lateness!.deviation + 0.1);
      }
      assertEquals(seen(pair.server, "suspect", "fault"), [], `seed ${seed}`);
    }
  });
});

describe("a stall of the peer", () => {
  for (const detector of DETECTORS) {
    it(`below the bound kills nobody, is told afterwards, and is in no measure: ${detector}`, () => {
      let suspected = 0;
      for (let seed = 1; seed <= 150; seed++) {
        const random = new Random(seed);
        // A pause that forgives what the fixed detector forgives, for the peer stalls without having warned.
        const pair = Pair.open({
          seed,
          client: {
            heartbeat: {
              interval: 1_000,
              multiplier: 8,
              ...(detector === "fixed" ? {} : { detector, pause: 8_000 }),
            },
          },
          server: { heartbeat: { interval: 1_000, multiplier: 8 } },
        });
        roads(pair, random, 150);
        pair.server.bytesFirst = random.fraction() < 0.5;
        pair.run(30_000 + 1_000 * random.fraction());
        const { rxDetection } = pair.client.connection.agreement!;
        const before = pair.client.connection.stats();
        const rtt = pair.client.out.latency + pair.server.out.latency;
        // Below the bound: one interval, the way, and what was said before count too.
        const span = random.between(1_500, rxDetection - 1_000 - 400);
        pair.server.stall(span, pair.now);
        pair.run(span + 3_000);
        const context = `seed ${seed} span ${span}`;
        for (const side of sides(pair)) assertEquals(verdict(side), "open", context);
        const told = pair.client.of("stall");
        assertEquals(told.map((event) => event.verdict), ["PEER_STALLED"], context);
        assertLessOrEqual(told[0]!.span, span + 1, context);
        assertGreaterOrEqual(told[0]!.span, span - 1_000, context);
        assertEquals(told[0]!.span, Math.ceil(pair.server.of("stall")[0]!.span), context);
        const marks = seen(pair.client, "suspect", "alive", "stall");
        if (marks.includes("suspect")) {
          suspected++;
          // Once more if the evidence points elsewhere meanwhile.
          assertEquals(marks.filter((type) => type !== "stall").at(-1), "alive", context);
          assertEquals(marks.filter((type) => type === "alive").length, 1, context);
          assert(pair.client.when("stall") >= pair.client.when("alive"), context);
        }
        const after = pair.client.connection.stats();
        assertLessOrEqual(Math.abs(after.rtt!.last - rtt), 0.2, context);
        assertLessOrEqual(after.rtt!.smoothed, Math.max(rtt, before.rtt!.smoothed) + 0.2, context);
        assertLessOrEqual(after.rtt!.deviation, before.rtt!.deviation, context);
        for (const way of ["inbound", "outbound"] as const) {
          assertLessOrEqual(after.oneWay![way].excess, before.oneWay![way].excess + 0.3, context);
        }
        if (detector === "accrual") {
          const { deviation, samples } = after.detection!.lateness!;
          assertLessOrEqual(deviation, before.detection!.lateness!.deviation + 0.1, context);
          assertGreaterOrEqual(samples, before.detection!.lateness!.samples, context);
        }
      }
      assertGreaterOrEqual(suspected, 10);
    });
  }
});

describe("a process that is always slow", () => {
  for (const detector of DETECTORS) {
    it(`finds a dead peer within the bound, the deferral and two stalls, and convicts no living one: ${detector}`, () => {
      for (let seed = 1; seed <= 150; seed++) {
        const random = new Random(seed);
        const pair = Pair.open({
          seed,
          client: { heartbeat: { interval: random.between(200, 2_000), multiplier: 30, detector } },
          server: { heartbeat: { interval: random.between(200, 2_000), multiplier: random.between(2, 5) } },
        });
        roads(pair, random, 100);
        const { rxDetection, idleDetectionBound, deferralCap, txDetection } = pair.client.connection
          .agreement!;
        // Stalls shorter and longer than the detection time, but none for which the peer would rightly give us up.
        const longest = Math.min(txDetection / 3, [0.3, 0.9, 2, 5][random.between(0, 3)]! * rxDetection);
        const pause = [1, 60, 300, 1_500][random.between(0, 3)]!;
        pair.client.nextStall = () => ({
          span: longest * (0.5 + random.fraction() / 2),
          pause: pause * random.fraction(),
        });
        pair.client.bytesFirst = random.fraction() < 0.5;
        pair.client.stallAt = pair.now;
        pair.run(40 * longest + 10_000);
        const context = `seed ${seed} D ${rxDetection} stalls ${longest} pause ${pause}`;
        for (const side of sides(pair)) assertEquals(verdict(side), "open", `${context} ${side.name}`);
        assertEquals(seen(pair.server, "fault"), [], context);
        pair.cut();
        const cutAt = pair.now;
        pair.run(60_000 + 20 * longest, () => pair.client.destroyed);
        const grace = longest > rxDetection ? Math.max(1_000, 3 * 300) : 0;
        assertLessOrEqual(
          pair.client.when("closed") - cutAt,
          idleDetectionBound + deferralCap + grace + 2 * longest + 2 * TURN,
          context,
        );
      }
    });
  }
});

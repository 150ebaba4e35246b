/**
 * How often a peer may ask: who keeps to it is never struck, however the way bunches what he sent, and who does not is told both values.
 *
 * Rules: virtual time, seeded.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual, assertMatch } from "@std/assert";
import { ANSWER } from "../../core/wire/registry.ts";
import { params, ping, pong, Subject } from "../support/crafted.ts";
import { Pair, type Side } from "../support/pair.ts";
import { Random } from "../support/random.ts";
import { chat, DETECTORS, roads, seen, sides, talks, verdict } from "./scene.ts";

describe("both sides asking as often as they may", () => {
  for (const traffic of [Infinity, 20]) {
    it(`are never struck, and every ping() is answered in time: ${traffic === Infinity ? "idle" : "with traffic"}`, () => {
      let asked = 0;
      for (let seed = 1; seed <= 60; seed++) {
        const random = new Random(seed);
        const heartbeat = () => ({
          interval: random.between(50, 1_000),
          multiplier: random.between(2, 6),
          minimumInterval: random.between(10, 500),
        });
        const pair = Pair.open({
          seed,
          client: { heartbeat: heartbeat() },
          server: { heartbeat: heartbeat() },
        });
        roads(pair, random, 30, 5);
        /** What was promised to whom: the sequence, and by when it has to be answered. */
        const promised = new Map<Side, Map<number, number>>(sides(pair).map((side) => [side, new Map()]));
        const late: string[] = [];
        for (const side of sides(pair)) {
          const open = promised.get(side)!;
          side.onEvent = (event) => {
            if (event.type !== "pong") return;
            const by = open.get(event.sequence);
            open.delete(event.sequence);
            if (by !== undefined && pair.now > by) late.push(`${event.sequence} ${pair.now - by}`);
          };
        }
        const rtt = 2 * (30 + 5) + 1;
        const end = pair.now + 20_000;
        while (pair.now < end) {
          for (const side of sides(pair)) {
            if (random.fraction() < 0.5) continue;
            const sequence = pair.act(side, (connection, now) => connection.ping(now));
            const open = promised.get(side)!;
            const by = pair.now + 1.1 * side.connection.agreement!.txInterval + rtt;
            if (!open.has(sequence)) open.set(sequence, by);
            asked++;
          }
          chat(pair, random, random.between(1, 60), traffic);
        }
        for (const side of sides(pair)) {
          const context = `seed ${seed} ${side.name}`;
          assertEquals(verdict(side), "open", context);
          assertEquals(seen(side, "fault", "suspect", "goaway"), [], context);
          for (const [sequence, by] of promised.get(side)!) {
            assert(by > pair.now, `${context}: ${sequence} unanswered`);
          }
        }
        assertEquals(late, [], `seed ${seed}`);
      }
      assertGreaterOrEqual(asked, 20_000);
    });
  }

  it("are never struck for what a stall on the way released at once", () => {
    for (let seed = 1; seed <= 120; seed++) {
      const random = new Random(seed);
      const beat = {
        interval: random.between(50, 1_000),
        multiplier: random.between(2, 8),
        minimumInterval: 10,
      };
      const detector = DETECTORS[seed % 2]!;
      const learns = detector === "fixed" ? {} : { detector, pause: beat.interval * beat.multiplier };
      const heartbeat = { ...beat, ...learns };
      const pair = Pair.open({ seed, client: { heartbeat }, server: { heartbeat } });
      roads(pair, random, beat.interval / 10, beat.interval / 20);
      const { rxDetection } = pair.client.connection.agreement!;
      for (let i = 0; i < 400; i++) {
        for (const side of sides(pair)) {
          if (!talks(pair, side)) continue;
          try {
            if (random.fraction() < 0.9) pair.act(side, (connection, now) => connection.ping(now));
          } catch { /* 64 are unanswered */ }
          // As long as it can be without a verdict, one way at a time: a question and its answer share one detection time.
          const held = rxDetection - 1.2 * beat.interval;
          if (
            random.fraction() < 0.03 && sides(pair).every(({ out }) => pair.now > out.heldUntil + rxDetection)
          ) {
            side.out.hold(pair.now + held);
          }
        }
        pair.run(beat.interval * random.fraction() / 3);
      }
      for (const side of sides(pair)) {
        assertEquals(verdict(side), "open", `seed ${seed} ${side.name}`);
        assertEquals(seen(side, "fault", "goaway"), [], `seed ${seed} ${side.name}`);
      }
    }
  });
});

describe("a flooder", () => {
  const options = { options: { heartbeat: { interval: 10_000, minimumInterval: 100 } } };

  it("is told GOAWAY with both values, then ERROR, and nothing else", () => {
    for (const role of ["client", "server"] as const) {
      for (const gap of [0, 1, 7, 40, 70]) {
        const subject = Subject.open(role, options, { desiredTx: 100, multiplier: 3 });
        let sequence = role === "server" ? 1 : 0;
        for (let i = 0; i < 5_000 && !subject.over; i++) {
          subject.pass(gap).give(
            ping(++sequence, { timestamp: Math.round(subject.now * 10), flags: ANSWER }),
          );
        }
        assertEquals(subject.reason.code, "PING_TOO_FAST", `${role} ${gap}`);
        assertEquals(subject.of("fault").map((fault) => fault.fatal), [false, false, false, true]);
        assertEquals(subject.kinds.slice(-2), ["goaway", "error"]);
        const [goaway] = subject.ofKind("goaway");
        assertEquals([goaway!.scope, goaway!.code], [0, 40]);
        const found = /PINGs every ([\d.]+) ms, agreed is one in ([\d.]+) ms/.exec(goaway!.text);
        assert(found !== null, goaway!.text);
        assertEquals(Number(found[2]), 75);
        assertLessOrEqual(Math.abs(Number(found[1]) - gap), 0.5, goaway!.text);
        assertMatch(subject.ofKind("error")[0]!.text, /PINGs every/);
        // Four strikes and the eleven that a bucket holds, and what came back meanwhile.
        const most = Math.ceil((15 + 1) / (1 - gap / 75)) + 2;
        assertLessOrEqual(sequence, most, `${role} ${gap}`);
      }
    }
  });

  it("at the very pace is no flooder", () => {
    const subject = Subject.open("client", options, { desiredTx: 100, multiplier: 1 });
    let answered = 0;
    for (let i = 1; i <= 2_000; i++) {
      const timestamp = Math.round(subject.pass(75).now * 10);
      subject.give(ping(i, { timestamp }));
      const asked = subject.ofKind("ping");
      if (asked.length > answered) subject.give(pong(asked[answered++]!.sequence, { timestamp }));
    }
    assertEquals(subject.over, false);
    assertEquals(subject.of("fault"), []);
  });

  it("disturbs nobody: answers are not policed, and an offer of another pace does not wash clean", () => {
    // Thousands of PONGs: each answers an open question or is PONG_UNMATCHED, never PING_TOO_FAST.
    const subject = Subject.open(
      "client",
      { options: { heartbeat: { interval: 10, minimumInterval: 10 } } },
      {
        requiredRx: 10,
      },
    );
    for (let i = 0; i < 3_000; i++) {
      subject.pass(2);
      for (const { sequence } of subject.ofKind("ping").slice(-1)) {
        if (i % 2 === 0) subject.give(pong(sequence, { timestamp: Math.round(subject.now * 10) }));
      }
      if (subject.over) break;
    }
    for (const fault of subject.of("fault")) assertEquals(fault.code, "PONG_UNMATCHED");
    const washer = Subject.open("client", options, { desiredTx: 1_000, multiplier: 3 });
    let serial = 0;
    let sequence = 0;
    for (let i = 0; i < 400 && !washer.over; i++) {
      washer.pass(20);
      washer.give(params(++serial, { desiredTx: i % 2 === 0 ? 1_000 : 900 }));
      if (!washer.over) washer.give(ping(++sequence, { timestamp: Math.round(washer.now * 10) }));
    }
    assertEquals(washer.reason.code, "PING_TOO_FAST");
    assertLessOrEqual(sequence, 30);
  });
});

describe("a process that stalls", () => {
  it("reads what waited and strikes nobody, but gives a flooder no more than that time", () => {
    const subject = Subject.open("client", {
      options: { heartbeat: { interval: 10_000, minimumInterval: 100 } },
    }, {
      desiredTx: 100,
      multiplier: 3,
    });
    subject.pass(250).give(ping(1, { timestamp: Math.round(subject.now * 10) }));
    // Timers were due within its detection time, 300 ms; it does not run for 60 s.
    const begin = subject.now;
    subject.now += 60_000;
    const waited = Math.floor(60_000 / 75);
    for (let i = 0; i < waited; i++) {
      subject.give(ping(2 + i, { timestamp: Math.round((begin + i * 75) * 10) }));
    }
    assertEquals(subject.of("fault"), []);
    let more = 0;
    while (!subject.over && more < 1_000) {
      subject.give(ping(2 + waited + more++, { timestamp: Math.round(subject.now * 10) }));
    }
    assertLessOrEqual(more, 11 + 1 + 4);
    assertEquals(subject.reason.code, "PING_TOO_FAST");
  });
});

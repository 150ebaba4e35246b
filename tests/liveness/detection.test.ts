/**
 * A dead peer is found inside the stated bound, never before it, and a living one is never convicted.
 *
 * Rules: virtual time; every figure is checked against `agreement`, which is what an application is told.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { Pair, type Side } from "../support/pair.ts";
import { Random } from "../support/random.ts";

/** One turn of the driver's loop, ms, and the latency both ways, ms. */
const TURN = 1;

function heartbeat(random: Random): { interval: number; multiplier: number; minimumInterval: number } {
  return {
    interval: random.between(10, 2_000),
    multiplier: random.between(2, 6),
    minimumInterval: random.between(10, 300),
  };
}

/** An open pair whose sides beat as they happen to. */
function anyPair(random: Random, seed: number): Pair {
  return Pair.open({
    client: { heartbeat: heartbeat(random) },
    server: { heartbeat: heartbeat(random) },
    seed,
  });
}

function verdict(side: Side): string {
  const reason = side.of("closed")[0]?.reason;
  return reason?.kind === "dead" ? reason.evidence.verdict : `${reason?.kind}`;
}

describe("detection", () => {
  it("finds a silent cut within the bound on both sides, and suspects before", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const pair = anyPair(random, seed);
      pair.run(random.between(0, 20_000));
      pair.cut();
      const cutAt = pair.now;
      pair.run(60_000, () => pair.client.destroyed && pair.server.destroyed);
      for (const side of [pair.client, pair.server]) {
        const { idleDetectionBound: detectionBound, rxDetection, probeDetection } = side.connection
          .agreement!;
        const took = side.when("closed") - cutAt;
        const context = `seed ${seed} ${side.name} took ${took} of ${detectionBound}`;
        assertLessOrEqual(took, detectionBound, context);
        // Never before: what was heard last came at most a beat before the cut.
        const evidence = side.of("closed")[0]!.reason;
        assert(evidence.kind === "dead", context);
        assertGreaterOrEqual(evidence.evidence.silentFor, Math.min(rxDetection, probeDetection), context);
        assertEquals(verdict(side), "INBOUND_SILENT", context);
        assertLessOrEqual(side.when("suspect"), side.when("closed"), context);
        assertEquals(side.connection.socketAction(), "destroy");
      }
    }
  });

  it("finds a silent cut within the other bound while both sides send all the time", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const pair = anyPair(random, seed);
      const sides = [pair.client, pair.server];
      const talk = (span: number): void => {
        const end = pair.now + span;
        while (pair.now < end && !sides.every((side) => side.destroyed)) {
          for (const side of sides) if (side.connection.phase === "open") pair.send(side, "busy");
          pair.run(5);
        }
      };
      talk(random.between(0, 5_000));
      pair.cut();
      const cutAt = pair.now;
      talk(60_000);
      for (const side of sides) {
        const { detectionBound } = side.connection.agreement!;
        const took = side.when("closed") - cutAt;
        assertLessOrEqual(
          took,
          detectionBound,
          `seed ${seed} ${side.name} took ${took} of ${detectionBound}`,
        );
      }
    }
  });

  it("never convicts or suspects a living peer on a link with delay below a third of the detection time", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const pair = anyPair(random, seed);
      const { rxDetection, txDetection, txInterval, rxInterval } = pair.client.connection.agreement!;
      // Two thirds of the detection time minus the interval is what delay may take before a suspicion.
      const room = Math.min(rxDetection, txDetection) * 2 / 3 -
        Math.max(txInterval * (rxDetection < txDetection ? 0 : 0), 0);
      const latency = Math.max(0.5, (room - Math.max(rxInterval, txInterval)) / 2.5);
      if (room <= Math.max(rxInterval, txInterval)) continue;
      for (const side of [pair.client, pair.server]) side.out.latency = Math.min(latency, 200);
      pair.run(120_000);
      for (const side of [pair.client, pair.server]) {
        assertEquals(side.of("suspect").length, 0, `seed ${seed} ${side.name}`);
        assertEquals(side.connection.phase, "open", `seed ${seed}`);
      }
    }
  });

  /** A peer, or a proxy before it, that stopped reading and whose own timers do not run, but that goes on talking. */
  function talkWithoutReading(pair: Pair, span: number): void {
    pair.server.stalledUntil = Infinity;
    const end = pair.now + span;
    while (pair.now < end && !pair.client.destroyed) {
      pair.run(20);
      pair.send(pair.server, "still here");
    }
  }

  it("finds a peer that talks but does not read: OUTBOUND_DEAD", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const beat = { interval: 100, multiplier: 3 };
      const pair = Pair.open({ client: { heartbeat: beat }, server: { heartbeat: beat }, seed });
      pair.run(new Random(seed).between(0, 1_000));
      const deafAt = pair.now;
      talkWithoutReading(pair, 5_000);
      const { txInterval, probeDetection } = pair.client.connection.agreement!;
      assertLessOrEqual(
        pair.client.when("closed") - deafAt,
        3 * txInterval + probeDetection + TURN,
        `seed ${seed}`,
      );
      assertEquals(verdict(pair.client), "OUTBOUND_DEAD");
      assertEquals(pair.client.of("suspect")[0]?.evidence.direction, "outbound");
    }
  });

  it("calls it LOCAL_BACKLOG when the transport never took the probe", () => {
    const beat = { interval: 100, multiplier: 3 };
    const pair = Pair.open({ client: { heartbeat: beat }, server: { heartbeat: beat } });
    pair.client.takes = 0;
    const stuckAt = pair.now;
    talkWithoutReading(pair, 5_000);
    assertEquals(verdict(pair.client), "LOCAL_BACKLOG");
    assertLessOrEqual(pair.client.when("closed") - stuckAt, 3 * 100 + 300 + TURN);
  });

  it("a one-way cut is found by both ends, each for its own direction", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const beat = { interval: 100, multiplier: 3 };
      const pair = Pair.open({ client: { heartbeat: beat }, server: { heartbeat: beat }, seed });
      pair.client.out.cut = true;
      pair.client.out.queue = [];
      const cutAt = pair.now;
      pair.run(5_000);
      assertEquals(verdict(pair.server), "INBOUND_SILENT");
      // The server destroys its socket; the client may see that end before its own verdict.
      assertLessOrEqual(pair.server.when("closed") - cutAt, 300 + TURN, `seed ${seed}`);
      assertLessOrEqual(pair.client.when("closed") - cutAt, 3 * 100 + 300 + TURN, `seed ${seed}`);
    }
  });

  it("bytes that arrive prove the outbound path when answers are slow", () => {
    // 100 kB/s, and a megabyte is sent ahead of each probe: the answer takes 10 s, the detection 3 s.
    const beat = { interval: 1_000, multiplier: 3 };
    const pair = Pair.open({ client: { heartbeat: beat }, server: { heartbeat: beat } });
    pair.client.out.rate = 100;
    const message = new Uint8Array(900_000);
    for (let i = 0; i < 3; i++) {
      pair.act(pair.client, (connection, now) => connection.send(message, now));
      pair.run(20_000);
    }
    assertEquals(pair.client.connection.phase, "open");
    assertEquals(pair.server.messages.length, 3);
    assertEquals(pair.client.of("suspect").length, 0);
  });

  it("sends a probe at the latest every three intervals while traffic flows both ways", () => {
    const pair = Pair.open({ client: { heartbeat: { interval: 100, multiplier: 3 } } });
    const begin = pair.now;
    while (pair.now < begin + 30_000) {
      pair.run(10);
      pair.send(pair.client, "a");
      pair.send(pair.server, "b");
    }
    const { pingsSent, pingsAnswered } = pair.client.connection.stats();
    assertGreaterOrEqual(pingsSent, 100);
    assertLessOrEqual(pingsSent, 110);
    assertGreaterOrEqual(pingsAnswered, pingsSent - 1);
    const pongs = pair.client.events.filter((seen) => seen.event.type === "pong").map((seen) => seen.at);
    for (let i = 1; i < pongs.length; i++) assertLessOrEqual(pongs[i]! - pongs[i - 1]!, 3 * 100 + 3);
  });

  it("keeps the beat: no gap between frames above the agreed interval", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pair = Pair.open({
        seed,
        client: { heartbeat: { interval: 500 } },
        server: { heartbeat: { interval: 700 } },
      });
      for (const side of [pair.client, pair.server]) {
        const { txInterval } = side.connection.agreement!;
        let last = pair.now;
        let before = side.sent;
        for (let i = 0; i < 20_000; i++) {
          pair.run(1);
          if (side.sent === before) continue;
          before = side.sent;
          assertLessOrEqual(pair.now - last, txInterval + 1, `seed ${seed}`);
          last = pair.now;
        }
        assertLessOrEqual(pair.now - last, txInterval + 1);
      }
    }
  });

  it("a suspicion ends with the evidence that was missing", () => {
    const beat = { interval: 1_000, multiplier: 4 };
    const pair = Pair.open({ client: { heartbeat: beat }, server: { heartbeat: beat } });
    pair.run(5_000);
    // 2.8 s of delay, then everything at once: what TCP makes of a burst of loss. Suspicion comes at 2.67 s.
    pair.server.out.latency = 2_800;
    pair.run(2_500);
    pair.server.out.latency = 1;
    pair.run(60_000);
    assertGreaterOrEqual(pair.client.of("suspect").length, 1);
    assertEquals(pair.client.of("alive").length, pair.client.of("suspect").length);
    for (const side of [pair.client, pair.server]) assertEquals(side.connection.phase, "open", side.name);
  });
});

describe("unfinished frames", () => {
  const beat = { interval: 1_000, multiplier: 3 };

  it("a flipped length does not swallow heartbeats for ever", () => {
    const pair = Pair.open({ client: { heartbeat: beat }, server: { heartbeat: beat } });
    // From now on the client sees one frame of 16,000 bytes that never ends, fed by the server's heartbeats.
    let first = true;
    pair.server.out.tamper = (bytes) => {
      if (!first) return bytes;
      first = false;
      return Uint8Array.of(0x7e, 0x80, ...bytes);
    };
    const begin = pair.now;
    pair.run(60_000, () => pair.client.destroyed);
    assert(
      ["SLOW", "CORRUPT", "INBOUND_SILENT", "OUTBOUND_DEAD"].includes(verdict(pair.client)),
      verdict(pair.client),
    );
    // 16 KiB at the least rate, 1,024 bytes a second, from the first beat on.
    assertLessOrEqual(pair.client.when("closed") - begin, 16_000 + 1_000 + TURN);
  });

  it("one byte at a time just in time does not keep a connection", () => {
    const pair = Pair.open({
      client: { heartbeat: { interval: 1_000, multiplier: 3 } },
      server: { heartbeat: { interval: 600_000, multiplier: 1 } },
    });
    const { connection } = pair.client;
    const begin = pair.now;
    pair.server.out.cut = true;
    // Answers to probes are kept away too; the frame claims 16,000 bytes and gets one a second.
    pair.act(pair.client, (c, now) => c.receive(Uint8Array.of(0x7e, 0x80), now));
    while (connection.reason === null && pair.now < begin + 700_000) {
      pair.run(1_000);
      if (connection.reason === null) pair.act(pair.client, (c, now) => c.receive(Uint8Array.of(0), now));
    }
    assertLessOrEqual(pair.client.when("closed") - begin, 16_000 + 1_000 + TURN);
  });
});

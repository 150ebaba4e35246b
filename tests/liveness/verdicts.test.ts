/**
 * What failed, and in which direction: the verdict of each way to die, inside the bound that the agreement states, with both detectors.
 *
 * Rules: virtual time, 1,000 seeds in all.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import type { Evidence } from "../../core/events.ts";
import { Pair, type Side } from "../support/pair.ts";
import { Random } from "../support/random.ts";
import { chat, DETECTORS, roads, seen, sides, TURN, verdict } from "./scene.ts";

const SEEDS = 200;

/** A pair that has lived a while, sometimes with traffic; what it is sent then is the same. */
function lived(seed: number): { pair: Pair; random: Random; mean: number } {
  const random = new Random(seed);
  const heartbeat = (side: number) => ({
    interval: random.between(50, 2_000),
    multiplier: random.between(2, 6),
    minimumInterval: random.between(10, 300),
    detector: DETECTORS[(seed >> side) % 2]!,
  });
  const pair = Pair.open({ seed, client: { heartbeat: heartbeat(0) }, server: { heartbeat: heartbeat(1) } });
  const least = Math.min(...sides(pair).map((side) => side.connection.agreement!.txInterval));
  roads(pair, random, Math.min(100, least / 10), Math.min(10, least / 20));
  const mean = [Infinity, 40][random.between(0, 1)]!;
  chat(pair, random, random.between(1_000, 30_000), mean);
  for (const side of sides(pair)) assertEquals(verdict(side), "open", `seed ${seed}`);
  return { pair, random, mean };
}

function evidence(side: Side): Evidence {
  const { reason } = side.of("closed")[0]!;
  assert(reason.kind === "dead", `${side.name} ${reason.kind}`);
  return reason.evidence;
}

/** Each end comes behind a suspicion of the same direction, and says how long it waited. */
function sound(side: Side, context: string): void {
  const { direction, silentFor, limit, deferred } = evidence(side);
  const last = side.of("suspect").at(-1);
  assert(last !== undefined, context);
  assertEquals(last.evidence.direction, direction, context);
  assertGreaterOrEqual(silentFor, limit, context);
  assertEquals(deferred, 0, context);
}

describe("the verdict on", () => {
  it("a cut in both directions is INBOUND_SILENT on both sides", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { pair, random, mean } = lived(seed);
      pair.cut();
      const cutAt = pair.now;
      chat(pair, random, 60_000, mean, () => sides(pair).every((side) => side.destroyed));
      for (const side of sides(pair)) {
        const context = `seed ${seed} ${side.name}`;
        assertEquals([verdict(side), evidence(side).direction], ["INBOUND_SILENT", "inbound"], context);
        const { idleDetectionBound, detectionBound } = side.connection.agreement!;
        assertLessOrEqual(
          side.when("closed") - cutAt,
          mean === Infinity ? idleDetectionBound : detectionBound,
          context,
        );
        sound(side, context);
      }
    }
  });

  it("a peer that goes on talking but does not read is OUTBOUND_DEAD", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { pair, random } = lived(seed);
      const { txInterval, probeDetection, rxDetection } = pair.client.connection.agreement!;
      // Its judgement does not run either: a live one would end the connection itself.
      pair.server.stalledUntil = Infinity;
      const deafAt = pair.now;
      while (!pair.client.destroyed && pair.now < deafAt + 60_000) {
        pair.run(Math.min(20, rxDetection / 10) * random.fraction());
        if (!pair.client.destroyed) pair.send(pair.server, "still here");
      }
      const context = `seed ${seed}`;
      assertEquals(
        [verdict(pair.client), evidence(pair.client).direction],
        ["OUTBOUND_DEAD", "outbound"],
        context,
      );
      assertLessOrEqual(pair.client.when("closed") - deafAt, 3 * txInterval + probeDetection + TURN, context);
      sound(pair.client, context);
    }
  });

  it("a transport that takes nothing any more is LOCAL_BACKLOG, while the peer is heard", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { pair, random } = lived(seed);
      const { txInterval, probeDetection, rxDetection } = pair.client.connection.agreement!;
      pair.server.stalledUntil = Infinity;
      pair.client.takes = 0;
      const stuckAt = pair.now;
      while (!pair.client.destroyed && pair.now < stuckAt + 60_000) {
        pair.run(Math.min(20, rxDetection / 10) * random.fraction());
        if (!pair.client.destroyed) pair.send(pair.server, "still here");
      }
      const context = `seed ${seed}`;
      const found = verdict(pair.client);
      // A question that was under way when it stuck was taken: it is the peer that owes its answer.
      assert(found === "LOCAL_BACKLOG" || found === "OUTBOUND_DEAD", `${context} ${found}`);
      assertEquals(evidence(pair.client).direction, "outbound", context);
      assertLessOrEqual(
        pair.client.when("closed") - stuckAt,
        3 * txInterval + probeDetection + TURN,
        context,
      );
      sound(pair.client, context);
    }
  });

  it("a peer that reads but does not write is INBOUND_SILENT", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { pair, mean } = lived(seed);
      pair.server.takes = 0;
      pair.server.out.queue = [];
      const muteAt = pair.now;
      pair.run(60_000, () => pair.client.destroyed);
      const context = `seed ${seed}`;
      // A peer that finds its own backlog first ends the transport, and that is heard.
      const found = verdict(pair.client);
      if (found.startsWith("lost")) {
        assertEquals(verdict(pair.server), "LOCAL_BACKLOG", context);
        continue;
      }
      assertEquals([found, evidence(pair.client).direction], ["INBOUND_SILENT", "inbound"], context);
      const { idleDetectionBound, detectionBound } = pair.client.connection.agreement!;
      // Behind traffic an ACK is still owed, and begins the idle time anew.
      const bound = mean === Infinity ? idleDetectionBound : detectionBound;
      assertLessOrEqual(pair.client.when("closed") - muteAt, bound, context);
      sound(pair.client, context);
    }
  });

  it("a cut in one direction is INBOUND_SILENT behind it, whose end is told to the other, or was OUTBOUND_DEAD there before", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { pair } = lived(seed);
      const [before, behind] = seed % 2 === 0 ? [pair.client, pair.server] : [pair.server, pair.client];
      before.out.cut = true;
      before.out.queue = [];
      const cutAt = pair.now;
      const { txInterval, probeDetection } = before.connection.agreement!;
      const { rxDetection } = behind.connection.agreement!;
      pair.run(60_000, () => sides(pair).every((side) => side.destroyed));
      const context = `seed ${seed}`;
      const found = [verdict(before), verdict(behind)];
      if (found[0] === "OUTBOUND_DEAD") {
        assertEquals(evidence(before).direction, "outbound", context);
        sound(before, context);
      } else {
        assert(found[0] === "lost LOST", `${context} ${found}`);
      }
      assert(found[1] === "INBOUND_SILENT" || found[1] === "lost LOST", `${context} ${found}`);
      assert(found.some((one) => !one.startsWith("lost")), context);
      assertLessOrEqual(before.when("closed") - cutAt, 3 * txInterval + probeDetection + TURN, context);
      assertLessOrEqual(behind.when("closed") - cutAt, rxDetection + TURN, context);
      assertEquals(seen(behind, "fault"), [], context);
    }
  });
});

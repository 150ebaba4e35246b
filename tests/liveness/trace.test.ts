/**
 * The same trace on every runtime: a scenario with everything that liveness does, and one hash of all bytes, events and deadlines.
 *
 * Rules: virtual time, seeded. The constants change with the behaviour of core, and only with it; that they are the same on Node, Deno and
 * Bun is the point.
 */

import { describe, it } from "node:test";
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import type { HeartbeatTerms } from "../../core/terms.ts";
import { Pair, type Side } from "../support/pair.ts";
import { Random } from "../support/random.ts";
import { DETECTORS, roads, sides, talks } from "./scene.ts";

/** FNV-1a, 32 bits, of characters and bytes. */
class Hash {
  value = 0x811c9dc5;

  byte(byte: number): void {
    this.value = Math.imul(this.value ^ byte, 0x01000193) >>> 0;
  }

  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
    this.byte(0);
  }
}

/** One thing that an application, a network, a process, a machine or a clock can do. */
function stir(pair: Pair, random: Random): void {
  const side: Side = random.fraction() < 0.5 ? pair.client : pair.server;
  const runs = talks(pair, side);
  const span = 1_000 * random.fraction();
  switch (random.between(0, 12)) {
    case 0:
      if (runs) pair.send(side, "x".repeat(random.between(0, 3_000)));
      break;
    case 1:
      if (runs) pair.act(side, (connection, now) => connection.ping(now));
      break;
    case 2: {
      const terms: HeartbeatTerms[] = [{ interval: random.between(300, 900) }, {
        minimumInterval: random.between(10, 900),
      }, { multiplier: random.between(6, 9) }];
      if (runs) pair.act(side, (connection, now) => connection.retune(terms[random.between(0, 2)]!, now));
      break;
    }
    case 3:
      side.stall(3 * span, pair.now);
      break;
    case 4:
      side.out.hold(pair.now + span);
      break;
    case 5:
      side.wallOffset += [86_400_000, -3_600_000, 5_000, 100][random.between(0, 3)]!;
      break;
    case 6:
      if (random.fraction() < 0.1) pair.suspend(side, 4 * span, random.fraction() < 0.5, span / 5);
      break;
    case 7:
      side.bytesFirst = !side.bytesFirst;
      break;
    default:
  }
  pair.run(random.fraction() < 0.3 ? 0 : 300 * random.fraction());
}

/** The hash of one life; what of it was seen goes into `kinds`. */
function life(seed: number, kinds: Map<string, number>): number {
  const random = new Random(seed);
  const hash = new Hash();
  const heartbeat = (side: number) => {
    const detector = DETECTORS[(seed >> side) % 2]!;
    const beat = { interval: 500, multiplier: 6, minimumInterval: 10, detector };
    return detector === "fixed" ? beat : { ...beat, pause: 1_500 };
  };
  const pair = Pair.open({ seed, client: { heartbeat: heartbeat(0) }, server: { heartbeat: heartbeat(1) } });
  for (const side of sides(pair)) {
    side.out.tamper = (bytes) => {
      for (const byte of bytes) hash.byte(byte);
      return bytes;
    };
    pair.sampleWall(side);
  }
  pair.server.rate = 1.0002;
  roads(pair, random, 40, 10);
  for (let i = 0; i < 400; i++) {
    stir(pair, random);
    for (const side of sides(pair)) {
      hash.text(String(side.connection.deadline()));
      const { detection } = side.connection.stats(side.clock(pair.now));
      if (detection === null) continue;
      const { suspectIn, convictIn, deferrable, lateness } = detection;
      // Not phi, a figure for reports: it is a logarithm, which is rounded as each runtime likes.
      hash.text([suspectIn, convictIn, deferrable, lateness?.samples, lateness?.deviation].join(" "));
    }
  }
  pair.cut();
  pair.run(60_000);
  for (const side of sides(pair)) {
    for (const { at, event } of side.events) {
      const kind = event.type === "stall" ? event.verdict : event.type;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      // Who copies them is not of liveness.
      const bytes = event.type === "message" ? { bytes: event.bytes.length, owned: undefined } : {};
      hash.text(`${at} ${JSON.stringify({ ...event, ...bytes })}`);
    }
  }
  return hash.value;
}

describe("the trace of liveness", () => {
  it("is the same on every runtime: bytes, events, deadlines and what was learned", () => {
    const kinds = new Map<string, number>();
    const all = new Hash();
    for (let seed = 1; seed <= 40; seed++) all.text(String(life(seed, kinds)));
    const met = ["pong", "suspect", "alive", "terms", "clockStep", "closed", "processed"];
    for (const kind of [...met, "LOCAL_STALLED", "PEER_STALLED", "SUSPENDED"]) {
      assertGreaterOrEqual(kinds.get(kind) ?? 0, 5, kind);
    }
    assertEquals(all.value.toString(16), "120c0045");
  });

  it("is another with another seed, and the same again with the same", () => {
    assertEquals(life(1, new Map()), life(1, new Map()));
    assertEquals(new Set([1, 2, 3, 4].map((seed) => life(seed, new Map()))).size, 4);
  });
});

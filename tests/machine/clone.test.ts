/**
 * A machine can be copied and has a canonical key, so that a search can tell states apart: equal keys step alike.
 *
 * Rules: entropy is constant where keys of different times are compared, for it is not part of the key.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Environment } from "../../core/environment.ts";
import { Pair, type Side } from "../support/pair.ts";
import { Random } from "../support/random.ts";

const CONSTANT: Environment = { entropy: (into) => void into.fill(0x80) };
const BEAT = { heartbeat: { interval: 100, multiplier: 3 } };
const OPTIONS = { client: BEAT, server: BEAT, environment: CONSTANT };

/**
 * One random thing that an application, a network or time can do. The same draws, the same thing.
 *
 * @param slow the transport may stop taking bytes; they then wait with absolute numbers in them, which the key shows as they are
 */
function stir(pair: Pair, random: Random, slow: boolean): void {
  const side: Side = random.between(0, 1) === 0 ? pair.client : pair.server;
  const open = side.connection.phase === "open";
  switch (random.between(0, 7)) {
    case 0:
    case 1: {
      const size = random.between(0, 40_000);
      if (open) pair.act(side, (connection, now) => connection.send(new Uint8Array(size).fill(size), now));
      return;
    }
    case 2:
      if (open) pair.act(side, (connection, now) => connection.ping(now));
      return;
    case 3:
      side.out.latency = random.between(1, 60);
      return;
    case 4:
      side.takes = [Infinity, 7, 0][slow ? random.between(0, 2) : 0]!;
      pair.drain(side);
      return;
    default:
      pair.run(random.between(0, 150));
  }
}

function summary(side: Side): string {
  return side.events.map((seen) => `${seen.event.type}`).join(" ") + ` sent ${side.sent}`;
}

describe("clone and key", () => {
  it("a copy has the key of its original and goes on alike, and independently", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const pair = new Pair({ ...OPTIONS, seed });
      for (let i = random.between(0, 40); i > 0; i--) stir(pair, random, true);
      const copy = pair.clone(CONSTANT);
      assertEquals(copy.key(), pair.key(), `seed ${seed}`);
      for (const side of [pair.client, pair.server]) side.events.length = 0;
      const untouched = pair.clone(CONSTANT);
      const before = untouched.key();
      const again = random.clone();
      for (let i = 0; i < 40; i++) {
        stir(pair, random, true);
        stir(copy, again, true);
        assertEquals(copy.key(), pair.key(), `seed ${seed}, step ${i}`);
      }
      assertEquals(summary(copy.client), summary(pair.client));
      assertEquals(summary(copy.server), summary(pair.server));
      assertEquals(untouched.key(), before);
    }
  });

  it("equal keys at different times, with other sequences and timestamps, step alike", () => {
    const pair = new Pair(OPTIONS);
    const seen = new Map<string, { pair: Pair; at: number }>();
    let recurred = 0;
    for (let i = 0; i < 400 && recurred < 20; i++) {
      pair.run(
        10_000,
        (() => {
          const before = pair.client.events.length;
          return () => pair.client.events.length > before;
        })(),
      );
      const key = pair.key();
      const earlier = seen.get(key);
      if (earlier === undefined) {
        seen.set(key, { pair: pair.clone(CONSTANT), at: pair.now });
        continue;
      }
      recurred++;
      assert(pair.now > earlier.at);
      const then = earlier.pair.clone(CONSTANT);
      const now = pair.clone(CONSTANT);
      for (const side of [then.client, then.server, now.client, now.server]) side.sent = 0;
      const random = new Random(i);
      const again = random.clone();
      for (let step = 0; step < 30; step++) {
        stir(then, random, false);
        stir(now, again, false);
        assertEquals(now.key(), then.key(), `recurrence ${recurred}, step ${step}`);
      }
      assertEquals(summary(now.client), summary(then.client));
      assertEquals(summary(now.server), summary(then.server));
    }
    assertEquals(recurred, 20, "an idle connection under constant entropy is periodic, and its key shows it");
  });

  it("the key tells apart what behaves differently", () => {
    const base = Pair.open(OPTIONS);
    base.run(30);
    const key = base.key();
    const changes: ((pair: Pair) => void)[] = [
      (pair) => pair.send(pair.client, "x"),
      (pair) => pair.act(pair.client, (connection, now) => connection.ping(now)),
      (pair) => pair.act(pair.client, (connection, now) => connection.close(0, "", now)),
      (pair) => pair.act(pair.server, (connection, now) => connection.abort("ABORTED", "", now)),
      (pair) => pair.act(pair.client, (connection, now) => connection.receive(Uint8Array.of(24), now)),
      (pair) => pair.run(5),
    ];
    for (const [index, change] of changes.entries()) {
      const copy = base.clone(CONSTANT);
      change(copy);
      assert(copy.key() !== key, `change ${index}`);
    }
  });
});

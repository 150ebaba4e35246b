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
  switch (random.between(0, 10)) {
    case 8: {
      const size = random.between(0, 3) === 0 ? random.between(0, 40_000) : random.between(0, 40);
      if (open) pair.act(side, (connection, now) => connection.request(new Uint8Array(size), size, now));
      return;
    }
    case 9: {
      // Of those that may be open, and some that are not.
      const id = random.between(1, 8);
      const size = random.between(0, 3) === 0 ? random.between(0, 40_000) : random.between(0, 40);
      pair.act(side, (connection, now) => connection.reply(id, size % 5, new Uint8Array(size), now));
      return;
    }
    case 10: {
      const id = random.between(1, 8);
      pair.act(side, (connection, now) => connection.cancel(id, now));
      return;
    }
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

const LIVELY = {
  client: {
    heartbeat: { interval: 500, multiplier: 6, minimumInterval: 10, detector: "accrual", pause: 1_500 },
  },
  server: { heartbeat: { interval: 500, multiplier: 6, minimumInterval: 10 } },
  environment: CONSTANT,
} as const;

/** The same for what liveness knows: stalls, sleep, clocks that are set, terms that change and offers under way. */
function trouble(pair: Pair, random: Random): void {
  const side: Side = random.between(0, 1) === 0 ? pair.client : pair.server;
  const span = random.between(1, 4_000);
  const runs = side.connection.phase === "open" && side.stalledUntil <= pair.now;
  switch (random.between(0, 9)) {
    case 0:
      side.stall(span, pair.now);
      break;
    case 1:
      side.wallOffset += [86_400_000, -3_600_000, 5_000][span % 3]!;
      break;
    case 2:
    case 3: {
      const terms = [{ interval: 300 + span % 600 }, { minimumInterval: 10 + span % 900 }, {
        multiplier: 6 + span % 3,
      }];
      if (runs) pair.act(side, (connection, now) => connection.retune(terms[span % 3]!, now));
      break;
    }
    case 4:
      if (runs) pair.act(side, (connection, now) => connection.ping(now));
      break;
    case 5:
      if (runs) pair.send(side, "something");
      break;
    case 6:
      side.out.hold(pair.now + span / 4);
      break;
    case 7:
      if (span % 10 === 0) pair.suspend(side, 2 * span, span % 20 === 0, 50);
      break;
    default:
  }
  pair.run(random.between(0, 400));
}

/** Both machines and what is under way, in whatever pieces: where a buffer ends depends on all that went before. */
function machines(pair: Pair): string[] {
  return [pair.client, pair.server].map((side) => {
    const total = side.out.queue.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
    return `${side.connection.key(side.clock(pair.now))} ${total}`;
  });
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

  it("holds for what liveness knows too: the learning detector, stalls, sleep, clocks and offers under way", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const pair = Pair.open({ ...LIVELY, seed });
      for (const side of [pair.client, pair.server]) {
        side.out.latency = random.between(1, 40);
        pair.sampleWall(side);
      }
      for (let i = random.between(0, 120); i > 0; i--) trouble(pair, random);
      const copy = pair.clone(CONSTANT);
      assertEquals(copy.key(), pair.key(), `seed ${seed}`);
      for (const side of [pair.client, pair.server]) side.events.length = 0;
      const untouched = pair.clone(CONSTANT);
      const before = untouched.key();
      const again = random.clone();
      for (let i = 0; i < 60; i++) {
        trouble(pair, random);
        trouble(copy, again);
        assertEquals(copy.key(), pair.key(), `seed ${seed}, step ${i}`);
      }
      for (const [side, other] of [[pair.client, copy.client], [pair.server, copy.server]] as const) {
        assertEquals(JSON.stringify(other.events), JSON.stringify(side.events), `seed ${seed}`);
        assertEquals(other.connection.deadline(), side.connection.deadline());
      }
      assertEquals(untouched.key(), before);
    }
  });

  it("equal keys at different times step alike with a detector that learned, and with terms that changed", () => {
    const pair = Pair.open(LIVELY);
    for (const side of [pair.client, pair.server]) pair.sampleWall(side, 100);
    const seen = new Map<string, { pair: Pair; at: number }>();
    let recurred = 0;
    for (let i = 0; i < 3_000 && recurred < 12; i++) {
      const before = pair.client.events.length;
      pair.run(10_000, () => pair.client.events.length > before);
      if (i === 40) pair.act(pair.server, (connection, now) => connection.retune({ interval: 400 }, now));
      const key = pair.key();
      const earlier = seen.get(key);
      if (earlier === undefined) {
        seen.set(key, { pair: pair.clone(CONSTANT), at: pair.now });
        continue;
      }
      recurred++;
      const then = earlier.pair.clone(CONSTANT);
      const now = pair.clone(CONSTANT);
      for (const side of [then.client, then.server, now.client, now.server]) side.sent = 0;
      const random = new Random(i);
      const again = random.clone();
      for (let step = 0; step < 40; step++) {
        trouble(then, random);
        trouble(now, again);
        assertEquals(machines(now), machines(then), `recurrence ${recurred}, step ${step}`);
      }
      assertEquals(summary(now.client), summary(then.client));
      assertEquals(summary(now.server), summary(then.server));
    }
    assertEquals(recurred, 12);
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

  it("the key tells apart which request was taken back, and which was answered, and nothing else differs", () => {
    const base = Pair.open(OPTIONS);
    for (let i = 0; i < 3; i++) {
      base.act(base.client, (connection, now) => connection.request(new Uint8Array(1), Infinity, now));
    }
    base.run(80);
    const after = (change: (copy: Pair) => void): string => {
      const copy = base.clone(CONSTANT);
      change(copy);
      copy.run(60);
      return copy.key();
    };
    const cancelled = (id: number): string =>
      after((copy) => copy.act(copy.client, (connection, now) => connection.cancel(id, now)));
    const answered = (id: number): string =>
      after((copy) =>
        copy.act(copy.server, (connection, now) => connection.reply(id, 0, new Uint8Array(1), now))
      );
    assertEquals(new Set([1, 2, 3].map(cancelled)).size, 3);
    assertEquals(new Set([1, 2, 3].map(answered)).size, 3);
    assertEquals(cancelled(1), cancelled(1));
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
      (pair) =>
        void pair.act(pair.client, (connection, now) => connection.request(new Uint8Array(1), 1, now)),
      (pair) => pair.act(pair.client, (connection, now) => connection.retune({ interval: 200 }, now)),
      (pair) => pair.act(pair.client, (connection, now) => connection.observeWall(5e12, now)),
      (pair) => pair.act(pair.client, (connection, now) => connection.observeWall(6e12, now)),
      (pair) => {
        pair.client.stall(60, pair.now);
        pair.run(70);
      },
    ];
    for (const [index, change] of changes.entries()) {
      const copy = base.clone(CONSTANT);
      change(copy);
      assert(copy.key() !== key, `change ${index}`);
    }
  });
});

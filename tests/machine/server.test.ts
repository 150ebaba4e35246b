/**
 * A server's decisions: whom it admits, whom it refuses and why, how it drains; and the heap of deadlines behind it.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { Deadlines, type Timed } from "../../core/deadlines.ts";
import { Server } from "../../core/server.ts";
import { Owners } from "../support/owners.ts";
import { Pair } from "../support/pair.ts";
import { Random, seeded } from "../support/random.ts";

const ADMIT = { admit: true } as const;

function refusals(world: Owners): (string | undefined)[] {
  return world.diallers.map((dialler) => {
    const reason = dialler.of("down")[0]?.reason;
    return reason?.kind === "refused" ? reason.code : reason?.kind;
  });
}

describe("server", () => {
  it("refuses what is over a limit, says why and when to come back, and disturbs nobody", () => {
    const world = new Owners({ maxConnections: 3, maxConnectionsPerKey: 2, retryAfter: 700 });
    for (const key of ["a", "a", "a", "b", "c"]) world.dial({}, key);
    world.run(100);
    assertEquals(refusals(world), [undefined, undefined, "PEER_LIMIT", undefined, "BUSY"]);
    const reason = world.diallers[4]!.of("down")[0]!.reason;
    assert(reason.kind === "refused" && reason.retryAfter === 700);
    assertEquals(world.server.stats().open, 3);
    assertEquals(world.server.stats().refused, { PEER_LIMIT: 1, BUSY: 1 });
    world.run(30_000);
    assertEquals(world.server.stats().transports, 3);
  });

  it("gives the place back when a connection ends", () => {
    const world = new Owners({ maxConnections: 1 });
    for (let i = 0; i < 5; i++) {
      const dialler = world.dial({}, "a");
      world.run(50);
      assertEquals(dialler.of("live").length, 1, `round ${i}`);
      dialler.client.close(0, "", world.now);
      world.run(3_000);
    }
    assertEquals(world.server.stats().transports, 0);
    assertEquals(world.server.size, 0);
    assertEquals(world.server.deadline(), Infinity);
  });

  it("bounds handshakes in progress and how many are refused at once", () => {
    const server = new Server({ maxHandshakes: 5, maxHandshakesPerKey: 5 }, seeded(new Random(1)));
    const results = Array.from({ length: 100 }, (_, i) => server.accepted(`peer ${i}`, 0));
    assertEquals(results.slice(0, 5).map((connection) => connection?.phase), Array(5).fill("listening"));
    assertEquals(results.slice(5, 69).map((connection) => connection?.phase), Array(64).fill("closed"));
    assertEquals(results.slice(69), Array(31).fill(null));
    assertEquals(server.stats().refused, { HANDSHAKE_LIMIT: 95 });
    // Silent ones go at the handshake's deadline; the refused a second after their end.
    let now = 0;
    while (server.deadline() !== Infinity) {
      now = server.deadline();
      server.handleTimeout(now);
    }
    assertLessOrEqual(now, 10_002);
    assertEquals(server.size, 0);
    assertEquals(server.stats().ended, { HANDSHAKE_TIMEOUT: 5 });
  });

  it("one address in its handshakes does not lock the others out", () => {
    const server = new Server({}, seeded(new Random(1)));
    const greedy = Array.from({ length: 1_000 }, () => server.accepted("greedy", 0));
    assertEquals(greedy.filter((connection) => connection?.phase === "listening").length, 125);
    assertEquals(server.accepted("other", 0)?.phase, "listening");
    assertEquals(server.stats().refused, { PEER_LIMIT: 875 });
    server.handleTimeout(10_000);
    server.handleTimeout(10_002);
    assertEquals(server.accepted("greedy", 10_002)?.phase, "listening");
  });

  it("a drain bounds those that are ending already", () => {
    const pair = Pair.open({ server: { closeTimeout: 300 }, client: { closeTimeout: 60_000 } });
    pair.server.consumes = false;
    pair.send(pair.client, "x");
    pair.act(pair.client, (connection, now) => connection.close(0, "", now));
    pair.run(50);
    assertEquals(pair.server.connection.phase, "answering");
    pair.act(pair.server, (connection, now) => connection.close(0, "", now));
    pair.run(400);
    assertEquals(pair.server.connection.phase, "closed");
  });

  it("asks, waits for the answer without a word, and drops answers that come too late", () => {
    const world = new Owners({ ask: true, handshakeTimeout: 1_000 });
    const welcome = world.dial({}, "welcome");
    const unwelcome = world.dial({}, "unwelcome");
    const forgotten = world.dial({}, "forgotten");
    world.run(500);
    const keys = world.asked.map(({ question }) => question.type === "admit" && question.key);
    assertEquals(keys, ["welcome", "unwelcome", "forgotten"]);
    assertEquals(world.events.length, 0);
    world.server.answered(world.asked[0]!.id, ADMIT, world.now);
    const no = { admit: false, code: "UNAUTHORIZED", text: "who?" } as const;
    world.server.answered(world.asked[1]!.id, no, world.now);
    world.run(5_000);
    world.server.answered(world.asked[2]!.id, ADMIT, world.now);
    world.server.answered(99, ADMIT, world.now);
    world.run(5_000);
    assertEquals(welcome.of("live").length, 1);
    assertEquals(refusals(world).slice(1), ["UNAUTHORIZED", "HANDSHAKE_TIMEOUT"]);
    assertEquals(forgotten.of("live").length, 0);
    assertEquals(world.server.stats().open, 1);
    assertEquals(unwelcome.client.ended, true);
  });

  it("drains: nobody new, everybody told, each closed in good order", () => {
    const world = new Owners({ ask: true });
    for (let i = 0; i < 5; i++) world.dial();
    world.run(10);
    for (const ask of world.asked) world.server.answered(ask.id, ADMIT, world.now);
    world.run(10);
    const waiting = world.dial();
    world.run(10);
    world.server.drain({ text: "bye" }, world.now);
    const late = world.dial();
    world.run(3_000);
    for (const dialler of world.diallers.slice(0, 5)) {
      const { reason } = dialler.of("ended")[0]!;
      assert(reason.kind === "closed" && reason.by === "peer" && reason.text === "bye");
    }
    for (const dialler of [waiting, late]) {
      const { reason } = dialler.of("ended")[0]!;
      assert(reason.kind === "refused" && reason.code === "SHUTTING_DOWN", reason.kind);
    }
    assertEquals(world.server.size, 0);
    const told = world.events.filter(({ side, event }) => side === "client" && event.type === "goaway");
    assertEquals(told.length, 5);
  });

  it("lets the application finish and answer what it has before a drain closes", () => {
    const pair = Pair.open();
    pair.server.consumes = false;
    pair.send(pair.client, "question");
    pair.run(10);
    pair.act(pair.server, (connection, now) => connection.drain(0, "bye", now));
    pair.run(100);
    assertEquals(pair.server.connection.phase, "open");
    pair.send(pair.server, "answer");
    pair.act(pair.server, (connection, now) => connection.consumed(1, now));
    pair.run(100);
    assertEquals(pair.client.messages.length, 1);
    const { reason } = pair.client.of("closed")[0]!;
    assert(reason.kind === "closed" && reason.by === "peer" && reason.text === "bye");
  });

  it("a drain does not wait for ever for an application that does not finish", () => {
    const pair = Pair.open({ server: { closeTimeout: 300 } });
    pair.server.consumes = false;
    pair.send(pair.client, "question");
    pair.run(10);
    pair.act(pair.server, (connection, now) => connection.drain(0, "bye", now));
    pair.run(299);
    assertEquals(pair.server.connection.phase, "open");
    pair.run(2);
    assertEquals(pair.server.of("closed")[0]!.reason.kind, "timeout");
  });

  it("one bad peer among many is ended alone", () => {
    const world = new Owners({ heartbeat: { interval: 100 } });
    for (let i = 0; i < 50; i++) world.dial({ heartbeat: { interval: 100 } });
    world.run(500);
    const bad = world.diallers[17]!.client.connection!;
    const victim =
      world.events.filter(({ side, event }) => side === "server" && event.type === "open")[17]!.connection;
    victim.receive(Uint8Array.of(5, 0x13, 1, 2, 3, 4, 5), world.now);
    world.server.settle(victim, world.now);
    world.run(5_000);
    assertEquals(bad.phase, "closed");
    assertEquals(world.server.stats().open, 49);
    assertEquals(world.diallers.filter((dialler) => dialler.client.connection?.phase === "open").length, 49);
  });
});

describe("deadlines", () => {
  it("give out what is due, in any order of changes, and nothing early for ever", () => {
    const change = fc.record({
      item: fc.nat(15),
      at: fc.nat(1_000),
      kind: fc.constantFrom("update", "remove", "take"),
    });
    fc.assert(fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
      const heap = new Deadlines<Timed & { real: number }>();
      const items = Array.from({ length: 16 }, () => ({ index: -1, real: Infinity }));
      for (const { item, at, kind } of changes) {
        const target = items[item]!;
        if (kind === "update") {
          target.real = at;
          heap.update(target, at);
        } else if (kind === "remove") {
          target.real = Infinity;
          heap.remove(target);
        } else {
          for (let due = heap.take(at); due !== null; due = heap.take(at)) {
            if (due.real <= at) due.real = Infinity;
            heap.update(due, due.real);
          }
          // All that were due are gone; what is left comes at its time or earlier, never later.
          for (const other of items) assert(other.real > at);
        }
        const least = Math.min(...items.map((other) => other.real));
        assertLessOrEqual(heap.next(), least);
      }
    }));
  });
});

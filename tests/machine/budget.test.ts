/**
 * A server with a heartbeat budget and real clients: what they agree to never exceeds it, who finds no room is told so, and being slowed
 * down makes nobody look dead.
 *
 * Rules: the rate is reckoned from what the clients hold for agreed, and from the PINGs that they sent.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertThrows } from "@std/assert";
import type { Conversation } from "../../core/conversation.ts";
import type { ServerOptions } from "../../core/options.ts";
import { resolveServer } from "../../core/resolve.ts";
import { type Dialler, Owners } from "../support/owners.ts";
import { Random } from "../support/random.ts";

/** PINGs a second that all clients may send, by what each of them was told. */
function rate(world: Owners): number {
  let sum = 0;
  for (const { client } of world.diallers) {
    const agreement = client.connection?.agreement ?? null;
    if (agreement !== null) sum += 1_000 / (0.75 * agreement.txInterval);
  }
  return sum;
}

/** The intervals that the living have agreed to, ms, each once. */
function intervals(world: Owners): number[] {
  const all = world.diallers.map(({ client }) => client.connection?.agreement?.txInterval ?? Infinity);
  return [...new Set(all)].filter((interval) => interval !== Infinity).sort((a, b) => a - b);
}

/** Lets time pass; the budget holds at every moment, as the clients see it and as the server does. */
function run(world: Owners, span: number, budget: number): void {
  world.run(span, () => {
    assertLessOrEqual(rate(world), budget * (1 + 1e-9), `at ${world.now}`);
    const stats = world.server.stats();
    assertLessOrEqual(stats.heartbeatRate, budget * (1 + 1e-9));
    assertEquals(stats.heartbeatBudget, budget);
    return false;
  });
}

function refusals(diallers: readonly Dialler[]): (string | undefined)[] {
  return diallers.map((dialler) => {
    const reason = dialler.of("down")[0]?.reason;
    return reason?.kind === "refused" ? `${reason.code} ${reason.retryAfter}` : reason?.kind;
  });
}

function live(diallers: readonly Dialler[]): number {
  return diallers.filter(({ client }) => client.connection?.phase === "open").length;
}

/** The server's connections that are open, in the order in which they became so. */
function served(world: Owners): Conversation[] {
  return world.events.filter(({ side, event, connection }) =>
    side === "server" && event.type === "open" && connection.phase === "open"
  ).map(({ connection }) => connection);
}

function harmless(world: Owners): void {
  const harm = world.events.filter(({ event }) => event.type === "suspect" || event.type === "fault");
  assertEquals(harm.map(({ side, event }) => [side, event]), []);
}

const CLIENT = { heartbeat: { interval: 1_000 } };

/** 60 clients of one PING in 0.75 x 5 s. */
const SMALL: ServerOptions = { heartbeatBudget: 16, natBound: 5_000, retryAfter: 900 };

describe("a server with a heartbeat budget", () => {
  it("admits some hundreds of clients by slowing all of them down, and none of them looks dead", () => {
    const random = new Random(1);
    const budget = 80; // 60 clients at 1 s, 300 at 5 s
    const world = new Owners({ heartbeatBudget: budget, natBound: 5_000 });
    world.latency = 20;
    for (let i = 0; i < 300; i++) {
      world.dial({ heartbeat: { interval: random.between(500, 2_000), multiplier: 2 } });
      if (i % 5 === 0) run(world, random.between(0, 100), budget);
    }
    run(world, 2_000, budget);
    assertEquals([live(world.diallers), world.server.stats().waiting], [300, 0]);
    assertGreater(rate(world), 0.7 * budget);
    assertLessOrEqual(Math.max(...intervals(world)), 5_000);
    const sent = (): number =>
      world.diallers.reduce((sum, { client }) => sum + client.connection!.stats().pingsSent, 0);
    const before = sent();
    run(world, 20_000, budget);
    const pings = (sent() - before) / 20;
    assertGreater(pings, 0.6 * budget);
    assertLessOrEqual(pings, budget);
    assertEquals([live(world.diallers), world.server.stats().open], [300, 300]);
    harmless(world);
  });

  it("refuses who is past the capacity, says when to come back, and has room again when one leaves", () => {
    const world = new Owners(SMALL);
    for (let i = 0; i < 65; i++) {
      world.dial(CLIENT);
      run(world, 10, 16);
    }
    assertEquals(live(world.diallers), 60);
    assertEquals(intervals(world), [5_000]);
    assertEquals(refusals(world.diallers.slice(60)), Array(5).fill("BUSY 900"));
    assertEquals(world.server.stats().refused, { BUSY: 5 });
    world.diallers[7]!.client.close(0, "", world.now);
    run(world, 50, 16);
    world.dial(CLIENT);
    run(world, 50, 16);
    assertEquals(live(world.diallers), 60);
    run(world, 30_000, 16);
    assertEquals(live(world.diallers), 60);
    assertEquals(world.server.stats().transports, 60);
    harmless(world);
  });

  it("speeds the others up when clients leave, and comes to rest at exactly 0", () => {
    const world = new Owners(SMALL);
    for (let i = 0; i < 60; i++) {
      world.dial({ heartbeat: { interval: i % 2 === 0 ? 1_000 : 3_000 } });
      run(world, 10, 16);
    }
    assertEquals(intervals(world), [5_000]);
    let slowest = 5_000;
    for (const { client } of world.diallers.slice(4)) {
      client.close(0, "", world.now);
      run(world, 20, 16);
      const now = Math.max(...intervals(world));
      assertLessOrEqual(now, slowest);
      slowest = now;
    }
    run(world, 1_000, 16);
    assertEquals(intervals(world), [1_000, 3_000]);
    const rest = world.diallers.slice(0, 4);
    assertEquals(
      served(world).map(({ agreement }) => agreement!.rxInterval),
      rest.map(({ client }) => client.connection!.agreement!.txInterval),
    );
    run(world, 20_000, 16);
    assertEquals(live(rest), 4);
    harmless(world);
    for (const { client } of rest) client.abort("", world.now);
    run(world, 5_000, 16);
    assertEquals([world.server.stats().heartbeatRate, world.server.size], [0, 0]);
    assertEquals(world.server.deadline(), Infinity);
  });

  it("goes no faster than it takes itself, and leaves alone who is slower than the NAT bound", () => {
    const world = new Owners({ ...SMALL, heartbeat: { minimumInterval: 2_000 } });
    const slow = world.dial({ heartbeat: { interval: 20_000 } });
    for (let i = 0; i < 59; i++) {
      world.dial(CLIENT);
      run(world, 10, 16);
    }
    assertEquals(intervals(world).at(-1), 20_000);
    assertEquals(slow.client.connection?.agreement?.txInterval, 20_000);
    assertEquals(live(world.diallers), 60);
    for (const { client } of world.diallers.slice(6)) client.close(0, "", world.now);
    run(world, 1_000, 16);
    assertEquals(intervals(world), [2_000, 20_000]);
  });

  it("asks nobody for a detection time that is longer than it waits", () => {
    const world = new Owners({ ...SMALL, heartbeat: { maximumDetection: 20_000 } });
    const many = world.dial({ heartbeat: { interval: 1_000, multiplier: 10 } });
    const risen = world.dial({ heartbeat: { interval: 1_000, multiplier: 2 } });
    run(world, 20, 16);
    // One raises its multiplier later: what it could bear at its admission it cannot now.
    risen.client.connection!.retune({ multiplier: 20 }, world.now);
    risen.client.settle(risen.client.connection!, world.now);
    run(world, 20, 16);
    for (let i = 0; i < 52; i++) { // 5,000 / 2,000 + 5,000 / 1,000 are gone of 60
      world.dial(CLIENT);
      run(world, 10, 16);
    }
    assertEquals(refusals(world.diallers), Array(54).fill(undefined));
    assertEquals(many.client.connection?.agreement?.txInterval, 2_000);
    assertEquals(risen.client.connection?.agreement?.txInterval, 1_000);
    world.dial(CLIENT);
    run(world, 10, 16);
    assertEquals(refusals(world.diallers).slice(54), ["BUSY 900"]);
    harmless(world);
  });

  it("lets a newcomer wait for confirmations without a word, but not for ever", () => {
    const world = new Owners(SMALL);
    for (let i = 0; i < 12; i++) world.dial(CLIENT);
    run(world, 50, 16);
    assertEquals(intervals(world), [1_000]);
    world.latency = 400;
    const newcomer = world.dial(CLIENT);
    run(world, 500, 16); // its HELLO is there, the others do not know yet
    assertEquals([world.server.stats().waiting, world.server.stats().handshakes], [1, 1]);
    assertEquals(world.events.filter(({ connection }) => connection === newcomer.client.connection), []);
    run(world, 1_500, 16);
    assertEquals([live([newcomer]), world.server.stats().waiting], [1, 0]);
    for (let i = 0; i < 30; i++) world.dial(CLIENT);
    run(world, 5_000, 16);
    assertEquals(live(world.diallers), 43);
    world.latency = 1_100;
    const unlucky = Array.from({ length: 10 }, () => world.dial(CLIENT));
    const begun = world.now;
    run(world, 6_000, 16);
    const whys = refusals(unlucky).filter((why) => why !== undefined);
    assertEquals(whys, Array(whys.length).fill("BUSY 900"));
    const downs = unlucky.flatMap(({ told }) => told.filter(({ event }) => event.type === "down"));
    assertGreater(downs.length, 0);
    // There and back, and 2 s between.
    for (const { at } of downs) assertEquals(at, begun + 1_100 + 2_000 + 1_100);
    harmless(world);
  });

  it("does not count on clients that decline", () => {
    const world = new Owners({ ...SMALL, heartbeatBudget: 4 }); // 3 clients at 1 s, 15 at 5 s
    world.latency = 50;
    const old = Array.from({ length: 3 }, () => world.dial(CLIENT));
    run(world, 500, 4);
    assertEquals(intervals(world), [1_000]);
    // What a client cannot bear goes with each offer: a detection time longer than it waits.
    let unbearable = true;
    for (const connection of served(world)) {
      const retune = connection.retune.bind(connection);
      connection.retune = (change, now) =>
        retune(unbearable ? { ...change, interval: 3_600_000 } : change, now);
    }
    const newcomer = world.dial(CLIENT);
    run(world, 1_000, 4);
    const declined = world.events.filter(({ side, event }) =>
      side === "server" && event.type === "terms" && !event.accepted
    );
    assertEquals(declined.length, 3);
    run(world, 3_000, 4);
    assertEquals([live(old), live([newcomer])], [3, 0]);
    assertEquals(refusals([newcomer]), ["BUSY 900"]);
    assertEquals(intervals(world), [1_000]);
    const next = world.dial(CLIENT);
    run(world, 110, 4);
    assertEquals(refusals([next]), ["BUSY 900"]); // at once
    unbearable = false;
    run(world, 60_000, 4); // then they are asked again
    const lucky = world.dial(CLIENT);
    run(world, 1_000, 4);
    assertEquals(live([...old, lucky]), 4);
    harmless(world);
  });

  it("asks the application first, and reserves nothing for whom that refuses", () => {
    const world = new Owners({ ...SMALL, heartbeatBudget: 4 / 15, ask: true }); // one client
    for (let i = 0; i < 3; i++) world.dial(CLIENT);
    run(world, 10, 4 / 15);
    assertEquals([world.asked.length, world.server.stats().heartbeatRate], [3, 0]);
    const no = { admit: false, code: "UNAUTHORIZED", text: "" } as const;
    world.server.answered(world.asked[0]!.id, no, world.now);
    world.server.answered(world.asked[1]!.id, { admit: true }, world.now);
    world.server.answered(world.asked[2]!.id, { admit: true }, world.now);
    run(world, 100, 4 / 15);
    assertEquals(refusals(world.diallers), ["UNAUTHORIZED 0", undefined, "BUSY 900"]);
    assertEquals(live(world.diallers), 1);
    assertEquals(intervals(world), [5_000]);
  });

  it("drains: who waits is told so, and nobody is let in or changed any more", () => {
    const world = new Owners(SMALL);
    for (let i = 0; i < 12; i++) world.dial(CLIENT);
    run(world, 50, 16);
    world.latency = 100;
    const waiting = world.dial(CLIENT);
    run(world, 110, 16);
    assertEquals(world.server.stats().waiting, 1);
    world.server.drain({}, world.now);
    run(world, 5_000, 16);
    assertEquals(refusals([waiting]), ["SHUTTING_DOWN 900"]);
    assertEquals([world.server.size, world.server.stats().heartbeatRate], [0, 0]);
    assertEquals(world.server.deadline(), Infinity);
    harmless(world);
  });

  it("aborts: who waits does not come in by the room that the others leave", () => {
    const world = new Owners(SMALL);
    for (let i = 0; i < 12; i++) world.dial(CLIENT);
    run(world, 50, 16);
    world.latency = 100;
    const waiting = world.dial(CLIENT);
    run(world, 110, 16);
    assertEquals(world.server.stats().waiting, 1);
    world.server.abort("", world.now);
    run(world, 5_000, 16);
    assertEquals(refusals([waiting]), ["ABORTED 0"]);
    assertEquals([world.server.size, world.server.stats().heartbeatRate], [0, 0]);
  });

  it("does not ask those that are about to leave, and uses their room", () => {
    const world = new Owners({ ...SMALL, heartbeatBudget: 4 }); // 3 clients at 1 s
    for (let i = 0; i < 3; i++) world.dial(CLIENT);
    run(world, 50, 4);
    world.latency = 100;
    const newcomer = world.dial(CLIENT);
    run(world, 50, 4);
    for (const connection of served(world)) {
      connection.close(0, "", world.now);
      world.server.settle(connection, world.now);
    }
    run(world, 60, 4);
    assertEquals(world.server.stats().waiting, 1);
    run(world, 500, 4);
    assertEquals([live([newcomer]), world.server.stats().open], [1, 1]);
    assertEquals(world.events.filter(({ event }) => event.type === "terms"), []);
    harmless(world);
  });

  it("lets nobody wait longer than a handshake may take", () => {
    const world = new Owners({ ...SMALL, handshakeTimeout: 1_000 });
    for (let i = 0; i < 12; i++) world.dial(CLIENT);
    run(world, 50, 16);
    world.latency = 400; // its HELLO is there in time, what the others confirm is not
    const late = world.dial(CLIENT);
    run(world, 900, 16);
    assertEquals(world.server.stats().waiting, 1);
    run(world, 10_000, 16);
    assertEquals(refusals([late]), ["HANDSHAKE_TIMEOUT 0"]);
    assertEquals([live(world.diallers), world.server.stats().waiting], [12, 0]);
    for (const { client } of world.diallers) client.abort("", world.now);
    run(world, 5_000, 16);
    const { heartbeatRate, waiting } = world.server.stats();
    assertEquals([heartbeatRate, waiting], [0, 0]);
  });

  it("gives the share back of those that come to no end of their handshake, or are found dead", () => {
    const world = new Owners({ ...SMALL, heartbeatBudget: 4 / 15 });
    world.dial(CLIENT);
    run(world, 100, 4 / 15);
    world.cut = true;
    run(world, 60_000, 4 / 15);
    world.cut = false;
    assertEquals(world.server.stats().heartbeatRate, 0);
    world.latency = 10;
    world.dial({ ...CLIENT, handshakeTimeout: 15 }); // its HELLO arrives, and WELCOME comes too late
    run(world, 20_000, 4 / 15);
    assertEquals([world.server.stats().heartbeatRate, world.server.size], [0, 0]);
    const last = world.dial(CLIENT);
    run(world, 100, 4 / 15);
    assertEquals(live([last]), 1);
  });

  it("counts nothing without a budget, and nothing of the other profiles", () => {
    const world = new Owners();
    for (let i = 0; i < 50; i++) world.dial({ heartbeat: { interval: 10 } });
    world.run(100);
    const { open, heartbeatRate, heartbeatBudget, waiting } = world.server.stats();
    assertEquals([open, heartbeatRate, heartbeatBudget, waiting], [50, 0, Infinity, 0]);
    for (const profile of ["classic", "plain", "raw"] as const) {
      const other = new Owners({ profile, heartbeatBudget: 4 / 75 });
      for (let i = 0; i < 5; i++) other.dial({ profile });
      other.run(100);
      assertEquals([other.server.stats().open, other.server.stats().heartbeatRate], [5, 0]);
    }
  });

  it("checks its options: a budget that has no room for one client is none", () => {
    const wrong: ServerOptions[] = [
      ...[0, -1, NaN, -Infinity, 1_000_001, 4 / 75 - 1e-9].map((heartbeatBudget) => ({ heartbeatBudget })),
      ...[9, 3_600_001, 10.5, NaN, Infinity].map((natBound) => ({ natBound })),
      { heartbeatBudget: 1, natBound: 1_000 },
    ];
    for (const options of wrong) {
      const error = assertThrows(() => resolveServer(options)) as Error;
      assert(/option (?:heartbeatBudget|natBound): expected a/.test(error.message), error.message);
    }
    for (const natBound of [10, 25_000, 25_001, 3_600_000]) {
      const heartbeatBudget = 4_000 / (3 * natBound);
      assertEquals(resolveServer({ heartbeatBudget, natBound }).heartbeatBudget, heartbeatBudget);
      const world = new Owners({
        heartbeatBudget,
        natBound,
        heartbeat: { minimumInterval: 10, maximumDetection: 3 * natBound },
      });
      world.dial({ heartbeat: { interval: 10 } });
      world.run(20);
      assertEquals(world.server.stats().open, 1, `${natBound}`);
    }
  });
});

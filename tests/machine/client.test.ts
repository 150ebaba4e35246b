/**
 * A client's decisions: when it dials, how long it waits, when it gives up.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { Client } from "../../core/client.ts";
import { HeartwireError } from "../../core/errors.ts";
import { Owners } from "../support/owners.ts";
import { Random, seeded } from "../support/random.ts";

const FOREVER = 3_600_000;

describe("client", () => {
  it("dials once, is live, and is done when the peer closes in good order", () => {
    const world = new Owners();
    const dialler = world.dial();
    world.run(100);
    assertEquals(dialler.told.map((told) => told.event.type), ["dialing", "live"]);
    world.server.drain({}, world.now);
    world.run(100);
    assertEquals(dialler.told.map((told) => told.event.type), ["dialing", "live", "down", "ended"]);
    assertEquals(dialler.of("ended")[0]!.reason.kind, "closed");
    assertEquals(dialler.client.deadline(), Infinity);
  });

  it("without reconnect a failed dial is the end, with its cause", () => {
    const world = new Owners();
    world.dialing = "fail";
    const dialler = world.dial();
    world.run(FOREVER);
    assertEquals(dialler.dials.length, 1);
    const { reason } = dialler.of("ended")[0]!;
    assert(reason.kind === "dialFailed" && reason.cause instanceof Error);
    assertEquals(dialler.of("down")[0]!.retryIn, null);
  });

  it("gives up a dial that hangs, and refuses its late answer", () => {
    const world = new Owners();
    world.dialing = "hang";
    const dialler = world.dial({ dialTimeout: 500 });
    world.run(499);
    assertEquals(dialler.cancelled, []);
    world.run(1);
    assertEquals(dialler.cancelled, [1]);
    const { reason } = dialler.of("ended")[0]!;
    assert(reason.kind === "dialFailed" && reason.cause instanceof HeartwireError);
    assertEquals(reason.cause.code, "ERR_HEARTWIRE_DIAL_TIMEOUT");
    assertEquals(dialler.client.dialed(1, world.now), null);
  });

  it("waits with full jitter between the floor and a bound that doubles up to the cap", () => {
    const waits: number[][] = [];
    for (let seed = 1; seed <= 200; seed++) {
      const world = new Owners({}, seed);
      world.dialing = "fail";
      const dialler = world.dial({ reconnect: { base: 100, floor: 20, cap: 1_000, maxAttempts: 8 } });
      world.run(FOREVER);
      assertEquals(dialler.dials.length, 8);
      for (let i = 1; i < 8; i++) {
        (waits[i] ??= []).push(Math.round(1e3 * (dialler.dials[i]! - dialler.dials[i - 1]!)) / 1e3);
      }
    }
    for (let i = 1; i < 8; i++) {
      const bound = Math.min(1_000, 100 * 2 ** (i - 1));
      const sorted = waits[i]!.sort((a, b) => a - b);
      assertGreaterOrEqual(sorted[0]!, 20);
      assertLessOrEqual(sorted.at(-1)!, bound);
      // Full jitter: the draws reach down to the floor and up to the bound, and lie around its half.
      assertLessOrEqual(sorted[0]!, Math.max(20, bound * 0.05));
      assertGreaterOrEqual(sorted.at(-1)!, bound * 0.95);
      const mean = sorted.reduce((sum, wait) => sum + wait, 0) / sorted.length;
      assert(mean > bound * 0.4 && mean < bound * 0.65, `mean ${mean} of ${bound}`);
    }
  });

  it("starts the back-off over only after a stable connection", () => {
    // A server that accepts and is gone at once, again and again.
    const bound = (lived: number): number => {
      let longest = 0;
      for (let seed = 1; seed <= 30; seed++) {
        const world = new Owners({}, seed);
        const dialler = world.dial({ reconnect: { base: 100, floor: 0, cap: 10_000 } });
        for (let i = 0; i < 8; i++) {
          world.run(FOREVER, () => dialler.client.connection?.phase === "open");
          world.run(lived);
          world.server.abort("gone", world.now);
          world.server = new Owners({}, seed * 100 + i).server;
          world.run(FOREVER, () => dialler.of("down").length > i);
          longest = Math.max(longest, dialler.of("down")[i]!.retryIn!);
        }
      }
      return longest;
    };
    assertGreaterOrEqual(bound(1_000), 1_000);
    assertLessOrEqual(bound(61_000), 100);
  });

  it("does what the server says: retry-after of a refusal, and codes that are final", () => {
    const world = new Owners({ maxConnections: 1, retryAfter: 5_000 });
    world.dial();
    world.run(100);
    const refused = world.dial({ reconnect: { base: 100, floor: 0 } });
    world.run(100);
    const down = refused.of("down")[0]!;
    assert(down.reason.kind === "refused" && down.reason.code === "BUSY");
    assertEquals(down.reason.retryAfter, 5_000);
    assertGreaterOrEqual(down.retryIn!, 5_000);
    assertLessOrEqual(down.retryIn!, 5_100);

    const strict = new Owners({ ask: true });
    const unwelcome = strict.dial({ reconnect: true });
    strict.run(100);
    const answer = { admit: false, code: "UNAUTHORIZED", text: "no" } as const;
    strict.server.answered(strict.asked[0]!.id, answer, strict.now);
    strict.run(FOREVER);
    assertEquals(unwelcome.dials.length, 1);
    const { reason } = unwelcome.of("ended")[0]!;
    assert(reason.kind === "refused" && reason.code === "UNAUTHORIZED" && reason.text === "no");
  });

  it("comes back after GOAWAY within the window that was told", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const world = new Owners({}, seed);
      const dialler = world.dial({ reconnect: true });
      world.run(100);
      world.server.drain({ retryAfter: 2_000, jitter: 3_000 }, world.now);
      world.run(100, () => dialler.of("down").length > 0);
      const { retryIn } = dialler.of("down")[0]!;
      assert(retryIn! >= 2_000 && retryIn! <= 5_000, `${retryIn}`);
    }
  });

  it("does not take a server's word for a licence to dial at full speed", () => {
    const world = new Owners();
    const dialler = world.dial({ reconnect: { base: 100, floor: 10 } });
    for (let round = 0; round < 12; round++) {
      world.run(FOREVER, () => dialler.client.connection?.phase === "open");
      world.run(20);
      world.server.drain({ retryAfter: 0 }, world.now);
      world.run(FOREVER, () => dialler.of("down").length > round);
      world.server = new Owners({}, round).server;
    }
    const waits = dialler.of("down").map((event) => event.retryIn!);
    assert(waits.every((wait) => wait >= 10), `${waits}`);
    assertGreaterOrEqual(Math.max(...waits), 1_000);
  });

  it("is not parked for ever by a server that says so", () => {
    const world = new Owners({ ask: true });
    const dialler = world.dial({ reconnect: true });
    world.run(10);
    const text = "later";
    const forever = { admit: false, code: "BUSY", text, retryAfter: 86_400_000 } as const;
    world.server.answered(world.asked[0]!.id, forever, world.now);
    world.run(10);
    assertLessOrEqual(dialler.of("down")[0]!.retryIn!, 86_400_250);
  });

  it("counts failed dials in a row for maxAttempts, not connections that lived and ended", () => {
    const world = new Owners();
    const dialler = world.dial({ reconnect: { base: 10, maxAttempts: 2 } });
    for (let round = 0; round < 5; round++) {
      world.run(FOREVER, () => dialler.client.connection?.phase === "open");
      world.server.abort("gone", world.now);
      world.run(FOREVER, () => dialler.of("down").length > round);
      world.server = new Owners({}, round).server;
    }
    assertEquals(dialler.of("ended").length, 0);
    world.dialing = "fail";
    world.run(FOREVER);
    assertEquals(dialler.of("ended").length, 1);
    assertEquals(dialler.dials.length, 7);
  });

  it("tries each endpoint once without reconnect", () => {
    const world = new Owners();
    world.dialing = "fail";
    const dialler = world.dial({ endpoints: 3 });
    world.run(FOREVER);
    assertEquals(dialler.endpoints, [0, 1, 2]);
    assertEquals(dialler.of("ended").length, 1);
  });

  it("a bare stream that the server ended is dialled again", () => {
    const world = new Owners({ profile: "raw" });
    const dialler = world.dial({ profile: "raw", reconnect: { base: 10 } });
    world.run(10);
    world.server.drain({}, world.now);
    world.run(10, () => dialler.of("down").length > 0);
    assert(dialler.of("down")[0]!.retryIn !== null);
  });

  it("tries its endpoints in turn, and stops at maxAttempts and giveUpAfter", () => {
    const world = new Owners();
    world.dialing = "fail";
    const counted = world.dial({ endpoints: 3, reconnect: { base: 10, maxAttempts: 7 } });
    const timed = world.dial({ reconnect: { base: 100, cap: 100, giveUpAfter: 2_000 } });
    world.run(FOREVER);
    assertEquals(counted.endpoints, [0, 1, 2, 0, 1, 2, 0]);
    assertLessOrEqual(timed.dials.at(-1)! - timed.dials[0]!, 2_000);
    assertGreaterOrEqual(timed.dials.at(-1)! - timed.dials[0]!, 1_800);
    assertEquals(timed.of("ended").length, 1);
  });

  it("finds a dead peer and begins a new conversation", () => {
    const world = new Owners();
    const dialler = world.dial({ heartbeat: { interval: 100 }, reconnect: { base: 100 } });
    world.run(1_000);
    world.cut = true;
    world.run(5_000, () => dialler.of("down").length > 0);
    assertEquals(dialler.of("down")[0]!.reason.kind, "dead");
    world.cut = false;
    world.run(20_000, () => dialler.of("live").length === 2);
    assertEquals(dialler.of("live").map((event) => event.attempt), [1, dialler.dials.length]);
    assertEquals(dialler.client.connection?.phase, "open");
  });

  it("close and abort end it in every state, once", () => {
    for (const how of ["close", "abort"] as const) {
      for (const state of ["idle", "dialing", "greeting", "live", "waiting", "ended"] as const) {
        const world = new Owners({ ask: true });
        world.dialing = state === "dialing"
          ? "hang"
          : state === "waiting" || state === "ended"
          ? "fail"
          : "succeed";
        const client = state === "idle" ? new Client({}, seeded(new Random(1))) : null;
        const dialler = client === null ? world.dial({ reconnect: state !== "ended" }) : null;
        if (state === "live") {
          world.run(10);
          world.server.answered(world.asked[0]!.id, { admit: true }, world.now);
          world.run(10);
        }
        const target = client ?? dialler!.client;
        if (how === "close") target.close(0, "bye", world.now);
        else target.abort("bye", world.now);
        if (client !== null) {
          client.start(world.now);
          assertEquals(client.nextAction(), null, "a client that was ended never dials");
          continue;
        }
        world.run(FOREVER);
        assertEquals(dialler!.of("ended").length, 1, `${how} while ${state}`);
        assertEquals(dialler!.client.deadline(), Infinity, `${how} while ${state}`);
        assertEquals(dialler!.cancelled, state === "dialing" ? [1] : []);
      }
    }
  });

  it("a herd of clients does not come back at once", () => {
    const world = new Owners();
    for (let i = 0; i < 300; i++) world.dial({ reconnect: { base: 1_000 } });
    world.run(1_000);
    world.server.drain({ retryAfter: 1_000, jitter: 10_000 }, world.now);
    world.dialing = "hang";
    const begin = world.now;
    world.run(12_000);
    const again = world.diallers.map((dialler) => dialler.dials[1]! - begin);
    const slots = new Map<number, number>();
    for (const at of again) slots.set(Math.floor(at / 100), (slots.get(Math.floor(at / 100)) ?? 0) + 1);
    assertGreaterOrEqual(Math.min(...again), 1_000);
    // 300 over 100 slots: 3 each; 14 in one has a chance below 1e-4 for all slots together.
    assertLessOrEqual(Math.max(...slots.values()), 14);
  });
});

describe("a client that closes while it has no connection", () => {
  const options = { reconnect: { base: 100, floor: 50 }, closeTimeout: 2_000 };

  /** Closed during an outage: how it ended, and how long after. */
  function ends(owed: boolean, dialing: "fail" | "hang"): [string, number] {
    const fresh = new Owners();
    const other = fresh.dial(options);
    fresh.run(100);
    fresh.dialing = dialing;
    other.client.connection!.transportFailed(null, fresh.now);
    other.client.settle(other.client.connection!, fresh.now);
    if (owed) other.client.session!.send(new Uint8Array(5), fresh.now);
    fresh.run(300);
    other.client.close(0, "bye", fresh.now);
    const closedAt = fresh.now;
    fresh.run(FOREVER, () => other.of("ended").length > 0);
    return [other.of("ended")[0]!.reason.code, fresh.now - closedAt];
  }

  it("says that it could not deliver in closeTimeout, not what became of its last dial", () => {
    for (const dialing of ["fail", "hang"] as const) {
      const [code, took] = ends(true, dialing);
      assertEquals(code, "CLOSE_TIMEOUT", dialing);
      assertLessOrEqual(took, 2_000);
    }
  });

  it("that owes nothing ends with its next dial, or within a second", () => {
    const [refused, soon] = ends(false, "fail");
    assertEquals([refused, soon], ["ABORTED", 0]);
    const [hanging, late] = ends(false, "hang");
    assertEquals(hanging, "ABORTED");
    assertLessOrEqual(late, 1_000);
  });
});

describe("the handshake of a client that was connected before", () => {
  it("is given up as soon as an unanswered heartbeat would be, at least a second, and each time later", () => {
    const heartbeat = { interval: 100 };
    const world = new Owners({ heartbeat });
    const dialler = world.dial({ heartbeat, reconnect: { base: 10, floor: 10, cap: 10 } });
    world.run(1_000);
    world.cut = true;
    world.run(20_000, () => dialler.of("down").length === 5);
    const times = dialler.told.filter((told) => told.event.type === "down").map((told) => told.at);
    const gaps = times.slice(1).map((at, i) => Math.round(at - times[i]!));
    // The first was the early one's, which began before the verdict.
    assertLessOrEqual(gaps[0]!, 1_000);
    for (const [i, least] of [2_000, 4_000, 8_000].entries()) {
      assert(gaps[i + 1]! >= least && gaps[i + 1]! <= least + 50, `${gaps}`);
    }
  });
});

/**
 * A machine that slept while its monotonic clock stood still: owners notice by the wall clock and act within 2 s of waking.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { ConnectionEvent } from "../../core/events.ts";
import { Owners } from "../support/owners.ts";

const HOUR = 3_600_000;

function world(latency: number, options = {}): Owners {
  const made = new Owners();
  made.wall = 1_700_000_000_000;
  made.latency = latency;
  made.server.observeWall(made.now + made.wall, made.now);
  const dialler = made.dial(options);
  dialler.client.observeWall(made.now + made.wall, made.now);
  made.run(60_000);
  assertEquals(dialler.of("live").length, 1);
  return made;
}

function of(made: Owners, side: "client" | "server", type: ConnectionEvent["type"]): ConnectionEvent[] {
  return made.events.filter((seen) => seen.side === side && seen.event.type === type).map((seen) =>
    seen.event
  );
}

describe("after an hour's sleep with a monotonic clock that stood still", () => {
  it("a client whose peer is gone finds that within 2 s, and dials at once, without penalty", () => {
    for (const latency of [1, 150]) {
      const made = world(latency, { reconnect: { base: 20_000, floor: 10_000 } });
      const dialler = made.diallers[0]!;
      made.cut = true;
      made.wall! += HOUR;
      const woke = made.now;
      made.run(5_000, () => dialler.of("down").length > 0);
      assertLessOrEqual(made.now - woke, 2_000);
      const { reason, retryIn } = dialler.of("down")[0]!;
      assert(reason.kind === "dead" && reason.evidence.verdict === "SUSPENDED", JSON.stringify(reason));
      assertEquals(retryIn, 0);
    }
  });

  it("a client whose peer is there goes on: the peer is asked, and what was waited for is void", () => {
    const made = world(150);
    made.wall! += HOUR;
    const asked = made.diallers[0]!.client.connection!.stats().pingsSent;
    made.run(1_000);
    assertEquals(made.diallers[0]!.client.connection!.stats().pingsSent, asked + 1);
    made.run(300_000);
    assertEquals(made.diallers[0]!.of("down"), []);
    assertEquals(of(made, "client", "suspect"), []);
    // Both clocks of this world went on alike: to the client it was its wall clock that was set.
    assertEquals(of(made, "client", "clockStep"), [{ type: "clockStep", step: HOUR }]);
  });

  it("a server asks every client, and buries those that do not answer", () => {
    const made = world(100);
    for (let i = 0; i < 20; i++) made.dial();
    made.run(5_000);
    made.cut = true;
    made.wall! += HOUR;
    const woke = made.now;
    made.run(5_000, () => made.server.stats().open === 0);
    assertLessOrEqual(made.now - woke, 2_000);
  });

  it("a client that waits to dial again waits no longer", () => {
    const made = new Owners();
    made.wall = 0;
    made.dialing = "fail";
    const dialler = made.dial({ reconnect: { base: 30_000, floor: 30_000, cap: 30_000 } });
    dialler.client.observeWall(made.now, made.now);
    made.run(10_000);
    made.wall = HOUR;
    made.run(600);
    assertEquals(dialler.dials.length, 2);
  });

  it("no owner without a connection asks for samples, and none that never got one", () => {
    const made = new Owners();
    made.server.observeWall(0, made.now);
    assertEquals(made.server.deadline(), Infinity);
    made.dial();
    made.run(100);
    assert(made.diallers[0]!.client.deadline() > made.now + 1_000);
  });
});

/**
 * A cut, a reset and a restart: what was sent arrives once and in order, or is told as lost.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { World } from "../support/world.ts";

function numbered(count: number, name: string): string[] {
  return Array.from({ length: count }, (_, i) => `${name} ${i}`);
}

describe("a session", () => {
  it("goes on after a reset, with what was sent meanwhile", () => {
    const world = new World();
    world.run(100);
    assertEquals(world.near.resumed, [false]);
    world.send("client", "a 0");
    world.send("server", "b 0");
    world.resetAll();
    world.send("client", "a 1");
    world.send("server", "b 1");
    world.run(1_000);
    world.send("client", "a 2");
    world.send("server", "b 2");
    world.run(1_000);
    assertEquals(world.near.resumed, [false, true]);
    assertEquals(world.far.resumed, [false, true]);
    assertEquals(world.far.messages, numbered(3, "a"));
    assertEquals(world.near.messages, numbered(3, "b"));
    assertEquals(world.near.lost, []);
    assertEquals(world.client.session!.state.held, 0);
  });

  it("loses nothing over a hundred resets at random moments, both ways", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const world = new World({}, {}, seed);
      world.run(100);
      const sent = { client: 0, server: 0 };
      for (let step = 0; step < 100; step++) {
        for (let i = random.between(0, 6); i > 0; i--) {
          const side = random.between(0, 1) === 0 ? "client" : "server";
          const name = side === "client" ? "a" : "b";
          const text = `${name} ${sent[side]}`;
          if (world.send(side, text) === "accepted") sent[side]++;
        }
        world.run(random.between(0, 30));
        if (random.between(0, 2) === 0) world.resetAll();
      }
      world.run(10_000);
      assertEquals(world.far.messages, numbered(sent.client, "a"), `seed ${seed}`);
      assertEquals(world.near.messages, numbered(sent.server, "b"), `seed ${seed}`);
      assertEquals(world.client.session!.state.held, 0, `seed ${seed}`);
      assertEquals(world.remote!.state.held, 0, `seed ${seed}`);
    }
  });

  it("is found dead by silence, and goes on", () => {
    const heartbeat = { interval: 200, multiplier: 3 };
    const world = new World({ heartbeat }, { heartbeat });
    world.run(100);
    world.send("client", "a 0");
    world.silent = true;
    world.send("client", "a 1");
    world.run(500);
    world.silent = false;
    world.run(5_000);
    world.send("client", "a 2");
    world.run(100);
    assertEquals(world.far.messages, numbered(3, "a"));
  });

  it("tells what is lost when the server lost it, before anything new", () => {
    const world = new World();
    world.run(100);
    world.far.consumes = false;
    world.send("client", "a 0");
    world.run(100);
    world.reachable = false;
    world.restart();
    world.send("client", "a 1");
    world.reachable = true;
    world.run(1_000);
    assertEquals(world.near.lost.length, 1);
    const [first, second] = world.near.lost[0]!;
    assertEquals([first!.state, second!.state], ["maybeDelivered", "unsent"]);
    assertEquals(world.near.lost[0]!.map((one) => new TextDecoder().decode(one.bytes)), ["a 0", "a 1"]);
    assertEquals(world.near.resumed, [false, false]);
    world.send("client", "a 2");
    world.run(100);
    assertEquals(world.far.messages, ["a 0", "a 2"]);
    assert(world.client.session!.resumable);
  });

  it("is kept for the resume window and no longer", () => {
    const world = new World({}, { resumeWindow: 5_000 });
    world.run(100);
    world.send("server", "b 0");
    world.reachable = false;
    world.resetAll();
    world.run(4_900);
    assertEquals(world.server.stats().sessions!.detached, 1);
    world.run(200);
    assertEquals(world.server.stats().sessions!.detached, 0);
    assertEquals(world.over.length, 1);
    assertEquals(world.over[0]!.unconfirmed.length, 1);
  });
});

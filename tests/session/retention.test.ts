/**
 * What a session keeps for a replay: how much memory that takes, that it is bounded, and how long a resume takes that replays much.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { HeartwireError } from "../../core/errors.ts";
import { Retention } from "../../core/flow/retention.ts";
import { ByteQueue } from "../../core/wire/bytes.ts";
import { writeData } from "../../core/wire/encoder.ts";
import { FIRST, LAST } from "../../core/wire/registry.ts";
import { Random, seeded } from "../support/random.ts";
import { type Side, World } from "../support/world.ts";

const SIDES: readonly Side[] = ["client", "server"];

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HeartwireError) return error.code;
    throw error;
  }
  return "none";
}

/** Bytes of memory that kept frames of messages of `size` take, each: whole slabs, those of the queue included, and a segment's object. */
function memoryPer(size: number, count: number, together: number): number {
  const queue = new ByteQueue();
  const kept = new Retention();
  const environment = seeded(new Random(1));
  const payload = new Uint8Array(size);
  for (let i = 0; i < count; i++) {
    writeData(queue, environment, FIRST | LAST, i & 0xffff, payload, 0, size);
    if (i % together !== together - 1 && i !== count - 1) continue;
    for (let view = queue.peek(); view !== null; view = queue.peek()) {
      kept.keep(view);
      queue.advance(view.length);
    }
  }
  const views = kept.views();
  const slabs = new Set(views.map((view) => view.buffer));
  slabs.add(queue.bytes.buffer);
  const bytes = [...slabs].reduce((sum, slab) => sum + slab.byteLength, 0);
  return (bytes + views.length * 64) / count;
}

describe("retention", () => {
  it("takes at most 64 bytes for a message beyond its payload, whole slabs counted", () => {
    for (const size of [0, 1, 56, 100, 400, 1_000, 2_000, 5_000, 10_000, 13_100, 16_384]) {
      for (const together of [1, 3, 100, 5_000]) {
        const per = memoryPer(size, 5_000, together);
        assertLessOrEqual(per, size + 64, `${size} bytes, ${together} at a time`);
      }
    }
  });

  it("never holds more than the option says, connected and between connections", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const options = {
        retention: 5_000,
        maxMessage: 4_000,
        heartbeat: { interval: 200, minimumInterval: 10 },
      };
      const world = new World(options, options, seed);
      world.run(100);
      let blocked = 0;
      for (let step = 0; step < 200; step++) {
        for (const side of SIDES) {
          const application = world.application(side);
          application.consumes = random.between(0, 3) === 0;
          if (application.consumes) world.finishAll(side);
          for (let i = random.between(0, 6); i > 0; i--) {
            const size = random.between(0, 9) === 0 ? 4_000 : random.between(0, 700);
            if (world.send(side, "".padEnd(size, ".")) === "blocked") blocked++;
          }
          assertLessOrEqual(world.session(side)!.state.outbound.held, 5_000, `seed ${seed}`);
        }
        world.run(random.between(0, 20));
        if (random.between(0, 5) === 0) world.resetAll();
      }
      assertGreater(blocked, 10);
      for (const side of SIDES) world.application(side).consumes = true;
      for (let i = 0; i < 30; i++) {
        for (const side of SIDES) world.finishAll(side);
        world.run(100);
      }
      assertEquals(world.far.messages.length, world.near.sent.length, `seed ${seed}`);
      assertEquals(world.near.messages.length, world.far.sent.length, `seed ${seed}`);
      assertEquals([world.client.session!.state.held, world.remote!.state.held], [0, 0], `seed ${seed}`);
    }
  });

  it("refuses at once, with a code, what it could never keep, connected and between connections", () => {
    for (const side of SIDES) {
      const world = new World({ retention: 1_000 }, { retention: 1_000 });
      world.run(100);
      for (const connected of [true, false]) {
        if (!connected) {
          world.reachable = false;
          world.resetAll();
        }
        assertEquals(codeOf(() => world.send(side, "".padEnd(1_001))), "ERR_HEARTWIRE_MESSAGE_TOO_LARGE");
        assertEquals(world.send(side, "".padEnd(900)), "accepted");
        assertEquals(world.send(side, "".padEnd(900)), "blocked");
        world.run(200);
      }
    }
  });

  it("is empty again, slabs and all, when everything was processed", () => {
    const world = new World();
    world.run(100);
    world.far.consumes = false;
    for (let i = 0; i < 500; i++) world.post("client", `${i}`.padEnd(500));
    world.run(100);
    const { outbound } = world.client.session!.state;
    assertGreater(outbound.retained, 250_000);
    world.finishAll("server");
    world.run(100);
    assertEquals([outbound.retained, outbound.held], [0, 0]);
    assertEquals(outbound.unconfirmed(outbound.everSent), { messages: [], unsentRequests: [] });
  });
});

describe("a resume with a thousand kept messages", () => {
  for (const side of SIDES) {
    it(`of the ${side} takes one round trip, and the bytes that its peer lacks`, () => {
      const world = new World();
      world.run(100);
      world.reachable = false;
      // Half of them left and are lost on their way, half were never sent.
      world.deafen(...world.ends.values());
      for (let i = 0; i < 500; i++) world.post(side, `${i}`.padStart(30, "."));
      world.run(1);
      world.resetAll();
      for (let i = 500; i < 1_000; i++) world.post(side, `${i}`.padStart(30, "."));
      world.run(200);
      world.reachable = true;
      const dials = world.dials;
      world.run(1_000, () => world.dials > dials);
      const dialed = world.now;
      let bytes = 0;
      const other = side === "client" ? "server" : "client";
      world.onBytes = (end, got) => {
        if (end.side === other) bytes += got.length;
      };
      const got = world.application(other).messages;
      world.run(1_000, () => got.length === 1_000);
      assertEquals(got.length, 1_000);
      // There, back, and, for what the client sends, there again.
      assertEquals(Math.round(world.now - dialed), world.latency * (side === "client" ? 3 : 2));
      assert(bytes < 1_000 * (30 + 9) + 500, `${bytes} bytes`);
    });
  }
});

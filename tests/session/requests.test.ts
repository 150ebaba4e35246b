/**
 * Requests over sessions: what is asked, answered and taken back between two connections, and what is told of requests when a session is lost.
 *
 * Connections that are cut at every byte are in request_cuts.test.ts.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { SessionState } from "../../core/flow/session_state.ts";
import { BATCH } from "../../core/flow/inflight.ts";
import { Grant } from "../../core/flow/grant.ts";
import { resolveConnection } from "../../core/resolve.ts";
import { Asking } from "../support/asking.ts";
import { Random, seeded } from "../support/random.ts";
import { text } from "../support/talk.ts";
import { type Side, World } from "../support/world.ts";

const SIDES: readonly Side[] = ["client", "server"];

describe("between two connections", () => {
  it("both sides ask, answer and take back, and the next connection carries it", () => {
    for (const side of SIDES) {
      const other: Side = side === "client" ? "server" : "client";
      const world = new World();
      const asking = new Asking(world);
      asking.wait = () => Infinity;
      world.run(100);
      asking.ask(side, "before");
      asking.ask(side, "before, and taken back");
      world.run(100);
      world.reachable = false;
      world.resetAll();
      world.post(side, "message");
      asking.ask(side, "between");
      asking.ask(side, "between, and taken back");
      asking.cancel("before, and taken back");
      asking.cancel("between, and taken back");
      world.post(side, "another");
      asking.answerAll(); // what came before, by the other side
      assertEquals(asking.questions.filter(({ fate }) => fate === "answered"), []);
      world.reachable = true;
      world.run(1_000);
      asking.wait = () => 0;
      asking.answerAll();
      world.run(1_000);
      assertEquals(asking.heard[other], asking.said[side]);
      assertEquals(asking.questions.map(({ fate, handled }) => `${fate} ${handled}`), [
        "answered 1",
        "cancelled 1",
        "answered 1",
        "cancelled 1",
      ]);
      // The one that was taken back before its cut was answered before it was told.
      assertEquals(asking.takenBack[other], ["4"]);
      assertEquals([world.client.session!.state.held, world.remote!.state.held], [0, 0], side);
    }
  });

  it("answers wait for no memory beyond the account, and go when there is a connection", () => {
    const world = new World({}, { sessionMemory: 10_000 });
    const asking = new Asking(world);
    asking.wait = () => Infinity;
    asking.answers = () => text("answer", 2_000);
    world.run(100);
    for (let i = 0; i < 20; i++) asking.ask("client", `${i}`);
    world.run(100);
    world.reachable = false;
    world.resetAll();
    asking.answerAll();
    const { detachedBytes } = world.server.stats().sessions!;
    assertEquals(detachedBytes, world.remote!.state.held);
    assert(detachedBytes <= 10_000 && detachedBytes > 5_000, `${detachedBytes}`);
    world.reachable = true;
    world.run(2_000);
    assertEquals(asking.questions.map(({ fate }) => fate), Array(20).fill("answered"));
  });

  it("a handler that asks for more than a buffer while it handles a message is answered", () => {
    // What is kept of answers must not wait until the message before them is finished.
    const options = { sendBuffer: 10_000, maxMessage: 5_000, window: 7_000, retention: 8_000 };
    for (const side of SIDES) {
      const other: Side = side === "client" ? "server" : "client";
      const world = new World(options, options);
      const asking = new Asking(world);
      asking.answers = () => text("answer", 4_000);
      world.run(100);
      world.application(other).consumes = false;
      world.post(side, "job");
      world.run(100);
      for (let i = 0; i < 50; i++) {
        asking.ask(other, `${i}`);
        world.run(100);
        assertEquals(asking.questions.at(-1)!.fate, "answered", `${side}, question ${i}`);
        if (i % 10 === 5) world.resetAll();
      }
      assertEquals(world.application(other).finished.size, 0);
      world.finishAll(other);
      world.run(100);
      assertEquals(world.session(side)!.state.held, 0);
    }
  });

  it("the connection that ended keeps its figures, in the order of messages and requests", () => {
    for (const side of SIDES) {
      const other: Side = side === "client" ? "server" : "client";
      const world = new World();
      const asking = new Asking(world);
      world.run(100);
      const connection = world.session(side)!.connection!;
      for (let i = 0; i < 3; i++) asking.ask(other, `${i}`);
      world.post(side, "message");
      world.run(100);
      world.resetAll();
      const { accepted, acknowledged, processed } = connection.stats();
      assertEquals([accepted, acknowledged, processed], [1, 1, 1], side);
    }
  });

  it("writable follows what was blocked over the one and is answered over the next", () => {
    const world = new World({}, { sendBuffer: 3_000 });
    const asking = new Asking(world);
    asking.answers = () => text("answer", 2_500);
    asking.wait = () => Infinity;
    world.run(100);
    for (let i = 0; i < 5; i++) asking.ask("client", `${i}`);
    world.run(100);
    world.reachable = false;
    world.resetAll();
    asking.answerAll();
    world.reachable = true;
    world.run(1_000);
    assertEquals(asking.questions.map(({ fate }) => fate), Array(5).fill("answered"));
  });
});

describe("a session that is lost", () => {
  it("tells of each request whether it never arrived", () => {
    const world = new World();
    const asking = new Asking(world);
    asking.wait = () => Infinity;
    world.run(100);
    asking.ask("client", "arrives");
    asking.ask("client", "is answered");
    world.run(100);
    world.reachable = false;
    world.resetAll();
    asking.ask("client", "never leaves");
    asking.ask("client", text("nor does this", 50_000));
    asking.died();
    world.restart();
    world.reachable = true;
    world.run(1_000);
    assertEquals(world.near.resumed, [false, false]);
    assertEquals(asking.questions.map(({ fate }) => fate), ["unknown", "unknown", "unsent", "unsent"]);
    asking.wait = () => 0;
    asking.ask("client", "of the new session");
    world.run(100);
    assertEquals(asking.questions.at(-1)!.fate, "answered");
    assertEquals(asking.questions.at(-1)!.id, 1);
  });

  it("tells of what left and did not arrive that it may have, unless the server knows", () => {
    const world = new World({ retention: 1_000_000 }, { resumeWindow: 500 });
    const asking = new Asking(world);
    world.run(100);
    world.deafen(world.current!.peer);
    asking.ask("client", "into nowhere");
    world.run(10);
    world.reachable = false;
    world.resetAll();
    world.run(1_000);
    world.reachable = true;
    world.run(1_000);
    // An expired session is not told from an unknown one, so it may have arrived.
    assertEquals(asking.questions.map(({ fate, handled }) => [fate, handled]), [["unknown", 0]]);
    assertEquals(world.near.lost.length, 1);
  });

  it("is told at a server likewise, once its window has passed", () => {
    const world = new World({}, { resumeWindow: 1_000 });
    const asking = new Asking(world);
    asking.wait = () => Infinity;
    world.run(100);
    asking.ask("server", "arrives");
    world.run(100);
    world.reachable = false;
    world.resetAll();
    asking.ask("server", "never leaves");
    world.run(2_000);
    assertEquals(world.over.length, 1);
    assertEquals(asking.questions.map(({ fate }) => fate), ["unknown", "unsent"]);
  });

  it("gives no answer of the old session to a request of the new one with the same id", () => {
    const world = new World();
    const asking = new Asking(world);
    asking.wait = (asked) => asked === "old" ? 500 : Infinity;
    world.run(100);
    asking.ask("server", "old");
    world.run(50);
    asking.died();
    world.restart();
    world.run(100);
    asking.ask("server", "new");
    world.run(1_000);
    assertEquals(asking.questions.map(({ id, fate, handled }) => [id, fate, handled]), [[1, "unknown", 1], [
      1,
      "open",
      1,
    ]]);
    asking.answerAll();
    world.run(100);
    assertEquals(asking.questions.at(-1)!.fate, "answered");
  });

  it("has no half of a message whose other half was finished behind an answer", () => {
    const world = new World();
    const asking = new Asking(world);
    asking.answers = () => text("answer", 100_000);
    world.run(100);
    world.writes = 5_000;
    world.pace = 1;
    world.post("server", text("whole", 60_000));
    world.run(6);
    asking.ask("client", "?");
    world.run(400, () => world.near.messages.length === 1);
    world.run(60);
    world.resetAll();
    world.near.lost.length = 0;
    const parts = world.remote!.unconfirmed();
    for (const { bytes } of parts) assertEquals(bytes.length, 60_000);
  });
});

/** A session that has left this, with a peer that has all of it and has processed so much. */
function left(push: (state: SessionState) => void, received: number, processed: number): SessionState {
  const state = SessionState.begin(resolveConnection(), seeded(new Random(1)));
  state.keep(new Grant(new Uint8Array(16), new Uint8Array(32), 0), 1_000_000);
  const { outbound } = state;
  outbound.begin(1_000_000, 1_000_000);
  push(state);
  for (let view = outbound.take(BATCH, 0); view !== null; view = outbound.take(BATCH, 0)) {
    outbound.advance(view.length);
  }
  assertEquals(outbound.acknowledge(received, processed, 0), true);
  return state;
}

describe("a peer of another make", () => {
  it("that acknowledges half a message is told no half of it as lost", () => {
    const state = left(
      ({ outbound }) => {
        outbound.push(new Uint8Array(20_000));
        outbound.push(new Uint8Array(7));
      },
      3,
      1,
    );
    assertEquals(
      state.outbound.unconfirmed(3).messages.map(({ bytes, position }) => [bytes.length, position]),
      [[7, 3]],
    );
  });
});

describe("a client that closes between two connections", () => {
  it("gives the answers that it has", () => {
    const world = new World();
    const asking = new Asking(world);
    asking.wait = () => Infinity;
    world.run(100);
    asking.ask("server", "?");
    world.run(100);
    world.reachable = false;
    world.resetAll();
    asking.answerAll();
    world.client.close(0, "", world.now);
    world.settle();
    world.later(60, () => void (world.reachable = true));
    world.run(3_000);
    assertEquals(asking.questions.map(({ fate }) => fate), ["answered"]);
    assertEquals(world.client.ended, true);
  });
});

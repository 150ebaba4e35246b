/**
 * What happens between two connections, and at the seams of a resume: room, credit, what was finished meanwhile.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { HeartwireError } from "../../core/errors.ts";
import { hello, join, ping, preface } from "../support/crafted.ts";
import { World } from "../support/world.ts";

/** Room for four messages of a thousand bytes and not a fifth. */
const NARROW = { maxMessage: 1_000, window: 4_500 };

function numbered(count: number, name: string): string[] {
  return Array.from({ length: count }, (_, i) => `${name}${i}`);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HeartwireError) return error.code;
    throw error;
  }
  return "none";
}

describe("between two connections", () => {
  it("a side that was told blocked over the one is told writable over the next", () => {
    for (const side of ["client", "server"] as const) {
      const world = new World({ retention: 2_000 }, { retention: 2_000 });
      world.run(100);
      world.application(side === "client" ? "server" : "client").consumes = false;
      for (let i = 0; i < 10; i++) world.post(side, `${i} `.padEnd(500, "."));
      assertGreater(world.application(side).outbox.length, 0);
      world.run(100);
      world.reachable = false;
      world.resetAll();
      world.application(side === "client" ? "server" : "client").consumes = true;
      world.finishAll(side === "client" ? "server" : "client");
      world.reachable = true;
      world.run(2_000);
      assertEquals(world.application(side).outbox.length, 0, side);
      assertEquals(world.application(side === "client" ? "server" : "client").messages.length, 10, side);
      assertGreater(world.application(side).writable, 0, side);
    }
  });

  it("a side that was told blocked while there was none is told writable over the next", () => {
    for (const side of ["client", "server"] as const) {
      const world = new World({ retention: 2_000 }, { retention: 2_000 });
      world.run(100);
      world.reachable = false;
      world.resetAll();
      for (let i = 0; i < 10; i++) world.post(side, `${i} `.padEnd(500, "."));
      assertGreater(world.application(side).outbox.length, 0);
      assertEquals(world.send(side, "".padEnd(600)), "blocked");
      world.reachable = true;
      world.run(2_000);
      assertEquals(world.application(side).outbox.length, 0, side);
      assertEquals(world.application(side === "client" ? "server" : "client").messages.length, 10, side);
    }
  });

  it("what was finished meanwhile is told by the handshake, to the application, too", () => {
    for (const side of ["client", "server"] as const) {
      const other = side === "client" ? "server" : "client";
      const world = new World();
      world.run(100);
      world.application(other).consumes = false;
      for (const words of numbered(3, "a")) world.post(side, words);
      world.run(100);
      world.reachable = false;
      world.resetAll();
      world.finishAll(other, 2);
      world.reachable = true;
      world.run(1_000);
      assertEquals(world.application(side).processed, [2], side);
      world.finishAll(other);
      world.run(1_000);
      assertEquals(world.application(side).processed, [2, 3], side);
      assertEquals(world.session(side)!.state.held, 0, side);
    }
  });

  it("what is finished while the handshake is under way is acknowledged, and gives credit", () => {
    // The one who finishes has said in its HELLO or WELCOME that it has no room.
    for (const side of ["client", "server"] as const) {
      const other = side === "client" ? "server" : "client";
      for (const wait of [1, 4, 6, 9, 11, 14]) {
        const world = new World(NARROW, NARROW);
        world.run(100);
        world.application(other).consumes = false;
        for (let i = 0; i < 8; i++) world.post(side, `${i} `.padEnd(1_000, "."));
        world.run(100);
        assertEquals(world.application(other).messages.length, 4);
        world.resetAll();
        world.run(1_000, () => world.dials === 2);
        world.run(wait);
        world.application(other).consumes = true;
        world.finishAll(other);
        world.run(1_000);
        const name = `${other} finishes ${wait} ms into the handshake`;
        assertEquals(world.application(other).messages.length, 8, name);
        assertEquals(world.session(side)!.state.held, 0, name);
      }
    }
  });

  it("a session that begins anew gives the whole window, whatever room the one before it had", () => {
    const world = new World(NARROW, NARROW);
    world.run(100);
    world.near.consumes = false;
    for (let i = 0; i < 8; i++) world.post("server", `old ${i} `.padEnd(1_000, "."));
    world.run(100);
    assertEquals(world.near.messages.length, 4);
    world.restart();
    world.run(1_000);
    assertEquals(world.near.resumed, [false, false]);
    world.near.consumes = true;
    for (let i = 0; i < 8; i++) world.post("server", `new ${i} `.padEnd(1_000, "."));
    world.run(1_000);
    assertEquals(world.near.messages.length, 12);
  });

  it("a side that was told blocked is told writable over the session that begins anew", () => {
    for (const reachable of [true, false]) {
      const world = new World({ retention: 2_000 }, {});
      world.run(100);
      world.far.consumes = false;
      for (let i = 0; i < 4 && world.send("client", "".padEnd(600)) === "accepted"; i++);
      world.reachable = reachable;
      world.restart();
      world.run(200);
      if (!reachable) assertEquals(world.send("client", "".padEnd(600)), "blocked");
      if (!reachable) assertEquals(world.near.writable, 0);
      world.reachable = true;
      world.run(200);
      assertEquals([world.near.lost.length, world.near.writable], [1, 1]);
    }
  });

  it("what is finished while the handshake is under way is acknowledged, also when nothing follows", () => {
    for (const side of ["client", "server"] as const) {
      const other = side === "client" ? "server" : "client";
      for (const wait of [1, 4, 6, 9, 11, 14]) {
        const world = new World();
        world.run(100);
        world.application(other).consumes = false;
        world.post(side, "a0");
        world.run(100);
        world.resetAll();
        world.run(1_000, () => world.dials === 2);
        world.run(wait);
        world.finishAll(other);
        world.run(200);
        assertEquals(
          world.application(side).processed,
          [1],
          `${other} finishes ${wait} ms into the handshake`,
        );
      }
    }
  });

  it("a server that keeps no sessions ends them with their connections, and the next one begins at nothing", () => {
    const world = new World({}, { resumeWindow: 0 });
    world.run(100);
    assertEquals(world.client.session!.resumable, false);
    for (const words of numbered(3, "a")) world.post("client", words);
    world.run(100);
    assertEquals(world.client.session!.state.outbound.processed, 3);
    world.resetAll();
    assertEquals(codeOf(() => world.send("client", "nowhere")), "ERR_HEARTWIRE_NOT_OPEN");
    world.run(100);
    for (const words of numbered(3, "b")) world.post("client", words);
    world.run(1_000);
    assertEquals(world.dials, 2);
    assertEquals(world.client.session!.state.outbound.processed, 3);
  });
});

describe("a session that is over", () => {
  it("at a server that has no room for another is told as lost, and the connection goes on without one", () => {
    const world = new World({}, { maxSessions: 1 });
    world.run(100);
    world.far.consumes = false;
    world.post("client", "left");
    world.run(100);
    world.reachable = false;
    world.restart();
    const { connection } = world.stranger(); // it leaves a session behind
    const instance = new Uint8Array(16).fill(9);
    for (const bytes of [join(preface(), hello({ instance, generation: 1 })), ping(1)]) {
      connection.receive(bytes, world.now);
      world.server.settle(connection, world.now);
      world.settle();
    }
    connection.transportFailed(null, world.now);
    world.server.settle(connection, world.now);
    world.settle();
    assertEquals(world.server.stats().sessions!.detached, 1);
    world.reachable = true;
    world.run(2_000);
    assertEquals(world.near.lost.flat().map(({ bytes }) => new TextDecoder().decode(bytes)), ["left"]);
    assertEquals(world.client.session!.resumable, false);
    assertEquals(world.send("client", "after"), "accepted");
    world.run(100);
    assertEquals(world.far.messages.at(-1), "after");
    assertEquals(world.server.stats().sessions!.detached, 1);
  });

  it("takes no message into nowhere at a server", () => {
    const world = new World({}, { resumeWindow: 1_000 });
    world.run(100);
    const session = world.remote!;
    world.reachable = false;
    world.resetAll();
    world.send("server", "kept");
    world.run(2_000);
    assertEquals(world.over[0]!.unconfirmed.length, 1);
    assertEquals(session.resumable, false);
    assertEquals(codeOf(() => session.send(new Uint8Array(1), world.now)), "ERR_HEARTWIRE_NOT_OPEN");
  });

  it("takes none at a client that dials no more", () => {
    const world = new World({ reconnect: { base: 10, floor: 5, cap: 50, giveUpAfter: 1_000 } });
    world.run(100);
    world.reachable = false;
    world.resetAll();
    world.send("client", "kept");
    world.run(5_000);
    assertEquals(world.client.ended, true);
    assertEquals(world.client.session!.unconfirmed().length, 1);
    assertEquals(codeOf(() => world.send("client", "nowhere")), "ERR_HEARTWIRE_NOT_OPEN");
  });

  it("is told when its connection breaks while the server drains: nobody is let in again", () => {
    const world = new World();
    world.run(100);
    world.near.consumes = false;
    for (const words of numbered(3, "b")) world.post("server", words);
    world.run(100);
    world.far.consumes = false;
    world.post("client", "holds the end up");
    world.run(100);
    world.server.drain({}, world.now);
    world.settle();
    world.run(20);
    assertEquals(world.over.length, 0);
    world.resetAll();
    assertEquals(world.over.map((over) => over.unconfirmed.length), [3]);
    assertEquals(world.server.stats().sessions!.detached, 0);
  });

  it("that its server aborts tells what was not confirmed, once", () => {
    const world = new World();
    world.run(100);
    world.near.consumes = false;
    for (const words of numbered(3, "b")) world.post("server", words);
    world.run(100);
    world.server.abort("enough", world.now);
    world.settle();
    const told = [...world.far.lost.flat(), ...world.over.flatMap((over) => over.unconfirmed)];
    assertEquals(told.length, 3);
  });

  it("that its server ended in good order takes what is sent meanwhile into the next", () => {
    const world = new World();
    world.run(100);
    world.post("client", "before");
    world.run(100);
    const { state } = world.session("client")!;
    world.server.drain({ retryAfter: 200 }, world.now);
    world.settle();
    world.run(100);
    assertEquals([world.client.connection, world.client.ended], [null, false]);
    assertEquals(world.send("client", "between"), "accepted");
    world.restart();
    world.run(2_000);
    assertEquals(world.far.messages, ["before", "between"]);
    assertEquals([world.near.resumed, world.near.lost], [[false, false], []]);
    assert(world.session("client")!.state !== state, "it is another session");
    assertEquals(world.session("client")!.state.held, 0);
  });

  it("that its server ended in good order tells what the server's application is not known to have finished", () => {
    const world = new World();
    world.run(100);
    world.post("client", "finished");
    world.run(100);
    world.far.consumes = false;
    world.post("client", "read and left");
    world.run(100);
    const { connection } = world.remote!;
    world.remote!.close(0, "", world.now);
    world.server.settle(connection!, world.now);
    world.settle();
    world.run(100);
    const told = world.near.lost.flat().map(({ bytes, state }) => [new TextDecoder().decode(bytes), state]);
    assertEquals(told, [["read and left", "maybeDelivered"]]);
    assertEquals(world.over.flatMap((over) => over.unconfirmed), []);
  });

  it("that its server ended in good order, and a request with it, takes nothing before the next", () => {
    const world = new World();
    world.run(100);
    world.server.drain({ retryAfter: 200 }, world.now);
    world.settle();
    world.session("client")!.request(new Uint8Array(1), Infinity, world.now);
    world.run(100);
    assertEquals([world.client.connection, world.client.ended], [null, false]);
    assertEquals(codeOf(() => world.send("client", "between")), "ERR_HEARTWIRE_NOT_OPEN");
  });
});

describe("memory of sessions without a connection", () => {
  it("counts what is sent to them meanwhile", () => {
    const world = new World({}, { sessionMemory: 10_000 });
    world.run(100);
    world.reachable = false;
    world.resetAll();
    for (let i = 0; i < 20; i++) world.post("server", `${i} `.padEnd(1_000, "."));
    const { detachedBytes } = world.server.stats().sessions!;
    assertEquals(detachedBytes, world.remote!.state.held);
    assert(detachedBytes <= 10_000, `${detachedBytes}`);
    assertGreater(world.far.outbox.length, 0);
    world.reachable = true;
    world.run(2_000);
    assertEquals(world.near.messages.length, 20);
    assertEquals(world.server.stats().sessions!.detachedBytes, 0);
    assertThrows(() => world.send("server", "".padEnd(2_000_000)), HeartwireError);
  });
});

/**
 * Every way in which a connection ends that is not a peer's fault: in good order, by the application's word, by the transport, by
 * time (docs/PROTOCOL.md, section 7).
 *
 * Rules: virtual time. `closed` is seen once and last (the helpers throw otherwise), and sooner or later the socket is destroyed.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { HeartwireError } from "../../core/errors.ts";
import type { CloseReason } from "../../core/events.ts";
import type { Role } from "../../core/phases.ts";
import {
  ack,
  close,
  credit,
  data,
  error,
  hello,
  ping,
  preface,
  Subject,
  text,
  welcome,
} from "../support/crafted.ts";
import { Pair, type Side } from "../support/pair.ts";

const ROLES: readonly Role[] = ["client", "server"];

function reason(side: Side): CloseReason {
  assertEquals(side.of("closed").length, 1, side.name);
  assertEquals(side.events.at(-1)!.event.type, "closed", side.name);
  return side.of("closed")[0]!.reason;
}

function closed(by: "local" | "peer", closeCode: number, why: string): CloseReason {
  return { kind: "closed", code: "NONE", by, closeCode, text: why };
}

function sendOnClosing(subject: Subject): void {
  subject.act((connection, now) => connection.close(0, "", now));
}

describe("a close in good order", () => {
  it("from either side: both know who, why and with which code, and both sockets go", () => {
    for (const role of ROLES) {
      const pair = Pair.open();
      const [from, to] = role === "client" ? [pair.client, pair.server] : [pair.server, pair.client];
      pair.act(from, (connection, now) => connection.close(7, "enough", now));
      const begun = pair.now;
      pair.run(2_000, () => from.destroyed && to.destroyed);
      assertEquals(reason(from), closed("local", 7, "enough"));
      assertEquals(reason(to), closed("peer", 7, "enough"));
      assertEquals(to.of("closing").map((event) => [event.closeCode, event.text]), [[7, "enough"]]);
      // The answer says the same again.
      assertEquals(from.of("closing").map((event) => [event.closeCode, event.text]), [[7, "enough"]]);
      // Two ways for CLOSE, one for the end of the stream: no one waits for the linger.
      assertLessOrEqual(pair.now - begun, 4);
    }
  });

  it("from both at once: each keeps its own code", () => {
    for (const latency of [0, 1, 30]) {
      const pair = Pair.open();
      for (const side of [pair.client, pair.server]) side.out.latency = latency;
      pair.act(pair.client, (connection, now) => connection.close(1, "client", now));
      pair.act(pair.server, (connection, now) => connection.close(2, "server", now));
      pair.run(2_000);
      assertEquals(reason(pair.client), closed("local", 1, "client"));
      assertEquals(reason(pair.server).code, "NONE");
      assert(pair.client.destroyed && pair.server.destroyed);
    }
  });

  it("stands behind everything accepted before, what credit holds back too, from both sides at once", () => {
    const options = { maxMessage: 30_000, window: 45_000 };
    const pair = Pair.open({ client: options, server: options });
    const sent: Record<string, number[]> = { client: [], server: [] };
    for (const side of [pair.client, pair.server]) {
      for (let i = 0; i < 12; i++) {
        const size = 29_000 - i;
        if (pair.act(side, (c, now) => c.send(new Uint8Array(size), now)) === "accepted") {
          sent[side.name]!.push(size);
        }
      }
      pair.act(side, (connection, now) => connection.close(0, "", now));
      assertEquals(side.connection.phase, "closing");
    }
    pair.run(4_000);
    for (const side of [pair.client, pair.server]) {
      assertEquals(reason(side).kind, "closed");
      assertEquals(side.messages.map((message) => message.length), sent[pair.peer(side).name]!);
    }
  });

  it("is answered when the application has finished every message, not before, and heartbeats go on meanwhile", () => {
    const beat = { heartbeat: { interval: 100, multiplier: 3 }, closeTimeout: 60_000 };
    const pair = Pair.open({ client: beat, server: beat });
    pair.server.consumes = false;
    pair.send(pair.client, "work");
    pair.send(pair.client, "more work");
    pair.act(pair.client, (connection, now) => connection.close(0, "", now));
    pair.run(5_000);
    assertEquals(pair.server.connection.phase, "answering");
    assertEquals(pair.client.connection.phase, "closing");
    assert(pair.client.of("pong").length >= 15 && pair.server.of("pong").length >= 15);
    assertEquals(pair.client.of("suspect").length + pair.server.of("suspect").length, 0);
    const positions = pair.server.of("message").map((message) => message.position);
    pair.act(pair.server, (connection, now) => connection.consumed(positions[0]!, now));
    pair.run(1_000);
    assertEquals(pair.server.connection.phase, "answering");
    // Its own last word may still be said.
    pair.send(pair.server, "done");
    pair.act(pair.server, (connection, now) => connection.consumed(positions[1]!, now));
    pair.run(50);
    assertEquals(reason(pair.client).kind, "closed");
    assertEquals(reason(pair.server).kind, "closed");
    assertEquals(new TextDecoder().decode(pair.client.messages[0]), "done");
    assertEquals(pair.client.connection.stats().processed, 2);
  });

  it("that is not answered ends by time, on both sides, and tells the other", () => {
    const pair = Pair.open({ client: { closeTimeout: 1_500 } });
    pair.server.consumes = false;
    pair.send(pair.client, "never finished");
    const begun = pair.now;
    pair.act(pair.client, (connection, now) => connection.close(0, "", now));
    pair.run(60_000);
    assertEquals(reason(pair.client) as unknown, { kind: "timeout", code: "CLOSE_TIMEOUT" });
    assertEquals(pair.client.when("closed"), begun + 1_500);
    const other = reason(pair.server);
    assert(other.kind === "error" && other.code === "CLOSE_TIMEOUT", JSON.stringify(other));
    assert(pair.client.destroyed && pair.server.destroyed);
  });

  it("over a transport that takes nothing ends by time and destroys a second later", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, { options: { closeTimeout: 300 } });
      subject.stuck = true;
      sendOnClosing(subject);
      const begun = subject.now;
      subject.pass(299);
      assertEquals(subject.phase, "closing");
      subject.pass(1);
      assertEquals(subject.reason.code, "CLOSE_TIMEOUT");
      subject.pass(999);
      assertEquals(subject.connection.socketAction(), "end");
      subject.pass(1);
      assertEquals(subject.connection.socketAction(), "destroy");
      assertEquals(subject.now - begun, 1_300);
      assertEquals(subject.connection.peekTransmit(), null);
    }
  });

  it("called again, or while the peer's waits, changes nothing but what is left to do", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, { consumes: false });
      subject.give(data(0, "unfinished"), close(1, 3, "peer"));
      assertEquals(subject.phase, "answering");
      subject.act((connection, now) => connection.close(9, "local", now));
      // The application does not wait for itself: both have said CLOSE.
      assertEquals(subject.reason, closed("local", 9, "local"));
      const again = Subject.open(role);
      sendOnClosing(again);
      const before = again.connection.key(again.now);
      sendOnClosing(again);
      assertEquals(again.connection.key(again.now), before);
      assertEquals(again.ofKind("close").length, 1);
    }
  });

  it("lets nothing follow CLOSE but PING, PONG, ACK, CREDIT and ERROR", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, {
        options: { window: 30_000, maxMessage: 20_000, closeTimeout: 1_000 },
      });
      subject.act((connection, now) => connection.send(text("last"), now));
      sendOnClosing(subject);
      for (let i = 0; i < 10; i++) {
        subject.pass(60).give(ping(2 + i), data(i, new Uint8Array(9_000)));
        subject.act((connection, now) => connection.ping(now));
        const { message } = assertThrows(
          () => subject.connection.goAway({ scope: "session", code: "SHUTTING_DOWN" }, subject.now),
          HeartwireError,
        );
        assert(message.startsWith("goAway"), message);
      }
      const behind = subject.kinds.slice(subject.kinds.indexOf("close") + 1);
      assertEquals([...new Set(behind)].toSorted(), ["ack", "credit", "ping", "pong"]);
      subject.pass(1_000);
      assertEquals(subject.kinds.at(-1), "error");
    }
  });
});

/** A machine in each state: what was done, and whether a peer is there to be told. */
const PLACES: readonly (readonly [string, () => Subject, abort: string])[] = [
  ["greeting", () => new Subject("client"), "error ABORTED"],
  ["greeting", () => new Subject("client").give(preface()), "error ABORTED"],
  ["listening", () => new Subject("server"), "nothing"],
  ["listening", () => new Subject("server").give(preface()), "nothing"],
  ["deciding", () => new Subject("server", { accepts: false }).give(preface(), hello()), "reject ABORTED"],
  ["welcomed", () => new Subject("server").give(preface(), hello()), "error ABORTED"],
  ...ROLES.flatMap((role) =>
    [
      ["open", () => Subject.open(role), "error ABORTED"],
      ["closing", () => {
        const subject = Subject.open(role);
        sendOnClosing(subject);
        return subject;
      }, "error ABORTED"],
      ["answering", () =>
        Subject.open(role, { consumes: false }).give(data(0, "x"), close(1)), "error ABORTED"],
      ["closed", () =>
        Subject.open(role).give(error(49)), "nothing"],
    ] as const
  ),
];

describe("in every state", () => {
  it("the end of the stream is LOST, but a peer that said CLOSE may end its direction", () => {
    for (const [state, place] of PLACES) {
      const subject = place();
      assertEquals(subject.phase, state);
      const old = subject.connection.reason;
      subject.eof().eof();
      assertEquals(subject.connection.wantsRead(), false);
      if (state === "answering") {
        assertEquals(subject.over, false);
        subject.act((connection, now) => connection.consumed(1, now));
        assertEquals(subject.reason.kind, "closed");
        assertEquals(subject.actions.at(-1), "destroy");
        continue;
      }
      assertEquals(subject.reason as unknown, old ?? { kind: "lost", code: "LOST", cause: null });
      assertEquals(subject.actions.at(-1), "destroy");
    }
  });

  it("a peer that said CLOSE, ended its direction and is gone is found dead", () => {
    const subject = Subject.open("server", { consumes: false }, { desiredTx: 100 });
    subject.give(data(0, "x"), close(1)).eof().pass(1_000);
    assertEquals(subject.reason.kind, "dead");
    assertEquals(subject.actions.at(-1), "destroy");
  });

  it("a failed transport is LOST with its cause, at once, and nothing more is written", () => {
    const cause = new Error("ECONNRESET");
    for (const [state, place] of PLACES) {
      const subject = place();
      const old = subject.connection.reason;
      subject.stuck = true;
      for (let i = 0; i < 2; i++) subject.act((connection, now) => connection.transportFailed(cause, now));
      if (old === null) {
        const { reason } = subject;
        assert(reason.kind === "lost" && reason.code === "LOST" && reason.cause === cause, state);
      } else assertEquals(subject.reason, old);
      assertEquals(subject.connection.socketAction(), "destroy");
      assertEquals(subject.connection.peekTransmit(), null);
      assertEquals(subject.connection.deadline(), Infinity);
      assertEquals(subject.connection.wantsRead(), false);
      subject.connection.advanceTransmit(5); // a write that was under way comes back
    }
  });

  it("abort tells the peer as far as it can understand, and the rest is dropped", () => {
    for (const [state, place, told] of PLACES) {
      const subject = place();
      const old = subject.connection.reason;
      for (let i = 0; i < 2; i++) {
        subject.act((connection, now) => connection.abort("ABORTED", "no more", now));
      }
      assertEquals(
        subject.reason as unknown,
        old ?? { kind: "aborted", code: "ABORTED", text: "no more" },
        state,
      );
      assertEquals(subject.verdict, told, state);
      const expected = told === "nothing" && state !== "closed" ? "destroy" : "end";
      assertEquals(subject.connection.socketAction(), expected, state);
      const events = subject.events.length;
      subject.give(data(0, "late"), ping(9)).pass(999.9);
      assertEquals(subject.events.length, events);
      if (expected === "end") assertEquals(subject.connection.socketAction(), "end", state);
      subject.pass(0.2);
      assertEquals(subject.connection.socketAction(), "destroy", state);
    }
  });

  it("close before the conversation is an abort, with the same end for both", () => {
    for (const [state, place, told] of PLACES.slice(0, 6)) {
      const subject = place();
      subject.act((connection, now) => connection.close(4, "never mind", now));
      assertEquals(
        subject.reason as unknown,
        { kind: "aborted", code: "ABORTED", text: "never mind" },
        state,
      );
      assertEquals(subject.verdict, told, state);
    }
    const pair = new Pair();
    pair.act(pair.client, (connection, now) => connection.close(0, "", now));
    pair.run(2_000);
    const other = reason(pair.server);
    assert(other.kind === "error" && other.code === "ABORTED", JSON.stringify(other));
    assertEquals(pair.server.of("open").length, 0);
    assert(pair.client.destroyed && pair.server.destroyed);
  });
});

describe("last words", () => {
  it("ERROR overtakes what waits, behind the chunk that has begun", () => {
    for (const role of ROLES) {
      for (const how of ["abort", "fault", "timeout"] as const) {
        const subject = Subject.open(role, { options: { closeTimeout: 50, sendBuffer: 100_000 } });
        subject.stuck = true;
        const said = Array.from(
          { length: 9 },
          () => subject.connection.send(new Uint8Array(40_000), subject.now),
        );
        assertEquals(said.at(-1), "blocked"); // and no `writable` comes behind the end
        const begun = subject.connection.peekTransmit()!.slice(0, 100);
        subject.reader.read(begun);
        subject.connection.advanceTransmit(100);
        if (how === "abort") subject.act((connection, now) => connection.abort("INTERNAL", "", now));
        else if (how === "fault") subject.give(data(5, "gap"));
        else {
          sendOnClosing(subject);
          subject.pass(50);
        }
        subject.stuck = false;
        subject.drain();
        assert(subject.reader.whole);
        assertEquals(subject.ofKind("data").length, 1, how);
        assertEquals(subject.kinds.at(-1), "error");
        assertEquals(subject.eof().connection.socketAction(), "destroy");
      }
    }
  });

  it("ERROR that has not left yet keeps the socket for a second, though the peer has ended its direction", () => {
    for (const role of ROLES) {
      for (const leaves of [true, false]) {
        const subject = Subject.open(role);
        subject.stuck = true;
        subject.act((connection, now) => connection.abort("INTERNAL", "", now)).eof().pass(900);
        assertEquals(subject.connection.socketAction(), "end");
        if (leaves) {
          subject.stuck = false;
          subject.drain();
          assertEquals(subject.verdict, "error INTERNAL");
        } else {
          subject.pass(100);
        }
        assertEquals(subject.connection.socketAction(), "destroy");
      }
    }
  });

  it("nobody goes on talking to a peer that said ERROR", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, {}, { credit: 64 + 10 });
      for (let i = 0; i < 5; i++) subject.connection.send(new Uint8Array(10), subject.now);
      subject.drain();
      assertEquals(subject.ofKind("data").length, 1);
      subject.give(ack(1, 1), credit(1_000), error(49)).drain();
      assertEquals(subject.ofKind("data").length, 1, "chunks left behind an ERROR");
      assertEquals(subject.actions, ["keep", "end"]);
    }
  });

  it("a client that is refused leaves its HELLO unanswered and ends", () => {
    const client = new Subject("client");
    client.stuck = true;
    client.give(preface(), welcome()).give(error(36, "bye"));
    client.stuck = false;
    assertEquals(client.drain().kinds, ["preface", "hello", "ping"]);
    assertEquals(client.actions, ["keep", "end"]);
  });
});

/**
 * Profiles `plain` and `raw`: tokens in a stream without frames, and the ends of bare streams.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Conversation } from "../../core/conversation.ts";
import type { ConnectionOptions } from "../../core/options.ts";
import type { Role } from "../../core/phases.ts";
import { converse } from "../../core/profile.ts";
import { drain } from "../support/drained.ts";
import { Random, seeded } from "../support/random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function start(role: Role, options: ConnectionOptions = {}): Conversation {
  const machine = converse(role, { profile: "plain", ...options }, seeded(new Random(1)), 0);
  if (role === "server") machine.accept(0);
  drain(machine);
  return machine;
}

/** Feeds pieces, each at its time, and joins what is given out. */
function feed(machine: Conversation, pieces: readonly string[], pause = 0): string {
  let now = 0;
  let text = "";
  const take = (): void => {
    for (const message of drain(machine).messages) text += decoder.decode(message);
  };
  for (const piece of pieces) {
    machine.receive(encoder.encode(piece), now);
    take();
    now += pause;
    while (machine.deadline() <= now) {
      machine.handleTimeout(Math.max(machine.deadline(), 0));
      take();
    }
  }
  machine.receiveEof(now);
  take();
  return text;
}

describe("plain", () => {
  it("swallows the token wherever it is cut or glued, and nothing else", () => {
    const part = fc.constantFrom(
      "heartbeat",
      "heart",
      "beat",
      "h",
      "hea",
      "hello",
      "hearthel",
      "x",
      "heartbea",
      "t",
      "",
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 20 }),
        fc.array(fc.nat(12), { maxLength: 60 }),
        (parts, cuts) => {
          const text = parts.join("");
          const pieces: string[] = [];
          let at = 0;
          for (const cut of cuts) {
            if (cut === 0) continue;
            pieces.push(text.slice(at, at + cut));
            at += cut;
          }
          pieces.push(text.slice(at));
          const machine = start("server");
          assertEquals(
            feed(machine, pieces.filter((piece) => piece !== "")),
            text.replaceAll("heartbeat", ""),
          );
          assertEquals(machine.stats().pingsReceived, text.split("heartbeat").length - 1);
        },
      ),
    );
  });

  it("gives out what only looked like a token's beginning, after a moment", () => {
    const machine = start("server");
    assertEquals(feed(machine, ["hea", "rtbeat"], 60), "heartbeat");
    assertEquals(machine.stats().pingsReceived, 0);
    assertEquals(feed(start("server"), ["hea", "rtbeat"], 40), "");
    assertEquals(feed(start("server"), ["so my heart"], 0), "so my heart");
  });

  it("does not take its own stall for the peer's pause", () => {
    for (const late of [50, 80, 10_000]) {
      const machine = start("server");
      machine.receive(encoder.encode("hea"), 0);
      // The timer is overdue, and fires before what has lain in the socket for long is read.
      machine.handleTimeout(late);
      assertEquals(drain(machine).messages, []);
      assertEquals(machine.deadline(), late + 1);
      machine.receive(encoder.encode("rtbeat"), late);
      assertEquals([drain(machine).messages, machine.stats().pingsReceived], [[], 1]);
    }
  });

  it("beats every interval, on both sides, also while data flows", () => {
    for (const role of ["client", "server"] as const) {
      const machine = start(role, { heartbeat: { interval: 1_000 } });
      const sent: string[] = [];
      for (let now = 0; now <= 5_000; now += 100) {
        machine.receive(encoder.encode("x"), now);
        if (machine.deadline() <= now) machine.handleTimeout(now);
        const { bytes } = drain(machine);
        if (bytes.length > 0) sent.push(`${now} ${decoder.decode(bytes)}`);
      }
      assertEquals(sent, [1, 2, 3, 4, 5].map((second) => `${second}000 heartbeat`));
    }
  });

  it("a server judges a client from its first token on, a client its server from the start", () => {
    const options = { heartbeat: { interval: 1_000, multiplier: 3 } };
    const dies = (machine: Conversation, from: number): number => {
      let now = from;
      while (machine.reason === null && now < 60_000) {
        now = machine.deadline();
        machine.handleTimeout(now);
        drain(machine);
      }
      return machine.reason?.kind === "dead" ? now : NaN;
    };
    assertEquals(dies(start("client", options), 0), 3_001);
    const silent = start("server", options);
    silent.receive(encoder.encode("hello"), 0);
    assertEquals(dies(silent, 0), NaN);
    const beating = start("server", options);
    beating.receive(encoder.encode("heartbeat"), 500);
    assertEquals(dies(beating, 500), 3_501);
  });

  it("does not read on while the application has a window's worth to finish, and judges no silence meanwhile", () => {
    const machine = start("client", {
      maxMessage: 1_000,
      window: 2_000,
      heartbeat: { interval: 1_000, multiplier: 3 },
    });
    machine.receive(new Uint8Array(2_000).fill(65), 10);
    assertEquals(machine.wantsRead(), false);
    for (let now = 1_000; now < 20_000; now += 1_000) machine.handleTimeout(now);
    assertEquals(machine.reason, null);
    machine.consumed(1, 20_000);
    assertEquals(machine.wantsRead(), true);
    machine.handleTimeout(22_999);
    assertEquals(machine.reason, null);
    machine.handleTimeout(23_000);
    machine.handleTimeout(23_001);
    assert(machine.reason !== null && machine.reason.kind === "dead");
  });

  it("ends with the stream, from either side, and by its deadline", () => {
    for (const profile of ["plain", "raw"] as const) {
      const closed = start("client", { profile });
      closed.close(0, "", 5);
      assertEquals(closed.socketAction(), "end");
      closed.receive(encoder.encode("last words"), 6);
      assertEquals(decoder.decode(drain(closed).messages[0]), "last words");
      closed.receiveEof(7);
      assert(closed.reason?.kind === "closed" && closed.reason.by === "local");
      assertEquals(closed.socketAction(), "destroy");

      const left = start("server", { profile });
      left.receiveEof(7);
      assert(left.reason?.kind === "closed" && left.reason.by === "peer");

      const stuck = start("client", { profile, closeTimeout: 100 });
      stuck.close(0, "", 0);
      stuck.handleTimeout(100);
      assertEquals(stuck.reason, { kind: "timeout", code: "CLOSE_TIMEOUT" });
      assertEquals(stuck.socketAction(), "destroy");
    }
  });

  it("sends what was accepted before the end, in order and in pieces of any size", () => {
    const random = new Random(3);
    const machine = start("client", { profile: "raw", sendBuffer: 100_000, maxMessage: 1_000_000 });
    let expected = 0;
    let blocked = 0;
    for (let i = 0; i < 50; i++) {
      const message = new Uint8Array(random.between(0, 40_000)).fill(i);
      if (machine.send(message, 0) === "blocked") {
        blocked++;
        const { bytes, events } = drain(machine);
        expected -= bytes.length;
        assert(events.length === 0 && machine.nextEvent()?.type === "writable");
        machine.send(message, 0);
      }
      expected += message.length;
    }
    machine.close(0, "", 0);
    assertEquals(drain(machine).bytes.length, expected);
    assert(blocked > 5);
  });
});

/**
 * What makes a heartbeat believed, and what becomes of one that is not (docs/PROTOCOL.md, section 3.3).
 *
 * Rules: one machine, a crafted peer with a multiplier of 3, virtual time. When silence is judged is tested elsewhere.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Code } from "../../core/codes.ts";
import type { Role } from "../../core/phases.ts";
import { STALLED } from "../../core/wire/registry.ts";
import { ack, ping, pong, raw, Subject, text } from "../support/crafted.ts";

const ROLES: readonly Role[] = ["client", "server"];

/** A subject that has asked once (a client has anyway), with no PING of the peer's above `heard`. */
function asked(role: Role, tolerance = 3): { subject: Subject; heard: number } {
  const subject = Subject.open(role, { options: { heartbeat: { tolerance, multiplier: 4 } } });
  if (role === "server") subject.act((connection, now) => connection.ping(now));
  return { subject, heard: role === "server" ? 1 : 0 };
}

/** One faulty heartbeat of each kind; PING 5 at 500 was the last believed. */
const FAULTY: Readonly<Partial<Record<Code, () => Uint8Array>>> = {
  PING_STALE: () => ping(5, { timestamp: 501 }),
  PING_JUMPED: () => ping(15, { timestamp: 501 }),
  TIMESTAMP_BACKWARDS: () => ping(6, { timestamp: 499 }),
  PONG_UNMATCHED: () => pong(77, { timestamp: 501 }),
  PONG_IMPLAUSIBLE: () => pong(1, { timestamp: 501, hold: 50_000 }),
};

describe("a faulty heartbeat", () => {
  it("of each kind is tolerated three times, reported each time, and ends the connection the fourth", () => {
    for (const role of ROLES) {
      for (const [code, make] of Object.entries(FAULTY)) {
        const { subject } = asked(role);
        subject.give(ping(5, { timestamp: 500 }));
        for (let time = 1; time <= 3; time++) {
          subject.give(make());
          const faults = subject.of("fault");
          assertEquals(faults.map((fault) => [fault.code, fault.fatal]), new Array(time).fill([code, false]));
          assertEquals(subject.connection.stats().heartbeatFaults, time);
        }
        assertEquals(subject.phase, "open");
        subject.give(make());
        assertEquals(subject.of("fault").map((fault) => fault.fatal), [false, false, false, true]);
        assertEquals(subject.reason.code, code);
        assertEquals(subject.verdict, `error ${code}`);
      }
    }
  });

  it("of any kind counts with the others, and the code is that of the last", () => {
    for (const role of ROLES) {
      const { subject } = asked(role);
      subject.give(ping(5, { timestamp: 500 }));
      for (const code of ["PING_STALE", "PONG_UNMATCHED", "PING_JUMPED", "TIMESTAMP_BACKWARDS"] as const) {
        assertEquals(subject.over, false);
        subject.give(FAULTY[code]!());
      }
      assertEquals(subject.reason.code, "TIMESTAMP_BACKWARDS");
    }
  });

  it("is tolerated as often as the option says, and never more", () => {
    for (const tolerance of [0, 1, 10]) {
      const { subject } = asked("server", tolerance);
      for (let time = 0; time < tolerance; time++) subject.give(ping(1));
      assertEquals(subject.over, false);
      subject.give(ping(1));
      assertEquals(subject.reason.code, "PING_STALE");
    }
  });

  it("is not answered, proves nothing, and moves nothing that later ones are held against", () => {
    for (const role of ROLES) {
      const { subject } = asked(role);
      subject.act((connection, now) => connection.send(text("x"), now));
      subject.give(ping(5, { timestamp: 500 }));
      const answers = subject.ofKind("pong").length;
      subject.give(ping(15, { timestamp: 600, received: 1 })).give(ping(6, { timestamp: 499, received: 1 }));
      assertEquals(subject.ofKind("pong").length, answers);
      assertEquals(subject.connection.stats().acknowledged, 0);
      subject.give(pong(1, { timestamp: 700, hold: 90_000_000 }));
      assertEquals(subject.of("pong").length, 0);
      assertEquals(subject.connection.stats().rtt, null);
      // Neither the sequence nor the timestamp of what was not believed counts.
      subject.give(ping(6, { timestamp: 500, received: 1 })).give(pong(1, { timestamp: 500, received: 1 }));
      assertEquals(subject.of("fault").length, 3);
      assertEquals(subject.of("pong").length, 1);
      assertEquals(subject.connection.stats().acknowledged, 1);
    }
  });

  it("does not keep an answer that never comes from being missed", () => {
    const { subject } = asked("client", 1_000);
    for (let i = 0; i < 60 && !subject.over; i++) {
      subject.pass(1_000);
      if (!subject.over) subject.give(pong(900, { timestamp: 0 }));
    }
    assert(subject.reason.kind === "dead" && subject.reason.evidence.verdict === "OUTBOUND_DEAD");
  });
});

describe("a heartbeat at the edge", () => {
  it("may jump by three multipliers, and no further", () => {
    for (const [jump, fits] of [[9, true], [10, false]] as const) {
      const { subject } = asked("server", 0);
      subject.give(ping(1 + jump));
      assertEquals(subject.over, !fits);
    }
    for (const multiplier of [1, 255]) {
      const subject = Subject.open("client", { options: { heartbeat: { tolerance: 0 } } }, {
        multiplier,
        desiredTx: 100,
      });
      subject.give(ping(3 * multiplier));
      assertEquals(subject.phase, "open");
      assertEquals(subject.give(ping(6 * multiplier + 1)).reason.code, "PING_JUMPED");
    }
  });

  it("may carry the same timestamp again, and one that wraps", () => {
    const { subject } = asked("server", 0);
    let at = 1;
    for (const timestamp of [1, 1, 0x7fff_ffff, 0x8000_0001, 0xffff_ffff, 0, 5]) {
      subject.give(ping(++at, { timestamp }));
    }
    assertEquals(subject.phase, "open");
    assertEquals(subject.give(ping(++at, { timestamp: 0xffff_ffff })).reason.code, "TIMESTAMP_BACKWARDS");
  });

  it("may claim a hold up to the time it took, a thousandth and 1 ms, and no longer", () => {
    for (const [hold, fits] of [[0, true], [500_000, true], [501_500, true], [501_501, false]] as const) {
      const { subject, heard } = asked("client", 0);
      subject.pass(500).give(pong(1, { hold, timestamp: heard }));
      assertEquals(subject.over, !fits, `${hold}`);
      if (!fits) continue;
      assertEquals(subject.of("pong")[0], {
        type: "pong",
        sequence: 1,
        rtt: Math.max(0, 500 - hold / 1_000),
        hold: hold / 1_000,
      });
    }
  });

  it("closes the questions before it: an older answer that comes later is no answer", () => {
    for (const role of ROLES) {
      const { subject } = asked(role);
      for (let i = 0; i < 3; i++) subject.act((connection, now) => connection.ping(now));
      subject.give(pong(3, { timestamp: 10 }));
      assertEquals(subject.of("pong").map((event) => event.sequence), [3]);
      for (const sequence of [1, 2, 3]) subject.give(pong(sequence, { timestamp: 10 }));
      assertEquals(subject.of("fault").map((fault) => fault.code), new Array(3).fill("PONG_UNMATCHED"));
      subject.give(pong(4, { timestamp: 10 }));
      assertEquals(subject.of("pong").length, 2);
    }
  });
});

describe("an answer", () => {
  it("goes to each PING that wants one, at once and in order, and to no other", () => {
    for (const role of ROLES) {
      const { subject } = asked(role);
      subject.give(
        ping(2),
        ping(3, { flags: 0 }),
        ping(4),
        ping(5, { flags: 0xfc }),
        ping(6, { flags: 0xfd }),
      );
      const answers = subject.ofKind("pong").map((answer) => answer.answer);
      assertEquals(answers.slice(-3), [3, 5, 7]);
      assertEquals(answers.length, role === "server" ? 4 : 3);
    }
  });

  it("copies nothing of the question but its number: what it says of positions is its own", () => {
    for (const role of ROLES) {
      const { subject } = asked(role);
      subject.act((connection, now) => connection.send(text("x"), now)).give(ack(1, 0));
      subject.give(ping(2, { received: 1, timestamp: 0x0123_4567 }));
      assertEquals(subject.ofKind("pong").at(-1), { kind: "pong", answer: 3, received: 0 });
    }
  });

  it("may confess a stall; a heartbeat with that field is longer and is read", () => {
    for (const role of ROLES) {
      const { subject } = asked(role, 0);
      const plain = ping(2);
      // The same PING with the flag and four more bytes.
      const body = Uint8Array.of(1 | STALLED, ...plain.subarray(3, 20), 0, 0, 4, 0);
      subject.give(raw(0x08, body));
      assertEquals(subject.ofKind("pong").at(-1)!.answer, 3);
      assertEquals(subject.phase, "open");
    }
  });
});

/**
 * What an application or a driver does wrong is told to it at once, by a typed error, and changes nothing: neither the state nor what
 * the peer sees.
 *
 * Rules: each call is made in each state; the canonical key before and after is the same.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Code } from "../../core/codes.ts";
import { Connection } from "../../core/connection.ts";
import { HeartwireError } from "../../core/errors.ts";
import type { ConnectionOptions } from "../../core/options.ts";
import type { Role } from "../../core/phases.ts";
import { close, data, error, hello, preface, Subject, text } from "../support/crafted.ts";
import { Random, seeded } from "../support/random.ts";

const ROLES: readonly Role[] = ["client", "server"];
const TYPED = /^ERR_HEARTWIRE_[A-Z_]+$/;

type Call = (connection: Connection, now: number) => unknown;

/** The call throws, typed, with this code, and nothing changes. */
function refused(subject: Subject, call: Call, code: string, what = ""): HeartwireError {
  const before = [
    subject.connection.key(subject.now),
    subject.events.length,
    subject.raw.length,
    subject.actions.length,
  ];
  const thrown = assertThrows(
    () => call(subject.connection, subject.now),
    HeartwireError,
    undefined,
    `${code} ${what}`,
  );
  assertEquals(thrown.code, `ERR_HEARTWIRE_${code}`, what);
  assert(TYPED.test(thrown.code));
  subject.drain();
  const after = [
    subject.connection.key(subject.now),
    subject.events.length,
    subject.raw.length,
    subject.actions.length,
  ];
  assertEquals(after, before, `${code} ${what}`);
  return thrown;
}

const send: Call = (connection, now) => connection.send(text("x"), now);
const probe: Call = (connection, now) => connection.ping(now);
const away: Call = (connection, now) => connection.goAway({ scope: "connection", code: "BUSY" }, now);

function closing(role: Role): Subject {
  return Subject.open(role).act((connection, now) => connection.close(0, "", now));
}

describe("too early or too late", () => {
  const before: readonly (() => Subject)[] = [
    () => new Subject("client"),
    () => new Subject("server"),
    () => new Subject("server", { accepts: false }).give(preface(), hello()),
    () => new Subject("server").give(preface(), hello()),
  ];

  it("send, ping and goAway before the conversation say so, and that it may come", () => {
    for (const place of before) {
      for (const call of [send, probe, away]) {
        const subject = place();
        if (call === away && subject.phase === "welcomed") continue; // a server that drains says so at once
        const thrown = refused(subject, call, "NOT_OPEN", subject.phase);
        assertEquals(thrown.retryable, true, subject.phase);
        assert(thrown.message.includes(subject.phase) && thrown.hint !== "");
      }
    }
  });

  it("send, ping and goAway after the end say so, and that it will not come", () => {
    for (const role of ROLES) {
      for (const call of [send, probe, away]) {
        assertEquals(refused(Subject.open(role).give(error(49)), call, "NOT_OPEN").retryable, false);
        assertEquals(refused(Subject.open(role).eof(), call, "NOT_OPEN").retryable, false);
      }
      for (const call of [send, away]) {
        assertEquals(refused(closing(role), call, "NOT_OPEN").retryable, false);
      }
    }
    for (const place of before) {
      assertEquals(refused(place().eof(), send, "NOT_OPEN").retryable, false);
    }
  });

  it("while the peer's CLOSE waits for us, messages may still be sent", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, { consumes: false }).give(data(0, "x"), close(1));
      subject.act(send).act(probe).act(away);
      assertEquals(subject.kinds.slice(-3).toSorted(), ["data", "goaway", "ping"]);
    }
  });
});

describe("wrong values", () => {
  it("a message above the peer's maximum is refused, with the maximum, and one of exactly that size is sent", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, {}, { maxMessage: 20_000 });
      const thrown = refused(subject, (c, now) => c.send(new Uint8Array(20_001), now), "MESSAGE_TOO_LARGE");
      assert(thrown.message.includes("20000") || thrown.message.includes("20,000"), thrown.message);
      assertEquals(subject.connection.send(new Uint8Array(20_000), subject.now), "accepted");
    }
  });

  it("a position that was not delivered", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, { consumes: false }).give(data(0, "a"), data(1, "b"));
      for (const position of [3, -1, 1.5, NaN, Infinity, 2 ** 53]) {
        refused(subject, (connection, now) => connection.consumed(position, now), "POSITION", `${position}`);
      }
      // What is finished already, or lies inside a message, is no news.
      subject.act((connection, now) => connection.consumed(2, now));
      const before = subject.connection.key(subject.now);
      for (const position of [0, 1, 2]) subject.act((connection, now) => connection.consumed(position, now));
      assertEquals(subject.connection.key(subject.now), before);
    }
  });

  it("a code of CLOSE that is no count", () => {
    for (const role of ROLES) {
      for (const code of [-1, 1.5, NaN, Infinity, 2 ** 53, "1" as unknown as number]) {
        refused(
          Subject.open(role),
          (connection, now) => connection.close(code, "", now),
          "OPTION",
          `${code}`,
        );
      }
    }
  });

  it("a code that does not travel, or none", () => {
    for (
      const code of [
        "LOST",
        "DEAD",
        "WHATEVER",
        "__proto__",
        "toString",
        undefined,
      ] as readonly unknown[] as readonly Code[]
    ) {
      for (const role of ROLES) {
        const subject = Subject.open(role);
        subject.act((connection, now) => connection.send(text("kept"), now));
        refused(subject, (connection, now) => connection.abort(code, "", now), "OPTION", `abort ${code}`);
        refused(
          subject,
          (connection, now) => connection.goAway({ scope: "session", code }, now),
          "OPTION",
          `goAway ${code}`,
        );
      }
      const deciding = new Subject("server", { accepts: false }).give(preface(), hello());
      refused(deciding, (connection, now) => connection.reject(code, 0, "", now), "OPTION", `reject ${code}`);
      refused(
        new Subject("server"),
        (connection, now) => connection.reject(code, 0, "", now),
        "OPTION",
        `reject ${code}`,
      );
    }
  });

  it("a time to wait that is no time", () => {
    for (const time of [-1, NaN, Infinity, 86_400_001]) {
      for (const role of ROLES) {
        const option = (part: object): Call => (c, now) =>
          c.goAway({ scope: "session", code: "BUSY", ...part }, now);
        refused(Subject.open(role), option({ retryAfter: time }), "OPTION", `${time}`);
        refused(Subject.open(role), option({ jitter: time }), "OPTION", `${time}`);
      }
      const deciding = new Subject("server", { accepts: false }).give(preface(), hello());
      refused(deciding, (connection, now) => connection.reject("BUSY", time, "", now), "OPTION", `${time}`);
    }
  });

  it("a 65th question while 64 are open", () => {
    for (const role of ROLES) {
      // A multiplier that lets so many go at once.
      const subject = Subject.open(role, { options: { heartbeat: { interval: 1_000, multiplier: 100 } } });
      while (subject.connection.stats().pingsSent < 64) subject.act(probe);
      assertEquals(refused(subject, probe, "PINGS_OPEN").retryable, true);
    }
  });

  it("texts of any length and content are cut to what fits", () => {
    const long = "\u{1f49a}".repeat(1_000) + "\ud800";
    for (const role of ROLES) {
      const subject = Subject.open(role);
      subject.act((connection, now) =>
        connection.goAway({ scope: "session", code: "BUSY", text: long, endpoint: long }, now)
      );
      subject.act((connection, now) => connection.abort("INTERNAL", long, now));
      const [goaway, last] = subject.told.slice(-2);
      assert(
        goaway?.kind === "goaway" && goaway.text === "\u{1f49a}".repeat(63) &&
          goaway.endpoint === goaway.text,
      );
      assert(last?.kind === "error" && last.text === goaway.text);
    }
  });
});

describe("a driver", () => {
  it("that takes more than it was shown, or less than nothing", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role);
      for (const count of [0, 1]) {
        refused(
          subject,
          (connection) => connection.advanceTransmit(count),
          "ADVANCE",
          "nothing shown",
        );
      }
      subject.stuck = true;
      subject.act(probe).act(send);
      const shown = subject.connection.peekTransmit()!;
      for (const count of [shown.length + 1, -1, 0.5, NaN, Infinity]) {
        refused(subject, (connection) => connection.advanceTransmit(count), "ADVANCE", `${count}`);
      }
      subject.connection.advanceTransmit(0);
      assertEquals(subject.connection.peekTransmit(), shown);
    }
  });

  it("that has no clock", () => {
    for (const now of [NaN, Infinity, -Infinity]) {
      for (const role of ROLES) {
        const thrown = assertThrows(
          () => new Connection(role, {}, seeded(new Random(1)), now),
          HeartwireError,
        );
        assertEquals(thrown.code, "ERR_HEARTWIRE_OPTION");
      }
    }
  });

  it("that is neither client nor server, or misspells an option", () => {
    const make = (role: string, options: object) => () =>
      new Connection(role as Role, options as ConnectionOptions, seeded(new Random(1)), 0);
    const wrong = [
      make("peer", {}),
      make("client", { heartbeet: {} }),
      make("client", { heartbeat: { intervall: 5 } }),
      make("client", { heartbeat: { interval: 9 } }),
      make("server", { maxMessage: -1 }),
      make("server", { maxMessage: 1_000_000, window: 1_000_000 }),
      make("server", { sendBuffer: 0 }),
      make("server", { closeTimeout: NaN }),
      make("server", { handshakeTimeout: "5" }),
      make("server", []),
    ];
    for (const each of wrong) assertEquals(assertThrows(each, HeartwireError).code, "ERR_HEARTWIRE_OPTION");
  });
});

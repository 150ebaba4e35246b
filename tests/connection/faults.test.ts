/**
 * Every code that can end a connection, reached by a crafted peer: what the application sees, what the peer is told, what becomes of
 * the socket, and that nothing behind the fault is processed (docs/PROTOCOL.md, sections 3, 7 and 9).
 *
 * Rules: one row at least for each code; a code without one fails. In each row a message goes before the fault and another behind it,
 * in the same chunk where there is a conversation. Everything runs twice: whole, and byte by byte.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type Code, CODES } from "../../core/codes.ts";
import type { CloseReason } from "../../core/events.ts";
import type { Role } from "../../core/phases.ts";
import { FIRST, FrameType, LAST } from "../../core/wire/registry.ts";
import { ack, close, control, credit, data, error, hello, join, OFFER } from "../support/crafted.ts";
import { params, ping, pong, preface, raw, Subject, welcome } from "../support/crafted.ts";

const BOTH: readonly Role[] = ["client", "server"];
const OPTIONS = {
  maxMessage: 20_000,
  window: 30_000,
  heartbeat: { tolerance: 0 },
  handshakeTimeout: 2_000,
  closeTimeout: 500,
};

/** A fault in a conversation: bytes behind one message of one chunk that was delivered. */
interface Open {
  readonly what: string;
  readonly bytes: readonly Uint8Array[];
  /** Does something first. */
  readonly before?: (subject: Subject) => unknown;
}

function flipped(frame: Uint8Array, at: number): Uint8Array {
  const copy = frame.slice();
  copy[at]! ^= 0x10;
  return copy;
}

function sent(count: number): (subject: Subject) => void {
  return (subject) => {
    for (let i = 0; i < count; i++) subject.act((connection, now) => connection.send(new Uint8Array(1), now));
  };
}

const chunk = (size: number) => new Uint8Array(size);

/** By code: what a peer does in a conversation. Each begins where one chunk was received; a server has heard PING 1. */
const OPEN: Partial<Record<Code, readonly Open[]>> = {
  LENGTH_INVALID: [
    { what: "zero", bytes: [Uint8Array.of(0)] },
    { what: "no room for type and trailer", bytes: [Uint8Array.of(4, 0x1a, 0, 0, 0)] },
    { what: "a longer form than needed", bytes: [Uint8Array.of(0x40, 23), ping(2)] },
    { what: "four bytes for a small one", bytes: [Uint8Array.of(0x80, 0, 0, 23), ping(2)] },
    { what: "eight bytes for a small one", bytes: [Uint8Array.of(0xc0, 0, 0, 0, 0, 0, 0, 23), ping(2)] },
  ],
  FRAME_TOO_LARGE: [
    { what: "one above the limit", bytes: [Uint8Array.of(0x80, 0, 0x40, 0x41)] },
    { what: "2^30 - 1", bytes: [Uint8Array.of(0xbf, 0xff, 0xff, 0xff)] },
    { what: "2^53", bytes: [Uint8Array.of(0xc0, 0x20, 0, 0, 0, 0, 0, 0)] },
    { what: "all bits set", bytes: [chunk(8).fill(0xff)] },
  ],
  CHECKSUM: [
    { what: "in the body", bytes: [flipped(ping(2), 8)] },
    { what: "in the trailer", bytes: [flipped(ping(2), 22)] },
    { what: "in the type", bytes: [flipped(ack(0, 0), 1)] },
    { what: "in a chunk", bytes: [flipped(data(1, "changed"), 6)] },
    { what: "of an unknown type that could be ignored", bytes: [flipped(raw(0xff, [1, 2]), 3)] },
  ],
  UNKNOWN_FRAME: [{ what: "a type of later times", bytes: [raw(0x7f, [1, 2])] }, {
    what: "a stream frame",
    bytes: [raw(0x60)],
  }],
  UNEXPECTED_FRAME: [{ what: "HELLO", bytes: [hello()] }, { what: "WELCOME", bytes: [welcome()] }],
  FRAME_MALFORMED: [
    { what: "a short PING", bytes: [raw(FrameType.PING, chunk(17))] },
    { what: "a long PONG", bytes: [raw(FrameType.PONG, chunk(19))] },
    { what: "a PING that claims a confession it lacks", bytes: [raw(FrameType.PING, [2, ...chunk(17)])] },
    { what: "a byte behind ACK", bytes: [raw(FrameType.ACK, [0, 0, 0])] },
    { what: "half an ACK", bytes: [raw(FrameType.ACK, [0])] },
    { what: "CREDIT above 2^53 - 1", bytes: [raw(FrameType.CREDIT, chunk(8).fill(0xff))] },
    { what: "DATA without a sequence", bytes: [raw(FrameType.DATA | 3, [0])] },
    { what: "DATA above the chunk limit", bytes: [raw(FrameType.DATA | FIRST, [0, 1, ...chunk(16_385)])] },
    { what: "a text longer than the frame", bytes: [raw(FrameType.ERROR, [5, 200, 65])] },
    { what: "a text that is not UTF-8", bytes: [raw(FrameType.CLOSE, [0, 1, 1, 0xff])] },
    { what: "GOAWAY of no scope", bytes: [raw(FrameType.GOAWAY, [2, 0, 0, 0, 0, 0])] },
    { what: "an empty HELLO", bytes: [raw(FrameType.HELLO)] },
    {
      what: "33 parameters",
      bytes: [raw(FrameType.PARAMS, [1, ...Array.from({ length: 33 }, (_, i) => [0x41, i, 0]).flat()])],
    },
  ],
  PARAMETER_INVALID: [{ what: "an interval of 9 ms", bytes: [raw(FrameType.PARAMS, [1, 1, 1, 9])] }],
  PARAMETER_DUPLICATE: [{ what: "two intervals", bytes: [raw(FrameType.PARAMS, [1, 1, 1, 20, 1, 1, 20])] }],
  REQUEST_INVALID: [
    { what: "CANCEL of none", bytes: [control({ kind: "cancel", sequence: 1, id: 1 })] },
    {
      what: "an id that is not the next",
      bytes: [control({ kind: "request", flags: 3, sequence: 1, id: 2, remaining: 0, payload: chunk(1) })],
    },
    {
      what: "an answer to none",
      bytes: [control({ kind: "reply", flags: 3, sequence: 1, id: 1, status: 0, payload: chunk(1) })],
    },
  ],
  SEQUENCE: [
    { what: "a gap", bytes: [data(2, "gap")] },
    { what: "a repetition", bytes: [data(0, "again")] },
    { what: "far away", bytes: [data(0x8001, "far")] },
  ],
  CHUNK_INVALID: [
    { what: "no FIRST at the start", bytes: [data(1, "x", LAST)] },
    { what: "neither FIRST nor LAST at the start", bytes: [data(1, "x", 0)] },
    { what: "CLOSE inside", bytes: [data(1, "x", FIRST), close(2)] },
    { what: "FIRST inside", bytes: [data(1, "x", FIRST), data(2, "y", FIRST | LAST)] },
    {
      what: "FIRST inside, and not the last",
      bytes: [data(1, "x", FIRST), data(2, "y", 0), data(3, "z", FIRST)],
    },
  ],
  MESSAGE_TOO_LARGE: [
    { what: "at the chunk that exceeds", bytes: [data(1, chunk(16_384), FIRST), data(2, chunk(3_617), 0)] },
    { what: "in the last chunk", bytes: [data(1, chunk(10_000), FIRST), data(2, chunk(10_001), LAST)] },
  ],
  CREDIT_EXCEEDED: [
    {
      what: "more than the window",
      bytes: [data(1, chunk(16_384), FIRST), data(2, chunk(3_000), 0), data(3, chunk(15_000), LAST)],
    },
    {
      what: "volatile messages beyond the window, finished or not",
      before: (subject) => subject.consumes = false,
      bytes: [1, 2, 3].map(() => control({ kind: "volatile", payload: chunk(16_000) })),
    },
    {
      what: "chunks of nothing",
      bytes: [join(...Array.from({ length: 480 }, (_, i) => data(1 + i, "", i === 0 ? FIRST : 0)))],
    },
  ],
  ACK_INVALID: [
    { what: "received beyond what was sent", bytes: [ack(1, 0)] },
    { what: "processed beyond received", bytes: [ack(0, 1)] },
    { what: "received backwards", before: sent(3), bytes: [ack(2, 1), ack(1, 1)] },
    { what: "processed backwards", before: sent(3), bytes: [ack(2, 2), ack(2, 1)] },
    { what: "beyond in a PING", before: sent(3), bytes: [ping(2, { received: 4 })] },
    { what: "backwards in a PING", before: sent(3), bytes: [ack(2, 0), ping(2, { received: 1 })] },
    {
      what: "beyond in a PONG",
      before: (subject) => subject.act((c, now) => c.ping(now)),
      bytes: [pong(1, { received: 1 })],
    },
    { what: "less credit than before", bytes: [credit(OFFER.credit! - 1)] },
    { what: "CLOSE before its chunks", bytes: [close(2)] },
    { what: "CLOSE behind more than were sent", bytes: [data(1, "x"), close(1)] },
  ],
  PING_STALE: [
    { what: "repeated", bytes: [ping(2), ping(2)] },
    { what: "older", bytes: [ping(3), ping(2, { timestamp: 3 })] },
    { what: "zero", bytes: [ping(0, { timestamp: 9 })] },
  ],
  PING_JUMPED: [{ what: "by more than three multipliers", bytes: [ping(2), ping(12)] }],
  TIMESTAMP_BACKWARDS: [
    { what: "in a PING", bytes: [ping(2, { timestamp: 500 }), ping(3, { timestamp: 499 })] },
    {
      what: "in a PONG",
      before: (subject) => subject.act((c, now) => c.ping(now)),
      bytes: [ping(2, { timestamp: 500 }), pong(1, { timestamp: 499 })],
    },
  ],
  PONG_UNMATCHED: [
    { what: "to no PING", bytes: [pong(99)] },
    { what: "to PING 0", bytes: [pong(0)] },
    { what: "twice", before: (subject) => subject.act((c, now) => c.ping(now)), bytes: [pong(1), pong(1)] },
  ],
  PONG_IMPLAUSIBLE: [
    {
      what: "held longer than it took",
      before: (subject) => subject.act((c, now) => c.ping(now)).pass(100),
      bytes: [pong(1, { hold: 102_000 })],
    },
    {
      what: "held for ever",
      before: (subject) => subject.act((c, now) => c.ping(now)),
      bytes: [pong(1, { hold: 0xffff_ffff })],
    },
  ],
  PING_TOO_FAST: [{
    what: "more PINGs at once than a stall can hold back",
    bytes: Array.from({ length: 3 * OFFER.multiplier! + 3 }, (_, i) => ping(2 + i)),
  }],
  CONTROL_FLOOD: [{
    what: "offers whose answers it does not read",
    before: (subject) => subject.stuck = true,
    bytes: [join(...Array.from({ length: 10_000 }, (_, i) => params(i)))],
  }],
};

function behaves(role: Role, code: Code, { what, bytes, before }: Open, way: "whole" | "bytes"): void {
  const subject = Subject.open(role, { options: OPTIONS });
  subject.give(data(0, "before"));
  before?.(subject);
  const name = `${role} ${code}: ${what}, ${way}`;
  const events = subject.events.length;
  const behind = join(data(1, "behind"), ping(3_500), error(49), data(2, "far behind"));
  // What is right in `bytes` stays unanswered by other faults: the same first fault, wherever the bytes are cut.
  if (way === "whole") subject.give(...bytes, behind);
  else subject.trickle(...bytes, behind);
  subject.give(data(1, "later"), ping(4_000)).eof();
  if (subject.stuck) {
    subject.stuck = false;
    subject.drain();
  }
  const news = subject.events.slice(events);
  const ends = news.filter((event) => !["message", "pong", "terms", "processed"].includes(event.type));
  assertEquals(ends.map((event) => event.type), ["fault", "closed"], name);
  const fault = ends[0]!;
  assert(
    fault.type === "fault" && fault.fatal && fault.code === code && fault.text.length > 0,
    `${name}: ${JSON.stringify(fault)}`,
  );
  const { reason } = subject;
  assert(reason.kind === "fault" && reason.code === code && reason.text === fault.text, name);
  assertEquals(subject.verdict, `error ${code}`, name);
  assert(subject.reader.whole, name);
  assertEquals(subject.actions.filter((action) => action !== "destroy"), ["keep", "end"], name);
  assertEquals(subject.messages[0], "before", name);
  assert(subject.messages.every((message) => !message.includes("behind") && message !== "later"), name);
  assertEquals(subject.pass(2_000).connection.socketAction(), "destroy", name);
  assertEquals(subject.connection.deadline(), Infinity, name);
}

describe("a fault in a conversation", () => {
  for (const [code, rows] of Object.entries(OPEN)) {
    it(`${code} ends it, is told to both, and nothing behind it is processed`, () => {
      for (const row of rows) {
        for (const role of BOTH) {
          behaves(role, code as Code, row, "whole");
          behaves(role, code as Code, row, "bytes");
        }
      }
    });
  }

  it("delivers the messages that stand before it in the same chunk", () => {
    for (const role of BOTH) {
      const subject = Subject.open(role);
      subject.give(data(0, "one"), data(1, "tw", FIRST), data(2, "o", LAST), raw(0x7f), data(3, "three"));
      assertEquals(subject.messages, ["one", "two"]);
      assertEquals(subject.types.slice(-3), ["message", "fault", "closed"]);
    }
  });
});

/** How a connection comes to its end in any other way: by whom, what the peer is told, what becomes of the socket. */
interface Elsewhere {
  readonly run: () => Subject;
  readonly kind: CloseReason["kind"];
  readonly told: string;
  readonly fault: boolean;
  readonly action: "end" | "destroy";
}

function handshake(role: Role, ...bytes: Uint8Array[]): Subject {
  return new Subject(role, { options: OPTIONS }).stranger().give(...bytes);
}

function faulty(role: Role, told: string, ...bytes: Uint8Array[]): Elsewhere {
  return {
    run: () => new Subject(role, { options: OPTIONS }).give(...bytes, data(0, "behind")),
    ...{ kind: "fault", told, fault: true, action: "end" },
  };
}

function opened(role: Role): Subject {
  return Subject.open(role, { options: OPTIONS });
}

const REQUIRED_TWICE = [...chunk(16), 1, 1, 20, 1, 1, 20];
const ENDED: Omit<Elsewhere, "run"> = { kind: "error", told: "nothing", fault: false, action: "end" };

/** By code: ends outside of a conversation, by time, or by a word of the peer. */
const ELSEWHERE: Partial<Record<Code, readonly Elsewhere[]>> = {
  NOT_HEARTWIRE: BOTH.map((role) => ({
    run: () => handshake(role, raw(0x7f)),
    ...{ kind: "fault", told: "nothing", fault: true, action: "destroy" },
  })),
  VERSION_MISMATCH: [
    faulty("server", "reject VERSION_MISMATCH", preface(2, 2), hello()),
    faulty("client", "error VERSION_MISMATCH", preface(2, 2), welcome()),
  ],
  UNSUPPORTED: [faulty("server", "reject UNSUPPORTED", preface(), hello({ integrity: 2 }))],
  CHECKSUM: [
    faulty("server", "reject CHECKSUM", preface(), flipped(hello(), 9)),
    faulty("client", "error CHECKSUM", preface(), flipped(welcome(), 9)),
  ],
  PARAMETER_MISSING: [
    faulty("server", "reject PARAMETER_MISSING", preface(), raw(FrameType.HELLO, chunk(16))),
    faulty("client", "error PARAMETER_MISSING", preface(), raw(FrameType.WELCOME, chunk(16))),
  ],
  PARAMETER_DUPLICATE: [
    faulty("server", "reject PARAMETER_DUPLICATE", preface(), raw(FrameType.HELLO, REQUIRED_TWICE)),
  ],
  HEARTBEAT_UNACCEPTABLE: [
    {
      ...faulty("server", "reject HEARTBEAT_UNACCEPTABLE"),
      kind: "refused",
      fault: false,
      run: () => new Subject("server").give(preface(), hello({ multiplier: 61 })),
    },
    faulty("client", "error HEARTBEAT_UNACCEPTABLE", preface(), welcome({ multiplier: 61 })),
  ],
  HANDSHAKE_TIMEOUT: [
    {
      run: () => handshake("server").pass(3_000),
      kind: "timeout",
      told: "nothing",
      fault: false,
      action: "destroy",
    },
    {
      run: () => handshake("client").pass(3_000),
      kind: "timeout",
      told: "nothing",
      fault: false,
      action: "destroy",
    },
  ],
  TRUNCATED: [
    {
      run: () => opened("client").give(Uint8Array.of(23)).eof(),
      kind: "lost",
      told: "nothing",
      fault: true,
      action: "destroy",
    },
    {
      run: () => opened("server").give(ping(2).subarray(0, 23)).eof(),
      kind: "lost",
      told: "nothing",
      fault: true,
      action: "destroy",
    },
    {
      run: () => handshake("server", preface().subarray(0, 7)).eof(),
      kind: "lost",
      told: "nothing",
      fault: true,
      action: "destroy",
    },
  ],
  LOST: BOTH.map((role) => ({
    run: () => opened(role).eof(),
    kind: "lost",
    told: "nothing",
    fault: false,
    action: "destroy",
  })),
  ABORTED: BOTH.map((role) => ({
    ...ENDED,
    run: () => opened(role).give(error(48, "off"), data(0, "behind")),
  })),
  INTERNAL: BOTH.map((role) => ({
    ...ENDED,
    run: () => opened(role).give(error(49, "broken"), data(0, "behind")),
  })),
  CLOSE_TIMEOUT: BOTH.flatMap((role) => [
    { ...ENDED, run: () => opened(role).give(error(50), data(0, "behind")) },
    {
      run: () => opened(role).act((connection, now) => connection.close(0, "", now)).pass(510),
      ...{ kind: "timeout", told: "error CLOSE_TIMEOUT", fault: false, action: "end" },
    },
  ]),
};

describe("an end elsewhere", () => {
  for (const [code, rows] of Object.entries(ELSEWHERE)) {
    it(`${code} ends as it must`, () => {
      for (const row of rows) {
        const subject = row.run();
        const { reason } = subject;
        assertEquals([reason.kind, reason.code], [row.kind, code]);
        assertEquals(subject.types.filter((type) => type === "fault").length, row.fault ? 1 : 0);
        if (row.fault) assertEquals(subject.of("fault")[0]!.code, code);
        assertEquals(subject.messages, []);
        assertEquals(subject.verdict, row.told);
        assertEquals(subject.actions, row.action === "end" ? ["keep", "end"] : ["keep", "destroy"]);
        assertEquals(subject.pass(2_000).connection.socketAction(), "destroy");
      }
    });
  }
});

describe("the table", () => {
  it("has a row for each code from 1 to 27 and 48 to 50, and for those that never travel but DEAD", () => {
    const tested = new Set<string>([...Object.keys(OPEN), ...Object.keys(ELSEWHERE)]);
    for (const [name, { number }] of Object.entries(CODES)) {
      const wanted = (number >= 1 && number <= 27) || number >= 48 || name === "LOST";
      if (wanted) assert(tested.has(name), `no row for ${name}`);
    }
  });
});

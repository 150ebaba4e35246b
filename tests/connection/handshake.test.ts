/**
 * The handshake: what is agreed, who is refused and how, what is told to whom, and what never happens before its time
 * (docs/PROTOCOL.md, sections 2, 4 and 5).
 *
 * Rules: virtual time; a peer is crafted from bytes where it does what an honest one would not. Strangers are in strangers.test.ts.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Connection } from "../../core/connection.ts";
import type { HeartbeatOptions } from "../../core/options.ts";
import type { Parameters } from "../../core/wire/parameters.ts";
import { ack, control, data, error, goaway, hello, join, OFFER } from "../support/crafted.ts";
import { ping, preface, raw, reject, Subject, text, welcome } from "../support/crafted.ts";
import { close } from "../support/crafted.ts";
import { Pair } from "../support/pair.ts";

/** A frame of handshake with parameters that an encoder refuses to write: pairs of id and value bytes. */
function handmade(
  type: number,
  ...parameters: readonly (readonly [number, readonly number[]])[]
): Uint8Array {
  return raw(type, [
    ...new Array<number>(16).fill(7),
    ...parameters.flatMap(([id, value]) => [id, value.length, ...value]),
  ]);
}

const HELLO = 0x01;
const WELCOME = 0x04;
const REQUIRED = [[1, [0x67, 0x10]], [2, [0x40, 0x64]], [3, [3]]] as const;

const heartbeats: fc.Arbitrary<HeartbeatOptions> = fc.record({
  interval: fc.integer({ min: 10, max: 3_600_000 }),
  minimumInterval: fc.integer({ min: 10, max: 3_600_000 }),
  multiplier: fc.integer({ min: 1, max: 255 }),
  maximumDetection: fc.constant(3_600_000 * 255),
});

describe("agreement", () => {
  it("takes the slower of what one wants to send and the other to receive, in each direction, on both sides alike", () => {
    fc.assert(
      fc.property(heartbeats, heartbeats, fc.nat(2 ** 20), fc.nat(2 ** 20), (own, other, mine, yours) => {
        const pair = Pair.open({
          client: { heartbeat: own, maxMessage: mine },
          server: { heartbeat: other, maxMessage: yours },
        });
        const up = Math.max(own.interval!, other.minimumInterval!);
        const down = Math.max(other.interval!, own.minimumInterval!);
        const probes = Math.max(own.multiplier!, other.multiplier!);
        const { detectionBound: _c, idleDetectionBound: _ci, ...client } = pair.client.connection.agreement!;
        const { detectionBound: _s, idleDetectionBound: _si, ...server } = pair.server.connection.agreement!;
        assertEquals(client, {
          version: 1,
          txInterval: up,
          rxInterval: down,
          txDetection: Math.min(own.multiplier! * up, probes * down), // the peer asks, too
          rxDetection: other.multiplier! * down,
          probeDetection: probes * up,
          deferralCap: other.multiplier! * down / 2,
          maxMessage: yours,
        });
        assertEquals(server, {
          version: 1,
          txInterval: down,
          rxInterval: up,
          txDetection: Math.min(other.multiplier! * down, probes * up),
          rxDetection: own.multiplier! * up,
          probeDetection: probes * down,
          deferralCap: own.multiplier! * up / 2,
          maxMessage: mine,
        });
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it("is not there before, tells of the peer's defaults, and stays afterwards", () => {
    const subject = new Subject("client");
    assertEquals(subject.connection.agreement, null);
    subject.give(preface(), handmade(WELCOME, ...REQUIRED));
    assertEquals(subject.connection.agreement!.maxMessage, 1_048_576);
    assertEquals(subject.connection.agreement!.rxInterval, 10_000);
    // Without a credit of the peer's nothing but control leaves.
    assertEquals(subject.connection.send(text("waits"), subject.now), "accepted");
    subject.drain();
    assertEquals(subject.kinds, ["preface", "hello", "ping"]);
    subject.give(error(49));
    assertEquals(subject.connection.agreement!.rxInterval, 10_000);
  });

  it("refuses a detection time above what a side will wait, and no lower one", () => {
    const limit = { heartbeat: { maximumDetection: 30_000 } };
    for (const [desiredTx, fits] of [[10_000, true], [10_001, false]] as const) {
      const server = new Subject("server", { options: limit }).give(preface(), hello({ desiredTx }));
      assertEquals(server.phase, fits ? "welcomed" : "closed");
      const client = new Subject("client", { options: limit }).give(preface(), welcome({ desiredTx }));
      assertEquals(client.phase, fits ? "open" : "closed");
      if (fits) continue;
      assertEquals(server.verdict, "reject HEARTBEAT_UNACCEPTABLE");
      assert(server.reason.kind === "refused" && server.reason.by === "local");
      assertEquals(client.verdict, "error HEARTBEAT_UNACCEPTABLE");
      assert(client.reason.kind === "fault");
      for (const side of [server, client]) {
        assertEquals(side.reason.code, "HEARTBEAT_UNACCEPTABLE");
        assertEquals(side.types.includes("open"), false);
        assertEquals(side.connection.agreement, null);
        assertEquals(side.actions, ["keep", "end"]);
      }
    }
  });

  it("tells the other side of an unacceptable heartbeat, whichever finds it", () => {
    const slow = { heartbeat: { interval: 300_000 } };
    const strict = { heartbeat: { maximumDetection: 60_000 } };
    for (
      const [options, finder] of [[{ client: slow, server: strict }, "server"], [{
        client: strict,
        server: slow,
      }, "client"]] as const
    ) {
      const pair = new Pair(options);
      pair.run(3_000);
      for (const side of [pair.client, pair.server]) {
        const reason = side.connection.reason!;
        assertEquals(reason.code, "HEARTBEAT_UNACCEPTABLE", `${finder}: ${side.name}`);
        assert(side.destroyed);
      }
      assertEquals(pair.server.of("open"), [], "the server opened for a client that had refused");
    }
  });
});

describe("versions", () => {
  it("refuses a peer with no version in common before it reads anything else", () => {
    for (const [lowest, highest] of [[2, 2], [2, 255], [0, 0], [2, 1], [255, 0]] as const) {
      const server = new Subject("server").give(preface(lowest, highest), hello());
      assertEquals(server.kinds, ["preface", "reject"], `${lowest} to ${highest}`);
      assertEquals(server.verdict, "reject VERSION_MISMATCH");
      const client = new Subject("client").give(preface(lowest, highest), welcome());
      assertEquals(client.kinds, ["preface", "hello", "error"]);
      assertEquals(client.verdict, "error VERSION_MISMATCH");
      for (const side of [server, client]) {
        assertEquals(side.reason.code, "VERSION_MISMATCH");
        assertEquals(side.types, ["fault", "closed"]);
        assertEquals(side.actions, ["keep", "end"]);
      }
    }
  });

  it("speaks version 1 with a peer that speaks others too", () => {
    for (const [lowest, highest] of [[1, 1], [0, 1], [1, 255], [0, 255]] as const) {
      assertEquals(new Subject("server").give(preface(lowest, highest), hello()).phase, "welcomed");
      const client = new Subject("client").give(preface(lowest, highest), welcome());
      assertEquals(client.connection.agreement!.version, 1);
    }
  });
});

describe("order", () => {
  it("a server writes nothing before it decides, however the bytes come, and all at once then", () => {
    const greeting = join(preface(), hello());
    for (const verdict of ["accept", "reject"] as const) {
      const server = new Subject("server", { accepts: false });
      for (const byte of greeting) {
        server.give(Uint8Array.of(byte));
        assertEquals(server.raw.length, 0);
      }
      assertEquals(server.phase, "deciding");
      assertEquals(server.events, []);
      assertEquals(server.connection.hello!.parameters.credit, OFFER.credit);
      server.pass(9_000);
      assertEquals(server.raw.length, 0);
      if (verdict === "accept") server.act((connection, now) => connection.accept(now));
      else server.act((connection, now) => connection.reject("BUSY", 0, "", now));
      assertEquals(server.kinds, ["preface", verdict === "accept" ? "welcome" : "reject"]);
      assertEquals(server.connection.hello, null);
    }
  });

  it("a server opens with the client's first frame, whichever it is, and no sooner", () => {
    for (const first of [ping(1), ack(0, 0), data(0, "hello"), goaway()]) {
      const server = new Subject("server").give(preface(), hello());
      assertEquals(server.events, []);
      server.pass(5_000).give(first.subarray(0, first.length - 1));
      assertEquals(server.phase, "welcomed");
      assertEquals(server.events, []);
      assertEquals(server.kinds, ["preface", "welcome"], "nothing is said to a client that was never heard");
      server.give(first.subarray(first.length - 1));
      assertEquals(server.types[0], "open");
      assertEquals(server.phase, "open");
    }
  });

  it("a dial that is given up leaves nothing: no open, no message", () => {
    const ends: readonly ((server: Subject) => unknown)[] = [
      (server) => server.eof(),
      (server) => server.give(error(48)),
      (server) => server.give(raw(0x7f)),
      (server) => server.act((connection, now) => connection.transportFailed(new Error("reset"), now)),
      (server) => server.pass(60_000),
      (server) => server.act((connection, now) => connection.close(0, "", now)),
      (server) => server.act((connection, now) => connection.abort("ABORTED", "", now)),
    ];
    for (const end of ends) {
      const server = new Subject("server").give(preface(), hello());
      end(server);
      assertEquals(server.types.filter((type) => type !== "fault"), ["closed"]);
      assertEquals(server.connection.agreement, null);
    }
  });

  it("a client sends a PING that wants an answer with the WELCOME, and nothing between HELLO and it", () => {
    const client = new Subject("client");
    assertEquals(client.kinds, ["preface", "hello"]);
    client.pass(5_000);
    assertEquals(client.kinds, ["preface", "hello"]);
    client.give(preface(), welcome());
    assertEquals(client.types, ["open"]);
    assertEquals(client.ofKind("ping").map(({ flags, sequence }) => [flags, sequence]), [[1, 1]]);
  });

  it("frames above 1,024 bytes come only behind WELCOME, and at once then", () => {
    const big = data(0, new Uint8Array(1_100));
    const client = new Subject("client").give(preface(), welcome(), big);
    assertEquals(client.types, ["open", "message"]);
    for (const at of [new Subject("client").give(preface()), new Subject("server").give(preface())]) {
      assertEquals(at.give(big).reason.code, "FRAME_TOO_LARGE");
    }
    const deciding = new Subject("server", { accepts: false }).give(preface(), hello());
    assertEquals(deciding.give(big).reason.code, "FRAME_TOO_LARGE");
    assertEquals(new Subject("server").give(preface(), hello()).give(big).types, ["open", "message"]);
  });

  it("accept and reject do nothing where there is nothing to decide", () => {
    const places: readonly (() => Subject)[] = [
      () => new Subject("client"),
      () => Subject.open("client"),
      () => Subject.open("server"),
      () => new Subject("server").give(preface(), hello()),
      () => Subject.open("server").give(error(49)),
      () => new Subject("server", { accepts: false }).give(preface(), hello()).eof(),
    ];
    const calls: readonly ((connection: Connection, now: number) => void)[] = [
      (connection, now) => connection.accept(now),
      (connection, now) => connection.reject("BUSY", 5, "", now),
    ];
    for (const place of places) {
      for (const call of calls) {
        const subject = place();
        const before = [subject.connection.key(subject.now), subject.events.length, subject.told.length];
        subject.act(call);
        assertEquals(
          [subject.connection.key(subject.now), subject.events.length, subject.told.length],
          before,
        );
      }
    }
    const early = new Subject("server", { accepts: false });
    assertEquals(early.act((connection, now) => connection.accept(now)).phase, "listening");
    // Without room a server may refuse before it has read anything.
    early.act((connection, now) => connection.reject("BUSY", 5, "full", now));
    assertEquals(early.kinds, ["preface", "reject"]);
    assertEquals(early.give(preface(), hello()).types, ["closed"]);
  });
});

describe("refusal", () => {
  it("reaches the client with code, text and the time to wait", () => {
    const pair = new Pair({ accepts: false });
    pair.run(10);
    assertEquals(pair.server.connection.phase, "deciding");
    pair.act(pair.server, (connection, now) => connection.reject("PEER_LIMIT", 1_500.2, "too many", now));
    pair.run(10);
    const expected = { kind: "refused", code: "PEER_LIMIT", by: "peer", retryAfter: 1_501, text: "too many" };
    assertEquals(pair.client.connection.reason as unknown, expected);
    assertEquals(pair.client.of("closed").length, 1);
    assertEquals(pair.server.connection.reason as unknown, { ...expected, by: "local", retryAfter: 1_500.2 });
    pair.run(2_000);
    assert(pair.client.destroyed && pair.server.destroyed);
  });

  it("with a code that this version does not know is a refusal all the same", () => {
    const client = new Subject("client").give(preface(), reject(4_711, 9, "later"));
    assertEquals(client.reason as unknown, {
      kind: "refused",
      code: "NONE",
      by: "peer",
      retryAfter: 9,
      text: "later",
    });
    const erring = new Subject("client").give(preface(), error(4_711, "later"));
    assertEquals(erring.reason as unknown, { kind: "error", code: "NONE", number: 4_711, text: "later" });
  });

  it("frames that belong to a conversation are refused in every state of the handshake", () => {
    const states: readonly (readonly [() => Subject, string])[] = [
      [() => new Subject("client").give(preface()), "error"],
      [() => new Subject("server").give(preface()), "reject"],
      [() => new Subject("server", { accepts: false }).give(preface(), hello()), "reject"],
    ];
    for (const [state, told] of states) {
      for (const frame of [close(0), goaway(), data(0, "x"), ping(1)]) {
        const subject = state().give(frame, data(0, "behind"));
        assertEquals(subject.verdict, `${told} UNEXPECTED_FRAME`);
        assertEquals(subject.types, ["fault", "closed"]);
      }
    }
    const twice = new Subject("server", { accepts: false }).give(preface(), hello(), hello());
    assertEquals(twice.verdict, "reject UNEXPECTED_FRAME");
    assertEquals(
      new Subject("client").give(preface(), welcome(), welcome()).verdict,
      "error UNEXPECTED_FRAME",
    );
  });
});

describe("parameters", () => {
  const wrong: readonly (readonly [string, readonly (readonly [number, readonly number[]])[]])[] = [
    ["PARAMETER_MISSING", []],
    ...REQUIRED.map(([id]) => ["PARAMETER_MISSING", REQUIRED.filter((each) => each[0] !== id)] as const),
    ...REQUIRED.map((each) => ["PARAMETER_DUPLICATE", [...REQUIRED, each]] as const),
    ["PARAMETER_DUPLICATE", [...REQUIRED, [0x3d, [1]], [0x3d, [1]]]],
    ["PARAMETER_INVALID", [[1, [9]], REQUIRED[1], REQUIRED[2]]],
    ["PARAMETER_INVALID", [[1, [0x80, 0x36, 0xee, 0x81]], REQUIRED[1], REQUIRED[2]]],
    ["PARAMETER_INVALID", [REQUIRED[0], [2, [0]], REQUIRED[2]]],
    ["PARAMETER_INVALID", [REQUIRED[0], REQUIRED[1], [3, [0]]]],
    ["PARAMETER_INVALID", [REQUIRED[0], REQUIRED[1], [3, [0x41, 0x00]]]],
    ["PARAMETER_INVALID", [...REQUIRED, [4, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]]],
    ["PARAMETER_INVALID", [...REQUIRED, [4, []]]],
    ["PARAMETER_INVALID", [...REQUIRED, [5, [1, 1]]]],
    ["PARAMETER_INVALID", [...REQUIRED, [0x10, [1, 2, 3]]]],
  ];

  it("that are missing, double, out of range or ill-formed are refused, on both sides, and told", () => {
    for (const [code, parameters] of wrong) {
      const server = new Subject("server").give(preface(), handmade(HELLO, ...parameters));
      assertEquals(server.verdict, `reject ${code}`, JSON.stringify(parameters));
      const client = new Subject("client").give(preface(), handmade(WELCOME, ...parameters));
      assertEquals(client.verdict, `error ${code}`, JSON.stringify(parameters));
      for (const side of [server, client]) assertEquals(side.types, ["fault", "closed"]);
    }
  });

  it("that are unknown, at the edges of their range, or meant for other frames are taken", () => {
    const good: readonly (readonly (readonly [number, readonly number[]])[])[] = [
      REQUIRED,
      [...REQUIRED, [0x3e, []], [0x3f, new Array<number>(60).fill(1)]],
      [[1, [10]], [2, [10]], [3, [1]]],
      [[1, [0x80, 0x36, 0xee, 0x80]], [2, [0x80, 0x36, 0xee, 0x80]], [3, [0x40, 0xff]]],
      [...REQUIRED, [0x22 + 1, [1]], [4, [0]], [5, [0]]],
    ];
    const options = { heartbeat: { maximumDetection: 3_600_000 * 255 } };
    for (const parameters of good) {
      const server = new Subject("server", { options }).give(preface(), handmade(HELLO, ...parameters));
      assertEquals(server.phase, "welcomed", JSON.stringify(parameters));
      const client = new Subject("client", { options }).give(preface(), handmade(WELCOME, ...parameters));
      assertEquals(client.phase, "open", JSON.stringify(parameters));
    }
  });

  it("integrity: what is not offered is not chosen, and what was not offered is not accepted", () => {
    for (
      const [integrity, fits] of [[1, true], [3, true], [7, true], [2, false], [4, false], [
        6,
        false,
      ]] as const
    ) {
      const server = new Subject("server").give(preface(), hello({ integrity }));
      assertEquals(server.phase, fits ? "welcomed" : "closed", `${integrity}`);
      if (!fits) assertEquals(server.verdict, "reject UNSUPPORTED");
    }
    for (const integrity of [2, 4]) {
      const client = new Subject("client").give(preface(), welcome({ integrity }));
      assertEquals(client.verdict, "error PARAMETER_INVALID", `${integrity}`);
      assertEquals(client.types, ["fault", "closed"]);
    }
    const silent: Parameters = { desiredTx: 1_000, requiredRx: 100, multiplier: 3 };
    const client = new Subject("client").give(preface());
    client.give(control({ kind: "welcome", nonce: new Uint8Array(16), parameters: silent }));
    assertEquals(client.phase, "open");
  });
});

/**
 * Whoever does not speak heartwire is told apart at once and refused without harm, and who says nothing or too little is not waited
 * for (docs/PROTOCOL.md, sections 2 and 4).
 *
 * Rules: virtual time. A stranger's bytes come whole, cut at every byte, and one by one.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { hello, join, ping, preface, Subject, text, welcome } from "../support/crafted.ts";
import { Random } from "../support/random.ts";

const TLS_HELLO = Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03);
const TLS_ALERT = [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46];

/** A packet of the articles' first program: a time as text, filled up, and "heartbeat": 21 bytes. */
const CLASSIC = text("1700000000.1heartbeat");

function noise(seed: number, length: number): Uint8Array {
  const random = new Random(seed);
  const bytes = Uint8Array.from({ length }, () => random.between(0, 255));
  if (bytes[0] === 0xe2) bytes[0] = 0;
  return bytes;
}

const REQUESTS = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"]
  .map((method) => text(`${method} /socket HTTP/1.1\r\nHost: example.net\r\n\r\n`));

const STRANGERS: readonly Uint8Array[] = [
  text("SSH-2.0-OpenSSH_9.6\r\n"),
  text("\r\n"),
  text("heartbeat"),
  CLASSIC,
  new Uint8Array(64),
  new Uint8Array(64).fill(0xff),
  Uint8Array.of(0xe2, 0x99, 0xa5, 0x77, 0x0a, 0x0d), // line ends that something rewrote
  Uint8Array.of(0xe2, 0x99, 0xa5, 0x77, 0x0a, 0x01, 0x01),
  text("GETAWAY "),
  Uint8Array.of(0x16, 0x02, 0x01),
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((seed) => noise(seed, 300)),
];

/** What a stranger is to find in any machine: the code, once, as event and as reason, and no second word. */
function refused(subject: Subject, told: number): void {
  assertEquals(subject.types, ["fault", "closed"]);
  assertEquals(subject.of("fault")[0]!.code, "NOT_HEARTWIRE");
  assertEquals(subject.reason.kind, "fault");
  assertEquals(subject.reason.code, "NOT_HEARTWIRE");
  assertEquals(subject.raw.length, told);
}

describe("a server", () => {
  it("answers an HTTP request with a whole HTTP response, and ends", () => {
    for (const request of [...REQUESTS, text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]) {
      const server = new Subject("server").stranger().give(request);
      const reply = new TextDecoder().decode(Uint8Array.from(server.raw));
      const [head, body] = reply.split("\r\n\r\n") as [string, string];
      assert(head.startsWith("HTTP/1.1 400 Bad Request\r\n"), reply);
      assertEquals(Number(/Content-Length: (\d+)/.exec(head)![1]), body.length);
      assertStringIncludes(body, "heartwire");
      refused(server, reply.length);
      assertStringIncludes(server.of("fault")[0]!.text, "HTTP request");
      assertEquals(server.actions, ["keep", "end"]);
      server.give(request);
      assertEquals(server.raw.length, reply.length, "answers once");
      assertEquals(server.eof().actions, ["keep", "end", "destroy"]);
    }
  });

  it("answers a TLS ClientHello with the alert that names the version", () => {
    const server = new Subject("server").stranger().give(TLS_HELLO);
    assertEquals(server.raw, TLS_ALERT);
    refused(server, TLS_ALERT.length);
    assertStringIncludes(server.of("fault")[0]!.text, "TLS ClientHello");
    assertEquals(server.actions, ["keep", "end"]);
  });

  it("says nothing to anybody else and destroys", () => {
    for (const stranger of STRANGERS) {
      const server = new Subject("server").stranger().give(stranger);
      refused(server, 0);
      assertEquals(server.actions, ["keep", "destroy"]);
      assertEquals(server.connection.deadline(), Infinity);
    }
  });

  it("refuses at the first byte that differs, and recognises nobody by one byte", () => {
    for (const stranger of [...REQUESTS, TLS_HELLO, ...STRANGERS]) {
      const magic = [0xe2, 0x99, 0xa5, 0x77, 0x0d, 0x0a];
      const differs = magic.findIndex((byte, at) => stranger[at] !== byte);
      const server = new Subject("server").stranger();
      for (let at = 0; at < stranger.length; at++) {
        assertEquals(server.phase === "closed", at > differs);
        server.give(stranger.subarray(at, at + 1));
      }
      refused(server, 0);
    }
  });

  it("refuses alike wherever the bytes were cut; the courtesy depends on what had come", () => {
    for (const stranger of [REQUESTS[0]!, TLS_HELLO, ...STRANGERS]) {
      for (let cut = 1; cut < Math.min(stranger.length, 30); cut++) {
        const server = new Subject("server").stranger();
        server.give(stranger.subarray(0, cut)).give(stranger.subarray(cut));
        assertEquals(server.reason.code, "NOT_HEARTWIRE");
        if (cut < 2) assertEquals(server.raw.length, 0);
      }
    }
  });
});

describe("a client", () => {
  it("names who answers, says nothing more and destroys", () => {
    const answers: readonly (readonly [Uint8Array, string])[] = [
      [text("HTTP/1.1 400 Bad Request\r\n\r\n"), "HTTP response"],
      [Uint8Array.from(TLS_ALERT), "TLS alert"],
      [text("SSH-2.0-OpenSSH_9.6\r\n"), "53 53 48 2d"],
      [CLASSIC, "31 37 30 30"],
      [text("GET / HTTP/1.1\r\n\r\n"), "HTTP request"],
      ...STRANGERS.map((stranger) => [stranger, "began with"] as const),
    ];
    for (const [answer, name] of answers) {
      for (const way of ["whole", "bytes"] as const) {
        const client = new Subject("client").stranger();
        const told = client.raw.length;
        if (way === "whole") client.give(answer);
        else client.trickle(answer);
        refused(client, told);
        if (way === "whole") assertStringIncludes(client.of("fault")[0]!.text, name);
        assertEquals(client.actions, ["keep", "destroy"]);
      }
    }
  });
});

describe("the handshake's deadline", () => {
  const LIMIT = 700;
  const options = { handshakeTimeout: LIMIT };
  const greeting = join(preface(), hello());
  const reply = join(preface(), welcome());
  const first = ping(1);

  /** Gives a byte every `every` ms until it is over; returns how long it took. */
  function drip(subject: Subject, bytes: Uint8Array, every: number): number {
    const begun = subject.now;
    let at = 0;
    while (!subject.over && subject.now < begun + 60_000) {
      subject.pass(every);
      if (at < bytes.length - 1 && !subject.over) subject.give(bytes.subarray(at, ++at));
    }
    return subject.now - begun;
  }

  it("is absolute: no byte extends it, neither for a server nor for a client", () => {
    for (const every of [1, 9, 100, LIMIT - 1, LIMIT]) {
      for (
        const [subject, bytes] of [
          [new Subject("server", { options }), greeting],
          [new Subject("client", { options }), reply],
        ] as const
      ) {
        // The last byte never comes; whoever is fast has sent all the others long before.
        const took = drip(subject, bytes, every);
        assert(took >= LIMIT && took <= LIMIT + every + 1, `${took} at ${every}`);
        assertEquals(subject.types, ["closed"]);
        assertEquals(subject.reason as unknown, { kind: "timeout", code: "HANDSHAKE_TIMEOUT" });
      }
    }
  });

  it("covers the wait for the client's first frame behind WELCOME", () => {
    const server = new Subject("server", { options }).give(greeting);
    const took = drip(server, first, 100);
    assert(took >= LIMIT && took <= LIMIT + 101, `${took}`);
    assertEquals(server.verdict, "error HANDSHAKE_TIMEOUT");
    assertEquals(server.types, ["closed"]);
  });

  it("tells whoever began to speak heartwire, and nobody else", () => {
    const cases: readonly (readonly [Subject, string])[] = [
      [new Subject("server", { options }), "nothing"],
      [new Subject("server", { options }).give(preface().subarray(0, 7)), "nothing"],
      [new Subject("server", { options }).give(preface()), "reject HANDSHAKE_TIMEOUT"],
      [new Subject("server", { options, accepts: false }).give(greeting), "reject HANDSHAKE_TIMEOUT"],
      [new Subject("server", { options }).give(greeting), "error HANDSHAKE_TIMEOUT"],
      [new Subject("client", { options }), "nothing"],
      [new Subject("client", { options }).give(preface()), "error HANDSHAKE_TIMEOUT"],
    ];
    for (const [subject, told] of cases) {
      subject.pass(LIMIT + 1);
      assertEquals(subject.verdict, told);
      assertEquals(subject.reason.code, "HANDSHAKE_TIMEOUT");
      assertEquals(subject.actions, ["keep", told === "nothing" ? "destroy" : "end"]);
      assertEquals(subject.pass(1_000).connection.socketAction(), "destroy");
    }
  });

  it("is over when the conversation begins", () => {
    for (
      const subject of [
        new Subject("server", { options }).give(greeting).give(first),
        new Subject("client", { options }).give(reply),
      ]
    ) {
      subject.pass(LIMIT + 2);
      if (subject.connection.reason === null) continue;
      throw new Error(`ended with ${subject.connection.reason.code}`);
    }
  });

  it("lets what waited behind an overdue timer be read first", () => {
    for (
      const [subject, bytes] of [[new Subject("client", { options }), reply], [
        new Subject("server", { options }),
        greeting,
      ]] as const
    ) {
      subject.now += 5_000;
      subject.act((connection, now) => connection.handleTimeout(now));
      subject.give(bytes);
      if (subject.phase === "welcomed") subject.give(first);
      assertEquals(subject.phase, "open");
      subject.pass(100);
      assertEquals(subject.phase, "open");
    }
  });
});

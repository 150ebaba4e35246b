/**
 * Profile `classic`: the packet of the first article byte for byte, and every way in which it can be wrong.
 *
 * Rules: the packets' bytes were made by Python's struct and hashlib, not by the code under test. Virtual time.
 */

import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { checksumOf, PACKET_BYTES, readPacket, writePacket } from "../../core/classic/packet.ts";
import { sha1 } from "../../core/classic/sha1.ts";
import type { Conversation } from "../../core/conversation.ts";
import { HeartwireError } from "../../core/errors.ts";
import type { ConnectionOptions } from "../../core/options.ts";
import { converse } from "../../core/profile.ts";
import type { Role } from "../../core/phases.ts";
import { Random, seeded } from "../support/random.ts";
import { drain, type Drained } from "../support/drained.ts";

const PYTHON: readonly (readonly [number, number, string])[] = [
  [0, 1718769900, "667258ec40dba33300000000686561727462656174"],
  [1, 1718769910, "667258f6660fb02800000001686561727462656174"],
  [4294967295, 4294967295, "ffffffffa922d583ffffffff686561727462656174"],
  [7, 0, "00000000b7103ca200000007686561727462656174"],
];

const WALL = 1_718_769_900_000;

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g)!, (pair) => parseInt(pair, 16));
}

function packet(sequence: number, timestamp: number, checksum = checksumOf(sequence, timestamp)): Uint8Array {
  const bytes = new Uint8Array(PACKET_BYTES);
  writePacket(bytes, 0, { timestamp, checksum, sequence });
  return bytes;
}

function start(role: Role, options: ConnectionOptions = {}, wall = WALL): Conversation {
  const machine = converse(role, { profile: "classic", ...options }, seeded(new Random(1)), 0);
  machine.observeWall(wall, 0);
  if (role === "server") machine.accept(0);
  return machine;
}

function give(machine: Conversation, bytes: Uint8Array, now = 0): Drained {
  machine.receive(bytes, now);
  return drain(machine);
}

function codes(seen: Drained): string[] {
  return seen.events.map((event) =>
    event.type === "fault" ? event.code + (event.fatal ? "!" : "") : event.type
  );
}

const SECOND = WALL / 1_000;

describe("the packet", () => {
  it("is what Python's struct and hashlib make", () => {
    for (const [sequence, timestamp, bytes] of PYTHON) {
      assertEquals(packet(sequence, timestamp), hex(bytes));
      assertEquals(readPacket(hex(bytes), 0).sequence, sequence);
    }
  });

  it("has the checksum of the runtime's own SHA-1", () => {
    const random = new Random(7);
    for (let i = 0; i < 300; i++) {
      const bytes = Uint8Array.from({ length: random.between(0, 200) }, () => random.between(0, 255));
      assertEquals(sha1(bytes), new Uint8Array(createHash("sha1").update(bytes).digest()));
      const [sequence, timestamp] = [random.word(), random.word()];
      const expected = createHash("sha1").update(`${sequence}${timestamp}`).digest().readUInt32BE(0);
      assertEquals(checksumOf(sequence, timestamp), expected);
    }
  });
});

describe("classic server", () => {
  it("answers with the same timestamp and checksum and the sequence plus one", () => {
    const server = start("server");
    const seen = give(server, packet(5, SECOND));
    assertEquals(seen.bytes, packet(6, SECOND, checksumOf(5, SECOND)));
    const wrap = give(server, packet(6, SECOND + 1));
    assertEquals(readPacket(wrap.bytes, 0).sequence, 7);
  });

  it("goes on behind 2^32 - 1", () => {
    const server = start("server");
    assertEquals(readPacket(give(server, packet(0xffff_ffff, SECOND)).bytes, 0).sequence, 0);
    assertEquals(readPacket(give(server, packet(0, SECOND)).bytes, 0).sequence, 1);
  });

  it("takes packets however they are cut or glued", () => {
    const stream = new Uint8Array(50 * PACKET_BYTES);
    for (let i = 0; i < 50; i++) stream.set(packet(i, SECOND), i * PACKET_BYTES);
    for (let seed = 0; seed < 60; seed++) {
      const random = new Random(seed);
      const server = start("server");
      let answers = 0;
      for (let at = 0; at < stream.length;) {
        const end = seed === 0 ? stream.length : at + (seed === 1 ? 1 : random.between(1, 100));
        answers += give(server, stream.subarray(at, end)).bytes.length / PACKET_BYTES;
        at = end;
      }
      assertEquals(answers, 50);
      assertEquals(server.stats().heartbeatFaults, 0);
    }
  });

  it("names what is wrong, tolerates a few, answers none of them, and ends", () => {
    const bad: [string, Uint8Array][] = [
      ["CHECKSUM", packet(11, SECOND, 1)],
      ["PING_REPEATED", packet(10, SECOND)],
      ["PING_STALE", packet(9, SECOND)],
      ["PING_JUMPED", packet(20, SECOND)],
      ["TIMESTAMP_BACKWARDS", packet(11, SECOND - 1)],
      ["TIMESTAMP_OLD", packet(11, SECOND + 301)],
      ["NOT_HEARTBEATS", new Uint8Array(PACKET_BYTES).fill(65)],
    ];
    for (const [code, bytes] of bad) {
      const server = start("server");
      assertEquals(codes(give(server, packet(10, SECOND))), ["open"]);
      const first = give(server, bytes);
      assertEquals(codes(first), [code]);
      assertEquals(first.bytes.length, 0);
      assertEquals(
        give(server, packet(11, SECOND)).bytes.length,
        PACKET_BYTES,
        `${code}: the next good one is answered`,
      );
      const strict = start("server", { heartbeat: { tolerance: 0 } });
      give(strict, packet(10, SECOND));
      assertEquals(codes(give(strict, bytes)), [`${code}!`, "closed"]);
      assert(strict.reason?.kind === "fault" && strict.reason.code === code);
      assertEquals(strict.socketAction(), "end");
    }
  });

  it("an old first packet is old too", () => {
    assertEquals(codes(give(start("server"), packet(0, SECOND - 301))).slice(1), ["TIMESTAMP_OLD"]);
    assertEquals(codes(give(start("server"), packet(0, SECOND - 299))).slice(1), []);
  });

  it("counts and answers a client that repeats one packet, if told to", () => {
    const server = start("server", { classic: { repeats: "count", maxAge: 1_000 } });
    for (let i = 0; i < 1_000; i++) {
      const seen = give(server, packet(0, SECOND), i * 10_000);
      assertEquals(seen.bytes, packet(1, SECOND, checksumOf(0, SECOND)));
    }
    assertEquals(server.stats().pingsRepeated, 999);
    assertEquals(server.stats().heartbeatFaults, 0);
  });

  it("cuts a stream that is no heartbeats after a bounded number of bytes", () => {
    const server = start("server", { heartbeat: { tolerance: 1_000 } });
    let fed = 0;
    while (server.reason === null && fed < 100_000) {
      give(server, new Uint8Array(100).fill(71));
      fed += 100;
    }
    assert(fed <= 4_200, `${fed}`);
    assert(server.reason?.kind === "fault" && server.reason.code === "NOT_HEARTBEATS");
  });

  it("finds its way back behind rubbish of any length", () => {
    for (let length = 1; length <= 100; length++) {
      const server = start("server");
      give(server, packet(0, SECOND));
      give(server, new Uint8Array(length).fill(104)); // h: each may begin a marker
      give(server, packet(1, SECOND));
      const seen = give(server, packet(2, SECOND));
      assertEquals(seen.bytes.length, PACKET_BYTES, `after ${length}`);
      assert(server.stats().heartbeatFaults >= 1);
    }
  });

  it("declares a silent client dead after multiplier x interval, and one more turn", () => {
    const server = start("server", { heartbeat: { interval: 1_000, multiplier: 3 } });
    give(server, packet(0, SECOND), 500);
    let now = 500;
    while (server.reason === null) server.handleTimeout(now = server.deadline());
    assertEquals(now, 3_501);
    assert(server.reason.kind === "dead" && server.reason.evidence.verdict === "INBOUND_SILENT");
    assertEquals(server.socketAction(), "destroy");
    assertEquals(codes(drain(server)), ["suspect", "closed"]);
  });
});

describe("classic client", () => {
  it("sends a packet each interval with the next sequence and the present time, and measures the answers", () => {
    const client = start("client", { heartbeat: { interval: 1_000 } });
    const sent: Uint8Array[] = [drain(client).bytes];
    for (let i = 1; i < 5; i++) {
      client.receive(packet(i, SECOND + i - 1, checksumOf(i - 1, SECOND + i - 1)), i * 1_000 - 990);
      const pong = drain(client).events.find((event) => event.type === "pong");
      assert(pong?.type === "pong" && pong.rtt === 10 && pong.sequence === i - 1);
      client.handleTimeout(i * 1_000);
      sent.push(drain(client).bytes);
    }
    assertEquals(sent, [0, 1, 2, 3, 4].map((i) => packet(i, SECOND + i)));
    assertEquals(client.stats().pingsAnswered, 4);
    assertEquals(client.stats().rtt?.smoothed, 10);
  });

  it("names answers that cannot be believed", () => {
    const bad: [string, Uint8Array][] = [
      ["PONG_UNMATCHED", packet(7, SECOND)],
      ["PONG_UNMATCHED", packet(1, SECOND + 1, checksumOf(0, SECOND))],
      ["CHECKSUM", packet(1, SECOND, 3)],
    ];
    for (const [code, bytes] of bad) {
      const client = start("client");
      drain(client);
      assertEquals(codes(give(client, bytes)), [code]);
      assertEquals(codes(give(client, packet(1, SECOND, checksumOf(0, SECOND)))), ["pong"]);
      assertEquals(codes(give(client, packet(1, SECOND, checksumOf(0, SECOND)))), ["PONG_UNMATCHED"]);
    }
  });

  it("declares a silent server dead, and carries no messages", () => {
    const client = start("client", { heartbeat: { interval: 100, multiplier: 2 } });
    drain(client);
    let now = 0;
    while (client.reason === null) client.handleTimeout(now = client.deadline());
    assertEquals(now, 201);
    assertEquals(client.reason.kind, "dead");
    const other = start("client");
    const error = assertThrows(() => other.send(new Uint8Array(1), 0), HeartwireError);
    assertEquals(error.code, "ERR_HEARTWIRE_UNSUPPORTED");
  });

  it("waits for the wall clock before its first packet", () => {
    const client = converse("client", { profile: "classic" }, seeded(new Random(1)), 0);
    assertEquals(drain(client).bytes.length, 0);
    client.observeWall(WALL, 5);
    assertEquals(drain(client).bytes, packet(0, SECOND));
  });
});

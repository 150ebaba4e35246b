/**
 * What leaves when: control overtakes chunks, acknowledgements come in time, and nobody sends beyond credit, the sequence space or what
 * may be in flight (docs/PROTOCOL.md, sections 3.4 and 6).
 *
 * Rules: one machine, a crafted peer, virtual time. What a chunk costs is its payload plus 64.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Role } from "../../core/phases.ts";
import { ack, credit, data, ping, pong, Subject } from "../support/crafted.ts";
import { Random } from "../support/random.ts";

const ROLES: readonly Role[] = ["client", "server"];
const CHUNK = 16_384;
const COST = 64;
/** A chunk of the greatest size with its head and trailer. */
const FRAME = CHUNK + 16;

/** The greatest count of bytes that left between the writing of a PING and its last byte, over a transport of small writes. */
function delay(role: Role, seed: number, size: number): number {
  const random = new Random(seed);
  // Multipliers that let many PINGs come at once.
  const heartbeat = { interval: 1_000, multiplier: 255 };
  const subject = Subject.open(role, { options: { sendBuffer: 4_000_000, heartbeat } }, {
    ...{ credit: 1e9, requiredRx: 10 },
    ...{ desiredTx: 1_000, multiplier: 255 },
  });
  const { connection, reader } = subject;
  subject.stuck = true;
  const asked = new Map<number, number>();
  let out = 0;
  let most = 0;
  let clock = 1;
  let read = reader.told.length;
  let chunks = 0;
  let acked = 0;
  const acknowledge = () => subject.give(ack(acked = chunks, chunks));
  while (out < 700_000) {
    if (connection.stats().queued < 200_000) {
      connection.send(new Uint8Array(random.between(1, size)), subject.now);
    }
    const what = random.between(0, 9);
    if (what === 0 && asked.size === 0) asked.set(connection.ping(subject.now), out);
    if (what === 1) {
      subject.give(ping(2 + connection.stats().pingsReceived, { timestamp: ++clock, received: acked }));
    }
    const bytes = connection.peekTransmit();
    if (bytes === null) {
      acknowledge();
      continue;
    }
    const part = bytes.subarray(0, random.between(1, Math.min(bytes.length, 5_000)));
    connection.advanceTransmit(part.length);
    reader.read(part);
    out += part.length;
    for (; read < reader.told.length; read++) {
      const frame = reader.told[read]!;
      if (frame.kind === "data") chunks++;
      if (frame.kind !== "ping") continue;
      most = Math.max(most, out - (asked.get(frame.sequence) ?? out));
      asked.delete(frame.sequence);
      subject.give(pong(frame.sequence, { timestamp: ++clock, received: acked }));
    }
    if (random.between(0, 20) === 0) acknowledge();
  }
  assertEquals(connection.reason, null);
  return most;
}

describe("control", () => {
  it("leaves at most one chunk late, however the transport takes its bytes", () => {
    for (const role of ROLES) {
      for (let seed = 1; seed <= 2; seed++) {
        for (const size of [200, 20_000, 300_000]) {
          // The rest of the chunk that has begun, a few answers before it, and what the same write took behind it.
          assertLessOrEqual(
            delay(role, seed, size),
            FRAME + 500 + 5_000,
            `${role} seed ${seed}, messages to ${size}`,
          );
        }
      }
    }
  });

  it("waits behind four chunks only where the transport takes chunks whole, and behind one from the first time that it does not", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, { options: { sendBuffer: 4_000_000 } }, { credit: 1e9 });
      const { connection } = subject;
      subject.stuck = true;
      for (let i = 0; i < 4; i++) {
        subject.act((connection, now) => connection.send(new Uint8Array(60 * CHUNK), now));
      }
      let chunks = 0;
      /** Takes the rest of what is shown, or a part; returns how many chunks are shown. */
      const shown = (part?: number): number => {
        const bytes = connection.peekTransmit();
        if (bytes === null) {
          subject.give(ack(chunks, chunks));
          return shown(part);
        }
        const count = Math.ceil(bytes.length / FRAME);
        connection.advanceTransmit(part ?? bytes.length);
        if (part === undefined) chunks += count;
        return count;
      };
      for (let round = 0; round < 5; round++) {
        assertEquals(shown(), 1);
        const most = Math.max(...Array.from({ length: 8 }, () => shown()));
        assert(most > 1 && most <= 4, `${most}`);
        shown(9);
        shown(); // the rest of it
      }
    }
  });

  it("needs no credit", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, {}, { credit: 0 });
      subject.act((connection, now) => connection.send(new Uint8Array(10), now));
      subject.act((connection, now) => connection.ping(now));
      subject.act((connection, now) => connection.goAway({ scope: "session", code: "BUSY" }, now));
      subject.give(ping(2), data(0, "x")).pass(30);
      assertEquals(subject.kinds.includes("data"), false);
      for (const kind of ["ping", "pong", "goaway", "ack"] as const) {
        assert(subject.kinds.includes(kind), kind);
      }
      subject.give(credit(COST + 9));
      assertEquals(subject.kinds.includes("data"), false);
      subject.give(credit(COST + 10));
      assertEquals(subject.ofKind("data").length, 1);
    }
  });
});

describe("acknowledgement", () => {
  it("comes 25 ms after a chunk at the latest, or before 65,536 bytes wait for it", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new Random(seed);
      const subject = Subject.open(ROLES[seed % 2]!, {
        consumes: seed % 3 > 0,
        options: { window: 20_000_000 },
      });
      let position = 0;
      let oldest = Infinity;
      let waiting = 0;
      let seen = 0;
      for (let step = 0; step < 200; step++) {
        if (random.between(0, 1) === 0) {
          const size = random.between(0, 2) === 0 ? CHUNK : random.between(0, 100);
          subject.give(data(position++, new Uint8Array(size)));
          oldest = Math.min(oldest, subject.now);
          waiting += size + COST;
        } else {
          subject.pass(random.between(0, 12_000) / 1_000);
        }
        const acks = subject.ofKind("ack");
        if (acks.length > seen && acks.at(-1)!.received === position) {
          oldest = Infinity;
          waiting = 0;
        }
        seen = acks.length;
        assertLessOrEqual(subject.now - oldest, 25, `seed ${seed}`);
        assert(waiting < 65_536 + CHUNK, `seed ${seed}: ${waiting} bytes wait`);
      }
      // Exactly at 25 ms, not sooner: what comes together is acknowledged together.
      subject.pass(100);
      const before = subject.ofKind("ack").length;
      subject.give(data(position, "x")).pass(24.999);
      assertEquals(subject.ofKind("ack").length, before);
      subject.pass(0.001);
      assertEquals(subject.ofKind("ack").at(-1)!.received, position + 1);
    }
  });

  it("tells what the application has finished, 25 ms later at the latest, and nothing twice", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role, { consumes: false });
      subject.give(data(0, "a"), data(1, "b"), data(2, "c")).pass(25);
      assertEquals(subject.ofKind("ack"), [{ kind: "ack", received: 3, processed: 0 }]);
      subject.act((connection, now) => connection.consumed(2, now)).pass(25);
      assertEquals(subject.ofKind("ack").at(-1), { kind: "ack", received: 3, processed: 2 });
      subject.act((connection, now) => connection.consumed(2, now)).pass(25);
      assertEquals(subject.ofKind("ack").length, 2);
    }
  });
});

describe("credit", () => {
  it("charges 64 bytes for an empty message, as receiver and as sender", () => {
    for (const role of ROLES) {
      const options = { maxMessage: 100, window: 6_400 };
      const subject = Subject.open(role, { consumes: false, options }, { credit: 10 * COST });
      for (let position = 0; position < 100; position++) subject.give(data(position));
      assertEquals(subject.messages.length, 100);
      for (let i = 0; i < 12; i++) subject.act((connection, now) => connection.send(new Uint8Array(0), now));
      assertEquals(subject.ofKind("data").length, 10);
      subject.give(data(100));
      assertEquals(subject.reason.code, "CREDIT_EXCEEDED");
    }
  });

  it("is held to the byte", () => {
    for (const role of ROLES) {
      for (const excess of [0, 1]) {
        const subject = Subject.open(role, {
          consumes: false,
          options: { maxMessage: 1_000, window: 3_000 },
        });
        subject.give(data(0, new Uint8Array(1_000)), data(1, new Uint8Array(1_000)));
        subject.give(data(2, new Uint8Array(3_000 - 2 * (1_000 + COST) - COST + excess)));
        assertEquals(subject.messages.length, 3 - excess);
        if (excess > 0) assertEquals(subject.reason.code, "CREDIT_EXCEEDED");
      }
    }
  });

  it("is never exceeded by a sender, to the byte, and used to the last chunk that fits", () => {
    for (let seed = 1; seed <= 15; seed++) {
      const random = new Random(seed);
      let limit = random.between(0, 5_000);
      const subject = Subject.open(ROLES[seed % 2]!, { options: { sendBuffer: 400_000 } }, { credit: limit });
      const costs: number[] = [];
      for (let i = 0; i < 60; i++) {
        const size = random.between(0, 3) === 0 ? random.between(0, 60_000) : random.between(0, 300);
        if (subject.connection.send(new Uint8Array(size), subject.now) === "blocked") continue;
        for (let left = size; left > CHUNK; left -= CHUNK) costs.push(CHUNK + COST);
        costs.push((size === 0 ? 0 : (size - 1) % CHUNK + 1) + COST);
      }
      subject.drain();
      const total = costs.reduce((sum, cost) => sum + cost, 0);
      while (limit < total) {
        limit += random.between(0, 30_000);
        const chunks = subject.ofKind("data").length;
        subject.give(ack(chunks, chunks), credit(limit));
        let cost = 0;
        let expected = 0;
        while (expected < costs.length && cost + costs[expected]! <= limit) cost += costs[expected++]!;
        assertEquals(subject.ofKind("data").length, expected, `seed ${seed}, limit ${limit}`);
      }
    }
  });

  it("comes before the peer must wait, not with every message, and never shrinks", () => {
    for (const role of ROLES) {
      const window = 100_000;
      const subject = Subject.open(role, { options: { maxMessage: 1_000, window } });
      const sizes = 936;
      let limit = window;
      for (let position = 0; position < 1_000; position++) {
        subject.give(data(position, new Uint8Array(sizes)));
        for (const grant of subject.ofKind("credit").slice(-1)) {
          assert(grant.limit >= limit);
          limit = grant.limit;
        }
        assert(limit - (position + 1) * 1_000 >= window * 0.75, `${position}: ${limit}`);
        assertLessOrEqual(limit, (position + 1) * 1_000 + window);
      }
      assertEquals(subject.ofKind("credit").length, 40);
    }
  });
});

describe("in flight", () => {
  it("are at most 65,536 bytes and a chunk to a peer that acknowledges nothing", () => {
    for (const role of ROLES) {
      for (const size of [3, 1_000, 200_000]) {
        const subject = Subject.open(role, {}, { credit: 1e9 });
        for (let i = 0; i < 100_000 && subject.connection.stats().queued < 150_000; i++) {
          subject.act((connection, now) => connection.send(new Uint8Array(size), now));
        }
        const bytes = subject.ofKind("data").reduce((sum, { payload }) => sum + payload.length + 8, 0);
        assert(bytes <= 65_536 + FRAME && bytes >= 65_536 - FRAME, `${bytes} bytes of ${size}`);
        subject.pass(2_000);
        assertEquals(subject.over, false);
      }
    }
  });

  it("are fewer than 2^15 chunks, even when many more bytes may be", () => {
    const subject = Subject.open("client", { options: { sendBuffer: 4_000_000 } }, { credit: 1e9 });
    const empty = new Uint8Array(0);
    let chunks = 0;
    for (let round = 0; round < 7; round++) {
      for (let i = 0; i < 40_000; i++) subject.connection.send(empty, subject.now);
      subject.drain();
      subject.pass(1);
      chunks = subject.connection.stats().accepted - subject.connection.stats().queued / 8;
      subject.give(ack(chunks, 0));
    }
    const sent = subject.connection.stats().accepted - subject.connection.stats().queued / 8;
    assertEquals(sent - chunks, 0x7fff);
    subject.give(ack(chunks + 1, 0));
    assertEquals(subject.connection.stats().accepted - subject.connection.stats().queued / 8, sent + 1);
  });
});

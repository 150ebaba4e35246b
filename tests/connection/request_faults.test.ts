/**
 * Requests, answers and cancels as no honest peer would say them: each fault by its code, and what is allowed though it looks odd.
 *
 * Then random sequences of such frames, valid and not: nothing throws, what is held stays within bounds, and what an application is told makes sense.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { CODES } from "../../core/codes.ts";
import { FIRST, LAST } from "../../core/wire/registry.ts";
import * as craft from "../support/crafted.ts";
import { Subject } from "../support/crafted.ts";
import { Random } from "../support/random.ts";

const WHOLE = FIRST | LAST;
const MOST = Number.MAX_SAFE_INTEGER;

function request(
  sequence: number,
  id: number,
  payload: string | Uint8Array = "?",
  flags = WHOLE,
  remaining = 0,
): Uint8Array {
  const bytes = typeof payload === "string" ? craft.text(payload) : payload;
  return craft.control({
    kind: "request",
    flags,
    sequence: sequence & 0xffff,
    id,
    remaining,
    payload: bytes,
  });
}

function reply(
  sequence: number,
  id: number,
  payload: string | Uint8Array = "!",
  flags = WHOLE,
  status = 0,
): Uint8Array {
  const bytes = typeof payload === "string" ? craft.text(payload) : payload;
  return craft.control({ kind: "reply", flags, sequence: sequence & 0xffff, id, status, payload: bytes });
}

function cancel(sequence: number, id: number): Uint8Array {
  return craft.control({ kind: "cancel", sequence: sequence & 0xffff, id });
}

const OPTIONS = { maxMessage: 20_000, window: 40_000, maxRequests: 4 };

/** A server that asked so many questions, and whose peer is crafted. */
function subject(asked = 0): Subject {
  const made = Subject.open("server", { options: OPTIONS });
  for (let i = 0; i < asked; i++) {
    made.act((connection, now) => connection.request(craft.text("?"), 100, now));
  }
  return made;
}

const FULL = new Uint8Array(16_384);

/** What is wrong, and what a peer says that is. */
const FAULTS: readonly (readonly [code: string, name: string, asked: number, ...frames: Uint8Array[]])[] = [
  ["REQUEST_INVALID", "the first id is not 1", 0, request(0, 2)],
  ["REQUEST_INVALID", "an id is left out", 0, request(0, 1), request(1, 3)],
  ["REQUEST_INVALID", "an id comes twice", 0, request(0, 1), request(1, 1)],
  ["REQUEST_INVALID", "id 0", 0, request(0, 0)],
  ["REQUEST_INVALID", "the greatest id", 0, request(0, MOST)],
  ["REQUEST_INVALID", "an answer to nothing", 0, reply(0, 1)],
  ["REQUEST_INVALID", "an answer to what was not asked yet", 1, reply(0, 2)],
  ["REQUEST_INVALID", "an answer to id 0", 1, reply(0, 0)],
  ["REQUEST_INVALID", "two answers", 1, reply(0, 1), reply(1, 1)],
  ["REQUEST_INVALID", "the taking back of what has not come", 0, cancel(0, 1)],
  ["REQUEST_INVALID", "the taking back of id 0", 0, request(0, 1), cancel(1, 0)],
  ["SEQUENCE", "a request out of sequence", 0, request(1, 1)],
  ["SEQUENCE", "an answer out of sequence", 1, reply(7, 1)],
  ["SEQUENCE", "a cancel out of sequence", 0, request(0, 1), cancel(0, 1)],
  ["CHUNK_INVALID", "a request ends that did not begin", 0, request(0, 1, "", LAST)],
  ["CHUNK_INVALID", "a request goes on that did not begin", 0, request(0, 1, "", 0)],
  ["CHUNK_INVALID", "a request begins in a request", 0, request(0, 1, "", FIRST), request(1, 2, "", FIRST)],
  ["CHUNK_INVALID", "a request begins in a message", 0, craft.data(0, "", FIRST), request(1, 1)],
  ["CHUNK_INVALID", "a message begins in a request", 0, request(0, 1, "", FIRST), craft.data(1)],
  ["CHUNK_INVALID", "a message ends as a request", 0, craft.data(0, "", FIRST), request(1, 1, "", LAST)],
  ["CHUNK_INVALID", "a request goes on as a message", 0, request(0, 1, "", FIRST), craft.data(1, "", 0)],
  ["CHUNK_INVALID", "an answer ends that did not begin", 1, reply(0, 1, "", LAST)],
  ["CHUNK_INVALID", "two answers mix", 2, reply(0, 1, "", FIRST), reply(1, 2)],
  ["CHUNK_INVALID", "an answer begins twice", 1, reply(0, 1, "", FIRST), reply(1, 1, "", FIRST)],
  ["CHUNK_INVALID", "a message ends as an answer", 1, craft.data(0, "", FIRST), reply(1, 1, "", LAST)],
  ["CHUNK_INVALID", "CLOSE in a request", 0, request(0, 1, "", FIRST), craft.close(1)],
  ["CHUNK_INVALID", "CLOSE in an answer", 1, reply(0, 1, "", FIRST), craft.close(1)],
  ["ACK_INVALID", "CLOSE that forgets an answer", 1, reply(0, 1), craft.close(0)],
  ["MESSAGE_TOO_LARGE", "a request too long", 0, request(0, 1, FULL, FIRST), request(1, 1, FULL, LAST)],
  ["MESSAGE_TOO_LARGE", "an answer too long", 1, reply(0, 1, FULL, FIRST), reply(1, 1, FULL, LAST)],
  [
    "CREDIT_EXCEEDED",
    "requests beyond the credit",
    0,
    request(0, 1, FULL),
    request(1, 2, FULL),
    request(2, 3, FULL),
  ],
  [
    "CREDIT_EXCEEDED",
    "messages beyond what requests left",
    0,
    request(0, 1, FULL),
    request(1, 2, FULL),
    craft.data(2, FULL),
  ],
  [
    "FRAME_MALFORMED",
    "a payload too long",
    0,
    craft.raw(0x4b, craft.join(Uint8Array.of(0, 0, 1, 0), new Uint8Array(16_385))),
  ],
  ["FRAME_MALFORMED", "no sequence", 0, craft.raw(0x4b, [0])],
  ["FRAME_MALFORMED", "no id", 0, craft.raw(0x4b, [0, 0])],
  ["FRAME_MALFORMED", "half an id", 0, craft.raw(0x4b, [0, 0, 0x40])],
  ["FRAME_MALFORMED", "no remaining", 0, craft.raw(0x4b, [0, 0, 1])],
  ["FRAME_MALFORMED", "an id above 2^53 - 1", 0, craft.raw(0x4b, [0, 0, 0xc0, 0x20, 0, 0, 0, 0, 0, 0, 0])],
  ["FRAME_MALFORMED", "no status", 1, craft.raw(0x4f, [0, 0, 1])],
  [
    "FRAME_MALFORMED",
    "a status above 2^53 - 1",
    1,
    craft.raw(0x4f, [0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  ],
  ["FRAME_MALFORMED", "a cancel without id", 0, craft.raw(0x50, [0, 0])],
  ["FRAME_MALFORMED", "a cancel with more", 0, request(0, 1), craft.raw(0x50, [0, 1, 1, 0])],
];

describe("a peer that breaks the rules of requests", () => {
  for (const [code, name, asked, ...frames] of FAULTS) {
    it(`${name}: ${code}, in one piece and byte by byte`, () => {
      for (const trickles of [false, true]) {
        const it = subject(asked);
        for (const frame of frames.slice(0, -1)) it.give(frame);
        assertEquals(it.over, false);
        if (trickles) it.trickle(frames.at(-1)!);
        else it.give(frames.at(-1)!);
        assertEquals(it.verdict, `error ${code}`);
        // Of a request that is wrong the application is told nothing.
        const { length } = frames.slice(0, -1).filter((frame) =>
          frame[1] === 0x4b || frame[2] === 0x4b || frame[4] === 0x4b
        );
        assertLessOrEqual(it.of("request").length, length);
      }
    });
  }

  it("may use longer forms than needed, and any status", () => {
    const it = subject(3);
    it.give(craft.raw(0x4b, [0, 0, 0x40, 1, 0x80, 0, 0, 9, 65]));
    assertEquals(it.of("request").map(({ id, remaining, bytes }) => [id, remaining, ...bytes]), [[1, 9, 65]]);
    it.give(craft.raw(0x4f, [0, 1, 0x40, 1, 0x40, 5]));
    it.give(reply(2, 2, "", WHOLE, MOST), reply(3, 3, "", WHOLE, 63));
    assertEquals(it.of("reply").map(({ id, status }) => [id, status]), [[1, 5], [2, MOST], [3, 63]]);
    assertEquals(it.phase, "open");
  });

  it("may take back what is answered, what is taken back, and what has begun", () => {
    const it = subject();
    it.give(
      request(0, 1),
      request(1, 2, "", FIRST),
      cancel(2, 2),
      cancel(3, 1),
      cancel(4, 1),
      request(5, 2, "", LAST),
    );
    assertEquals(it.types.filter((type) => type !== "pong" && type !== "open"), [
      "request",
      "cancelled",
      "cancelled",
      "request",
    ]);
    it.act((connection, now) => connection.reply(1, 0, craft.text(""), now));
    it.give(cancel(6, 1));
    assertEquals(it.of("cancelled").length, 2);
    assertEquals(it.phase, "open");
  });

  it("may answer what was taken back, once", () => {
    const it = subject(1);
    it.act((connection, now) => connection.cancel(1, now));
    assertEquals(it.kinds.slice(-2), ["request", "cancel"]);
    it.give(reply(0, 1));
    assertEquals(it.of("reply"), []);
    it.give(reply(1, 1));
    assertEquals(it.verdict, "error REQUEST_INVALID");
  });

  it("may put answers and cancels between the chunks of a message and of a request", () => {
    const it = subject(3);
    it.give(
      craft.data(0, "a", FIRST),
      reply(1, 1, "x", FIRST),
      craft.data(2, "b", 0),
      reply(3, 1, "y", LAST),
    );
    it.give(
      craft.data(4, "c", LAST),
      request(5, 1, "d", FIRST),
      reply(6, 2),
      request(7, 1, "e", LAST),
      cancel(8, 1),
    );
    assertEquals(it.messages, ["abc"]);
    assertEquals(it.of("message")[0]!.position, 5);
    assertEquals(it.of("reply").map(({ bytes }) => new TextDecoder().decode(bytes)), ["xy", "!"]);
    assertEquals(it.of("request").map(({ bytes }) => new TextDecoder().decode(bytes)), ["de"]);
    assertEquals(it.of("cancelled").length, 1);
    it.pass(30);
    assertEquals(it.ofKind("ack").at(-1), { kind: "ack", received: 9, processed: 9 });
  });

  it("is acknowledged an answer that has begun behind a message that is finished", () => {
    const it = subject(1);
    it.give(craft.data(0, "a", FIRST), reply(1, 1, "x", FIRST), craft.data(2, "b", LAST));
    it.pass(30);
    assertEquals(it.ofKind("ack").at(-1), { kind: "ack", received: 3, processed: 3 });
    it.give(reply(3, 1, "y", LAST));
    assertEquals(new TextDecoder().decode(it.of("reply")[0]!.bytes), "xy");
  });
});

describe("what is acknowledged by a heartbeat alone", () => {
  it("is not taken for a message when it was an answer", () => {
    const it = subject();
    it.give(request(0, 1)).act((connection, now) => connection.reply(1, 0, craft.text("!"), now));
    it.act((connection, now) => connection.send(craft.text("m"), now));
    it.give(craft.ping(2, { received: 1 }));
    assertEquals(it.connection.stats().acknowledged, 0);
    it.give(craft.ping(3, { received: 2 }));
    assertEquals(it.connection.stats().acknowledged, 1);
  });
});

describe("random frames of requests", () => {
  /** One life: mostly right, now and then not. Returns how it ended. */
  function live(seed: number): string {
    const random = new Random(seed);
    const it = Subject.open("server", {
      options: { ...OPTIONS, sendBuffer: 5_000 },
      consumes: random.between(0, 1) === 0,
    });
    const evil = random.between(0, 3) === 0 ? 8 : 400;
    let position = 0;
    let asked = 0;
    let lane = 0; // of messages and requests: 0, or the kind that has begun
    let answering = 0;
    let cost = 0;
    const mine: number[] = [];
    const open = new Set<number>();
    let seen = 0;
    for (let step = 0; step < 150 && !it.over; step++) {
      const wrong = random.between(0, evil) === 0;
      const sequence = wrong && random.between(0, 3) === 0 ? random.between(0, 5) : position;
      const payload = new Uint8Array(
        random.between(0, 9) === 0 ? random.between(0, 16_384) : random.between(0, 40),
      );
      const kind = random.between(0, 9);
      it.stuck = random.between(0, 5) === 0 || (it.stuck && random.between(0, 2) > 0);
      if (kind <= 3) {
        const first = wrong ? random.between(0, 1) === 0 : lane === 0;
        const flags = (first ? FIRST : 0) | (random.between(0, 2) > 0 ? LAST : 0);
        const type = wrong || lane === 0 ? random.between(0, 1) : lane - 1;
        const spends = payload.length + 64;
        if (
          !wrong &&
          cost + spends >
            it.ofKind("credit").reduce((most, { limit }) => Math.max(most, limit), OPTIONS.window)
        ) {
          it.pass(50);
          continue;
        }
        cost += spends;
        const id = wrong ? random.between(0, 5) : first && type === 1 ? ++asked : asked;
        it.give(type === 1 ? request(sequence, id, payload, flags) : craft.data(sequence, payload, flags));
        position++;
        lane = (flags & LAST) !== 0 ? 0 : type + 1;
      } else if (kind === 4) {
        if (mine.length > 4) continue;
        try {
          const id = it.connection.request(payload.subarray(0, 2_000), 5, it.now);
          if (id > 0) {
            mine.push(id);
            open.add(id);
          }
        } catch (error) {
          assert((error as { code?: string }).code?.endsWith("REQUESTS_OPEN"), `${error}`);
        }
        it.drain();
      } else if (kind === 5) {
        if (mine.length === 0 && answering === 0 && !wrong) continue;
        const id = wrong
          ? random.between(0, 9)
          : answering > 0
          ? answering
          : mine.splice(random.between(0, mine.length - 1), 1)[0]!;
        const last = random.between(0, 1) === 0;
        it.give(
          reply(
            sequence,
            id,
            payload,
            (answering > 0 ? 0 : FIRST) | (last ? LAST : 0),
            random.between(0, 70),
          ),
        );
        position++;
        answering = last ? 0 : id;
      } else if (kind === 6) {
        if (asked === 0 && !wrong) continue;
        it.give(cancel(sequence, wrong ? random.between(0, asked + 3) : random.between(1, asked)));
        position++;
      } else if (kind === 7) {
        const owed = it.of("request").map(({ id }) => id);
        const id = owed[random.between(0, Math.max(0, owed.length - 1))] ?? 1;
        it.act((connection, now) => connection.reply(id, random.between(0, 99), payload, now));
      } else if (kind === 8) {
        it.act((connection, now) => connection.cancel(random.between(0, 12), now));
      } else {
        it.pass(random.between(0, 60));
      }
      const stats = it.connection.stats();
      assertLessOrEqual(stats.queued, 5_000 + 5_000 + 4 * 16_384, `seed ${seed}`);
      for (const { id } of it.of("reply").slice(seen)) {
        assert(open.delete(id), `seed ${seed}: ${id} was not asked`);
      }
      seen = it.of("reply").length;
    }
    const ids = it.of("request").map(({ id }) => id);
    assertEquals(ids, [...ids].sort((a, b) => a - b));
    assertEquals(new Set(ids).size, ids.length, `seed ${seed}`);
    for (const { id } of it.of("cancelled")) assert(ids.includes(id), `seed ${seed}`);
    return it.over ? it.reason.code : "open";
  }

  it("never throw, hold no more than allowed, and end in a fault that has a name, or go on", () => {
    const ends = new Map<string, number>();
    for (let seed = 1; seed <= 600; seed++) {
      const end = live(seed);
      assert(end === "open" || end in CODES, end);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    for (const end of ["open", "SEQUENCE", "CHUNK_INVALID", "REQUEST_INVALID"]) {
      assertGreater(ends.get(end) ?? 0, 20, `${[...ends]}`);
    }
  });
});

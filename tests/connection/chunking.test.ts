/**
 * How a peer's bytes are cut changes nothing: whole, byte by byte or at random, the same conversation gives the same events and the
 * same answers.
 *
 * Rules: seeded; all bytes come at one moment, so that only the cuts differ. Three strengths: to the byte and to the canonical key, when
 * nothing depends on turns; each kind of frame in order, when acknowledgements and grants may be gathered; two machines over a link.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ConnectionEvent } from "../../core/events.ts";
import type { Role } from "../../core/phases.ts";
import { FIRST, LAST } from "../../core/wire/registry.ts";
import * as craft from "../support/crafted.ts";
import {
  ack,
  credit,
  data,
  hello,
  join,
  ping,
  pong,
  preface,
  raw,
  Subject,
  text,
  welcome,
} from "../support/crafted.ts";
import { Pair } from "../support/pair.ts";
import { Random } from "../support/random.ts";

const ROLES: readonly Role[] = ["client", "server"];

/** One thing that a peer says in a conversation. */
type Word = readonly [
  "ping" | "pong" | "data" | "chunks" | "ack" | "credit" | "ignored" | "goaway" | "stale",
  number,
];

/** The ends that a conversation may come to: none, in order, by fault, in the middle of a frame. */
const ENDS: Readonly<Record<string, (position: number) => Uint8Array>> = {
  none: () => new Uint8Array(0),
  close: (position) => craft.close(position, 3, "done"),
  error: () => craft.error(49, "broken"),
  sequence: (position) => data(position + 1, "gap"),
  checksum: () => data(0, "x").fill(0, 5, 6),
  length: () => Uint8Array.of(0x40, 0x05, 1, 2, 3),
  half: () => ping(50).subarray(0, 20),
};

const words: fc.Arbitrary<Word[]> = fc.array(
  fc.tuple(
    fc.constantFrom("ping", "pong", "data", "data", "chunks", "ack", "credit", "ignored", "goaway", "stale"),
    fc.nat(90),
  ) as fc.Arbitrary<Word>,
  { maxLength: 22 },
);

/** What the peer says, in bytes; `scale` makes messages longer. */
function speak(said: readonly Word[], end: keyof typeof ENDS, scale: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  let sequence = 2;
  let position = 0;
  let acked = 0;
  let limit = craft.OFFER.credit!;
  for (const [what, n] of said) {
    const now = sequence + pieces.length;
    if (what === "ping") {
      pieces.push(ping(sequence++, { timestamp: now, flags: n % 4 === 0 ? 0 : 1, received: acked }));
    } else if (what === "pong") pieces.push(pong(1 + n % 3, { timestamp: now, received: acked }));
    else if (what === "data") pieces.push(data(position++, new Uint8Array(n * scale).fill(n)));
    else if (what === "ack") pieces.push(ack(acked = Math.min(3, acked + n % 2), 0));
    else if (what === "credit") pieces.push(credit(limit += n));
    else if (what === "ignored") pieces.push(raw(0xf0, new Uint8Array(n)));
    else if (what === "goaway") pieces.push(craft.goaway(n % 2));
    else if (what === "stale") pieces.push(ping(1, { timestamp: now, received: acked }));
    else {
      const flags = [FIRST, ...new Array<number>(n % 3).fill(0), LAST];
      for (const flag of flags) pieces.push(data(position++, new Uint8Array(n * scale).fill(n), flag));
    }
  }
  return join(...pieces, ENDS[end]!(position));
}

/** Ways to cut: whole, byte by byte, and at random. */
function* cuts(bytes: Uint8Array, way: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = way[turn % way.length]!;
    yield bytes.subarray(at, at += size);
  }
}

const ways: fc.Arbitrary<readonly number[]> = fc.array(fc.integer({ min: 1, max: 90 }), {
  minLength: 1,
  maxLength: 12,
});

/** A machine that has sent three messages and asked twice, so that acknowledgements and answers mean something. */
function prepared(role: Role, consumes: boolean): Subject {
  const options = { heartbeat: { tolerance: 2 }, maxMessage: 2_000_000, window: 4_000_000 };
  const subject = Subject.open(role, { consumes, options });
  for (let i = 0; i < 3; i++) subject.act((connection, now) => connection.send(text(`message ${i}`), now));
  for (let i = 0; i < 2; i++) subject.act((connection, now) => connection.ping(now));
  return subject;
}

/** Events as plain text; a message shared in memory or not is the same message. */
function plain(events: readonly ConnectionEvent[]): string[] {
  return events.map((event) =>
    event.type === "message" ? `message ${event.position} ${event.bytes.join(".")}` : JSON.stringify(event)
  );
}

describe("the same bytes, cut otherwise", () => {
  it("give the same events, the same answers to the byte and the same state, while the driver's write is under way", () => {
    fc.assert(
      fc.property(
        words,
        fc.constantFrom(...Object.keys(ENDS)),
        ways,
        fc.constantFrom(...ROLES),
        (said, end, way, role) => {
          const bytes = speak(said, end, 1);
          const results = [[bytes.length || 1], [1], way].map((sizes) => {
            const subject = prepared(role, false);
            subject.stuck = true;
            for (const piece of cuts(bytes, sizes)) subject.give(piece);
            for (const { position } of subject.of("message")) {
              subject.act((c, now) => c.consumed(position, now));
            }
            const key = subject.connection.key(subject.now);
            subject.stuck = false;
            subject.drain().pass(30);
            return { events: plain(subject.events), sent: subject.raw, key, actions: subject.actions };
          });
          // Acknowledgements go out in the turn in which 16 KiB wait for one; less than that was said.
          assertEquals(results[1], results[0]);
          assertEquals(results[2], results[0]);
        },
      ),
      { numRuns: 150, seed: 1 },
    );
  });

  it("give the same events and each kind of frame in the same order, for long messages and a busy application", () => {
    fc.assert(
      fc.property(
        words,
        fc.constantFrom(...Object.keys(ENDS)),
        ways,
        fc.constantFrom(...ROLES),
        (said, end, way, role) => {
          const bytes = speak(said, end, 150);
          const [whole, other] = [[bytes.length || 1], way.map((size) => size * 40)].map((sizes) => {
            const subject = prepared(role, true);
            for (const piece of cuts(bytes, sizes)) subject.give(piece);
            subject.pass(30);
            return {
              events: plain(subject.events),
              frames: (["data", "close", "error", "goaway"] as const).map((kind) => subject.ofKind(kind)),
              // A heartbeat says what was received by then; that alone depends on turns.
              heartbeats: (["ping", "pong"] as const).map((kind) =>
                subject.ofKind(kind).map((frame) => ({ ...frame, received: 0 }))
              ),
              ack: subject.over ? null : subject.ofKind("ack").at(-1),
              actions: subject.actions,
            };
          });
          assertEquals(other, whole);
        },
      ),
      { numRuns: 80, seed: 2 },
    );
  });

  it("open and refuse alike in the handshake", () => {
    const greetings: Readonly<Record<Role, readonly Uint8Array[]>> = {
      server: [
        join(preface(), hello()),
        join(preface(), hello(), hello()),
        join(preface(2, 3), hello()),
        join(preface(), welcome()),
      ],
      client: [
        join(preface(), welcome(), ping(1), data(0, "x")),
        join(preface(), craft.reject(32, 7, "full")),
        join(preface(3, 9), welcome()),
        join(preface(), welcome({ desiredTx: 3_600_000 }), data(0, "x")),
      ],
    };
    for (const role of ROLES) {
      for (const bytes of greetings[role]) {
        const results = Array.from({ length: 40 }, (_, index) => {
          const random = new Random(index);
          const sizes = index === 0
            ? [bytes.length]
            : index === 1
            ? [1]
            : [random.between(1, 30), random.between(1, 30)];
          // A decision between two pieces would show a client that speaks too early another state.
          const subject = new Subject(role, { accepts: false });
          for (const piece of cuts(bytes, sizes)) subject.give(piece);
          if (subject.phase === "deciding") subject.act((connection, now) => connection.accept(now));
          return {
            events: plain(subject.events),
            sent: subject.raw,
            key: subject.connection.key(subject.now),
          };
        });
        for (const result of results) assertEquals(result, results[0]);
      }
    }
  });
});

describe("two machines", () => {
  it("see the same, whole or byte by byte", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const seen = [Infinity, 1, 5].map((piece) => {
        const random = new Random(seed);
        const options = { heartbeat: { interval: 100 }, maxMessage: 50_000, window: 100_000 };
        const pair = Pair.open({ seed, client: options, server: options });
        for (const side of [pair.client, pair.server]) side.out.piece = piece;
        for (let i = 0; i < 15; i++) {
          const side = random.between(0, 1) === 0 ? pair.client : pair.server;
          const size = random.between(0, 2) === 0 ? random.between(0, 20_000) : random.between(0, 40);
          pair.act(side, (connection, now) => connection.send(new Uint8Array(size).fill(i), now));
          pair.run(random.between(0, 60));
        }
        pair.act(pair.client, (connection, now) => connection.close(5, "done", now));
        pair.run(2_000);
        assert(pair.client.destroyed && pair.server.destroyed);
        // Beats are redrawn with every PING, which ACKs put off; what the applications see of messages and ends is the same.
        return [pair.client, pair.server].map((side) =>
          plain(side.events.map(({ event }) => event).filter(({ type }) => type !== "pong"))
        );
      });
      assertEquals(seen[1], seen[0], `seed ${seed}`);
      assertEquals(seen[2], seen[0], `seed ${seed}`);
    }
  });
});

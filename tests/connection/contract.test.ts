/**
 * The contract of a machine with its driver (core/machine.ts): what is shown stays, timeouts may come early, late or for nothing, a
 * clock may be wrong, and no bytes of a peer do harm, whatever they are and whenever they come.
 *
 * Rules: seeded and in virtual time; a failing seed is in the message. The crafted peer's helper checks at every step that what was
 * shown did not change, that nothing follows `closed`, and that the peer can read what it is told.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Connection } from "../../core/connection.ts";
import type { Role } from "../../core/phases.ts";
import * as craft from "../support/crafted.ts";
import {
  ack,
  data,
  hello,
  join,
  params,
  ping,
  pong,
  preface,
  raw,
  Subject,
  text,
  welcome,
} from "../support/crafted.ts";
import { Random, seeded } from "../support/random.ts";
import { inState, STATES } from "../support/states.ts";

const ROLES: readonly Role[] = ["client", "server"];

/** Frames that are right in themselves; about half are right in a conversation. */
function frames(random: Random, count: number): Uint8Array[] {
  const list: Uint8Array[] = [];
  let sequence = 2;
  let position = 0;
  for (let i = 0; i < count; i++) {
    const n = random.between(0, 15);
    if (n < 4) list.push(ping(sequence, { timestamp: sequence++ }));
    else if (n < 7) list.push(data(position++, new Uint8Array(random.between(0, 300))));
    else if (n < 8) list.push(ack(random.between(0, 2), 0));
    else if (n < 9) list.push(craft.credit(craft.OFFER.credit! + i));
    else if (n < 10) list.push(pong(random.between(0, 3), { timestamp: sequence }));
    else if (n < 11) list.push(raw(0x80 | random.between(0, 127), new Uint8Array(random.between(0, 50))));
    else if (n < 12) list.push(craft.goaway(random.between(0, 1)));
    else if (n < 13) list.push(data(random.between(0, 9), "x", random.between(0, 3)));
    else if (n < 14) list.push(random.between(0, 1) === 0 ? hello() : welcome());
    else if (n < 15) {
      list.push(random.between(0, 3) === 0 ? craft.close(position) : craft.error(random.between(0, 60)));
    } else {list.push(raw(
        random.between(0, 127),
        Uint8Array.from({ length: random.between(0, 40) }, () => random.between(0, 255)),
      ));}
  }
  return list;
}

function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const list = [...bytes];
  for (let i = random.between(0, 3); i > 0 && list.length > 0; i--) {
    const at = random.between(0, list.length - 1);
    const what = random.between(0, 3);
    if (what === 0) list[at]! ^= 1 << random.between(0, 7);
    else if (what === 1) list.splice(at, random.between(1, 5));
    else if (what === 2) list.splice(at, 0, random.between(0, 255));
    else list.splice(at, 0, ...list.slice(at, at + random.between(1, 40)));
  }
  return Uint8Array.from(list);
}

/** A valid frame of which only type or body are wrong: the checksum is made anew. */
function repaired(random: Random): Uint8Array {
  const [frame] = frames(random, 1);
  const head = frame![0]! < 0x40 ? 1 : frame![0]! < 0x80 ? 2 : 4;
  const type = random.between(0, 9) === 0 ? random.between(0, 255) : frame![head]!;
  return raw(type, mutate(frame!.subarray(head + 1, frame!.length - 4), random));
}

const SOUPS: Readonly<Record<string, (random: Random) => Uint8Array>> = {
  noise: (random) => Uint8Array.from({ length: random.between(1, 400) }, () => random.between(0, 255)),
  "frames in any order": (random) => join(...frames(random, random.between(1, 30))),
  "damaged streams": (random) => mutate(join(...frames(random, random.between(1, 30))), random),
  "damaged frames with a right checksum": (random) =>
    join(...Array.from({ length: 10 }, () => repaired(random))),
};

/** PARAMS whose answers, of 8 bytes, come to just below the bound of 65,536. */
const FLOOD = 8_187;

describe("bytes of a peer", () => {
  for (const [name, soup] of Object.entries(SOUPS)) {
    it(`${name}: nothing throws, events and answers are bounded by what came, in every state`, () => {
      for (const [index, [role, state]] of STATES.entries()) {
        for (let seed = 1; seed <= 60; seed++) {
          const random = new Random(seed * 100 + index);
          const { subject } = inState(role, state);
          const before = { events: subject.events.length, sent: subject.pieces.length };
          const bytes = soup(random);
          const context = `${name}, ${role} ${state}, seed ${seed}`;
          try {
            if (seed % 5 === 0) subject.trickle(bytes.subarray(0, 200));
            else {for (let at = 0; at < bytes.length;) {
                subject.give(bytes.subarray(at, at += random.between(1, 300)));
              }}
            if (seed % 2 === 0) subject.eof();
            subject.pass(random.between(0, 1) === 0 ? 0 : 20_000);
          } catch (error) {
            throw new Error(`${context}: ${error}`, { cause: error });
          }
          const events = subject.events.length - before.events;
          // Each frame at most one event; opening, a fault and the end come with one of them; suspicions with time.
          assertLessOrEqual(events, bytes.length / 5 + 8, context);
          const sent = subject.pieces.slice(before.sent).reduce((sum, piece) => sum + piece.length, 0);
          assertLessOrEqual(sent, 2 * bytes.length + 1_000, context);
          assertLessOrEqual(subject.connection.key(subject.now).length, 10_000 + 4 * bytes.length, context);
          if (subject.over) {
            subject.pass(1_000);
            assertEquals(subject.connection.socketAction(), "destroy", context);
            assertEquals(subject.connection.deadline(), Infinity, context);
          }
        }
      }
    });
  }

  it("that ask without end and read nothing hold a bounded heap of answers", () => {
    for (const role of ROLES) {
      const subject = Subject.open(role);
      subject.stuck = true;
      for (let first = 2; !subject.over && first < 1_000_000; first += 100) {
        subject.give(join(...Array.from({ length: 100 }, (_, i) => params(first + i))));
      }
      assertEquals(subject.reason.code, "CONTROL_FLOOD");
      subject.stuck = false;
      const before = subject.pieces.length;
      subject.drain();
      const bytes = subject.pieces.slice(before).reduce((sum, piece) => sum + piece.length, 0);
      assertLessOrEqual(bytes, 65_536 + 300);
      assertEquals(subject.verdict, "error CONTROL_FLOOD");
    }
  });

  it("that flood: ERROR is the last word, wherever in a turn the bound is passed", () => {
    // Answers of 7 to 9 bytes to just below the bound.
    const flood = join(...Array.from({ length: FLOOD }, (_, i) => params(100 + i)));
    for (let room = 0; room < 40; room++) {
      for (const role of ROLES) {
        const subject = Subject.open(role, { consumes: false, options: { maxMessage: 100, window: 300 } });
        subject.give(data(0, new Uint8Array(80)));
        subject.stuck = true;
        subject.give(flood);
        subject.act((c, now) => c.goAway({ scope: "session", code: "BUSY", text: "x".repeat(room) }, now));
        if (!subject.over) subject.act((connection, now) => connection.consumed(1, now));
        subject.pass(30);
        if (!subject.over) subject.act((connection, now) => connection.close(0, "", now));
        subject.stuck = false;
        subject.drain().pass(30);
        assert(subject.over ? subject.kinds.at(-1) === "error" : !subject.kinds.includes("error"), `${room}`);
      }
    }
  });
});

/** An application and a transport at random: the same draws, the same things. */
function stir(subject: Subject, random: Random, frame: () => Uint8Array): void {
  const { connection } = subject;
  switch (random.between(0, 8)) {
    case 0:
      if (subject.phase === "open") {
        connection.send(new Uint8Array(random.between(0, 40_000)).fill(random.between(0, 255)), subject.now);
      }
      return;
    case 1:
      if (subject.phase === "open" && connection.stats().pingsSent < 60) connection.ping(subject.now);
      return;
    case 2:
      if (random.between(0, 30) === 0) connection.close(0, "", subject.now);
      return;
    case 3: {
      const bytes = connection.peekTransmit();
      if (bytes !== null) connection.advanceTransmit(random.between(1, bytes.length));
      return;
    }
    case 4:
      subject.pass(random.between(0, 3_000_000) / 1_000);
      return;
    default:
      connection.receive(frame(), subject.now);
  }
}

describe("what is shown", () => {
  it("stays until it is taken, and its bytes never change, whatever comes after", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const subject = Subject.open(ROLES[seed % 2]!, { seed, consumes: seed % 3 > 0 }, { credit: 1e9 });
      subject.stuck = true;
      let sequence = 2;
      const shown: { view: Uint8Array; copy: Uint8Array }[] = [];
      for (let step = 0; step < 150; step++) {
        const view = subject.connection.peekTransmit();
        if (view !== null) shown.push({ view, copy: view.slice() });
        const before = subject.connection.stats().bytesSent;
        stir(subject, random, () => ping(sequence, { timestamp: sequence++ }));
        subject.drain();
        const after = subject.connection.peekTransmit();
        const taken = subject.connection.stats().bytesSent > before;
        if (!taken && subject.connection.socketAction() !== "destroy" && view !== null) {
          assert(after === view, `seed ${seed}, step ${step}`);
        }
      }
      for (const { view, copy } of shown) assertEquals(view, copy, `seed ${seed}`);
    }
  });

  it("is nothing any more when the socket is to be destroyed", () => {
    for (const [role, state] of STATES) {
      const { subject } = inState(role, state);
      subject.stuck = true;
      if (subject.phase === "open") subject.act((connection, now) => connection.send(text("late"), now));
      subject.connection.peekTransmit();
      subject.act((connection, now) => connection.transportFailed(null, now));
      assertEquals(subject.connection.peekTransmit(), null);
    }
  });
});

describe("time", () => {
  it("timeouts that come early, again or for nothing change nothing", () => {
    for (const [role, state] of STATES) {
      const { subject } = inState(role, state);
      const { connection } = subject;
      const due = Math.min(connection.deadline(), subject.now + 5_000);
      const begun = subject.now;
      for (let part = 0; part < 10; part++) {
        const now = begun + (due - begun) * part / 10;
        const before = [
          connection.key(now),
          subject.told.length,
          subject.events.length,
          connection.deadline(),
        ];
        for (let again = 0; again < 3; again++) connection.handleTimeout(now);
        subject.drain();
        const after = [
          connection.key(now),
          subject.told.length,
          subject.events.length,
          connection.deadline(),
        ];
        assertEquals(after, before, `${role} ${state} at ${now}`);
      }
    }
  });

  it("after handleTimeout the deadline lies ahead, however late and odd the time was", () => {
    for (const [index, [role, state]] of STATES.entries()) {
      for (let seed = 1; seed <= 20; seed++) {
        const random = new Random(seed * 50 + index);
        const { subject } = inState(role, state);
        for (let step = 0; step < 40; step++) {
          subject.now += random.fraction() * [0.001, 1, 1_000, 100_000][random.between(0, 3)]!;
          subject.act((connection, now) => connection.handleTimeout(now));
          assert(subject.connection.deadline() > subject.now, `${role} ${state} seed ${seed} step ${step}`);
          if (random.between(0, 4) === 0 && !subject.over) subject.give(ping(2 + step));
        }
      }
    }
  });

  it("a clock that runs back, or is none, stands still", () => {
    const wrong = [NaN, Infinity, -Infinity, -1, 0];
    for (let seed = 1; seed <= 30; seed++) {
      const random = new Random(seed);
      const right = Subject.open(ROLES[seed % 2]!, { seed });
      const other = Subject.open(ROLES[seed % 2]!, { seed });
      let sequence = 2;
      for (let step = 0; step < 60; step++) {
        const span = random.between(0, 800);
        for (const subject of [right, other]) subject.pass(span).act((c, now) => c.observeWall(0, now));
        const frame = random.between(0, 2) === 0
          ? data(sequence, "x")
          : ping(sequence, { timestamp: sequence++ });
        const inputs: readonly ((connection: Connection, now: number) => unknown)[] = [
          (connection, now) => connection.receive(frame, now),
          (connection, now) => connection.handleTimeout(now),
          (connection, now) => connection.phase === "open" && connection.ping(now),
        ];
        const input = inputs[step % 10 === 9 ? 2 : random.between(0, 1)]!;
        const odd = random.between(0, 5);
        right.act((connection) => input(connection, right.now));
        other.act((connection) => input(connection, wrong[odd] ?? other.now - random.between(0, 5_000)));
        assertEquals(
          other.connection.key(other.now),
          right.connection.key(right.now),
          `seed ${seed} step ${step}`,
        );
        assertEquals(other.connection.deadline(), right.connection.deadline());
      }
      assertEquals(other.raw, right.raw, `seed ${seed}`);
      assertEquals(other.events, right.events, `seed ${seed}`);
    }
  });

  it("a copy draws from its own entropy and shares nothing", () => {
    for (const [role, state] of STATES) {
      const { subject } = inState(role, state);
      const before = subject.connection.key(subject.now);
      const copy = subject.connection.clone(seeded(new Random(99)));
      assertEquals(copy.key(subject.now), before, `${role} ${state}`);
      copy.receive(join(preface(), ping(2), data(0, "x")), subject.now);
      copy.abort("ABORTED", "", subject.now);
      assertEquals(subject.connection.key(subject.now), before, `${role} ${state}`);
    }
  });
});

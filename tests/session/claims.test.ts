/**
 * Whoever asks to resume a session: with the wrong proof, at positions that cannot be, too late, twice at once, or a dial of old.
 *
 * Rules: a stranger speaks crafted bytes to the real server. Answers are compared whole, but for nonces, ids, secrets and checksums.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { codeNumber } from "../../core/codes.ts";
import type { Conversation } from "../../core/conversation.ts";
import { resumeProof } from "../../core/crypto/proof.ts";
import type { Positions } from "../../core/flow/session_state.ts";
import type { ServerOptions } from "../../core/options.ts";
import { Server } from "../../core/server.ts";
import type { Parameters } from "../../core/wire/parameters.ts";
import { data, hello, join, ping, preface, Reader, type Told } from "../support/crafted.ts";
import { Random, seeded } from "../support/random.ts";
import { World } from "../support/world.ts";

const ENVIRONMENT = seeded(new Random(5));
const NONCE = new Uint8Array(16).fill(7);
const INSTANCE = new Uint8Array(16).fill(1);
const START: Positions = { received: 0, firstRetained: 0, sent: 0, processed: 0 };

interface Granted {
  readonly id: Uint8Array;
  readonly secret: Uint8Array;
}

/** A server, and strangers that speak to it. */
class Desk {
  now = 1_000;
  server: Server;

  constructor(options: ServerOptions = {}, seed = 9) {
    this.server = new Server(options, seeded(new Random(seed)));
  }

  dial(): Stranger {
    return new Stranger(this, this.server.accepted(`peer ${this.now}`, this.now)!);
  }

  /** A session that its client used, and its transport. */
  open(generation = 1): Stranger {
    const stranger = this.dial();
    stranger.give(join(preface(), hello({ instance: INSTANCE, generation })));
    stranger.give(ping(1));
    return stranger;
  }
}

class Stranger {
  readonly connection: Conversation;
  readonly bytes: number[] = [];
  readonly #desk: Desk;
  readonly #reader = new Reader();

  constructor(desk: Desk, connection: Conversation) {
    this.#desk = desk;
    this.connection = connection;
  }

  get told(): readonly Told[] {
    return this.#reader.told;
  }

  give(bytes: Uint8Array): this {
    this.connection.receive(bytes, this.#desk.now);
    return this.#settled();
  }

  hang(): this {
    this.connection.transportFailed(null, this.#desk.now);
    return this.#settled();
  }

  #settled(): this {
    this.#desk.server.settle(this.connection, this.#desk.now);
    while (this.#desk.server.nextDirty() !== null);
    return this.drain();
  }

  drain(): this {
    while (this.connection.nextEvent() !== null);
    for (let b = this.connection.peekTransmit(); b !== null; b = this.connection.peekTransmit()) {
      this.bytes.push(...b);
      this.#reader.read(b);
      this.connection.advanceTransmit(b.length);
    }
    return this;
  }

  /** What the server granted. */
  get granted(): Granted {
    for (const told of this.told) {
      if (told.kind === "welcome") return { id: told.parameters.session!, secret: told.parameters.secret! };
    }
    throw new Error("no WELCOME");
  }

  /** The last thing that the server said, in a word. */
  get answer(): string {
    const last = this.told.findLast((told) => ["welcome", "reject", "error"].includes(told.kind));
    if (last === undefined) return "nothing";
    if (last.kind === "welcome") return last.parameters.resumed ? "resumed" : "new";
    if (last.kind === "reject" || last.kind === "error") return `${last.kind} ${last.code}`;
    return last.kind;
  }
}

/** A HELLO that asks to resume. */
function claim(
  { id, secret }: Granted,
  generation: number,
  at: Partial<Positions> = {},
  more: Parameters = {},
): Uint8Array {
  const positions = { ...START, ...at };
  const proof = resumeProof(ENVIRONMENT, secret, { session: id, generation, ...positions }, NONCE);
  const parameters = { session: id, generation, instance: INSTANCE, ...positions, proof, ...more };
  return join(preface(), hello(parameters));
}

const UNKNOWN = `reject ${codeNumber("UNKNOWN_SESSION")}`;
const STALE = `reject ${codeNumber("STALE_GENERATION")}`;
const SUPERSEDED = `error ${codeNumber("SUPERSEDED")}`;

describe("a HELLO that asks to resume", () => {
  it("is let in with the right proof, and its bytes change nothing but once", () => {
    const desk = new Desk();
    const first = desk.open();
    const { granted } = first;
    first.hang();
    const second = desk.dial().give(claim(granted, 2));
    assertEquals(second.answer, "resumed");
    // The same bytes again, as somebody who overheard them would send them.
    assertEquals(desk.dial().give(claim(granted, 2)).answer, STALE);
    assertEquals(second.connection.reason, null);
  });

  it("of an equal or smaller generation is refused, whatever its positions, and harms nobody", () => {
    for (const generation of [0, 1, 6, 7]) {
      for (const at of [{}, { received: 1 }, { sent: 5, received: 5, processed: 5 }]) {
        const desk = new Desk();
        const first = desk.open(7);
        const second = desk.dial().give(claim(first.granted, generation, at));
        assertEquals(second.answer, STALE);
        assertEquals(first.connection.reason, null);
        assertEquals(first.drain().answer, "new");
      }
    }
  });

  it("by another instance, and is not newer, is refused for good and told who has the session", () => {
    const desk = new Desk();
    const first = desk.open(7);
    const other = { instance: new Uint8Array(16).fill(9) };
    const second = desk.dial().give(claim(first.granted, 7, {}, other));
    assertEquals(second.answer, `reject ${codeNumber("SUPERSEDED")}`);
    const told = second.told.at(-1)!;
    assertEquals(told.kind === "reject" && told.parameters.instance, INSTANCE);
    assertEquals(first.connection.reason, null);
    // Once it has the session itself, its own older dials are only stale.
    assertEquals(desk.dial().give(claim(first.granted, 8, {}, other)).answer, "resumed");
    assertEquals(desk.dial().give(claim(first.granted, 8, {}, other)).answer, STALE);
    assertEquals(desk.dial().give(claim(first.granted, 8)).answer, `reject ${codeNumber("SUPERSEDED")}`);
  });

  it("supersedes the connection that has the session, in whatever phase that is", () => {
    for (const opened of [true, false]) {
      const desk = new Desk();
      const first = desk.open();
      const { granted } = first;
      first.hang();
      const second = desk.dial().give(claim(granted, 2));
      if (opened) second.give(ping(1));
      assertEquals(second.answer, "resumed");
      const third = desk.dial().give(claim(granted, 3)); // a resume during a resume
      assertEquals([second.drain().answer, third.answer], [SUPERSEDED, "resumed"]);
      third.give(ping(1));
      assertEquals([third.connection.phase, second.connection.phase], ["open", "closed"]);
      // What the loser still says changes nothing.
      second.give(ping(2)).hang();
      assertEquals(desk.server.stats().sessions, {
        attached: 1,
        detached: 0,
        detachedBytes: 0,
        resumed: 2,
        expired: 0,
        restored: 0,
        moved: 0,
      });
    }
  });

  it("from another instance with the secret takes the session over; the old client ends, and the two do not take turns", () => {
    const world = new World();
    world.run(100);
    const { grant, positions } = world.client.session!.state;
    const thief = world.stranger();
    thief.connection.receive(
      claim(grant!, 100, positions, { instance: new Uint8Array(16).fill(9) }),
      world.now,
    );
    world.server.settle(thief.connection, world.now);
    world.settle();
    world.run(60_000);
    const ended = world.told.findLast((event) => event.type === "ended");
    assert(ended?.type === "ended" && ended.reason.code === "SUPERSEDED", JSON.stringify(ended));
    assertEquals(world.dials, 1);
    assertEquals(world.client.ended, true);
  });

  it("reads the same for an unknown, an expired, a foreign and a wrongly proven session, byte for byte", () => {
    const answers = (more: Parameters): number[][] => {
      const desk = new Desk({ resumeWindow: 1_000 });
      const alive = desk.open().granted;
      const kept = desk.open();
      kept.hang();
      const late = desk.open();
      late.hang();
      const foreign = new Desk({}, 10).open().granted;
      const wrong = (granted: Granted): Granted => ({ ...granted, secret: new Uint8Array(32).fill(3) });
      const unknown = { id: new Uint8Array(16).fill(4), secret: new Uint8Array(32).fill(3) };
      const positions = { received: 2, sent: 9, firstRetained: 1, processed: 1 };
      const asked = [
        claim(unknown, 9, positions, more),
        claim(foreign, 9, positions, more),
        claim(wrong(alive), 9, positions, more),
        claim(wrong(kept.granted), 9, positions, more),
        // Wrongly proven, and stale or impossible besides: the proof comes first.
        claim(wrong(alive), 0, positions, more),
        claim(wrong(kept.granted), 9, { received: 99, sent: 3 }, more),
        claim(alive, 9, positions, { ...more, proof: new Uint8Array(32) }),
        join(
          preface(),
          hello({ ...more, session: alive.id, generation: 9, instance: INSTANCE, ...positions }),
        ),
        claim(alive, 9, positions, { ...more, received: 3 }), // not what was proven
        claim(alive, 9, positions, { ...more, firstRetained: 0 }),
        claim(alive, 9, positions, { ...more, sent: 8 }),
        claim(alive, 10, positions, { ...more, generation: 11 }),
      ];
      const got = asked.map((bytes) => desk.dial().give(bytes));
      desk.now += 2_000;
      desk.server.handleTimeout(desk.now);
      got.push(desk.dial().give(claim(late.granted, 9, positions, more)));
      return got.map((stranger) => plain(stranger));
    };
    for (const more of [{}, { freshOnLoss: true }]) {
      const all = answers(more);
      for (const [index, bytes] of all.entries()) {
        assertEquals(bytes, all[0], `${index} of ${all.length}, ${JSON.stringify(more)}`);
      }
    }
  });

  it("at positions that cannot be is refused, or begins anew if it asks so, and the server's side is told as over", () => {
    // The server received 2 chunks and sent none.
    const wrong: readonly Partial<Positions>[] = [
      { received: 1, sent: 2 }, // from the future
      { sent: 1 }, // fewer than arrived
      { sent: 9, firstRetained: 3 }, // what lacks is not kept any more
      { sent: 2, processed: 1 }, // more than it received
      { received: 2 ** 53 - 1, sent: 2 ** 53 - 1 },
    ];
    for (const at of wrong) {
      for (const fresh of [false, true]) {
        const desk = new Desk();
        const first = desk.open();
        first.give(data(0, "one")).give(data(1, "two")).hang();
        const { granted } = first;
        const more: Parameters = fresh ? { freshOnLoss: true } : {};
        const second = desk.dial().give(claim(granted, 2, { firstRetained: 0, ...at }, more));
        assertEquals(second.answer, fresh ? "new" : UNKNOWN, JSON.stringify(at));
        // Who proved to know it reads where the server is.
        const told = second.told.findLast((one) => one.kind === "welcome" || one.kind === "reject")!;
        assert(told.kind === "welcome" || told.kind === "reject");
        assertEquals([told.parameters.received, told.parameters.sent], [2, 0]);
        assertGreater(desk.server.nextOver() === null ? 0 : 1, 0);
        // It is gone: another try finds nothing.
        assertEquals(desk.dial().give(claim(granted, 3, { sent: 2 })).answer, UNKNOWN);
      }
    }
  });

  it("and whose first chunk is not the next ends its connection and not the session: no position is implied", () => {
    for (const wrong of [0, 1, 3, 65_535]) {
      const desk = new Desk();
      const first = desk.open();
      first.give(data(0, "a")).give(data(1, "b")).hang();
      const second = desk.dial().give(claim(first.granted, 2, { sent: 5 })).give(ping(1));
      assertEquals(second.give(data(wrong, "c")).answer, `error ${codeNumber("SEQUENCE")}`);
      const third = desk.dial().give(claim(first.granted, 3, { sent: 5 })).give(ping(1)).give(data(2, "c"));
      assertEquals([third.answer, third.connection.reason], ["resumed", null]);
      assertEquals(desk.server.sessionOf(third.connection)!.state.positions.received, 3);
    }
  });

  it("without the positions that are 0 means 0", () => {
    const desk = new Desk();
    const first = desk.open();
    first.hang();
    const { id, secret } = first.granted;
    const proof = resumeProof(ENVIRONMENT, secret, { session: id, generation: 2, ...START }, NONCE);
    const parameters = { session: id, generation: 2, instance: INSTANCE, proof };
    const second = desk.dial().give(join(preface(), hello(parameters))).give(ping(1)).give(data(0, "one"));
    assertEquals([second.answer, second.connection.phase], ["resumed", "open"]);
    assertEquals(desk.server.sessionOf(second.connection)!.state.positions, { ...START, received: 1 });
  });
});

/** The bytes of an answer without what is random in it and the checksum over that. */
function plain(stranger: Stranger): number[] {
  const { bytes, told } = stranger;
  const welcome = told.find((one) => one.kind === "welcome");
  if (welcome?.kind !== "welcome") return bytes;
  const hidden = [welcome.nonce, welcome.parameters.session!, welcome.parameters.secret!];
  const left = bytes.slice(0, -4);
  for (const secret of hidden) {
    const at = left.findIndex((_, i) => secret.every((byte, k) => left[i + k] === byte));
    left.fill(0, at, at + secret.length);
  }
  return left;
}

describe("what a server keeps of sessions", () => {
  it("is bounded in number: the one that waits longest goes, and is told", () => {
    const desk = new Desk({ maxSessions: 3 });
    const all = Array.from({ length: 5 }, () => desk.open());
    for (const one of all) one.hang();
    const over = [desk.server.nextOver(), desk.server.nextOver(), desk.server.nextOver()];
    assertEquals(over.map((one) => one?.reason.code ?? null), ["LOST", "LOST", null]);
    const { attached, detached, expired } = desk.server.stats().sessions!;
    assertEquals([attached, detached, expired], [0, 3, 2]);
    const back = all.map((one) => desk.dial().give(claim(one.granted, 2)).answer);
    assertEquals(back, [UNKNOWN, UNKNOWN, "resumed", "resumed", "resumed"]);
  });

  it("is not pushed out by strangers: when it is full, new clients get a connection without a session", () => {
    const filled = (limit: ServerOptions): { desk: Desk; kept: readonly Stranger[] } => {
      const desk = new Desk(limit);
      const kept = [desk.open(), desk.open()];
      for (const one of kept) {
        desk.server.sessionOf(one.connection)!.send(new Uint8Array(960), desk.now);
        one.hang();
      }
      return { desk, kept };
    };
    const sessionMemory = filled({}).desk.server.stats().sessions!.detachedBytes;
    for (const limit of [{ maxSessions: 2 }, { sessionMemory }]) {
      const { desk, kept } = filled(limit);
      for (let i = 0; i < 5; i++) {
        const stranger = desk.open(1);
        assertEquals(stranger.answer, "new");
        const welcome = stranger.told.find((told) => told.kind === "welcome")!;
        assert(welcome.kind === "welcome");
        const { resumable, session, secret } = welcome.parameters;
        assertEquals([resumable, session, secret], [undefined, undefined, undefined]);
        stranger.give(data(0, "hello"));
        assertEquals(stranger.connection.phase, "open");
        stranger.hang();
      }
      assertEquals(desk.server.stats().sessions!.detached, 2);
      const back = kept.map((one) => desk.dial().give(claim(one.granted, 2)).answer);
      assertEquals(back, ["resumed", "resumed"]);
      assert(desk.open(1).granted.id !== undefined); // there is room again
    }
  });

  it("is bounded in bytes: the one that waits longest goes, with what was not confirmed", () => {
    const desk = new Desk({ sessionMemory: 2_500 });
    const all = Array.from({ length: 4 }, () => desk.open());
    for (const one of all) {
      desk.server.sessionOf(one.connection)!.send(new Uint8Array(1_000), desk.now);
      one.hang();
    }
    const over = [desk.server.nextOver(), desk.server.nextOver(), desk.server.nextOver()];
    assertEquals(over.map((one) => one?.unconfirmed.length ?? null), [1, 1, null]);
    const { detached, detachedBytes } = desk.server.stats().sessions!;
    assertEquals(detached, 2);
    assert(detachedBytes > 2_000 && detachedBytes <= 2_500);
  });

  it("does not grow by handshakes that end half-way, new ones or resumes", () => {
    const desk = new Desk({ maxHandshakes: 10, handshakeTimeout: 5_000 });
    const first = desk.open();
    const { granted } = first;
    first.hang();
    for (let i = 0; i < 500; i++) {
      desk.dial().give(join(preface(), hello({ instance: INSTANCE, generation: 1 }))).hang();
      desk.dial().give(claim({ ...granted, secret: new Uint8Array(32) }, 2 + i, {}, { freshOnLoss: true }))
        .hang();
      desk.dial().give(claim(granted, 2 + i)).hang();
    }
    assertEquals(desk.server.stats().sessions, {
      attached: 0,
      detached: 1,
      detachedBytes: 0,
      resumed: 500,
      expired: 0,
      restored: 0,
      moved: 0,
    });
    // Those that no client has used are kept as long as others are, but of them the latest only.
    assertEquals(desk.server.size, 0);
    desk.now += 119_999;
    desk.server.handleTimeout(desk.now);
    assertEquals(desk.dial().give(claim(granted, 1_000)).answer, "resumed");
    assertEquals(desk.server.nextOver(), null);
  });

  it("goes on for a client whose first words were lost, within the window", () => {
    const begin = (options: ServerOptions = {}): [Desk, Granted] => {
      const desk = new Desk({ resumeWindow: 60_000, handshakeTimeout: 5_000, maxHandshakes: 3, ...options });
      const stranger = desk.dial().give(join(preface(), hello({ instance: INSTANCE, generation: 1 }))).hang();
      return [desk, stranger.granted];
    };
    const wait = (desk: Desk, ms: number): void => {
      desk.now += ms;
      desk.server.handleTimeout(desk.now);
    };
    const [desk, granted] = begin();
    wait(desk, 59_999);
    assertEquals(desk.dial().give(claim(granted, 2)).give(ping(1)).answer, "resumed");
    const [late, missed] = begin();
    wait(late, 60_000);
    assertEquals(late.dial().give(claim(missed, 2)).answer, UNKNOWN);
    const [crowded, pushed] = begin();
    for (let i = 0; i < 3; i++) {
      crowded.dial().give(join(preface(), hello({ instance: INSTANCE, generation: 1 }))).hang();
    }
    assertEquals(crowded.dial().give(claim(pushed, 2)).answer, UNKNOWN);
  });

  it("ends with the window, to the millisecond", () => {
    const desk = new Desk({ resumeWindow: 3_000 });
    const first = desk.open();
    first.hang();
    desk.now += 2_999;
    desk.server.handleTimeout(desk.now);
    const second = desk.dial().give(claim(first.granted, 2)).give(ping(1));
    assertEquals(second.answer, "resumed");
    second.hang();
    desk.now += 3_000;
    desk.server.handleTimeout(desk.now);
    assertEquals(desk.dial().give(claim(first.granted, 3)).answer, UNKNOWN);
  });
});

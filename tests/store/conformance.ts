/**
 * What every store of sessions has to do: the rules of core/store/questions.ts, as questions whose answers are known.
 *
 * `storeConformance` runs them against a store. Each rule stands alone, on a store of its own, so that a wrong store is told what it breaks.
 *
 * Rules: a store is asked through its public methods, and only for what it promises. Time is the test's.
 *
 * @module
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { SessionStore } from "../../adapters/store.ts";
import {
  type AcknowledgeQuestion,
  type AppendQuestion,
  type Chunks,
  type Claimed,
  type ClaimQuestion,
  type CreateQuestion,
  FIRST_MARKS,
  type Marks,
  type SessionFound,
  STORE_VERSION,
  type Unknown,
} from "../../core/store/questions.ts";

/** What a store is made with. */
export interface StoreTerms {
  /** The time, ms. Never runs back. */
  readonly now: () => number;
  /** Bytes that it may hold at least before it says that it is full; it must say so before 4 times as many. */
  readonly limit: number;
}

/** Makes an empty store. */
export type MakeStore = (terms: StoreTerms) => SessionStore | Promise<SessionStore>;

/** Bytes that a store has to hold in most rules, and in the one of room. */
const PLENTY = 64 * 2 ** 20;
const LITTLE = 100_000;
const KEEP = 10_000;
const SECRET = "5ec7".repeat(16);
const A = "aa".repeat(16);
const B = "bb".repeat(16);

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
/** Another session for each number. */
function named(number: number): string {
  return number.toString(16).padStart(32, "0");
}

function found(owner: string, generation: number, since: number): SessionFound {
  return { type: "found", secret: SECRET, owner, generation, since };
}

/** A store and a clock. */
class Bench {
  time = 1_000;
  readonly store: SessionStore;
  #serial = 0;

  constructor(store: SessionStore, clock: { now: () => number }) {
    this.store = store;
    clock.now = () => this.time;
  }

  create(session: string, more: Partial<CreateQuestion> = {}): Promise<string> {
    return this.#type(this.store.create({
      type: "create",
      session,
      owner: A,
      generation: 1,
      keep: KEEP,
      version: STORE_VERSION,
      secret: SECRET,
      epoch: 77,
      ...more,
    }));
  }

  append(
    session: string,
    position: number,
    texts: readonly string[],
    marks: Partial<Marks> = {},
    more: Partial<AppendQuestion> = {},
  ): Promise<string> {
    return this.#type(this.store.append({
      type: "append",
      session,
      generation: 1,
      serial: ++this.#serial,
      keep: KEEP,
      position,
      chunks: texts.map((text) => encoder.encode(text)),
      marks: { ...FIRST_MARKS, ...marks },
      ...more,
    }));
  }

  acknowledge(
    session: string,
    marks: Partial<Marks>,
    more: Partial<AcknowledgeQuestion> = {},
  ): Promise<string> {
    return this.#type(this.store.acknowledge({
      type: "acknowledge",
      session,
      generation: 1,
      serial: ++this.#serial,
      keep: KEEP,
      marks: { ...FIRST_MARKS, ...marks },
      ...more,
    }));
  }

  claim(
    session: string,
    generation: number,
    more: Partial<ClaimQuestion> = {},
  ): PromiseLike<{ type: string }> {
    return this.store.claim({ type: "claim", session, owner: B, generation, keep: KEEP, ...more });
  }

  /** The record of a claim that must succeed. */
  async claimed(session: string, generation: number, owner: string = B): Promise<Claimed["record"]> {
    const answer = await this.claim(session, generation, { owner }) as Claimed;
    assertEquals(answer.type, "claimed");
    return answer.record;
  }

  /** All chunks from a position on, however many come at a time. */
  async chunks(session: string, from: number, generation: number): Promise<string[]> {
    const texts: string[] = [];
    for (;;) {
      const at = from + texts.length;
      const answer = await this.store.replay({ type: "replay", session, generation, from: at });
      assertEquals(answer.type, "chunks");
      const { chunks } = answer as Chunks;
      if (chunks.length === 0) return texts;
      texts.push(...chunks.map((chunk) => decoder.decode(chunk)));
    }
  }

  release(session: string, generation: number): Promise<string> {
    return this.#type(this.store.release({ type: "release", session, generation }));
  }

  read(session: string): PromiseLike<SessionFound | Unknown> {
    return this.store.read({ type: "read", session });
  }

  async #type(answer: PromiseLike<{ type: string }>): Promise<string> {
    return (await answer).type;
  }
}

/** The rules, by name. */
export const RULES: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  "what nobody created is unknown to every question": async (bench) => {
    const session = named(1);
    assertEquals(await bench.read(session), { type: "unknown" });
    assertEquals(await bench.claim(session, 5), { type: "unknown" });
    assertEquals(await bench.append(session, 0, ["a"]), "unknown");
    assertEquals(await bench.acknowledge(session, {}), "unknown");
    assertEquals(await bench.release(session, 1), "unknown");
    const replay = await bench.store.replay({ type: "replay", session, generation: 1, from: 0 });
    assertEquals(replay, { type: "unknown" });
    assertEquals(await bench.read(session), { type: "unknown" });
  },

  "a session is read and claimed as it was created": async (bench) => {
    assertEquals(await bench.create(named(1), { generation: 3, epoch: 2 ** 47 }), "ok");
    for (let i = 0; i < 2; i++) {
      assertEquals(await bench.read(named(1)), found(A, 3, 3));
    }
    assertEquals(await bench.claimed(named(1), 4), {
      version: STORE_VERSION,
      secret: SECRET,
      epoch: 2 ** 47,
      owner: A,
      generation: 3,
      since: 3,
      marks: FIRST_MARKS,
      end: 0,
    });
    assertEquals(await bench.read(named(1)), found(B, 4, 4));
    assertEquals(await bench.read(named(2)), { type: "unknown" });
  },

  "to create again changes nothing, for the same owner and generation it succeeds": async (bench) => {
    await bench.create(named(1));
    await bench.append(named(1), 0, ["kept"]);
    assertEquals(await bench.create(named(1)), "ok");
    assertEquals(await bench.create(named(1), { owner: B }), "fenced");
    assertEquals(await bench.create(named(1), { generation: 2 }), "fenced");
    assertEquals((await bench.claimed(named(1), 2)).end, 1);
    assertEquals(await bench.create(named(1)), "fenced");
    assertEquals(await bench.chunks(named(1), 0, 2), ["kept"]);
  },

  "chunks come back in order, byte for byte, from any position": async (bench) => {
    await bench.create(named(1));
    await bench.create(named(2));
    const texts: string[] = [];
    for (let i = 0; i < 60; i++) {
      const some = Array.from(
        { length: 1 + i % 3 },
        (_, k) => `${i}.${k} é\u0000 ${"x".repeat(i * 97 % 5_000)}`,
      );
      assertEquals(await bench.append(named(1), texts.length, some), "ok");
      assertEquals(await bench.append(named(2), i, [`other ${i}`]), "ok");
      texts.push(...some);
    }
    assertEquals((await bench.claimed(named(1), 2)).end, texts.length);
    for (const from of [0, 1, 59, texts.length - 1, texts.length]) {
      assertEquals(await bench.chunks(named(1), from, 2), texts.slice(from));
    }
    assertEquals((await bench.chunks(named(2), 0, 1)).length, 60);
  },

  "all values of a byte come back, in a chunk of the greatest size": async (bench) => {
    await bench.create(named(1));
    const chunk = Uint8Array.from({ length: 16_384 + 32 }, (_, i) => i ^ (i >> 8));
    await bench.append(named(1), 0, [], {}, { chunks: [chunk, Uint8Array.of(7)] });
    await bench.claimed(named(1), 2);
    const first = await bench.store.replay({ type: "replay", session: named(1), generation: 2, from: 0 });
    assertEquals((first as Chunks).chunks[0], chunk);
  },

  "chunks in the place of others replace all behind them": async (bench) => {
    await bench.create(named(1));
    await bench.append(named(1), 0, ["a", "b", "c", "d"]);
    assertEquals(await bench.append(named(1), 2, ["reply", "c"]), "ok");
    assertEquals(await bench.append(named(1), 4, ["d", "e"]), "ok");
    assertEquals(await bench.append(named(1), 5, ["f"]), "ok");
    assertEquals((await bench.claimed(named(1), 2)).end, 6);
    assertEquals(await bench.chunks(named(1), 0, 2), ["a", "b", "reply", "c", "d", "f"]);
  },

  "a write that is tried again counts once, and one that comes late not at all": async (bench) => {
    await bench.create(named(1));
    assertEquals(await bench.append(named(1), 0, ["a"], { processed: 1 }, { serial: 1 }), "ok");
    assertEquals(await bench.append(named(1), 1, ["b"], { processed: 2 }, { serial: 2 }), "ok");
    assertEquals(await bench.append(named(1), 1, ["b"], { processed: 2 }, { serial: 2 }), "ok");
    // The third was given up; the fourth has it, and more.
    assertEquals(await bench.append(named(1), 2, ["c", "d"], { processed: 4 }, { serial: 4 }), "ok");
    assertEquals(await bench.append(named(1), 2, ["c"], { processed: 3 }, { serial: 3 }), "ok");
    assertEquals(await bench.acknowledge(named(1), { processed: 1 }, { serial: 3 }), "ok");
    const record = await bench.claimed(named(1), 2);
    assertEquals([record.end, record.marks.processed], [4, 4]);
    assertEquals(await bench.chunks(named(1), 0, 2), ["a", "b", "c", "d"]);
  },

  "serials begin anew with each claim": async (bench) => {
    await bench.create(named(1));
    await bench.append(named(1), 0, ["a"], {}, { serial: 9 });
    await bench.claimed(named(1), 2);
    assertEquals(await bench.append(named(1), 1, ["b"], {}, { generation: 2, serial: 1 }), "ok");
    assertEquals(await bench.chunks(named(1), 0, 2), ["a", "b"]);
  },

  "the marks are what was written last": async (bench) => {
    await bench.create(named(1));
    const marks = { processed: 2 ** 40, confirmed: 1, asked: 2 ** 33, heard: 9, owed: [3, 7, 8] };
    await bench.append(named(1), 0, ["a", "b"], { ...marks, confirmed: 0, owed: [] });
    await bench.acknowledge(named(1), marks);
    assertEquals((await bench.claimed(named(1), 2)).marks, marks);
    await bench.acknowledge(named(1), { ...marks, owed: [] }, { generation: 2 });
    assertEquals((await bench.claimed(named(1), 3)).marks, { ...marks, owed: [] });
  },

  "what is confirmed is let go of, and the rest stays": async (bench) => {
    await bench.create(named(1));
    await bench.append(named(1), 0, ["a", "b", "c", "d"]);
    assertEquals(await bench.acknowledge(named(1), { confirmed: 3 }), "ok");
    assertEquals(await bench.append(named(1), 4, ["e"], { confirmed: 4 }), "ok");
    const record = await bench.claimed(named(1), 2);
    assertEquals([record.marks.confirmed, record.end], [4, 5]);
    assertEquals(await bench.chunks(named(1), 4, 2), ["e"]);
    assertEquals(await bench.acknowledge(named(1), { confirmed: 5 }, { generation: 2 }), "ok");
    const { marks, end } = await bench.claimed(named(1), 3);
    assertEquals([marks.confirmed, end], [5, 5]);
    assertEquals(await bench.chunks(named(1), 5, 3), []);
  },

  "a claim is taken by a greater generation only, from whomever": async (bench) => {
    await bench.create(named(1), { generation: 5 });
    for (const generation of [0, 4, 5]) {
      for (const owner of [A, B]) {
        assertEquals(await bench.claim(named(1), generation, { owner }), { type: "stale" });
      }
    }
    assertEquals(await bench.append(named(1), 0, ["still A's"], {}, { generation: 5 }), "ok");
    const first = await bench.claimed(named(1), 6);
    const second = await bench.claimed(named(1), 9, A);
    const third = await bench.claimed(named(1), 10, A);
    assertEquals([first.owner, first.generation, first.since], [A, 5, 5]);
    assertEquals([second.owner, second.generation, second.since], [B, 6, 6]);
    // The same owner again: it has had it without a break.
    assertEquals([third.owner, third.generation, third.since], [A, 9, 9]);
    assertEquals(await bench.read(named(1)), found(A, 10, 9));
    assertEquals(await bench.claim(named(1), 8), { type: "stale" });
  },

  "of any number of claims at once exactly one of each generation succeeds": async (bench) => {
    await bench.create(named(1), { generation: 1 });
    await bench.append(named(1), 0, ["a"]);
    const claims = await Promise.all(
      Array.from({ length: 24 }, (_, i) => bench.claim(named(1), 2 + i % 3, { owner: i % 2 === 0 ? A : B })),
    );
    const taken = claims.filter((claim) => claim.type === "claimed") as Claimed[];
    assert(taken.length >= 1 && taken.length <= 3, `${taken.length} claims were taken`);
    // Each saw the one before it, so no two had the session at once.
    const seen = taken.map((claim) => claim.record.generation).sort();
    assertEquals(new Set(seen).size, taken.length);
    assertEquals(seen[0], 1);
    for (const claim of claims) assert(claim.type === "claimed" || claim.type === "stale");
    assertEquals(await bench.append(named(1), 1, ["b"], {}, { generation: 4 }), "ok");
  },

  "whoever was fenced changes nothing any more": async (bench) => {
    await bench.create(named(1));
    await bench.append(named(1), 0, ["a"], { processed: 1 });
    await bench.claimed(named(1), 2);
    assertEquals(await bench.append(named(1), 1, ["late"], { processed: 9 }), "fenced");
    assertEquals(await bench.acknowledge(named(1), { processed: 9, confirmed: 1 }), "fenced");
    assertEquals(await bench.release(named(1), 1), "fenced");
    const replay = await bench.store.replay({ type: "replay", session: named(1), generation: 1, from: 0 });
    assertEquals(replay, { type: "fenced" });
    // Nor does a generation that never had it.
    assertEquals(await bench.append(named(1), 1, ["early"], {}, { generation: 3 }), "fenced");
    assertEquals(await bench.release(named(1), 3), "fenced");
    const record = await bench.claimed(named(1), 4);
    assertEquals([record.marks.processed, record.end], [1, 1]);
    assertEquals(await bench.chunks(named(1), 0, 4), ["a"]);
  },

  "a claim keeps all that was written before it was answered, and a write at the same time is in it or fenced":
    async (
      bench,
    ) => {
      for (let round = 1; round <= 20; round++) {
        const session = named(round);
        await bench.create(session);
        await bench.append(session, 0, ["a"]);
        const writing = bench.append(session, 1, ["b"]);
        const claiming = bench.claimed(session, 2);
        const [written, { end }] = await Promise.all([writing, claiming]);
        assertEquals([written, end], written === "ok" ? ["ok", 2] : ["fenced", 1]);
        assertEquals((await bench.chunks(session, 0, 2)).length, end);
      }
    },

  "what is released is forgotten, and may be released again": async (bench) => {
    await bench.create(named(1));
    await bench.create(named(2));
    await bench.append(named(1), 0, ["a"]);
    assertEquals(await bench.release(named(1), 1), "ok");
    assertEquals(await bench.release(named(1), 1), "unknown");
    assertEquals(await bench.read(named(1)), { type: "unknown" });
    assertEquals(await bench.append(named(1), 1, ["b"]), "unknown");
    assertEquals((await bench.read(named(2))).type, "found");
    // The same name again is another session.
    assertEquals(await bench.create(named(1)), "ok");
    assertEquals((await bench.claimed(named(1), 2)).end, 0);
  },

  "what nobody touches is forgotten, neither before its time nor much later": async (bench) => {
    for (const number of [1, 2, 3, 4, 5]) await bench.create(named(number), { keep: 1_000 });
    bench.time += 900;
    assertEquals(await bench.append(named(2), 0, ["a"], {}, { keep: 1_000 }), "ok");
    assertEquals(await bench.acknowledge(named(3), {}, { keep: 5_000 }), "ok");
    await bench.claim(named(4), 2, { keep: 1_000 });
    assertEquals((await bench.read(named(5))).type, "found"); // which is no touch
    bench.time += 200;
    assertEquals(await bench.read(named(1)), { type: "unknown" });
    assertEquals(await bench.claim(named(5), 2), { type: "unknown" });
    for (const number of [2, 3, 4]) assertEquals((await bench.read(named(number))).type, "found");
    bench.time += 1_000;
    assertEquals(await bench.append(named(2), 1, ["b"]), "unknown");
    assertEquals(await bench.read(named(4)), { type: "unknown" });
    assertEquals((await bench.read(named(3))).type, "found");
  },

  "what is fenced is no touch": async (bench) => {
    await bench.create(named(1), { keep: 1_000 });
    await bench.claim(named(1), 2, { keep: 1_000 });
    bench.time += 900;
    assertEquals(await bench.append(named(1), 0, ["late"], {}, { keep: 5_000 }), "fenced");
    assertEquals(await bench.claim(named(1), 2, { keep: 5_000 }), { type: "stale" });
    bench.time += 200;
    assertEquals(await bench.read(named(1)), { type: "unknown" });
  },

  "full is said in time, changes nothing, and is over when there is room": async (bench) => {
    await bench.create(named(1));
    const chunk = "f".repeat(1_000);
    let end = 0;
    let answer = "ok";
    while (end < 4 * LITTLE / chunk.length) {
      answer = await bench.append(named(1), end, [chunk], { processed: end });
      if (answer !== "ok") break;
      end++;
    }
    assertEquals(answer, "full");
    const little = LITTLE / (chunk.length + 1_000); // a store may reckon as much again for each
    assert(end >= little, `full after ${end} chunks`);
    // Nothing of it was taken, and what shrinks always is.
    assertEquals(await bench.append(named(1), end, [chunk, chunk], { processed: 10 ** 6 }), "full");
    const half = Math.floor(end / 2);
    const more = Array.from({ length: half }, () => chunk);
    assertEquals(await bench.append(named(1), end, more, { confirmed: half, processed: end }), "ok");
    const record = await bench.claimed(named(1), 2);
    assertEquals([record.end, record.marks.processed, record.marks.confirmed], [end + half, end, half]);
    assertEquals(await bench.acknowledge(named(1), { confirmed: end }, { generation: 2 }), "ok");
    assertEquals(await bench.release(named(1), 2), "ok");
    assertEquals(await bench.create(named(2)), "ok");
    assertEquals(await bench.append(named(2), 0, more), "ok");
  },

  "writes that are asked for at once are each taken whole": async (bench) => {
    await bench.create(named(1));
    // One asks for the next without waiting, as after a timeout: whatever the order, the greatest serial is the last.
    const asked = [1, 2, 3, 4, 5].map((serial) =>
      bench.append(named(1), 0, Array.from({ length: serial }, () => `w${serial}`), { processed: serial }, {
        serial,
      })
    );
    assertEquals(await Promise.all(asked), ["ok", "ok", "ok", "ok", "ok"]);
    const { marks, end } = await bench.claimed(named(1), 2);
    assertEquals([marks.processed, end], [5, 5]);
    assertEquals(await bench.chunks(named(1), 0, 2), ["w5", "w5", "w5", "w5", "w5"]);
  },
};

/** Runs one rule on a new store. */
export async function runRule(name: string, make: MakeStore): Promise<void> {
  const clock = { now: () => 0 };
  const store = await make({ now: () => clock.now(), limit: name.startsWith("full") ? LITTLE : PLENTY });
  await RULES[name]!(new Bench(store, clock));
}

/** Holds a store against all rules. */
export function storeConformance(name: string, make: MakeStore): void {
  describe(`${name} is a store of sessions:`, () => {
    for (const rule of Object.keys(RULES)) it(rule, () => runRule(rule, make));
  });
}

/**
 * The suite that every store must pass: run against those that are here, and against wrong ones, each of which breaks the rule that it is there for.
 */

import { describe, it } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { MemoryStore, type SessionStore } from "../../adapters/store.ts";
import type {
  AppendQuestion,
  ClaimQuestion,
  CreateQuestion,
  ReplayQuestion,
  StoreAnswer,
  StoreQuestion,
} from "../../core/mod.ts";
import { type MakeStore, RULES, runRule, storeConformance, type StoreTerms } from "./conformance.ts";
import { FileStore } from "./file_store.ts";

storeConformance("MemoryStore", ({ now, limit }) => new MemoryStore({ now, limit }));

const folder = mkdtempSync(join(tmpdir(), "heartwire-store-"));
const opened: FileStore[] = [];
after(() => {
  for (const store of opened) store.close();
  rmSync(folder, { recursive: true });
});

function fileStore({ now, limit }: StoreTerms): FileStore {
  const store = new FileStore(join(folder, `${opened.length}`), limit, now);
  opened.push(store);
  return store;
}

storeConformance("a store in a file", fileStore);

describe("a store in a file", () => {
  it("is after a restart what it was, whatever the crash left of the last line", async () => {
    const { appendFileSync } = await import("node:fs");
    for (const rest of ["", '{"at":5,"question":{"type":"rel']) {
      const path = join(folder, `restart ${rest.length}`);
      const first = new FileStore(path, 2 ** 20, () => 5);
      const session = "1".repeat(32);
      const taken = { session, owner: "a".repeat(32), generation: 1, keep: 1_000 };
      await first.create({ type: "create", ...taken, version: 1, secret: "5".repeat(64), epoch: 7 });
      const marks = { processed: 4, confirmed: 0, asked: 0, heard: 0, owed: [] };
      const chunks = [Uint8Array.of(1, 255, 10), Uint8Array.of(2)];
      const fence = { session, generation: 1, serial: 1, keep: 1_000 };
      await first.append({ type: "append", ...fence, position: 0, chunks, marks });
      first.close();
      appendFileSync(path, rest);
      const second = new FileStore(path, 2 ** 20, () => 6);
      const claimed = await second.claim({ type: "claim", ...taken, generation: 2 });
      assert(claimed.type === "claimed");
      assertEquals([claimed.record.marks, claimed.record.end], [marks, 2]);
      assertEquals(await second.replay({ type: "replay", session, generation: 2, from: 0 }), {
        type: "chunks",
        chunks,
      });
      second.close();
    }
  });
});

/** A store that answers one kind of question wrongly; `right` asks the one below. */
type Wrong = (
  question: StoreQuestion,
  right: (question: StoreQuestion) => PromiseLike<StoreAnswer>,
) => PromiseLike<StoreAnswer> | StoreAnswer;

function wrong(how: Wrong): MakeStore {
  return ({ now, limit }) => {
    const below = new MemoryStore({ now, limit });
    const right = (question: StoreQuestion): PromiseLike<StoreAnswer> =>
      Reflect.apply(Reflect.get(below, question.type), below, [question]);
    return new Proxy({} as SessionStore, {
      get: (_, name) => name === "then" ? undefined : (question: StoreQuestion) => how(question, right),
    });
  };
}

/** The same for one kind. */
function at<T extends StoreQuestion["type"]>(
  type: T,
  how: (
    question: StoreQuestion & { type: T },
    right: (question: StoreQuestion) => PromiseLike<StoreAnswer>,
  ) => PromiseLike<StoreAnswer> | StoreAnswer,
): MakeStore {
  return wrong((question, right) =>
    question.type === type ? how(question as StoreQuestion & { type: T }, right) : right(question)
  );
}

/** Claims are not atomic: what they found is answered later. */
function torn(): MakeStore {
  return wrong(async (question, right) => {
    if (question.type !== "claim") return right(question);
    const read = await right({ type: "read", session: question.session });
    if (read.type !== "found" || read.generation >= question.generation) return right(question);
    await Promise.resolve();
    let answer = await right(question);
    for (let more = 1; answer.type === "stale" && more < 100; more++) {
      answer = await right({ ...question, generation: question.generation + more });
    }
    return answer;
  });
}

/** Says that a write is done before it is. */
function hasty(): MakeStore {
  return at("append", (question: AppendQuestion, right) => {
    if (question.position === 0) return right(question);
    setTimeout(() => void right(question), 0);
    return { type: "ok" };
  });
}

/** For each rule, a store that breaks it. */
const BREAKS: Readonly<Record<string, MakeStore>> = {
  "what nobody created is unknown to every question": at("acknowledge", () => ({ type: "ok" })),
  "a session is read and claimed as it was created": at(
    "create",
    (question: CreateQuestion, right) => right({ ...question, epoch: question.epoch | 0 }),
  ),
  "to create again changes nothing, for the same owner and generation it succeeds": at(
    "create",
    async (question: CreateQuestion, right) => {
      await right({ type: "release", session: question.session, generation: question.generation });
      return right(question);
    },
  ),
  "chunks come back in order, byte for byte, from any position": at(
    "replay",
    async (question: ReplayQuestion, right) => {
      const answer = await right(question);
      if (answer.type !== "chunks" || answer.chunks.length < 3) return answer;
      return { type: "chunks", chunks: answer.chunks.toReversed() };
    },
  ),
  "all values of a byte come back, in a chunk of the greatest size": at(
    "append",
    (question: AppendQuestion, right) =>
      right({
        ...question,
        chunks: question.chunks.map((chunk) => new TextEncoder().encode(new TextDecoder().decode(chunk)) // as text
        ),
      }),
  ),
  "chunks in the place of others replace all behind them": at(
    "append",
    async (question: AppendQuestion, right) => {
      const stored = await right({ ...question, type: "replay", from: 0 } as ReplayQuestion);
      const end = stored.type === "chunks" ? stored.chunks.length : 0;
      const { position } = question;
      return right({
        ...question,
        chunks: question.chunks.slice(Math.max(0, end - position)),
        position: end,
      });
    },
  ),
  "a write that is tried again counts once, and one that comes late not at all": wrong((question, right) => {
    if (question.type !== "append" && question.type !== "acknowledge") return right(question);
    return right({ ...question, serial: ++serials });
  }),
  "serials begin anew with each claim": wrong((question, right) => {
    if (question.type !== "append") return right(question);
    return question.generation === 2 ? { type: "ok" } : right(question);
  }),
  "the marks are what was written last": at("acknowledge", (question, right) =>
    right({
      ...question,
      marks: { ...question.marks, owed: question.marks.owed.slice(0, 1) },
    })),
  "what is confirmed is let go of, and the rest stays": at("acknowledge", (question, right) =>
    right({
      ...question,
      marks: { ...question.marks, confirmed: 0 },
    })),
  "a claim is taken by a greater generation only, from whomever": at(
    "claim",
    async (question: ClaimQuestion, right) => {
      const read = await right({ type: "read", session: question.session });
      const own = read.type === "found" && read.owner === question.owner;
      return right(own ? { ...question, generation: question.generation + 1 } : question);
    },
  ),
  "of any number of claims at once exactly one of each generation succeeds": torn(),
  "whoever was fenced changes nothing any more": wrong(async (question, right) => {
    if (question.type !== "append") return right(question);
    const read = await right({ type: "read", session: question.session });
    return read.type === "found" ? right({ ...question, generation: read.generation }) : right(question);
  }),
  "a claim keeps all that was written before it was answered, and a write at the same time is in it or fenced":
    hasty(),
  "what is released is forgotten, and may be released again": at("release", (question, right) => {
    void right({ ...question, generation: -1 });
    return { type: "ok" };
  }),
  "what nobody touches is forgotten, neither before its time nor much later": at(
    "append",
    (question: AppendQuestion, right) => right({ ...question, keep: Infinity }),
  ),
  "what is fenced is no touch": wrong(async (question, right) => {
    const answer = await right(question);
    if (answer.type === "fenced" && question.type === "append") {
      const read = await right({ type: "read", session: question.session });
      const generation = read.type === "found" ? read.generation : 0;
      await right({ ...question, type: "acknowledge", generation, serial: 1 } as StoreQuestion);
    }
    return answer;
  }),
  "full is said in time, changes nothing, and is over when there is room": (terms) =>
    new MemoryStore({ now: terms.now, limit: Infinity }),
  // The last to come is taken for the newest, and they come in any order.
  "writes that are asked for at once are each taken whole": at(
    "append",
    async (question: AppendQuestion, right) => {
      for (let turns = 6 - question.serial; turns > 0; turns--) await Promise.resolve();
      return right({ ...question, serial: ++serials });
    },
  ),
};

let serials = 0;

describe("a store that is wrong is found out:", () => {
  for (const rule of Object.keys(RULES)) {
    it(rule, async () => {
      const make = BREAKS[rule];
      assert(make !== undefined, "no store breaks this rule");
      const error = await runRule(rule, make).then(() => null, (error) => error);
      assert(error !== null, "a store that breaks the rule passes it");
    });
  }
});

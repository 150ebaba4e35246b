/**
 * Where a server's sessions are kept beyond its own memory: what a store has to do, and one that is a table in memory.
 *
 * `core/store/questions.ts` says what each question means and which answers it may get; `tests/store/conformance.ts` holds a store against it.
 *
 * Rules: whatever a store does, the server gets one answer to each question, in time: what it throws, what it forgets and what makes no sense
 * is `failed`.
 *
 * @module
 */

import type {
  AcknowledgeQuestion,
  AppendQuestion,
  Chunks,
  Claimed,
  ClaimQuestion,
  CreateQuestion,
  Done,
  Fenced,
  Full,
  ReadQuestion,
  ReleaseQuestion,
  ReplayQuestion,
  SessionFound,
  Stale,
  StoreAnswer,
  StoreQuestion,
  Unknown,
} from "../core/mod.ts";
import { optionError } from "../core/errors.ts";
import { SessionTable } from "../core/store/table.ts";

/**
 * Keeps sessions, so that another server, or this one after a restart, goes on with them. Each method gets a question and resolves with its
 * answer once what it changed lasts. What it throws ends the session's connection, not the session.
 */
export interface SessionStore {
  /** Whether there is such a session, and whose it is. */
  read(question: ReadQuestion): PromiseLike<SessionFound | Unknown>;
  /** A session begins. */
  create(question: CreateQuestion): PromiseLike<Done | Fenced | Full>;
  /** A server goes on with a session, and nobody else from now on. */
  claim(question: ClaimQuestion): PromiseLike<Claimed | Stale | Unknown>;
  /** Chunks come behind those before `position`, with the marks. */
  append(question: AppendQuestion): PromiseLike<Done | Fenced | Full | Unknown>;
  /** The marks alone. */
  acknowledge(question: AcknowledgeQuestion): PromiseLike<Done | Fenced | Unknown>;
  /** The chunks from a position on. */
  replay(question: ReplayQuestion): PromiseLike<Chunks | Fenced | Unknown>;
  /** A session is over. */
  release(question: ReleaseQuestion): PromiseLike<Done | Fenced | Unknown>;
}

const METHODS = ["read", "create", "claim", "append", "acknowledge", "replay", "release"] as const;

/** Checks that something is a store. */
export function checkStore(store: unknown): void {
  const found = store as Partial<Record<string, unknown>> | null;
  const lacks = METHODS.find((name) => typeof found?.[name] !== "function");
  if (lacks !== undefined) throw optionError("store", `an object with a method ${lacks}`, store);
}

/** Options of a {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /** What it may hold, overhead included, bytes; default 256 MiB. Then sessions wait with what they send, and new ones are not taken. */
  readonly limit?: number;
  /** The time in ms, of any clock that does not run back. Default: the runtime's. */
  readonly now?: () => number;
}

/**
 * A store in the memory of this process, for several servers in it: a client moves between them, and one of them may be replaced. It does not
 * outlive the process.
 */
export class MemoryStore implements SessionStore {
  readonly #table: SessionTable;
  readonly #now: () => number;

  /** An empty store. */
  constructor({ limit = 256 * 2 ** 20, now = () => performance.now() }: MemoryStoreOptions = {}) {
    if (typeof limit !== "number" || !(limit >= 0)) throw optionError("limit", "a number of bytes", limit);
    this.#table = new SessionTable(limit);
    this.#now = now;
  }

  /** How many sessions it holds. */
  get size(): number {
    return this.#table.size;
  }

  /** Bytes that it holds, overhead included. */
  get bytes(): number {
    return this.#table.bytes;
  }

  #answer<T extends StoreAnswer>(question: StoreQuestion): Promise<T> {
    return new Promise((resolve) => {
      const answer = this.#table.answer(question, this.#now());
      if (answer.type === "failed") throw new Error(answer.text);
      resolve(answer as T);
    });
  }

  /** {@inheritDoc SessionStore.read} */
  read(question: ReadQuestion): Promise<SessionFound | Unknown> {
    return this.#answer(question);
  }

  /** {@inheritDoc SessionStore.create} */
  create(question: CreateQuestion): Promise<Done | Fenced | Full> {
    return this.#answer(question);
  }

  /** {@inheritDoc SessionStore.claim} */
  claim(question: ClaimQuestion): Promise<Claimed | Stale | Unknown> {
    return this.#answer(question);
  }

  /** {@inheritDoc SessionStore.append} */
  append(question: AppendQuestion): Promise<Done | Fenced | Full | Unknown> {
    return this.#answer(question);
  }

  /** {@inheritDoc SessionStore.acknowledge} */
  acknowledge(question: AcknowledgeQuestion): Promise<Done | Fenced | Unknown> {
    return this.#answer(question);
  }

  /** {@inheritDoc SessionStore.replay} */
  replay(question: ReplayQuestion): Promise<Chunks | Fenced | Unknown> {
    return this.#answer(question);
  }

  /** {@inheritDoc SessionStore.release} */
  release(question: ReleaseQuestion): Promise<Done | Fenced | Unknown> {
    return this.#answer(question);
  }
}

/** The answers that make sense. */
const ALLOWED: Readonly<Record<StoreQuestion["type"], readonly string[]>> = {
  read: ["found", "unknown"],
  create: ["ok", "fenced", "full"],
  claim: ["claimed", "stale", "unknown"],
  append: ["ok", "fenced", "full", "unknown"],
  acknowledge: ["ok", "fenced", "unknown"],
  replay: ["chunks", "fenced", "unknown"],
  release: ["ok", "fenced", "unknown"],
};

/** Asks a store. Never rejects. */
export async function askStore(store: SessionStore, question: StoreQuestion): Promise<StoreAnswer> {
  try {
    const answer = await (store[question.type] as (question: StoreQuestion) => PromiseLike<StoreAnswer>)
      .call(store, question);
    if (ALLOWED[question.type].includes(answer?.type)) return answer;
    return { type: "failed", text: `${question.type} was answered ${JSON.stringify(answer)?.slice(0, 80)}` };
  } catch (error) {
    return { type: "failed", text: error instanceof Error ? error.message : String(error) };
  }
}

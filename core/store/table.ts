/**
 * A store of sessions as a plain table: the rules of questions.ts, and nothing else. What keeps it in memory, on a disk or in a test is around it.
 *
 * Rules: no I/O and no clock; the time comes with each question. Chunks are held as they came, for nobody changes them. What is held is bounded in
 * bytes, overhead included; who finds no room is told so, and nobody else's session goes for it.
 *
 * @module
 */

import { Deadlines, type Deadlines as Heap, type Timed } from "../deadlines.ts";
import {
  type AcknowledgeQuestion,
  type AppendQuestion,
  type ClaimQuestion,
  type CreateQuestion,
  FIRST_MARKS,
  type Marks,
  type ReplayQuestion,
  type SessionFound,
  type SessionRecord,
  type StoreAnswer,
  type StoreQuestion,
} from "./questions.ts";

/** What a session costs beside its chunks, and a chunk beside its bytes, about. */
const SESSION_COST = 512;
const CHUNK_COST = 64;

/** A replay gives so many bytes at a time, and one chunk more. */
const REPLAY = 65_536;

interface Row extends Timed {
  readonly session: string;
  readonly version: number;
  readonly secret: string;
  readonly epoch: number;
  owner: string;
  generation: number;
  since: number;
  serial: number;
  marks: Marks;
  /** The first has the position `marks.confirmed`. */
  chunks: Uint8Array[];
  bytes: number;
  until: number;
}

function costOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length + CHUNK_COST, 0);
}

/** The sessions of any number of servers. */
export class SessionTable {
  #rows: Map<string, Row> = new Map();
  #expiry: Heap<Row> = new Deadlines();
  #limit: number;
  #bytes = 0;

  /** At most so many bytes in all. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many sessions there are. */
  get size(): number {
    return this.#rows.size;
  }

  /** Bytes held, overhead included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Answers a question. `now` in ms of any clock that does not run back. */
  answer(question: StoreQuestion, now: number): StoreAnswer {
    this.#forget(now);
    const row = this.#rows.get(question.session);
    if (question.type === "create") return this.#create(question, row, now);
    if (row === undefined) return { type: "unknown" };
    switch (question.type) {
      case "read":
        return found(row);
      case "claim":
        return this.#claim(question, row, now);
      case "append":
      case "acknowledge":
        return this.#write(question, row, now);
      case "replay":
        return row.generation === question.generation ? replay(question, row) : { type: "fenced" };
      case "release":
        if (row.generation !== question.generation) return { type: "fenced" };
        this.#remove(row);
        return { type: "ok" };
    }
  }

  #create(question: CreateQuestion, row: Row | undefined, now: number): StoreAnswer {
    const { session, owner, generation, keep, version, secret, epoch } = question;
    if (row !== undefined) {
      const same = row.owner === owner && row.generation === generation;
      return { type: same ? "ok" : "fenced" };
    }
    if (this.#bytes + SESSION_COST > this.#limit) return { type: "full" };
    const created: Row = {
      session,
      version,
      secret,
      epoch,
      owner,
      generation,
      since: generation,
      serial: 0,
      marks: FIRST_MARKS,
      chunks: [],
      bytes: SESSION_COST,
      until: Infinity,
      index: -1,
    };
    this.#rows.set(session, created);
    this.#bytes += SESSION_COST;
    this.#touch(created, now + keep);
    return { type: "ok" };
  }

  #claim({ owner, generation, keep }: ClaimQuestion, row: Row, now: number): StoreAnswer {
    if (generation <= row.generation) return { type: "stale" };
    const { version, secret, epoch, marks } = row;
    const end = marks.confirmed + row.chunks.length;
    const record: SessionRecord = {
      version,
      secret,
      epoch,
      owner: row.owner,
      generation: row.generation,
      since: row.since,
      marks,
      end,
    };
    if (owner !== row.owner) row.since = generation;
    row.owner = owner;
    row.generation = generation;
    row.serial = 0;
    this.#touch(row, now + keep);
    return { type: "claimed", record };
  }

  #write(question: AppendQuestion | AcknowledgeQuestion, row: Row, now: number): StoreAnswer {
    const { generation, serial, keep, marks } = question;
    if (row.generation !== generation) return { type: "fenced" };
    if (serial <= row.serial) return { type: "ok" };
    const { confirmed } = row.marks;
    let { chunks } = row;
    if (question.type === "append") {
      const { position } = question;
      const end = confirmed + chunks.length;
      if (position < confirmed || position > end) {
        return { type: "failed", text: `chunks at ${position}, stored are ${confirmed} to ${end}` };
      }
      chunks = [...chunks.slice(0, position - confirmed), ...question.chunks];
    }
    if (marks.confirmed < confirmed || marks.confirmed > confirmed + chunks.length) {
      return { type: "failed", text: `confirmed ${marks.confirmed} after ${confirmed}` };
    }
    chunks = chunks.slice(marks.confirmed - confirmed);
    const bytes = SESSION_COST + costOf(chunks);
    const grown = this.#bytes + bytes - row.bytes;
    if (bytes > row.bytes && grown > this.#limit) return { type: "full" };
    this.#bytes = grown;
    row.bytes = bytes;
    row.chunks = chunks;
    row.marks = marks;
    row.serial = serial;
    this.#touch(row, now + keep);
    return { type: "ok" };
  }

  #touch(row: Row, until: number): void {
    row.until = until;
    this.#expiry.update(row, until);
  }

  #forget(now: number): void {
    for (let row = this.#expiry.take(now); row !== null; row = this.#expiry.take(now)) {
      if (row.until <= now) this.#remove(row);
      else this.#expiry.update(row, row.until);
    }
  }

  #remove(row: Row): void {
    this.#expiry.remove(row);
    this.#rows.delete(row.session);
    this.#bytes -= row.bytes;
  }
}

function found({ secret, owner, generation, since }: Row): SessionFound {
  return { type: "found", secret, owner, generation, since };
}

function replay({ from }: ReplayQuestion, row: Row): StoreAnswer {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (let at = Math.max(0, from - row.marks.confirmed); at < row.chunks.length && bytes < REPLAY; at++) {
    const chunk = row.chunks[at]!;
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return { type: "chunks", chunks };
}

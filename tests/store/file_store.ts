/**
 * A store of sessions in one file: every question that changed something is appended to it and synced before it is answered, and a table is made
 * from it again when it is opened. It is small, not fast: it shows what lasts, and never shortens its file.
 *
 * Rules: a line that was cut by a crash was not answered, and is dropped.
 *
 * @module
 */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import type { SessionStore } from "../../adapters/store.ts";
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
} from "../../core/mod.ts";
import { SessionTable } from "../../core/store/table.ts";

interface Line {
  readonly at: number;
  readonly question: StoreQuestion;
  readonly chunks?: readonly string[];
}

/** The store in one file. */
export class FileStore implements SessionStore {
  readonly #file: number;
  readonly #table: SessionTable;
  readonly #now: () => number;

  constructor(path: string, limit: number = 256 * 2 ** 20, now: () => number = () => Date.now()) {
    this.#table = new SessionTable(limit);
    this.#now = now;
    if (existsSync(path)) this.#recover(path);
    this.#file = openSync(path, "a");
  }

  #recover(path: string): void {
    const text = readFileSync(path, "utf8");
    const whole = text.lastIndexOf("\n") + 1;
    if (whole < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, whole)));
    for (const line of text.slice(0, whole).split("\n").filter((line) => line !== "")) {
      const { at, question, chunks } = JSON.parse(line) as Line;
      const decoded = chunks?.map((chunk) => new Uint8Array(Buffer.from(chunk, "base64")));
      this.#table.answer(
        decoded === undefined ? question : { ...question, chunks: decoded } as AppendQuestion,
        at,
      );
    }
  }

  #answer<T extends StoreAnswer>(question: StoreQuestion): Promise<T> {
    return new Promise((resolve) => {
      const at = this.#now();
      const answer = this.#table.answer(question, at);
      if (answer.type === "failed") throw new Error(answer.text);
      if (question.type !== "read" && question.type !== "replay") this.#log({ at, question });
      resolve(answer as T);
    });
  }

  #log({ at, question }: Line): void {
    const line: Line = question.type === "append"
      ? {
        at,
        question: { ...question, chunks: [] },
        chunks: question.chunks.map((chunk) => Buffer.from(chunk).toString("base64")),
      }
      : { at, question };
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }

  read(question: ReadQuestion): Promise<SessionFound | Unknown> {
    return this.#answer(question);
  }

  create(question: CreateQuestion): Promise<Done | Fenced | Full> {
    return this.#answer(question);
  }

  claim(question: ClaimQuestion): Promise<Claimed | Stale | Unknown> {
    return this.#answer(question);
  }

  append(question: AppendQuestion): Promise<Done | Fenced | Full | Unknown> {
    return this.#answer(question);
  }

  acknowledge(question: AcknowledgeQuestion): Promise<Done | Fenced | Unknown> {
    return this.#answer(question);
  }

  replay(question: ReplayQuestion): Promise<Chunks | Fenced | Unknown> {
    return this.#answer(question);
  }

  release(question: ReleaseQuestion): Promise<Done | Fenced | Unknown> {
    return this.#answer(question);
  }
}

/**
 * A {@link Pair} whose sides ask and answer: what each was asked, what it was answered, and how it goes about both.
 *
 * Rules: it decides nothing that it was not told; payloads are texts, so that what went wrong can be read.
 *
 * @module
 */

import { HeartwireError } from "../../core/errors.ts";
import type { ConnectionEvent } from "../../core/events.ts";
import { Pair, type PairOptions, type Side } from "./pair.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A name, filled up or cut to so many bytes. */
export function text(name: string, size: number): string {
  return name.padEnd(size, ".").slice(0, size);
}

const LINE = Array.from(
  { length: 630 },
  (_, i) => String.fromCharCode(32 + (i * 7 + Math.floor(i / 90)) % 90),
).join("");

/** Text of so many bytes that shows a byte at a wrong place. */
export function pattern(size: number): string {
  return LINE.repeat(Math.ceil(size / LINE.length)).slice(0, size);
}

/** The code of what this throws, without its beginning, or "none". */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HeartwireError) return error.code.replace("ERR_HEARTWIRE_", "");
    throw error;
  }
  return "none";
}

/** An answer that came. */
export interface Got {
  readonly id: number;
  readonly status: number;
  readonly text: string;
}

/** One side's requests, its own and the peer's. */
export class Talker {
  readonly side: Side;
  readonly pair: Pair;
  /** Messages and requests in the order in which they came, e.g. `m hello`, `q1 hello`, `c1` for one that was taken back. */
  readonly heard: string[] = [];
  readonly got: Got[] = [];
  /** Of the peer's, those that are not answered. */
  readonly owed: Map<number, string> = new Map();
  /** What to answer at once, or null: nothing yet. */
  answers: ((text: string, id: number) => string | null) | null = (text) => `re ${text}`;
  /** Told of each answer. */
  onReply: ((got: Got) => void) | null = null;
  /** What `reply` said to each answer, other than "accepted". */
  readonly refused: string[] = [];

  constructor(pair: Pair, side: Side) {
    this.pair = pair;
    this.side = side;
    side.onEvent = (event) => this.#event(event);
  }

  /** Asks. Returns the id, or 0. */
  ask(text: string, timeout = Infinity): number {
    return this.pair.act(
      this.side,
      (connection, now) => connection.request(encoder.encode(text), timeout, now),
    );
  }

  send(text: string): string {
    return this.pair.send(this.side, text);
  }

  reply(id: number, text: string, status = 0): string {
    const said = this.pair.act(
      this.side,
      (connection, now) => connection.reply(id, status, encoder.encode(text), now),
    );
    if (said === "accepted") this.owed.delete(id);
    else this.refused.push(`${id} ${said}`);
    return said;
  }

  cancel(id: number): void {
    this.pair.act(this.side, (connection, now) => connection.cancel(id, now));
  }

  /** Answers all that is open, as it is told. */
  answerAll(text: (asked: string, id: number) => string = (asked) => `re ${asked}`): void {
    for (const [id, asked] of [...this.owed]) this.reply(id, text(asked, id));
  }

  #event(event: ConnectionEvent): void {
    switch (event.type) {
      case "message":
        return void this.heard.push(`m ${decoder.decode(event.bytes)}`);
      case "request": {
        const text = decoder.decode(event.bytes);
        this.heard.push(`q${event.id} ${text}`);
        this.owed.set(event.id, text);
        const answer = this.answers?.(text, event.id) ?? null;
        // Within the driver's turn: what it accepts leaves with it.
        if (answer === null) return;
        const { connection } = this.side;
        const said = connection.reply(event.id, 0, encoder.encode(answer), this.side.clock(this.pair.now));
        if (said === "accepted") this.owed.delete(event.id);
        else this.refused.push(`${event.id} ${said}`);
        return;
      }
      case "cancelled":
        return void this.heard.push(`c${event.id}`);
      case "reply": {
        const got = { id: event.id, status: event.status, text: decoder.decode(event.bytes) };
        this.got.push(got);
        this.onReply?.(got);
      }
    }
  }
}

/** Two sides that talk, connected. */
export function talk(options: PairOptions = {}): { pair: Pair; client: Talker; server: Talker } {
  const pair = Pair.open(options);
  return { pair, client: new Talker(pair, pair.client), server: new Talker(pair, pair.server) };
}

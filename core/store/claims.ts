/**
 * How a client's HELLO that names a session is answered when sessions are in a store: read, prove, claim, replay.
 *
 * The store is read before it is told anything: the secret proves the client, and only a client that was proven takes the session from whoever has
 * it. What this server still holds of a session that it claimed from itself is newer than the store, and goes on; else the chunks are fetched.
 *
 * Rules: unknown, expired and wrongly proven sessions take the same questions and get the same bytes. Of several dials of one session that wait here, the
 * one with the greatest generation goes on, and the others are stale. Who is gone meanwhile is forgotten: a claim that came through for nobody only
 * leaves the session to the next.
 *
 * @module
 */

import type { Connection } from "../connection.ts";
import type { Claim, Held } from "../session_types.ts";
import type { Sessions } from "../sessions.ts";
import type { HelloFrame } from "../wire/frames.ts";
import type { Pumps } from "./pump.ts";
import { Grant, ID_BYTES, SECRET_BYTES } from "../flow/grant.ts";
import { fromHex, toHex } from "../wire/hex.ts";
import {
  type SessionFound,
  type SessionRecord,
  STORE_VERSION,
  type StoreAnswer,
  type StoreQuestion,
} from "./questions.ts";
import { restored } from "./restore.ts";

/** What became of a HELLO: as without a store, or the store failed. */
export type Verdict = Claim | { readonly type: "failed"; readonly text: string };

/** A HELLO that waits for the store. */
export interface Pending {
  readonly connection: Connection;
  readonly hello: HelloFrame;
  readonly session: string;
  readonly generation: number;
  /** At which the client may beat, as the server will tell it, ms. */
  readonly interval: number | undefined;
  record: SessionRecord | null;
  readonly chunks: Uint8Array[];
  /** What became of it. */
  verdict: Verdict | null;
}

/** A newer dial has the session; the store does not say whose. */
const STALE: Verdict = { type: "stale", winner: null };

/** The HELLOs of one server that wait. */
export class Claims {
  #sessions: Sessions;
  #pumps: Pumps;
  /** By session, those that are proven. */
  #proven: Map<string, Pending> = new Map();
  #decided: Pending[] = [];

  constructor(sessions: Sessions, pumps: Pumps) {
    this.#sessions = sessions;
    this.#pumps = pumps;
  }

  /** A HELLO names a session. Returns what to ask first. */
  begin(
    connection: Connection,
    hello: HelloFrame,
    interval: number | undefined,
  ): { readonly pending: Pending; readonly question: StoreQuestion } {
    const { session: id, generation = 0 } = hello.parameters;
    const session = toHex(id!);
    const pending: Pending = {
      connection,
      hello,
      session,
      generation,
      interval,
      record: null,
      chunks: [],
      verdict: null,
    };
    return { pending, question: { type: "read", session } };
  }

  /** The answer to what it asked last. Returns what to ask next, or null: it is decided. */
  answered(pending: Pending, answer: StoreAnswer, now: number): StoreQuestion | null {
    if (pending.verdict !== null) return null;
    if (pending.connection.reason !== null) return this.#decide(pending, STALE);
    switch (answer.type) {
      case "found":
        return this.#found(pending, answer);
      case "claimed":
        return this.#claimed(pending, answer.record, now);
      case "chunks":
        return this.#replayed(pending, answer.chunks, now);
      case "unknown":
        return this.#unknown(pending, now);
      case "stale":
      case "fenced":
        return this.#decide(pending, STALE);
      case "failed":
        return this.#decide(pending, answer);
      default:
        return this.#decide(pending, { type: "failed", text: `a claim was answered ${answer.type}` });
    }
  }

  #decide(pending: Pending, verdict: Verdict): null {
    pending.verdict = verdict;
    if (this.#proven.get(pending.session) === pending) this.#proven.delete(pending.session);
    this.#decided.push(pending);
    return null;
  }

  #found(pending: Pending, { secret, generation }: SessionFound): StoreQuestion | null {
    const { session, hello } = pending;
    const known = fromHex(secret, SECRET_BYTES);
    if (known === null) {
      return this.#decide(pending, { type: "failed", text: "the store has no secret of the session" });
    }
    if (!this.#sessions.proves(hello, known)) return this.#decide(pending, this.#sessions.unknown(hello));
    const other = this.#proven.get(session);
    const least = Math.max(generation, other?.generation ?? 0);
    if (pending.generation <= least) return this.#decide(pending, STALE);
    if (other !== undefined) this.#decide(other, STALE);
    this.#proven.set(session, pending);
    const { owner, keep } = this.#pumps;
    return { type: "claim", session, owner, generation: pending.generation, keep };
  }

  #unknown(pending: Pending, now: number): null {
    const { session, hello } = pending;
    const held = this.#sessions.get(session);
    const proven = this.#sessions.proves(hello, held?.session.state.grant?.secret ?? null);
    if (held === undefined || !proven) return this.#decide(pending, this.#sessions.unknown(hello));
    if (!held.pump!.created) {
      // It has not reached the store yet: nobody else knows of it.
      if (pending.generation <= held.generation) {
        return this.#decide(pending, this.#sessions.stale(held, hello));
      }
      held.pump!.generation = pending.generation;
      return this.#decide(pending, this.#sessions.goOn(held, hello, now));
    }
    this.#sessions.gone(held, now);
    return this.#decide(pending, this.#sessions.unknown(hello));
  }

  #claimed(pending: Pending, record: SessionRecord, now: number): StoreQuestion | null {
    const { session, hello, generation } = pending;
    const held = this.#sessions.get(session);
    if (held !== undefined && record.owner === this.#pumps.owner && record.since === held.pump!.since) {
      held.pump!.claimed(generation);
      return this.#decide(pending, this.#sessions.goOn(held, hello, now));
    }
    if (held !== undefined) this.#sessions.moved(held, now);
    if (record.version !== STORE_VERSION) {
      const text = `the session is of version ${record.version}, known is ${STORE_VERSION}`;
      return this.#decide(pending, { type: "failed", text });
    }
    pending.record = record;
    return this.#fetch(pending, now);
  }

  /** From where on chunks are needed: what the client has finished it will not ask for. */
  #from({ hello }: Pending, { marks, end }: SessionRecord): number {
    return Math.min(Math.max(hello.parameters.processed ?? 0, marks.confirmed), end);
  }

  #fetch(pending: Pending, now: number): StoreQuestion | null {
    const { session, generation, chunks, hello } = pending;
    const record = pending.record!;
    const first = this.#from(pending, record);
    const from = first + chunks.length;
    if (from < record.end) return { type: "replay", session, generation, from };
    const held = this.#restore(pending, record, first);
    if (held === null) {
      return this.#decide(pending, {
        type: "failed",
        text: "what the store has of the session makes no sense",
      });
    }
    return this.#decide(pending, this.#sessions.goOn(held, hello, now));
  }

  #replayed(pending: Pending, chunks: readonly Uint8Array[], now: number): StoreQuestion | null {
    const record = pending.record!;
    const left = record.end - this.#from(pending, record) - pending.chunks.length;
    if (chunks.length === 0) {
      return this.#decide(pending, { type: "failed", text: `${left} chunks of the session are gone` });
    }
    pending.chunks.push(...chunks.slice(0, left));
    return this.#fetch(pending, now);
  }

  #restore({ session, generation, chunks }: Pending, record: SessionRecord, first: number): Held | null {
    const id = fromHex(session, ID_BYTES)!;
    const secret = fromHex(record.secret, SECRET_BYTES);
    if (secret === null) return null;
    const begun = this.#sessions.begun(new Grant(id, secret, record.epoch));
    const state = restored(begun, record.marks, first, chunks);
    return state === null ? null : this.#sessions.restore(state, generation, record);
  }

  /** The next HELLO that is decided, or null. */
  nextDecided(): Pending | null {
    return this.#decided.shift() ?? null;
  }
}

/**
 * What of one session is to be written to the store: what it has of it, what it is being asked, and what comes next.
 *
 * What was accepted for sending and what the application finished before the same write was made go into it together, whole or not at all. So a process
 * that dies between the two has done neither, as far as the client will ever see: nothing leaves before it is stored, and nothing is told as finished.
 *
 * Rules: one question at a time; what happens meanwhile is in the next. A write whose outcome is not known is made again, with another serial. Nothing
 * here knows a clock or a connection.
 *
 * @module
 */

import type { Deadlines, Timed } from "../deadlines.ts";
import type { SessionState } from "../flow/session_state.ts";
import type { Held } from "../session_types.ts";
import { type Micros, NEVER } from "../time.ts";
import {
  FIRST_MARKS,
  type Marks,
  type SessionFound,
  type SessionRecord,
  STORE_VERSION,
  type StoreAnswer,
  type StoreQuestion,
} from "./questions.ts";
import { toHex } from "../wire/hex.ts";

/** A write carries chunks of about so many bytes at most. */
const MOST = 262_144;

/** What the client confirmed frees room in the store; so many chunks are worth a write of their own, fewer go with the next. */
const LAZY = 32;

/** What an answer means to its session. */
export type Outcome =
  /** Go on. */
  | "ok"
  /** More of it is stored now. */
  | "stored"
  /** There is no room, or no answer: later again. */
  | "later"
  | "failed"
  /** Another server has it; or it is not there any more. */
  | "moved"
  | "gone"
  /** It was released. */
  | "released";

/** What the pumps of one server have in common. */
export interface Pumps {
  /** The server. */
  readonly owner: string;
  /** How long a session is kept untouched, ms. */
  readonly keep: number;
  /** Those that may have something to write. */
  readonly stirred: Pump[];
  /** When one rested for long enough, or is to be touched. */
  readonly alarms: Deadlines<Pump>;
}

/** The writes of one session. */
export class Pump implements Timed {
  index: number = -1;
  readonly session: string;
  readonly state: SessionState;
  /** What the server holds of it. */
  held!: Held;
  /** By which it is ours. */
  generation: number;
  /** Since that dial nobody else had it. */
  readonly since: number;
  /** The store has it, or had. */
  created: boolean;
  /** Its client used it: from then on it is written. */
  begun: boolean = false;
  /** This server goes on with it no more; what was accepted is still written. */
  over = false;
  /** It is over for all, and to be released. */
  ending = false;
  /** Nothing is asked before this, us; 0: it may be. */
  rest: Micros = 0;
  /** When it is to be touched, us. */
  touchAt: Micros = NEVER;
  /** There was no room when the client had confirmed so much; -1: there was. */
  fullAt = -1;
  /** It is to be said that it is in use, whatever else there is. */
  touch = false;
  /** How long was rested last; 0 after a success, us. */
  pause: Micros = 0;
  #pumps: Pumps;
  #stirred = false;
  #marks: Marks;
  /** Chunks before this position are stored as they stand in the order of leaving. */
  #end: number;
  #serial = 0;
  /** Chunks for so many bytes are written at once: less while the store is full. */
  #most = MOST;
  #asked: StoreQuestion | null = null;
  /** A write was fenced: whose is it? */
  #doubts = false;

  /** @param record null: it begins */
  constructor(state: SessionState, generation: number, pumps: Pumps, record: SessionRecord | null) {
    this.session = state.grant!.key;
    this.state = state;
    this.generation = generation;
    this.created = this.begun = record !== null;
    this.since = record?.owner === pumps.owner ? record.since : generation;
    this.#pumps = pumps;
    this.#marks = record?.marks ?? FIRST_MARKS;
    this.#end = record?.end ?? 0;
    state.outbound.durable = this.#end;
    state.inbound.durable = this.#marks.processed;
  }

  /** This server goes on with it no more. */
  leave(): void {
    this.over = true;
    this.#pumps.alarms.remove(this);
  }

  /** There may be something to write: it is looked at before the next writes are made. */
  stir(): void {
    if (this.#stirred) return;
    this.#stirred = true;
    this.#pumps.stirred.push(this);
  }

  /** It is looked at. */
  settle(): void {
    this.#stirred = false;
    if (this.fullAt >= 0 && this.state.outbound.processed > this.fullAt) this.rest = 0;
  }

  /** Whether there is something to ask, and nothing is being asked. */
  get due(): boolean {
    if (this.#asked !== null || !this.begun || this.rest !== 0) return false;
    return this.ending || this.#doubts || !this.created || this.touch || this.#news;
  }

  /** Whether the store has it, or may have it soon. */
  get known(): boolean {
    return this.created || this.#asked !== null;
  }

  /** Whether something is not written yet. */
  get behind(): boolean {
    return this.begun && (this.#asked !== null || !this.created || this.#news);
  }

  get #news(): boolean {
    const { inbound, outbound, requests } = this.state;
    const { processed, confirmed, heard } = this.#marks;
    return outbound.end > Math.min(this.#end, outbound.durable) || inbound.processed !== processed ||
      requests.heard !== heard || outbound.processed - confirmed >= LAZY;
  }

  /** The next question, which is being asked from now on. */
  ask(): StoreQuestion {
    return this.#asked = this.#question();
  }

  #question(): StoreQuestion {
    const { session, generation } = this;
    if (this.ending) return { type: "release", session, generation };
    if (this.#doubts) return { type: "read", session };
    const { owner, keep } = this.#pumps;
    if (!this.created) {
      const { secret, epoch } = this.state.grant!;
      const taken = { session, owner, generation, keep };
      return { type: "create", ...taken, version: STORE_VERSION, secret: toHex(secret), epoch };
    }
    this.touch = false;
    const serial = ++this.#serial;
    const { outbound } = this.state;
    const position = Math.min(this.#end, outbound.durable);
    const marks = this.state.marks;
    const fence = { session, generation, serial, keep };
    if (outbound.end === position) return { type: "acknowledge", ...fence, marks };
    outbound.reordered = Infinity;
    const chunks = outbound.waiting(position, this.#most);
    // What was finished is stored only with all that was sent before it.
    const whole = position + chunks.length === outbound.end;
    const { confirmed, asked } = marks;
    return {
      type: "append",
      ...fence,
      position,
      chunks,
      marks: whole ? marks : { ...this.#marks, confirmed, asked },
    };
  }

  /** The answer to what is being asked. */
  answered(answer: StoreAnswer): Outcome {
    const question = this.#asked!;
    this.#asked = null;
    if (question.type === "release") {
      return answer.type === "ok" ? "released" : answer.type === "failed" ? "failed" : "moved";
    }
    switch (answer.type) {
      case "ok":
        this.pause = 0;
        this.fullAt = -1;
        return this.#done(question);
      case "found":
        return this.#found(answer);
      case "fenced":
        if (this.over) return "moved"; // it may be this very server that goes on with it
        this.#doubts = true;
        return "ok";
      case "unknown":
        return "gone";
      case "full":
        if (this.#lessens(question)) return "ok";
        this.fullAt = this.state.outbound.processed;
        return "later";
      default:
        return this.ending ? "ok" : "failed"; // it is to be released, whatever became of this
    }
  }

  /** There is no room for all of it, but there may be for less. */
  #lessens(question: StoreQuestion): boolean {
    if (question.type !== "append" || question.chunks.length === 1) return false;
    const asked = question.chunks.reduce((sum, { length }) => sum + length, 0);
    this.#most = Math.max(1, Math.min(this.#most, asked) >> 3); // at 1 it is one chunk
    return true;
  }

  #done(question: StoreQuestion): Outcome {
    this.created = true;
    if (question.type === "create") return "ok";
    if (question.type !== "append" && question.type !== "acknowledge") return "failed"; // not what was asked
    const { inbound, outbound } = this.state;
    this.#marks = question.marks;
    if (question.type === "append") {
      this.#end = Math.min(question.position + question.chunks.length, outbound.reordered);
      outbound.durable = this.#end;
      this.#most = Math.min(MOST, 2 * this.#most);
    }
    inbound.durable = this.#marks.processed;
    return "stored";
  }

  /** Fenced by a claim of our own whose answer never came, or came too late? */
  #found({ owner, generation, since }: SessionFound): Outcome {
    this.#doubts = false;
    if (owner !== this.#pumps.owner || since !== this.since) return "moved";
    if (generation === this.generation) return "failed"; // then it was not to be fenced
    this.claimed(generation);
    return "ok";
  }

  /** It is ours by another dial from now on. */
  claimed(generation: number): void {
    this.created = true;
    // It may have been found out before the claim was answered; then writes have begun.
    if (generation !== this.generation) this.#serial = 0;
    this.generation = generation;
    this.#doubts = false;
    this.pause = this.rest = 0;
    this.fullAt = -1;
  }
}

/**
 * What a server asks the store of its sessions, and what it makes of the answers.
 *
 * HELLOs that name a session wait here (claims.ts); what happens to sessions is written from here (pump.ts). The server pulls the questions, gives the
 * answers, and then drains what was decided and which connections had an input.
 *
 * Rules: without a store there is no keeper. A write is put together when it is pulled, behind all inputs of a turn, so that what they did goes into
 * one. A store that fails ends connections, so that clients try another server, and no session: what is not written yet is kept and tried again,
 * less and less often. No step looks at all sessions.
 *
 * @module
 */

import type { Connection } from "../connection.ts";
import type { Held } from "../session_types.ts";
import type { Sessions } from "../sessions.ts";
import { type Micros, toMicros } from "../time.ts";
import type { HelloFrame } from "../wire/frames.ts";
import { Claims, type Pending } from "./claims.ts";
import { type Outcome, Pump, type Pumps } from "./pump.ts";
import type { StoreAnswer, StoreQuestion } from "./questions.ts";

/** After a failure it is tried again so much later, twice that after the next, and so on up to the second. */
const RETRY: Micros = 1_000_000;
const RETRY_MOST: Micros = 30_000_000;

/** What is told to the peer when the store fails, and no more than that. */
export const STORE_FAILED = "the sessions cannot be reached";

/** A question with its number. */
export interface StoreAsk {
  readonly id: number;
  readonly question: StoreQuestion;
}

/** What a server counts of its store. */
export interface StoreCounts {
  /** Questions that wait for their answer. */
  readonly asked: number;
  /** Questions that were not answered, or not as they can be. */
  readonly failed: number;
  /** Writes for which there was no room. */
  readonly full: number;
}

/** Everything between one server and its store. */
export class Keeper {
  #sessions: Sessions;
  #claims: Claims;
  #pumps: Pumps;
  #last = 0;
  /** What is asked at once. */
  #questions: StoreAsk[] = [];
  /** By number, for whom an answer is awaited. */
  #waiting: Map<number, Pending | Pump> = new Map();
  /** Connections that had an input. */
  #touched: Connection[] = [];
  #touchEvery: Micros;
  #failed = 0;
  #full = 0;

  /** @param sessions whose pumps these are */
  constructor(sessions: Sessions, pumps: Pumps) {
    this.#sessions = sessions;
    this.#pumps = pumps;
    this.#claims = new Claims(sessions, pumps);
    this.#touchEvery = toMicros(pumps.keep / 2);
  }

  /** A HELLO names a session: {@link nextDecided} says what becomes of it. */
  claim(connection: Connection, hello: HelloFrame, interval: number | undefined): void {
    const { pending, question } = this.#claims.begin(connection, hello, interval);
    this.#ask(question, pending);
  }

  #ask(question: StoreQuestion, pending: Pending): void {
    const id = this.#number(pending);
    this.#questions.push({ id, question });
  }

  /** Negative, so that no other ask has it. */
  #number(whom: Pending | Pump): number {
    this.#waiting.set(--this.#last, whom);
    return this.#last;
  }

  /** Something happened to a session, or to its connection. */
  stir(held: Held): void {
    const pump = held.pump!;
    if (held.confirmed) pump.begun = true;
    pump.stir();
  }

  /** A question to be asked at once, or null. */
  nextQuestion(): StoreAsk | null {
    return this.#questions.shift() ?? null;
  }

  /** Whether {@link nextWrite} has to be asked. */
  get stirred(): boolean {
    return this.#pumps.stirred.length > 0;
  }

  /** The next write, or null. It has all that happened until now. */
  nextWrite(): StoreAsk | null {
    const { stirred } = this.#pumps;
    for (let pump = stirred.pop(); pump !== undefined; pump = stirred.pop()) {
      pump.settle();
      if (pump.due) return { id: this.#number(pump), question: pump.ask() };
    }
    return null;
  }

  /** The store answers. An answer that nobody waits for changes nothing. */
  answered(id: number, answer: StoreAnswer, now: number): void {
    const whom = this.#waiting.get(id);
    if (whom === undefined) return;
    this.#waiting.delete(id);
    if (answer.type === "failed") this.#failed++;
    if (answer.type === "full") this.#full++;
    if (whom instanceof Pump) return this.#wrote(whom, whom.answered(answer), now);
    const next = this.#claims.answered(whom, answer, now);
    if (next !== null) this.#ask(next, whom);
  }

  #wrote(pump: Pump, outcome: Outcome, now: number): void {
    const { held } = pump;
    const { connection } = held.session;
    if (pump.ending) {
      // What a store does not release it forgets in time.
      if (outcome === "ok" || outcome === "stored") return pump.stir();
      this.#pumps.alarms.remove(pump);
      return this.#sessions.released(held, outcome);
    }
    if (pump.over) {
      this.#pumps.alarms.remove(pump);
      if (outcome === "ok" || outcome === "stored") pump.stir();
      return;
    }
    switch (outcome) {
      case "stored":
        pump.touchAt = toMicros(now) + this.#touchEvery;
        this.#pumps.alarms.update(pump, pump.touchAt);
        if (connection === null) break;
        connection.stored(now);
        this.#touched.push(connection);
        break;
      case "later":
      case "failed":
        this.#rest(pump, toMicros(now));
        if (outcome === "later" || connection === null) break;
        connection.interrupt("BUSY", STORE_FAILED, now);
        this.#touched.push(connection);
        break;
      case "moved":
      case "gone":
        this.#pumps.alarms.remove(pump);
        if (outcome === "moved") this.#sessions.moved(held, now);
        else this.#sessions.gone(held, now);
        if (connection !== null) this.#touched.push(connection);
        return;
    }
    pump.stir();
  }

  #rest(pump: Pump, now: Micros): void {
    pump.pause = Math.min(Math.max(RETRY, 2 * pump.pause), RETRY_MOST);
    pump.rest = now + pump.pause;
    this.#pumps.alarms.update(pump, pump.rest);
  }

  /** Sessions that are over are released, if the store has them. */
  settle(): void {
    for (let held = this.#sessions.nextEnding(); held !== null; held = this.#sessions.nextEnding()) {
      const pump = held.pump!;
      if (!pump.known) {
        this.#sessions.released(held, "released");
        continue;
      }
      pump.ending = true;
      pump.rest = 0;
      pump.stir();
    }
  }

  /** The next HELLO that is decided, or null. */
  nextDecided(): Pending | null {
    return this.#claims.nextDecided();
  }

  /** The next connection that had an input, or null. */
  nextTouched(): Connection | null {
    return this.#touched.shift() ?? null;
  }

  /** When {@link handleTimeout} wants to be called. */
  deadline(): Micros {
    return this.#pumps.alarms.next();
  }

  /** The deadline may have come. */
  handleTimeout(now: Micros): void {
    for (let pump = this.#pumps.alarms.take(now); pump !== null; pump = this.#pumps.alarms.take(now)) {
      if (pump.over) continue;
      if (pump.rest !== 0 && pump.rest <= now) {
        pump.rest = 0;
        pump.stir();
      } else if (pump.rest === 0 && pump.touchAt <= now) {
        // Who has no connection is not in use, and is given up here before the store forgets it.
        pump.touch = pump.held.session.connection !== null;
        pump.touchAt = now + this.#touchEvery;
        pump.stir();
      }
      this.#pumps.alarms.update(pump, pump.rest === 0 ? pump.touchAt : pump.rest);
    }
  }

  /** Counters. */
  get counts(): StoreCounts {
    return { asked: this.#waiting.size, failed: this.#failed, full: this.#full };
  }
}

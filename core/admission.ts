/**
 * Whether a client is let in, and with which session: the application is asked, then the heartbeat budget, then the sessions, or their store.
 *
 * Rules: a connection that waits for an answer writes nothing, and its handshake's deadline goes on. An answer that comes too late changes nothing.
 * What is done to a connection is told by `nextTouched`, so that the server brings its books in line.
 *
 * @module
 */

import type { Copies } from "./canonical.ts";
import { CODES } from "./codes.ts";
import { Connection } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import type { Environment } from "./environment.ts";
import type { Budget, Decision } from "./liveness/budget.ts";
import type { ResolvedServer } from "./options.ts";
import { copyOf } from "./profile.ts";
import { slow } from "./seats.ts";
import type { Answer, Entry, ServerAction } from "./server_types.ts";
import type { Sessions } from "./sessions.ts";
import type { Verdict } from "./store/claims.ts";
import { type Keeper, STORE_FAILED } from "./store/keeper.ts";
import { toMicros } from "./time.ts";

/** What clients read for whom the heartbeat budget has no room. */
const NO_ROOM = "the server's heartbeat budget is used up";

/** In the place of an ask's number: it is the store that is asked. */
const STORE_ASKED = -1;

/** What admissions need of their server. */
export interface House {
  readonly options: ResolvedServer;
  readonly entries: ReadonlyMap<Conversation, Entry>;
  /** Null: sessions end with their connections. */
  readonly sessions: Sessions | null;
  /** Null: sessions end with the server. */
  readonly keeper: Keeper | null;
  /** Null: rates are not counted. */
  readonly budget: Budget<Entry> | null;
}

/** The clients of one server that want to come in. */
export class Admission {
  /** The last ask had this number. */
  last = 0;
  #house: House;
  #actions: ServerAction[] = [];
  #asked: Map<number, Conversation> = new Map();
  #touched: Entry[] = [];

  constructor(house: House) {
    this.#house = house;
  }

  /** Decides over a client that has said HELLO, or asks. */
  decide(entry: Entry, now: number): void {
    const { connection, key } = entry;
    if (!this.#house.options.ask) return this.#admit(entry, now);
    const id = ++this.last;
    entry.asked = id;
    this.#asked.set(id, connection);
    this.#actions.push({ type: "ask", id, question: { type: "admit", key, connection } });
  }

  /** Whether an answer with this number is awaited. */
  awaits(id: number): boolean {
    return this.#asked.has(id);
  }

  /** It is not any more. */
  forget(id: number): void {
    this.#asked.delete(id);
  }

  /** Nothing speaks against this client but, maybe, the budget. */
  #admit(entry: Entry, now: number): void {
    const { connection } = entry;
    const { budget, options } = this.#house;
    const offered = connection instanceof Connection ? connection.hello?.parameters ?? null : null;
    if (budget === null || offered === null) return this.#welcome(entry, now);
    const longest = options.heartbeat.maximumDetection / offered.multiplier!;
    entry.seat = budget.join(entry, offered.desiredTx!, longest, toMicros(now));
  }

  /** Does what the budget decided. */
  enact(draining: boolean, now: number): void {
    const { budget } = this.#house;
    if (budget === null) return;
    for (let next = budget.nextDecision(); next !== null; next = budget.nextDecision()) {
      // Who leaves anyway is neither let in nor changed.
      if (draining) continue;
      const entry = next.seat.member;
      this.#tell(entry, next, now);
      this.#touched.push(entry);
    }
  }

  #tell(entry: Entry, decision: Decision<Entry>, now: number): void {
    const { options, budget } = this.#house;
    if (decision.type === "refuse") return entry.connection.reject("BUSY", options.retryAfter, NO_ROOM, now);
    const { seat, interval } = decision;
    if (decision.type === "welcome") return this.#welcome(entry, now, interval);
    slow(budget!, seat, interval, options.heartbeat.maximumDetection, now);
  }

  /** Lets a client in, with the session that it asks for. */
  #welcome(entry: Entry, now: number, interval?: number): void {
    const { connection } = entry;
    const { sessions, keeper } = this.#house;
    const hello = connection instanceof Connection ? connection.hello : null;
    if (sessions === null || hello?.parameters.instance === undefined) {
      return connection.accept(now, interval);
    }
    if (keeper === null || hello.parameters.session === undefined) {
      return this.#let(entry, sessions.claim(hello, now), now, interval);
    }
    entry.asked = STORE_ASKED;
    keeper.claim(connection as Connection, hello, interval);
  }

  /** Does what became of a client's wish for a session. */
  #let(entry: Entry, claim: Verdict, now: number, interval?: number): void {
    const { connection } = entry;
    const { options, entries, sessions } = this.#house;
    if (claim.type === "failed") return connection.reject("BUSY", options.retryAfter, STORE_FAILED, now);
    if (claim.type === "full") return connection.accept(now, interval);
    if (claim.type === "stale") {
      const { winner } = claim;
      const code = winner === null ? "STALE_GENERATION" : "SUPERSEDED";
      return connection.reject(code, 0, CODES[code].hint, now, winner === null ? {} : { instance: winner });
    }
    if (claim.type === "unknown") {
      const { previous } = claim;
      connection.reject("UNKNOWN_SESSION", 0, CODES.UNKNOWN_SESSION.hint, now, { ...previous });
    } else {
      entry.held = claim.held;
      sessions!.admitted(claim.held, connection as Connection);
      connection.accept(now, interval, claim.admission);
    }
    const before = claim.superseded === null ? undefined : entries.get(claim.superseded);
    if (before !== undefined) this.#touched.push(before);
  }

  /** The application's answer. Returns the connection that it is for, or null: it came too late. */
  answered(id: number, answer: Answer, now: number): Conversation | null {
    const connection = this.#asked.get(id);
    if (connection === undefined) return null;
    this.#asked.delete(id);
    if (answer.admit) this.#admit(this.#house.entries.get(connection)!, now);
    else connection.reject(answer.code, answer.retryAfter ?? 0, answer.text, now);
    return connection;
  }

  /** Does what the store's answers led to. */
  kept(now: number): void {
    const { entries, keeper } = this.#house;
    if (keeper === null) return;
    for (let next = keeper.nextDecided(); next !== null; next = keeper.nextDecided()) {
      const entry = entries.get(next.connection);
      if (entry === undefined || entry.connection.phase !== "deciding") continue;
      this.#let(entry, next.verdict!, now, next.interval);
      this.#touched.push(entry);
    }
    for (let next = keeper.nextTouched(); next !== null; next = keeper.nextTouched()) {
      const entry = entries.get(next);
      if (entry !== undefined) this.#touched.push(entry);
    }
  }

  /** The next connection to which something was done, or null. */
  nextTouched(): Entry | null {
    return this.#touched.shift() ?? null;
  }

  /** The next question, or null. */
  nextAction(): ServerAction | null {
    return this.#actions.shift() ?? null;
  }

  /** A copy in another house; what waits to be drained is left behind. */
  clone(house: House, environment: Environment, copies: Copies): Admission {
    const copy = new Admission(house);
    for (const [id, asking] of this.#asked) copy.#asked.set(id, copyOf(asking, environment, copies));
    copy.last = this.last;
    return copy;
  }
}

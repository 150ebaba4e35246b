/**
 * The decisions of a server: whom to admit, whom to refuse and why, when to drain. It owns all its connections.
 *
 * Rules: no I/O. After any input, the driver's included that go to a connection itself (then it calls `settle`), the driver drains
 * `nextAction` and `nextDirty`. Whatever one connection does costs the others nothing: no step looks at all of them, but
 * `drain`, `abort` and a jump of the clocks. A connection over a limit is refused with a reason; when too many are being refused, without.
 *
 * With a heartbeat budget (liveness/budget.ts) each client of the profile heartwire/1 is told its own shortest interval, in WELCOME and
 * later by PARAMS. It is the interval that is counted: a client that would beat faster than it said in HELLO cannot. What others do to a
 * connection shows in no event, so its side of the books is looked at whenever it had an input.
 *
 * @module
 */

import { Admission, type House } from "./admission.ts";
import { Copies, Names } from "./canonical.ts";
import { CODES } from "./codes.ts";
import type { Connection } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import { Deadlines, type Deadlines as Heap } from "./deadlines.ts";
import type { Environment } from "./environment.ts";
import { EventQueue } from "./event_queue.ts";
import type { CloseReason } from "./events.ts";
import { farewell, isStored, leave } from "./farewell.ts";
import { Budget } from "./liveness/budget.ts";
import type { ConnectionOptions, ResolvedServer, ServerOptions } from "./options.ts";
import { connectionOptions, resolveServer } from "./resolve.ts";
import { Places } from "./places.ts";
import { converse, copyOf, modern } from "./profile.ts";
import type { Session } from "./session.ts";
import type { Answer, DrainOptions, Entry, ServerAction, ServerStats, SessionOver } from "./server_types.ts";
import { account } from "./seats.ts";
import { Sessions } from "./sessions.ts";
import { Keeper } from "./store/keeper.ts";
import type { StoreAnswer, StoreQuestion } from "./store/questions.ts";
import { Tally } from "./tally.ts";
import { type Micros, NEVER, toMicros, toMillis } from "./time.ts";
import { Wall } from "./wall.ts";

/** So many connections may be told at once why they are refused. */
const MAX_REFUSING = 64;

/** Keys (addresses) are cut to this length. */
const MAX_KEY = 256;

/** A server: all its connections. */
export class Server {
  #options: ResolvedServer;
  #connectionOptions: ConnectionOptions;
  #environment: Environment;
  #entries: Map<Conversation, Entry> = new Map();
  #places: Places;
  #deadlines: Heap<Entry> = new Deadlines();
  #dirty: EventQueue<Entry> = new EventQueue();
  #admission!: Admission;
  #wall: Wall = new Wall();
  #over: SessionOver[] = [];
  /** Null: sessions end with their connections. */
  #sessions: Sessions | null = null;
  /** Null: sessions end with this server. */
  #keeper: Keeper | null = null;
  /** When sessions that are stored are left whatever there is, us. */
  #leaveAt: Micros = NEVER;
  #draining: Required<DrainOptions> | null = null;
  #tally: Tally = new Tally();
  /** Null: rates are not counted. */
  #budget: Budget<Entry> | null = null;

  /**
   * A server without connections.
   *
   * @param options checked; a wrong one throws ERR_HEARTWIRE_OPTION
   * @param environment entropy and checksum
   * @param from to be copied instead; see {@link Server.clone}
   */
  constructor(options: ServerOptions, environment: Environment, from?: Server) {
    this.#environment = environment;
    if (from !== undefined) {
      this.#options = from.#options;
      this.#connectionOptions = from.#connectionOptions;
      this.#places = from.#places.clone();
      return;
    }
    this.#options = resolveServer(options);
    this.#connectionOptions = connectionOptions(this.#options);
    this.#places = new Places(this.#options);
    const { profile, heartbeat, heartbeatBudget, natBound, resumeWindow } = this.#options;
    if (resumeWindow > 0 && profile === "heartwire") {
      const sessions = this.#sessions = new Sessions(this.#options, environment);
      if (sessions.pumps !== null) this.#keeper = new Keeper(sessions, sessions.pumps);
    }
    if (heartbeatBudget !== Infinity) {
      this.#budget = new Budget(heartbeatBudget, heartbeat.minimumInterval, natBound);
    }
    this.#admission = new Admission(this.#house);
  }

  get #house(): House {
    return {
      options: this.#options,
      entries: this.#entries,
      sessions: this.#sessions,
      keeper: this.#keeper,
      budget: this.#budget,
    };
  }

  /** Transports held, those that say their last words included. */
  get size(): number {
    return this.#entries.size;
  }

  /** A transport was accepted; `key` names the peer (its address). Null: destroy it at once. */
  accepted(key: string, now: number): Conversation | null {
    this.#tally.accepted++;
    const name = key.slice(0, MAX_KEY);
    const refusal = this.#draining !== null ? "SHUTTING_DOWN" : this.#places.refusal(name);
    if (refusal !== null) this.#tally.add("refused", refusal);
    if (refusal !== null && this.#places.count.refusing >= MAX_REFUSING) return null;
    const connection = converse("server", this.#connectionOptions, this.#environment, now);
    this.#wall.tell(connection);
    const state = refusal === null ? "handshake" : "refusing";
    const entry: Entry = {
      connection,
      key: name,
      state,
      asked: 0,
      dirty: false,
      seat: null,
      held: null,
      index: -1,
    };
    this.#entries.set(connection, entry);
    this.#places.take(name, state);
    if (refusal !== null) {
      const after = this.#draining?.retryAfter ?? this.#options.retryAfter;
      connection.reject(refusal, after, CODES[refusal].hint, now);
    }
    if (connection.phase === "deciding") this.#admission.decide(entry, now);
    this.#after(entry, now);
    return connection;
  }

  /** An input was given to a connection of this server. */
  settle(connection: Conversation, now: number): void {
    const entry = this.#entries.get(connection);
    if (entry === undefined) return;
    if (connection.phase === "deciding" && entry.asked === 0 && entry.seat === null) {
      this.#admission.decide(entry, now);
      this.#follow(now);
    }
    this.#after(entry, now);
    this.#admission.enact(this.#draining !== null, now);
    this.#follow(now);
  }

  /** Brings the books in line with what admissions, the budget and the store did to connections. */
  #follow(now: number): void {
    this.#admission.kept(now);
    for (let entry = this.#admission.nextTouched(); entry !== null; entry = this.#admission.nextTouched()) {
      this.#after(entry, now);
    }
    if (this.#sessions !== null) this.#tellOver();
  }

  /** Tells the driver of sessions that are over. */
  #tellOver(): void {
    this.#keeper?.settle();
    for (let held = this.#sessions!.nextOver(); held !== null; held = this.#sessions!.nextOver()) {
      const { session, reason } = held;
      if (!held.confirmed) continue; // nobody was told that it began
      const lost: CloseReason = { kind: "lost", code: "LOST", cause: null };
      this.#over.push({
        session,
        reason: reason ?? lost,
        unconfirmed: reason?.kind === "closed" ? [] : session.unconfirmed(),
      });
    }
  }

  /** Whether a session goes on, with a connection or without. */
  keeps(session: Session): boolean {
    return this.#sessions?.keeps(session) ?? false;
  }

  /** Ends a session that has no connection now; one that has is ended by that. */
  endSession(session: Session, text: string): void {
    this.#sessions?.end(session, { kind: "aborted", code: "ABORTED", text });
    if (this.#sessions !== null) this.#tellOver();
  }

  /** The session that a connection carries; null: none that outlives it. */
  sessionOf(connection: Conversation): Session | null {
    return this.#entries.get(connection)?.held?.session ?? null;
  }

  /** The answer to an ask. One that comes too late changes nothing. */
  answered(id: number, answer: Answer | StoreAnswer, now: number): void {
    if ("admit" in answer) {
      const connection = this.#admission.answered(id, answer, now);
      if (connection !== null) this.settle(connection, now);
    } else if (this.#keeper !== null) {
      this.#keeper.answered(id, answer, now);
      this.#follow(now);
    }
  }

  /** Brings the books in line with what became of a connection. */
  #after(entry: Entry, now: number): void {
    const { connection } = entry;
    if (entry.state === "handshake" && connection.agreement !== null) {
      this.#move(entry, "open");
      this.#tally.opened++;
      if (entry.held !== null) this.#sessions!.opened(entry.held, now);
    }
    if (this.#keeper !== null && entry.held !== null) this.#keep(entry, now);
    const { reason } = connection;
    if (reason !== null && entry.state !== "over") {
      if (entry.state !== "refusing") {
        this.#tally.add(reason.kind === "refused" ? "refused" : "ended", reason.code);
        this.#move(entry, "over");
      }
      if (entry.asked !== 0) this.#admission.forget(entry.asked);
      if (entry.held !== null) {
        this.#sessions!.closed(entry.held, connection as Connection, toMicros(now));
        if (this.#draining !== null) this.#sessions!.abandon(); // its client is not let in again
        this.#tellOver();
      }
    }
    if (this.#budget !== null) account(this.#budget, entry, now);
    if (connection.socketAction() === "destroy") {
      this.#places.leave(entry.state);
      this.#entries.delete(connection);
      this.#deadlines.remove(entry);
    } else {
      this.#deadlines.update(entry, connection.deadline());
    }
    if (entry.dirty) return;
    entry.dirty = true;
    this.#dirty.push(entry);
  }

  /** What happened to a connection may have to be stored; and once all is, one that is to go may. */
  #keep(entry: Entry, now: number): void {
    this.#keeper!.stir(entry.held!);
    if (this.#leaveAt !== NEVER) leave(entry, this.#draining!.text, false, now);
  }

  #move(entry: Entry, place: "open" | "over"): void {
    this.#places.move(entry.key, entry.state, place);
    entry.state = place;
  }

  /** A sample of the wall clock, ms since 1970; connections that are accepted later are told it too. */
  observeWall(wall: number, now: number): void {
    if (this.#wall.observe(wall, now) === 0) return;
    for (const { connection } of [...this.#entries.values()]) {
      connection.observeWall(wall, now);
      this.settle(connection, now);
    }
  }

  /** The deadline may have come. */
  handleTimeout(now: number): void {
    this.#wall.fired(now);
    for (let entry = this.#deadlines.take(now); entry !== null; entry = this.#deadlines.take(now)) {
      this.#wall.tell(entry.connection);
      entry.connection.handleTimeout(now);
      this.settle(entry.connection, now);
    }
    if (this.#sessions !== null && this.#sessions.deadline() <= toMicros(now)) {
      this.#sessions.handleTimeout(toMicros(now));
      this.#tellOver();
    }
    if (this.#keeper !== null) this.#keepTime(toMicros(now));
    if (this.#budget === null || this.#budget.deadline() > toMicros(now)) return;
    this.#budget.handleTimeout(toMicros(now));
    this.#admission.enact(this.#draining !== null, now);
    this.#follow(now);
  }

  #keepTime(now: Micros): void {
    this.#keeper!.handleTimeout(now);
    if (this.#leaveAt > now) return;
    this.#leaveAt = NEVER;
    for (const entry of [...this.#entries.values()]) {
      if (isStored(entry)) leave(entry, this.#draining!.text, true, toMillis(now));
      this.#after(entry, toMillis(now));
    }
  }

  /** When `handleTimeout` wants to be called, ms. May be early. */
  deadline(): number {
    let next = Infinity;
    if (this.#entries.size > 0) {
      next = Math.min(this.#deadlines.next(), this.#wall.due, toMillis(this.#leaveAt));
    }
    if (this.#sessions !== null) next = Math.min(next, toMillis(this.#sessions.deadline()));
    if (this.#keeper !== null) next = Math.min(next, toMillis(this.#keeper.deadline()));
    return this.#budget === null ? next : Math.min(next, toMillis(this.#budget.deadline()));
  }

  /**
   * Admits nobody any more, tells all that the end comes, and closes each in good order; sessions that are stored are left for another server to go
   * on with.
   */
  drain(options: DrainOptions, now: number): void {
    const { retryAfter = this.#options.retryAfter, jitter = 0, text = "the server is shutting down" } =
      options;
    this.#draining = { retryAfter, jitter, text };
    if (this.#keeper !== null) this.#leaveAt = toMicros(now + this.#options.closeTimeout);
    for (const entry of [...this.#entries.values()]) {
      farewell(entry, this.#draining, now);
      this.settle(entry.connection, now);
    }
    this.#abandon();
  }

  /** Admits nobody any more and ends all at once. */
  abort(text: string, now: number): void {
    this.#draining ??= { retryAfter: this.#options.retryAfter, jitter: 0, text };
    for (const { connection } of [...this.#entries.values()]) {
      connection.abort("ABORTED", text, now);
      this.settle(connection, now);
    }
    this.#abandon();
  }

  /** Sessions without a connection cannot come back to a server that ends. */
  #abandon(): void {
    if (this.#sessions === null) return;
    this.#sessions.abandon();
    this.#tellOver();
  }

  /** The next action, or null. */
  nextAction(): ServerAction | null {
    const action = this.#admission.nextAction();
    if (action !== null) return action;
    const asked = this.#keeper?.nextQuestion() ?? null;
    return asked && { type: "ask", ...asked };
  }

  /** Whether {@link Server.nextWrite} may have something. */
  get writes(): boolean {
    return this.#keeper !== null && this.#keeper.stirred;
  }

  /**
   * The next thing to be stored, or null: an action as others. It is to be asked for once in a while, behind all inputs that belong together, for it
   * has all that they did.
   */
  nextWrite(): ServerAction<StoreQuestion> | null {
    const write = this.#keeper?.nextWrite() ?? null;
    return write && { type: "ask", ...write };
  }

  /** The next session that is over, or null. */
  nextOver(): SessionOver | null {
    return this.#over.shift() ?? null;
  }

  /** The next connection whose outputs want to be drained, or null. */
  nextDirty(): Conversation | null {
    const entry = this.#dirty.take();
    if (entry === null) return null;
    entry.dirty = false;
    return entry.connection;
  }

  /**
   * A copy that goes on independently, with its connections and sessions; `copies` tells which is whose. What waits to be drained is left
   * behind, and so is what makes `deadline` early. There must be no heartbeat budget and no store.
   */
  clone(environment: Environment, copies: Copies = new Copies()): Server {
    const copy = new Server({}, environment, this);
    copy.#sessions = this.#sessions && this.#sessions.clone(environment, copies);
    for (const entry of this.#entries.values()) {
      const connection = copyOf(entry.connection, environment, copies);
      const held = entry.held && copy.#sessions!.copyOf(entry.held, environment, copies);
      const next = { ...entry, connection, held, dirty: false, index: -1 };
      copy.#entries.set(connection, next);
      copy.#deadlines.update(next, connection.deadline());
    }
    copy.#admission = this.#admission.clone(copy.#house, environment, copies);
    copy.#wall = this.#wall.clone();
    copy.#draining = this.#draining;
    copy.#tally = this.#tally.clone();
    return copy;
  }

  /** The canonical key at this time (canonical.ts). Drain it and its connections before; there must be no heartbeat budget and no store. */
  key(now: number, names: Names = new Names()): string {
    const entries = [...this.#entries.values()].map(({ connection, key, state, asked, held }) => {
      const ask = this.#admission.awaits(asked) ? names.count("ask", asked) : asked > 0;
      return `${key} ${state} ${ask} ${held && names.of(held.key)} ${modern(connection).key(now, names)}`;
    });
    const head = `${names.count("ask", this.#admission.last)} ${JSON.stringify(this.#draining)} ${
      this.#wall.key(now)
    }`;
    return [head, ...entries, this.#sessions?.key(toMicros(now), names) ?? ""].join("\n");
  }

  /** Counters. */
  stats(): ServerStats {
    return {
      open: this.#places.count.open,
      handshakes: this.#places.count.handshake,
      transports: this.#entries.size,
      ...this.#tally.clone(),
      sessions: this.#sessions?.counts ?? null,
      store: this.#keeper?.counts ?? null,
      heartbeatRate: this.#budget?.rate ?? 0,
      heartbeatBudget: this.#options.heartbeatBudget,
      waiting: this.#budget?.waiting ?? 0,
    };
  }
}

/**
 * The decisions of a client: when to dial, how long to wait, when to give up. It owns one connection after another.
 *
 * Rules: no I/O; a dial is an action that the driver carries out and answers. After any input, the driver's included that go to
 * the connection itself (then it calls `settle`), the driver drains `nextAction`, `nextDirty` and `nextEvent`. An answer to a
 * dial that is no longer wanted is refused with null. Each connection is a new conversation: what the old one had not
 * delivered is lost, and the event `down` says that it ended.
 *
 * @module
 */

import { backoff } from "./backoff.ts";
import { Copies, Names } from "./canonical.ts";
import type { Connection } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import type { Environment } from "./environment.ts";
import { HeartwireError } from "./errors.ts";
import type { ClientEvent } from "./events.ts";
import { SessionState } from "./flow/session_state.ts";
import { nonce } from "./handshake.ts";
import {
  type ClientOptions,
  type ConnectionOptions,
  connectionOptions,
  resolveClient,
  type ResolvedClient,
} from "./options.ts";
import { converse, copyOf, modern } from "./profile.ts";
import { type DownReason, Redial, worthAnother } from "./redial.ts";
import { Session } from "./session.ts";
import { type Micros, NEVER, toMicros, toMillis } from "./time.ts";
import { Wall } from "./wall.ts";

/** What the driver shall do. */
export type ClientAction =
  /** Make a transport to this endpoint (an index); answer with `dialed` or `dialFailed`. */
  | { readonly type: "dial"; readonly attempt: number; readonly endpoint: number }
  /** Give up the dial. */
  | { readonly type: "cancelDial"; readonly attempt: number }
  /** Answer a question with `answered`; this version asks none. */
  | { readonly type: "ask"; readonly id: number; readonly question: unknown };

type State = "idle" | "dialing" | "connected" | "waiting" | "ended";

/** A client: one connection after another. */
export class Client {
  #options: ResolvedClient;
  #connectionOptions: ConnectionOptions;
  #environment: Environment;
  #state: State = "idle";
  #now: Micros = 0;
  /** When the dial is given up, or the next one begins. */
  #due: Micros = NEVER;
  #attempt = 0;
  #live = false;
  #liveAt: Micros = 0;
  #redial: Redial;
  #ending: { readonly code: number; readonly text: string } | null = null;
  /** Until then a session without a connection may get one to end in good order over. */
  #endBy: Micros = NEVER;
  #current: Conversation | null = null;
  /** Connections that ended but still say their last words. */
  #old: Conversation[] = [];
  #wall: Wall = new Wall();
  /** What outlives connections; null: nothing does. */
  #session: Session | null = null;
  /** Tells this client from every other. */
  #instance: Uint8Array = new Uint8Array(0);
  #generation = 0;
  #dirty: Conversation[] = [];
  #actions: ClientAction[] = [];
  #events: ClientEvent[] = [];

  /**
   * A client that waits for `start`.
   *
   * @param options checked; a wrong one throws ERR_HEARTWIRE_OPTION
   * @param environment entropy and checksum
   * @param from to be copied instead; see {@link Client.clone}
   */
  constructor(options: ClientOptions, environment: Environment, from?: Client) {
    this.#options = from === undefined ? resolveClient(options) : from.#options;
    this.#connectionOptions = from === undefined ? connectionOptions(this.#options) : from.#connectionOptions;
    this.#environment = environment;
    this.#redial = from === undefined ? new Redial(this.#options) : from.#redial.clone();
    const { reconnect, resume, profile } = this.#options;
    if (from !== undefined || reconnect === null || !resume || profile !== "heartwire") return;
    this.#session = new Session(SessionState.begin(this.#options, environment));
    this.#instance = nonce(environment);
  }

  /** What the application sends over, whichever connection carries it; null: use the connection itself. */
  get session(): Session | null {
    return this.#session;
  }

  /** The connection that is open or in its handshake; null between connections. */
  get connection(): Conversation | null {
    return this.#current;
  }

  /** Whether no dial will follow. */
  get ended(): boolean {
    return this.#state === "ended";
  }

  #enter(now: number): void {
    const micros = toMicros(now);
    if (micros > this.#now && micros !== NEVER) this.#now = micros;
  }

  /** Dials for the first time. */
  start(now: number): void {
    this.#enter(now);
    if (this.#state !== "idle") return;
    this.#redial.downSince = this.#now;
    this.#dial();
  }

  #dial(): void {
    this.#state = "dialing";
    this.#attempt++;
    this.#due = this.#now + toMicros(this.#options.dialTimeout);
    const { endpoint } = this.#redial;
    this.#actions.push({ type: "dial", attempt: this.#attempt, endpoint });
    this.#events.push({ type: "dialing", attempt: this.#attempt, endpoint });
  }

  /** The transport of this attempt is there. Null: it is not wanted any more; destroy it. */
  dialed(attempt: number, now: number): Conversation | null {
    this.#enter(now);
    if (this.#state !== "dialing" || attempt !== this.#attempt) return null;
    this.#state = "connected";
    this.#due = NEVER;
    this.#live = false;
    const session = this.#session;
    const dial = { instance: this.#instance, generation: ++this.#generation };
    const carried = session === null ? null : { state: session.state, dial };
    this.#current = converse("client", this.#connectionOptions, this.#environment, now, carried);
    if (session !== null) session.connection = this.#current as Connection;
    this.#wall.tell(this.#current);
    this.#dirty.push(this.#current);
    return this.#current;
  }

  /** The transport of this attempt could not be made. */
  dialFailed(attempt: number, cause: unknown, now: number): void {
    this.#enter(now);
    if (this.#state !== "dialing" || attempt !== this.#attempt) return;
    this.#dialFailed(cause);
  }

  /** An input was given to a connection of this client. */
  settle(connection: Conversation, now: number): void {
    this.#enter(now);
    this.#dirty.push(connection);
    if (connection !== this.#current) {
      if (connection.socketAction() === "destroy") this.#old = this.#old.filter((old) => old !== connection);
      return;
    }
    if (!this.#live && connection.agreement !== null && connection.reason === null) {
      this.#live = true;
      this.#redial.opened();
      this.#liveAt = this.#now;
      this.#session?.opened(now);
      this.#events.push({ type: "live", attempt: this.#attempt });
      if (this.#ending !== null) connection.close(this.#ending.code, this.#ending.text, now);
    }
    const { reason } = connection;
    if (reason === null) return;
    this.#current = null;
    if (this.#session !== null) {
      const state = this.#session.connection!.session!;
      this.#session.state = state.survives(reason) ? state : state.anew(this.#options, this.#environment);
      this.#session.connection = null;
    }
    if (connection.socketAction() !== "destroy") this.#old.push(connection);
    if (!this.#live) this.#redial.failed(reason);
    else this.#redial.closed(reason, this.#now - this.#liveAt, connection.agreement!, this.#now);
    this.#down(reason, connection.goaway);
  }

  #dialFailed(cause: unknown): void {
    const reason = { kind: "dialFailed", code: "DIAL_FAILED", cause } as const;
    this.#redial.failed(reason);
    this.#down(reason, null);
  }

  #down(reason: DownReason, goaway: Conversation["goaway"]): void {
    this.#live = false;
    const delay = this.#ending !== null
      ? this.#lastDial(reason)
      : this.#redial.delay(reason, goaway, this.#now, this.#environment);
    const attempt = this.#attempt;
    this.#events.push({ type: "down", attempt, reason, retryIn: delay === null ? null : toMillis(delay) });
    if (delay === null) return this.#end(reason);
    this.#state = "waiting";
    this.#due = this.#now + delay;
  }

  /** How long to wait before the dial by which a session that is closing delivers what it still has; null: it ends here. */
  #lastDial(reason: DownReason): Micros | null {
    const session = this.#session;
    if (this.#endBy === NEVER || session === null || !session.resumable || !worthAnother(reason)) return null;
    if (reason.kind === "dialFailed" && session.state.outbound.held === 0) return null;
    const delay = backoff(this.#options.reconnect!, this.#redial.failures, this.#environment);
    return this.#now + delay < this.#endBy ? delay : null;
  }

  #end(reason: DownReason): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#due = NEVER;
    this.#session?.end();
    this.#events.push({ type: "ended", reason });
  }

  /** A sample of the wall clock, ms since 1970; the connections of later dials are told it too. */
  observeWall(wall: number, now: number): void {
    this.#enter(now);
    const skew = this.#wall.observe(wall, now);
    if (this.#current !== null) {
      this.#current.observeWall(wall, now);
      if (skew !== 0) this.settle(this.#current, now);
    } else if (this.#state === "waiting" && toMicros(skew) >= this.#due - this.#now) {
      this.#due = this.#now; // the machine slept longer than the wait was to last
    }
  }

  /** The deadline may have come. */
  handleTimeout(now: number): void {
    this.#enter(now);
    this.#wall.fired(now);
    for (const connection of [...this.#old, this.#current]) {
      if (connection === null || toMicros(connection.deadline()) > this.#now) continue;
      connection.handleTimeout(now);
      this.settle(connection, now);
    }
    if (this.#endBy <= this.#now && this.#state !== "ended" && !this.#live) return this.abort("", now);
    if (this.#due > this.#now) return;
    this.#due = NEVER;
    if (this.#state === "waiting") return this.#dial();
    this.#actions.push({ type: "cancelDial", attempt: this.#attempt });
    const cause = new HeartwireError("DIAL_TIMEOUT", `no transport within ${this.#options.dialTimeout} ms`, {
      retryable: true,
      hint: "The host does not answer: check address, routes and firewalls.",
    });
    this.#dialFailed(cause);
  }

  /** When `handleTimeout` wants to be called, ms. */
  deadline(): number {
    const watched = this.#state === "connected" || this.#state === "waiting";
    let least = watched ? Math.min(toMillis(this.#due), this.#wall.due) : toMillis(this.#due);
    if (this.#current !== null) least = Math.min(least, this.#current.deadline());
    for (const old of this.#old) least = Math.min(least, old.deadline());
    if (this.#state !== "ended" && !this.#live) least = Math.min(least, toMillis(this.#endBy));
    return least;
  }

  /**
   * Ends in good order: closes the connection, or stops dialling. A session that is between two connections gets one more to deliver what it
   * has, within `closeTimeout`.
   */
  close(closeCode: number, text: string, now: number): void {
    this.#enter(now);
    if (this.#state === "ended" || this.#ending !== null) return;
    const keeps = this.#session !== null && this.#session.resumable;
    this.#ending = { code: closeCode, text };
    if (keeps) {
      this.#endBy = this.#now + toMicros(this.#options.closeTimeout);
      if (this.#state === "waiting") this.#due = this.#now;
      if (!this.#live) return;
    }
    if (this.#current !== null) {
      this.#current.close(closeCode, text, now);
      return this.settle(this.#current, now);
    }
    this.#stop(text);
  }

  /** Ends at once. */
  abort(text: string, now: number): void {
    this.#enter(now);
    if (this.#state === "ended") return;
    this.#ending ??= { code: 0, text };
    this.#endBy = NEVER;
    if (this.#current !== null) {
      this.#current.abort("ABORTED", text, now);
      return this.settle(this.#current, now);
    }
    this.#stop(text);
  }

  #stop(text: string): void {
    if (this.#state === "dialing") this.#actions.push({ type: "cancelDial", attempt: this.#attempt });
    this.#end({ kind: "aborted", code: "ABORTED", text });
  }

  /** The next action, or null. */
  nextAction(): ClientAction | null {
    return this.#actions.shift() ?? null;
  }

  /** The next connection whose outputs want to be drained, or null. */
  nextDirty(): Conversation | null {
    return this.#dirty.shift() ?? null;
  }

  /** The next event, or null. */
  nextEvent(): ClientEvent | null {
    return this.#events.shift() ?? null;
  }

  /**
   * A copy that goes on independently, with its connections and its session; `copies` tells which is whose. What waits to be drained is left
   * behind.
   */
  clone(environment: Environment, copies: Copies = new Copies()): Client {
    const copy = new Client({}, environment, this);
    copy.#state = this.#state;
    copy.#now = this.#now;
    copy.#due = this.#due;
    copy.#attempt = this.#attempt;
    copy.#live = this.#live;
    copy.#liveAt = this.#liveAt;
    copy.#ending = this.#ending;
    copy.#endBy = this.#endBy;
    copy.#current = this.#current && copyOf(this.#current, environment, copies);
    copy.#old = this.#old.map((old) => copyOf(old, environment, copies));
    copy.#wall = this.#wall.clone();
    const session = this.#session;
    copy.#session = session && copies.of(session, () => session.clone(environment, copies, null));
    copy.#instance = this.#instance;
    copy.#generation = this.#generation;
    return copy;
  }

  /** The canonical key at this time (canonical.ts). Drain it and its connections before. */
  key(now: number, names: Names = new Names()): string {
    const from = (at: Micros): Micros => at === NEVER ? NEVER : at - toMicros(now);
    return [
      `${this.#state} ${from(this.#due)} ${names.count("attempt", this.#attempt)}`,
      `${this.#redial.key(toMicros(now), this.#live)} ${this.#live && from(this.#liveAt)}`,
      `${JSON.stringify(this.#ending)} ${from(this.#endBy)}`,
      `${this.#wall.key(now)} ${names.of(this.#instance)} ${names.count("generation", this.#generation)}`,
      this.#session?.key(toMicros(now), names) ?? "",
      this.#current && modern(this.#current).key(now, names),
      ...this.#old.map((old) => modern(old).key(now, names)),
    ].join("\n");
  }
}

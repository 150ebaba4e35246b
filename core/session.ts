/**
 * A session as an application uses it: it sends and is told what was finished, whether there is a connection or not.
 *
 * While both processes keep it, delivery is in order and exactly once, however many connections carry it one after another. When the peer
 * lost it, what is not confirmed is told: never a silent new beginning.
 *
 * Rules: at most one connection at a time; the owner (client.ts, sessions.ts) joins and parts them.
 *
 * @module
 */

import type { Copies, Names } from "./canonical.ts";
import type { Connection } from "./connection.ts";
import type { Environment } from "./environment.ts";
import { HeartwireError } from "./errors.ts";
import type { CloseReason, Unconfirmed } from "./events.ts";
import { messageCost } from "./flow/framing.ts";
import type { SessionState } from "./flow/session_state.ts";
import { accept, answer, ask, takeBack } from "./messages.ts";
import type { ResolvedConnection } from "./options.ts";
import type { Pump } from "./store/pump.ts";
import type { Micros } from "./time.ts";

/** What sessions without a connection hold together, and may hold, bytes. */
export interface Account {
  bytes: number;
  readonly limit: number;
}

/** One session, of one side. */
export class Session {
  /** What outlives connections; another one when the peer lost this. */
  state: SessionState;
  /** The connection that carries it; null between two. */
  connection: Connection | null = null;

  /** It is over: no connection will come. */
  #over = false;
  /**
   * What of it is stored; null: there is no store.
   *
   * @internal
   */
  pump: Pump | null = null;
  /** When it is over: whether another server goes on with it. */
  fate: "known" | "moved" | "doubtful" = "known";
  /** Without a connection: whose bytes it holds, and how many of them are its own. */
  #account: Account | null = null;
  #charged = 0;
  /** It is not known yet which of two connections goes on with it; and what the application finished meanwhile, -1 = nothing. */
  #undecided = false;
  #finished = -1;
  /** Another session begins with the next connection, and may be sent to. */
  #begins = false;
  /** With what the application wants to end it. */
  #ending: { readonly code: number; readonly text: string } | null = null;

  /** Made by a client or a server. */
  constructor(state: SessionState) {
    this.state = state;
  }

  /** A server ends it in good order: now, or over the next connection, so that what was accepted is delivered first. */
  close(code: number, text: string, now: number): void {
    this.#ending ??= { code, text };
    this.#close(now);
  }

  #close(now: number): void {
    if (this.#ending === null || this.connection === null || !this.connection.conversing) return;
    this.connection.close(this.#ending.code, this.#ending.text, now);
  }

  /**
   * Another connection asks the server to go on with it, and the one before is kept until that is answered: meanwhile neither takes anything.
   *
   * @internal
   */
  ask(connection: Connection): void {
    this.connection = connection;
    this.#undecided = true;
  }

  /**
   * It is decided who goes on with it, if anybody.
   *
   * @internal
   */
  decided(connection: Connection | null, now: number): void {
    this.connection = connection;
    this.#undecided = false;
    if (this.#finished >= 0) this.consumed(this.#finished, now);
    this.#finished = -1;
    connection?.goesOn(now); // what was answered meanwhile left room
  }

  /** Whether it can go on over another connection. */
  get resumable(): boolean {
    return this.state.grant !== null && !this.#over;
  }

  /** Whether it takes messages while there is no connection: for the next, or for the session that begins with the next. */
  get accepts(): boolean {
    return this.resumable || (this.#begins && !this.#over);
  }

  /** Bytes that the peer is not known to have processed. */
  get owes(): boolean {
    return this.state.outbound.held > 0;
  }

  /**
   * The connection that it had ended like this. It goes on without one, or it is over and another begins; `announced`: the peer ended it in good
   * order and may be dialled again. What it did not finish was told then, so the one that follows takes messages at once, unless a request is open.
   *
   * @internal
   */
  parted(
    reason: CloseReason,
    announced: boolean,
    options: ResolvedConnection,
    environment: Environment,
  ): void {
    const state = this.state = this.connection?.session ?? this.state;
    if (state.survives(reason)) return;
    const { outbound, requests } = state;
    this.#begins = announced && reason.kind === "closed" && requests.asked === 0;
    this.state = state.anew(options, environment);
    if (this.#begins) this.state.outbound.maxMessage = outbound.maxMessage;
  }

  /** No connection carries it any more: from now on it takes no message. */
  end(): void {
    this.#over = true;
  }

  /**
   * From now on what it holds counts there; null: nowhere.
   *
   * @internal
   */
  charge(account: Account | null): void {
    if (this.#account !== null) this.#account.bytes -= this.#charged;
    this.#account = account;
    this.#charged = 0;
    this.#recount();
  }

  #recount(): void {
    if (this.#account === null) return;
    const { held } = this.state;
    this.#account.bytes += held - this.#charged;
    this.#charged = held;
  }

  /** Its connection is open: the peer's next message belongs to it. */
  opened(now: number): void {
    this.state = this.connection!.session ?? this.state;
    this.#begins = false;
    this.#close(now);
  }

  /**
   * Sends a message over the connection, or keeps it for the next; the payload is copied. "blocked": it was not taken, `writable` follows.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_MESSAGE_TOO_LARGE
   */
  send(payload: Uint8Array, now: number): "accepted" | "blocked" {
    if (this.#uses(this.connection)) return this.connection.send(payload, now);
    const result = accept(this.#kept("send"), payload, this.#fits(payload));
    this.#changed();
    return result;
  }

  /**
   * Asks the peer's application, likewise; see {@link Connection.request}. Returns the id with which the event `reply` comes, or 0: blocked.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_MESSAGE_TOO_LARGE, ERR_HEARTWIRE_REQUESTS_OPEN
   */
  request(payload: Uint8Array, timeout: number, now: number): number {
    if (this.#uses(this.connection)) return this.connection.request(payload, timeout, now);
    const id = ask(this.#kept("request"), payload, timeout, this.#fits(payload));
    this.#changed();
    return id;
  }

  /** Nobody waits for the answer to this request any more. */
  cancel(id: number, now: number): void {
    if (this.#uses(this.connection)) return this.connection.cancel(id, now);
    if (!this.accepts) return;
    takeBack(this.state, id);
    this.#changed();
  }

  /** Answers a request of the peer; see {@link Connection.reply}. */
  reply(id: number, status: number, payload: Uint8Array, now: number): "accepted" | "blocked" | "late" {
    if (this.#uses(this.connection)) return this.connection.reply(id, status, payload, now);
    if (!this.accepts) return "late";
    const result = answer(this.state, id, status, payload, this.#fits(payload));
    this.#changed();
    return result;
  }

  /** Whether it is the connection that takes what is said. */
  #uses(connection: Connection | null): connection is Connection {
    return connection !== null && (connection.conversing || !this.accepts);
  }

  /** The state that keeps what is said until there is a connection. */
  #kept(what: string): SessionState {
    if (this.accepts) return this.state;
    const why = this.#over ? "the session is over" : "there is no connection, and no session to keep it for";
    throw new HeartwireError("NOT_OPEN", `${what}: ${why}`, {
      hint: this.#over ? "Begin another session." : "Wait for the event open.",
      retryable: !this.#over,
    });
  }

  #fits(payload: Uint8Array): boolean {
    const account = this.#account;
    return account === null || account.bytes + messageCost(payload.length) <= account.limit;
  }

  /** The application finished the message with this position, and all before it. */
  consumed(position: number, now: number): void {
    if (this.#undecided) this.#finished = position;
    else if (this.connection !== null && this.connection.conversing) this.connection.consumed(position, now);
    else if (this.state.inbound.finished(position)) this.#changed();
  }

  /** Something changed that no connection knows of. */
  #changed(): void {
    this.#recount();
    this.pump?.stir();
  }

  /** The messages that the peer is not known to have processed, in order. */
  unconfirmed(): readonly Unconfirmed[] {
    if (this.fate === "moved") return [];
    const { outbound } = this.state;
    const last = this.fate === "doubtful" ? outbound.end : outbound.everSent;
    return outbound.unconfirmed(last).messages;
  }

  /** The ids of open requests that never arrived at the peer; of the other open ones nobody knows what became. */
  unsentRequests(): readonly number[] {
    const { outbound } = this.state;
    return outbound.unconfirmed(outbound.everSent).unsentRequests;
  }

  /**
   * A copy, carried by the copy of its connection; `account`: where what it holds counts, if it does.
   *
   * @internal
   */
  clone(environment: Environment, copies: Copies, account: Account | null): Session {
    const { state, connection } = this;
    const copy = new Session(copies.of(state, () => state.clone(environment)));
    copy.connection = connection && copies.of(connection, () => connection.clone(environment, copies));
    copy.#over = this.#over;
    copy.#account = this.#account && account;
    copy.#charged = this.#charged;
    copy.#begins = this.#begins;
    copy.#undecided = this.#undecided;
    copy.#finished = this.#finished;
    copy.#ending = this.#ending;
    return copy;
  }

  /**
   * The canonical form. What its connection carries stands in the key of that.
   *
   * @internal
   */
  key(now: Micros, names: Names): string {
    const { state, connection } = this;
    const carried = connection !== null && connection.session === state;
    const flags = `${Number(connection !== null)}${Number(this.#over)}${Number(this.#begins)} ${
      this.#account && this.#charged
    }`;
    const held = carried ? state.name(names) : state.key(now, names);
    const waits = this.#undecided ? ` ${state.inbound.received - this.#finished}` : "";
    return `${flags}${waits} ${JSON.stringify(this.#ending)} ${held}`;
  }
}

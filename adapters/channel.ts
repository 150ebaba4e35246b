/**
 * What carries a session now, and with which error a call fails that it cannot carry.
 *
 * Rules: errors that say that a connection or session ended are remembered: an application whose handler throws one of them only passes on
 * what it was told, and made no mistake.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";
import type { Conversation, Session as CoreSession } from "../core/mod.ts";
import { endError, type EndReason, quiet, withoutStack } from "./failure.ts";
import type { SessionHost } from "./host.ts";

/** The connection of one session, and what outlives it. */
export class Channel {
  /** What goes on over one connection after another; null: nothing does. */
  core: CoreSession | null = null;
  /** The connection that is open; null between two. */
  connection: Conversation | null = null;
  /** The connection that was open last. */
  last: Conversation | null = null;
  /** How the last connection ended. */
  lastReason: EndReason | null = null;
  /** How the session ended; null while it has not. */
  ended: EndReason | null = null;
  /** The application ends it. */
  closing = false;
  readonly #host: SessionHost;
  /** Null until there is one. */
  #endErrors: WeakSet<Error> | null = null;

  constructor(host: SessionHost) {
    this.#host = host;
  }

  /** A connection is open. */
  opened(connection: Conversation): void {
    this.core = this.#host.sessionOf(connection);
    this.connection = this.last = connection;
  }

  /** It ended. */
  disconnected(reason: EndReason): void {
    this.connection = null;
    this.lastReason = reason;
  }

  /** Whether the session itself goes on over the next connection. */
  get resumes(): boolean {
    return this.ended === null && this.core !== null && this.core.resumable;
  }

  /** Whether what is sent now can leave over the next connection, in this session or in the one that begins there. */
  get goesOn(): boolean {
    return this.ended === null && this.core !== null && this.core.accepts;
  }

  /** Whether the application may send now. */
  get takes(): boolean {
    return (this.connection !== null || this.goesOn) && !this.closing;
  }

  /** Whether another connection is dialled when this one ends. */
  get redials(): boolean {
    return this.#host.redials === true;
  }

  /** The error for what ended with its connection or session. */
  endError(reason: EndReason): HeartwireError {
    return this.#told(endError(reason, this.#host.peer));
  }

  /** The same where nobody called: its stack would be the run loop's, which tells nobody anything and is a twentieth of an accept and its end. */
  endNews(reason: EndReason): HeartwireError {
    return withoutStack(() => this.endError(reason));
  }

  /** Whether this error only says that the connection or session ended. */
  isEnd(error: unknown): boolean {
    return error instanceof Error && this.#endErrors !== null && this.#endErrors.has(error);
  }

  #told(error: HeartwireError): HeartwireError {
    (this.#endErrors ??= new WeakSet()).add(error);
    return error;
  }

  /** Why nothing can be sent now. */
  unsendable(): HeartwireError {
    if (this.ended !== null) return this.endError(this.ended);
    const { url } = this.#host.peer;
    // One that dials again is closed only by its application: else the next connection is near.
    if (this.closing || (this.connection !== null && !this.redials)) {
      return this.#told(
        new HeartwireError("CLOSED", `${url}: the session is closing: nothing more can be sent`, {
          hint: "Send before you close; to go on, open a new session.",
        }),
      );
    }
    return new HeartwireError("NOT_CONNECTED", `${url}: there is no connection at this time`, {
      retryable: true,
      hint: "Wait for the status `live`, then send again.",
      cause: this.lastReason,
    });
  }

  /** What a connection threw; that the peer closed meanwhile is no fault of the application's. */
  explained(error: unknown): unknown {
    const closed = error instanceof HeartwireError && error.code === "ERR_HEARTWIRE_NOT_OPEN";
    return closed ? this.unsendable() : error;
  }

  /** Fails a call at once: loudly if it was a mistake. */
  refused(error: unknown): Promise<never> {
    const rejected = Promise.reject(error);
    return this.isEnd(error) ? quiet(rejected) : rejected;
  }

  /** Fails a call at once because there is no connection. */
  unsent(): Promise<never> {
    return quiet(Promise.reject(this.unsendable()));
  }
}

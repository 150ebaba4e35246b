/**
 * What stands behind the session of a server: the connection over which it began, or the session that outlives that.
 *
 * Rule: one small object a session; what all sessions of a server have in common is kept once.
 *
 * @module
 */

import { numberOption } from "../core/errors.ts";
import type { ConnectionEvent, Conversation, Session as CoreSession } from "../core/mod.ts";
import type { Server as CoreServer } from "../core/server.ts";
import type { Address } from "./address.ts";
import type { Driver } from "./driver.ts";
import type { SessionHost } from "./host.ts";
import type { LiveSession } from "./live_session.ts";
import { type ListenOptions, report } from "./options.ts";

/** What all sessions of one server have in common. */
export interface Grounds {
  readonly driver: Driver<Conversation, ConnectionEvent>;
  readonly core: CoreServer;
  readonly options: ListenOptions;
  readonly window: number;
}

/** The host of one session. */
export class ServedHost implements SessionHost {
  readonly peer: Address;
  /** Whose host it is. */
  session: LiveSession | null = null;
  readonly #grounds: Grounds;
  readonly #connection: Conversation;
  readonly #core: CoreSession | null;

  constructor(grounds: Grounds, connection: Conversation) {
    this.#grounds = grounds;
    this.#connection = connection;
    this.#core = grounds.core.sessionOf(connection);
    this.peer = grounds.driver.transportOf(connection)!.remote;
  }

  get driver(): Driver<Conversation, ConnectionEvent> {
    return this.#grounds.driver;
  }

  get window(): number {
    return this.#grounds.window;
  }

  get budgeted(): boolean {
    return (this.#grounds.options.heartbeatBudget ?? Infinity) !== Infinity;
  }

  sessionOf(): CoreSession | null {
    return this.#core;
  }

  /** A client that is away is awaited for what it has yet to get, as long as sessions are kept. */
  close(code: number, text: string): void {
    const session = this.#core;
    if (session === null) return this.#end((carrier, now) => carrier.close(code, text, now), text);
    numberOption("closeCode", code, 0, Number.MAX_SAFE_INTEGER, true);
    const now = this.driver.now();
    session.close(code, text, now);
    this.driver.done(session.connection, now);
  }

  abort(text: string): void {
    this.#end((carrier, now) => carrier.abort("ABORTED", text, now), text);
  }

  fault(): void {
    this.#end((carrier, now) => carrier.abort("INTERNAL", "", now), "");
  }

  /** Ends the session by the connection that carries it now, or without one. */
  #end(by: (connection: Conversation, now: number) => void, text: string): void {
    const session = this.#core;
    const now = this.driver.now();
    const carrier = session === null ? this.#connection : session.connection;
    if (carrier !== null) by(carrier, now);
    else this.#grounds.core.endSession(session!, text);
    this.driver.done(carrier, now);
  }

  report(error: unknown): void {
    const session = this.session!;
    report(this.#grounds.options, error, session, `the handler of ${session.remote.url} failed`);
  }
}

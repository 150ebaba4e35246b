/**
 * Options of `connect` and `listen`: core's, and what only an adapter can do. core/options.ts checks core's part.
 *
 * @module
 */

import type { ClientOptions, ConnectionEvent, ServerOptions } from "../core/mod.ts";
import type { Address } from "./address.ts";
import type { Session } from "./session.ts";

/**
 * What is called when the application's own code threw: a handler, with its session; without one `authenticate`, or the runtime
 * because it cannot listen any more. The default writes to `console.error`.
 */
export type HandlerErrorReporter = (error: unknown, session: Session | null) => void;

/**
 * What is shown every event of a session's connection, from `open` to `closed`, synchronously: for measures, logs and tests. All but
 * `open` are shown before the session acts on them.
 *
 * It only looks: the event and its bytes are borrowed, so what is kept has to be copied, and of the session nothing but what can be read
 * (`stats()`, `remote`, ...) is to be used. What it throws is reported to `onHandlerError` and changes nothing.
 */
export type Observer = (session: Session, event: ConnectionEvent) => void;

/** Options that `connect` and `listen` share. */
export interface CommonOptions {
  /**
   * Called when a handler threw or rejected; its session has been ended with INTERNAL. Also when `observe` threw, which ends nothing.
   * Default: `console.error`.
   */
  readonly onHandlerError?: HandlerErrorReporter;
  /** Is shown every event of every session; see {@link Observer}. Default: none, which costs nothing. */
  readonly observe?: Observer;
}

/** Options of `connect`. */
export interface ConnectOptions extends Omit<ClientOptions, "endpoints" | "secureTransport">, CommonOptions {
  /** Gives the first connection up: `connect` rejects with `ERR_HEARTWIRE_CANCELLED`. Of no effect once connected. */
  readonly signal?: AbortSignal | undefined;
}

/** Who wants to come in. */
export interface Peer {
  /** The peer's end of the connection. */
  readonly remote: Address;
  /** Our end of it. */
  readonly local: Address;
}

/** Options of `listen`. */
export interface ListenOptions extends Omit<ServerOptions, "ask" | "secureTransport">, CommonOptions {
  /**
   * Says whether a client is let in, before it is welcomed. `false`, and throwing, refuse with UNAUTHORIZED; what it throws is
   * reported. The handshake's deadline bounds it.
   */
  readonly authenticate?: (peer: Peer) => boolean | PromiseLike<boolean>;
  /** Closes the server in good order, as `close()` does; before it listens, `listen` rejects with `ERR_HEARTWIRE_CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
}

/** Calls the application's reporter, or the default; what that throws changes nothing. */
export function report(options: CommonOptions, error: unknown, session: Session | null, what: string): void {
  try {
    if (options.onHandlerError !== undefined) options.onHandlerError(error, session);
    else console.error(`heartwire: ${what}:`, error);
  } catch (thrown) {
    console.error("heartwire: onHandlerError failed:", thrown);
  }
}

/** Shows an event to the application's observer, if there is one; what that throws is reported. */
export function show(options: CommonOptions, session: Session, event: ConnectionEvent): void {
  if (options.observe === undefined) return;
  try {
    options.observe(session, event);
  } catch (error) {
    report(options, error, session, `the observer of ${session.remote.url} failed`);
  }
}

/** What may wait unread of earlier conversations: what the peer may have under way, as core/options.ts has it. */
export function unreadLimit(options: ConnectOptions | ListenOptions): number {
  return options.window ?? Math.max(2 ** 20, options.maxMessage ?? 0);
}

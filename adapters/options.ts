/**
 * Options of `connect` and `listen`: core's, and what only an adapter can do. core/resolve.ts checks core's part.
 *
 * @module
 */

import { optionError, unknownOption } from "../core/errors.ts";
import type { ClientOptions, ConnectionEvent, ServerOptions } from "../core/mod.ts";
import { resolveClient, resolveServer } from "../core/resolve.ts";
import type { Address } from "./address.ts";
import type { Session } from "./session.ts";
import { checkStore, type SessionStore } from "./store.ts";

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
export interface ListenOptions
  extends Omit<ServerOptions, "ask" | "store" | "secureTransport">, CommonOptions {
  /**
   * Says whether a client is let in, before it is welcomed. `false`, and throwing, refuse with UNAUTHORIZED; what it throws is
   * reported. The handshake's deadline bounds it.
   */
  readonly authenticate?: (peer: Peer) => boolean | PromiseLike<boolean>;
  /** Where sessions are kept, so that another server, or this one after a restart, goes on with them. Default: they end with the server. */
  readonly store?: SessionStore;
  /** Closes the server in good order, as `close()` does; before it listens, `listen` rejects with `ERR_HEARTWIRE_CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
}

/** Checks what core cannot: names, callbacks and the signal. `core` are the names that core has, `own` those that an adapter sets. */
function check(
  options: CommonOptions & { readonly signal?: unknown },
  core: object,
  own: readonly string[],
  callbacks: readonly string[],
): void {
  if (typeof options !== "object" || options === null) throw optionError("options", "an object", options);
  const names = [...Object.keys(core).filter((name) => !own.includes(name)), ...callbacks, "signal"];
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name)) throw unknownOption(name, names);
    if (callbacks.includes(name) && value !== undefined && typeof value !== "function") {
      throw optionError(name, "a function", value);
    }
  }
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw optionError("signal", "an AbortSignal", signal);
  }
}

/** Checks the options of `connect` and returns core's. */
export function clientOptions(options: ConnectOptions, endpoints: number): ClientOptions {
  check(options, resolveClient(), ["endpoints", "secureTransport"], ["onHandlerError", "observe"]);
  const { signal: _signal, onHandlerError: _onHandlerError, observe: _observe, ...core } = options;
  return { ...core, endpoints };
}

/** Checks the options of `listen` and returns core's. */
export function serverOptions(options: ListenOptions): ServerOptions {
  check(options, resolveServer(), ["ask", "secureTransport"], ["onHandlerError", "observe", "authenticate"]);
  const { signal: _signal, onHandlerError: _onHandlerError, observe: _observe, ...rest } = options;
  const { authenticate, store, ...core } = rest;
  if (store !== undefined) checkStore(store);
  return { ...core, ask: authenticate !== undefined, store: store !== undefined };
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

/**
 * What stands behind a session: a client that dials, or a server that accepted.
 *
 * @module
 */

import type { ConnectionEvent, Conversation, Session as CoreSession } from "../core/mod.ts";
import type { Address } from "./address.ts";
import type { Driver } from "./driver.ts";

/** What a session needs of the client or server that made it. The first three give an input and drain. */
export interface SessionHost {
  readonly driver: Driver<Conversation, ConnectionEvent>;
  /** What may wait unread of earlier conversations, bytes. */
  readonly window: number;
  /** Whom errors name: where the peer came from, or what was dialled last. */
  readonly peer: Address;
  /** Another connection is dialled when this one ends. */
  readonly redials?: boolean;
  /** A server's heartbeat budget decides how often its clients may beat. */
  readonly budgeted?: boolean;
  /** What outlives this connection, which has just opened; null: nothing does. */
  sessionOf(connection: Conversation): CoreSession | null;
  close(code: number, text: string): void;
  abort(text: string): void;
  /** The application's handler failed: end the session and tell the peer no more than that. */
  fault(): void;
  /** Tells the application that its handler failed. Must not throw. */
  report(error: unknown): void;
}

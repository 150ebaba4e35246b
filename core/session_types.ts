/**
 * What a server keeps of each session, what it answers to who asks for one, and what it counts.
 *
 * @module
 */

import type { Connection } from "./connection.ts";
import type { CloseReason } from "./events.ts";
import type { Positions } from "./flow/session_state.ts";
import type { Admission } from "./resume.ts";
import type { Session } from "./session.ts";
import type { Pump } from "./store/pump.ts";
import type { Micros } from "./time.ts";

/** A session that a server keeps. */
export interface Held {
  readonly session: Session;
  readonly key: string;
  /** Of the dial that has it, and who dialled; null: not known, for it came from a store. */
  generation: number;
  instance: string | null;
  /** The client's first frame came: from then on it is kept. */
  confirmed: boolean;
  /** Without a connection: until when it is kept, and how its last connection ended. */
  until: Micros;
  reason: CloseReason | null;
  /** What of it is to be stored; null: nothing is. */
  readonly pump: Pump | null;
  /** Nobody came to go on with it here: that it is over is told when the store has released it. */
  awaited: boolean;
}

/** What becomes of a HELLO that asks for a session. */
export type Claim =
  | {
    readonly type: "admit";
    readonly held: Held;
    readonly admission: Admission;
    /** The connection that carried the session until now. */
    readonly superseded: Connection | null;
  }
  /** A newer dial has it; `winner`: that of another instance. */
  | { readonly type: "stale"; readonly winner: Uint8Array | null }
  /** A new session would push out another: none is granted. */
  | { readonly type: "full" }
  /** Nothing to resume. `previous`: the client proved to know it, but these positions do not fit its own. */
  | {
    readonly type: "unknown";
    readonly previous: Positions | null;
    readonly superseded: Connection | null;
  };

/** What a server counts of its sessions. */
export interface SessionCounts {
  /** With a connection. */
  readonly attached: number;
  /** Without one, waiting to be resumed. */
  readonly detached: number;
  /** Bytes that those hold. */
  readonly detachedBytes: number;
  /** Resumes since the start. */
  readonly resumed: number;
  /** Given up since the start: past the window, or for want of room. */
  readonly expired: number;
  /** Taken over from another server, or from before a restart, since the start. */
  readonly restored: number;
  /** That another server took over since the start. */
  readonly moved: number;
}

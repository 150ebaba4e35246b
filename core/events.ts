/**
 * What a machine tells its application: events, and the reason with which a connection ended.
 *
 * Rules: discriminated unions (`type`, `kind`); times in ms; byte views are borrowed until the next input. `closed` comes
 * once and last.
 *
 * @module
 */

import type { Code } from "./codes.ts";

/**
 * Why a connection was held to be dead (docs/PROTOCOL.md, section 5). SUSPENDED: this machine slept, or did not run for longer than the
 * detection time, and the peer did not answer when it ran again.
 */
export type Verdict =
  | "INBOUND_SILENT"
  | "OUTBOUND_DEAD"
  | "LOCAL_BACKLOG"
  | "SUSPENDED"
  | "SLOW"
  | "CORRUPT";

/**
 * Who did not run for a while: this process (LOCAL_STALLED), so long that nothing before counts (SUSPENDED), or the peer, as it said
 * afterwards (PEER_STALLED).
 */
export type StallVerdict = "LOCAL_STALLED" | "SUSPENDED" | "PEER_STALLED";

/** What a suspicion or a verdict rests on. */
export interface Evidence {
  /** What is held to be wrong. */
  readonly verdict: Verdict;
  /** The direction that failed, seen from here. */
  readonly direction: "inbound" | "outbound";
  /** For how long the missing evidence has been missing, ms. */
  readonly silentFor: number;
  /** After how long of it the verdict falls, ms. */
  readonly limit: number;
  /** By how much known stalls, of this process or confessed by the peer, deferred it, ms. */
  readonly deferred: number;
}

/** What both sides agreed on, in the handshake or since. Times in ms, sizes in bytes. */
export interface Agreement {
  /** The protocol version in force. */
  readonly version: number;
  /** At the latest so often this side sends. */
  readonly txInterval: number;
  /** At the latest so often the peer sends. */
  readonly rxInterval: number;
  /** Silence of this side after which the peer holds it dead: its detection time, or an unanswered PING of its own. */
  readonly txDetection: number;
  /** Silence of the peer after which this side holds it dead. */
  readonly rxDetection: number;
  /** A PING of this side that stays unanswered for so long shows the same. */
  readonly probeDetection: number;
  /** From a cut of both directions to the verdict, at most, whatever is being sent. */
  readonly detectionBound: number;
  /** The same when this side sends nothing but heartbeats: it then asks in every interval, else in every third. */
  readonly idleDetectionBound: number;
  /** By how much stalls that are known may defer a verdict in all, beyond these bounds. */
  readonly deferralCap: number;
  /** The longest message that the peer accepts. */
  readonly maxMessage: number;
}

/** A message whose processing the peer did not confirm. */
export interface Unconfirmed {
  /** The payload. */
  readonly bytes: Uint8Array;
  /** Where it ends in the order of its session, in chunks. */
  readonly position: number;
  /** It never arrived, or nobody knows. */
  readonly state: "unsent" | "maybeDelivered";
}

/** How a connection ended. */
export type CloseReason =
  /** In good order: CLOSE was exchanged. `closeCode` belongs to the application; 0 is an ordinary end. */
  | {
    readonly kind: "closed";
    readonly code: "NONE";
    readonly by: "local" | "peer";
    readonly closeCode: number;
    readonly text: string;
  }
  /** The server refused (`by: "peer"`), or this server did. `retryAfter` in ms, 0 = unsaid. */
  | {
    readonly kind: "refused";
    readonly code: Code;
    readonly by: "local" | "peer";
    readonly retryAfter: number;
    readonly text: string;
  }
  /** Silence past the bound. */
  | { readonly kind: "dead"; readonly code: "DEAD"; readonly evidence: Evidence }
  /** The peer broke the protocol and was told so. */
  | { readonly kind: "fault"; readonly code: Code; readonly text: string }
  /** The peer ended the connection with ERROR. */
  | { readonly kind: "error"; readonly code: Code; readonly number: number; readonly text: string }
  /** The transport ended without a word, or inside a frame. */
  | { readonly kind: "lost"; readonly code: "LOST" | "TRUNCATED"; readonly cause: unknown }
  /** The handshake or the closing exchange passed its deadline. */
  | { readonly kind: "timeout"; readonly code: "HANDSHAKE_TIMEOUT" | "CLOSE_TIMEOUT" }
  /** The application aborted. */
  | { readonly kind: "aborted"; readonly code: "ABORTED"; readonly text: string };

/** An event of a connection. An object may be used again for the next event: copy what is kept. */
export type ConnectionEvent =
  /** The handshake is complete; on a server, with the client's first frame after it. */
  | {
    readonly type: "open";
    readonly agreement: Agreement;
    /** The session goes on where it was. */
    readonly resumed: boolean;
  }
  /** The session cannot go on: what the peer did not confirm. A new session may follow. */
  | {
    readonly type: "lost";
    readonly unconfirmed: readonly Unconfirmed[];
    /** Of our open requests, those that never arrived; of the others nobody knows what became. */
    readonly unsentRequests: readonly number[];
  }
  /** The peer's application has finished with all messages up to this position. */
  | { readonly type: "processed"; readonly position: number }
  /** A whole message. `bytes` is borrowed until the next input unless `owned`; `position` goes to `consumed`. */
  | {
    readonly type: "message";
    readonly bytes: Uint8Array;
    readonly position: number;
    readonly owned: boolean;
    /** It came at most once, and perhaps before messages that were sent earlier. */
    readonly volatile: boolean;
  }
  /**
   * A request of the peer, whole; it is to be answered by `reply` with its `id`. `remaining`: ms for which the peer waits, as of when it asked; 0:
   * for ever. `bytes` is borrowed until the next input unless `owned`.
   */
  | {
    readonly type: "request";
    readonly id: number;
    readonly remaining: number;
    readonly bytes: Uint8Array;
    readonly owned: boolean;
  }
  /** The peer waits no longer for the answer to this request; it still wants one, whatever it says. */
  | { readonly type: "cancelled"; readonly id: number }
  /** The answer to our request with this id; `status` 0: `bytes` is the answer. See `ReplyStatus`. */
  | {
    readonly type: "reply";
    readonly id: number;
    readonly status: number;
    readonly bytes: Uint8Array;
    readonly owned: boolean;
  }
  /** After "blocked": `send` will accept again. */
  | { readonly type: "writable" }
  /** An answered heartbeat. `rtt` without the peer's `hold`; both in ms. */
  | { readonly type: "pong"; readonly sequence: number; readonly rtt: number; readonly hold: number }
  /** Two thirds of the time to a verdict have passed. */
  | { readonly type: "suspect"; readonly evidence: Evidence }
  /** The suspicion is over: what was missing came. */
  | { readonly type: "alive"; readonly verdict: Verdict }
  /** A process did not run for `span` ms, and what that explains is held against nobody. */
  | { readonly type: "stall"; readonly verdict: StallVerdict; readonly span: number }
  /** Our wall clock was set by `step` ms. Nothing follows from it. */
  | { readonly type: "clockStep"; readonly step: number }
  /**
   * Heartbeat terms changed, ours (`by: "local"`) or the peer's. Not `accepted`: the peer declined our offer, and the terms before it
   * hold again.
   */
  | {
    readonly type: "terms";
    readonly by: "local" | "peer";
    readonly accepted: boolean;
    readonly agreement: Agreement;
  }
  /** The peer did something wrong. Not fatal ones are tolerated a few times. */
  | { readonly type: "fault"; readonly code: Code; readonly text: string; readonly fatal: boolean }
  /** The peer announces an end. Times in ms. */
  | {
    readonly type: "goaway";
    readonly scope: "connection" | "session";
    readonly code: Code;
    readonly retryAfter: number;
    readonly jitter: number;
    readonly text: string;
    readonly endpoint: string;
  }
  /** The peer sends no more messages and waits for what is under way here. */
  | { readonly type: "closing"; readonly closeCode: number; readonly text: string }
  /** The end; nothing follows. */
  | { readonly type: "closed"; readonly reason: CloseReason };

/** An event of a client, which owns one connection after another. */
export type ClientEvent =
  /** A dial began; `attempt` counts from 1. `early`: on suspicion of the connection that is still there. */
  | {
    readonly type: "dialing";
    readonly attempt: number;
    readonly endpoint: number;
    readonly early: boolean;
  }
  /** An early dial came to nothing: the suspicion ended first (null), or it failed. The connection from before goes on. */
  | { readonly type: "unneeded"; readonly attempt: number; readonly reason: CloseReason | DialFailure | null }
  /** The connection of this attempt is open; the one before it, if it was still there, is given up. */
  | { readonly type: "live"; readonly attempt: number }
  /** The attempt failed or its connection ended; the next dial comes in `retryIn` ms, or never (null). */
  | {
    readonly type: "down";
    readonly attempt: number;
    readonly reason: CloseReason | DialFailure;
    readonly retryIn: number | null;
  }
  /** No dial follows; the client is finished. */
  | { readonly type: "ended"; readonly reason: CloseReason | DialFailure };

/** The transport could not be made. */
export interface DialFailure {
  /** Tells it from the reasons of a connection. */
  readonly kind: "dialFailed";
  /** Stable. */
  readonly code: "DIAL_FAILED";
  /** What the platform said; adapters give a `HeartwireError`. */
  readonly cause: unknown;
}

/**
 * What clients, servers and adapters hold, whatever protocol is spoken: heartwire/1 (`Connection`) or one of the historical formats
 * in classic/. A profile names the protocol.
 *
 * Rules: the same inputs, outputs and events for all, so that one owner, one driver and one session serve them. What a profile cannot
 * do throws ERR_HEARTWIRE_UNSUPPORTED, with its name.
 *
 * @module
 */

import type { Code } from "./codes.ts";
import type { Agreement, CloseReason, ConnectionEvent } from "./events.ts";
import type { SessionState } from "./flow/session_state.ts";
import type { Machine } from "./machine.ts";
import type { Phase } from "./phases.ts";
import type { Admission } from "./resume.ts";
import type { ConnectionStats } from "./stats.ts";
import type { HeartbeatTerms } from "./terms.ts";
import type { Parameters } from "./wire/parameters.ts";

/** What `goAway` says. */
export interface GoAwayOptions {
  /** `connection`: reconnect elsewhere or later. `session`: send no new messages, expect the end. */
  readonly scope: "connection" | "session";
  /** Why. */
  readonly code: Code;
  /** When the peer may dial again, ms; default 0. */
  readonly retryAfter?: number;
  /** Over how much time peers spread their dials, ms; default 0. */
  readonly jitter?: number;
  /** Why, for a person; default empty. */
  readonly text?: string;
  /** Where to dial instead; default empty. */
  readonly endpoint?: string;
}

/** One conversation over one transport. */
export interface Conversation extends Machine<ConnectionEvent> {
  /** The state; profiles without a handshake know "deciding", "open", "closing" and "closed". */
  readonly phase: Phase;
  /** What was agreed, or is expected; null before it is open. */
  readonly agreement: Agreement | null;
  /** The session that it carries, or carried; null: nothing outlives it. */
  readonly session: SessionState | null;
  /** How it ended; null while it has not. */
  readonly reason: CloseReason | null;
  /** The peer's announcement of an end: when it may be dialled again, ms; null without one. */
  readonly goaway: { readonly retryAfter: number; readonly jitter: number } | null;
  /**
   * Sends a message; the payload is copied. "blocked": it was not taken, `writable` follows.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_MESSAGE_TOO_LARGE, ERR_HEARTWIRE_UNSUPPORTED
   */
  send(payload: Uint8Array, now: number): "accepted" | "blocked";
  /**
   * Sends a message of one chunk at most once: at once, or not at all. It may overtake others. "dropped": the way is blocked.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_MESSAGE_TOO_LARGE, ERR_HEARTWIRE_UNSUPPORTED
   */
  sendVolatile(payload: Uint8Array, now: number): "sent" | "dropped";
  /** The application finished the message with this position, and all before it: credit flows back to the peer. */
  consumed(position: number, now: number): void;
  /**
   * Asks the peer's application; the payload is copied. It takes its turn among messages. Returns its id, with which the event `reply` comes, or 0:
   * it was not taken, `writable` follows. `timeout` in ms, Infinity for none, is told to the peer; who asked keeps the time, and calls `cancel`.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_MESSAGE_TOO_LARGE, ERR_HEARTWIRE_REQUESTS_OPEN when `maxRequests` are open,
   *   ERR_HEARTWIRE_UNSUPPORTED
   */
  request(payload: Uint8Array, timeout: number, now: number): number;
  /** Nobody waits for the answer to this request of ours any more: no event comes, and the peer is told. Changes nothing when it is not open. */
  cancel(id: number, now: number): void;
  /**
   * Answers a request of the peer; `status` 0 with the answer, or why there is none (`ReplyStatus`, from 64 on the application's own). An answer
   * overtakes messages. "blocked": it was not taken, for too many wait, `writable` follows. "late": it is not open any more.
   *
   * @throws HeartwireError ERR_HEARTWIRE_MESSAGE_TOO_LARGE: answer something shorter
   */
  reply(id: number, status: number, payload: Uint8Array, now: number): "accepted" | "blocked" | "late";
  /**
   * Sends a heartbeat that wants an answer, as soon as the peer takes one; the event `pong` follows. Returns its sequence.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_PINGS_OPEN, ERR_HEARTWIRE_UNSUPPORTED
   */
  ping(now: number): number;
  /** Whether new heartbeat terms of ours are not settled yet. */
  readonly retuning: boolean;
  /**
   * Changes our heartbeat terms while connected; what is not named stays. The event `terms` tells the outcome. Times in ms.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_OPTION, ERR_HEARTWIRE_UNSUPPORTED
   */
  retune(change: HeartbeatTerms, now: number): void;
  /** Announces an end to the peer, where the protocol has words for it. */
  goAway(options: GoAwayOptions, now: number): void;
  /** Ends in good order, as far as the protocol has one. */
  close(closeCode: number, text: string, now: number): void;
  /** As `close`, but first the application may finish the messages that it has, and answer them. */
  drain(closeCode: number, text: string, now: number): void;
  /** Ends at once. */
  abort(code: Code, text: string, now: number): void;
  /** Server, while "deciding": admits the client, which may beat every `minimumInterval` ms where that is negotiated; default the option. */
  accept(now: number, minimumInterval?: number, admission?: Admission): void;
  /** Server, before it admitted: refuses the client. `retryAfter` in ms, 0 = unsaid; `session`: what is told of the session that it asked for. */
  reject(code: Code, retryAfter: number, text: string, now: number, session?: Parameters): void;
  /** Counters and measures, as of `now` (monotonic ms) where they depend on it; default the last input. */
  stats(now?: number): ConnectionStats;
}

/**
 * The session: what an application holds of a connection.
 *
 * This file is its face; live_session.ts is what is behind it. A session belongs to one connection, or, at a client with `reconnect`, to one
 * connection after another, and so does the one that the server's handler has. What is accepted then arrives once and in order as long as both
 * processes keep the session; when one lost it, the status `unconfirmed` says what is not known to have been processed, and a new session begins.
 *
 * @module
 */

import type { Agreement, ConnectionStats, HeartbeatTerms } from "../core/mod.ts";
import type { Address } from "./address.ts";
import type { MessageHandler } from "./consumers.ts";
import type { EndReason } from "./failure.ts";
import type { Message, Payload } from "./message.ts";
import type { SessionState, Status } from "./status.ts";

/** An operation that can be given up. */
export interface SignalOption {
  /** Gives the operation up: it fails with `ERR_HEARTWIRE_CANCELLED`, whose `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link Session.send}. */
export interface SendOptions extends SignalOption {
  /**
   * Resolve only when the peer's application has finished the message. When the session is lost before that: `ERR_HEARTWIRE_UNSENT` (it
   * never arrived), or `ERR_HEARTWIRE_MAYBE_DELIVERED` (nobody knows). The signal has no effect any more once the message was accepted.
   * Profile "heartwire" only.
   */
  readonly acknowledged?: boolean;
}

/** Options of {@link Session.request}. */
export interface RequestOptions extends SignalOption {
  /** Fail with `ERR_HEARTWIRE_TIMEOUT` after so long, ms, waiting for room and for a connection included; default 30,000; Infinity: never. */
  readonly timeout?: number | undefined;
}

/** What the peer asks. */
export interface Request extends Payload {
  /** For how long the peer waits, ms, as of when it asked; Infinity: for ever. */
  readonly remaining: number;
  /** Aborted when the peer waits no longer, or the session is lost: what is answered then is not sent. */
  readonly signal: AbortSignal;
}

/** Answers a request: with what it returns, or what the promise it returns is fulfilled with; undefined is an empty answer. */
export type RequestHandler = (
  request: Request,
) => string | Uint8Array | undefined | void | Promise<string | Uint8Array | undefined | void>;

/** Options of {@link Session.ping}. */
export interface PingOptions extends SignalOption {
  /** Fail with `ERR_HEARTWIRE_TIMEOUT` after so long, ms; default: when the connection is held dead. */
  readonly timeout?: number | undefined;
}

/** The answer to a {@link Session.ping}. Times in ms. */
export interface PingResult {
  /** The number of the PING on this connection; automatic heartbeats count too. */
  readonly sequence: number;
  /** Round trip, without what the peer took. */
  readonly rtt: number;
  /** For how long the peer held the answer back. */
  readonly hold: number;
}

/** What a session counts: over all its connections; measures, and what is of one connection by nature, are of the current or last. */
export interface SessionStats extends ConnectionStats {
  /** Connections that were live, one after another. */
  readonly conversations: number;
  /** Messages received that the application has not taken yet. */
  readonly unread: number;
  /** Their bytes, and 64 for each message. */
  readonly unreadBytes: number;
  /** Messages dropped unread because more than a window of earlier conversations waited. */
  readonly discarded: number;
}

/** A conversation with one peer: messages in order, and the knowledge whether it is still there. */
export interface Session extends AsyncIterable<Message>, AsyncDisposable {
  /** The state of now; {@link Session.status} tells its changes. */
  readonly state: SessionState;
  /** What both sides agreed on; null while not connected. */
  readonly agreement: Agreement | null;
  /** The peer's end of the current or last connection. */
  readonly remote: Address;
  /** Our end of it. */
  readonly local: Address;
  /** Resolves when the session has ended, with how. Never rejects. */
  readonly closed: Promise<EndReason>;

  /**
   * Sends a message. Resolves when it was accepted: copied and put in order, not yet processed by the peer. While the connection
   * is blocked it waits; until it resolves the bytes must not change. Sends keep their order, awaited or not.
   *
   * Rejects with {@link HeartwireError}: `ERR_HEARTWIRE_MESSAGE_TOO_LARGE`, `_SEND_QUEUE_FULL` (16 MiB wait already),
   * `_NOT_CONNECTED` (between two connections of a session that cannot go on; retryable), `_CLOSED` (the session is closed or closing), `_CANCELLED`,
   * `_DATA` (neither a string nor a Uint8Array), or with what ended the connection: `_DEAD`, `_LOST`, ...
   *
   * A send that nobody awaits may fail unseen because of its signal or because there is no connection any more: {@link Session.closed}
   * and {@link Session.status} tell that. The caller's mistakes (`_MESSAGE_TOO_LARGE`, `_SEND_QUEUE_FULL`, `_DATA`) must be handled, as
   * any rejection.
   *
   * Read while you send: a peer that answers what it reads and is not read from stops reading, and then both sides are blocked.
   */
  send(data: string | Uint8Array, options?: SendOptions): Promise<void>;

  /**
   * Sends a message at most once: at once, or not at all. It may overtake messages that wait, and is never sent again. True: it was sent. False: it
   * was dropped, because the way is blocked or there is no connection at this time. For what is worthless when it is late.
   *
   * Throws {@link HeartwireError}: `ERR_HEARTWIRE_MESSAGE_TOO_LARGE` (16,384 bytes fit), `_CLOSED`, `_NOT_CONNECTED`, `_DATA`, `_UNSUPPORTED`
   * (another profile than "heartwire").
   */
  sendVolatile(data: string | Uint8Array): boolean;

  /**
   * Asks the peer's application and resolves with its answer. A request takes its turn among sends: it does not arrive before them, but its handler runs beside
   * that of messages. The answer overtakes the peer's messages. It goes on over the next connection of a session that resumes, and is handled once.
   *
   * Rejects with {@link HeartwireError}: `ERR_HEARTWIRE_TIMEOUT` and `_CANCELLED` (the peer is told, and may have done it), {@link ReplyError}
   * (`_REPLY`: the peer's handler refused, with a status of its own), `_REQUEST_FAILED` (it threw), `_NO_HANDLER`, `_REQUESTS_BUSY` (more than its
   * `maxRequests` are open), `_REQUESTS_OPEN` (more than ours), `_UNSENT` and `_MAYBE_DELIVERED` when the session was lost, and what `send` rejects
   * with. Never asked again by itself. Profile "heartwire" only.
   */
  request(data: string | Uint8Array, options?: RequestOptions): Promise<Payload>;

  /**
   * Answers the peer's requests, beside its messages and several at a time; the last handler counts. Requests that come earlier wait for it for a second, then
   * `ERR_HEARTWIRE_NO_HANDLER` answers them. What it throws answers `_REQUEST_FAILED` and is told to `onHandlerError`; a {@link ReplyError} is
   * told to the peer.
   */
  onRequest(handler: RequestHandler): void;

  /**
   * The messages, one by one; `for await (const message of session)` is the same. A message counts as processed when the next one is
   * asked for or the loop is left; until then its bytes are not credited to the peer. Leaving the loop leaves the session open.
   *
   * Ends when the peer closed in order. Throws `ERR_HEARTWIRE_DEAD`, `_LOST`, ... when the session ended otherwise,
   * `_CONSUMED` when another consumer waits for messages, `_CANCELLED`.
   */
  messages(options?: SignalOption): AsyncIterableIterator<Message>;

  /**
   * Gives each message to a handler, the next when the one before is processed: when the handler returned, or what it returned is
   * fulfilled. Faster than iteration. The promise settles as iteration ends; a server's handler returns it:
   * `(session) => session.onMessage((message) => session.send(message.bytes))`. A handler that throws aborts the session.
   */
  onMessage(handler: MessageHandler, options?: SignalOption): Promise<void>;

  /**
   * The changes of state with their evidence, beginning with the state of now and ending behind `closed`; between them what happens to
   * time and terms without changing it (`stalled`, `clockStepped`, `retuned`; {@link Passing}). Each call has a queue of its own, of 64
   * at most: who does not listen loses the oldest that tell of no loss, and sees how many in `missed`.
   */
  status(options?: SignalOption): AsyncIterableIterator<Status>;

  /**
   * Asks the peer for an answer, besides the automatic heartbeats. Rejects with `ERR_HEARTWIRE_TIMEOUT`, `_CANCELLED`, `_NOT_CONNECTED`,
   * `_CLOSED`, `_PINGS_OPEN` (64 are unanswered), or what ended the connection. As with {@link Session.send}, one that nobody awaits may
   * fail unseen for want of an answer.
   */
  ping(options?: PingOptions): Promise<PingResult>;

  /**
   * Changes how this side beats (`interval`, `multiplier`) and how fast the peer may beat at most (`minimumInterval`), for this connection;
   * what is not named stays. Resolves with what is agreed then, when the peer has confirmed it. The peer may be slower than asked for:
   * an interval in force is the longer of what one side wishes and the other permits.
   *
   * Rejects with `ERR_HEARTWIRE_DECLINED` (the detection time would be longer than the peer waits; what was agreed before holds),
   * `_OPTION` (a value that cannot be, or with which we would wait longer than `maximumDetection`), `_NOT_CONNECTED`, `_CLOSED`,
   * `_UNSUPPORTED` (another profile), or what ended the connection. A call while another waits follows it: it is offered when that is
   * answered, on top of what that named. With `reconnect`, each further connection begins with the options of `connect` again.
   */
  retune(change: HeartbeatTerms): Promise<Agreement>;

  /** Counters and measures, those that depend on time as of now. */
  stats(): SessionStats;

  /**
   * Ends in good order: what was accepted is delivered, and the peer's application finishes it. Bounded by `closeTimeout`. Messages that
   * nobody is consuming at this time are dropped. Resolves as {@link Session.closed}; calling it again does nothing more.
   *
   * @param code the application's, 0 .. 2^53 - 1; default 0, an ordinary end
   * @param text why, for a person, at most 255 bytes of UTF-8
   */
  close(code?: number, text?: string): Promise<EndReason>;

  /**
   * Ends at once: tells the peer if that is possible, drops everything that waits.
   *
   * @param text why, told to the peer, at most 255 bytes of UTF-8
   */
  abort(text?: string): void;

  /** {@link Session.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

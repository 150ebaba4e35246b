/**
 * What is behind a `Session`: it turns calls into inputs of the connection and events of the connection into promises.
 *
 * Rules:
 * - Every input is followed by `driver.done`. No event handler here gives an input: sends that waited and handlers are deferred.
 * - Everything that waits for a connection fails when that ends, typed, each with an error of its own.
 * - The host (a client or a server) says when connections come and when the session is over; nothing here dials.
 *
 * @module
 */

import {
  type Agreement,
  type ConnectionEvent,
  type Conversation,
  type HeartbeatTerms,
  HeartwireError,
  type Session as CoreSession,
  type Unconfirmed,
} from "../core/mod.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { Address } from "./address.ts";
import type { MessageHandler } from "./consumers.ts";
import { cancelled, endError, type EndReason, notData, quiet, unacknowledged } from "./failure.ts";
import type { SessionHost } from "./host.ts";
import { Inbox } from "./inbox.ts";
import { type Message, ReceivedMessage } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { Pings } from "./pings.ts";
import { Retunes } from "./retunes.ts";
import type { PingOptions, PingResult, SendOptions, Session, SessionStats, SignalOption } from "./session.ts";
import { type Lasting, type PassingChange, type SessionState, type Status, StatusFeed } from "./status.ts";
import type { Transport } from "./transport.ts";

/** What sends may wait for at most, bytes. */
const WAITING_MAX = 16 * 2 ** 20;
const ACCEPTED = Promise.resolve();
const encoder = new TextEncoder();

/** The payload of what is to be sent; null: it is none. */
function bytesOf(data: unknown): Uint8Array | null {
  if (typeof data === "string") return encoder.encode(data);
  return data instanceof Uint8Array ? data : null;
}

/** A session that is or was connected. */
export class LiveSession implements Session {
  readonly closed: Promise<EndReason>;
  readonly #host: SessionHost;
  readonly #feed: StatusFeed;
  readonly #inbox: Inbox<ReceivedMessage<object>>;
  readonly #outbox = new Outbox(WAITING_MAX);
  readonly #pings: Pings;
  readonly #retunes: Retunes;
  /** The errors made because the connection or session ended: not the application's fault when its handler throws them. */
  readonly #endErrors = new WeakSet<Error>();
  readonly #acknowledgements = new Acknowledgements();
  /** What goes on over one connection after another; null: nothing does. */
  #core: CoreSession | null = null;
  #connection: Conversation | null = null;
  #transport: Transport | null = null;
  #last: Conversation | null = null;
  #lastReason: EndReason | null = null;
  #ended: EndReason | null = null;
  #closing = false;
  #faulted = false;
  #conversations = 0;
  #discarded = 0;
  #resolveClosed!: (reason: EndReason) => void;
  /** Positions to be told as consumed before the next write, together. */
  #consumed: ReceivedMessage<object> | null = null;

  constructor(host: SessionHost) {
    this.#host = host;
    const { driver } = host;
    this.#feed = new StatusFeed({ state: "connecting", attempt: 1 }, driver.now());
    this.#pings = new Pings(host);
    this.#retunes = new Retunes(host);
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#inbox = new Inbox({
      processed: (message) => {
        if (this.#consumed === null) driver.beforeFlush(this.#tellConsumed);
        this.#consumed = message;
      },
      handlerFailed: (error) => this.handlerFailed(error),
      defer: (task) => driver.defer(task),
    });
  }

  /** What outlives its connections; null: nothing does. */
  get core(): CoreSession | null {
    return this.#core;
  }

  // What the host says.

  /** A dial began. */
  connecting(attempt: number): void {
    const { current } = this.#feed;
    if (current.state === "connecting" && current.attempt === attempt) return;
    this.#publish({ state: "connecting", attempt });
  }

  /** A connection's event. The first is "open". */
  event(connection: Conversation, event: ConnectionEvent): void {
    if (event.type === "open") return this.#opened(connection, event.agreement, event.resumed);
    if (event.type === "lost") return this.#unconfirmed(event.unconfirmed);
    if (connection !== this.#connection) return;
    switch (event.type) {
      case "message":
        return this.#inbox.push(this.#message(connection, event));
      case "processed":
        return this.#acknowledgements.processed(event.position);
      case "writable":
        return this.#host.driver.defer(this.#sendWaiting);
      case "pong":
        return this.#pings.answered(event.sequence, event.rtt, event.hold);
      case "suspect":
        return this.#publish({ state: "suspect", evidence: event.evidence });
      case "alive":
        return this.#publish(this.#live(connection.agreement!));
      case "stall":
        return this.#pass({ state: "stalled", verdict: event.verdict, span: event.span });
      case "clockStep":
        return this.#pass({ state: "clockStepped", step: event.step });
      case "terms": {
        const { by, accepted, agreement } = event;
        this.#pass({ state: "retuned", by, accepted, agreement });
        if (by === "local") this.#retunes.answered(accepted, agreement);
        return;
      }
      case "goaway": {
        const { scope, code, text, retryAfter } = event;
        return this.#publish({ state: "draining", scope, code, text, retryAfter });
      }
      case "closing": {
        // Iteration ends with the session: a client that dials again may get messages of the next conversation.
        const { text } = event;
        return this.#publish({ state: "draining", scope: "session", code: "NONE", text, retryAfter: 0 });
      }
      case "closed":
        return this.#disconnected(event.reason);
      case "fault": // Counted in stats; one that is fatal is the reason of `closed`, which follows.
    }
  }

  #live(agreement: Agreement, discarded = 0): { state: "live"; agreement: Agreement; discarded: number } {
    return { state: "live", agreement, discarded };
  }

  #publish(change: Lasting): void {
    this.#feed.publish(change, this.#host.driver.now());
  }

  #pass(change: PassingChange): void {
    this.#feed.pass(change, this.#host.driver.now());
  }

  #message(connection: Conversation, event: ConnectionEvent & { type: "message" }): ReceivedMessage<object> {
    const { bytes, owned, position, volatile } = event;
    return new ReceivedMessage(bytes, owned, position, this.#source(connection), volatile);
  }

  /** What a message belongs to: positions count in one session, or in one connection where nothing outlives it. */
  #source(connection: Conversation): object {
    return connection.session ?? connection;
  }

  #opened(connection: Conversation, agreement: Agreement, resumed: boolean): void {
    this.#core = this.#host.sessionOf(connection);
    this.#connection = this.#last = connection;
    this.#transport = this.#host.driver.transportOf(connection);
    this.#conversations++;
    const discarded = resumed ? 0 : this.#inbox.drop(this.#host.window);
    this.#discarded += discarded;
    this.#publish(this.#live(agreement, discarded));
    if (!this.#outbox.empty) this.#host.driver.defer(this.#sendWaiting);
  }

  /** The session could not go on. */
  #unconfirmed(messages: readonly Unconfirmed[]): void {
    this.#acknowledgements.lost(messages, this.#host.peer.url);
    this.#pass({ state: "unconfirmed", messages });
  }

  #disconnected(reason: EndReason): void {
    this.#connection = null;
    this.#lastReason = reason;
    const error = (): HeartwireError => this.#endError(reason);
    this.#pings.fail(error);
    this.#retunes.fail(error);
    if (!this.#goesOn) this.#failSends(error);
  }

  #failSends(error: () => HeartwireError): void {
    this.#outbox.fail(error);
    this.#acknowledgements.fail(error);
  }

  /** Whether what is sent now can leave over the next connection. */
  get #goesOn(): boolean {
    return this.#ended === null && this.#core !== null && this.#core.resumable;
  }

  /** The connection ended; another may follow: dialled in `retryIn` ms, or, at a server, awaited (null). */
  lost(reason: EndReason, retryIn: number | null): void {
    if (this.#goesOn || retryIn === null) return this.#publish({ state: "resuming", reason, retryIn });
    this.#failSends(() => this.#endError(reason));
    this.#publish({ state: "lost", reason, retryIn });
  }

  /** When no `onMessage` runs any more, however it ended: that is told elsewhere. */
  async handled(): Promise<void> {
    for (let loop = this.#inbox.handling; loop !== null; loop = this.#inbox.handling) {
      await loop.catch(() => {});
    }
  }

  /** The session is over. */
  ended(reason: EndReason): void {
    if (this.#ended !== null) return;
    const unconfirmed = reason.kind === "closed" ? [] : this.#core?.unconfirmed() ?? [];
    this.#ended = reason;
    if (unconfirmed.length > 0) this.#unconfirmed(unconfirmed);
    this.#disconnected(reason);
    if (reason.kind === "aborted") this.#inbox.drop(0);
    this.#inbox.end(reason.kind === "closed" ? null : this.#endError(reason));
    this.#publish({ state: "closed", reason });
    this.#resolveClosed(reason);
  }

  /** The application's handler threw: the session ends, unless it only passed on that it had ended. */
  handlerFailed(error: unknown): void {
    if (error instanceof Error && this.#endErrors.has(error)) return void this.close();
    if (this.#faulted) return;
    this.#faulted = true;
    this.#host.report(error);
    if (this.#ended === null) this.#host.fault();
  }

  #endError(reason: EndReason): HeartwireError {
    const error = endError(reason, this.#host.peer);
    this.#endErrors.add(error);
    return error;
  }

  /** Why nothing can be sent now. */
  #unsendable(): HeartwireError {
    if (this.#ended !== null) return this.#endError(this.#ended);
    const { url } = this.#host.peer;
    // One that dials again is closed only by its application: else the next connection is near.
    if (this.#closing || (this.#connection !== null && this.#host.redials !== true)) {
      const error = new HeartwireError("CLOSED", `${url}: the session is closing: nothing more can be sent`, {
        hint: "Send before you close; to go on, open a new session.",
      });
      this.#endErrors.add(error);
      return error;
    }
    return new HeartwireError("NOT_CONNECTED", `${url}: there is no connection at this time`, {
      retryable: true,
      hint: "Wait for the status `live`, then send again.",
      cause: this.#lastReason,
    });
  }

  readonly #tellConsumed = (): void => {
    const message = this.#consumed!;
    this.#consumed = null;
    const connection = this.#connection;
    const source = ReceivedMessage.source(message);
    const now = this.#host.driver.now();
    if (this.#core !== null) {
      if (source !== this.#core.state) return; // of a session that was lost
      this.#core.consumed(message.position, now);
    } else {
      if (connection === null || source !== connection) return; // of an earlier conversation, or too late
      connection.consumed(message.position, now);
    }
    if (connection !== null) this.#host.driver.done(connection, now);
  };

  readonly #sendWaiting = (): void => {
    const connection = this.#connection;
    if (connection === null || this.#outbox.empty) return;
    const now = this.#host.driver.now();
    this.#outbox.flush((bytes) => this.#give(bytes, now));
    this.#host.driver.done(connection, now);
  };

  #give(bytes: Uint8Array, now: number): "accepted" | "blocked" {
    try {
      return (this.#core ?? this.#connection!).send(bytes, now);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** What the connection threw; that the peer closed meanwhile is no fault of the application's. */
  #explained(error: unknown): unknown {
    const closed = error instanceof HeartwireError && error.code === "ERR_HEARTWIRE_NOT_OPEN";
    return closed ? this.#unsendable() : error;
  }

  /** Fails a call at once: loudly if it was a mistake. */
  #refused(error: unknown): Promise<never> {
    const rejected = Promise.reject(error);
    return this.#endErrors.has(error as Error) ? quiet(rejected) : rejected;
  }

  // What the application says.

  get state(): SessionState {
    return this.#feed.current.state;
  }

  get agreement(): Agreement | null {
    return this.#connection?.agreement ?? null;
  }

  get remote(): Address {
    return this.#transport!.remote;
  }

  get local(): Address {
    return this.#transport!.local;
  }

  send(data: string | Uint8Array, options: SendOptions = {}): Promise<void> {
    const { signal, acknowledged } = options;
    if (signal?.aborted) return quiet(Promise.reject(cancelled(signal)));
    const connection = this.#connection;
    if ((connection === null && !this.#goesOn) || this.#closing) {
      return quiet(Promise.reject(this.#unsendable()));
    }
    if (acknowledged === true && this.#last!.agreement?.version === 0) return this.#refused(unacknowledged());
    const bytes = bytesOf(data);
    if (bytes === null) return this.#refused(notData(data));
    if (!this.#outbox.empty) return this.#waitToSend(bytes, options);
    const now = this.#host.driver.now();
    let result: "accepted" | "blocked";
    try {
      result = this.#give(bytes, now);
    } catch (error) {
      return this.#refused(error);
    }
    const accepted = acknowledged === true ? () => this.#acknowledgement() : () => ACCEPTED;
    const promise = result === "accepted" ? accepted() : this.#waitToSend(bytes, options);
    if (connection !== null) this.#host.driver.done(connection, now);
    return promise;
  }

  #waitToSend(bytes: Uint8Array, { signal, acknowledged }: SendOptions): Promise<void> {
    const accepted = this.#outbox.wait(
      bytes,
      signal,
      acknowledged === true ? () => this.#acknowledgement() : null,
    );
    return accepted;
  }

  sendVolatile(data: string | Uint8Array): boolean {
    const bytes = bytesOf(data);
    if (bytes === null) throw notData(data);
    const connection = this.#connection;
    const open = this.#ended === null && !this.#closing;
    if (connection === null && open && (this.#goesOn || this.#host.redials === true)) return false;
    if (connection === null || !open) throw this.#unsendable();
    const now = this.#host.driver.now();
    try {
      return connection.sendVolatile(bytes, now) === "sent";
    } catch (error) {
      throw this.#explained(error);
    } finally {
      this.#host.driver.done(connection, now);
    }
  }

  /** Settles when the message that was accepted last was processed. */
  #acknowledgement(): Promise<void> {
    const position = this.#core?.state.outbound.accepted ?? this.#connection!.stats().accepted;
    return this.#acknowledgements.wait(position);
  }

  messages(options: SignalOption = {}): AsyncIterableIterator<Message> {
    return this.#inbox.iterate(options.signal);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this.#inbox.iterate();
  }

  onMessage(handler: MessageHandler, options: SignalOption = {}): Promise<void> {
    return this.#inbox.handle(handler, options.signal);
  }

  status(options: SignalOption = {}): AsyncIterableIterator<Status> {
    return this.#feed.listen(options.signal);
  }

  ping(options: PingOptions = {}): Promise<PingResult> {
    const connection = this.#connection;
    if (connection === null) return quiet(Promise.reject(this.#unsendable()));
    try {
      return this.#pings.ask(connection, options);
    } catch (error) {
      return this.#refused(this.#explained(error));
    }
  }

  retune(change: HeartbeatTerms): Promise<Agreement> {
    const connection = this.#connection;
    if (connection === null || this.#closing) return quiet(Promise.reject(this.#unsendable()));
    try {
      return this.#retunes.ask(connection, change);
    } catch (error) {
      return this.#refused(this.#explained(error));
    }
  }

  stats(): SessionStats {
    return {
      ...this.#last!.stats(this.#host.driver.now()),
      conversations: this.#conversations,
      unread: this.#inbox.length,
      unreadBytes: this.#inbox.bytes,
      discarded: this.#discarded,
    };
  }

  close(code = 0, text = ""): Promise<EndReason> {
    if (this.#ended !== null || this.#closing) return this.closed;
    try {
      this.#host.close(code, text);
    } catch (error) {
      return Promise.reject(error); // a code that cannot be
    }
    this.#closing = true;
    this.#outbox.fail(() => this.#unsendable()); // what was accepted is still acknowledged
    this.#inbox.abandon();
    return this.closed;
  }

  abort(text = ""): void {
    if (this.#ended === null) this.#host.abort(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

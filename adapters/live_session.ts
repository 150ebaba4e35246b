/**
 * What is behind a `Session`: it turns calls into inputs of the connection and events of the connection into promises.
 *
 * Rules:
 * - Every input is followed by `driver.done`, or by `driver.given` where nobody waits for events. No event handler here gives an input: sends that waited and handlers are deferred.
 * - Everything that waits for a connection fails when that ends, typed, each with an error of its own.
 * - The host (a client or a server) says when connections come and when the session is over; nothing here dials.
 *
 * @module
 */

import type {
  Agreement,
  ConnectionEvent,
  Conversation,
  HeartbeatTerms,
  HeartwireError,
  Session as CoreSession,
  Unconfirmed,
} from "../core/mod.ts";
import type { Address } from "./address.ts";
import { Channel } from "./channel.ts";
import type { Task } from "./driver.ts";
import type { MessageHandler } from "./consumers.ts";
import type { EndReason } from "./failure.ts";
import type { SessionHost } from "./host.ts";
import { Inbox, type InboxHooks } from "./inbox.ts";
import { type Message, type Payload, ReceivedMessage } from "./message.ts";
import { Pings } from "./pings.ts";
import { Replies } from "./replies.ts";
import { Requests } from "./requests.ts";
import { Retunes } from "./retunes.ts";
import { Sends } from "./sends.ts";
import type {
  PingOptions,
  PingResult,
  RequestHandler,
  RequestOptions,
  SendOptions,
  Session,
  SessionStats,
  SignalOption,
} from "./session.ts";
import { type Lasting, type PassingChange, type SessionState, type Status, StatusFeed } from "./status.ts";
import { Totals } from "./totals.ts";
import type { Transport } from "./transport.ts";

/** A session that is or was connected. */
export class LiveSession implements Session, InboxHooks<ReceivedMessage<object>>, Task {
  /** Null until somebody asks for it. */
  #closed: Promise<EndReason> | null = null;
  readonly #host: SessionHost;
  readonly #channel: Channel;
  readonly #feed: StatusFeed;
  readonly #inbox: Inbox<ReceivedMessage<object>>;
  // Null until it is needed: many sessions only have messages.
  #pings: Pings | null = null;
  #retunes: Retunes | null = null;
  readonly #sends: Sends;
  #requests: Requests | null = null;
  #replies: Replies | null = null;
  #totals: Totals | null = null;
  #transport: Transport | null = null;
  #faulted = false;
  #conversations = 0;
  #discarded = 0;
  #resolveClosed: ((reason: EndReason) => void) | null = null;
  /** Positions to be told as consumed before the next write, together. */
  #consumed: ReceivedMessage<object> | null = null;

  constructor(host: SessionHost) {
    this.#host = host;
    const { driver } = host;
    this.#feed = new StatusFeed({ state: "connecting", attempt: 1 }, driver.now());
    this.#channel = new Channel(host);
    this.#sends = new Sends(host, this.#channel);
    this.#inbox = new Inbox(this);
  }

  get #answering(): Replies {
    return this.#replies ??= new Replies(this.#host, this.#channel);
  }

  /** What outlives its connections; null: nothing does. */
  get core(): CoreSession | null {
    return this.#channel.core;
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
    if (event.type === "lost") return this.#unconfirmed(event.unconfirmed, event.unsentRequests);
    if (connection !== this.#channel.connection) return;
    switch (event.type) {
      case "message":
        return this.#inbox.push(this.#message(connection, event));
      case "request": {
        const { id, remaining, bytes, owned } = event;
        return this.#answering.asked(id, remaining, bytes, owned, this.#source(connection));
      }
      case "cancelled":
        return this.#replies?.cancelled(event.id);
      case "reply":
        return this.#requests?.answered(event.id, event.status, event.bytes, event.owned);
      case "processed":
        return this.#sends.processed(event.position);
      case "writable":
        this.#replies?.wake();
        return this.#sends.wake();
      case "pong":
        return this.#pings?.answered(event.sequence, event.rtt, event.hold);
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
        if (by === "local") this.#retunes?.answered(accepted, agreement);
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
    const { last } = this.#channel;
    if (last !== null && last !== connection) {
      (this.#totals ??= new Totals()).add(last.stats(this.#host.driver.now()));
    }
    if (this.#channel.connection !== null) this.#dropWaiting({ kind: "lost", code: "LOST", cause: null });
    this.#channel.opened(connection);
    this.#transport = this.#host.driver.transportOf(connection);
    this.#conversations++;
    const discarded = resumed ? 0 : this.#inbox.drop(this.#host.window);
    this.#discarded += discarded;
    this.#publish(this.#live(agreement, discarded));
    this.#replies?.wake();
    this.#sends.wake();
  }

  /** The session could not go on. */
  #unconfirmed(messages: readonly Unconfirmed[], unsentRequests: readonly number[]): void {
    this.#sends.lost(messages);
    this.#requests?.lost(unsentRequests);
    this.#pass({ state: "unconfirmed", messages });
  }

  #disconnected(reason: EndReason): void {
    this.#channel.disconnected(reason);
    this.#dropWaiting(reason);
    if (!this.#channel.goesOn) this.#failWaiting(() => this.#channel.endNews(reason));
  }

  /** What waits for this very connection fails. */
  #dropWaiting(reason: EndReason): void {
    const error = (): HeartwireError => this.#channel.endNews(reason);
    this.#pings?.fail(error);
    this.#retunes?.fail(error);
  }

  /** No connection will carry what waits. */
  #failWaiting(error: () => HeartwireError): void {
    this.#sends.fail(error);
    this.#requests?.fail(error);
    this.#replies?.drop(error);
  }

  /** The connection ended; another may follow: dialled in `retryIn` ms, or, at a server, awaited (null). */
  lost(reason: EndReason, retryIn: number | null): void {
    if (this.#channel.resumes || retryIn === null) {
      return this.#publish({ state: "resuming", reason, retryIn });
    }
    if (!this.#channel.goesOn) this.#failWaiting(() => this.#channel.endNews(reason));
    this.#publish({ state: "lost", reason, retryIn });
  }

  /** When no `onMessage` runs any more, however it ended: that is told elsewhere. */
  async handled(): Promise<void> {
    for (let loop = this.#inbox.handling; loop !== null; loop = this.#inbox.handling) {
      await loop.catch(() => {});
    }
    await this.#replies?.handled();
  }

  /** The session is over. */
  ended(reason: EndReason): void {
    const channel = this.#channel;
    if (channel.ended !== null) return;
    const core = reason.kind === "closed" ? null : channel.core;
    const unconfirmed = core?.unconfirmed() ?? [];
    const unsentRequests = core?.unsentRequests() ?? [];
    channel.ended = reason;
    if (unconfirmed.length > 0) this.#unconfirmed(unconfirmed, unsentRequests);
    else if (core !== null) this.#requests?.lost(unsentRequests);
    this.#disconnected(reason);
    if (reason.kind === "aborted") this.#inbox.drop(0);
    this.#inbox.end(reason.kind === "closed" ? null : channel.endNews(reason));
    this.#publish({ state: "closed", reason });
    this.#resolveClosed?.(reason);
  }

  /** The application's handler threw: the session ends, unless it only passed on that it had ended. */
  handlerFailed(error: unknown): void {
    if (this.#channel.isEnd(error)) return void this.close();
    if (this.#faulted) return;
    this.#faulted = true;
    this.#host.report(error);
    if (this.#channel.ended === null) this.#host.fault();
  }

  // What the inbox says.

  /** The application finished with this message, and with all before it. */
  processed(message: ReceivedMessage<object>): void {
    if (this.#consumed === null) this.#host.driver.beforeFlush(this);
    this.#consumed = message;
  }

  /** Runs a task where handlers may be called. */
  defer(task: Task): void {
    this.#host.driver.defer(task);
  }

  /** Tells what was consumed. */
  run(): void {
    const message = this.#consumed!;
    this.#consumed = null;
    const { connection, core } = this.#channel;
    const source = ReceivedMessage.source(message);
    const now = this.#host.driver.now();
    if (core !== null) {
      if (source !== core.state) return; // of a session that was lost
      core.consumed(message.position, now);
    } else {
      if (connection === null || source !== connection) return; // of an earlier conversation, or too late
      connection.consumed(message.position, now);
    }
    this.#host.driver.given(connection);
  }

  // What the application says.

  get closed(): Promise<EndReason> {
    const { ended } = this.#channel;
    return this.#closed ??= ended === null
      ? new Promise((resolve) => this.#resolveClosed = resolve)
      : Promise.resolve(ended);
  }

  get state(): SessionState {
    return this.#feed.current.state;
  }

  get agreement(): Agreement | null {
    return this.#channel.connection?.agreement ?? null;
  }

  get remote(): Address {
    return this.#transport!.remote;
  }

  get local(): Address {
    return this.#transport!.local;
  }

  send(data: string | Uint8Array, options: SendOptions = {}): Promise<void> {
    return this.#sends.send(data, options);
  }

  request(data: string | Uint8Array, options: RequestOptions = {}): Promise<Payload> {
    this.#requests ??= new Requests(this.#host, this.#channel, this.#sends);
    return this.#requests.ask(data, options);
  }

  onRequest(handler: RequestHandler): void {
    this.#answering.handle(handler);
  }

  sendVolatile(data: string | Uint8Array): boolean {
    return this.#sends.sendVolatile(data);
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
    const { connection } = this.#channel;
    if (connection === null) return this.#channel.unsent();
    try {
      return (this.#pings ??= new Pings(this.#host)).ask(connection, options);
    } catch (error) {
      return this.#channel.refused(this.#channel.explained(error));
    }
  }

  retune(change: HeartbeatTerms): Promise<Agreement> {
    const { connection, closing } = this.#channel;
    if (connection === null || closing) return this.#channel.unsent();
    try {
      return (this.#retunes ??= new Retunes(this.#host)).ask(connection, change);
    } catch (error) {
      return this.#channel.refused(this.#channel.explained(error));
    }
  }

  stats(): SessionStats {
    const last = this.#channel.last!.stats(this.#host.driver.now());
    return {
      ...this.#totals?.with(last) ?? last,
      messagesSent: this.#sends.accepted,
      requestsSent: this.#requests?.accepted ?? 0,
      conversations: this.#conversations,
      unread: this.#inbox.length,
      unreadBytes: this.#inbox.bytes,
      discarded: this.#discarded,
    };
  }

  close(code = 0, text = ""): Promise<EndReason> {
    const channel = this.#channel;
    if (channel.ended !== null || channel.closing) return this.closed;
    try {
      this.#host.close(code, text);
    } catch (error) {
      return Promise.reject(error); // a code that cannot be
    }
    channel.closing = true;
    this.#sends.closing();
    this.#inbox.abandon();
    return this.closed;
  }

  abort(text = ""): void {
    if (this.#channel.ended === null) this.#host.abort(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

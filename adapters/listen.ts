/**
 * `listen` for any platform: carries out what core's `Server` decides, and calls the application for each session.
 *
 * Rules: whatever a handler does, the others go on. What a handler threw is reported here and not told to the peer.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";
import type {
  Answer,
  ConnectionEvent,
  Conversation,
  DrainOptions,
  ServerOptions,
  ServerStats,
  Session as CoreSession,
  SessionOver,
  StoreAnswer,
  StoreQuestion,
} from "../core/mod.ts";
import { resolveServer } from "../core/resolve.ts";
import { Server as CoreServer } from "../core/server.ts";
import { type Address, type AddressLike, networkOf, parseAddress } from "./address.ts";
import { Driver, type Task } from "./driver.ts";
import { cancelled, listenError } from "./failure.ts";
import { LiveSession } from "./live_session.ts";
import { type ListenOptions, report, serverOptions, show } from "./options.ts";
import { type Grounds, ServedHost } from "./served.ts";
import type { Session } from "./session.ts";
import { askStore, type SessionStore } from "./store.ts";
import type { Listener, ListenerSink, Platform, Transport } from "./transport.ts";

/**
 * What a server does with a session. When it has returned (a promise: when that is fulfilled) and no {@link Session.onMessage} of the
 * session runs any more, the session is closed in order. When it throws, the session is aborted.
 *
 * So `(session) => { session.onMessage(...); }` serves until the peer closes. A handler that reads by `for await` has to be `async` or
 * return its promise, for an iteration that nobody waits for does not keep the session open.
 */
export type SessionHandler = (session: Session) => unknown;

/** A listening server. */
export interface Server extends AsyncDisposable {
  /** Where it listens: with the port that was taken for port 0. */
  readonly address: Address;
  /** The sessions that are open now. */
  readonly sessions: ReadonlySet<Session>;
  /** Resolves when it listens no more and every connection is gone. Never rejects. */
  readonly closed: Promise<void>;
  /** Counters. */
  stats(): ServerStats;
  /**
   * Ends in good order: listens no more, tells every client when to dial again, lets each finish, within `closeTimeout`.
   * Resolves as {@link Server.closed}.
   */
  drain(options?: DrainOptions): Promise<void>;
  /** {@link Server.drain} with its defaults. */
  close(): Promise<void>;
  /**
   * Ends at once: listens no more and aborts every session.
   *
   * @param text why, told to the peers, at most 255 bytes of UTF-8
   */
  abort(text?: string): Promise<void>;
  /** {@link Server.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Listens on a platform; see the runtimes' `listen`. */
export async function listenOn(
  platform: Platform,
  address: AddressLike,
  handler: SessionHandler,
  options: ListenOptions = {},
): Promise<Server> {
  const where = parseAddress(address);
  const core = serverOptions(options);
  if (typeof handler !== "function") {
    throw new HeartwireError("OPTION", "listen needs a handler of sessions", {
      hint: "Pass a function as the second argument: it is called with each session.",
    });
  }
  const { signal } = options;
  if (signal?.aborted) throw cancelled(signal);
  const server = new LiveServer(platform, handler, options, core);
  try {
    server.listens(
      where.kind === "unix"
        ? await (await import("./unix.ts")).listenUnix(platform, where, server) // it needs the file system
        : await platform.listen(where, server),
    );
  } catch (cause) {
    throw listenError(where, cause);
  }
  if (signal?.aborted) {
    await server.abort();
    throw cancelled(signal);
  }
  return server;
}

let unnamed = 0;

/** Connections from one of these count together. */
function keyOf(remote: Address): string {
  // Clients of a Unix socket have no name: each counts for itself, and whoever may open the file may come.
  if (remote.kind === "unix") return `unix ${++unnamed}`;
  return networkOf(remote.host);
}

class LiveServer implements Server, ListenerSink {
  readonly closed: Promise<void>;
  readonly #sessions = new Map<Conversation, LiveSession>();
  /** The sessions that outlive connections. */
  readonly #lasting = new Map<CoreSession, LiveSession>();
  readonly #open = new Set<Session>();
  readonly #handler: SessionHandler;
  readonly #options: ListenOptions;
  readonly #closeTimeout: number;
  readonly #core: CoreServer;
  readonly #driver: Driver<Conversation, ConnectionEvent>;
  readonly #grounds: Grounds;
  #listener: Listener | null = null;
  #listening = true;
  /** Handlers that run; below 0: they are not waited for. */
  #serving = 0;
  #cancelWait: (() => void) | null = null;
  /** Questions to the store that wait for their answer. */
  #asked = 0;
  readonly #storeTimeout: number;
  #resolveClosed!: () => void;

  constructor(platform: Platform, handler: SessionHandler, options: ListenOptions, core: ServerOptions) {
    this.#handler = handler;
    this.#options = options;
    const { window, closeTimeout, storeTimeout } = resolveServer(core);
    this.#closeTimeout = closeTimeout;
    this.#storeTimeout = storeTimeout;
    this.#core = new CoreServer(core, platform.environment);
    this.#driver = new Driver(this.#core, platform.clock, {
      event: (connection, event) => this.#event(connection, event),
      decide: () => this.#decide(),
      ...(options.store === undefined ? {} : { turned: () => this.#write(options.store!) }),
      detached: () => this.#driver.beforeFlush(this.#finishing), // when the core has been told
    });
    this.#grounds = { driver: this.#driver, core: this.#core, options, window };
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  /** The socket is there. */
  listens(listener: Listener): void {
    this.#listener = listener;
    this.#options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => void this.close();

  accepted(transport: Transport): void {
    const now = this.#driver.now();
    this.#driver.tellWall();
    const connection = this.#core.accepted(keyOf(transport.remote), now);
    if (connection === null) transport.destroy();
    else this.#driver.attach(connection, transport);
  }

  failed(cause: unknown): void {
    report(this.#options, cause, null, `${this.address.url} listens no more`);
    void this.close();
  }

  #event(connection: Conversation, event: ConnectionEvent): void {
    if (event.type === "open") {
      const core = this.#core.sessionOf(connection);
      const known = core === null ? undefined : this.#lasting.get(core);
      if (known !== undefined) {
        this.#sessions.set(connection, known);
        known.event(connection, event);
        return show(this.#options, known, event);
      }
      const host = new ServedHost(this.#grounds, connection);
      const created = host.session = new LiveSession(host);
      this.#sessions.set(connection, created);
      if (core !== null) this.#lasting.set(core, created);
      this.#open.add(created);
      created.event(connection, event);
      show(this.#options, created, event);
      return this.#driver.defer({ run: () => this.#serve(created) });
    }
    const session = this.#sessions.get(connection);
    if (session === undefined) return;
    show(this.#options, session, event);
    session.event(connection, event);
    if (event.type === "closed") {
      this.#sessions.delete(connection);
      // A session that outlives its connections is over when the server says so.
      if (this.#lasts(session)) return session.lost(event.reason, null);
      this.#open.delete(session);
      session.ended(event.reason);
    }
  }

  #lasts(session: LiveSession): boolean {
    return session.core !== null && this.#core.keeps(session.core);
  }

  /** A session is over that outlived its connections. */
  #over({ session, reason }: SessionOver): void {
    const ended = this.#lasting.get(session);
    this.#lasting.delete(session);
    if (ended === undefined) return;
    this.#open.delete(ended);
    ended.ended(reason);
  }

  /** Two functions wait for the handler: an async one that does is 180 bytes more of each session that is served. */
  #serve(session: LiveSession): void {
    this.#serving++;
    const failed = (error: unknown): void => {
      session.handlerFailed(error);
      this.#served();
    };
    try {
      Promise.resolve(this.#handler(session)).then(() => this.#finish(session), failed);
    } catch (error) {
      failed(error);
    }
  }

  /** The handler returned: its session ends with those that it left at work. */
  async #finish(session: LiveSession): Promise<void> {
    try {
      await session.handled();
      await session.close();
    } catch (error) {
      session.handlerFailed(error);
    } finally {
      this.#served();
    }
  }

  #served(): void {
    this.#serving--;
    this.#finishIfOver();
  }

  #decide(): boolean {
    const over = this.#core.nextOver();
    if (over !== null) {
      this.#over(over);
      return true;
    }
    const action = this.#core.nextAction();
    if (action === null) return false;
    const { id, question } = action;
    if (question.type !== "admit") {
      this.#store(this.#options.store!, { id, question });
      return true;
    }
    const transport = this.#driver.transportOf(question.connection);
    if (transport === null) return true; // gone meanwhile
    void this.#admit({ remote: transport.remote, local: transport.local }).then((answer) => {
      this.#answer(id, answer);
    });
    return true;
  }

  #answer(id: number, answer: Answer | StoreAnswer): void {
    const now = this.#driver.now();
    this.#core.answered(id, answer, now);
    this.#driver.done(null, now);
  }

  /** What a turn did to sessions is written together. */
  #write(store: SessionStore): void {
    if (!this.#core.writes) return;
    for (let write = this.#core.nextWrite(); write !== null; write = this.#core.nextWrite()) {
      this.#store(store, write);
    }
    this.#finishIfOver();
  }

  /** Asks the store; whatever becomes of that, there is one answer, in time. */
  #store(store: SessionStore, { id, question }: { id: number; question: StoreQuestion }): void {
    let open = true;
    const answer = (answer: StoreAnswer): void => {
      if (!open) return;
      open = false;
      giveUp();
      this.#asked--;
      if (answer.type === "failed") {
        report(this.#options, new Error(answer.text), null, `the store failed at ${question.type}`);
      }
      this.#answer(id, answer);
      this.#finishIfOver();
    };
    this.#asked++;
    const giveUp = this.#driver.at(this.#driver.now() + this.#storeTimeout, () => {
      answer({ type: "failed", text: `no answer to ${question.type} in ${this.#storeTimeout} ms` });
    });
    void askStore(store, question).then(answer);
  }

  async #admit(peer: { remote: Address; local: Address }): Promise<Answer> {
    try {
      if (await this.#options.authenticate!(peer) === true) return { admit: true };
    } catch (error) {
      report(this.#options, error, null, `authenticate failed for ${peer.remote.url}`);
    }
    return { admit: false, code: "UNAUTHORIZED", text: "" };
  }

  get address(): Address {
    return this.#listener!.address;
  }

  get sessions(): ReadonlySet<Session> {
    return this.#open;
  }

  stats(): ServerStats {
    return this.#core.stats();
  }

  drain(options: DrainOptions = {}): Promise<void> {
    const now = this.#driver.now();
    this.#core.drain(options, now);
    // A handler whose client is away, or that works on behind its session, is waited for as long as one with a client is.
    this.#cancelWait ??= this.#driver.at(now + this.#closeTimeout, () => {
      this.#serving = -Infinity;
      this.#finishIfOver();
    });
    return this.#stop(now);
  }

  close(): Promise<void> {
    return this.drain();
  }

  abort(text = ""): Promise<void> {
    const now = this.#driver.now();
    this.#core.abort(text, now);
    this.#serving = -Infinity;
    return this.#stop(now);
  }

  #stop(now: number): Promise<void> {
    if (this.#listening) {
      this.#listening = false;
      this.#options.signal?.removeEventListener("abort", this.#onAbort);
      this.#listener?.close();
    }
    this.#driver.done(null, now);
    this.#finishIfOver();
    return this.closed;
  }

  readonly #finishing: Task = { run: () => this.#finishIfOver() };

  #finishIfOver(): void {
    if (this.#listening || this.#driver.size > 0 || this.#serving > 0) return;
    if (this.#asked > 0 || this.#core.writes) return; // the store is told first
    this.#cancelWait?.();
    this.#resolveClosed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

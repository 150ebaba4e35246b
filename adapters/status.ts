/**
 * What a session tells of its connection: states with evidence, to any number of listeners.
 *
 * Rules: every listener has its own queue, which begins with the state of now and ends behind `closed`. A queue is bounded;
 * a listener that does not listen loses the oldest and is told how many. What passes (a stall, a clock that was set, new terms) has a
 * name of its own in `state`, so that nobody who waits for `live` takes it for a new connection.
 *
 * @module
 */

import type { Agreement, Code, Evidence, StallVerdict, Unconfirmed } from "../core/mod.ts";
import { cancelled, type EndReason } from "./failure.ts";
import { Fifo } from "./fifo.ts";

/** The states of a session. */
export type SessionState = "connecting" | "live" | "suspect" | "draining" | "resuming" | "lost" | "closed";

/** What every status has. */
export interface StatusBase {
  /** When, on the runtime's monotonic clock (`performance.now()`), ms. */
  readonly at: number;
  /** How many statuses before this one this listener lost because it did not listen. */
  readonly missed: number;
}

/**
 * What happened to time or terms while a session stayed in its state, which is in `during`. Nothing has to be done: what a stall or a
 * clock explains is already held against nobody. Times in ms.
 */
export type Passing =
  & { readonly during: SessionState }
  & (
    /** A process did not run for `span`: this one (LOCAL_STALLED, SUSPENDED), or the peer's, as it told afterwards (PEER_STALLED). */
    | { readonly state: "stalled"; readonly verdict: StallVerdict; readonly span: number }
    /** This machine's wall clock was set, by `step`. */
    | { readonly state: "clockStepped"; readonly step: number }
    /** Heartbeat terms changed, ours or the peer's; `accepted` is false when the peer declined ours, and those before hold. */
    | {
      readonly state: "retuned";
      readonly by: "local" | "peer";
      readonly accepted: boolean;
      readonly agreement: Agreement;
    }
    /** The session could not go on; these messages of ours, if any, are not known to have been processed. A new session may follow. */
    | { readonly state: "unconfirmed"; readonly messages: readonly Unconfirmed[] }
  );

/** A change of a session's state, or what passed without changing it. Times in ms. */
export type Status = StatusBase & (Lasting | Passing);

/** A state with what is known of it. Times in ms. */
export type Lasting =
  /** A dial is under way; `attempt` counts from 1. */
  | { readonly state: "connecting"; readonly attempt: number }
  /** The connection is open, or no longer suspected. */
  | {
    readonly state: "live";
    readonly agreement: Agreement;
    /** Messages of earlier conversations that were dropped unread, since more than a window of them waited. */
    readonly discarded: number;
  }
  /** Two thirds of the time to a verdict have passed without what should have come. */
  | { readonly state: "suspect"; readonly evidence: Evidence }
  /** The peer announced that it will end the connection (or only this conversation), and why. */
  | {
    readonly state: "draining";
    readonly scope: "connection" | "session";
    readonly code: Code;
    readonly text: string;
    readonly retryAfter: number;
  }
  /** The connection ended; the session goes on over the next. A client dials it in `retryIn` ms; a server waits (null). */
  | { readonly state: "resuming"; readonly reason: EndReason; readonly retryIn: number | null }
  /** The connection ended and the session with it; the next dial, for a new one, comes in `retryIn` ms. */
  | { readonly state: "lost"; readonly reason: EndReason; readonly retryIn: number }
  /** The session ended; nothing follows. */
  | { readonly state: "closed"; readonly reason: EndReason };

/** {@link Passing} without the state that it leaves as it was. */
export type PassingChange = Passing extends infer P ? P extends Passing ? Omit<P, "during"> : never : never;

/** So many statuses wait for a listener at most. */
const QUEUE_MAX = 64;

/** Publishes statuses to listeners. */
export class StatusFeed {
  /** Null until there is one. */
  #listeners: Set<Listener> | null = null;
  /** The state of now, and since when. A status is made of it only for who listens. */
  #current: Lasting;
  #since: number;

  constructor(first: Lasting, at: number) {
    this.#current = first;
    this.#since = at;
  }

  get current(): Lasting {
    return this.#current;
  }

  publish(change: Lasting, at: number): void {
    this.#current = change;
    this.#since = at;
    this.#tell(change, at);
    if (change.state === "closed") this.#listeners = null;
  }

  /** Something happened and the state stays what it was. */
  pass(change: PassingChange, at: number): void {
    if (this.#listeners !== null) this.#tell({ ...change, during: this.#current.state }, at);
  }

  #tell(change: Lasting | Passing, at: number): void {
    if (this.#listeners === null) return;
    const status: Status = { ...change, at, missed: 0 };
    for (const listener of this.#listeners) listener.push(status);
  }

  listen(signal?: AbortSignal): AsyncIterableIterator<Status> {
    const listener = new Listener((left) => this.#listeners?.delete(left), signal);
    listener.push({ ...this.#current, at: this.#since, missed: 0 });
    if (this.#current.state !== "closed") (this.#listeners ??= new Set()).add(listener);
    return listener;
  }
}

interface Waiting {
  readonly resolve: (result: IteratorResult<Status>) => void;
  readonly reject: (error: unknown) => void;
}

const DONE: IteratorResult<Status> = Object.freeze({ done: true, value: undefined });

/** Whether a status says that messages were lost, or may be. */
function tellsLoss(status: Status): boolean {
  return status.state === "unconfirmed" || (status.state === "live" && status.discarded > 0);
}

class Listener implements AsyncIterableIterator<Status> {
  readonly #queue = new Fifo<Status>();
  readonly #waiting = new Fifo<Waiting>();
  readonly #left: (listener: Listener) => void;
  readonly #signal: AbortSignal | undefined;
  #missed = 0;
  /** No more comes; what waits may still be taken. */
  #ended = false;

  constructor(left: (listener: Listener) => void, signal: AbortSignal | undefined) {
    this.#left = left;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => {
    this.#waiting.shift()?.reject(cancelled(this.#signal!));
    this.#leave();
  };

  #leave(): void {
    this.#queue.clear();
    this.#end();
    this.#left(this);
  }

  #end(): void {
    this.#ended = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    for (const { resolve } of this.#waiting.takeAll()) resolve(DONE);
  }

  push(status: Status): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#queue.push(status);
    else next.resolve({ done: false, value: status });
    if (this.#queue.length > QUEUE_MAX) this.#dropOne();
    if (status.state === "closed") this.#end();
  }

  /** The oldest goes that tells of no loss: a long outage has two statuses for each dial, and what it cost must still be read. */
  #dropOne(): void {
    const all = this.#queue.takeAll();
    const at = all.findIndex((status) => !tellsLoss(status));
    all.splice(Math.max(at, 0), 1);
    for (const status of all) this.#queue.push(status);
    this.#missed++;
  }

  next(): Promise<IteratorResult<Status>> {
    if (this.#signal?.aborted) {
      this.#leave();
      return Promise.reject(cancelled(this.#signal));
    }
    const status = this.#queue.shift();
    if (status !== undefined) {
      const value = this.#missed === 0 ? status : { ...status, missed: this.#missed };
      this.#missed = 0;
      return Promise.resolve({ done: false, value });
    }
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Status>> {
    this.#leave();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Status> {
    return this;
  }
}

/**
 * A session, and when its connection ended and dialling again is wanted, the next: one stream of statuses over all.
 *
 * The first dial is tried once, so that a wrong address is told at once. After that the library's own `reconnect` does the
 * rest. So there are at most two sessions: one that does not dial again, and one that does.
 *
 * @module
 */

import type { Address, ConnectOptions, EndReason, Session, Status } from "../adapters/api.ts";
import { worthAnother } from "../core/client.ts";
import type { Adapter } from "./runtime.ts";
import { sleep, type Stop } from "./stop.ts";

/** What a link is made from. */
export interface LinkOptions {
  readonly adapter: Adapter;
  readonly address: Address;
  readonly connect: ConnectOptions;
  /** Options of every dial but the first; null: never dial again. */
  readonly redial: ConnectOptions | null;
  readonly stop: Stop;
  /** A session is there; its messages are to be taken. */
  readonly onSession: (session: Session) => void;
}

/** One session after another with the same server. */
export class Link {
  readonly #options: LinkOptions;
  readonly #ending = new AbortController();
  /** Aborts when no more dials are wanted. */
  readonly #over: AbortSignal;
  #session: Session | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#over = AbortSignal.any([options.stop.signal, this.#ending.signal]);
  }

  /** The session of now, or the last. */
  get session(): Session {
    return this.#session!;
  }

  async #connect(options: ConnectOptions): Promise<Session> {
    const { adapter, address, onSession } = this.#options;
    this.#session = await adapter.connect(address, { ...options, signal: this.#over });
    onSession(this.#session);
    return this.#session;
  }

  /** The first dial. Rejects with why there is no connection. */
  async open(): Promise<void> {
    await this.#connect(this.#options.connect);
  }

  /**
   * All that happens to the connection, until it is over: the last is `closed`. Rejects when a later dial found that there is no use
   * in dialling.
   */
  async *status(): AsyncGenerator<Status> {
    const { redial } = this.#options;
    let announced: number | null = null;
    for await (const status of this.session.status()) {
      if (status.state === "draining" && status.code !== "NONE") announced = status.retryAfter;
      const wanted = redial !== null && !this.#over.aborted && status.state === "closed" &&
        (status.reason.kind === "closed" ? announced !== null : worthAnother(status.reason));
      if (!wanted) {
        yield status;
        continue;
      }
      const retryIn = announced ?? 0;
      yield { state: "lost", reason: status.reason, retryIn, at: status.at, missed: 0 };
      if (!(await sleep(retryIn, this.#over))) return yield status;
      yield { state: "connecting", attempt: 1, at: performance.now(), missed: 0 };
      let next: Session;
      try {
        next = await this.#connect(redial);
      } catch (error) {
        if (!this.#over.aborted) throw error;
        return yield status;
      }
      return yield* next.status();
    }
  }

  /** Ends in good order; at once when there is no connection to be polite on, or when that was asked. */
  async close(): Promise<EndReason> {
    this.#ending.abort();
    const { session } = this;
    const { forced } = this.#options.stop;
    const abort = (): void => session.abort("interrupted");
    if (session.agreement === null || forced.aborted) abort();
    forced.addEventListener("abort", abort, { once: true });
    try {
      return await session.close();
    } finally {
      forced.removeEventListener("abort", abort);
    }
  }
}

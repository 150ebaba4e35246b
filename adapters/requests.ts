/**
 * Requests: what this side asks and waits for.
 *
 * Rules: a request takes its turn among sends, awaited or not. It settles once: with the answer, or with why there is none. The time is kept here, by one
 * alarm for all of a session; what is too late or given up is taken back, and the peer told.
 *
 * @module
 */

import { HeartwireError, numberOption } from "../core/errors.ts";
import { ById } from "../core/flow/by_id.ts";
import type { Channel } from "./channel.ts";
import { cancelled, quiet } from "./failure.ts";
import type { SessionHost } from "./host.ts";
import { type Payload, ReceivedPayload } from "./message.ts";
import { replyError } from "./reply_error.ts";
import type { Sends } from "./sends.ts";
import type { RequestOptions } from "./session.ts";

/** The default of `timeout`, ms. */
const TIMEOUT = 30_000;

interface Waiting {
  readonly resolve: (reply: Payload) => void;
  readonly reject: (error: unknown) => void;
  readonly timeout: number;
  /** When it is given up, ms of the driver's clock. */
  readonly until: number;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | null;
  /** 0: not accepted yet. */
  id: number;
  settled: boolean;
}

/** The requests of one session. */
export class Requests {
  /** How many were accepted, whether there was a connection or not. */
  accepted = 0;
  readonly #host: SessionHost;
  readonly #channel: Channel;
  readonly #sends: Sends;
  /** Accepted, by id. */
  readonly #open = new ById<Waiting>();
  /** They wait for room. */
  readonly #early = new Set<Waiting>();
  #alarmAt = Infinity;
  #cancelAlarm: (() => void) | null = null;

  constructor(host: SessionHost, channel: Channel, sends: Sends) {
    this.#host = host;
    this.#channel = channel;
    this.#sends = sends;
  }

  /** See {@link Session.request}. */
  ask(data: string | Uint8Array, { signal, timeout = TIMEOUT }: RequestOptions): Promise<Payload> {
    if (signal?.aborted) return quiet(Promise.reject(cancelled(signal)));
    if (!this.#channel.takes) return this.#channel.unsent(); // and no alarm for it
    try {
      numberOption("timeout", timeout, 0, Infinity);
    } catch (error) {
      return Promise.reject(error);
    }
    const until = this.#host.driver.now() + timeout;
    return quiet(
      new Promise<Payload>((resolve, reject) => {
        const onAbort = signal === undefined ? null : () => this.#giveUp(waiting, cancelled(signal));
        const waiting: Waiting = {
          ...{ resolve, reject, timeout, until, signal, onAbort, id: 0, settled: false },
        };
        const taken = this.#sends.take(data, (bytes) => this.#give(waiting, bytes));
        if (waiting.id === 0) {
          this.#early.add(waiting);
          taken.catch((error) => this.#fail(waiting, error));
        }
        if (waiting.settled) return;
        if (onAbort !== null) signal!.addEventListener("abort", onAbort, { once: true });
        this.#arm(until);
      }),
    );
  }

  /** Gives it to the session. What it throws fails it. */
  #give(waiting: Waiting, bytes: Uint8Array): "accepted" | "blocked" {
    if (waiting.settled) return "accepted"; // given up while it waited: nothing is sent
    const { core, connection } = this.#channel;
    const now = this.#host.driver.now();
    const remaining = Math.max(1, waiting.until - now);
    const id = (core ?? connection!).request(bytes, remaining, now);
    if (id === 0) return "blocked";
    this.accepted++;
    waiting.id = id;
    this.#early.delete(waiting);
    this.#open.set(id, waiting);
    return "accepted";
  }

  #settle(waiting: Waiting): boolean {
    if (waiting.settled) return false;
    waiting.settled = true;
    this.#early.delete(waiting);
    if (this.#open.get(waiting.id) === waiting) this.#open.take(waiting.id);
    if (waiting.onAbort !== null) waiting.signal!.removeEventListener("abort", waiting.onAbort);
    return true;
  }

  #fail(waiting: Waiting, error: unknown): void {
    if (this.#settle(waiting)) waiting.reject(error);
  }

  /** Takes it back. */
  #giveUp(waiting: Waiting, error: HeartwireError): void {
    if (!this.#settle(waiting)) return;
    waiting.reject(error);
    const { core, connection } = this.#channel;
    if (waiting.id === 0 || (core === null && connection === null)) return;
    const { driver } = this.#host;
    (core ?? connection!).cancel(waiting.id, driver.now());
    driver.given(connection);
  }

  /** One alarm, for the first of all; who was answered before it comes costs nothing. */
  #arm(until: number): void {
    if (until >= this.#alarmAt) return;
    this.#cancelAlarm?.();
    this.#alarmAt = until;
    this.#cancelAlarm = this.#host.driver.at(until, this.#onAlarm);
  }

  readonly #onAlarm = (): void => {
    const now = this.#host.driver.now();
    this.#alarmAt = Infinity;
    this.#cancelAlarm = null;
    let next = Infinity;
    for (const waiting of this.#all()) {
      if (waiting.until <= now) this.#giveUp(waiting, this.#timedOut(waiting));
      else next = Math.min(next, waiting.until);
    }
    this.#arm(next);
  };

  #all(): Waiting[] {
    return [...this.#open.entries().map(([, waiting]) => waiting), ...this.#early];
  }

  #timedOut({ timeout, id }: Waiting): HeartwireError {
    const { url } = this.#host.peer;
    const where = id === 0 ? "it was not sent" : "it may have been done";
    return new HeartwireError("TIMEOUT", `${url}: no answer to a request within ${timeout} ms; ${where}`, {
      retryable: true,
      hint: "The peer is slow or away; raise timeout, or ask again if doing it twice does no harm.",
    });
  }

  /** The answer came. */
  answered(id: number, status: number, bytes: Uint8Array, owned: boolean): void {
    const waiting = this.#open.get(id);
    if (waiting === undefined || !this.#settle(waiting)) return;
    if (status === 0) waiting.resolve(new ReceivedPayload(bytes, owned));
    else waiting.reject(replyError(status, bytes, this.#host.peer.url));
  }

  /** The session is lost; these of its requests never arrived. */
  lost(unsent: readonly number[]): void {
    const never = new Set(unsent);
    const { url } = this.#host.peer;
    for (const [id, waiting] of this.#open.entries()) {
      this.#fail(waiting, never.has(id) ? unsentError(url) : unknownError(url));
    }
  }

  /** Fails all, each with an error of its own. */
  fail(error: () => HeartwireError): void {
    for (const waiting of this.#all()) this.#fail(waiting, error());
    this.#cancelAlarm?.();
    this.#cancelAlarm = null;
    this.#alarmAt = Infinity;
  }
}

function unsentError(url: string): HeartwireError {
  return new HeartwireError("UNSENT", `${url}: the session was lost before the request arrived`, {
    retryable: true,
    hint: "Ask again in the new session.",
  });
}

function unknownError(url: string): HeartwireError {
  return new HeartwireError(
    "MAYBE_DELIVERED",
    `${url}: the session was lost; the request may have been done`,
    {
      hint: "Only the application can know: ask again if doing it twice does no harm.",
    },
  );
}

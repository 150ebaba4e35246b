/**
 * When a client dials again, where, and how long that dial's handshake may take: what it learned from the dials and connections before.
 *
 * Rules: what the server says wins over the own back-off. Each endpoint is dialled in turn. A code that is not retryable is final, and so is
 * an end in good order that the server did not announce as its own going.
 *
 * @module
 */

import { backoff, wasStable } from "./backoff.ts";
import { CODES } from "./codes.ts";
import type { Conversation } from "./conversation.ts";
import { type Environment, uniform } from "./environment.ts";
import { HeartwireError } from "./errors.ts";
import type { Agreement, CloseReason, DialFailure } from "./events.ts";
import type { ResolvedClient } from "./options.ts";
import { type Micros, toMicros } from "./time.ts";

/** How a dial or a connection ended. */
export type DownReason = CloseReason | DialFailure;

/** The books of one client. */
export class Redial {
  /** Ends in a row since a stable connection, for the back-off; and failed dials in a row. */
  failures = 0;
  failedDials = 0;
  everLive = false;
  /** Which one is dialled next. */
  endpoint = 0;
  /** Since when there is no connection. */
  downSince: Micros = 0;
  #options: ResolvedClient;

  constructor(options: ResolvedClient) {
    this.#options = options;
  }

  /** A connection is open. */
  opened(): void {
    this.everLive = true;
    this.failedDials = 0;
  }

  /** A connection ended that was open for `lived` us. */
  closed(reason: CloseReason, lived: Micros, agreement: Agreement, now: Micros): void {
    if (wasStable(lived, toMicros(agreement.rxDetection))) this.failures = 0;
    this.downSince = now;
    this.#count(reason);
  }

  /** A dial failed, or its handshake. */
  failed(reason: DownReason): void {
    this.failedDials++;
    this.#count(reason);
  }

  #count(reason: DownReason): void {
    // A machine that slept lost its connection by that, not by the server: no penalty.
    if (slept(reason)) this.failures = 0;
    this.failures++;
    this.endpoint = (this.endpoint + 1) % this.#options.endpoints;
  }

  /** How long to wait before the next dial, or null for never. */
  delay(
    reason: DownReason,
    goaway: Conversation["goaway"],
    now: Micros,
    environment: Environment,
  ): Micros | null {
    const options = this.#options.reconnect;
    // Each endpoint is tried once, also by a client that does not dial again.
    if (options === null || (!options.initial && !this.everLive)) {
      return !this.everLive && this.failedDials < this.#options.endpoints ? 0 : null;
    }
    if (this.failedDials >= options.maxAttempts) return null;
    // A bare stream has no other word for a server that goes than its end.
    const bare = this.#options.profile !== "heartwire";
    const announced = reason.kind === "closed" && (goaway !== null || (bare && reason.by === "peer"));
    // An older dial of ours came later: the next has a greater generation.
    const stale = reason.kind === "refused" && reason.code === "STALE_GENERATION";
    if (!announced && !stale && !worthAnother(reason)) return null;
    let delay = slept(reason) ? 0 : backoff(options, this.failures, environment);
    if (goaway !== null) {
      delay = Math.max(delay, toMicros(goaway.retryAfter + goaway.jitter * uniform(environment)));
    } else if (reason.kind === "refused" && reason.retryAfter > 0) {
      delay += toMicros(reason.retryAfter);
    }
    return now + delay - this.downSince > toMicros(options.giveUpAfter) ? null : delay;
  }

  /** A copy. */
  clone(): Redial {
    return Object.assign(new Redial(this.#options), this);
  }

  /** The canonical form; `live`: there is a connection. */
  key(now: Micros, live: boolean): string {
    const patient = live || this.#options.reconnect?.giveUpAfter === Infinity;
    const { failures, failedDials, everLive, endpoint } = this;
    return `${failures} ${failedDials} ${everLive} ${endpoint} ${patient || this.downSince - now}`;
  }
}

/** Whether a connection ended because this machine did not run. */
function slept(reason: DownReason): boolean {
  return reason.kind === "dead" && reason.evidence.verdict === "SUSPENDED";
}

/** Whether the same dial can succeed another time. An end in good order is an end. */
export function worthAnother(reason: DownReason): boolean {
  switch (reason.kind) {
    case "closed":
    case "aborted":
      return false;
    case "dialFailed":
      return !(reason.cause instanceof HeartwireError) || reason.cause.retryable;
    default:
      return CODES[reason.code].retryable;
  }
}

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
import type { ConnectionOptions, ResolvedClient } from "./options.ts";
import { type Micros, NEVER, toMicros, toMillis } from "./time.ts";

/**
 * The least time for a handshake of a client that was connected before, us: RFC 6298 (2.1) waits as long for the first answer of a peer of
 * which nothing is known, and a lost segment comes again within it.
 */
const LEAST_HANDSHAKE: Micros = 1_000_000;
/** So many times as long as the slowest handshake so far: as behind a suspension (docs/PROTOCOL.md, section 5.2). */
const SLOWEST_TIMES = 3;

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
  /** The slowest handshake that succeeded, and after how long a question to the last peer stayed unanswered too long, us. */
  slowest: Micros = 0;
  detection: Micros = 0;
  /** Handshakes in a row that nobody answered. */
  unanswered = 0;
  /** When the present connection's handshake began, and when it was open. */
  begunAt: Micros = 0;
  liveAt: Micros = 0;
  #options: ResolvedClient;

  constructor(options: ResolvedClient) {
    this.#options = options;
  }

  /** A connection is open. */
  opened({ rxDetection, probeDetection }: Agreement, now: Micros): void {
    this.liveAt = now;
    this.everLive = true;
    this.failedDials = 0;
    this.unanswered = 0;
    this.slowest = Math.max(this.slowest, now - this.begunAt);
    const detection = toMicros(Math.max(rxDetection, probeDetection));
    this.detection = detection === NEVER ? 0 : detection;
  }

  /**
   * How long the next handshake may take, ms. A path that accepts and swallows would hold the first dial behind an outage for `handshakeTimeout`,
   * however soon heartbeats find silence. So who was connected before waits as long as for the answer to a heartbeat; at least a second and three
   * times what handshakes took, for `authenticate` may take its time; and twice as long each time that nobody answered (RFC 6298, 5.5), so that a
   * server that became slow is reached, too.
   */
  get handshakeTimeout(): number {
    const { handshakeTimeout } = this.#options;
    if (!this.everLive) return handshakeTimeout;
    let time = toMillis(Math.max(LEAST_HANDSHAKE, this.detection, SLOWEST_TIMES * this.slowest));
    for (let i = 0; i < this.unanswered && time < handshakeTimeout; i++) time *= 2;
    return Math.min(handshakeTimeout, time);
  }

  /** Options with that; the very same ones if they have it, for by these it is known that they were checked. */
  patient(options: ConnectionOptions): ConnectionOptions {
    const { handshakeTimeout } = this;
    return options.handshakeTimeout === handshakeTimeout ? options : { ...options, handshakeTimeout };
  }

  /** Whether the present connection, which is open, has lived for a while. */
  stable({ agreement }: Conversation, now: Micros): boolean {
    return agreement !== null && wasStable(now - this.liveAt, toMicros(agreement.rxDetection));
  }

  /** A connection ended that was open. */
  closed(reason: CloseReason, agreement: Agreement, now: Micros): void {
    if (wasStable(now - this.liveAt, toMicros(agreement.rxDetection))) this.failures = 0;
    this.downSince = now;
    this.#count(reason);
  }

  /** A dial failed, or its handshake. */
  failed(reason: DownReason): void {
    this.failedDials++;
    if (reason.kind === "timeout") this.unanswered++;
    this.#count(reason);
  }

  #count(reason: DownReason): void {
    // A machine that slept lost its connection by that, not by the server: no penalty.
    if (slept(reason)) this.failures = 0;
    this.failures++;
    this.endpoint = (this.endpoint + 1) % this.#options.endpoints;
  }

  /** How long to wait before the next dial, or null for never. `early`: it replaced a connection that was only suspected then. */
  delay(
    reason: DownReason,
    goaway: Conversation["goaway"],
    early: boolean,
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
    // An early dial takes no new session for the old one; the next does.
    const unknown = early && reason.kind === "refused" && reason.code === "UNKNOWN_SESSION";
    if (!announced && !stale && !unknown && !worthAnother(reason)) return null;
    let delay = slept(reason) ? 0 : this.backoff(environment);
    if (goaway !== null) {
      delay = Math.max(delay, toMicros(goaway.retryAfter + goaway.jitter * uniform(environment)));
    } else if (reason.kind === "refused" && reason.retryAfter > 0) {
      delay += toMicros(reason.retryAfter);
    }
    return now + delay - this.downSince > toMicros(options.giveUpAfter) ? null : delay;
  }

  /** The delay of one that the server says nothing of. */
  backoff(environment: Environment): Micros {
    return backoff(this.#options.reconnect!, this.failures, environment);
  }

  /** Why a dial fails that takes too long. */
  get late(): DialFailure {
    const cause = new HeartwireError("DIAL_TIMEOUT", `no transport within ${this.#options.dialTimeout} ms`, {
      retryable: true,
      hint: "The host does not answer: check address, routes and firewalls.",
    });
    return { kind: "dialFailed", code: "DIAL_FAILED", cause };
  }

  /** A copy. */
  clone(): Redial {
    return Object.assign(new Redial(this.#options), this);
  }

  /** The canonical form. `live`: a connection is open; `asks`: one is in its handshake. */
  key(now: Micros, live: boolean, asks: boolean): string {
    const patient = live || this.#options.reconnect?.giveUpAfter === Infinity;
    const { failures, failedDials, everLive, endpoint } = this;
    const since = `${live && now - this.liveAt} ${asks && now - this.begunAt}`;
    const times = `${this.handshakeTimeout} ${this.slowest} ${this.unanswered} ${since}`;
    return `${failures} ${failedDials} ${everLive} ${endpoint} ${times} ${patient || this.downSince - now}`;
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

/**
 * What outlives a connection: both directions' messages and the grant to go on with them (docs/PROTOCOL.md, section 4.2).
 *
 * A session has positions: counts of chunks per direction. `received` is what arrived in order; a resume replays from there, so nothing is
 * lost and nothing comes twice. `processed` is what the application has finished; up to there nothing is kept any more, and answers only up to
 * what was received.
 *
 * Rules: at most one connection at a time carries it. Without a grant it dies with its connection. Nothing here knows a clock.
 *
 * @module
 */

import type { Names } from "../canonical.ts";
import { CODES } from "../codes.ts";
import type { Environment } from "../environment.ts";
import { HeartwireError } from "../errors.ts";
import type { CloseReason } from "../events.ts";
import type { ResolvedConnection } from "../options.ts";
import type { Micros } from "../time.ts";
import type { Parameters } from "../wire/parameters.ts";
import type { Marks } from "../store/questions.ts";
import { MAX_CHUNK } from "../wire/registry.ts";
import type { Grant } from "./grant.ts";
import { Inbound } from "./inbound.ts";
import { Outbound } from "./outbound.ts";
import { Requests } from "./requests.ts";

/** Positions of one side, as it tells them to resume. */
export interface Positions {
  /** Arrived in order. */
  readonly received: number;
  /** The first chunk that is still kept. */
  readonly firstRetained: number;
  /** Sent, ever. */
  readonly sent: number;
  /** Finished by the application. */
  readonly processed: number;
}

/** Both directions of one session, of one side. */
export class SessionState {
  /** @internal */
  readonly inbound: Inbound;
  /** @internal */
  readonly outbound: Outbound;
  /** @internal */
  readonly requests: Requests;
  /** What the server granted; null: it ends with its connection. */
  grant: Grant | null = null;

  /** @internal */
  constructor(inbound: Inbound, outbound: Outbound, requests: Requests) {
    this.inbound = inbound;
    this.outbound = outbound;
    this.requests = requests;
  }

  /**
   * A session that begins.
   *
   * @internal
   */
  static begin(options: ResolvedConnection, environment: Environment): SessionState {
    return new SessionState(
      new Inbound(options.maxMessage, options.window),
      new Outbound(environment, options.sendBuffer),
      new Requests(options.maxRequests),
    );
  }

  /**
   * The one that follows when this cannot go on. Who waits for room waits there.
   *
   * @internal
   */
  anew(options: ResolvedConnection, environment: Environment): SessionState {
    const next = SessionState.begin(options, environment);
    next.outbound.blocked = this.outbound.blocked;
    next.outbound.blockedAnswer = this.outbound.blockedAnswer;
    return next;
  }

  /** From now on it can be resumed, and keeps what it may have to send again, `retention` bytes at most. */
  keep(grant: Grant, retention: number): void {
    this.grant = grant;
    this.outbound.retain(retention);
  }

  /** Our positions. */
  get positions(): Positions {
    const { outbound, inbound } = this;
    return {
      received: inbound.received,
      firstRetained: outbound.processed,
      sent: outbound.everSent,
      processed: inbound.tellable,
    };
  }

  /** How far it is, for a store. */
  get marks(): Marks {
    const { outbound, inbound, requests } = this;
    return {
      processed: inbound.processed,
      confirmed: outbound.processed,
      asked: requests.last,
      heard: requests.heard,
      owed: requests.open,
    };
  }

  /**
   * Whether it can go on with a peer at these positions: RSocket's rule. What we have not kept, the peer must have; what it has not kept,
   * we must have; and neither knows of chunks that were never sent.
   */
  fits(peer: Positions): boolean {
    const { outbound, inbound } = this;
    return outbound.processed <= peer.received && peer.received <= outbound.everSent &&
      peer.firstRetained <= inbound.received && inbound.received <= peer.sent &&
      outbound.processed <= peer.processed && peer.processed <= peer.received;
  }

  /** Whether it goes on after its connection ended like this. */
  survives(reason: CloseReason): boolean {
    if (this.grant === null) return false;
    switch (reason.kind) {
      case "closed":
      case "aborted":
        return false;
      case "timeout":
        return reason.code === "HANDSHAKE_TIMEOUT";
      case "error":
        // What the peer's application ended is over; what its machine could not read may be sent again.
        return reason.code !== "ABORTED" && reason.code !== "INTERNAL" && CODES[reason.code].retryable;
      default:
        return reason.code === "SUPERSEDED" || reason.code === "STALE_GENERATION" ||
          CODES[reason.code].retryable;
    }
  }

  /** Bytes that it holds: messages kept and waiting, and what the application has not finished. */
  get held(): number {
    return this.outbound.held + this.inbound.held;
  }

  /** A copy. */
  clone(environment: Environment): SessionState {
    const { inbound, outbound, requests } = this;
    const copy = new SessionState(inbound.clone(), outbound.clone(environment), requests.clone());
    copy.grant = this.grant;
    return copy;
  }

  /**
   * Which session it is, in a key; "-" before it was granted.
   *
   * @internal
   */
  name(names: Names): string {
    if (this.grant === null) return "-";
    const { id, secret, epoch } = this.grant;
    return `${names.of(id)} ${names.of(secret)} ${names.of(`epoch ${epoch}`)}`;
  }

  /**
   * The canonical form: of what it is, and of what it holds.
   *
   * @internal
   */
  key(now: Micros, names: Names): string {
    const requests = this.requests.key(this.outbound.accepted);
    return [this.name(names), this.inbound.key(), this.outbound.key(now), requests].join("\n");
  }
}

/** Checks that a message can be sent at all. */
export function checkSize(size: number, outbound: Outbound): void {
  const most = Math.min(outbound.maxMessage, outbound.longest);
  if (size <= most) return;
  const kept = outbound.longest < outbound.maxMessage;
  throw new HeartwireError(
    "MESSAGE_TOO_LARGE",
    `send: ${size} bytes, ${kept ? "the session can keep" : "the peer accepts"} ${most}`,
    {
      hint: kept
        ? "Raise retention, or send less at a time."
        : "Raise maxMessage at the receiver, or send less at a time.",
    },
  );
}

/** Checks that a message can be sent as a volatile one. */
export function checkVolatile(size: number, outbound: Outbound): void {
  const most = Math.min(outbound.maxMessage, MAX_CHUNK);
  if (size <= most) return;
  throw new HeartwireError("MESSAGE_TOO_LARGE", `a volatile message of ${size} bytes, ${most} fit`, {
    hint: "A volatile message is one chunk; send longer ones in order.",
  });
}

/** The positions that a HELLO, WELCOME or REJECT carries. */
export function positionsOf({ received, firstRetained, sent, processed }: Parameters): Positions {
  return {
    received: received ?? 0,
    firstRetained: firstRetained ?? 0,
    sent: sent ?? 0,
    processed: processed ?? 0,
  };
}

/**
 * How a client ends: what its application said, and until when a session without a connection may still deliver.
 *
 * Rule: who closes is told what that came to, not what became of the last dial: CLOSE_TIMEOUT when something was left undelivered, else ABORTED, for
 * the peer was not told. A code that is final stays the reason.
 *
 * @module
 */

import type { Environment } from "./environment.ts";
import type { CloseReason } from "./events.ts";
import { type DownReason, type Redial, worthAnother } from "./redial.ts";
import type { Session } from "./session.ts";
import { type Micros, NEVER, toMicros } from "./time.ts";

/** Who has nothing to deliver waits so long for a way to tell the peer, us: else that keeps the session for its whole window. */
const GOODBYE: Micros = 1_000_000;

/** For how long a session without a connection may dial in order to end in good order, us. */
export function patience(session: Session, closeTimeout: number): Micros {
  const longest = toMicros(closeTimeout);
  return session.owes ? longest : Math.min(longest, GOODBYE);
}

/** The end of one client. */
export class Ending {
  /** What the application said; null: it goes on. */
  said: { readonly code: number; readonly text: string } | null = null;
  /** Until then a session without a connection may get one to end in good order over. */
  by: Micros = NEVER;
  /** How it ended, if not as its last connection or dial. */
  verdict: CloseReason | null = null;

  /** How long to wait before the dial by which the session delivers what it has, and the peer is told; null: none. */
  delay(
    reason: DownReason,
    session: Session | null,
    redial: Redial,
    now: Micros,
    environment: Environment,
  ): Micros | null {
    if (this.by === NEVER || session?.accepts !== true || !worthAnother(reason)) return null;
    if (reason.kind === "dialFailed" && !session.owes) return null;
    const delay = redial.backoff(environment);
    return now + delay < this.by ? delay : null;
  }

  /** There will be no other connection; `reason`: why, if a connection or dial ended. */
  undelivered(session: Session | null, reason: DownReason | null): void {
    if (this.by === NEVER || (reason !== null && !worthAnother(reason))) return;
    if (session?.owes) this.verdict ??= { kind: "timeout", code: "CLOSE_TIMEOUT" };
    else this.verdict ??= { kind: "aborted", code: "ABORTED", text: this.said!.text };
  }

  /** A copy. */
  clone(): Ending {
    return Object.assign(new Ending(), this);
  }

  /** The canonical form. */
  key(now: Micros): string {
    return `${JSON.stringify(this.said)} ${this.by === NEVER ? "" : this.by - now} ${this.verdict?.kind}`;
  }
}

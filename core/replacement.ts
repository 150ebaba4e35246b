/**
 * Make before break: what a client has beside a connection that it suspects.
 *
 * A suspicion costs nothing, and a dial little; so on suspicion the next transport is made while the suspected connection still may speak. Is it
 * still suspected when the transport is there, the server is asked to go on over that one. From then on the old one is *kept*: nothing is taken
 * from it and nothing written, for the positions that HELLO told must hold, and a session is carried by one connection at a time. The answer
 * decides: WELCOME, and the kept one is dropped; REJECT, and it goes on as if nothing had been asked. What is no answer may mean either, so then
 * both are given up. Multipath transports decide likewise: they open the new path first and move when it has proved itself (QUIC, RFC 9000 section 9.3;
 * Multipath TCP, RFC 8684).
 *
 * Rules: damped, so that short stalls cost no take-overs: one early dial a connection, not before the suspicion, dropped when the suspicion
 * ends first. A connection that replaced another is not replaced before it has lived for a detection time: where an answer waits so long behind a
 * chunk that it is missed, the next connection would be suspected behind the same chunk, and none would ever carry it. The kept one is judged as ever while nothing comes from it: no verdict falls later.
 *
 * @module
 */

import type { Copies, Names } from "./canonical.ts";
import type { ClientOutputs } from "./client_types.ts";
import type { Conversation } from "./conversation.ts";
import type { Environment } from "./environment.ts";
import { copyOf, modern } from "./profile.ts";
import type { DownReason } from "./redial.ts";
import type { Session } from "./session.ts";
import { type Micros, NEVER, toMicros, toMillis } from "./time.ts";

/** The early dial and the kept connection of one client. */
export class Replacement {
  /** The early dial under way, 0 = none, and when it is given up. */
  attempt = 0;
  endpoint = 0;
  due: Micros = NEVER;
  /** The present connection had its early dial; and came of one. */
  tried = false;
  replaces = false;
  /** The suspected connection while its replacement's handshake lasts, and its attempt; null: none. */
  kept: Conversation | null = null;
  keptAttempt = 0;
  /** Something came over it. */
  heard = false;

  /** A connection begins. */
  begins(): void {
    this.tried = false;
    this.replaces = this.kept !== null;
  }

  /** Whether the connection that carries this session is to be replaced: it is suspected, and may be. `stable`: it lived for a while. */
  wanted(connection: Conversation, session: Session | null, stable: boolean): boolean {
    if (this.tried || (this.replaces && !stable)) return false;
    if (session?.resumable !== true || connection.phase !== "open") return false;
    return connection.goaway === null && suspected(connection);
  }

  /** A dial begins. */
  dials(attempt: number, endpoint: number, due: Micros): void {
    this.tried = true;
    this.attempt = attempt;
    this.endpoint = endpoint;
    this.due = due;
  }

  /** The early dial, if one is under way, came to nothing; `cancel`: by our own will. */
  over(reason: DownReason | null, cancel: boolean, out: ClientOutputs): void {
    const attempt = this.takeDial();
    if (attempt === 0) return;
    if (cancel) out.actions.push({ type: "cancelDial", attempt });
    out.events.push({ type: "unneeded", attempt, reason });
  }

  /** No dial is under way any more. Returns which one was. */
  takeDial(): number {
    const { attempt } = this;
    this.attempt = 0;
    this.due = NEVER;
    return attempt;
  }

  /** The connection of this attempt is kept. */
  keep(connection: Conversation, attempt: number): void {
    this.kept = connection;
    this.keptAttempt = attempt;
    this.heard = false;
  }

  /** The kept connection, if silence may still convict it. */
  get judged(): Conversation | null {
    return this.heard ? null : this.kept;
  }

  /** When a timer is due, ms. */
  deadline(): number {
    return Math.min(toMillis(this.due), this.judged?.deadline() ?? Infinity);
  }

  /** A copy. */
  clone(environment: Environment, copies: Copies): Replacement {
    const copy = Object.assign(new Replacement(), this);
    copy.kept = this.kept && copyOf(this.kept, environment, copies);
    return copy;
  }

  /** The canonical form. */
  key(now: number, names: Names): string {
    const { attempt, due, tried, replaces, heard, kept } = this;
    const dial = attempt === 0 ? "" : `${due === NEVER ? due : due - toMicros(now)}`;
    return `${dial} ${tried} ${replaces} ${heard} ${kept && modern(kept).key(now, names)}`;
  }
}

/** Whether silence is suspected, and not yet convicted. */
export function suspected(connection: Conversation): boolean {
  return connection.reason === null && connection.stats().detection?.suspected === true;
}

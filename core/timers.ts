/**
 * The timer table of a connection: a fixed set of kinds, each armed for one time or not at all.
 *
 * Rules: a timer is a number, not an object, so it cannot leak or overlap; arming again replaces. There is no other place
 * where a connection remembers when to wake.
 *
 * @module
 */

import { type Micros, NEVER } from "./time.ts";

/** What a connection can wait for. */
export const Timer = {
  /** The whole handshake; absolute. */
  HANDSHAKE: 0,
  /** Transmit idle, or an answer to ask for: time to send a PING. */
  BEAT: 1,
  /** Receive idle: suspicion, then conviction. */
  INBOUND: 2,
  /** An unanswered PING: suspicion, then conviction. */
  OUTBOUND: 3,
  /** An unfinished frame. */
  FRAME: 4,
  /** Chunks or progress that no ACK covers. */
  ACK: 5,
  /** The closing exchange. */
  CLOSE: 6,
  /** After the end: how long what still comes is read and dropped. */
  LINGER: 7,
} as const;

/** The table. */
export class Timers {
  #at: Micros[] = [NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER];

  /** When this timer fires; {@link NEVER} if it is not armed. */
  at(kind: number): Micros {
    return this.#at[kind]!;
  }

  /** Arms a timer, or arms it anew. */
  set(kind: number, at: Micros): void {
    this.#at[kind] = at;
  }

  /** Disarms a timer. */
  clear(kind: number): void {
    this.#at[kind] = NEVER;
  }

  /** Disarms all. */
  clearAll(): void {
    this.#at.fill(NEVER);
  }

  /** Whether a timer has come; if so it is disarmed. */
  expired(kind: number, now: Micros): boolean {
    if (this.#at[kind]! > now) return false;
    this.clear(kind);
    return true;
  }

  /**
   * The earliest of all, asked with every packet. Written out and with plain numbers: 48 instructions on Node; with the names it takes 88, as
   * a loop 110, and as one over a bit for each that is armed 86. BEAT is the likeliest.
   */
  next(): Micros {
    const at = this.#at;
    let least = at[1]!;
    if (at[2]! < least) least = at[2]!;
    if (at[3]! < least) least = at[3]!;
    if (at[4]! < least) least = at[4]!;
    if (at[5]! < least) least = at[5]!;
    if (at[6]! < least) least = at[6]!;
    if (at[7]! < least) least = at[7]!;
    if (at[0]! < least) least = at[0]!;
    return least;
  }

  /** A copy. */
  clone(): Timers {
    const copy = new Timers();
    copy.#at = this.#at.slice();
    return copy;
  }

  /** The canonical form, relative to `now`. */
  key(now: Micros): string {
    return this.#at.map((at) => at === NEVER ? "-" : String(at - now)).join(",");
  }
}

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
  /** A bit for each that may be armed: an open connection waits for two or three of the eight. */
  #armed = 0;

  /** When this timer fires; {@link NEVER} if it is not armed. */
  at(kind: number): Micros {
    return this.#at[kind]!;
  }

  /** Arms a timer, or arms it anew. */
  set(kind: number, at: Micros): void {
    this.#at[kind] = at;
    this.#armed |= 1 << kind;
  }

  /** Disarms a timer. */
  clear(kind: number): void {
    this.#at[kind] = NEVER;
    this.#armed &= ~(1 << kind);
  }

  /** Disarms all. */
  clearAll(): void {
    this.#at.fill(NEVER);
    this.#armed = 0;
  }

  /** Whether a timer has come; if so it is disarmed. */
  expired(kind: number, now: Micros): boolean {
    if (this.#at[kind]! > now) return false;
    this.clear(kind);
    return true;
  }

  /** The earliest of all. */
  next(): Micros {
    const at = this.#at;
    let least = NEVER;
    for (let rest = this.#armed; rest !== 0; rest &= rest - 1) {
      const time = at[31 - Math.clz32(rest & -rest)]!;
      if (time < least) least = time;
    }
    return least;
  }

  /** A copy. */
  clone(): Timers {
    const copy = new Timers();
    copy.#at = this.#at.slice();
    copy.#armed = this.#armed;
    return copy;
  }

  /** The canonical form, relative to `now`. */
  key(now: Micros): string {
    return this.#at.map((at) => at === NEVER ? "-" : String(at - now)).join(",");
  }
}

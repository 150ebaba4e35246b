/**
 * One direction's way from trust over suspicion to conviction.
 *
 * A timer that says dead only arms itself once more, one {@link TURN} ahead: after a stall of this process an overdue timer fires before
 * the bytes that wait (seen on Node, Deno and Bun), so what the kernel already holds is read first.
 *
 * Rules: the two times may move while it waits; what counts is what they are when the timer fires. One timer of the connection's table.
 *
 * @module
 */

import type { Micros } from "../time.ts";
import type { Timers } from "../timers.ts";
import { TURN } from "./beat.ts";

/** What a watch found. */
export type Judgement = "suspect" | "dead" | null;

const TRUSTED = 0;
const SUSPECTED = 1;
const TURNING = 2;

/** The watch over one direction. */
export class Watch {
  #kind: number;
  #timers: Timers;
  #state: number;

  /** @param kind its timer */
  constructor(kind: number, timers: Timers, state: number = TRUSTED) {
    this.#kind = kind;
    this.#timers = timers;
    this.#state = state;
  }

  /** Whether nothing is held against the direction. */
  get trusted(): boolean {
    return this.#state === TRUSTED;
  }

  /** What was missing came; suspicion begins at `suspectAt` if nothing more does. */
  trust(suspectAt: Micros): void {
    this.#state = TRUSTED;
    this.#timers.set(this.#kind, suspectAt);
  }

  /** The times moved, perhaps nearer: looks again at the next of them. */
  again(suspectAt: Micros, convictAt: Micros): void {
    if (this.#state !== TURNING) {
      this.#timers.set(this.#kind, this.#state === TRUSTED ? suspectAt : convictAt);
    }
  }

  /** Whether its timer fired. */
  due(now: Micros): boolean {
    return this.#timers.expired(this.#kind, now);
  }

  /** The timer fired: judges by the times of now. */
  judge(now: Micros, suspectAt: Micros, convictAt: Micros): Judgement {
    if (now < suspectAt) {
      // The times moved behind the turn: another turn has to precede a verdict by the new ones.
      if (this.#state === TURNING) this.#state = SUSPECTED;
      this.#timers.set(this.#kind, suspectAt);
      return null;
    }
    if (now < convictAt) {
      this.#state = SUSPECTED;
      this.#timers.set(this.#kind, convictAt);
      return "suspect";
    }
    if (this.#state === TURNING) return "dead";
    this.#state = TURNING;
    this.#timers.set(this.#kind, now + TURN);
    return "suspect";
  }

  /** A copy on another table. */
  clone(timers: Timers): Watch {
    return new Watch(this.#kind, timers, this.#state);
  }

  /** The canonical form. */
  key(): string {
    return String(this.#state);
  }
}

/**
 * The PINGs that asked for an answer and have not got one: what proves, or fails to prove, that the peer hears us.
 *
 * Rules: at most {@link MAX_OPEN}; when full, no more are asked, so that an honest late answer always finds its question.
 * The time of sending is remembered here by sequence; nothing of it travels.
 *
 * @module
 */

import { type Micros, NEVER } from "../time.ts";
import { ahead, later } from "./serial.ts";

/** So many PINGs may be unanswered at once. */
export const MAX_OPEN = 64;

interface Probe {
  readonly sequence: number;
  readonly sentAt: Micros;
  /** Where in the stream of control bytes its frame ends: flushed once so many were taken by the transport. */
  readonly endsAt: number;
}

/** The open probes of one connection. */
export class Probes {
  #open: Probe[] = [];
  /**
   * Since when proof is missing: the time of the oldest open probe, or of the last proof that came by another way; {@link
   * NEVER} while none is open.
   */
  missingSince: Micros = NEVER;

  /** Whether another may be asked. */
  get full(): boolean {
    return this.#open.length >= MAX_OPEN;
  }

  /** How many are open. */
  get size(): number {
    return this.#open.length;
  }

  /** A PING with ANSWER was written. */
  asked(sequence: number, sentAt: Micros, endsAt: number): void {
    this.#open.push({ sequence, sentAt, endsAt });
    if (this.missingSince === NEVER) this.missingSince = sentAt;
  }

  /** When the probe with this sequence was sent; -1 if none such is open. Leaves it open. */
  sentAt(sequence: number): Micros {
    for (const probe of this.#open) if (probe.sequence === sequence) return probe.sentAt;
    return -1;
  }

  /** The probe with this sequence was answered: it and all before it are closed. */
  answered(sequence: number): void {
    while (this.#open.length > 0 && !later(this.#open[0]!.sequence, sequence)) this.#open.shift();
    this.missingSince = this.#open.length > 0 ? this.#open[0]!.sentAt : NEVER;
  }

  /** The peer was proven to hear us by other evidence. Open probes stay open; the clock begins anew. */
  proven(now: Micros): void {
    if (this.#open.length > 0) this.missingSince = now;
  }

  /** Whether the transport took all bytes of the oldest open probe, having taken `flushed` bytes in all. */
  oldestFlushed(flushed: number): boolean {
    return this.#open.length > 0 && this.#open[0]!.endsAt <= flushed;
  }

  /** A copy. */
  clone(): Probes {
    const copy = new Probes();
    copy.#open = this.#open.slice();
    copy.missingSince = this.missingSince;
    return copy;
  }

  /** The canonical form: times relative to `now`, sequences to `sequence`, stream offsets to `written`. */
  key(now: Micros, sequence: number, written: number): string {
    const open = this.#open.map((p) =>
      `${ahead(p.sequence, sequence)}:${p.sentAt - now}:${p.endsAt - written}`
    );
    return `${this.missingSince === NEVER ? "-" : this.missingSince - now}[${open.join(" ")}]`;
  }
}

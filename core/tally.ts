/**
 * What a server counted since its start.
 *
 * @module
 */

import type { Code } from "./codes.ts";

/** Counts by code. */
export type Counts = Partial<Record<Code, number>>;

/** The counters of one server; they decide nothing. */
export class Tally {
  /** Transports accepted. */
  accepted = 0;
  /** Conversations that began. */
  opened = 0;
  /** Refused, by code. */
  readonly refused: Counts = {};
  /** Ended, by code. */
  readonly ended: Counts = {};

  /** One more of this code. */
  add(to: "refused" | "ended", code: Code): void {
    this[to][code] = (this[to][code] ?? 0) + 1;
  }

  /** A copy. */
  clone(): Tally {
    const { accepted, opened, refused, ended } = this;
    return Object.assign(new Tally(), { accepted, opened, refused: { ...refused }, ended: { ...ended } });
  }
}

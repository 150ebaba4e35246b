/**
 * What a session counts over all its connections: each connection counts for itself, from 0.
 *
 * @module
 */

import type { ConnectionStats } from "../core/mod.ts";

/** Counters that add up. */
const COUNTERS = [
  "bytesReceived",
  "bytesSent",
  "messagesReceived",
  "messagesSent",
  "requestsSent",
  "requestsReceived",
  "pingsSent",
  "pingsAnswered",
  "pingsReceived",
  "pongsSent",
  "pingsRepeated",
  "heartbeatFaults",
  "suspicions",
  "stalls",
  "stalledFor",
  "peerStalls",
  "peerStalledFor",
  "clockSteps",
] as const satisfies readonly (keyof ConnectionStats)[];

/** The counters of the connections that ended. */
export class Totals {
  readonly #sums: Partial<Record<(typeof COUNTERS)[number], number>> = {};

  /** A connection is followed by another. */
  add(stats: ConnectionStats): void {
    for (const name of COUNTERS) this.#sums[name] = (this.#sums[name] ?? 0) + stats[name];
  }

  /** What the current connection says, with that of those before it. */
  with(stats: ConnectionStats): ConnectionStats {
    const whole: Record<string, unknown> = { ...stats };
    for (const name of COUNTERS) whole[name] = stats[name] + (this.#sums[name] ?? 0);
    return whole as unknown as ConnectionStats;
  }
}

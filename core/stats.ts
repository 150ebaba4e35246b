/**
 * What a connection counts.
 *
 * @module
 */

/** Counters of one connection since its start, and its measures. Times in ms, sizes in bytes. */
export interface ConnectionStats {
  /** Bytes received, and taken by the transport. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Whole messages received, and accepted from the application. */
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** PINGs sent, and of these answered; PINGs received, and of these answered. */
  readonly pingsSent: number;
  readonly pingsAnswered: number;
  readonly pingsReceived: number;
  readonly pongsSent: number;
  /** PINGs that came again and were answered again (profile `classic`, `repeats: "count"`). */
  readonly pingsRepeated: number;
  /** Heartbeats of the peer that could not be believed. */
  readonly heartbeatFaults: number;
  /** Suspicions, ended or not. */
  readonly suspicions: number;
  /** Round trip, ms: the last, smoothed, its deviation, the least; null before the first answer. */
  readonly rtt: {
    readonly last: number;
    readonly smoothed: number;
    readonly deviation: number;
    readonly least: number;
  } | null;
  /** Message bytes accepted and not yet given to the transport. */
  readonly queued: number;
  /** Positions of this side's messages, counted in chunks: accepted, and what the peer received and processed. */
  readonly accepted: number;
  readonly acknowledged: number;
  readonly processed: number;
}

/** The counters behind {@link ConnectionStats}. */
export class Counters {
  bytesReceived = 0;
  messagesReceived = 0;
  messagesSent = 0;
  pingsSent = 0;
  pingsAnswered = 0;
  pingsReceived = 0;
  pongsSent = 0;
  pingsRepeated = 0;
  heartbeatFaults = 0;
  suspicions = 0;

  /** A copy. */
  clone(): Counters {
    return Object.assign(new Counters(), this);
  }
}

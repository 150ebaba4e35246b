/**
 * What a connection counts.
 *
 * @module
 */

/** Counters of one connection since its start, and its measures. Times in ms, sizes in bytes. */
export interface ConnectionStats {
  /** Bytes received. */
  readonly bytesReceived: number;
  /** Bytes taken by the transport. */
  readonly bytesSent: number;
  /** Whole messages received. */
  readonly messagesReceived: number;
  /** Messages accepted from the application. */
  readonly messagesSent: number;
  /** PINGs sent. */
  readonly pingsSent: number;
  /** Of the PINGs sent, those that were answered. */
  readonly pingsAnswered: number;
  /** PINGs received. */
  readonly pingsReceived: number;
  /** Of the PINGs received, those that were answered. */
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
  /** Position behind the last message accepted here, counted in chunks. */
  readonly accepted: number;
  /** Of these, what the peer says it received. */
  readonly acknowledged: number;
  /** Of these, what the peer's application has finished. */
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

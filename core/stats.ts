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
  /** How often this process did not run when it was to, suspensions included. */
  readonly stalls: number;
  /** For how long, in all, ms. */
  readonly stalledFor: number;
  /** The same as the peer confessed it. */
  readonly peerStalls: number;
  /** For how long, in all, ms. */
  readonly peerStalledFor: number;
  /** How often our wall clock was set. */
  readonly clockSteps: number;
  /** Round trip, ms: the last, smoothed, its deviation, the least; null before the first answer. */
  readonly rtt: {
    readonly last: number;
    readonly smoothed: number;
    readonly deviation: number;
    readonly least: number;
  } | null;
  /**
   * The peer's heartbeat clock minus ours, ms, from the quickest of the last eight round trips, whose `delay` bounds its error (half of it).
   * Both clocks count from WELCOME, so it holds the delay of that, too: what matters is its change. Null before the first answer.
   */
  readonly clock: { readonly offset: number; readonly delay: number } | null;
  /**
   * Each direction by itself, ms: how much later than the quickest of the last hundred or two the last heartbeat was (`excess`), and the
   * mean change from one to the next (`jitter`, RFC 3550 section 6.4.1). Null before the first heartbeat of the peer.
   */
  readonly oneWay: { readonly inbound: OneWayStats; readonly outbound: OneWayStats } | null;
  /** How silence is judged now; null before the connection is open, and for profiles that negotiate nothing. */
  readonly detection: DetectionStats | null;
  /** Message bytes accepted and not yet given to the transport. */
  readonly queued: number;
  /** Requests accepted from the application. */
  readonly requestsSent: number;
  /** Whole requests received. */
  readonly requestsReceived: number;
  /** Position behind the last message or request accepted here, counted in their chunks. */
  readonly accepted: number;
  /** Of these, what the peer says it received. */
  readonly acknowledged: number;
  /** Of these, what the peer's application has finished. */
  readonly processed: number;
}

/** One direction's delay, ms. */
export interface OneWayStats {
  /** Above the least. */
  readonly excess: number;
  /** Mean change. */
  readonly jitter: number;
}

/** How silence is judged. Times in ms. */
export interface DetectionStats {
  /** Which detector. */
  readonly detector: "fixed" | "accrual";
  /** A suspicion was told and has not ended. */
  readonly suspected: boolean;
  /** From now to suspicion if nothing comes; below 0: it is past. */
  readonly suspectIn: number;
  /** The same for the verdict. */
  readonly convictIn: number;
  /** What stalls may still add to that. */
  readonly deferrable: number;
  /** For "accrual": lateness against the peer's promise as learned, and the suspicion of now as -log10 of the chance that it lives. */
  readonly lateness: {
    readonly samples: number;
    readonly mean: number;
    readonly deviation: number;
    readonly phi: number;
  } | null;
}

/** The counters behind {@link ConnectionStats}. */
export class Counters {
  bytesReceived = 0;
  messagesReceived = 0;
  messagesSent = 0;
  requestsSent = 0;
  requestsReceived = 0;
  pingsSent = 0;
  pingsAnswered = 0;
  pingsReceived = 0;
  pongsSent = 0;
  pingsRepeated = 0;
  heartbeatFaults = 0;
  suspicions = 0;
  stalls = 0;
  stalledFor = 0;
  peerStalls = 0;
  peerStalledFor = 0;
  clockSteps = 0;

  /** A copy. */
  clone(): Counters {
    return Object.assign(new Counters(), this);
  }
}

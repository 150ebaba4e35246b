/**
 * Whether the peer is alive, and when to show it that we are (docs/PROTOCOL.md, section 5): two clocks, never mixed.
 *
 * *Transmit idle* decides when to send; *receive idle* decides when to suspect. Sending proves nothing about the peer. A
 * probe, a PING that asks for an answer, goes out on idle and at the latest every three intervals, so that traffic one way
 * cannot hide that the other way is dead.
 *
 * Rules: three timers of the connection's table (BEAT, INBOUND, OUTBOUND) belong to this file. Suspicion at two thirds of
 * the time; conviction only after one more turn of {@link TURN}, for when a process was stalled, its overdue timer fires
 * before the bytes that waited (seen on Node, Deno and Bun). All times in whole microseconds.
 *
 * @module
 */

import { type Environment, uniform } from "../environment.ts";
import type { Evidence, Verdict } from "../events.ts";
import { type Micros, NEVER, toMillis } from "../time.ts";
import { Timer, type Timers } from "../timers.ts";
import { Probes } from "./probes.ts";

/** One more turn of the driver's loop before a conviction, us. */
export const TURN: Micros = 1_000;

/** A probe goes out at the latest after so many intervals. */
export const PROBE_INTERVALS = 3;

/** What both sides agreed on, us. */
export interface Beat {
  readonly txInterval: Micros;
  readonly rxDetection: Micros;
  readonly probeDetection: Micros;
  /** Our multiplier: with 1 the jitter is narrower, so that a beat is never due at the very detection time. */
  readonly multiplier: number;
}

/**
 * From a cut of both directions to the verdict, at most, us.
 *
 * @param idle nothing but heartbeats is sent: then a probe leaves in every interval, else in every third
 */
export function detectionBound(beat: Beat, idle: boolean): Micros {
  const ask = (idle ? 1 : PROBE_INTERVALS) * beat.txInterval;
  return Math.min(beat.rxDetection, ask + beat.probeDetection) + TURN;
}

/** What {@link Liveness.timeout} found. */
export type LivenessFinding =
  | { readonly type: "suspect"; readonly evidence: Evidence }
  | { readonly type: "dead"; readonly evidence: Evidence };

/** One direction's progress from trust to conviction. */
const TRUSTED = 0;
const SUSPECTED = 1;
const TURNING = 2;

/** The liveness of one open connection. */
export class Liveness {
  readonly beat: Beat;
  readonly probes: Probes;
  /** The sequence of our last PING. */
  sequence = 0;
  #timers: Timers;
  #environment: Environment;
  #delay: Micros;
  #askedAt: Micros;
  #lastHeard: Micros;
  #inbound = TRUSTED;
  #outbound = TRUSTED;
  /** The suspicion that was told and has not ended. */
  #suspected: Verdict | null = null;

  constructor(beat: Beat, timers: Timers, environment: Environment, now: Micros, from?: Liveness) {
    this.beat = beat;
    this.#timers = timers;
    this.#environment = environment;
    if (from !== undefined) {
      this.probes = from.probes.clone();
      this.sequence = from.sequence;
      this.#delay = from.#delay;
      this.#askedAt = from.#askedAt;
      this.#lastHeard = from.#lastHeard;
      this.#inbound = from.#inbound;
      this.#outbound = from.#outbound;
      this.#suspected = from.#suspected;
      return;
    }
    this.probes = new Probes();
    this.#delay = this.#draw();
    this.#askedAt = now;
    this.#lastHeard = now;
    this.sent(now);
    this.heard(now);
  }

  #draw(): Micros {
    const width = this.beat.multiplier === 1 ? 0.15 : 0.25;
    return Math.floor(this.beat.txInterval * (0.75 + width * uniform(this.#environment)));
  }

  /** When our next frame comes at the latest, in 255ths of the interval, rounded up: the PING's and PONG's `promise`. */
  promise(): number {
    return Math.min(255, Math.ceil(this.#delay * 255 / this.beat.txInterval));
  }

  /** A frame of ours was written. */
  sent(now: Micros): void {
    const idle = now + this.#delay;
    const ask = this.#askedAt + PROBE_INTERVALS * this.beat.txInterval;
    this.#timers.set(Timer.BEAT, idle < ask ? idle : ask);
  }

  /**
   * A PING is about to be written: gives its sequence and draws the delay to the next one.
   *
   * @param endsAt where its frame will end in the stream of control bytes
   */
  pinged(now: Micros, asks: boolean, endsAt: number): number {
    this.sequence = (this.sequence + 1) >>> 0;
    this.#delay = this.#draw();
    this.#askedAt = now; // also when it does not ask, for want of room: else the beat would be due again at once
    if (asks) {
      this.probes.asked(this.sequence, now, endsAt);
      this.#watchOutbound();
    }
    return this.sequence;
  }

  /** Bytes came. Returns the suspicion that this ends, if any. */
  heard(now: Micros): Verdict | null {
    this.#lastHeard = now;
    this.#inbound = TRUSTED;
    this.#timers.set(Timer.INBOUND, now + suspicion(this.beat.rxDetection));
    return this.#suspected === null ? null : this.#relief();
  }

  /** A probe was answered. Returns the suspicion that this ends, if any. */
  answered(sequence: number): Verdict | null {
    this.probes.answered(sequence);
    return this.#trustOutbound();
  }

  /** The peer's `received` rose: our bytes arrive. Returns the suspicion that this ends, if any. */
  arrived(now: Micros): Verdict | null {
    if (this.probes.size === 0) return null;
    this.probes.proven(now);
    return this.#trustOutbound();
  }

  #trustOutbound(): Verdict | null {
    this.#outbound = TRUSTED;
    this.#watchOutbound();
    return this.#relief();
  }

  /** A suspicion ends when both directions are trusted again. */
  #relief(): Verdict | null {
    if (this.#inbound !== TRUSTED || this.#outbound !== TRUSTED) return null;
    const verdict = this.#suspected;
    this.#suspected = null;
    return verdict;
  }

  /** A suspicion is told once, and again only when the evidence points elsewhere. */
  #suspect(evidence: Evidence): LivenessFinding | null {
    if (this.#suspected === evidence.verdict) return null;
    this.#suspected = evidence.verdict;
    return { type: "suspect", evidence };
  }

  #watchOutbound(): void {
    if (this.#outbound !== TRUSTED) return;
    const since = this.probes.missingSince;
    this.#timers.set(Timer.OUTBOUND, since === NEVER ? NEVER : since + suspicion(this.beat.probeDetection));
  }

  /** Whether it is time to send a PING. */
  beatDue(now: Micros): boolean {
    return this.#timers.expired(Timer.BEAT, now);
  }

  /**
   * Judges silence.
   *
   * @param flushed how many control bytes the transport took in all
   */
  judge(now: Micros, flushed: number): LivenessFinding | null {
    if (this.#timers.expired(Timer.INBOUND, now)) {
      const finding = this.#judgeInbound(now);
      if (finding !== null) return finding;
    }
    if (this.#timers.expired(Timer.OUTBOUND, now)) return this.#judgeOutbound(now, flushed);
    return null;
  }

  #judgeInbound(now: Micros): LivenessFinding | null {
    const limit = this.beat.rxDetection;
    const evidence = this.#evidence("INBOUND_SILENT", now - this.#lastHeard, limit);
    if (this.#inbound === TURNING) return { type: "dead", evidence };
    if (now - this.#lastHeard >= limit) {
      const trusted = this.#inbound === TRUSTED;
      this.#inbound = TURNING;
      this.#timers.set(Timer.INBOUND, now + TURN);
      return trusted ? this.#suspect(evidence) : null;
    }
    this.#inbound = SUSPECTED;
    this.#timers.set(Timer.INBOUND, this.#lastHeard + limit);
    return this.#suspect(evidence);
  }

  #judgeOutbound(now: Micros, flushed: number): LivenessFinding | null {
    const limit = this.beat.probeDetection;
    const since = this.probes.missingSince;
    const evidence = this.#evidence(this.#outboundVerdict(since, now, flushed), now - since, limit);
    if (this.#outbound === TURNING) return { type: "dead", evidence };
    if (now - since >= limit) {
      const trusted = this.#outbound === TRUSTED;
      this.#outbound = TURNING;
      this.#timers.set(Timer.OUTBOUND, now + TURN);
      return trusted ? this.#suspect(evidence) : null;
    }
    this.#outbound = SUSPECTED;
    this.#timers.set(Timer.OUTBOUND, since + limit);
    return this.#suspect(evidence);
  }

  #outboundVerdict(since: Micros, now: Micros, flushed: number): Verdict {
    if (!this.probes.oldestFlushed(flushed)) return "LOCAL_BACKLOG";
    // Heard a moment after the question and never again is silence; what talks is heard all the time.
    const silent = this.#lastHeard <= since || now - this.#lastHeard >= suspicion(this.beat.probeDetection);
    return silent ? "INBOUND_SILENT" : "OUTBOUND_DEAD";
  }

  #evidence(verdict: Verdict, silentFor: Micros, limit: Micros): Evidence {
    const direction = verdict === "INBOUND_SILENT" ? "inbound" : "outbound";
    return { verdict, direction, silentFor: toMillis(silentFor), limit: toMillis(limit) };
  }

  /** A copy that arms timers of `timers` and draws from `environment`. */
  clone(timers: Timers, environment: Environment): Liveness {
    return new Liveness(this.beat, timers, environment, 0, this);
  }

  /** The canonical form. */
  key(now: Micros, written: number): string {
    const times = [this.#delay, this.#askedAt - now, this.#lastHeard - now, this.#inbound, this.#outbound];
    return `${times.join(",")},${this.#suspected};${this.probes.key(now, this.sequence, written)}`;
  }
}

/** After how much of a detection time suspicion begins: two thirds. */
function suspicion(detection: Micros): Micros {
  return Math.floor(detection * 2 / 3);
}

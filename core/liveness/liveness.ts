/**
 * Whether the peer is alive, and when to show it that we are (docs/PROTOCOL.md, section 5): two clocks, never mixed.
 *
 * *Transmit idle* decides when to send; *receive idle* decides when to suspect. Sending proves nothing about the peer. A
 * probe, a PING that asks for an answer, goes out on idle and at the latest every three intervals, so that traffic one way
 * cannot hide that the other way is dead.
 *
 * The parts: negotiation.ts makes the beat, detector.ts and accrual.ts say when silence is death, probes.ts remembers what was
 * asked, blame.ts says whose silence it is, watch.ts goes from trust to conviction. This file joins them.
 *
 * Rules: three timers of the connection's table (BEAT, INBOUND, OUTBOUND) belong to this file. All times in whole microseconds.
 *
 * @module
 */

import { type Environment, uniform } from "../environment.ts";
import type { Evidence, Verdict } from "../events.ts";
import { type Micros, NEVER, toMillis } from "../time.ts";
import { Timer, type Timers } from "../timers.ts";
import { type Beat, extensionCap, PROBE_INTERVALS } from "./beat.ts";
import { Blame, type Diagnosis } from "./blame.ts";
import { askBucket, askPeriod, type TokenBucket } from "./bucket.ts";
import { type Detector, suspicion } from "./detector.ts";
import type { Measures } from "./measures.ts";
import { Probes } from "./probes.ts";
import { type Judgement, Watch } from "./watch.ts";

/** What {@link Liveness.judge} found. */
export interface LivenessFinding {
  readonly type: "suspect" | "dead";
  readonly evidence: Evidence;
}

/** The liveness of one open connection. */
export class Liveness {
  readonly probes: Probes;
  readonly detector: Detector;
  readonly blame: Blame;
  readonly measures: Measures;
  /** The sequence of our last PING. */
  sequence = 0;
  #beat: Beat;
  #timers: Timers;
  #environment: Environment;
  /** What the peer lets us ask, in its own measure. */
  #allowance: TokenBucket;
  #inbound: Watch;
  #outbound: Watch;
  #delay: Micros;
  #sentAt: Micros;
  #askedAt: Micros;
  /** When the PING may go that was wanted sooner than the peer allows; {@link NEVER}: none was. */
  #wantedAt: Micros = NEVER;
  #lastHeard: Micros;
  /** The suspicion that was told and has not ended. */
  #suspected: Verdict | null = null;

  constructor(
    beat: Beat,
    detector: Detector,
    measures: Measures,
    timers: Timers,
    environment: Environment,
    now: Micros,
    from?: Liveness,
  ) {
    this.#beat = beat;
    this.detector = detector;
    this.measures = measures;
    this.#timers = timers;
    this.#environment = environment;
    if (from !== undefined) {
      this.probes = from.probes.clone();
      this.blame = from.blame.clone();
      this.sequence = from.sequence;
      this.#allowance = from.#allowance.clone();
      this.#inbound = from.#inbound.clone(timers);
      this.#outbound = from.#outbound.clone(timers);
      this.#delay = from.#delay;
      this.#sentAt = from.#sentAt;
      this.#askedAt = from.#askedAt;
      this.#wantedAt = from.#wantedAt;
      this.#lastHeard = from.#lastHeard;
      this.#suspected = from.#suspected;
      return;
    }
    this.probes = new Probes();
    this.blame = new Blame();
    this.#allowance = askBucket(beat.txInterval, beat.multiplier, now);
    this.#inbound = new Watch(Timer.INBOUND, timers);
    this.#outbound = new Watch(Timer.OUTBOUND, timers);
    this.#delay = this.#draw();
    this.#askedAt = now;
    this.#sentAt = now;
    this.#lastHeard = now;
    this.sent(now);
    this.heard(now);
  }

  /** What is agreed. */
  get beat(): Beat {
    return this.#beat;
  }

  /** The terms changed: from now on this is agreed. */
  retune(beat: Beat, now: Micros): void {
    this.#beat = beat;
    this.detector.retune(beat.rxDetection);
    this.#allowance.retune(askPeriod(beat.txInterval), beat.multiplier, now);
    // Sooner at once, later from the next PING on: the last one promised when the next frame comes, and the peer may count on that.
    this.#delay = Math.min(this.#delay, this.#draw());
    if (this.#wantedAt !== NEVER) this.#wantedAt = this.#allowance.readyAt(now);
    this.sent(this.#sentAt);
    this.#inbound.again(this.#suspectInboundAt(), this.#convictInboundAt());
    this.#watchOutbound();
  }

  #draw(): Micros {
    const width = this.#beat.multiplier === 1 ? 0.15 : 0.25;
    return Math.floor(this.#beat.txInterval * (0.75 + width * uniform(this.#environment)));
  }

  // Transmit idle.

  /** When our next frame comes at the latest, in 255ths of the interval, rounded up: the PING's and PONG's `promise`. */
  promise(): number {
    return Math.min(255, Math.ceil(this.#delay * 255 / this.#beat.txInterval));
  }

  /** A frame of ours was written. */
  sent(now: Micros): void {
    this.#sentAt = now;
    const idle = now + this.#delay;
    const ask = this.#askedAt + PROBE_INTERVALS * this.#beat.txInterval;
    const due = idle < ask ? idle : ask;
    this.#timers.set(Timer.BEAT, due < this.#wantedAt ? due : this.#wantedAt);
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
    this.#wantedAt = NEVER;
    this.#allowance.force(now);
    if (asks) {
      this.probes.asked(this.sequence, now, endsAt);
      this.#watchOutbound();
    }
    return this.sequence;
  }

  /**
   * The application wants an answer. True: a PING may go at once. False: the peer would strike us for it, so the beat is moved to the first
   * moment at which it may go, and the question is the PING that goes then.
   */
  mayAsk(now: Micros): boolean {
    const readyAt = this.#allowance.readyAt(now);
    if (readyAt <= now) return true;
    this.#wantAt(readyAt);
    return false;
  }

  /** A PING is to go at this time at the latest, whatever frames go before. */
  #wantAt(at: Micros): void {
    this.#wantedAt = Math.min(this.#wantedAt, at);
    if (this.#wantedAt < this.#timers.at(Timer.BEAT)) this.#timers.set(Timer.BEAT, this.#wantedAt);
  }

  /** Whether it is time to send a PING. */
  beatDue(now: Micros): boolean {
    return this.#timers.expired(Timer.BEAT, now);
  }

  // Receive idle.

  #suspectInboundAt(): Micros {
    const { graceFrom, graceEnd, inbound } = this.blame;
    if (graceEnd !== NEVER) return graceFrom + suspicion(graceEnd - graceFrom);
    return this.detector.suspectAt + inbound;
  }

  #convictInboundAt(): Micros {
    const { graceEnd, inbound } = this.blame;
    return graceEnd !== NEVER ? graceEnd : this.detector.convictAt + inbound;
  }

  /** Bytes came. Returns the suspicion that this ends, if any. */
  heard(now: Micros): Verdict | null {
    this.#lastHeard = now;
    this.detector.heard(now);
    // What waited while this machine slept proves nothing about now.
    if (this.blame.graceEnd !== NEVER && this.blame.waited(now)) return null;
    this.blame.heard();
    this.#inbound.trust(this.detector.suspectAt);
    return this.#suspected === null ? null : this.#relief();
  }

  /**
   * A heartbeat among these bytes was believed. Returns what its clock explains, if there was anything to explain.
   *
   * @param peerTime the peer's clock when it was sent, us, not wrapped
   * @param promise in 255ths of the agreed interval
   * @param askedAt it is a PONG to a question of that time; -1: it is none
   * @param late the peer confesses in it that it did not run
   */
  heartbeat(
    now: Micros,
    peerTime: Micros,
    promise: number,
    askedAt: Micros,
    late: boolean,
  ): Diagnosis | null {
    const { measures } = this;
    const found = this.blame.heartbeat(measures.transit(peerTime, now), askedAt);
    if (found?.type === "SUSPENDED") {
      measures.rebase();
      this.detector.rebase();
    }
    const spans = late || this.blame.waited(now);
    if (!spans) measures.heartbeat(peerTime, now);
    this.detector.heartbeat(
      now,
      peerTime,
      Math.ceil(promise * this.#beat.rxInterval / 255),
      askedAt >= 0,
      spans,
    );
    if (this.blame.graceEnd === NEVER) this.#inbound.trust(this.detector.suspectAt);
    return found;
  }

  /** A PING came too fast. Whether the peer's clock says that this machine slept: then the next sample of the wall clock decides. */
  early(peerTime: Micros, now: Micros): boolean {
    return this.blame.early(this.measures.transit(peerTime, now), this.#beat);
  }

  /** Whether this process, or the peer as it said, did not run at some time after `since`. */
  spans(since: Micros): boolean {
    return since < this.blame.ranAgainAt || since < this.blame.confessedAt;
  }

  // Questions.

  /** A probe was answered. Returns the suspicion that this ends, if any. */
  answered(sequence: number): Verdict | null {
    if (this.blame.graceEnd !== NEVER && this.probes.sentAt(sequence) >= this.blame.graceFrom) {
      this.blame.heard(); // the very question that was asked then
      this.#inbound.trust(this.detector.suspectAt);
    }
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
    this.blame.proven();
    this.#outbound.trust(this.#suspectOutboundAt());
    return this.#relief();
  }

  #suspectOutboundAt(): Micros {
    const since = this.probes.missingSince;
    return since === NEVER ? NEVER : since + suspicion(this.#beat.probeDetection) + this.blame.outbound;
  }

  #convictOutboundAt(): Micros {
    return this.probes.missingSince + this.#beat.probeDetection + this.blame.outbound;
  }

  #watchOutbound(): void {
    this.#outbound.again(this.#suspectOutboundAt(), this.#convictOutboundAt());
  }

  // Judgement.

  /** A suspicion ends when both directions are trusted again. */
  #relief(): Verdict | null {
    if (!this.#inbound.trusted || !this.#outbound.trusted) return null;
    const verdict = this.#suspected;
    this.#suspected = null;
    return verdict;
  }

  /**
   * Judges silence.
   *
   * @param flushed how many control bytes the transport took in all
   */
  judge(now: Micros, flushed: number): LivenessFinding | null {
    if (this.#inbound.due(now)) {
      const found = this.#inbound.judge(now, this.#suspectInboundAt(), this.#convictInboundAt());
      const finding = this.#finding(found, () => this.#inboundEvidence(now));
      if (finding !== null) return finding;
    }
    if (!this.#outbound.due(now)) return null;
    const found = this.#outbound.judge(now, this.#suspectOutboundAt(), this.#convictOutboundAt());
    return this.#finding(found, () => this.#outboundEvidence(now, flushed));
  }

  /** A suspicion is told once, and again only when the evidence points elsewhere. */
  #finding(found: Judgement, evidence: () => Evidence): LivenessFinding | null {
    if (found === null) return null;
    const finding: LivenessFinding = { type: found, evidence: evidence() };
    if (found === "suspect") {
      if (this.#suspected === finding.evidence.verdict) return null;
      this.#suspected = finding.evidence.verdict;
    }
    return finding;
  }

  #inboundEvidence(now: Micros): Evidence {
    const { graceFrom, graceEnd, inbound } = this.blame;
    if (graceEnd !== NEVER) return evidence("SUSPENDED", now - graceFrom, graceEnd - graceFrom, 0);
    const limit = this.detector.convictAt - this.#lastHeard;
    return evidence("INBOUND_SILENT", now - this.#lastHeard, limit, inbound);
  }

  #outboundEvidence(now: Micros, flushed: number): Evidence {
    const since = this.probes.missingSince;
    const limit = this.#beat.probeDetection;
    return evidence(this.#outboundVerdict(since, now, flushed), now - since, limit, this.blame.outbound);
  }

  #outboundVerdict(since: Micros, now: Micros, flushed: number): Verdict {
    if (!this.probes.oldestFlushed(flushed)) return "LOCAL_BACKLOG";
    // Heard a moment after the question and never again is silence; what talks is heard all the time.
    const silent = this.#lastHeard <= since ||
      now - this.#lastHeard >= suspicion(this.#beat.probeDetection);
    return silent ? "INBOUND_SILENT" : "OUTBOUND_DEAD";
  }

  // Blame.

  /** This process ran `lag` later than it was to. */
  woke(lag: Micros, now: Micros): Diagnosis {
    const askAt = this.#askableAt(now);
    const found = this.blame.woke(lag, now, askAt, this.#beat, this.measures.rto);
    if (found.type === "SUSPENDED") this.#askAnew(askAt);
    return found;
  }

  /** A sample of the wall clock, us, taken at `at`. Returns what it shows, if anything. */
  wall(wall: Micros, at: Micros, now: Micros): Diagnosis | null {
    const before = this.blame.graceEnd;
    const askAt = this.#askableAt(now);
    const found = this.blame.wall(wall, at, now, askAt, this.#beat, this.measures.rto);
    if (this.blame.graceEnd !== before) this.#askAnew(askAt);
    return found;
  }

  /**
   * When the peer can be asked behind a suspension: at once, unless that happens so often that the peer would strike us for it. It need not be
   * asked where its own beat comes sooner.
   */
  #askableAt(now: Micros): Micros {
    return Math.min(this.#allowance.readyAt(now, 1), now + this.#beat.rxInterval);
  }

  /** What was asked before a suspension says nothing any more: the peer is asked now, and both directions are watched from now. */
  #askAnew(at: Micros): void {
    this.#wantAt(Math.max(at, this.#allowance.readyAt(at, 1)));
    this.probes.proven(at);
    this.#watchOutbound();
    this.#inbound.again(this.#suspectInboundAt(), this.#convictInboundAt());
  }

  /** The peer confesses that it did not run for so long. */
  confessed(span: Micros, now: Micros): void {
    this.blame.confessed(span, now, this.#beat);
    this.#watchOutbound();
  }

  /** Whether a suspicion was told that has not ended. */
  get suspected(): boolean {
    return this.#suspected !== null;
  }

  /** When this silence is suspected, and when it is death. */
  get silence(): { readonly suspectAt: Micros; readonly convictAt: Micros } {
    return { suspectAt: this.#suspectInboundAt(), convictAt: this.#convictInboundAt() };
  }

  /** How much the stalls that are known may still defer a verdict, us. */
  get deferrable(): Micros {
    return extensionCap(this.#beat.rxDetection) - this.blame.inbound;
  }

  /** A copy that arms timers of `timers` and draws from `environment`. */
  clone(timers: Timers, environment: Environment): Liveness {
    return new Liveness(
      this.#beat,
      this.detector.clone(),
      this.measures.clone(),
      timers,
      environment,
      0,
      this,
    );
  }

  /** The canonical form. */
  key(now: Micros, written: number): string {
    const { smoothed, deviation } = this.measures.roundTrip; // they make `rto`; the other measures decide nothing
    const times = [
      this.#delay,
      this.#sentAt - now,
      this.#wantedAt - now,
      this.#askedAt - now,
      this.#lastHeard - now,
      smoothed,
      deviation,
    ];
    return [
      `${times.join(",")},${this.#inbound.key()},${this.#outbound.key()},${this.#suspected}`,
      this.probes.key(now, this.sequence, written),
      this.detector.key(now),
      this.blame.key(now),
      this.#allowance.key(now),
    ].join(";");
  }
}

function evidence(verdict: Verdict, silentFor: Micros, limit: Micros, deferred: Micros): Evidence {
  const direction = verdict === "INBOUND_SILENT" || verdict === "SUSPENDED" ? "inbound" : "outbound";
  return {
    verdict,
    direction,
    silentFor: toMillis(silentFor),
    limit: toMillis(limit),
    deferred: toMillis(deferred),
  };
}

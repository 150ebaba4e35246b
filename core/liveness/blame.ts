/**
 * Whose silence it is: this process's, this machine's, the peer's, or nobody's (a clock that was set).
 *
 * A late wake-up is not the peer's silence. Two things are compared on every occasion: when this process was to run and when it ran
 * (*lag*), and, where the wall clock is known, how far it and the monotonic clock moved (*skew*; on Linux the monotonic clock stands
 * still while a machine is suspended, on macOS it does not). In this order:
 *
 *   - lag or skew above the detection time: *suspended*, or as good as. What was waited for before says nothing any more. The peer is
 *     asked at once and gets a short time to answer, 3 RTO (not more than the detection time) or 1 s: a laptop that wakes must not wait for minutes;
 *   - a smaller lag: *local stall*. Deadlines move by it, up to the cap of beat.ts in all until the peer is heard again, so that a process
 *     that always stalls still finds a dead peer;
 *   - any other skew: *clock step*. Nothing moves.
 *
 * Skew alone cannot tell a machine that slept from a clock that was set forward. The peer's next heartbeat can: over a sleep its clock
 * went on and ours did not, so the transit time fell by the skew. Until then it is only asked.
 *
 * A stall of the peer is known from its confession, afterwards. It defers the time that the peer has to answer, within the same cap.
 *
 * Rules: no timer and no verdict here: liveness.ts adds `inbound` and `outbound` to its deadlines, and replaces them by `graceEnd` where
 * that is set. Whole microseconds.
 *
 * @module
 */

import { type Micros, NEVER } from "../time.ts";
import { type Beat, extensionCap } from "./beat.ts";

/** A peer that was asked after a suspension has at least so long, us. */
const GRACE: Micros = 1_000_000;

/** A lag below this is a busy loop, not a stall, us: three frames of a screen, above what timers and garbage collection take. */
const BUSY: Micros = 50_000;

/** A wall clock that differs by less was slewed, not set, us; or by less than a thousandth of the time between (NTP slews half of that). */
const SLEW: Micros = 100_000;

/** What was found out. `span` in us. */
export interface Diagnosis {
  readonly type: "LOCAL_STALLED" | "SUSPENDED" | "CLOCK_STEP";
  readonly span: Micros;
}

/** Below this a lag is ignored: {@link BUSY}, or a quarter of a very short detection time. */
export function patience(beat: Beat): Micros {
  return Math.min(BUSY, Math.floor(beat.rxDetection / 4));
}

/** The diagnosis of one connection. */
export class Blame {
  /** So much later are the deadlines of receive idle, us. */
  inbound: Micros = 0;
  /** So much later are those of unanswered questions, us. */
  outbound: Micros = 0;
  /** After a suspension: when the question went out, and by when something has to come; else {@link NEVER}. */
  graceFrom: Micros = NEVER;
  graceEnd: Micros = NEVER;
  /** When this process last began to run again; -1 = it always ran. */
  ranAgainAt: Micros = -1;
  /** When the peer last confessed a stall; what was asked before may have waited for it. -1 = never. */
  confessedAt: Micros = -1;
  /** Time that this process did not run, not yet confessed to the peer, us. */
  unconfessed: Micros = 0;
  /** PINGs that came too fast and would be right if this machine had slept. */
  #early = 0;
  #wall: Micros = NEVER;
  #wallAt: Micros = 0;
  /** A skew that a heartbeat of the peer has yet to explain, us; 0 = none. */
  #skew: Micros = 0;
  #skewAt: Micros = 0;
  /** Of the last heartbeat, and of the last one before the last sample without a skew. Both clocks began at 0 with WELCOME. */
  #transit: Micros = 0;
  #transitBefore: Micros = 0;

  /**
   * This process ran `lag` later than it was to, us; at least {@link patience}.
   *
   * @param askAt when the peer can be asked
   */
  woke(lag: Micros, now: Micros, askAt: Micros, beat: Beat, rto: Micros): Diagnosis {
    this.ranAgainAt = now;
    this.unconfessed += lag;
    if (lag > beat.rxDetection) {
      this.#grace(askAt, rto, beat);
      return { type: "SUSPENDED", span: lag };
    }
    const cap = extensionCap(beat.rxDetection);
    this.inbound = Math.min(cap, this.inbound + lag);
    this.outbound = Math.min(extensionCap(beat.probeDetection), this.outbound + lag);
    return { type: "LOCAL_STALLED", span: lag };
  }

  /** The short time for the peer to answer. Once until it is heard: who wakes late again and again gets no other. */
  #grace(askAt: Micros, rto: Micros, beat: Beat): void {
    if (this.graceEnd !== NEVER) return;
    this.graceFrom = askAt;
    // A process that is always slow sees its own stalls in the round trip.
    this.graceEnd = askAt + Math.max(Math.min(3 * rto, beat.rxDetection), GRACE);
  }

  /**
   * A sample of the wall clock, us, taken at `at`. `null`: it runs as it should, or the peer has to be asked first (then {@link graceEnd} is set).
   */
  wall(
    wall: Micros,
    at: Micros,
    now: Micros,
    askAt: Micros,
    beat: Beat,
    rto: Micros,
  ): Diagnosis | null {
    const elapsed = at - this.#wallAt;
    const skew = this.#wall === NEVER ? 0 : wall - this.#wall - elapsed;
    this.#wall = wall;
    this.#wallAt = at;
    if (Math.abs(skew) <= Math.max(SLEW, elapsed / 1_000)) {
      if (this.#skew === 0) this.#transitBefore = this.#transit;
      return null;
    }
    if (skew <= beat.rxDetection) return { type: "CLOCK_STEP", span: skew };
    this.#skew += skew;
    this.#skewAt = now;
    this.ranAgainAt = now;
    this.#grace(askAt, rto, beat);
    return null;
  }

  /**
   * A PING came too fast. True: the peer's clock went on so much further than ours that this machine seems to have slept, and the wall clock
   * has not been asked since.
   */
  early(transit: Micros, beat: Beat): boolean {
    if (this.#wall === NEVER || this.#transitBefore - transit <= beat.rxDetection) return false;
    if (this.#skew === 0) this.#early++;
    return true;
  }

  /** Behind a sample of the wall clock: how many such PINGs it did not explain. */
  takeEarly(): number {
    const early = this.#skew === 0 ? this.#early : 0;
    this.#early = 0;
    return early;
  }

  /**
   * A heartbeat of the peer was believed; `transit` is our clock minus the peer's. Explains a skew that was open.
   *
   * @param askedAt when the question was sent that it answers, or -1. Other heartbeats may be from before: they prove sleep, but no step.
   */
  heartbeat(transit: Micros, askedAt: Micros): Diagnosis | null {
    const fell = this.#transitBefore - transit;
    this.#transit = transit;
    if (this.#skew === 0) return null;
    const span = this.#skew;
    const slept = 2 * Math.abs(fell - span) < span;
    if (!slept && askedAt < this.#skewAt) return null;
    this.#skew = 0;
    this.#transitBefore = transit;
    if (!slept) return { type: "CLOCK_STEP", span };
    this.unconfessed += span;
    return { type: "SUSPENDED", span };
  }

  /** The peer confesses that it did not run for `span` us. */
  confessed(span: Micros, now: Micros, beat: Beat): void {
    this.confessedAt = now;
    this.outbound = Math.min(extensionCap(beat.probeDetection), this.outbound + span);
  }

  /** Bytes came. */
  heard(): void {
    this.inbound = 0;
    this.graceFrom = this.graceEnd = NEVER;
  }

  /** The peer proved that it hears us. */
  proven(): void {
    this.outbound = 0;
  }

  /** Whether what arrives now may have waited in the kernel while this process did not run. */
  waited(now: Micros): boolean {
    return this.ranAgainAt >= 0 && now - this.ranAgainAt < BUSY;
  }

  /** What to confess in the next heartbeat, ms; 0 = nothing. It is confessed with that. */
  confess(): number {
    if (this.unconfessed === 0) return 0;
    const span = Math.min(Math.ceil(this.unconfessed / 1_000), 0xffff_ffff);
    this.unconfessed = 0;
    return span;
  }

  /** A copy. */
  clone(): Blame {
    const copy = Object.assign(new Blame(), this);
    copy.#wall = this.#wall;
    copy.#wallAt = this.#wallAt;
    copy.#skew = this.#skew;
    copy.#skewAt = this.#skewAt;
    copy.#transit = this.#transit;
    copy.#transitBefore = this.#transitBefore;
    copy.#early = this.#early;
    return copy;
  }

  /** The canonical form: the wall clock as its difference to `now`. */
  key(now: Micros): string {
    const grace = this.graceEnd === NEVER ? "-" : `${this.graceFrom - now}:${this.graceEnd - now}`;
    const wall = this.#wall === NEVER ? "-" : `${this.#wall - this.#wallAt}:${this.#wallAt - now}`;
    const ran = this.ranAgainAt < 0 ? "-" : this.ranAgainAt - now;
    const told = this.confessedAt < 0 ? "-" : this.confessedAt - now;
    const skewAt = this.#skew === 0 ? 0 : this.#skewAt - now;
    const spans = [skewAt, this.inbound, this.outbound, this.unconfessed, this.#skew, this.#early];
    const transits = [this.#transit, this.#transitBefore];
    return `${spans.join(",")},${transits.join(",")},${grace},${wall},${ran},${told}`;
  }
}

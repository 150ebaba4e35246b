/**
 * The detector that learns: silence is death as soon as what was seen before makes life unlikely, and at the latest when the fixed
 * detector says so.
 *
 * It follows phi accrual (Hayashibara et al., 2004), but watches lateness instead of the time between heartbeats: each heartbeat
 * says when its sender's next frame leaves at the latest, so the jitter that the sender adds on purpose widens nothing. With the mean m
 * and deviation s of lateness, conviction is at promised + m + pause + z(threshold) * max(s, floor), suspicion at two thirds of
 * the last term. `pause` is lateness that is nothing unusual whatever was learned, `floor` keeps s from nothing.
 *
 * Rules: the detection time bounds both times always, and is all there is until {@link LEAST_SAMPLES} are known, after a clock jumped,
 * and when lateness has risen for good ({@link RISE}): then the old samples would convict the living. `heard` is told of
 * every packet and only compares and adds. Nothing is allocated after construction. Transit, our clock minus the peer's, means
 * something only against other transits: lateness counts from an origin, the first of them or the mean of a hundred.
 *
 * @module
 */

import type { Micros } from "../time.ts";
import { type Detector, suspicion } from "./detector.ts";
import { quantile } from "./normal.ts";
import { phi } from "./phi.ts";
import { LatenessWindow } from "./window.ts";

/**
 * From so many samples on they count. The deviation of few is uncertain: by Student's distribution a living peer exceeds z(8) once in
 * 10^3.6 heartbeats with 10 samples, 10^4.9 with 20, 10^7.0 with 100; and waiting costs nothing but the fixed detection time.
 */
export const LEAST_SAMPLES = 20;

/** When one late heartbeat ended a suspicion, and so many running, with that one, were late, lateness has risen for good. */
export const RISE = 3;

/** What the application asks of the detector. */
export interface AccrualOptions {
  /** PHI: a living peer, if lateness is normal, is convicted once in 10^threshold silences. */
  readonly threshold: number;
  /** Lateness that is never unusual, us. */
  readonly pause: Micros;
  /** The least deviation, us; less than 1 counts as 1. */
  readonly floor: Micros;
}

/** z by threshold: a process has one or two thresholds, but many connections. */
const points = new Map<number, number>();

function pointOf(threshold: number): number {
  let z = points.get(threshold);
  if (z === undefined) {
    z = quantile(threshold);
    points.set(threshold, z);
  }
  return z;
}

/** Learns how late heartbeats are. */
export class Accrual implements Detector {
  #detection: Micros;
  #suspicion: Micros;
  readonly #threshold: number;
  readonly #z: number;
  readonly #pause: Micros;
  readonly #floor: Micros;
  readonly #window: LatenessWindow;
  /** The transit from which lateness counts, us; means something once there is a sample. */
  #origin = 0;
  /** The least excess of transit over origin since the ring was full, and in the round before. */
  #least = Infinity;
  #leastBefore = Infinity;
  #heardAt: Micros;
  /** What was heard last is a heartbeat. */
  #beatLast = false;
  /** Between the last heartbeat and what was heard last came something else: it may have kept the promise. */
  #between = false;
  /** When, on the peer's clock, it promised to have sent; Infinity: it did not. */
  #promisedAt: Micros = Infinity;
  /** When bytes last ended a suspicion; forgotten when a heartbeat came that was due later. */
  #relievedAt: Micros = -Infinity;
  /** A heartbeat that was under way then is one of `#rise`: the others tell of the same event. */
  #counted = false;
  /** Late heartbeats running since one ended a suspicion. */
  #rise = 0;
  /** What was learned says: suspect and convict then; Infinity: nothing was. */
  #suspectAt: Micros = Infinity;
  #convictAt: Micros = Infinity;
  /** ... and so long after bytes that are no heartbeat. */
  #suspectAfter: Micros = Infinity;
  #convictAfter: Micros = Infinity;

  /**
   * Begins with nothing learned, as if bytes came now.
   *
   * @param detection the sender's multiplier x the agreed interval, us
   * @param window what was learned before; from then on its owner is this
   */
  constructor(detection: Micros, options: AccrualOptions, now: Micros, window?: LatenessWindow) {
    this.#detection = detection;
    this.#suspicion = suspicion(detection);
    this.#threshold = options.threshold;
    this.#z = pointOf(options.threshold);
    this.#pause = options.pause;
    this.#floor = Math.max(1, options.floor);
    this.#heardAt = now;
    this.#window = window ?? new LatenessWindow();
  }

  /** When suspicion begins if nothing comes before: by what was learned, or two thirds of the detection time. */
  get suspectAt(): Micros {
    return Math.min(this.#heardAt + this.#suspicion, this.#suspectAt);
  }

  /** When silence is death: by what was learned, or the detection time. */
  get convictAt(): Micros {
    return Math.min(this.#heardAt + this.#detection, this.#convictAt);
  }

  /** Samples that are known. */
  get samples(): number {
    return this.#window.samples;
  }

  /** Their mean, us, beyond the least delay of the last one to two hundred. */
  get mean(): number {
    return this.#window.samples === 0 ? 0 : this.#window.mean - Math.min(this.#least, this.#leastBefore);
  }

  /** Their deviation, us; never less than `floor` where it decides. */
  get deviation(): number {
    return this.#window.deviation;
  }

  /** How suspicious the silence is now, as -log10 of the chance that a living peer is so late; for reports. 0 while nothing is learned. */
  phi(now: Micros): number {
    return this.#convictAt === Infinity ? 0 : phi(this.#z + (now - this.#convictAt) / this.#deviation());
  }

  #deviation(): number {
    return Math.max(this.#window.deviation, this.#floor);
  }

  /** Bytes came: after them the sender is idle for one promise at most. */
  heard(now: Micros): void {
    if (now >= this.suspectAt) {
      this.#relievedAt = now;
      this.#counted = false;
    }
    if (now > this.#heardAt) {
      this.#between ||= !this.#beatLast;
      this.#beatLast = false;
      this.#heardAt = now;
    }
    this.#suspectAt = now + this.#suspectAfter;
    this.#convictAt = now + this.#convictAfter;
  }

  /** A heartbeat came, see {@link Detector}. */
  heartbeat(now: Micros, sentAt: Micros, promise: Micros, asked: boolean, spans: boolean): void {
    const transit = now - sentAt;
    // The sender itself was late, if this is the first that was heard since it promised.
    const tardy = this.#between ? 0 : Math.max(0, sentAt - this.#promisedAt);
    if (!asked && !spans) this.#sample(now, transit, tardy);
    this.#promisedAt = sentAt + promise;
    this.#between = false;
    this.#beatLast = true;
    this.#learn(now, transit, promise);
  }

  #sample(now: Micros, transit: Micros, tardy: Micros): void {
    const window = this.#window;
    if (window.samples === 0) return this.#begin(transit, tardy);
    const excess = transit - this.#origin;
    // It was on its way, or due, when a suspicion ended.
    const relieved = now - excess <= this.#relievedAt;
    // Without a silence before it no delay grows so much, and none shrinks so much at all: a clock jumped.
    if (excess < -this.#detection || (excess > this.#detection && !relieved)) return this.#begin(transit, 0);
    const learned = window.samples >= LEAST_SAMPLES;
    const usual = window.mean + this.#pause;
    const spread = this.#z * this.#deviation();
    let lateness = excess + tardy;
    const late = learned && lateness > usual + spread * 2 / 3;
    if (!late) this.#rise = 0;
    if (late && (relieved || this.#rise > 0)) {
      if (!relieved || !this.#counted) {
        if (++this.#rise === RISE) return this.#begin(transit, tardy);
        this.#counted = relieved;
      }
      lateness = Math.min(lateness, usual + spread);
    }
    if (!relieved) this.#unrelieve();
    else if (!learned) lateness = Math.min(lateness, this.#detection);
    if (excess < this.#least) this.#least = excess;
    const shift = window.add(lateness);
    if (window.justFilled) {
      this.#origin += shift;
      this.#leastBefore = this.#least - shift;
      this.#least = Infinity;
    }
  }

  /** Forgets all samples; lateness counts from this transit. */
  #begin(transit: Micros, lateness: Micros): void {
    this.#forget();
    this.#origin = transit;
    this.#least = 0;
    this.#window.add(lateness);
  }

  #forget(): void {
    this.#window.clear();
    this.#origin = 0;
    this.#least = Infinity;
    this.#leastBefore = Infinity;
    this.#rise = 0;
  }

  /** Sets the times after a heartbeat, and how long after other bytes they would be. */
  #learn(now: Micros, transit: Micros, promise: Micros): void {
    const window = this.#window;
    if (window.samples < LEAST_SAMPLES) return this.#unlearn();
    const spread = this.#z * this.#deviation();
    const allowance = this.#pause + spread;
    const excess = transit - this.#origin;
    // Later than ever a living one should be, and alive: the next is as late, as far as one knows.
    const late = excess > window.mean + allowance ? excess : window.mean;
    const end = now - excess + promise + late + allowance;
    this.#convictAt = Math.max(now + 1, Math.round(end));
    this.#suspectAt = Math.max(now + 1, Math.round(end - spread / 3));
    // Other bytes were sent at the latest one least transit ago, and the sender's idle time began anew with them.
    const after = promise + window.mean - Math.min(this.#least, this.#leastBefore) + allowance;
    this.#convictAfter = Math.max(1, Math.round(after));
    this.#suspectAfter = Math.max(1, Math.round(after - spread / 3));
  }

  /** Whatever comes from now on was sent after the suspicion had ended. */
  #unrelieve(): void {
    this.#relievedAt = -Infinity;
    this.#counted = false;
  }

  #unlearn(): void {
    this.#suspectAt = Infinity;
    this.#convictAt = Infinity;
    this.#suspectAfter = Infinity;
    this.#convictAfter = Infinity;
  }

  /** The detection time was agreed anew, us. */
  retune(detection: Micros): void {
    this.#detection = detection;
    this.#suspicion = suspicion(detection);
  }

  /** One of the clocks jumped: all is learned anew. */
  rebase(): void {
    this.#forget();
    this.#unlearn();
    this.#unrelieve();
    this.#promisedAt = Infinity;
    this.#beatLast = false;
    this.#between = false;
  }

  /** A copy. */
  clone(): Accrual {
    const options = { threshold: this.#threshold, pause: this.#pause, floor: this.#floor };
    const copy = new Accrual(this.#detection, options, this.#heardAt, this.#window.clone());
    copy.#origin = this.#origin;
    copy.#least = this.#least;
    copy.#leastBefore = this.#leastBefore;
    copy.#beatLast = this.#beatLast;
    copy.#between = this.#between;
    copy.#promisedAt = this.#promisedAt;
    copy.#relievedAt = this.#relievedAt;
    copy.#counted = this.#counted;
    copy.#rise = this.#rise;
    copy.#suspectAt = this.#suspectAt;
    copy.#convictAt = this.#convictAt;
    copy.#suspectAfter = this.#suspectAfter;
    copy.#convictAfter = this.#convictAfter;
    return copy;
  }

  /** The canonical form, times relative to `now`; the peer's promise by way of the origin. */
  key(now: Micros): string {
    const learned = [
      this.#origin,
      this.#least,
      this.#leastBefore,
      this.#rise,
      this.#counted,
      this.#window.key(),
    ];
    const heard = [this.#heardAt - now, this.#beatLast, this.#between, this.#relievedAt - now];
    const promised = [this.#promisedAt + this.#origin - now, this.#suspectAfter, this.#convictAfter];
    const options = [this.#detection, this.#threshold, this.#pause, this.#floor];
    const times = [this.#suspectAt - now, this.#convictAt - now];
    return [...options, ...heard, ...promised, ...times, ...learned].join(",");
  }
}

/**
 * The last hundred samples of lateness, with mean and deviation.
 *
 * Welford's update (Technometrics 4(3), 1962), with the oldest sample replaced, takes a sample in constant time. What its roundings
 * add up to is thrown away each time the ring is full once more: then all is computed from the samples.
 *
 * Rules: 400 bytes of samples, never more, and nothing allocated after construction. Samples are single precision, whose 24 bits hold
 * a microsecond up to 16 s; so the window is centred whenever the ring is full, lest two clocks that drift apart carry it
 * to where a microsecond is lost. What is taken out is what was stored, rounded, and not what was given.
 *
 * @module
 */

/** Samples that are kept. */
export const WINDOW = 100;

/** A ring of samples, us. */
export class LatenessWindow {
  /** How many there are. */
  samples = 0;
  /** Their mean, us; 0 without any. */
  mean = 0;
  /** Their deviation with n - 1, us; 0 with fewer than two. */
  deviation = 0;
  #ring = new Float32Array(WINDOW);
  #next = 0;
  /** The sum of the squared distances from the mean. */
  #squares = 0;

  /** Whether the last sample filled the ring once more. */
  get justFilled(): boolean {
    return this.#next === 0 && this.samples === WINDOW;
  }

  /** The size of the samples, bytes. */
  get byteLength(): number {
    return this.#ring.byteLength;
  }

  /**
   * Takes a sample, us. Each time the ring becomes full it is centred.
   *
   * @returns by how much less every sample now is, us, whole; mostly 0
   */
  add(lateness: number): number {
    const ring = this.#ring;
    const oldest = ring[this.#next]!;
    ring[this.#next] = lateness;
    if (++this.#next === WINDOW) {
      this.#next = 0;
      this.samples = WINDOW;
      return this.#centre();
    }
    const stored = ring[this.#next - 1]!;
    const before = stored - this.mean;
    if (this.samples < WINDOW) {
      this.samples++;
      this.mean += before / this.samples;
      this.#squares += before * (stored - this.mean);
    } else {
      const oldestBefore = oldest - this.mean;
      this.mean += (stored - oldest) / WINDOW;
      this.#squares += (stored - oldest) * (stored - this.mean + oldestBefore);
    }
    this.#spread();
    return 0;
  }

  #spread(): void {
    this.deviation = this.samples < 2 ? 0 : Math.sqrt(Math.max(0, this.#squares) / (this.samples - 1));
  }

  /** Computes anew from the full ring, around a mean of less than one. */
  #centre(): number {
    const ring = this.#ring;
    let sum = 0;
    for (let i = 0; i < WINDOW; i++) sum += ring[i]!;
    const shift = Math.round(sum / WINDOW);
    sum = 0;
    for (let i = 0; i < WINDOW; i++) {
      ring[i] = ring[i]! - shift;
      sum += ring[i]!;
    }
    this.mean = sum / WINDOW;
    this.#squares = 0;
    for (let i = 0; i < WINDOW; i++) this.#squares += (ring[i]! - this.mean) * (ring[i]! - this.mean);
    this.#spread();
    return shift;
  }

  /** Forgets all samples. */
  clear(): void {
    this.#next = 0;
    this.samples = 0;
    this.mean = 0;
    this.deviation = 0;
    this.#squares = 0;
  }

  /** A copy. */
  clone(): LatenessWindow {
    const copy = new LatenessWindow();
    copy.#ring.set(this.#ring);
    copy.#next = this.#next;
    copy.samples = this.samples;
    copy.mean = this.mean;
    copy.deviation = this.deviation;
    copy.#squares = this.#squares;
    return copy;
  }

  /** The canonical form. */
  key(): string {
    const ring = this.#ring.subarray(0, this.samples).join(" ");
    return `${this.#next},${this.mean},${this.#squares}[${ring}]`;
  }
}

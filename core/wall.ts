/**
 * When an owner of connections wants the wall clock, and whether it jumped: how a machine that slept is noticed.
 *
 * On Linux the monotonic clock stands still while a machine is suspended, and so do its timers: after an hour of sleep a timer of ten
 * seconds still has its rest to run. Only the wall clock has moved. So while a connection is open the owner's one timer fires at least every
 * {@link EVERY}, the driver gives a sample before it, and a jump is passed to every connection; blame.ts makes of it what it is.
 *
 * Rules: an owner that was never given a sample asks for none.
 *
 * @module
 */

/** So often, ms: a suspension is to be acted on within 2 s of waking, and the peer gets more than one of these to answer. */
const EVERY = 500;

/** What wall and monotonic clock may differ by between two samples, ms: above what a busy loop and NTP's slewing make. */
const JUMP = 100;

/** The samples of one owner. */
export class Wall {
  #wall = 0;
  #now = 0;
  #askedAt = 0;
  #known = false;

  /** When the next sample is wanted, monotonic ms; Infinity = never. */
  get due(): number {
    return this.#known ? this.#askedAt + EVERY : Infinity;
  }

  /** The owner's timer fired: whether a sample was given or not, none is wanted for a while. */
  fired(now: number): void {
    if (now >= this.due) this.#askedAt = now;
  }

  /** A sample: ms since 1970, monotonic ms. By how much wall time moved further than monotonic time since the last, ms; 0 = as it should. */
  observe(wall: number, now: number): number {
    const skew = this.#known ? wall - this.#wall - (now - this.#now) : 0;
    this.#wall = wall;
    this.#now = this.#askedAt = now;
    this.#known = true;
    return Math.abs(skew) > JUMP ? skew : 0;
  }

  /** Gives the last sample to a connection. */
  tell(connection: { observeWall(wall: number, now: number): void }): void {
    if (this.#known) connection.observeWall(this.#wall, this.#now);
  }

  /** A copy. */
  clone(): Wall {
    const copy = new Wall();
    copy.#wall = this.#wall;
    copy.#now = this.#now;
    copy.#askedAt = this.#askedAt;
    copy.#known = this.#known;
    return copy;
  }

  /** The canonical form: the wall clock as its difference to `now`. */
  key(now: number): string {
    return this.#known ? `${this.#wall - this.#now} ${this.#now - now} ${this.#askedAt - now}` : "";
  }
}

/**
 * How many bytes of chunks may be on their way at once, so that a heartbeat is never late behind them.
 *
 * A kernel takes megabytes ahead of a PING (measured: 4 MB, 31 s at 1 Mbit/s), and a heartbeat behind them looks like death. So
 * what was sent beyond the peer's `received` is capped. The cap begins at {@link LEAST} and follows the delay of
 * acknowledgements, as in TCP Vegas and LEDBAT (RFC 6817): while the delay is below twice its minimum the queue on the way is
 * short and the cap grows by what was acknowledged; above it shrinks. A heartbeat waits at most (cap + one chunk) / rate.
 *
 * The minimum is that of an empty way: it is learned from batches with next to nothing ahead of them. A long message has none, and whoever learned from
 * those behind its own queue would hold that for the way's and let it grow without end (LEDBAT's latecomers; 2.9 s at 1 Mbit/s, measured). So
 * now and then the way is let run empty for a moment, as BBR does to find its least round trip.
 *
 * Rules: whole numbers only. The minimum is that of the last {@link WINDOW} to twice as many such batches, so that a route that became longer is learned.
 *
 * @module
 */

import type { Micros } from "../time.ts";
import { MAX_CHUNK } from "../wire/registry.ts";

/** A batch: one chunk, or as many small ones as fit into the size of one, bytes. */
export const BATCH: number = MAX_CHUNK + 16;

/** The least cap, bytes. */
export const LEAST = 65_536;

/** Less than this on its way is next to nothing, bytes: a quarter of a chunk. */
const EMPTY = 4_096;

/** The greatest cap, bytes: 10 Gbit/s over 13 ms. */
const GREATEST = 16_777_216;

/** A delay up to so much above the minimum harms no heartbeat, us. */
const HARMLESS: Micros = 5_000;

/** Samples after which the older half of the minimum is forgotten. */
const WINDOW = 16;

/** The way is let run empty after so many times the cap without a sample: that costs a sixteenth of a long message's time. */
const PATIENCE = 16;

/** A batch of chunks that went to the transport together. */
interface Batch {
  /** The position behind it. */
  readonly position: number;
  /** The bytes sent up to its end, in all. */
  readonly bytes: number;
  readonly at: Micros;
  /** Next to nothing was ahead of it. */
  readonly alone: boolean;
}

/** The bytes of one direction that are sent and not known to have arrived. */
export class InFlight {
  /** The cap, bytes. */
  limit: number = LEAST;
  #sent = 0;
  #arrived = 0;
  #batches: Batch[] = [];
  /** The bytes ahead of the batch that begins next. */
  #ahead = 0;
  #least: Micros = Infinity;
  #leastBefore: Micros = Infinity;
  #counted = 0;
  /** Bytes that arrived since the last sample. */
  #since = 0;

  /** Whether another chunk may leave. */
  get open(): boolean {
    return this.bytes < (this.#since > PATIENCE * this.limit ? EMPTY : this.limit);
  }

  /** Bytes on their way. */
  get bytes(): number {
    return this.#sent - this.#arrived;
  }

  /** A chunk of so many bytes leaves. */
  leaves(bytes: number): void {
    this.#sent += bytes;
  }

  /** The chunks that left, up to this position, went to the transport together. */
  batch(position: number, now: Micros): void {
    this.#batches.push({ position, bytes: this.#sent, at: now, alone: this.#ahead < EMPTY });
    this.#ahead = this.bytes;
  }

  /** The peer received everything before this position. */
  acknowledged(position: number, now: Micros): void {
    const batches = this.#batches;
    let done = 0;
    while (done < batches.length && batches[done]!.position <= position) {
      const { at, alone } = batches[done++]!;
      if (alone) this.#learn(now - at);
    }
    if (done === 0) return;
    const last = batches[done - 1]!;
    const wasFull = 2 * this.bytes > this.limit;
    this.#since += last.bytes - this.#arrived;
    this.#adapt(now - last.at, last.bytes - this.#arrived, wasFull);
    this.#arrived = last.bytes;
    this.#ahead = this.bytes;
    batches.splice(0, done);
  }

  /** A batch with nothing ahead of it took so long. */
  #learn(delay: Micros): void {
    this.#since = 0;
    if (delay < this.#least) this.#least = delay;
    if (++this.#counted < WINDOW) return;
    this.#leastBefore = this.#least;
    this.#least = delay;
    this.#counted = 0;
  }

  #adapt(delay: Micros, bytes: number, wasFull: boolean): void {
    const least = Math.min(this.#least, this.#leastBefore);
    if (delay <= Math.max(2 * least, least + HARMLESS)) {
      if (wasFull) this.limit = Math.min(GREATEST, this.limit + bytes);
    } else {
      this.limit = Math.max(LEAST, this.limit - (bytes >>> 1));
    }
  }

  /** A copy. */
  clone(): InFlight {
    const copy = new InFlight();
    copy.limit = this.limit;
    copy.#sent = this.#sent;
    copy.#arrived = this.#arrived;
    copy.#batches = this.#batches.slice();
    copy.#ahead = this.#ahead;
    copy.#least = this.#least;
    copy.#leastBefore = this.#leastBefore;
    copy.#counted = this.#counted;
    copy.#since = this.#since;
    return copy;
  }

  /** The canonical form: bytes relative to what was sent, positions to `position`, times to `now`. */
  key(position: number, now: Micros): string {
    const batches = this.#batches.map((b) =>
      `${position - b.position}:${this.#sent - b.bytes}:${now - b.at}:${b.alone}`
    );
    const learned = [this.#least, this.#leastBefore, this.#counted, this.#since, this.#ahead];
    return `${this.limit},${this.bytes},${learned.join(",")}[${batches.join(" ")}]`;
  }
}

/** Of a connection over which no chunk has left; never changed. */
export const NOTHING_SENT: InFlight = new InFlight();

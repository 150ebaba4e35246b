/**
 * Frames that left and may be asked for again: what a session keeps of its sending direction until the peer's application has
 * finished with it.
 *
 * Frames are kept where they were written, in the slabs of the queue that they left: nothing is copied, and per slab there is one
 * small object. A frame's length stands in its first bytes, so positions need no index: what is released or skipped is walked.
 *
 * Rules: frames come whole and in order, leave in order, and are never changed. `bytes` counts the frames alone; a slab lives until all
 * of its frames are released.
 *
 * @module
 */

import { type ByteQueue, bytesKey } from "../wire/bytes.ts";
import { ownFrameSize } from "./own_frames.ts";

/** Frames that lie together in one slab. */
interface Segment {
  readonly slab: Uint8Array;
  from: number;
  to: number;
}

/** The kept frames of one session. */
export class Retention {
  /** Bytes of frames held. */
  bytes = 0;
  #segments: Segment[] = [];
  /** Where the replay goes on: a segment, and a place in it. Behind the last segment: no replay. */
  #segment = 0;
  #at = 0;
  /** Bytes that the replay has yet to give. */
  #left = 0;

  /** Bytes that wait for being sent again. */
  get pending(): number {
    return this.#left;
  }

  /** Keeps frames that leave. There must be no replay. */
  keep(view: Uint8Array): void {
    this.bytes += view.length;
    const last = this.#segments.at(-1);
    if (last !== undefined && last.slab.buffer === view.buffer && last.to === view.byteOffset) {
      last.to += view.length;
      if (this.#segment === this.#segments.length - 1) this.#at = last.to;
      return;
    }
    const from = view.byteOffset;
    this.#segments.push({ slab: new Uint8Array(view.buffer), from, to: from + view.length });
    this.#segment = this.#segments.length;
    this.#at = 0;
  }

  /** Lets go of the first `count` frames. What the replay has yet to give must not be among them. */
  release(count: number): void {
    let done = 0;
    for (let left = count; left > 0; left--) {
      let segment = this.#segments[done]!;
      if (segment.from === segment.to) segment = this.#segments[++done]!;
      const size = ownFrameSize(segment.slab, segment.from);
      segment.from += size;
      this.bytes -= size;
    }
    while (done < this.#segments.length && this.#segments[done]!.from === this.#segments[done]!.to) done++;
    if (done === 0) return;
    this.#segments.splice(0, done);
    this.#segment = Math.max(0, this.#segment - done);
    if (this.#segment === this.#segments.length) this.#at = 0;
  }

  /** Begins a replay behind the first `skip` frames. */
  rewind(skip: number): void {
    this.#segment = 0;
    this.#at = this.#segments[0]?.from ?? 0;
    this.#left = this.bytes;
    for (let left = skip; left > 0; left--) {
      this.advance(ownFrameSize(this.#segments[this.#segment]!.slab, this.#at));
    }
  }

  /** The next frames to send again that lie together, or null. */
  peek(): Uint8Array | null {
    if (this.#left === 0) return null;
    return this.#segments[this.#segment]!.slab.subarray(this.#at, this.#segments[this.#segment]!.to);
  }

  /** So many bytes, whole frames, of what `peek` gave are sent again. */
  advance(count: number): void {
    this.#left -= count;
    this.#at += count;
    if (this.#at < this.#segments[this.#segment]!.to || this.#segment === this.#segments.length - 1) return;
    this.#segment++;
    this.#at = this.#segments[this.#segment]!.from;
  }

  /** Lets go of everything. */
  clear(): void {
    this.bytes =
      this.#left =
      this.#segment =
      this.#at =
        0;
    this.#segments = [];
  }

  /** All frames held, in order, as views: for telling what may be lost. */
  views(): Uint8Array[] {
    return this.#segments.map(({ slab, from, to }) => slab.subarray(from, to));
  }

  /** A copy, whose frames lie in the slabs of the copy of the queue, that the next ones lie behind them. */
  clone(queue: ByteQueue, copied: ByteQueue): Retention {
    const copy = new Retention();
    copy.bytes = this.bytes;
    copy.#segments = this.#segments.map(({ slab, from, to }) => ({
      slab: queue.slabIn(copied, slab),
      from,
      to,
    }));
    copy.#segment = this.#segment;
    copy.#at = this.#at;
    copy.#left = this.#left;
    return copy;
  }

  /** The canonical form. */
  key(): string {
    return `${this.#left}:${this.views().map(bytesKey).join(" ")}`;
  }
}

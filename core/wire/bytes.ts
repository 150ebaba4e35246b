/**
 * The queue of bytes that wait for the transport: frames are written straight into slabs that are then sent as they are.
 *
 * Rules:
 * - Bytes once committed never change and their memory is never used again: runtimes read them long after they took them.
 * - A frame never straddles slabs: `reserve` first, write, `commit`.
 * - No allocation per frame; a slab serves many. Its size follows the bursts (bytes written between two moments of
 *   emptiness) that were seen, and a big slab is let go soon after the bursts became small.
 * - Short bursts of control frames lie in a slab that all queues share, each in a part of its own, so that a connection that only beats holds nothing
 *   between its heartbeats. Where a part lies changes no byte and no view that is shown.
 *
 * @module
 */

import { HeartwireError } from "../errors.ts";
import { wordsOf } from "./crc32.ts";

/** The least slab, bytes: ten heartbeats of 24, or a WELCOME. */
const LEAST_SLAB = 256;

/** The shared slab, bytes: 170 heartbeats. Whoever does not read what is sent can hold as much for one of them. */
const SHARED_SLAB = 4_096;

/** The greatest slab, bytes: four frames of the greatest size. */
export const GREATEST_SLAB: number = 4 * (16_384 + 64);

/** From so many bytes on the end of a slab that no frame fits into any more would be worth noticing. */
const LONG_FRAME = 1_024;

/** A slab should serve so many bursts like those seen. */
const BURSTS_PER_SLAB = 8;

/** When empty, a slab longer than so many expected bursts is let go. */
const BURSTS_TO_KEEP = 16;

const NOTHING = new Uint8Array(0);

/** No slab is full: never changed. Most queues never have one. */
const NONE: Uint8Array[] = [];

/** Bytes as text, for keys: a character each. */
export function bytesKey(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4_096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4_096));
  }
  return text;
}

let shared = NOTHING;
/** Where the free part of it begins. */
let free = 0;

/** Bytes to transmit, in order. */
export class ByteQueue {
  /** The slab to write into. */
  bytes: Uint8Array = NOTHING;
  /** Where to write in it. */
  at = 0;
  /** Bytes committed and not yet taken. */
  pending = 0;

  /** What may be written of it: [start, end). */
  #start = 0;
  #end = 0;
  readonly #shares: boolean;
  /** It is a part of the shared slab. */
  #shared = false;
  #words: DataView | null = null;
  /** Where the pending bytes of the first slab begin, from its start. */
  #from = 0;
  /** Slabs that are full and not yet taken, oldest first, each cut to what was committed. */
  #full: Uint8Array[] = NONE;
  /** Bytes committed since the queue was empty. */
  #burst = 0;
  /** What the next burst is expected to be: the greatest of late, halved by each smaller one. */
  #expected = 0;

  /** `shares`: short bursts lie in the shared slab. For what nobody keeps once it is sent. */
  constructor(shares = false) {
    this.#shares = shares;
  }

  /** Bytes of memory held. */
  get held(): number {
    let sum = this.#end - this.#start;
    for (const slab of this.#full) sum += this.#shares ? slab.length : slab.buffer.byteLength;
    return sum;
  }

  /** The view to sum up what was written to `bytes`; null while that is little. */
  get words(): DataView | null {
    return this.#shared ? null : this.#words ??= wordsOf(this.bytes);
  }

  /** Makes sure that `count` bytes can be written from `at` on. `bytes` and `at` may change. */
  reserve(count: number): void {
    if (this.at + count > this.#end) this.#grow(count);
  }

  #grow(count: number): void {
    const first = this.#full.length === 0 ? this.#from : 0;
    if (this.at - this.#start > first) {
      if (this.#full === NONE) this.#full = [];
      this.#full.push(this.bytes.subarray(this.#start, this.at));
    } else if (this.#full.length === 0) {
      this.#from = 0;
    }
    this.#words = null;
    this.#shared = false;
    if (this.#shares && this.#burst === 0 && Math.max(count, this.#expected) <= LEAST_SLAB) {
      return this.#share();
    }
    const wanted = Math.max(2 * this.#burst, BURSTS_PER_SLAB * this.#expected, LEAST_SLAB);
    const slab = Math.max(count, Math.min(wanted, GREATEST_SLAB));
    // Long frames of one size fill a slab to its end: what a session keeps then takes no more memory than it counts.
    this.bytes = new Uint8Array(count < LONG_FRAME ? slab : slab - slab % count);
    this.#end = this.bytes.length;
    this.#start = this.at = 0;
  }

  #share(): void {
    if (free + LEAST_SLAB > shared.length) {
      shared = new Uint8Array(SHARED_SLAB);
      free = 0;
    }
    this.bytes = shared;
    this.#shared = true;
    this.#start = this.at = free;
    this.#end = free += LEAST_SLAB;
  }

  /** Says that `count` bytes were written at `at`. */
  commit(count: number): void {
    if (this.at + count > this.#end) {
      throw new HeartwireError("COMMIT", `committed ${count} bytes, ${this.#end - this.at} reserved`);
    }
    this.at += count;
    this.pending += count;
    this.#burst += count;
  }

  /** The first pending bytes that lie together, or null. What was given stays valid whatever comes after. */
  peek(): Uint8Array | null {
    if (this.pending === 0) return null;
    const first = this.#full[0];
    return first === undefined
      ? this.bytes.subarray(this.#start + this.#from, this.at)
      : first.subarray(this.#from);
  }

  /** Takes `count` bytes off the front. */
  advance(count: number): void {
    if (!(count >= 0 && count <= this.pending)) {
      throw new HeartwireError("ADVANCE", `advanced by ${count} of ${this.pending} pending bytes`);
    }
    this.pending -= count;
    let from = this.#from + count;
    let done = 0;
    while (done < this.#full.length && from >= this.#full[done]!.length) from -= this.#full[done++]!.length;
    if (done > 0) this.#full.splice(0, done);
    this.#from = from;
    if (this.pending === 0) this.#drained();
  }

  #drained(): void {
    this.#expected = Math.max(this.#burst, this.#expected >>> 1);
    this.#burst = 0;
    if (this.#shared) {
      if (this.bytes === shared && this.#end === free) free = this.at;
      this.#release();
    } else if (this.bytes.length > Math.max(LEAST_SLAB, BURSTS_TO_KEEP * this.#expected)) {
      this.#release();
    }
  }

  #release(): void {
    this.bytes = NOTHING;
    this.#shared = false;
    this.#words = null;
    this.at = this.#start = this.#end = 0;
    this.#from = 0;
  }

  /** Forgets what is pending. */
  clear(): void {
    this.pending = 0;
    this.#burst = 0;
    this.#full = NONE;
    this.#release();
  }

  /** A queue that goes on independently with the same bytes. */
  clone(): ByteQueue {
    const copy = new ByteQueue(this.#shares);
    // Slabs are still written to: chunks are sealed only when they leave.
    copy.bytes = this.bytes.slice(this.#start, this.#end);
    copy.#end = copy.bytes.length;
    copy.at = this.at - this.#start;
    copy.pending = this.pending;
    copy.#from = this.#from;
    copy.#full = this.#full.map((slab) => slab.slice());
    copy.#burst = this.#burst;
    copy.#expected = this.#expected;
    return copy;
  }

  /** Where the bytes of a slab lie in a copy of this queue. A slab that is written to no more is shared. */
  slabIn(copy: ByteQueue, slab: Uint8Array): Uint8Array {
    if (slab.buffer === this.bytes.buffer) return copy.bytes;
    const at = this.#full.findIndex((full) => full.buffer === slab.buffer);
    return at < 0 ? slab : copy.#full[at]!;
  }

  /** The canonical form: the pending bytes. How they lie in slabs changes nothing but how they are written. */
  key(): string {
    const copy = this.clone();
    let bytes = "";
    for (let view = copy.peek(); view !== null; view = copy.peek()) {
      bytes += `${bytesKey(view)} `;
      copy.advance(view.length);
    }
    return bytes;
  }
}

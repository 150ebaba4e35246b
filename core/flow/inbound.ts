/**
 * The receiving direction of messages: positions, reassembly, credit.
 *
 * Rules: nothing here knows a connection's state or clock. A message is handed out whole and in order. What is held is bounded:
 * by the credit granted for what waits, by `maxMessage` for what is being put together, which grows with bytes that came,
 * never with bytes announced.
 *
 * @module
 */

import type { Code } from "../codes.ts";
import { HeartwireError } from "../errors.ts";
import { CHUNK_COST, FIRST, LAST, MAX_CHUNK } from "../wire/registry.ts";

/** One direction's receiving side. */
export class Inbound {
  /** The next chunk's position: so many arrived in order. */
  received = 0;
  /** The application has finished with all before this position. */
  processed = 0;
  /** The credit granted to the peer, in all, over all connections. */
  limit: number;
  /** The message that the last {@link chunk} completed, or null. Borrowed if it came in one chunk, else ours. */
  message: Uint8Array | null = null;
  #maxMessage: number;
  #window: number;
  #cost = 0;
  /** The cost when this connection began: the peer counts from there. */
  #base = 0;
  #finishedCost = 0;
  #parts: Uint8Array | null = null;
  #length = 0;
  #inMessage = false;
  // Handed out and not finished: position behind each message, and the cost of all up to it. A queue with a moving head.
  #positions: number[] = [];
  #costs: number[] = [];
  #head = 0;

  constructor(maxMessage: number, window: number) {
    this.#maxMessage = maxMessage;
    this.#window = window;
    this.limit = window;
  }

  /** Takes a chunk. Returns what is wrong with it, or null; then {@link message} tells whether a message is complete. */
  chunk(flags: number, sequence: number, payload: Uint8Array): Code | null {
    this.message = null;
    if (sequence !== (this.received & 0xffff)) return "SEQUENCE";
    const cost = this.#cost + payload.length + CHUNK_COST;
    if (cost > this.limit) return "CREDIT_EXCEEDED";
    if (((flags & FIRST) !== 0) === this.#inMessage) return "CHUNK_INVALID";
    if (this.#length + payload.length > this.#maxMessage) return "MESSAGE_TOO_LARGE";
    if (payload.length > MAX_CHUNK) return "CHUNK_INVALID";
    this.#cost = cost;
    this.received++;
    if ((flags & LAST) === 0) {
      this.#inMessage = true;
      this.#append(payload);
      return null;
    }
    if (this.#inMessage) {
      this.#append(payload);
      this.message = this.#parts!.subarray(0, this.#length);
      this.#parts = null;
      this.#length = 0;
      this.#inMessage = false;
    } else {
      this.message = payload;
    }
    this.#positions.push(this.received);
    this.#costs.push(cost);
    return null;
  }

  /** A volatile message of this size came. False: it is beyond the credit. It counts as finished with the last message before it. */
  volatile(size: number): boolean {
    const cost = this.#cost + size + CHUNK_COST;
    if (cost > this.limit) return false;
    this.#cost = cost;
    this.#positions.push(this.received);
    this.#costs.push(cost);
    return true;
  }

  #append(payload: Uint8Array): void {
    const length = this.#length + payload.length;
    if (this.#parts === null || this.#parts.length < length) {
      // Doubling: what is copied stays below twice what came, what is held below twice what is needed.
      const grown = new Uint8Array(Math.min(Math.max(2 * length, 1_024), Math.max(this.#maxMessage, length)));
      if (this.#parts !== null) grown.set(this.#parts.subarray(0, this.#length));
      this.#parts = grown;
    }
    this.#parts.set(payload, this.#length);
    this.#length = length;
  }

  /** The application finished with every message up to `position`. Returns whether that was news. */
  finished(position: number): boolean {
    if (!Number.isInteger(position) || position < 0 || position > this.received) {
      throw new HeartwireError("POSITION", `consumed: no message with position ${position} was delivered`, {
        hint: "Pass the position of a message event, in order.",
      });
    }
    let head = this.#head;
    while (head < this.#positions.length && this.#positions[head]! <= position) {
      this.processed = this.#positions[head]!;
      this.#finishedCost = this.#costs[head]!;
      head++;
    }
    if (head === this.#head) return false;
    this.#head = head;
    if (head === this.#positions.length) {
      this.#positions.length = this.#costs.length = this.#head = 0;
    } else if (head > 1_024) {
      this.#positions.splice(0, head);
      this.#costs.splice(0, head);
      this.#head = 0;
    }
    return true;
  }

  /** Bytes held: what the application has not finished, and what is being put together. */
  get held(): number {
    return this.#cost - this.#finishedCost;
  }

  /** Whether a message has begun and lacks its end. */
  get inMessage(): boolean {
    return this.#inMessage;
  }

  /** Whether the application still has messages that it did not finish. */
  get unfinished(): boolean {
    return this.#head < this.#positions.length;
  }

  /**
   * The limit to grant now, or 0 if it is not worth a frame yet: less than a quarter of the window. The window has room for
   * that quarter beside the longest message, so a peer with one to send is never left waiting for a grant that does not come.
   */
  grant(): number {
    const limit = this.#finishedCost + this.#window;
    if (limit - this.limit < this.#window / 4) return 0;
    this.limit = limit;
    return limit - this.#base;
  }

  /** Goes on over another connection. Returns the first credit to offer on it: the space that is free. */
  resume(): number {
    this.#base = this.#cost;
    this.limit = this.#finishedCost + this.#window;
    return this.offered;
  }

  /** What {@link resume} offered: the limit as the peer of this connection counts it. */
  get offered(): number {
    return this.limit - this.#base;
  }

  /** Lets go of what was being put together. */
  drop(): void {
    this.message = null;
    this.#parts = null;
  }

  /** What remains of a connection whose session goes on without it: its figures. */
  remains(): Inbound {
    const copy = new Inbound(this.#maxMessage, this.#window);
    copy.received = this.received;
    copy.processed = this.processed;
    return copy;
  }

  /** A copy. */
  clone(): Inbound {
    const copy = new Inbound(this.#maxMessage, this.#window);
    copy.received = this.received;
    copy.processed = this.processed;
    copy.limit = this.limit;
    copy.#cost = this.#cost;
    copy.#base = this.#base;
    copy.#finishedCost = this.#finishedCost;
    copy.#parts = this.#parts === null ? null : this.#parts.slice();
    copy.#length = this.#length;
    copy.#inMessage = this.#inMessage;
    copy.#positions = this.#positions.slice(this.#head);
    copy.#costs = this.#costs.slice(this.#head);
    return copy;
  }

  /** The canonical form, relative to what was received. */
  key(): string {
    const waiting: string[] = [];
    for (let i = this.#head; i < this.#positions.length; i++) {
      waiting.push(`${this.received - this.#positions[i]!}:${this.#cost - this.#costs[i]!}`);
    }
    const parts = this.#parts === null ? "" : this.#parts.subarray(0, this.#length).join(".");
    const base = [
      this.received & 0xffff,
      this.received - this.processed,
      this.limit - this.#cost,
      this.#cost - this.#finishedCost,
    ];
    return `${base.join(",")}|${waiting.join(" ")}|${this.#inMessage ? 1 : 0}${parts}`;
  }
}

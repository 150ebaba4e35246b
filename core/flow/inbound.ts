/**
 * The receiving direction: positions, reassembly, credit.
 *
 * Messages and requests come in one lane, in order; answers in another, between their chunks. All have positions, and `processed` is the
 * position before which the application has finished everything: a message when it says so, a request when it was handed over (its answer
 * is what confirms it), each chunk of an answer at once, for the peer keeps no answer that has arrived.
 *
 * Rules: nothing here knows a connection's state or clock. A message is handed out whole and in order. What is held is bounded:
 * by the credit granted for what waits, by `maxMessage` for what is being put together in each lane.
 *
 * @module
 */

import type { Code } from "../codes.ts";
import { HeartwireError } from "../errors.ts";
import { CHUNK_COST, FIRST, FrameType, LAST, MAX_CHUNK } from "../wire/registry.ts";
import { Reassembly } from "./reassembly.ts";

/** Numbers a message takes in the queue of what is not finished: its first position, the one behind it, and its cost. */
const STRIDE = 3;

/** Numbers whose place may always stay. */
const KEPT = 16 * STRIDE;

/** One direction's receiving side. */
export class Inbound {
  /** The next chunk's position: so many arrived in order. */
  received = 0;
  /** The application has finished with all before this position. */
  processed = 0;
  /** ... and that is stored up to this one; Infinity: it need not be. */
  durable: number = Infinity;
  /** The credit granted to the peer, in all, over all connections. */
  limit: number;
  /** What the last chunk completed, or null. Borrowed if it came in one chunk, else ours. */
  message: Uint8Array | null = null;
  /** What that message or request cost of the credit. */
  messageCost = 0;
  #maxMessage: number;
  #window: number;
  #cost = 0;
  /** The cost when this connection began: the peer counts from there. */
  #base = 0;
  #finishedCost = 0;
  /** The cost of the chunks of the message that is being put together. */
  #partCost = 0;
  #inOrder: Reassembly;
  /** It was restored: an answer may go on whose beginning came to another process. */
  #headless = false;
  /** Null until an answer of several chunks came. */
  #answers: Reassembly | null = null;
  // Handed out and not finished, `STRIDE` numbers each. A queue with moving ends, whose place is kept as event_queue.ts keeps it.
  #waiting: number[] = [];
  #head = 0;
  #tail = 0;

  constructor(maxMessage: number, window: number) {
    this.#maxMessage = maxMessage;
    this.#window = window;
    this.limit = window;
    this.#inOrder = new Reassembly(maxMessage);
  }

  /** How far the peer may be told that the application is. */
  get tellable(): number {
    return this.processed < this.durable ? this.processed : this.durable;
  }

  /** Begins where another process ended: all before this position was finished there, and nothing else arrived. */
  restore(processed: number): void {
    this.received = this.processed = processed;
    this.#headless = true;
  }

  /** Takes a chunk of a message. Returns what is wrong with it, or null; then {@link message} tells whether one is complete. */
  chunk(flags: number, sequence: number, payload: Uint8Array): Code | null {
    const wrong = this.#paid(FrameType.DATA, flags, sequence, payload);
    if (wrong === null && this.message !== null) {
      const first = flags === (FIRST | LAST) ? this.received - 1 : this.#inOrder.first;
      this.#handOut(first, this.messageCost);
    }
    return wrong;
  }

  /** The same of a request, which is finished as soon as it is handed over; its cost is freed by {@link free}. */
  requestChunk(flags: number, sequence: number, payload: Uint8Array): Code | null {
    const wrong = this.#paid(FrameType.REQUEST, flags, sequence, payload);
    if (wrong === null && this.message !== null) this.#advance();
    return wrong;
  }

  #paid(kind: number, flags: number, sequence: number, payload: Uint8Array): Code | null {
    this.message = null;
    if (sequence !== (this.received & 0xffff)) return "SEQUENCE";
    const cost = payload.length + CHUNK_COST;
    if (this.#cost + cost > this.limit) return "CREDIT_EXCEEDED";
    const lane = this.#inOrder;
    const wrong = this.#fits(lane, kind, flags, payload);
    if (wrong !== null) return wrong;
    this.#cost += cost;
    this.#partCost += cost;
    this.#assemble(lane, kind, flags, payload);
    if (this.message !== null) {
      this.messageCost = this.#partCost;
      this.#partCost = 0;
    }
    return null;
  }

  /** Takes a chunk of an answer, which costs nothing. */
  replyChunk(flags: number, sequence: number, payload: Uint8Array): Code | null {
    this.message = null;
    if (sequence !== (this.received & 0xffff)) return "SEQUENCE";
    const lane = this.#answers ??= new Reassembly(this.#maxMessage);
    if (this.#headless && !lane.begun && (flags & FIRST) === 0) return this.cancelChunk(sequence);
    const wrong = this.#fits(lane, FrameType.REPLY, flags, payload);
    if (wrong !== null) return wrong;
    this.#assemble(lane, FrameType.REPLY, flags, payload);
    this.#advance();
    return null;
  }

  /** Takes a CANCEL, which has a position and nothing else. */
  cancelChunk(sequence: number): Code | null {
    if (sequence !== (this.received & 0xffff)) return "SEQUENCE";
    this.received++;
    this.#advance();
    return null;
  }

  #fits(lane: Reassembly, kind: number, flags: number, payload: Uint8Array): Code | null {
    if (((flags & FIRST) !== 0) === lane.begun) return "CHUNK_INVALID";
    if (lane.begun && lane.kind !== kind) return "CHUNK_INVALID";
    if (lane.length + payload.length > this.#maxMessage) return "MESSAGE_TOO_LARGE";
    return payload.length > MAX_CHUNK ? "CHUNK_INVALID" : null;
  }

  #assemble(lane: Reassembly, kind: number, flags: number, payload: Uint8Array): void {
    const position = this.received++;
    if (flags === (FIRST | LAST)) {
      this.message = payload;
      return;
    }
    if ((flags & FIRST) !== 0) lane.begin(kind, position, payload);
    else lane.append(payload);
    if ((flags & LAST) !== 0) this.message = lane.end();
  }

  /** A volatile message of this size came. False: it is beyond the credit. It counts as finished with the last message before it. */
  volatile(size: number): boolean {
    const cost = size + CHUNK_COST;
    if (this.#cost + cost > this.limit) return false;
    this.#cost += cost;
    this.#handOut(this.received, cost);
    return true;
  }

  #handOut(first: number, cost: number): void {
    const waiting = this.#waiting;
    waiting[this.#tail] = first;
    waiting[this.#tail + 1] = this.received;
    waiting[this.#tail + 2] = cost;
    this.#tail += STRIDE;
  }

  /** The application finished with every message up to `position`. Returns whether that was news. */
  finished(position: number): boolean {
    if (!Number.isInteger(position) || position < 0 || position > this.received) {
      throw new HeartwireError("POSITION", `consumed: no message with position ${position} was delivered`, {
        hint: "Pass the position of a message event, in order.",
      });
    }
    const waiting = this.#waiting;
    let head = this.#head;
    while (head < this.#tail && waiting[head + 1]! <= position) {
      this.#finishedCost += waiting[head + 2]!;
      head += STRIDE;
    }
    if (head === this.#head) return false;
    if (head === this.#tail) {
      if (waiting.length > KEPT && waiting.length > 4 * head) this.#waiting = [];
      head = this.#tail = 0;
    } else if (head > 1_024 * STRIDE) {
      waiting.splice(0, head);
      this.#tail -= head;
      head = 0;
    }
    this.#head = head;
    this.#advance();
    return true;
  }

  /** What a request cost is free again: it was answered. */
  free(cost: number): void {
    this.#finishedCost += cost;
  }

  /** Everything before what is not finished is. */
  #advance(): void {
    let least = this.received;
    if (this.#head < this.#tail) least = this.#waiting[this.#head]!;
    if (this.#inOrder.begun) least = Math.min(least, this.#inOrder.first);
    this.processed = least;
  }

  /** Bytes held: what the application has not finished, and what is being put together. */
  get held(): number {
    return this.#cost - this.#finishedCost + (this.#answers?.length ?? 0);
  }

  /** Whether a message, request or answer has begun and lacks its end. */
  get inMessage(): boolean {
    return this.#inOrder.begun || (this.#answers !== null && this.#answers.begun);
  }

  /** Whether the application still has messages that it did not finish. */
  get unfinished(): boolean {
    return this.#head < this.#tail;
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
    this.#inOrder.drop();
    this.#answers?.drop();
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
    copy.durable = this.durable;
    copy.#headless = this.#headless;
    copy.limit = this.limit;
    copy.#cost = this.#cost;
    copy.#base = this.#base;
    copy.#finishedCost = this.#finishedCost;
    copy.#partCost = this.#partCost;
    copy.#inOrder = this.#inOrder.clone();
    copy.#answers = this.#answers?.clone() ?? null;
    copy.#waiting = this.#waiting.slice(this.#head, this.#tail);
    copy.#tail = copy.#waiting.length;
    return copy;
  }

  /** The canonical form, relative to what was received. */
  key(): string {
    const waiting: string[] = [];
    for (let at = this.#head; at < this.#tail; at += STRIDE) {
      const [first, end, cost] = this.#waiting.slice(at, at + STRIDE);
      waiting.push(`${this.received - first!}:${this.received - end!}:${cost}`);
    }
    const base = [
      this.received & 0xffff,
      this.received - this.processed,
      this.limit - this.#cost,
      this.#cost - this.#finishedCost,
      this.#partCost,
    ];
    const parts = `${this.#inOrder.key(this.received)}|${this.#answers?.key(this.received) ?? ""}`;
    return `${base.join(",")}|${waiting.join(" ")}|${parts}`;
  }
}

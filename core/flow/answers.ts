/**
 * The lane of answers: REPLY, and CANCEL for a question that has left. It overtakes messages and needs no credit, so that a handler that waits
 * for an answer never waits for the messages behind it.
 *
 * Answers have positions among the chunks of a connection as all else that is sent once and in order; they get them when they leave. So the order of
 * messages, which an application is told, is their position less the answers before it.
 *
 * Rules: what waits and what is kept of answers is bounded apart from messages: neither fills the other's room.
 *
 * @module
 */

import { ByteQueue } from "../wire/bytes.ts";

/** The answers of one session, of one side. */
export class Answers {
  /** Those that wait, without sequence and trailer. */
  readonly queue: ByteQueue;
  /** Chunks accepted, ever. */
  accepted = 0;
  /** Of these, those that the peer has processed. */
  processed = 0;
  /** Bytes of frames that left and are not processed. */
  kept = 0;
  // Those that left: position and size of each, two numbers a frame. A queue with a moving head.
  #left: number[] = [];
  #head = 0;

  constructor(queue: ByteQueue = new ByteQueue()) {
    this.queue = queue;
  }

  /** A frame of this size leaves, with this position. */
  leaves(position: number, size: number): void {
    this.#left.push(position, size);
    this.kept += size;
  }

  /** The peer has processed everything before this position. */
  processedTo(position: number): void {
    const left = this.#left;
    let head = this.#head;
    while (head < left.length && left[head]! < position) {
      this.kept -= left[head + 1]!;
      this.processed++;
      head += 2;
    }
    if (head === left.length) left.length = head = 0;
    else if (head > 2_048) {
      left.splice(0, head);
      head = 0;
    }
    this.#head = head;
  }

  /** How many left and are not processed. */
  get outstanding(): number {
    return (this.#left.length - this.#head) / 2;
  }

  /** How many of those have a position below this. */
  before(position: number): number {
    let count = 0;
    for (let at = this.#head; at < this.#left.length && this.#left[at]! < position; at += 2) count++;
    return count;
  }

  /** Lets go of everything. */
  clear(): void {
    this.queue.clear();
    this.kept = this.#head = 0;
    this.#left = [];
  }

  /** A copy. */
  clone(): Answers {
    const copy = new Answers(this.queue.clone());
    copy.accepted = this.accepted;
    copy.processed = this.processed;
    copy.kept = this.kept;
    copy.#left = this.#left.slice(this.#head);
    return copy;
  }

  /** The canonical form, relative to what was sent. */
  key(sent: number): string {
    const left = this.#left.slice(this.#head).map((value, i) => i % 2 === 0 ? sent - value : value);
    return `${this.queue.key()} ${left.join(",")}`;
  }
}

/**
 * The lane of answers: REPLY, and CANCEL for a question that has left. It overtakes messages and needs no credit, so that a handler that waits
 * for an answer never waits for the messages behind it.
 *
 * Answers have positions among the chunks of a connection as all else that is sent once and in order; they get them when they leave. So the order of
 * messages, which an application is told, is their position less the answers before it.
 *
 * Rules: what waits and what is kept of answers is bounded apart from messages: neither fills the other's room. A session keeps an answer only until
 * it was received, for an answer is nothing that an application would have to finish; else who asks while it handles a message would wait for answers
 * that wait for that message.
 *
 * @module
 */

import { ByteQueue } from "../wire/bytes.ts";
import { Retention } from "./retention.ts";

/** The answers of one session, of one side. */
export class Answers {
  /** Those that wait, without sequence and trailer. */
  readonly queue: ByteQueue;
  /** Those that left and were not received; null: nothing is kept. */
  readonly kept: Retention | null;
  /** One of them was a reply. */
  replied = false;
  /** Chunks accepted, ever. */
  accepted = 0;
  /** Of these, those that left, that the peer has received, and those behind which it has processed everything. */
  left = 0;
  received = 0;
  processed = 0;
  /** The position behind the last one that was received: what was kept before is gone. */
  gone = 0;
  /** Positions of those that left and are not processed: from, to, from, to. Two queues over it, with moving heads. */
  #runs: number[] = [];
  #processedAt = 0;
  #receivedAt = 0;

  constructor(kept: boolean, queue: ByteQueue = new ByteQueue(), from: Retention | null = null) {
    this.queue = queue;
    this.kept = kept ? from ?? new Retention() : null;
  }

  /** One leaves, with this position. */
  leaves(position: number): void {
    this.left++;
    const runs = this.#runs;
    if (runs.length > 0 && runs[runs.length - 1] === position) runs[runs.length - 1] = position + 1;
    else runs.push(position, position + 1);
  }

  /** The peer has received everything before this position. */
  receivedTo(position: number): void {
    const runs = this.#runs;
    const before = this.received;
    while (this.#receivedAt < runs.length && runs[this.#receivedAt]! < position) {
      const from = Math.max(runs[this.#receivedAt]!, this.gone);
      const to = Math.min(runs[this.#receivedAt + 1]!, position);
      if (to > from) {
        this.received += to - from;
        this.gone = to;
      }
      // The last one may yet grow.
      if (to < runs[this.#receivedAt + 1]! || this.#receivedAt + 2 === runs.length) break;
      this.#receivedAt += 2;
    }
    if (this.received > before) this.kept?.release(this.received - before);
  }

  /** The peer has processed everything before this position, which it has received. */
  processedTo(position: number): void {
    const runs = this.#runs;
    let at = this.#processedAt;
    while (at < runs.length && runs[at]! < position) {
      const to = Math.min(runs[at + 1]!, position);
      this.processed += to - runs[at]!;
      runs[at] = to;
      if (to < runs[at + 1]!) break;
      at += 2;
    }
    if (at > 2_048 || at === runs.length) {
      runs.splice(0, at);
      this.#receivedAt = Math.max(0, this.#receivedAt - at);
      at = 0;
    }
    this.#processedAt = at;
  }

  /** How many have not left. */
  get waiting(): number {
    return this.accepted - this.left;
  }

  /** Whether a chunk that left again is an answer that is not kept any more. */
  isGone(position: number): boolean {
    const runs = this.#runs;
    if (position >= this.gone) return false;
    let at = this.#processedAt;
    while (at < runs.length && runs[at + 1]! <= position) at += 2;
    return at < runs.length && runs[at]! <= position;
  }

  /** How many of those that left have a position below this one, which is not below what is processed. */
  before(position: number): number {
    let count = this.processed;
    for (let at = this.#processedAt; at < this.#runs.length && this.#runs[at]! < position; at += 2) {
      count += Math.min(this.#runs[at + 1]!, position) - this.#runs[at]!;
    }
    return count;
  }

  /** Lets go of everything. */
  clear(): void {
    this.queue.clear();
    this.kept?.clear();
  }

  /** Its figures, and nothing to send. */
  remains(): Answers {
    const copy = new Answers(false);
    copy.accepted = this.accepted;
    copy.left = this.left;
    copy.received = this.received;
    copy.processed = this.processed;
    return copy;
  }

  /** A copy. */
  clone(): Answers {
    const queue = this.queue.clone();
    const copy = new Answers(this.kept !== null, queue, this.kept?.clone(this.queue, queue));
    copy.accepted = this.accepted;
    copy.left = this.left;
    copy.received = this.received;
    copy.processed = this.processed;
    copy.gone = this.gone;
    copy.replied = this.replied;
    copy.#runs = this.#runs.slice();
    copy.#processedAt = this.#processedAt;
    copy.#receivedAt = this.#receivedAt;
    return copy;
  }

  /** The canonical form, relative to what was sent. */
  key(sent: number): string {
    const runs = this.#runs.slice(this.#processedAt).map((position) => sent - position);
    return `${this.queue.key()} ${runs.join(",")} ${this.left - this.received} ${this.kept?.key() ?? ""}`;
  }
}

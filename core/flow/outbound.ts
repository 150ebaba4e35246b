/**
 * The sending direction of messages: framing, positions, credit, back-pressure, and what a session keeps for a replay.
 *
 * A message is framed once, when it is accepted, straight into the slabs from which it is transmitted: one copy, and no object
 * for it. What may leave is decided frame by frame when the transport asks for bytes, so that control overtakes; then a frame gets its
 * sequence and its trailer. Messages and requests wait in one queue; answers have a lane of their own (answers.ts) and leave first.
 * What leaves again leaves in the order of its positions.
 *
 * Rules: nothing here knows a connection's state or clock. What waits is bounded by `sendBuffer`, overhead included; one message may always wait,
 * and one answer. A session that can be resumed keeps what left until it was processed, bounded by `retention`; credit, the cap on what is in
 * flight and `sent` are of one connection and begin anew with `resume`.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import type { Micros } from "../time.ts";
import { ByteQueue } from "../wire/bytes.ts";
import { wordsOf } from "../wire/crc32.ts";
import { seal, writeCancel } from "../wire/encoder.ts";
import { CHUNK_COST, FrameType, MAX_UNACKNOWLEDGED } from "../wire/registry.ts";
import { Answers } from "./answers.ts";
import { bareChunks, frames } from "./bare_chunks.ts";
import { frame, messageCost, stopgaps } from "./framing.ts";
import { BATCH, InFlight, NOTHING_SENT } from "./inflight.ts";
import { ownCost, ownFrameSize, ownIsAt, ownTypeAt } from "./own_frames.ts";
import { Retention } from "./retention.ts";
import { type Remainder, remainder } from "./unconfirmed.ts";

/** One direction's sending side. */
export class Outbound {
  /** So many chunks of messages and requests were accepted: the place of the last one in their order. */
  accepted = 0;
  /** So many chunks were given to the transport of this connection, or to one before it and not again. */
  sent = 0;
  everSent = 0; // to any transport
  /** What the peer says it received, and processed. */
  received = 0;
  processed = 0;
  /** Up to where, in the order of messages, the application was told that they are processed. */
  told = 0;
  /** The credit granted by the peer, in all. */
  limit = 0;
  /** The longest message that the peer accepts. */
  maxMessage = 0;
  /** The longest message to which the application was told "blocked", bytes; -1 = none since `writable`. The same for answers. */
  blocked = -1;
  blockedAnswer = -1;
  /** Chunks from this position on must not leave yet: they are not stored. Infinity: nothing is. */
  durable: number = Infinity;
  /** Since it was set to Infinity, chunks changed their places from this position on. */
  reordered: number = Infinity;
  inFlight: InFlight | null = null; // null until a chunk leaves over this connection
  #environment: Environment;
  #buffer: number;
  /** Messages and requests that wait, without sequence and trailer. */
  #queue: ByteQueue;
  /** A connection carries it: before, and between two, nothing leaves, for it is not known from where on. */
  #carried = false;
  /** Null until there is an answer. */
  #answers: Answers | null = null;
  #cost = 0;
  /** What a session keeps of messages and requests; null: nothing is kept. */
  #retention: Retention | null = null;
  #retentionLimit = 0;
  /** Bytes of a queue that were taken and not yet advanced over. */
  #taken = 0;
  /** The queue from which was taken last; null: from the replay. */
  #source: ByteQueue | null = null;

  constructor(environment: Environment, buffer: number, queue: ByteQueue = new ByteQueue()) {
    this.#environment = environment;
    this.#buffer = buffer;
    this.#queue = queue;
  }

  /** From now on what leaves is kept until it is processed, `limit` bytes at most. Nothing must have left yet. */
  retain(limit: number): void {
    this.#retention = new Retention();
    this.#retentionLimit = limit;
  }

  /** Bytes that wait for the transport. */
  get pending(): number {
    const answers = this.#answers;
    const replay = (this.#retention?.pending ?? 0) + (answers?.kept?.pending ?? 0);
    return this.#queue.pending + (answers?.queue.pending ?? 0) + replay;
  }

  /** The position behind all that was accepted, answers included. */
  get end(): number {
    return this.accepted + (this.#answers?.accepted ?? 0);
  }

  /** Up to where, in the order of messages and requests, the peer has processed them. */
  get processedInOrder(): number {
    return this.processed - (this.#answers?.processed ?? 0);
  }

  /** How far the peer received, in that order. */
  get receivedInOrder(): number {
    return this.received - (this.#answers?.received ?? 0);
  }

  get #sentInOrder(): number {
    return this.everSent - (this.#answers?.left ?? 0);
  }

  /** Bytes kept in case that they are asked for again. */
  get retained(): number {
    return (this.#retention?.bytes ?? 0) + (this.#answers?.kept?.bytes ?? 0);
  }

  /** The longest message that can be kept. */
  get longest(): number {
    return this.#retention === null ? Infinity : this.#retentionLimit;
  }

  /** Whether a message of this size may be accepted now. */
  hasRoom(size: number): boolean {
    const pending = this.#queue.pending;
    const cost = messageCost(size);
    if (this.#retention !== null) {
      const kept = this.#retention.bytes + pending - (this.#source === this.#queue ? this.#taken : 0);
      if (kept > 0 && kept + cost > this.#retentionLimit) return false;
    }
    return pending === 0 || pending + cost <= this.#buffer;
  }

  /** The same for an answer. */
  hasRoomForAnswer(size: number): boolean {
    if (this.#answers === null) return true;
    const held = this.#answersHeld;
    return held === 0 || held + messageCost(size) <= this.#buffer;
  }

  get #answersHeld(): number {
    const { queue, kept } = this.#answers!;
    const twice = kept !== null && this.#source === queue ? this.#taken : 0;
    return queue.pending + (kept?.bytes ?? 0) - twice;
  }

  /** Whether something was "blocked" that can be accepted now, with less than half of its buffer full: time for `writable`. It counts as told. */
  unblock(): boolean {
    const { blocked, blockedAnswer } = this;
    if (blocked >= 0 && this.hasRoom(blocked) && this.#queue.pending * 2 <= this.#buffer) this.blocked = -1;
    if (blockedAnswer >= 0 && this.hasRoomForAnswer(blockedAnswer)) {
      if (this.#answers === null || this.#answersHeld * 2 <= this.#buffer) this.blockedAnswer = -1;
    }
    return this.blocked !== blocked || this.blockedAnswer !== blockedAnswer;
  }

  /** Frames a message; the payload is copied. */
  push(payload: Uint8Array): void {
    this.accepted += frame(this.#queue, FrameType.DATA, payload, -1, 0);
  }

  /** Frames a request, which takes its turn among messages. Returns its place in their order. */
  pushRequest(payload: Uint8Array, id: number, remaining: number): number {
    return this.accepted += frame(this.#queue, FrameType.REQUEST, payload, id, remaining);
  }

  /** Frames an answer. */
  pushReply(payload: Uint8Array, id: number, status: number): void {
    const answers = this.#lane();
    answers.replied = true;
    answers.accepted += frame(answers.queue, FrameType.REPLY, payload, id, status);
  }

  /** Takes back the request with this place in the order: at once if it has left, else right behind it. */
  pushCancel(id: number, order: number): void {
    if (order > this.#sentInOrder) {
      writeCancel(this.#queue, id);
      this.accepted++;
      return;
    }
    const answers = this.#lane();
    writeCancel(answers.queue, id);
    answers.accepted++;
  }

  #lane(): Answers {
    const answers = this.#answers ??= new Answers(this.#retention !== null);
    if (this.durable === Infinity) return answers;
    // It comes before the messages that wait: what is stored of those is in another place now.
    this.reordered = Math.min(this.reordered, this.everSent + answers.waiting);
    this.durable = Math.min(this.durable, this.reordered);
    return answers;
  }

  /** Copies of chunks that never left, from a position on in the order in which they will, about `most` bytes of them. */
  waiting(from: number, most: number): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    let pass = from - this.everSent;
    for (const lane of [this.#answers?.queue, this.#queue]) {
      if (lane === undefined) continue;
      pass = bareChunks(lane, lane === this.#source ? this.#taken : 0, pass, most, chunks);
    }
    return chunks;
  }

  /** Begins where another process ended: these chunks were stored, and may have been sent. */
  restore(first: number, chunks: readonly Uint8Array[]): void {
    this.processed = this.received = this.told = first;
    for (const view of frames(this.#environment, this.#queue, chunks, first)) this.#retention!.keep(view);
    this.accepted = this.everSent = this.sent = first + chunks.length;
  }

  /**
   * The next whole frames that credit, the sequence space and the cap on what is in flight allow, as one view of `most` bytes or one frame, or null.
   * They count as sent from now on; the caller must `advance` over all of them.
   */
  take(most: number, now: Micros): Uint8Array | null {
    if (!this.#carried) return null;
    const answers = this.#answers;
    const again = this.sent < this.everSent;
    if (again && answers !== null && answers.isGone(this.sent)) {
      this.#source = null;
      return stopgaps(this, answers, this.#environment, now);
    }
    const ahead = again ? this.#nextIsAnswer() : answers !== null && answers.queue.pending > 0;
    const kept = ahead ? answers!.kept : this.#retention;
    const source = again ? null : ahead ? answers!.queue : this.#queue;
    const view = again ? kept!.peek() : source!.peek();
    if (view === null) return null;
    const words = again ? null : wordsOf(view);
    const inFlight = this.inFlight ??= new InFlight();
    let end = 0;
    let batch = BATCH;
    while (end < view.length) {
      const size = ownFrameSize(view, end);
      const next = end + size;
      const typeAt = ownTypeAt(view, end);
      if (again && !ownIsAt(view, typeAt, this.sent)) break; // one of the other lane is between them
      const cost = this.#cost + ownCost(view, typeAt, next);
      if (cost > this.limit || this.sent - this.received >= MAX_UNACKNOWLEDGED) break;
      if (this.sent >= this.durable) break;
      if (!inFlight.open) break;
      if (end > 0 && next > batch) {
        if (next > most) break;
        inFlight.batch(this.sent, now);
        batch = end + BATCH;
      }
      if (!again) {
        seal(this.#environment, view, end, typeAt, next, this.sent, words);
        if (ahead) answers!.leaves(this.sent);
      }
      this.#cost = cost;
      this.sent++;
      end = next;
      inFlight.leaves(size);
    }
    if (end === 0) return null;
    inFlight.batch(this.sent, now);
    const frames = end === view.length ? view : view.subarray(0, end);
    this.#source = source;
    if (again) {
      kept!.advance(end);
    } else {
      this.everSent = this.sent;
      this.#taken += end;
      kept?.keep(frames);
    }
    return frames;
  }

  /** Whether the next chunk to leave again is an answer. */
  #nextIsAnswer(): boolean {
    const answer = this.#answers?.kept?.peek() ?? null;
    return answer !== null && ownIsAt(answer, ownTypeAt(answer, 0), this.sent);
  }

  /** So many of the bytes taken are with the transport, or were copied. */
  advance(n: number): void {
    if (this.#source === null) return;
    this.#taken -= n;
    this.#source.advance(n);
  }

  /** A connection carries it, with the peer's first credit and the longest message that it accepts. */
  begin(limit: number, maxMessage: number): void {
    this.#carried = true;
    this.limit = limit;
    this.maxMessage = maxMessage;
  }

  /** Its connection is gone: nothing leaves until {@link resume}. */
  suspend(): void {
    this.#carried = false;
    this.#cost = this.limit = 0;
  }

  /**
   * Goes on over another connection: what the peer has not received leaves again, before what never left.
   *
   * @param received the peer's position; from `processed` to `everSent`
   * @param limit the peer's first credit on that connection
   */
  resume(received: number, processed: number, limit: number, maxMessage: number): void {
    this.#source?.advance(this.#taken); // taken by the transport that is gone; kept, too
    this.#taken = 0;
    this.#source = null;
    this.#acknowledged(received, processed);
    this.sent = received;
    this.#cost = 0;
    this.begin(limit, maxMessage);
    this.inFlight = null;
    // A peer that was restored from a store may have received less than before.
    this.#retention!.rewind(received - (this.#answers?.before(received) ?? 0) - this.processedInOrder);
    this.#answers?.kept?.rewind(0);
  }

  #acknowledged(received: number, processed: number): void {
    const before = this.processedInOrder;
    this.received = received;
    this.processed = processed;
    this.#answers?.receivedTo(received);
    this.#answers?.processedTo(processed);
    if (this.#retention !== null) this.#retention.release(this.processedInOrder - before);
  }

  /** The peer acknowledges. Returns whether the positions can be. */
  acknowledge(received: number, processed: number, now: Micros): boolean {
    if (received < this.received || received > this.sent) return false;
    if (processed < this.processed || processed > received) return false;
    if (received > this.received) this.inFlight?.acknowledged(received, now);
    this.#acknowledged(received, processed);
    return true;
  }

  /** The peer's `received`, of which a heartbeat carries the low 32 bits. Returns whether it can be. */
  acknowledgeLow(low: number, now: Micros): boolean {
    // Fewer than 2^15 chunks are in flight, so the distance says it all (RFC 9000, A.3).
    const distance = (low - (this.received % 0x1_0000_0000)) >>> 0;
    if (distance > this.sent - this.received) return false;
    if (distance === 0) return true;
    this.received += distance;
    this.#answers?.receivedTo(this.received);
    this.inFlight?.acknowledged(this.received, now);
    return true;
  }

  /** A volatile message of this size leaves at once. False: the credit does not suffice, and nothing was counted. */
  spend(size: number): boolean {
    const cost = this.#cost + size + CHUNK_COST;
    if (cost > this.limit) return false;
    this.#cost = cost;
    return true;
  }

  /** Raises the credit. Returns whether the limit can be. */
  grant(limit: number): boolean {
    if (limit < this.limit) return false;
    this.limit = limit;
    return true;
  }

  /** Lets go of everything that waits. */
  drop(): void {
    this.#queue.clear();
    this.#answers?.clear();
    this.#retention?.clear();
    this.#taken = 0;
  }

  /** Bytes held: kept, and waiting. */
  get held(): number {
    const waiting = this.#queue.pending + (this.#answers?.queue.pending ?? 0);
    return this.retained + waiting - this.#taken;
  }

  /**
   * What the peer's application is not known to have finished: messages, in order, and questions that never arrived; copies.
   *
   * @param received the peer's position if it is known, else `everSent`: what ends behind it was not delivered
   */
  unconfirmed(received: number): Remainder {
    const queue = this.#queue.clone();
    if (this.#source === this.#queue) queue.advance(this.#taken);
    const views = [...this.#retention?.views() ?? []];
    // Without retention what left is gone, and only what waits is known.
    const first = views.length > 0 ? this.processedInOrder : this.#sentInOrder;
    for (let view = queue.peek(); view !== null; view = queue.peek()) {
      views.push(view);
      queue.advance(view.length);
    }
    return remainder(views, first, received - (this.#answers?.before(received) ?? 0));
  }

  /** What remains of a connection whose session goes on without it: its figures, and nothing to send. */
  remains(): Outbound {
    const copy = new Outbound(this.#environment, this.#buffer);
    copy.accepted = this.accepted;
    copy.sent = this.sent;
    copy.everSent = this.everSent;
    copy.received = this.received;
    copy.processed = this.processed;
    copy.#answers = this.#answers?.remains() ?? null;
    return copy;
  }

  /** A copy. */
  clone(environment: Environment): Outbound {
    const copy = new Outbound(environment, this.#buffer, this.#queue.clone());
    copy.accepted = this.accepted;
    copy.sent = this.sent;
    copy.received = this.received;
    copy.processed = this.processed;
    copy.limit = this.limit;
    copy.maxMessage = this.maxMessage;
    copy.inFlight = this.inFlight?.clone() ?? null;
    copy.everSent = this.everSent;
    copy.blocked = this.blocked;
    copy.blockedAnswer = this.blockedAnswer;
    copy.told = this.told;
    copy.durable = this.durable;
    copy.reordered = this.reordered;
    copy.#cost = this.#cost;
    copy.#retention = this.#retention?.clone(this.#queue, copy.#queue) ?? null;
    copy.#retentionLimit = this.#retentionLimit;
    copy.#taken = this.#taken;
    copy.#carried = this.#carried;
    copy.#answers = this.#answers?.clone() ?? null;
    copy.#source = this.#source && (this.#source === this.#queue ? copy.#queue : copy.#answers!.queue);
    return copy;
  }

  /** The canonical form, relative to what was sent. */
  key(now: Micros): string {
    const base = [
      this.sent & 0xffff,
      this.end - this.sent,
      this.sent - this.received,
      this.sent - this.processed,
      this.limit - this.#cost,
      this.maxMessage,
      this.blocked,
      this.blockedAnswer,
      this.processedInOrder - this.told,
      this.#source === null ? 0 : this.#source === this.#queue ? 1 : 2,
      this.#taken,
      Number(this.#carried),
    ];
    const kept = this.#retention === null ? "" : `${this.everSent - this.sent},${this.#retention.key()}`;
    const answers = this.#answers?.key(this.sent) ?? "";
    return `${base.join(",")}|${
      (this.inFlight ?? NOTHING_SENT).key(this.sent, now)
    }|${this.#queue.key()}|${answers}|${kept}`;
  }
}

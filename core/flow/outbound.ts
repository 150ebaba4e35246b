/**
 * The sending direction of messages: framing, positions, credit, back-pressure, and what a session keeps for a replay.
 *
 * A message is framed once, when it is accepted, straight into the slabs from which it is transmitted: one copy, and no object
 * for it. What may leave is decided frame by frame when the transport asks for bytes, so that control overtakes.
 *
 * Rules: nothing here knows a connection's state or clock. At most one chunk is given to the transport at a time (or as many
 * small ones as fit into the size of one). What waits is bounded by `sendBuffer`, overhead included; one message may always wait. A
 * session that can be resumed keeps what left until it was processed, bounded by `retention`; credit, the cap on what is in flight
 * and `sent` are of one connection and begin anew with `resume`.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import type { Unconfirmed } from "../events.ts";
import type { Micros } from "../time.ts";
import { ByteQueue } from "../wire/bytes.ts";
import { writeData } from "../wire/encoder.ts";
import { CHUNK_COST, CRC_BYTES, FIRST, LAST, MAX_CHUNK, MAX_UNACKNOWLEDGED } from "../wire/registry.ts";
import { InFlight } from "./inflight.ts";
import { ownFrameSize, Retention } from "./retention.ts";

/** As many bytes of whole frames go to the transport at once, if one frame alone is not longer: one chunk. */
const TAKE = MAX_CHUNK + 16;

/** Type, sequence and trailer: what a DATA frame's length counts beside its payload. */
const DATA_BODY = 1 + 2 + CRC_BYTES;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** What a message of this size is counted for where bytes are bounded: payload and cost of its chunks. */
export function messageCost(size: number): number {
  return size + (Math.floor(size / MAX_CHUNK) + 1) * CHUNK_COST;
}

/** One direction's sending side. */
export class Outbound {
  /** So many chunks were accepted: the next one's position. */
  accepted = 0;
  /** So many chunks were given to the transport of this connection, or to one before it and not again. */
  sent = 0;
  /** So many were ever given to a transport. */
  everSent = 0;
  /** What the peer says it received, and processed. */
  received = 0;
  processed = 0;
  /** Up to where the application was told that it is processed. */
  told = 0;
  /** The credit granted by the peer, in all. */
  limit = 0;
  /** The longest message that the peer accepts. */
  maxMessage = 0;
  /** The longest message to which the application was told "blocked", bytes; -1 = none since `writable`. */
  blocked = -1;
  /** What is on its way. */
  inFlight: InFlight = new InFlight();
  #environment: Environment;
  #buffer: number;
  #queue: ByteQueue;
  #cost = 0;
  /** What a session keeps; null: nothing is kept. */
  #retention: Retention | null = null;
  #retentionLimit = 0;
  /** Bytes of the queue that were taken and not yet advanced over. */
  #taken = 0;
  /** What was taken last is from the replay. */
  #again = false;

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

  /** Keeps nothing from now on: the peer does not resume. */
  forgo(): void {
    this.#retention = null;
  }

  /** Bytes that wait for the transport. */
  get pending(): number {
    return this.#queue.pending + (this.#retention?.pending ?? 0);
  }

  /** Bytes kept in case that they are asked for again. */
  get retained(): number {
    return this.#retention?.bytes ?? 0;
  }

  /** The longest message that can be kept. */
  get longest(): number {
    return this.#retention === null ? Infinity : this.#retentionLimit;
  }

  /** Whether a message of this size may be accepted now. */
  hasRoom(size: number): boolean {
    const pending = this.#queue.pending;
    const kept = this.#retention === null ? 0 : this.#retention.bytes + pending - this.#taken;
    const cost = messageCost(size);
    if (kept > 0 && kept + cost > this.#retentionLimit) return false;
    return pending === 0 || pending + cost <= this.#buffer;
  }

  /** Whether the application was told "blocked", and what was can be accepted with less than half of the buffer full: time for `writable`. */
  get roomy(): boolean {
    return this.blocked >= 0 && this.hasRoom(this.blocked) && this.#queue.pending * 2 <= this.#buffer;
  }

  /** Frames a message; the payload is copied. */
  push(payload: Uint8Array): void {
    const length = payload.length;
    let start = 0;
    let flags: number = FIRST;
    while (length - start > MAX_CHUNK) {
      this.#chunk(flags, payload, start, start + MAX_CHUNK);
      start += MAX_CHUNK;
      flags = 0;
    }
    this.#chunk(flags | LAST, payload, start, length);
  }

  #chunk(flags: number, payload: Uint8Array, start: number, end: number): void {
    writeData(this.#queue, this.#environment, flags, this.accepted & 0xffff, payload, start, end);
    this.accepted++;
  }

  /**
   * The next whole frames that credit, the sequence space and the cap on what is in flight allow, as one view, or null. They
   * count as sent from now on; the caller must `advance` over all of them.
   */
  take(now: Micros): Uint8Array | null {
    const again = this.#retention?.peek() ?? null;
    const view = again ?? this.#queue.peek();
    if (view === null) return null;
    let end = 0;
    while (end < view.length) {
      const size = ownFrameSize(view, end);
      const head = size < 65 ? 1 : size < 16_386 ? 2 : 4;
      const cost = this.#cost + size - head - DATA_BODY + CHUNK_COST;
      if (cost > this.limit || this.sent - this.received >= MAX_UNACKNOWLEDGED) break;
      if (!this.inFlight.open) break;
      if (end > 0 && end + size > TAKE) break;
      this.#cost = cost;
      this.sent++;
      end += size;
      this.inFlight.leaves(size);
    }
    if (end === 0) return null;
    this.inFlight.batch(this.sent, now);
    const frames = view.subarray(0, end);
    this.#again = again !== null;
    if (again !== null) {
      this.#retention!.advance(end);
    } else {
      this.everSent = this.sent;
      this.#taken += end;
      this.#retention?.keep(frames);
    }
    return frames;
  }

  /** So many of the bytes taken are with the transport, or were copied. */
  advance(n: number): void {
    if (this.#again) return;
    this.#taken -= n;
    this.#queue.advance(n);
  }

  /** Its connection is gone: nothing leaves until {@link resume}. */
  suspend(): void {
    this.#cost = this.limit = 0;
  }

  /**
   * Goes on over another connection: what the peer has not received leaves again, before what never left.
   *
   * @param received the peer's position; from `processed` to `everSent`
   * @param limit the peer's first credit on that connection
   */
  resume(received: number, processed: number, limit: number, maxMessage: number): void {
    this.#queue.advance(this.#taken); // taken by the transport that is gone; kept, too
    this.#taken = 0;
    this.#again = false;
    this.#processedTo(processed);
    this.received = this.sent = received;
    this.#cost = 0;
    this.limit = limit;
    this.maxMessage = maxMessage;
    this.inFlight = new InFlight();
    this.#retention!.rewind(received - processed);
  }

  #processedTo(processed: number): void {
    if (this.#retention !== null && processed > this.processed) {
      this.#retention.release(processed - this.processed);
    }
    this.processed = processed;
  }

  /** The peer acknowledges. Returns whether the positions can be. */
  acknowledge(received: number, processed: number, now: Micros): boolean {
    if (received < this.received || received > this.sent) return false;
    if (processed < this.processed || processed > received) return false;
    if (received > this.received) this.inFlight.acknowledged(received, now);
    this.received = received;
    this.#processedTo(processed);
    return true;
  }

  /** The peer's `received`, of which a heartbeat carries the low 32 bits. Returns whether it can be. */
  acknowledgeLow(low: number, now: Micros): boolean {
    // Fewer than 2^15 chunks are in flight, so the distance says it all (RFC 9000, A.3).
    const distance = (low - (this.received % 0x1_0000_0000)) >>> 0;
    if (distance > this.sent - this.received) return false;
    this.received += distance;
    if (distance > 0) this.inFlight.acknowledged(this.received, now);
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
    this.#retention?.clear();
    this.#taken = 0;
  }

  /** Bytes held: kept, and waiting. */
  get held(): number {
    return (this.#retention?.bytes ?? 0) + this.#queue.pending - this.#taken;
  }

  /**
   * The messages that the peer's application is not known to have finished, in order; copies.
   *
   * @param received the peer's position if it is known, else `everSent`: a message that ends behind it was not delivered
   */
  unconfirmed(received: number): Unconfirmed[] {
    const list: Unconfirmed[] = [];
    let parts: Uint8Array[] = [];
    let position = this.processed;
    const read = (view: Uint8Array, skip: number): void => {
      for (let at = skip; at < view.length;) {
        const size = ownFrameSize(view, at);
        const head = size < 65 ? 1 : size < 16_386 ? 2 : 4;
        parts.push(view.subarray(at + head + 3, at + size - CRC_BYTES));
        position++;
        if ((view[at + head]! & LAST) !== 0) {
          list.push({
            bytes: joined(parts),
            position,
            state: position <= received ? "maybeDelivered" : "unsent",
          });
          parts = [];
        }
        at += size;
      }
    };
    for (const view of this.#retention?.views() ?? []) read(view, 0);
    const queue = this.#queue.clone();
    queue.advance(this.#taken);
    for (let view = queue.peek(); view !== null; view = queue.peek()) {
      read(view, 0);
      queue.advance(view.length);
    }
    return list;
  }

  /** What remains of a connection whose session goes on without it: its figures, and nothing to send. */
  remains(): Outbound {
    const copy = new Outbound(this.#environment, this.#buffer);
    copy.accepted = this.accepted;
    copy.sent = this.sent;
    copy.everSent = this.everSent;
    copy.received = this.received;
    copy.processed = this.processed;
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
    copy.inFlight = this.inFlight.clone();
    copy.everSent = this.everSent;
    copy.blocked = this.blocked;
    copy.told = this.told;
    copy.#cost = this.#cost;
    copy.#retention = this.#retention?.clone() ?? null;
    copy.#retentionLimit = this.#retentionLimit;
    copy.#taken = this.#taken;
    copy.#again = this.#again;
    return copy;
  }

  /** The canonical form, relative to what was sent. */
  key(now: Micros): string {
    const base = [
      this.sent & 0xffff,
      this.accepted - this.sent,
      this.sent - this.received,
      this.sent - this.processed,
      this.limit - this.#cost,
      this.maxMessage,
      this.blocked,
      this.processed - this.told,
    ];
    const kept = this.#retention === null ? "" : `${this.everSent - this.sent},${this.#retention.key()}`;
    return `${base.join(",")}|${this.inFlight.key(this.sent, now)}|${this.#queue.key()}|${kept}`;
  }
}

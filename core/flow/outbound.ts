/**
 * The sending direction of messages: framing, positions, credit, back-pressure.
 *
 * A message is framed once, when it is accepted, straight into the slabs from which it is transmitted: one copy, and no object
 * for it. What may leave is decided frame by frame when the transport asks for bytes, so that control overtakes.
 *
 * Rules: nothing here knows a connection's state or clock. At most one chunk is given to the transport at a time (or as many
 * small ones as fit into the size of one). What waits is bounded by `sendBuffer`, overhead included; one message may always wait.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import type { Micros } from "../time.ts";
import { ByteQueue } from "../wire/bytes.ts";
import { writeData } from "../wire/encoder.ts";
import { CHUNK_COST, CRC_BYTES, FIRST, LAST, MAX_CHUNK, MAX_UNACKNOWLEDGED } from "../wire/registry.ts";
import { InFlight } from "./inflight.ts";

/** As many bytes of whole frames go to the transport at once, if one frame alone is not longer: one chunk. */
const TAKE = MAX_CHUNK + 16;

/** Type, sequence and trailer: what a DATA frame's length counts beside its payload. */
const DATA_BODY = 1 + 2 + CRC_BYTES;

/** One direction's sending side. */
export class Outbound {
  /** So many chunks were accepted: the next one's position. */
  accepted = 0;
  /** So many chunks were given to the transport. */
  sent = 0;
  /** What the peer says it received, and processed. */
  received = 0;
  processed = 0;
  /** The credit granted by the peer, in all. */
  limit = 0;
  /** The longest message that the peer accepts. */
  maxMessage = 0;
  /** What is on its way. */
  inFlight: InFlight = new InFlight();
  #environment: Environment;
  #buffer: number;
  #queue: ByteQueue;
  #cost = 0;

  constructor(environment: Environment, buffer: number, queue: ByteQueue = new ByteQueue()) {
    this.#environment = environment;
    this.#buffer = buffer;
    this.#queue = queue;
  }

  /** Bytes that wait for the transport. */
  get pending(): number {
    return this.#queue.pending;
  }

  /** Whether a message of this size may be accepted now. */
  hasRoom(size: number): boolean {
    const pending = this.#queue.pending;
    return pending === 0 || pending + size + CHUNK_COST <= this.#buffer;
  }

  /** Whether such a message can be accepted and less than half of the buffer waits: time to say `writable`. */
  roomy(size: number): boolean {
    return this.hasRoom(size) && this.#queue.pending * 2 <= this.#buffer;
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
    const view = this.#queue.peek();
    if (view === null) return null;
    let end = 0;
    while (end < view.length) {
      // A length's shortest form: one byte below 64, two below 16,384, else four. Whole frames, so it is all there.
      const first = view[end]!;
      let head = 1;
      let length = first;
      if (first >= 0x80) {
        head = 4;
        length = ((first & 0x3f) << 24) | (view[end + 1]! << 16) | (view[end + 2]! << 8) | view[end + 3]!;
      } else if (first >= 0x40) {
        head = 2;
        length = ((first & 0x3f) << 8) | view[end + 1]!;
      }
      const cost = this.#cost + length - DATA_BODY + CHUNK_COST;
      if (cost > this.limit || this.sent - this.received >= MAX_UNACKNOWLEDGED) break;
      if (!this.inFlight.open) break;
      if (end > 0 && end + head + length > TAKE) break;
      this.#cost = cost;
      this.sent++;
      end += head + length;
      this.inFlight.leaves(head + length);
    }
    if (end === 0) return null;
    this.inFlight.batch(this.sent, now);
    return view.subarray(0, end);
  }

  /** So many of the bytes taken are with the transport, or were copied. */
  advance(n: number): void {
    this.#queue.advance(n);
  }

  /** The peer acknowledges. Returns whether the positions can be. */
  acknowledge(received: number, processed: number, now: Micros): boolean {
    if (received < this.received || received > this.sent) return false;
    if (processed < this.processed || processed > received) return false;
    if (received > this.received) this.inFlight.acknowledged(received, now);
    this.received = received;
    this.processed = processed;
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

  /** Raises the credit. Returns whether the limit can be. */
  grant(limit: number): boolean {
    if (limit < this.limit) return false;
    this.limit = limit;
    return true;
  }

  /** Lets go of everything that waits. */
  drop(): void {
    this.#queue.clear();
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
    copy.#cost = this.#cost;
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
    ];
    return `${base.join(",")}|${this.inFlight.key(this.sent, now)}|${this.#queue.key()}`;
  }
}

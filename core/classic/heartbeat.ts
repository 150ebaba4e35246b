/**
 * Profile `classic`: the heartbeat conversation of the first article, and nothing but heartbeats.
 *
 * The client sends a packet each interval, with the next sequence and the present time; the server answers each that it believes.
 * The client declares the server dead when nothing came for multiplier x interval, and the server the client.
 *
 * What is checked, and told by name: checksum (CHECKSUM), a repeated sequence (PING_REPEATED), an older one (PING_STALE), one too far
 * ahead (PING_JUMPED), a timestamp older than `maxAge` or as far in the future (TIMESTAMP_OLD), one that runs backwards
 * (TIMESTAMP_BACKWARDS), an answer to no open request (PONG_UNMATCHED). The article's client repeats one packet for ever: with
 * `repeats: "count"` that is counted and answered; with "reject", the default, it is a fault like the others. Every fault is
 * counted and reported; past the tolerance it ends the conversation.
 *
 * Rules: packets may be glued or split anywhere. What is not a packet is skipped up to the next marker, and cut after
 * {@link MAX_NOISE} bytes.
 *
 * @module
 */

import { HeartwireError } from "../errors.ts";
import { earlier, later } from "../liveness/serial.ts";
import { ahead } from "../liveness/serial.ts";
import type { ResolvedConnection } from "../options.ts";
import type { Role } from "../phases.ts";
import { type Micros, toMicros } from "../time.ts";
import { Timer } from "../timers.ts";
import {
  checksumOf,
  endsInMarker,
  MARKER,
  type Packet,
  PACKET_BYTES,
  readPacket,
  writePacket,
} from "./packet.ts";
import { StreamConversation } from "./stream.ts";

/** After so many bytes in a row that are no packet, the stream is not one of heartbeats. */
export const MAX_NOISE = 4_096;

/** So many requests may be unanswered; older ones are forgotten. */
const MAX_OPEN = 64;

/** Answers owed to a peer that does not read them, bytes. */
const MAX_OWED = 65_536;

interface Request {
  readonly packet: Packet;
  readonly sentAt: Micros;
}

/** A conversation of heartbeat packets. */
export class ClassicConversation extends StreamConversation {
  #buffer = new Uint8Array(2 * PACKET_BYTES);
  #length = 0;
  #noise = 0;
  /** The next sequence to send. */
  #sequence = 0;
  #open: Request[] = [];
  /** The last request believed; null before the first. */
  #last: Packet | null = null;

  constructor(role: Role, options: ResolvedConnection, now: number) {
    super(role, options, now, toMicros(options.heartbeat.interval * options.heartbeat.multiplier));
    this.begin();
  }

  protected opened(): void {
    this.watch();
    if (this.role === "client" && this.knowsWall) this.beat();
  }

  protected override wallKnown(): void {
    if (this.role === "client") this.beat();
  }

  protected beat(): void {
    this.#request();
    this.timers.set(Timer.BEAT, this.now + toMicros(this.options.heartbeat.interval));
  }

  #request(): number {
    const sequence = this.#sequence;
    const timestamp = this.wallSeconds();
    const packet = { timestamp, checksum: checksumOf(sequence, timestamp), sequence };
    this.#sequence = (sequence + 1) >>> 0;
    this.#write(packet);
    this.#open.push({ packet, sentAt: this.now });
    if (this.#open.length > MAX_OPEN) this.#open.shift();
    this.counters.pingsSent++;
    return sequence;
  }

  #write(packet: Packet): void {
    this.out.reserve(PACKET_BYTES);
    writePacket(this.out.bytes, this.out.at, packet);
    this.out.commit(PACKET_BYTES);
  }

  override ping(now: number): number {
    this.enter(now);
    if (this.role === "server") throw this.unsupported("ping");
    if (this.phase !== "open") throw this.notOpen("ping");
    if (this.#open.length >= MAX_OPEN) {
      {
        throw new HeartwireError("PINGS_OPEN", `ping: ${MAX_OPEN} are unanswered`, {
          retryable: true,
          hint: "Wait for an answer before the next.",
        });
      }
    }
    return this.#request();
  }

  /** This profile carries no messages. */
  override send(_payload: Uint8Array, _now: number): "accepted" | "blocked" {
    throw this.unsupported("send");
  }

  protected read(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && this.reason === null) {
      const count = Math.min(PACKET_BYTES - this.#length, bytes.length - at);
      this.#buffer.set(bytes.subarray(at, at + count), this.#length);
      this.#length += count;
      at += count;
      if (this.#length < PACKET_BYTES) return;
      if (endsInMarker(this.#buffer, 0)) {
        this.#noise = 0;
        this.#length = 0;
        this.#packet(readPacket(this.#buffer, 0));
      } else this.#resynchronise();
    }
  }

  /** Not a packet: skips to where the next one can begin, which is behind the next marker. */
  #resynchronise(): void {
    if (this.#noise === 0) this.heartbeatFault("NOT_HEARTBEATS", '21 bytes that do not end in "heartbeat"');
    const skip = nextBoundary(this.#buffer, this.#length);
    this.#noise += skip;
    this.#buffer.copyWithin(0, skip, this.#length);
    this.#length -= skip;
    if (this.#noise > MAX_NOISE) {
      this.fail("NOT_HEARTBEATS", `${this.#noise} bytes without a heartbeat packet`);
    }
  }

  #packet(packet: Packet): void {
    if (this.role === "client") return this.#answer(packet);
    this.counters.pingsReceived++;
    const wrong = this.#judge(packet);
    const { sequence, timestamp } = packet;
    if (wrong !== null) {
      const last = this.#last === null
        ? "none before"
        : `after ${this.#last.sequence} at ${this.#last.timestamp}`;
      return this.heartbeatFault(wrong, `heartbeat ${sequence} at ${timestamp}, ${last}`);
    }
    this.#last = packet;
    this.counters.pongsSent++;
    this.#write({ ...packet, sequence: (sequence + 1) >>> 0 });
    if (this.out.pending > MAX_OWED) this.fail("CONTROL_FLOOD", `${this.out.pending} bytes of answers wait`);
  }

  #judge(
    packet: Packet,
  ): "CHECKSUM" | "PING_REPEATED" | "PING_STALE" | "PING_JUMPED" | TimestampFault | null {
    const { sequence, timestamp, checksum } = packet;
    if (checksum !== checksumOf(sequence, timestamp)) return "CHECKSUM";
    const last = this.#last;
    if (last !== null && sequence === last.sequence) {
      if (this.options.classic.repeats === "reject" || timestamp !== last.timestamp) return "PING_REPEATED";
      this.counters.pingsRepeated++;
      return null;
    }
    if (last !== null && !later(sequence, last.sequence)) return "PING_STALE";
    if (last !== null && ahead(sequence, last.sequence) > 3 * this.options.heartbeat.multiplier) {
      return "PING_JUMPED";
    }
    if (last !== null && earlier(timestamp, last.timestamp)) return "TIMESTAMP_BACKWARDS";
    if (!this.knowsWall) return null;
    const now = this.wallSeconds();
    const maxAge = Math.ceil(this.options.classic.maxAge / 1_000);
    return Math.min(ahead(now, timestamp), ahead(timestamp, now)) > maxAge ? "TIMESTAMP_OLD" : null;
  }

  #answer(packet: Packet): void {
    const sequence = (packet.sequence - 1) >>> 0;
    const index = this.#open.findIndex((request) => request.packet.sequence === sequence);
    const request = this.#open[index];
    const what = `answer ${packet.sequence} at ${packet.timestamp}`;
    if (request === undefined) return this.heartbeatFault("PONG_UNMATCHED", what);
    if (packet.checksum !== request.packet.checksum) return this.heartbeatFault("CHECKSUM", what);
    if (packet.timestamp !== request.packet.timestamp) return this.heartbeatFault("PONG_UNMATCHED", what);
    this.#open.splice(0, index + 1);
    const rtt = this.now - request.sentAt;
    this.counters.pingsAnswered++;
    this.roundTrip.sample(rtt);
    this.emit({ type: "pong", sequence, rtt: rtt / 1_000, hold: 0 });
  }
}

type TimestampFault = "TIMESTAMP_BACKWARDS" | "TIMESTAMP_OLD";

/** How many of the first `length` bytes can be dropped: up to behind a marker, or all but what may be the start of one. */
function nextBoundary(bytes: Uint8Array, length: number): number {
  for (let at = 0; at < length; at++) {
    let matched = 0;
    while (matched < MARKER.length && at + matched < length && bytes[at + matched] === MARKER[matched]) {
      matched++;
    }
    if (matched === MARKER.length) return at + matched;
    if (at + matched === length) return Math.max(at, 1);
  }
  return length;
}

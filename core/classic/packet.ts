/**
 * The heartbeat packet of the first article, byte for byte:
 *
 * ```
 *  0             4             8             12                     21
 * +-------------+-------------+-------------+------------------------+
 * | timestamp   | checksum    | sequence    | "heartbeat"            |
 * | uint32, s   | 4 bytes     | uint32      | 9 bytes of ASCII       |
 * +-------------+-------------+-------------+------------------------+
 * ```
 *
 * Numbers are in network byte order. The checksum is the first four bytes of SHA-1 over the ASCII text of the sequence followed by
 * the timestamp, decimal, with nothing between. A request and its answer look alike: the answer has the same timestamp and the
 * same checksum, and the sequence plus one (so its checksum is that of the request).
 *
 * Rules: pure; what is wrong with a packet is said by name.
 *
 * @module
 */

import { sha1 } from "./sha1.ts";

/** Bytes of a packet. */
export const PACKET_BYTES = 21;

/** What every packet ends in. */
export const MARKER: readonly number[] = [104, 101, 97, 114, 116, 98, 101, 97, 116];

const TIMESTAMP = 0;
const CHECKSUM = 4;
const SEQUENCE = 8;
const PAYLOAD = 12;

/** A packet as it was read. */
export interface Packet {
  /** Seconds since 1970, modulo 2^32. */
  readonly timestamp: number;
  /** The four bytes as a number. */
  readonly checksum: number;
  /** Modulo 2^32. */
  readonly sequence: number;
}

/** The checksum that belongs to a request, as a number. */
export function checksumOf(sequence: number, timestamp: number): number {
  const text = `${sequence}${timestamp}`;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const digest = sha1(bytes);
  return ((digest[0]! << 24) | (digest[1]! << 16) | (digest[2]! << 8) | digest[3]!) >>> 0;
}

/** Writes a packet to `into` at `at`. */
export function writePacket(into: Uint8Array, at: number, packet: Packet): void {
  const view = new DataView(into.buffer, into.byteOffset + at, PACKET_BYTES);
  view.setUint32(TIMESTAMP, packet.timestamp);
  view.setUint32(CHECKSUM, packet.checksum);
  view.setUint32(SEQUENCE, packet.sequence);
  into.set(MARKER, at + PAYLOAD);
}

/** Whether the 21 bytes at `at` end in the marker. */
export function endsInMarker(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < MARKER.length; i++) if (bytes[at + PAYLOAD + i] !== MARKER[i]) return false;
  return true;
}

/** Reads the packet at `at`. */
export function readPacket(bytes: Uint8Array, at: number): Packet {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, PACKET_BYTES);
  return {
    timestamp: view.getUint32(TIMESTAMP),
    checksum: view.getUint32(CHECKSUM),
    sequence: view.getUint32(SEQUENCE),
  };
}

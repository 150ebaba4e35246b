/**
 * CRC-32 (ISO-HDLC, the one of zlib) in plain TypeScript, and the choice between it and the runtime's own.
 *
 * Rules: no allocation; the result is a number from 0 to 2^32 - 1 and is the seed with which the next piece goes on.
 * Slicing by eight (Kounavis and Berry, 2005): eight tables of 256 words, so that eight bytes cost eight look-ups that do
 * not wait for each other.
 *
 * @module
 */

import type { Environment } from "../environment.ts";

/** The polynomial 04C11DB7 with its bits reversed. */
const POLYNOMIAL = 0xedb8_8320;

/** From how many bytes on the runtime's own CRC is the faster one, unless the environment says otherwise. */
export const NATIVE_FROM = 200;

function makeTables(): Int32Array[] {
  const tables: Int32Array[] = [];
  for (let slice = 0; slice < 8; slice++) tables.push(new Int32Array(256));
  const first = tables[0]!;
  for (let byte = 0; byte < 256; byte++) {
    let word = byte;
    for (let bit = 0; bit < 8; bit++) word = word & 1 ? (word >>> 1) ^ POLYNOMIAL : word >>> 1;
    first[byte] = word;
  }
  for (let slice = 1; slice < 8; slice++) {
    const previous = tables[slice - 1]!;
    const table = tables[slice]!;
    for (let byte = 0; byte < 256; byte++) {
      const word = previous[byte]!;
      table[byte] = (word >>> 8) ^ first[word & 0xff]!;
    }
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = makeTables() as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** The CRC-32 of `bytes[start..end)`, going on from `seed` (0 to begin). */
export function crc32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let crc = ~seed;
  let at = start;
  for (const last = end - 7; at < last; at += 8) {
    crc = T7[(crc ^ bytes[at]!) & 0xff]! ^ T6[((crc >>> 8) ^ bytes[at + 1]!) & 0xff]! ^
      T5[((crc >>> 16) ^ bytes[at + 2]!) & 0xff]! ^ T4[(crc >>> 24) ^ bytes[at + 3]!]! ^
      T3[bytes[at + 4]!]! ^ T2[bytes[at + 5]!]! ^ T1[bytes[at + 6]!]! ^ T0[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ T0[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** From how many bytes on this environment's own CRC is to be used. Never for none: zlib takes no bytes for no seed. */
export function nativeFrom(environment: Environment): number {
  return environment.crc32 === undefined ? Infinity : Math.max(1, environment.crc32From ?? NATIVE_FROM);
}

/** The same, by whichever of the two is faster for so many bytes. */
export function checksum(
  environment: Environment,
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
): number {
  if (end - start < nativeFrom(environment)) return crc32(bytes, start, end, seed);
  return environment.crc32!(bytes.subarray(start, end), seed) >>> 0;
}

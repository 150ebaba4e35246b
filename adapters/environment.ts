/**
 * The parts of a platform that every runtime has alike: entropy, the native CRC-32 and HMAC, the clock.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import * as zlib from "node:zlib";
import { hmacSha256 } from "../core/crypto/hmac.ts";
import type { Environment } from "../core/mod.ts";
import type { Clock } from "./transport.ts";

/** Bytes drawn from the system at a time: one call costs about as much for 16 bytes as for some hundreds. */
const BATCH = 1_024;

/** The system's HMAC-SHA-256, in a plain array. */
function nativeHmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const native = createHmac("sha256", key);
  for (const part of parts) native.update(part);
  return new Uint8Array(native.digest());
}

/** The system's from `from` bytes on, core's below. */
function fasterHmac(from: number): typeof nativeHmac {
  return (key, ...parts) => {
    let size = 0;
    for (const part of parts) size += part.length;
    return size < from ? hmacSha256(key, ...parts) : nativeHmac(key, ...parts);
  };
}

/**
 * Makes the environment of a production machine.
 *
 * @param crc32From from how many bytes on this runtime's native CRC-32 is faster than TypeScript (measured)
 * @param hmacFrom the same for its HMAC-SHA-256; default 0, which is right for Node and Bun. Measured for 100 bytes, us on Node,
 *   Bun, Deno: TypeScript 8, 4, 8; native 7, 1, 18. Native is the faster one on Deno from about 1,000 bytes on
 */
export function systemEnvironment(crc32From: number, hmacFrom = 0): Environment {
  const pool = new Uint8Array(BATCH);
  let used = BATCH;
  const entropy = (into: Uint8Array): void => {
    if (into.length > BATCH) throw new RangeError(`more than ${BATCH} bytes of entropy at once`);
    if (used + into.length > BATCH) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    into.set(pool.subarray(used, used + into.length));
    pool.fill(0, used, used + into.length); // what was given out is not kept here
    used += into.length;
  };
  // Absent on Node before 20.15 and 22.2; a named import would fail there.
  const native = (zlib as { crc32?: (bytes: Uint8Array, seed: number) => number }).crc32;
  const always = { entropy, hmacSha256: hmacFrom > 0 ? fasterHmac(hmacFrom) : nativeHmac };
  return native === undefined ? always : { ...always, crc32: native, crc32From };
}

/** On Node the global is a getter, and every message reads the clock. */
const { performance: monotonic } = globalThis;

/** The runtime's clock. */
export const systemClock: Clock = {
  now: () => monotonic.now(),
  wall: () => Date.now(),
  setTimer: (callback, delay) => setTimeout(callback, delay),
  clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

/**
 * The parts of a platform that every runtime has alike: entropy, the native CRC-32 and HMAC, the clock.
 *
 * Rules: `node:crypto` and `node:zlib` are loaded when something is first to be computed by them. Most connections resume nothing and have no
 * key, and short messages are summed up in TypeScript; on Deno the first module of Node's costs more than all of heartwire.
 *
 * @module
 */

import { hmacSha256 } from "../core/crypto/hmac.ts";
import type { Environment } from "../core/mod.ts";
import { crc32 } from "../core/wire/crc32.ts";
import type { Clock } from "./transport.ts";

/** Bytes drawn from the system at a time: one call costs about as much for 16 bytes as for some hundreds. */
const BATCH = 1_024;

type Crc32 = (bytes: Uint8Array, seed: number) => number;

/** A module of Node's; undefined on Node before 20.16 and 22.3, which load none in the middle of a function. */
function builtin<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  return process?.getBuiltinModule?.(name) as T | undefined;
}

let system: typeof import("node:crypto") | undefined;
let sum: Crc32 | undefined;

/** The system's HMAC-SHA-256, in a plain array. Where it cannot be loaded, core's. */
function nativeHmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  system ??= builtin("node:crypto");
  if (system === undefined) return hmacSha256(key, ...parts);
  const native = system.createHmac("sha256", key);
  for (const part of parts) native.update(part);
  return new Uint8Array(native.digest());
}

/** The system's CRC-32. Where there is none, core's. */
function nativeCrc32(bytes: Uint8Array, seed: number): number {
  sum ??= builtin<{ crc32?: Crc32 }>("node:zlib")?.crc32 ?? ((all, from) => crc32(all, 0, all.length, from));
  return sum(bytes, seed);
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
  const hmac = hmacFrom > 0 ? fasterHmac(hmacFrom) : nativeHmac;
  return { entropy, hmacSha256: hmac, crc32: nativeCrc32, crc32From };
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

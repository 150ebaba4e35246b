/**
 * HMAC-SHA-256 (RFC 2104), the choice between core's and the runtime's own, and the comparison of what came with what is right.
 *
 * Rules: what is authenticated is given in parts and never copied into one; of a key of at most a block nothing stays here; a
 * comparison takes as long for a near miss as for a far one.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import { BLOCK, Sha256, sha256 } from "./sha256.ts";

/** The bytes with which the key is mixed for the inner hash, and what makes of these the ones for the outer. */
const INNER = 0x36;
const INNER_TO_OUTER = 0x36 ^ 0x5c;

const hash = new Sha256();
const pad = new Uint8Array(BLOCK);

/** The 32 bytes of HMAC-SHA-256 under `key` over `parts`, one after the other, in TypeScript. */
export function hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const short = key.length > BLOCK ? sha256(key) : key;
  for (let i = 0; i < short.length; i++) pad[i] = short[i]! ^ INNER;
  pad.fill(INNER, short.length);
  hash.reset().update(pad);
  for (let i = 0; i < BLOCK; i++) pad[i]! ^= INNER_TO_OUTER;
  for (const part of parts) hash.update(part);
  const inner = hash.digest();
  hash.reset().update(pad).update(inner);
  const mac = hash.digest();
  pad.fill(0);
  hash.reset(); // what the pad made of it is as good as the key for half of a forgery
  return mac;
}

/** The same, by the environment's own where it has one. */
export function hmac(environment: Environment, key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return environment.hmacSha256 === undefined
    ? hmacSha256(key, ...parts)
    : environment.hmacSha256(key, ...parts);
}

/** Whether two byte strings are the same, in a time that tells their lengths and nothing of what they hold. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/**
 * SHA-256 (FIPS 180-4) in TypeScript: what core proves and checks with where the runtime offers nothing synchronous.
 *
 * Rules: no table or branch depends on the bytes hashed, so that the time tells their number and nothing else; one block at a
 * time, no copy of what lies in whole blocks; the scratch memory is shared, which is safe since nothing here calls out.
 *
 * @module
 */

import { writeUint32 } from "../wire/varint.ts";

/** Bytes of a block. */
export const BLOCK = 64;

/** Bytes of a digest. */
export const DIGEST = 32;

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
const K: Int32Array = Int32Array.of(
  ...[0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5],
  ...[0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174],
  ...[0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da],
  ...[0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967],
  ...[0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85],
  ...[0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070],
  ...[0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3],
  ...[0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2],
);

/** The same of the square roots of the first eight primes (5.3.3). */
const FIRST: Int32Array = Int32Array.of(
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
);

/** The message schedule of the block at hand. */
const words = new Int32Array(64);

/** What a digest is finished in, so that the hash itself can go on. */
const finalState = new Int32Array(8);
const finalBlocks = new Uint8Array(2 * BLOCK);

/** One block of `bytes`, from `at` on, into `state` (6.2.2). */
function compress(state: Int32Array, bytes: Uint8Array, at: number): void {
  for (let t = 0, from = at; t < 16; t++, from += 4) {
    words[t] = (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!;
  }
  for (let t = 16; t < 64; t++) {
    const x = words[t - 15]!;
    const y = words[t - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    words[t] = (words[t - 16]! + s0 + words[t - 7]! + s1) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let t = 0; t < 64; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + K[t]! + words[t]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}

/** A hash in the making. */
export class Sha256 {
  #state: Int32Array = FIRST.slice();
  /** The block that is not full yet. */
  #block: Uint8Array = new Uint8Array(BLOCK);
  /** Bytes taken in all. */
  #length = 0;

  /** Begins anew. */
  reset(): this {
    this.#state.set(FIRST);
    this.#length = 0;
    return this;
  }

  /** Takes the next bytes of the message; they are read before this returns. */
  update(bytes: Uint8Array): this {
    let at = 0;
    const filled = this.#length % BLOCK;
    this.#length += bytes.length;
    if (filled > 0) {
      const missing = BLOCK - filled;
      if (bytes.length < missing) {
        this.#block.set(bytes, filled);
        return this;
      }
      for (; at < missing; at++) this.#block[filled + at] = bytes[at]!;
      compress(this.#state, this.#block, 0);
    }
    for (const last = bytes.length - BLOCK; at <= last; at += BLOCK) compress(this.#state, bytes, at);
    for (let to = 0; at < bytes.length; at++, to++) this.#block[to] = bytes[at]!;
    return this;
  }

  /** The 32 bytes of the hash of what was taken so far. More may be taken afterwards. */
  digest(): Uint8Array {
    const filled = this.#length % BLOCK;
    const end = filled < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    finalState.set(this.#state);
    for (let i = 0; i < filled; i++) finalBlocks[i] = this.#block[i]!;
    finalBlocks[filled] = 0x80;
    finalBlocks.fill(0, filled + 1, end - 8);
    writeUint32(finalBlocks, end - 8, Math.floor(this.#length / 0x2000_0000)); // the length in bits
    writeUint32(finalBlocks, end - 4, this.#length << 3);
    compress(finalState, finalBlocks, 0);
    if (end > BLOCK) compress(finalState, finalBlocks, BLOCK);
    const digest = new Uint8Array(DIGEST);
    for (let i = 0; i < 8; i++) writeUint32(digest, 4 * i, finalState[i]!);
    return digest;
  }
}

/** For what is hashed at once: two arrays less for each message. */
const shared = new Sha256();

/** The 32 bytes of SHA-256 over `bytes`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return shared.reset().update(bytes).digest();
}

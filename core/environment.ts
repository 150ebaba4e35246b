/**
 * What core cannot make for itself: entropy, and the checksum and the HMAC where the runtime has a faster one.
 *
 * Rules: synchronous; injected once, at construction; a machine calls nothing else outside core. A test injects seeded
 * entropy, so that the same inputs give the same bytes.
 *
 * @module
 */

/** Injected into every machine. */
export interface Environment {
  /** Fills `into` with bytes: unguessable ones in production, seeded ones in tests. */
  entropy(into: Uint8Array): void;
  /**
   * The runtime's own CRC-32 (zlib polynomial) of `bytes`, continuing from `seed` (0 to begin). Without it core computes
   * in TypeScript.
   */
  readonly crc32?: (bytes: Uint8Array, seed: number) => number;
  /** From how many bytes on `crc32` is the faster one; default 200. */
  readonly crc32From?: number;
  /**
   * The runtime's own HMAC-SHA-256 under `key` over `parts`, one after the other: 32 bytes. Without it core computes in
   * TypeScript.
   */
  readonly hmacSha256?: (key: Uint8Array, ...parts: Uint8Array[]) => Uint8Array;
}

const scratch = new Uint8Array(4);

/** A number drawn evenly from [0, 1), with 32 bits. */
export function uniform(environment: Environment): number {
  environment.entropy(scratch);
  const word = (scratch[0]! * 0x1000000) + (scratch[1]! << 16) + (scratch[2]! << 8) + scratch[3]!;
  return word / 0x1_0000_0000;
}

/**
 * Seeded randomness for tests: the same seed, the same bytes, on every runtime.
 *
 * The generator is SplitMix32 (Steele, Lea, Flood, 2014, reduced to 32 bits): tiny, and it can be copied in the middle.
 *
 * @module
 */

import type { Environment } from "../../core/environment.ts";

/** A seeded source of numbers. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to 2^32 - 1. */
  word(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.word() / 0x1_0000_0000 * (to - from + 1));
  }

  /** A number from [0, 1). */
  fraction(): number {
    return this.word() / 0x1_0000_0000;
  }

  /** A copy that goes on alike. */
  clone(): Random {
    const copy = new Random(0);
    copy.#state = this.#state;
    return copy;
  }
}

/** An environment with seeded entropy and the pure checksum. */
export function seeded(random: Random): Environment {
  return {
    entropy(into: Uint8Array): void {
      for (let i = 0; i < into.length; i++) into[i] = random.word() >>> 24;
    },
  };
}

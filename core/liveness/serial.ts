/**
 * Serial-number arithmetic on 32 bits (RFC 1982): comparison modulo 2^32, so that counters may wrap.
 *
 * @module
 */

/** How far `a` is ahead of `b`, modulo 2^32: 0 .. 2^32 - 1. */
export function ahead(a: number, b: number): number {
  return (a - b) >>> 0;
}

/** Whether `a` is later than `b`: ahead by 1 to 2^31 - 1. */
export function later(a: number, b: number): boolean {
  const distance = (a - b) >>> 0;
  return distance !== 0 && distance < 0x8000_0000;
}

/** Whether `a` is earlier than `b`. */
export function earlier(a: number, b: number): boolean {
  return later(b, a);
}

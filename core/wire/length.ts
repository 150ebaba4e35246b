/**
 * The length that a frame begins with, judged before anything else of it is looked at (docs/PROTOCOL.md, section 3).
 *
 * Rules: the least first, then the form, then the limit. Nothing is allocated and nothing but the length is read.
 *
 * @module
 */

import { type Fault, fault } from "./fault.ts";
import { CRC_BYTES } from "./registry.ts";
import { readVarint, VARINT_EXCESS, VARINT_SHORT, varintForm, varintSize } from "./varint.ts";

/** {@link frameSize}: not even the length is complete. */
export const LENGTH_SHORT: number = -1;

/** {@link frameSize}: {@link lengthFault} says why not. */
export const LENGTH_BAD: number = -2;

/** The least length: type and trailer. */
const LEAST = 1 + CRC_BYTES;

/**
 * Bytes of the whole frame that begins at `at`, its length included; {@link LENGTH_SHORT} or {@link LENGTH_BAD}, both negative,
 * when the length is not complete or cannot be.
 */
export function frameSize(bytes: Uint8Array, at: number, end: number, limit: number): number {
  const first = bytes[at]!;
  if (first < 0x40) return first < LEAST || first > limit ? LENGTH_BAD : 1 + first;
  if (first < 0x80 && at + 1 < end) {
    // Most frames that carry a message; the rest of this function says the same, a few ns slower.
    const length = ((first & 0x3f) << 8) | bytes[at + 1]!;
    return length < 0x40 || length > limit ? LENGTH_BAD : 2 + length;
  }
  const length = readVarint(bytes, at, end);
  if (length === VARINT_SHORT) return LENGTH_SHORT;
  const form = varintForm(first);
  if (length < LEAST || varintSize(length) !== form || length > limit) return LENGTH_BAD;
  return form + length;
}

/** What is wrong with the length that begins at `at` and is complete. */
export function lengthFault(bytes: Uint8Array, at: number, end: number, limit: number): Fault {
  const length = readVarint(bytes, at, end);
  if (length === VARINT_EXCESS) return fault("FRAME_TOO_LARGE", `length above 2^53 - 1, limit ${limit}`);
  if (length < LEAST) return fault("LENGTH_INVALID", `length ${length}, least ${LEAST}`);
  const form = varintForm(bytes[at]!);
  if (varintSize(length) !== form) return fault("LENGTH_INVALID", `length ${length} in ${form} bytes`);
  return fault("FRAME_TOO_LARGE", `length ${length}, limit ${limit}`);
}

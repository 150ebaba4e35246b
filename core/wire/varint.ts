/**
 * Variable-length integers of RFC 9000 section 16, up to 2^53 - 1 (docs/PROTOCOL.md, section 1).
 *
 * Rules: no allocation; the writer trusts its caller about room and range, the reader trusts nobody. Arithmetic above
 * 32 bits is done with multiplication, for shifts would cut it.
 *
 * @module
 */

/** The greatest value: what a number holds exactly. */
export const VARINT_MAX: number = Number.MAX_SAFE_INTEGER;

/** {@link readVarint}: the bytes given end inside the varint. */
export const VARINT_SHORT: number = -1;

/** {@link readVarint}: the value is above {@link VARINT_MAX}. */
export const VARINT_EXCESS: number = -2;

/** Bytes of the shortest form of a value, 1, 2, 4 or 8. */
export function varintSize(value: number): number {
  return value < 0x40 ? 1 : value < 0x4000 ? 2 : value < 0x4000_0000 ? 4 : 8;
}

/** Bytes of the varint that begins with this byte. */
export function varintForm(first: number): number {
  return 1 << (first >>> 6);
}

/** Writes the shortest form at an offset; returns the offset behind it. `value` is a whole number in range. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  if (value < 0x40) {
    into[at] = value;
    return at + 1;
  }
  if (value < 0x4000) {
    into[at] = 0x40 | (value >>> 8);
    into[at + 1] = value;
    return at + 2;
  }
  if (value < 0x4000_0000) {
    into[at] = 0x80 | (value >>> 24);
    into[at + 1] = value >>> 16;
    into[at + 2] = value >>> 8;
    into[at + 3] = value;
    return at + 4;
  }
  const high = Math.floor(value / 0x1_0000_0000);
  into[at] = 0xc0 | (high >>> 24);
  into[at + 1] = high >>> 16;
  into[at + 2] = high >>> 8;
  into[at + 3] = high;
  into[at + 4] = value >>> 24;
  into[at + 5] = value >>> 16;
  into[at + 6] = value >>> 8;
  into[at + 7] = value;
  return at + 8;
}

/**
 * Reads a varint of any form at an offset, looking at nothing from `end` on. Its size is {@link varintForm} of its first
 * byte. Returns {@link VARINT_SHORT} or {@link VARINT_EXCESS}, both negative, when there is none.
 */
export function readVarint(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return VARINT_SHORT;
  const first = bytes[at]!;
  if (first < 0x40) return first;
  if (first < 0x80) return at + 2 > end ? VARINT_SHORT : ((first & 0x3f) << 8) | bytes[at + 1]!;
  if (first < 0xc0) return at + 4 > end ? VARINT_SHORT : readUint32(bytes, at) & 0x3fff_ffff;
  if (at + 8 > end) return VARINT_SHORT;
  const high = readUint32(bytes, at) & 0x3fff_ffff;
  return high >= 0x20_0000 ? VARINT_EXCESS : high * 0x1_0000_0000 + readUint32(bytes, at + 4);
}

/** Four bytes at an offset as one number; the caller knows that they are there. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Writes the low 32 bits of a number at an offset; returns the offset behind them. */
export function writeUint32(into: Uint8Array, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

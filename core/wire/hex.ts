/**
 * Bytes as text where they are kept for long or are a key: an array of 16 bytes takes 200, the text of its digits 48.
 *
 * @module
 */

const DIGIT = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

/** Where the digits of an id are put together. */
const ID_DIGITS = new Array<number>(32).fill(0);

/** Bytes as hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  // One flat string: what is put together piece by piece stays in pieces, 40 bytes each, as long as it is kept.
  const digits = bytes.length === 16 ? ID_DIGITS : new Array<number>(2 * bytes.length);
  for (let at = 0; at < bytes.length; at++) {
    digits[2 * at] = DIGIT[bytes[at]! >> 4]!;
    digits[2 * at + 1] = DIGIT[bytes[at]! & 15]!;
  }
  return String.fromCharCode.apply(null, digits);
}

/** What a digit stands for; -1: it is none. */
function valueOf(digit: number): number {
  if (digit >= 0x30 && digit <= 0x39) return digit - 0x30;
  return digit >= 0x61 && digit <= 0x66 ? digit - 0x57 : -1;
}

/** The other way round; null: these are no digits, in lower case, of so many bytes. */
export function fromHex(digits: string, count: number): Uint8Array | null {
  if (digits.length !== 2 * count) return null;
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    const high = valueOf(digits.charCodeAt(2 * at));
    const low = valueOf(digits.charCodeAt(2 * at + 1));
    if (high < 0 || low < 0) return null;
    bytes[at] = (high << 4) | low;
  }
  return bytes;
}

/**
 * UTF-8 for the short texts that travel in frames: reasons, endpoints, key names.
 *
 * Rules: core has no TextEncoder; texts are at most a few hundred bytes. What is written is always valid UTF-8, what is read
 * is refused unless it is (no overlong form, no surrogate, nothing above U+10FFFF: Unicode 15, table 3-7).
 *
 * @module
 */

/** The least code point that needs a form of so many bytes. */
const LEAST = [0, 0, 0x80, 0x800, 0x1_0000] as const;

/** What stands for half of a surrogate pair: U+FFFD. */
const REPLACEMENT = 0xfffd;

/** The text in UTF-8, cut before the first code point that would pass `maxBytes`; a lone surrogate becomes U+FFFD. */
export function encodeText(text: string, maxBytes: number): Uint8Array {
  // A UTF-16 unit is at most three bytes.
  const into = new Uint8Array(Math.min(maxBytes, text.length * 3));
  let at = 0;
  for (let unit = 0; unit < text.length; unit++) {
    let point = text.codePointAt(unit)!;
    if (point > 0xffff) unit++;
    else if (point >= 0xd800 && point <= 0xdfff) point = REPLACEMENT;
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
    if (at + size > into.length) break;
    if (size === 1) {
      into[at++] = point;
      continue;
    }
    into[at++] = (0xf00 >>> size) & 0xff | (point >>> (6 * (size - 1)));
    for (let shift = 6 * (size - 2); shift >= 0; shift -= 6) into[at++] = 0x80 | ((point >>> shift) & 0x3f);
  }
  return into.subarray(0, at);
}

/** The text of `bytes[start..end)`, or null if that is not valid UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | null {
  let text = "";
  let at = start;
  while (at < end) {
    const first = bytes[at]!;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      at++;
      continue;
    }
    const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    // 80 to BF are continuations, F8 to FF begin nothing.
    if (first < 0xc0 || first > 0xf7 || at + size > end) return null;
    let point = first & (0x7f >>> size);
    for (let next = at + 1; next < at + size; next++) {
      const byte = bytes[next]!;
      if ((byte & 0xc0) !== 0x80) return null;
      point = (point << 6) | (byte & 0x3f);
    }
    if (point < LEAST[size]! || point > 0x10_ffff || (point >= 0xd800 && point <= 0xdfff)) return null;
    text += String.fromCodePoint(point);
    at += size;
  }
  return text;
}

/**
 * What is read from stdin: lines, or all of it.
 *
 * Rules: bytes in, bytes out; nothing is decoded, so nothing is changed. Reading goes no further than what was asked for: the
 * next chunk is read when the last line of the one before was taken. Memory is bounded.
 *
 * @module
 */

/** A source of bytes; `process.stdin` is one. */
export type ByteSource = AsyncIterable<Uint8Array | string>;

const NEWLINE = 10;
const RETURN = 13;

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function bytesOf(chunk: Uint8Array | string): Uint8Array {
  return typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
}

/**
 * The lines of a source, without their ends (LF, or CR LF). What follows the last newline is a line too, unless it is empty.
 * In the place of a line longer than `most` bytes comes null.
 */
export async function* lines(source: ByteSource, most: number): AsyncGenerator<Uint8Array | null> {
  let parts: Uint8Array[] = [];
  let length = 0;
  /** Of the line so far: kept, or only counted because it is too long. */
  const keep = (part: Uint8Array): void => {
    length += part.length;
    if (length > most + 1) parts = []; // one more: a CR may be its last
    else if (part.length > 0) parts.push(part.slice());
  };
  const take = (): Uint8Array | null => {
    const line = length > most + 1 ? null : join(parts, length);
    parts = [];
    length = 0;
    if (line === null) return null;
    const text = line.at(-1) === RETURN ? line.subarray(0, -1) : line;
    return text.length > most ? null : text;
  };
  for await (const chunk of source) {
    const bytes = bytesOf(chunk);
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(NEWLINE, from);
      if (end < 0) break;
      keep(bytes.subarray(from, end));
      yield take();
      from = end + 1;
    }
    keep(bytes.subarray(from));
  }
  if (length > 0) yield take();
}

/** All of a source; null when it is longer than `most` bytes. */
export async function readAll(source: ByteSource, most: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    const bytes = bytesOf(chunk);
    length += bytes.length;
    if (length > most) return null;
    parts.push(bytes.slice());
  }
  return join(parts, length);
}

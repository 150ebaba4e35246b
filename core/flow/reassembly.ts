/**
 * Puts the chunks of one message after another together again.
 *
 * Rules: what is held grows with bytes that came, never with bytes announced: at most four times its first chunk, then twice what came; a message of
 * one chunk costs nothing, for it never comes here. What is handed out is at least half of the memory that it keeps.
 *
 * @module
 */

/** Room for so many chunks like the first: those of 64 KiB are put together without a second allocation. */
const CHUNKS_AT_FIRST = 4;

/** One lane of chunks: those of two messages never mix in it. */
export class Reassembly {
  /** A message has begun and lacks its end. */
  begun = false;
  /** The position of its first chunk. */
  first = 0;
  /** What it is: a frame type without flags. */
  kind = 0;
  /** Its bytes that came. */
  length = 0;
  #parts: Uint8Array | null = null;
  #most: number;

  /** At most so many bytes. */
  constructor(most: number) {
    this.#most = most;
  }

  /** A message begins with this chunk. */
  begin(kind: number, position: number, payload: Uint8Array): void {
    this.begun = true;
    this.kind = kind;
    this.first = position;
    this.append(payload);
  }

  /** It goes on. */
  append(payload: Uint8Array): void {
    const length = this.length + payload.length;
    if (this.#parts === null || this.#parts.length < length) {
      // Doubling: what is copied stays below twice what came.
      const wanted = this.#parts === null ? CHUNKS_AT_FIRST * length : 2 * length;
      const grown = new Uint8Array(Math.min(Math.max(wanted, 1_024), Math.max(this.#most, length)));
      if (this.#parts !== null) grown.set(this.#parts.subarray(0, this.length));
      this.#parts = grown;
    }
    this.#parts.set(payload, this.length);
    this.length = length;
  }

  /** It is whole: its bytes, which are the caller's from now on. */
  end(): Uint8Array {
    const { length } = this;
    const parts = this.#parts!;
    const message = 2 * length < parts.length ? parts.slice(0, length) : parts.subarray(0, length);
    this.drop();
    this.begun = false;
    return message;
  }

  /** Lets go of the bytes. */
  drop(): void {
    this.#parts = null;
    this.length = 0;
  }

  /** A copy. */
  clone(): Reassembly {
    const copy = new Reassembly(this.#most);
    copy.begun = this.begun;
    copy.first = this.first;
    copy.kind = this.kind;
    copy.length = this.length;
    copy.#parts = this.#parts === null ? null : this.#parts.slice();
    return copy;
  }

  /** The canonical form, relative to what was received. */
  key(received: number): string {
    if (!this.begun) return "";
    const bytes = this.#parts === null ? "" : this.#parts.subarray(0, this.length).join(".");
    return `${this.kind}:${received - this.first}:${bytes}`;
  }
}

/**
 * What a server gives to a new session, so that its client can come back for it (docs/PROTOCOL.md, section 4.2).
 *
 * Rule: kept as text, for it lives as long as its session and is read at handshakes only: as two arrays it is 500 bytes of an idle session.
 *
 * @module
 */

import { fromHex, toHex } from "../wire/hex.ts";

/** Bytes of an id. */
export const ID_BYTES = 16;

/** Bytes of a secret. */
export const SECRET_BYTES = 32;

/** What names a session, and what proves that one may resume it. */
export class Grant {
  /** Its id as 32 hexadecimal digits. */
  readonly key: string;
  /** Changes whenever the server lost sessions. */
  readonly epoch: number;
  /** A byte each character. */
  readonly #secret: string;

  /**
   * A grant.
   *
   * @param id 16 bytes
   * @param secret 32 bytes
   * @param epoch a whole number
   */
  constructor(id: Uint8Array, secret: Uint8Array, epoch: number) {
    this.key = toHex(id);
    this.epoch = epoch;
    this.#secret = String.fromCharCode(...secret);
  }

  /** Names it, 16 bytes; a copy. */
  get id(): Uint8Array {
    return fromHex(this.key, ID_BYTES)!;
  }

  /** Proves that one may resume it, 32 bytes; a copy. */
  get secret(): Uint8Array {
    const bytes = new Uint8Array(SECRET_BYTES);
    for (let at = 0; at < SECRET_BYTES; at++) bytes[at] = this.#secret.charCodeAt(at);
    return bytes;
  }
}

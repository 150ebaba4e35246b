/**
 * The preface, and those who do not begin with it (docs/PROTOCOL.md, section 2).
 *
 * Rules: refused at the first byte that differs. Only what is certainly an HTTP request or a TLS ClientHello gets an answer.
 *
 * @module
 */

import { MAGIC } from "./registry.ts";

/** Who speaks at a port that is not theirs. */
export type Foreign = "http" | "tls" | "unknown";

/** At most so many bytes of a stranger are shown. */
const SHOWN = 8;

/** Beginnings of a request in HTTP/1 and, the last, of HTTP/2. */
const REQUESTS = [
  "GET ",
  "POST ",
  "PUT ",
  "HEAD ",
  "DELETE ",
  "OPTIONS ",
  "PATCH ",
  "CONNECT ",
  "TRACE ",
  "PRI * ",
];

const SORRY = "This port speaks heartwire/1, not HTTP.\n";

const HTTP_REPLY =
  `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${SORRY.length}\r\n` +
  `Connection: close\r\n\r\n${SORRY}`;

/** TLS 1.0 record, alert, fatal, protocol_version (RFC 8446, section 6). */
const TLS_ALERT = [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46];

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function beginsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false;
  for (let at = 0; at < text.length; at++) if (bytes[at] !== text.charCodeAt(at)) return false;
  return true;
}

/** Where, from `start` to `end`, a preface that has `have` of its bytes first differs from the magic; -1 if nowhere. */
export function prefaceDiffers(bytes: Uint8Array, start: number, end: number, have: number): number {
  for (let at = start, next = have; at < end && next < MAGIC.length; at++, next++) {
    if (bytes[at] !== MAGIC[next]) return at;
  }
  return -1;
}

/** Who it is that began a stream with these bytes. */
export function recogniseForeign(bytes: Uint8Array): Foreign {
  if (REQUESTS.some((request) => beginsWith(bytes, request))) return "http";
  return bytes[0] === 0x16 && bytes[1] === 0x03 ? "tls" : "unknown";
}

/** The courtesy that a server owes to such a one before it ends; null: nothing. */
export function foreignReply(kind: Foreign): Uint8Array | null {
  return kind === "http" ? ascii(HTTP_REPLY) : kind === "tls" ? Uint8Array.from(TLS_ALERT) : null;
}

/** What a stream began with instead of the magic, for a person. */
export function describeForeign(bytes: Uint8Array, kind: Foreign): string {
  const shown = Array.from(bytes.subarray(0, SHOWN), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  let who = "";
  if (kind === "http") who = ", an HTTP request";
  else if (kind === "tls") who = ", a TLS ClientHello";
  else if (beginsWith(bytes, "HTTP/")) who = ", an HTTP response";
  else if (bytes[0] === 0x15 && bytes[1] === 0x03) who = ", a TLS alert";
  return `the stream began with ${shown}${who}`;
}

/**
 * Every way a connection can be refused or ended by fault, one stable code each (docs/PROTOCOL.md, section 9).
 *
 * Rules: a name and its number never change and are never used again for something else. The hint says what a
 * person can do about it. `retryable` says whether dialling again, unchanged, can succeed.
 *
 * @module
 */

import { optionError } from "./errors.ts";

/** A code's stable name. */
export type Code =
  | "NONE"
  | "NOT_HEARTWIRE"
  | "VERSION_MISMATCH"
  | "LENGTH_INVALID"
  | "FRAME_TOO_LARGE"
  | "CHECKSUM"
  | "UNKNOWN_FRAME"
  | "UNEXPECTED_FRAME"
  | "FRAME_MALFORMED"
  | "PARAMETER_INVALID"
  | "PARAMETER_DUPLICATE"
  | "PARAMETER_MISSING"
  | "TRUNCATED"
  | "HANDSHAKE_TIMEOUT"
  | "HEARTBEAT_UNACCEPTABLE"
  | "UNSUPPORTED"
  | "SEQUENCE"
  | "CHUNK_INVALID"
  | "MESSAGE_TOO_LARGE"
  | "CREDIT_EXCEEDED"
  | "ACK_INVALID"
  | "PING_STALE"
  | "PING_JUMPED"
  | "TIMESTAMP_BACKWARDS"
  | "PONG_UNMATCHED"
  | "PONG_IMPLAUSIBLE"
  | "CONTROL_FLOOD"
  | "REQUEST_INVALID"
  | "BUSY"
  | "PEER_LIMIT"
  | "HANDSHAKE_LIMIT"
  | "UNAUTHORIZED"
  | "SHUTTING_DOWN"
  | "UNKNOWN_SESSION"
  | "STALE_GENERATION"
  | "SUPERSEDED"
  | "PING_TOO_FAST"
  | "ABORTED"
  | "INTERNAL"
  | "CLOSE_TIMEOUT"
  | "NOT_HEARTBEATS"
  | "PING_REPEATED"
  | "TIMESTAMP_OLD"
  | "LOST"
  | "DEAD";

/** One row of the table of codes. */
export interface CodeInfo {
  /** The number on the wire; -1 for codes that never travel. */
  readonly number: number;
  /** Whether dialling again, unchanged, can succeed. */
  readonly retryable: boolean;
  /** What happened and what can be done, for a person. */
  readonly hint: string;
}

function row(number: number, retryable: boolean, hint: string): CodeInfo {
  return Object.freeze({ number, retryable, hint });
}

/** The table of codes, by name. */
export const CODES: Readonly<Record<Code, CodeInfo>> = {
  NONE: row(0, true, "No error."),
  NOT_HEARTWIRE: row(1, false, "The peer does not speak heartwire; check host, port and TLS on both sides."),
  VERSION_MISMATCH: row(2, false, "No protocol version in common; update the older side."),
  LENGTH_INVALID: row(3, true, "A frame's length cannot be; the stream is damaged or the peer is faulty."),
  FRAME_TOO_LARGE: row(
    4,
    true,
    "A frame's length is above the limit; the stream is damaged or the peer faulty.",
  ),
  CHECKSUM: row(5, true, "A frame's trailer does not match; something on the way changes bytes."),
  UNKNOWN_FRAME: row(6, false, "A frame of an unknown, mandatory type; the peer speaks a later version."),
  UNEXPECTED_FRAME: row(7, false, "A frame that this state does not allow; the peer is faulty."),
  FRAME_MALFORMED: row(8, false, "A frame's body does not fit its layout; the peer is faulty."),
  PARAMETER_INVALID: row(9, false, "A parameter is out of range; check the peer's options."),
  PARAMETER_DUPLICATE: row(10, false, "A parameter stands twice; the peer is faulty."),
  PARAMETER_MISSING: row(11, false, "A required parameter lacks; the peer is faulty."),
  TRUNCATED: row(12, true, "The stream ended inside a frame; the peer or something on the way was cut off."),
  HANDSHAKE_TIMEOUT: row(
    13,
    true,
    "The handshake was not complete in time; the peer is stopped, slow or not heartwire.",
  ),
  HEARTBEAT_UNACCEPTABLE: row(
    14,
    false,
    "The agreed detection time is longer than allowed; lower an interval or multiplier.",
  ),
  UNSUPPORTED: row(15, false, "The peer asked for something this version does not offer."),
  SEQUENCE: row(16, true, "A message chunk is out of sequence; the peer is faulty."),
  CHUNK_INVALID: row(17, false, "A message chunk stands where it cannot; the peer is faulty."),
  MESSAGE_TOO_LARGE: row(
    18,
    false,
    "A message above the receiver's maxMessage; raise it there or send less.",
  ),
  CREDIT_EXCEEDED: row(19, false, "A message beyond the granted credit; the peer is faulty."),
  ACK_INVALID: row(20, false, "An acknowledged position that cannot be; the peer is faulty."),
  PING_STALE: row(21, true, "A heartbeat was repeated or is older than the last one."),
  PING_JUMPED: row(22, true, "A heartbeat's sequence jumped too far ahead."),
  TIMESTAMP_BACKWARDS: row(23, true, "A heartbeat's timestamp ran backwards."),
  PONG_UNMATCHED: row(24, true, "An answer to no open heartbeat."),
  PONG_IMPLAUSIBLE: row(25, true, "An answer claims to have been held longer than it took."),
  CONTROL_FLOOD: row(26, true, "The peer asks for more answers than it reads."),
  REQUEST_INVALID: row(
    27,
    false,
    "A request out of order, or an answer to no open request; the peer is faulty.",
  ),
  BUSY: row(32, true, "The server has no room for another connection, or for its heartbeats; try later."),
  PEER_LIMIT: row(33, true, "Too many connections from this address; close some or raise the limit."),
  HANDSHAKE_LIMIT: row(34, true, "Too many handshakes are in progress; try later."),
  UNAUTHORIZED: row(35, false, "The server refused this client."),
  SHUTTING_DOWN: row(36, true, "The server is shutting down; try another or later."),
  UNKNOWN_SESSION: row(37, false, "There is no such session to resume."),
  STALE_GENERATION: row(38, false, "A newer connection of this session exists."),
  SUPERSEDED: row(39, false, "Another instance took the session over."),
  PING_TOO_FAST: row(40, true, "Heartbeats came faster than agreed."),
  ABORTED: row(48, true, "The application aborted the connection."),
  INTERNAL: row(49, true, "The application's handler failed; its log says why."),
  CLOSE_TIMEOUT: row(50, true, "The closing exchange was not complete in time."),
  NOT_HEARTBEATS: row(
    -1,
    false,
    "The peer does not send heartbeat packets; check that both sides name the same profile.",
  ),
  PING_REPEATED: row(
    -1,
    true,
    'A heartbeat came again; a peer that repeats one packet needs `repeats: "count"`.',
  ),
  TIMESTAMP_OLD: row(
    -1,
    true,
    "A heartbeat's timestamp is too far from our clock; set the clocks or raise maxAge.",
  ),
  LOST: row(
    -1,
    true,
    "The transport ended without a word: the peer crashed or something on the way closed it.",
  ),
  DEAD: row(-1, true, "Silence past the detection time; the verdict tells the direction."),
};

/** The number with which a code travels. Throws for one that does not, or is none: that is local misuse. */
export function codeNumber(code: Code): number {
  const number = Object.hasOwn(CODES, code) ? CODES[code].number : -1;
  if (number < 0) throw optionError("code", "a code that travels", code);
  return number;
}

const byNumber = new Map<number, Code>();
for (const name of Object.keys(CODES) as Code[]) {
  if (CODES[name].number >= 0) byNumber.set(CODES[name].number, name);
}

/** The code with this number on the wire, or null if this version does not know it. */
export function codeFromNumber(number: number): Code | null {
  return byNumber.get(number) ?? null;
}

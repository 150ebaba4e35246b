/**
 * What the two sides of heartwire/1 prove with a secret: who may resume a session, and who holds a pre-shared key
 * (docs/PROTOCOL.md, sections 4.1 and 4.2).
 *
 * Rules: every use of a secret begins with a label of its own that ends in a zero byte, so that no proof of one kind is one of
 * another; behind it all but the last thing have a fixed length, so that no two contents have the same bytes.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import { HeartwireError } from "../errors.ts";
import { encodeText } from "../wire/text.ts";
import { writeUint32 } from "../wire/varint.ts";
import { hmac } from "./hmac.ts";

/** Bytes of a session's identity. */
const SESSION = 16;

/** Bytes of the nonce of HELLO, CHALLENGE and WELCOME. */
const NONCE = 16;

function label(use: string): Uint8Array {
  return encodeText(`heartwire/1 ${use}\0`, 64);
}

const RESUME = label("resume");
const CHALLENGE = label("server");
const AUTH = label("client");
const WELCOME = label("welcome");
const DIRECTIONS = { c2s: label("c2s"), s2c: label("s2c") } as const;

/** What a client says of the session that it wants to resume, as its HELLO carries it. */
export interface ResumeClaim {
  /** Which session: 16 bytes. */
  readonly session: Uint8Array;
  /** Which of its connections this would be. */
  readonly generation: number;
  /** The position that the client expects next. */
  readonly received: number;
  /** The first position that the client can still send again. */
  readonly firstRetained: number;
  /** The position that the client sends next. */
  readonly sent: number;
}

/** The `proof` of HELLO: 32 bytes that only who holds the session's `secret` can make, good for one nonce (section 4.2). */
export function resumeProof(
  environment: Environment,
  secret: Uint8Array,
  claim: ResumeClaim,
  clientNonce: Uint8Array,
): Uint8Array {
  requireLength("session", claim.session, SESSION);
  requireLength("nonce", clientNonce, NONCE);
  const numbers = new Uint8Array(4 * 8);
  let at = writeUint64(numbers, 0, "generation", claim.generation);
  at = writeUint64(numbers, at, "received", claim.received);
  at = writeUint64(numbers, at, "firstRetained", claim.firstRetained);
  writeUint64(numbers, at, "sent", claim.sent);
  return hmac(environment, secret, RESUME, claim.session, numbers, clientNonce);
}

/**
 * The `mac` of CHALLENGE, with which a server proves that it holds `key`.
 *
 * @param transcript T1: both prefaces, HELLO, and CHALLENGE without its mac and trailer, in parts as it suits
 */
export function challengeMac(
  environment: Environment,
  key: Uint8Array,
  ...transcript: Uint8Array[]
): Uint8Array {
  return hmac(environment, key, CHALLENGE, ...transcript);
}

/** The `mac` of AUTH, with which a client proves that it holds `key`; over T1, like that of CHALLENGE. */
export function authMac(
  environment: Environment,
  key: Uint8Array,
  ...transcript: Uint8Array[]
): Uint8Array {
  return hmac(environment, key, AUTH, ...transcript);
}

/**
 * The `mac` of WELCOME.
 *
 * @param transcript T2 and WELCOME: what AUTH was over, then AUTH and WELCOME, each without its mac and trailer
 */
export function welcomeMac(
  environment: Environment,
  key: Uint8Array,
  ...transcript: Uint8Array[]
): Uint8Array {
  return hmac(environment, key, WELCOME, ...transcript);
}

/** The key of the trailers of one direction: `c2s` of what the client sends, `s2c` of what the server sends. */
export function directionKey(
  environment: Environment,
  key: Uint8Array,
  direction: "c2s" | "s2c",
  clientNonce: Uint8Array,
  serverNonce: Uint8Array,
): Uint8Array {
  requireLength("client nonce", clientNonce, NONCE);
  requireLength("server nonce", serverNonce, NONCE);
  return hmac(environment, key, DIRECTIONS[direction], clientNonce, serverNonce);
}

/** Bytes of another length would move all that follows them, and let one proof serve for two claims. */
function requireLength(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) {
    throw new HeartwireError("PROOF", `${name} of ${bytes.length} bytes, needs ${length}`);
  }
}

/** Writes eight bytes, most significant first; returns the offset behind them. */
function writeUint64(into: Uint8Array, at: number, name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new HeartwireError("PROOF", `${name} ${value} is no whole number from 0 to 2^53 - 1`);
  }
  return writeUint32(into, writeUint32(into, at, Math.floor(value / 0x1_0000_0000)), value);
}

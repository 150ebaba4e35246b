/**
 * Exit codes, and from which error comes which.
 *
 * Rules: one table. Scripts depend on these numbers: they do not change.
 *
 * @module
 */

import { type EndReason, HeartwireError } from "../adapters/api.ts";

/** What the command's exit codes mean. */
export const EXIT = {
  ok: 0,
  /** No reply, or something was lost. */
  loss: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Nobody listens, the host has no address, or the server has no room. */
  refused: 3,
  /** Handshake, authorisation or protocol. */
  protocol: 4,
  /** A time limit passed, or the peer is dead. */
  dead: 5,
  /** SIGINT. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const;

/** The command line is wrong; `hint` says what would be right. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** By code, without the prefix. What is not here and is a HeartwireError is a matter of the protocol. */
const BY_CODE: Readonly<Record<string, number>> = {
  NONE: EXIT.ok,

  LOST: EXIT.loss,
  TRUNCATED: EXIT.loss,
  ABORTED: EXIT.loss,
  INTERNAL: EXIT.loss,
  CLOSED: EXIT.loss,
  NOT_CONNECTED: EXIT.loss,
  SEND_QUEUE_FULL: EXIT.loss,

  OPTION: EXIT.usage,
  ADDRESS: EXIT.usage,
  TLS_UNSUPPORTED: EXIT.usage,

  REFUSED: EXIT.refused,
  UNREACHABLE: EXIT.refused,
  DNS: EXIT.refused,
  FORBIDDEN: EXIT.refused,
  TOO_MANY_FILES: EXIT.refused,
  DIAL_FAILED: EXIT.refused,
  LISTEN_FAILED: EXIT.refused,
  ADDRESS_IN_USE: EXIT.refused,
  ADDRESS_UNAVAILABLE: EXIT.refused,
  BUSY: EXIT.refused,
  PEER_LIMIT: EXIT.refused,
  HANDSHAKE_LIMIT: EXIT.refused,
  SHUTTING_DOWN: EXIT.refused,

  DEAD: EXIT.dead,
  TIMEOUT: EXIT.dead,
  DIAL_TIMEOUT: EXIT.dead,
  HANDSHAKE_TIMEOUT: EXIT.dead,
  CLOSE_TIMEOUT: EXIT.dead,
};

/** The exit code for an error. */
export function exitOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (!(error instanceof HeartwireError)) return EXIT.loss;
  return BY_CODE[error.code.replace(/^ERR_HEARTWIRE_/, "")] ?? EXIT.protocol;
}

/** The exit code for the way in which a session ended. */
export function exitOfReason(reason: EndReason): number {
  if (reason.kind === "dialFailed") {
    return reason.cause instanceof HeartwireError ? exitOf(reason.cause) : EXIT.refused;
  }
  // 0 is an ordinary end; what else an application ends with is no success.
  if (reason.kind === "closed") return reason.closeCode === 0 ? EXIT.ok : EXIT.loss;
  return BY_CODE[reason.code] ?? EXIT.protocol;
}

/**
 * Why a request has no answer, as an application says it and as its peer is told.
 *
 * @module
 */

import { HeartwireError, numberOption } from "../core/errors.ts";
import { APPLICATION_STATUS, ReplyStatus } from "../core/flow/requests.ts";

const decoder = new TextDecoder();

/**
 * What a handler of requests throws to refuse, and what the request rejects with at the peer: the same status and text there.
 * Its code is `ERR_HEARTWIRE_REPLY`.
 */
export class ReplyError extends HeartwireError {
  /** The application's; 64 and above. */
  readonly status: number;

  /**
   * A refusal.
   *
   * @param status the application's, 64 .. 2^53 - 1
   * @param text why, told to the peer; what is beyond 1,024 characters is cut
   */
  constructor(status: number, text: string) {
    super("REPLY", text.slice(0, 1_024), { hint: "The peer's application refused; the status is its own." });
    this.status = numberOption("status", status, APPLICATION_STATUS, Number.MAX_SAFE_INTEGER, true);
  }
}

/** The error for a reply whose status is not 0. */
export function replyError(status: number, bytes: Uint8Array, url: string): HeartwireError {
  switch (status) {
    case ReplyStatus.NO_HANDLER:
      return new HeartwireError("NO_HANDLER", `${url}: the peer answers no requests`, {
        hint: "Call onRequest there, at the beginning of its handler.",
      });
    case ReplyStatus.BUSY:
      return new HeartwireError("REQUESTS_BUSY", `${url}: too many requests are open at the peer`, {
        retryable: true,
        hint: "Ask less at a time, or raise maxRequests at the peer.",
      });
  }
  if (status >= APPLICATION_STATUS) return new ReplyError(status, decoder.decode(bytes));
  return new HeartwireError("REQUEST_FAILED", `${url}: the peer's handler failed`, {
    hint: "Its log says why; onHandlerError there is told.",
  });
}

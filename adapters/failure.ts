/**
 * From what a runtime or a machine says went wrong to the one error type that applications see.
 *
 * Rule: the same failure has the same code on Node, Deno and Bun, whatever they call it. The runtime's own error is
 * kept as `cause`.
 *
 * @module
 */

import { CODES } from "../core/codes.ts";
import { HeartwireError } from "../core/errors.ts";
import type { CloseReason, DialFailure } from "../core/mod.ts";
import type { Address } from "./address.ts";

/** How a session or a client ended: its connection's end, or a dial that failed. */
export type EndReason = CloseReason | DialFailure;

interface Kind {
  readonly code: string;
  readonly retryable: boolean;
  readonly what: string;
  readonly hint: string;
}

const REFUSED: Kind = {
  code: "REFUSED",
  retryable: true,
  what: "nobody listens there",
  hint: "Check host, port or path, and whether the server runs.",
};
const UNREACHABLE: Kind = {
  code: "UNREACHABLE",
  retryable: true,
  what: "there is no way to that address",
  hint: "Check the network, routes and firewalls.",
};
const DNS: Kind = {
  code: "DNS",
  retryable: true,
  what: "the host's name has no address",
  hint: "Check the spelling of the host and the name server.",
};
const TIMED_OUT: Kind = {
  code: "DIAL_TIMEOUT",
  retryable: true,
  what: "no answer in time",
  hint: "The host is down, or something on the way drops packets; check, or raise dialTimeout.",
};
const FORBIDDEN: Kind = {
  code: "FORBIDDEN",
  retryable: false,
  what: "the system does not permit it",
  hint: "Check file permissions, ports below 1024, and the runtime's own permissions (--allow-net).",
};
const FILES: Kind = {
  code: "TOO_MANY_FILES",
  retryable: true,
  what: "the process has no file descriptor left",
  hint: "Raise the limit (ulimit -n) or lower maxConnections.",
};
const IN_USE: Kind = {
  code: "ADDRESS_IN_USE",
  retryable: true,
  what: "somebody else listens there",
  hint: "Stop the other server or choose another port or path; port 0 takes a free one.",
};
const UNAVAILABLE: Kind = {
  code: "ADDRESS_UNAVAILABLE",
  retryable: false,
  what: "this machine does not have that address",
  hint: "Listen on an address of this machine, on 127.0.0.1 or on 0.0.0.0.",
};

const NO_FOLDER: Kind = {
  code: "ADDRESS_UNAVAILABLE",
  retryable: false,
  what: "the folder does not exist",
  hint: "Create the folder of the socket's path first.",
};

/** By the system's name of the error, which all three runtimes put in `code`. */
const KINDS: Readonly<Record<string, Kind>> = {
  ECONNREFUSED: REFUSED,
  ENOENT: REFUSED, // a Unix socket whose file does not exist
  ENOTSOCK: REFUSED,
  ECONNRESET: REFUSED, // whoever listened is just closing
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  EHOSTDOWN: UNREACHABLE,
  ENETDOWN: UNREACHABLE,
  ETIMEDOUT: TIMED_OUT,
  ENOTFOUND: DNS,
  EAI_AGAIN: DNS,
  EAI_FAIL: DNS,
  EAI_NODATA: DNS,
  EAI_NONAME: DNS,
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EMFILE: FILES,
  ENFILE: FILES,
  EADDRINUSE: IN_USE,
  EADDRNOTAVAIL: UNAVAILABLE,
};

function classify(cause: unknown): Kind | null {
  const { code, name, message } = (cause ?? {}) as { code?: unknown; name?: unknown; message?: unknown };
  if (typeof code === "string" && Object.hasOwn(KINDS, code)) return KINDS[code]!;
  if (typeof code === "string" && code.startsWith("DNS_")) return DNS; // Bun's resolver
  if (name === "NotCapable" || name === "PermissionDenied") return FORBIDDEN; // Deno, without a code
  // Deno's resolver gives no code, nor does Bun's when listening; all else that fails there has one.
  if (typeof message === "string" && code === undefined) {
    if (/^(failed to lookup address|Failed to listen at)/.test(message)) return DNS;
  }
  return null;
}

/** Whether a listen failed because the address is taken. */
export function isInUse(cause: unknown): boolean {
  return classify(cause) === IN_USE;
}

/** Whether a dial failed because nobody listens there. */
export function isRefused(cause: unknown): boolean {
  return classify(cause) === REFUSED;
}

function transportError(doing: "dial" | "listen on", address: Address, cause: unknown): HeartwireError {
  if (cause instanceof HeartwireError) return cause;
  const found = classify(cause);
  const kind = doing === "listen on" && found === REFUSED ? NO_FOLDER : found;
  const told = kind?.what ?? (cause instanceof Error ? cause.message : String(cause));
  return new HeartwireError(
    kind?.code ?? (doing === "dial" ? "DIAL_FAILED" : "LISTEN_FAILED"),
    `cannot ${doing} ${address.url}: ${told}`,
    { retryable: kind?.retryable ?? doing === "dial", hint: kind?.hint ?? "The cause says more.", cause },
  );
}

/** The error for a dial that failed. */
export function dialError(address: Address, cause: unknown): HeartwireError {
  return transportError("dial", address, cause);
}

/** The error for an address that cannot be listened on. */
export function listenError(address: Address, cause: unknown): HeartwireError {
  return transportError("listen on", address, cause);
}

function ignore(): void {}

/**
 * Nobody has to handle this promise's rejection, since it is no mistake of the caller's that it tells of; who awaits it is told. The
 * runtimes end a process for a rejection that nobody handles.
 */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

/** Makes an error whose stack is its first line only, where the runtime lets one choose. */
export function withoutStack<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error as { stackTraceLimit?: number };
  if (typeof stackTraceLimit !== "number" || !Reflect.set(Error, "stackTraceLimit", 0)) return make();
  let error: E;
  try {
    error = make();
  } finally {
    Reflect.set(Error, "stackTraceLimit", stackTraceLimit);
  }
  if (error.stack !== undefined) return error;
  const value = `${error.name}: ${error.message}`; // as the others have it; Bun leaves it out
  return Object.defineProperty(error, "stack", { value, writable: true, configurable: true });
}

/** The error for an operation that its caller gave up by an AbortSignal; `cause` is the signal's reason. */
export function cancelled(signal: AbortSignal): HeartwireError {
  return new HeartwireError("CANCELLED", "cancelled by the caller's signal", {
    hint: "The cause is the signal's reason; to go on, call again with a signal that is not aborted.",
    cause: signal.reason,
  });
}

/** What happened, in a line. A peer's text is quoted, so that it cannot pass for ours or control a terminal. */
function describe(reason: EndReason): string {
  const said = "text" in reason && reason.text !== "" ? `: ${JSON.stringify(reason.text)}` : "";
  switch (reason.kind) {
    case "closed":
      return `the session was closed by ${reason.by === "local" ? "this side" : "the peer"}${said}`;
    case "refused":
      return `refused by ${reason.by === "local" ? "this side" : "the peer"} (${reason.code})${said}`;
    case "dead": {
      const { verdict, silentFor, limit } = reason.evidence;
      return `the connection is dead: ${verdict} for ${Math.round(silentFor)} ms, allowed are ${
        Math.round(limit)
      } ms`;
    }
    case "fault":
      return `the peer broke the protocol (${reason.code})${said}`;
    case "error":
      return `the peer ended the connection (${reason.code})${said}`;
    case "lost":
      return `the connection was lost (${reason.code})`;
    case "timeout":
      return `not complete in time (${reason.code})`;
    case "aborted":
      return `aborted by this side${said}`;
    case "dialFailed":
      return "the dial failed";
  }
}

/**
 * The error that an operation fails with because its session ended so; the reason is its `cause`.
 *
 * @param peer whom it names
 */
export function endError(reason: EndReason, peer?: Address): HeartwireError {
  const message = peer === undefined ? describe(reason) : `${peer.url}: ${describe(reason)}`;
  if (reason.kind === "dialFailed") {
    const { cause } = reason;
    if (!(cause instanceof HeartwireError)) {
      return new HeartwireError("DIAL_FAILED", message, { retryable: true, cause });
    }
    if (peer === undefined || cause.message.includes(peer.url)) return cause;
    // Core's own, for a dial that took too long: it knows no addresses.
    const { code, retryable, hint } = cause;
    return new HeartwireError(code.slice(14), `cannot dial ${peer.url}: ${cause.message}`, {
      retryable,
      hint,
      cause,
    });
  }
  if (reason.kind === "closed") {
    return new HeartwireError("CLOSED", message, { hint: "Open a new session.", cause: reason });
  }
  const { retryable, hint } = CODES[reason.code];
  return new HeartwireError(reason.code, message, { retryable, hint, cause: reason });
}

/** `send` with `acknowledged` where nothing is. */
export function unacknowledged(): HeartwireError {
  return new HeartwireError("UNSUPPORTED", "send: this profile has no acknowledgement", {
    hint: 'Leave `acknowledged` out, or use the profile "heartwire".',
  });
}

/** What was to be sent is no message. */
export function notData(data: unknown): HeartwireError {
  return new HeartwireError(
    "DATA",
    `send takes a string or a Uint8Array, not ${data === null ? data : typeof data}`,
    {
      hint: "Encode other values first: JSON.stringify(value), or new Uint8Array(buffer).",
    },
  );
}

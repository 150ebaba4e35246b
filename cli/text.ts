/**
 * Texts for people and records for programs: times, evidence, how a session ended.
 *
 * Rule: pure functions. What a peer chose is printed with control characters escaped.
 *
 * @module
 */

import type { Address, EndReason, Evidence, Passing, StallVerdict, Verdict } from "../adapters/api.ts";
import { endError } from "../adapters/failure.ts";

// The characters that end or steer a line on a terminal: C0, DEL, C1, line separators, and what turns the direction of writing.
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Escapes what could steer a terminal or pass for another line; `lines`: tabs and newlines stay. */
export function toPrintable(text: string, lines = false): string {
  return text.replace(UNPRINTABLE, (char) => {
    if (lines && (char === "\n" || char === "\t")) return char;
    const code = char.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}

/** Takes away what `paint` gave. */
export function withoutColour(text: string): string {
  return text.replace(/\p{Cc}\[\d+m/gu, "");
}

/** A round trip as ping(8) shows it: three digits behind the point. */
export function roundTrip(ms: number): string {
  return `${ms.toFixed(3)} ms`;
}

/** A length of time for a person. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3_600)} h ${Math.floor(whole % 3_600 / 60)} min`;
}

/** A number and its noun. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

const EVIDENCE: Readonly<Record<Verdict, string>> = {
  INBOUND_SILENT: "nothing heard for",
  OUTBOUND_DEAD: "the peer is heard but answered nothing for",
  LOCAL_BACKLOG: "nothing of ours could be written for",
  SUSPENDED: "no answer after this machine or process had stood still, for",
  SLOW: "a frame grew too slowly; it stood still for",
  CORRUPT: "a frame stood unfinished for",
};

/** What a suspicion or verdict rests on. */
export function evidenceText({ verdict, silentFor }: Evidence): string {
  return `${verdict}, ${EVIDENCE[verdict]} ${duration(silentFor)}`;
}

/** The same for a program. Times in ms. */
export function evidenceRecord(evidence: Evidence): Record<string, unknown> {
  const { verdict, direction, silentFor, limit, deferred } = evidence;
  return { verdict, direction, silentFor, limit, deferred };
}

const STALL: Readonly<Record<StallVerdict, string>> = {
  LOCAL_STALLED: "this process did not run for",
  SUSPENDED: "this machine or process stood still for",
  PEER_STALLED: "the peer did not run for",
};

/** What happened to time or terms, in a line: what it is and the rest. */
export function passingText(passing: Passing): readonly [title: string, rest: string] {
  switch (passing.state) {
    case "stalled":
      return ["stalled:", `${passing.verdict}, ${STALL[passing.verdict]} ${duration(passing.span)}`];
    case "clockStepped":
      return [
        "clock:",
        `set ${passing.step < 0 ? "back" : "forward"} by ${duration(Math.abs(passing.step))}`,
      ];
    case "retuned": {
      const { by, accepted, agreement: { txInterval, rxInterval, detectionBound } } = passing;
      if (!accepted) return ["terms:", "declined by the peer"];
      const rates = `we beat every ${duration(txInterval)}, the peer every ${duration(rxInterval)}`;
      const whose = by === "local" ? "ours changed" : "the peer's changed";
      return ["terms:", `${whose}: ${rates}; a dead peer is found within ${duration(detectionBound)}`];
    }
    case "unconfirmed": {
      const unsent = passing.messages.filter((message) => message.state === "unsent").length;
      const rest = passing.messages.length - unsent;
      const what = passing.messages.length === 0
        ? "everything sent was processed"
        : `not delivered: ${unsent}, perhaps delivered: ${rest}`;
      return ["lost:", `the session could not go on; ${what}`];
    }
  }
}

/** The same for a program. Times in ms. */
export function passingRecord(passing: Passing): Record<string, unknown> {
  const { state, during } = passing;
  switch (passing.state) {
    case "stalled":
      return { state, during, verdict: passing.verdict, span: passing.span };
    case "clockStepped":
      return { state, during, step: passing.step };
    case "retuned":
      return {
        ...{ state, during, by: passing.by },
        ...{ accepted: passing.accepted, agreement: passing.agreement },
      };
    case "unconfirmed":
      return {
        ...{ state, during },
        messages: passing.messages.map(({ bytes, state }) => ({ bytes: bytes.length, state })),
      };
  }
}

/** Whether a person who talks or serves wants to read of it: a stall that is hardly felt is for programs, and for `ping`. */
export function notable(passing: Passing): boolean {
  return passing.state !== "stalled" || passing.span >= 1_000;
}

/** How a session ended, in a line. */
export function reasonText(reason: EndReason): string {
  const said = "text" in reason && reason.text !== "" ? ` (${toPrintable(reason.text)})` : "";
  switch (reason.kind) {
    case "dead":
      return `dead: ${evidenceText(reason.evidence)}`;
    case "closed":
      return `closed by ${reason.by === "local" ? "this side" : "the peer"}${said}`;
    case "aborted":
      return `ended by this side${said}`;
    case "lost":
      return `lost: the connection ended ${
        reason.code === "TRUNCATED" ? "inside a frame" : "without a word"
      }`;
    default:
      return toPrintable(endError(reason).message);
  }
}

/** The server says that the end comes. */
export function drainingText(said: string): string {
  return `the server announces the end${said === "" ? "" : `: ${toPrintable(said)}`}`;
}

/** How a session ended, for a program. */
export function reasonRecord(reason: EndReason): Record<string, unknown> {
  switch (reason.kind) {
    case "dead":
      return { reason: "dead", code: reason.code, ...evidenceRecord(reason.evidence) };
    case "closed":
      return { reason: "closed", by: reason.by, closeCode: reason.closeCode, text: reason.text };
    case "refused":
      return { reason: "refused", code: reason.code, by: reason.by, text: reason.text };
    case "fault":
    case "error":
    case "aborted":
      return { reason: reason.kind, code: reason.code, text: reason.text };
    case "lost":
    case "timeout":
      return { reason: reason.kind, code: reason.code };
    case "dialFailed":
      return { reason: "dialFailed", code: endError(reason).code.replace("ERR_HEARTWIRE_", "") };
  }
}

/** A message for a program: as text if it is UTF-8, else in base64. */
export function messageRecord(bytes: Uint8Array): Record<string, unknown> {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    let binary = "";
    for (let at = 0; at < bytes.length; at += 8_192) {
      binary += String.fromCharCode(...bytes.subarray(at, at + 8_192)); // more arguments overflow the stack
    }
    return { base64: btoa(binary) };
  }
}

/** An address for a program. */
export function addressRecord(address: Address): Record<string, unknown> {
  return address.kind === "tcp"
    ? { host: address.host, port: address.port, url: address.url }
    : { path: address.path, url: address.url };
}

/** An address as it is typed. `dial`: one that means all of this machine's is replaced by one that can be dialled. */
export function addressText(address: Address, dial = false): string {
  if (address.kind === "unix") return address.path.includes("/") ? address.path : address.url;
  let { host } = address;
  if (dial && host === "0.0.0.0") host = "127.0.0.1";
  if (dial && host === "::") host = "::1";
  return `${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

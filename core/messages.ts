/**
 * What an application does with messages and requests over an open connection: send, ask, answer, finish.
 *
 * Rules: local misuse throws, a full buffer says "blocked"; nothing is taken that was not accepted. `connection.ts` calls these with the time
 * entered; session.ts has the same for a session that is between two connections.
 *
 * @module
 */

import { HeartwireError, numberOption, optionError } from "./errors.ts";
import { checkSize, checkVolatile } from "./flow/session_state.ts";
import type { Link } from "./link.ts";
import { writeVolatile } from "./wire/encoder.ts";

/** A volatile message is dropped when more than this waits for the transport, bytes: a heartbeat must not wait behind many of them. */
const VOLATILE_PENDING = 16_384;

/** The longest time that a peer is given for an answer, ms; longer is as good as none. */
const LONGEST_REMAINING = 2 ** 31;

/** Why nothing can be done with a connection now. */
export function notOpen(link: Link, what: string): HeartwireError {
  return new HeartwireError("NOT_OPEN", `${what}: the connection is ${link.phase}`, {
    hint: "Wait for the event open, and stop at closing or closed.",
    retryable: link.reason === null && !link.conversing,
  });
}

function checkPayload(payload: unknown): void {
  if (!(payload instanceof Uint8Array)) throw optionError("payload", "a Uint8Array", typeof payload);
}

function checkOpen(link: Link, what: string): void {
  if (link.liveness === null || link.closing !== null || link.closeSent) throw notOpen(link, what);
}

function blocked(link: Link, size: number): void {
  link.outbound.blocked = Math.max(link.outbound.blocked, size);
}

/** See `Conversation.send`. */
export function send(link: Link, payload: Uint8Array): "accepted" | "blocked" {
  checkPayload(payload);
  checkOpen(link, "send");
  checkSize(payload.length, link.outbound);
  if (!link.outbound.hasRoom(payload.length)) {
    blocked(link, payload.length);
    return "blocked";
  }
  link.outbound.push(payload);
  link.counters.messagesSent++;
  return "accepted";
}

/** See `Conversation.sendVolatile`. */
export function sendVolatile(link: Link, payload: Uint8Array): "sent" | "dropped" {
  checkPayload(payload);
  checkOpen(link, "sendVolatile");
  checkVolatile(payload.length, link.outbound);
  if (link.transmit.control.pending > VOLATILE_PENDING || !link.outbound.spend(payload.length)) {
    return "dropped";
  }
  writeVolatile(link.transmit.control, link.environment, payload);
  link.wrote();
  link.counters.messagesSent++;
  return "sent";
}

/** The number of ms that travels. */
export function remainingOf(timeout: number): number {
  numberOption("timeout", timeout, 0, Infinity);
  return timeout >= LONGEST_REMAINING ? 0 : Math.max(1, Math.ceil(timeout));
}

/** Too many of ours are open. */
export function requestsOpen(open: number): HeartwireError {
  return new HeartwireError("REQUESTS_OPEN", `request: ${open} are unanswered`, {
    retryable: true,
    hint: "Wait for answers before the next, or raise maxRequests on both sides.",
  });
}

/** See `Conversation.request`. */
export function request(link: Link, payload: Uint8Array, timeout: number): number {
  checkPayload(payload);
  checkOpen(link, "request");
  const { outbound, requests } = link;
  const remaining = remainingOf(timeout);
  checkSize(payload.length, outbound);
  if (requests.asked >= link.options.maxRequests) throw requestsOpen(requests.asked);
  if (!outbound.hasRoom(payload.length)) {
    blocked(link, payload.length);
    return 0;
  }
  const id = requests.next;
  requests.accepted(outbound.pushRequest(payload, id, remaining));
  link.counters.requestsSent++;
  return id;
}

/** See `Conversation.cancel`. */
export function cancel(link: Link, id: number): void {
  if (!link.conversing || link.closeSent) return;
  const order = link.requests.cancel(id);
  if (order >= 0) link.outbound.pushCancel(id, order);
}

/** See `Conversation.reply`. */
export function reply(
  link: Link,
  id: number,
  status: number,
  payload: Uint8Array,
): "accepted" | "blocked" | "late" {
  checkPayload(payload);
  const { outbound, requests } = link;
  if (!link.conversing || link.closeSent || !requests.owes(id)) return "late";
  checkSize(payload.length, outbound);
  if (!outbound.hasRoomForAnswer(payload.length)) {
    blocked(link, payload.length);
    return "blocked";
  }
  link.inbound.free(requests.answered(id));
  outbound.pushReply(payload, id, status);
  link.grant();
  return "accepted";
}

/** See `Conversation.consumed`. */
export function consumed(link: Link, position: number): void {
  if (!link.conversing || !link.inbound.finished(position)) return;
  link.oweAck();
  link.grant();
}

/**
 * What an application does with messages and requests: send, ask, take back, answer, finish; over an open connection, or between two.
 *
 * Rules: local misuse throws, a full buffer says "blocked"; nothing is taken that was not accepted. What needs no connection takes {@link Flow}, so that
 * a session that is between two connections (session.ts) keeps the same rules as one that has one (connection.ts).
 *
 * @module
 */

import { HeartwireError, numberOption, optionError } from "./errors.ts";
import type { Inbound } from "./flow/inbound.ts";
import type { Outbound } from "./flow/outbound.ts";
import { ReplyStatus, type Requests } from "./flow/requests.ts";
import { checkSize, checkVolatile } from "./flow/session_state.ts";
import type { Link } from "./link.ts";
import { writeVolatile } from "./wire/encoder.ts";

/** A volatile message is dropped when more than this waits for the transport, bytes: a heartbeat must not wait behind many of them. */
const VOLATILE_PENDING = 16_384;

/** The longest time that a peer is given for an answer, ms; longer is as good as none. */
const LONGEST_REMAINING = 2 ** 31;

const NOTHING = new Uint8Array(0);

/** Both directions of a session, and its requests. */
export interface Flow {
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly requests: Requests;
}

/** What became of something to be sent: "blocked" was not taken, and `writable` follows. */
export type Accepted = "accepted" | "blocked";

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

function blocked({ outbound }: Flow, size: number): "blocked" {
  outbound.blocked = Math.max(outbound.blocked, size);
  return "blocked";
}

/** The number of ms that travels. */
function remainingOf(timeout: number): number {
  numberOption("timeout", timeout, 0, Infinity);
  return timeout >= LONGEST_REMAINING ? 0 : Math.max(1, Math.ceil(timeout));
}

/** Accepts a message, if there is room; `room`: there is where it counts besides. */
export function accept(flow: Flow, payload: Uint8Array, room = true): Accepted {
  checkPayload(payload);
  checkSize(payload.length, flow.outbound);
  if (!room || !flow.outbound.hasRoom(payload.length)) return blocked(flow, payload.length);
  flow.outbound.push(payload);
  return "accepted";
}

/** Accepts a request. Returns its id, or 0: blocked. */
export function ask(flow: Flow, payload: Uint8Array, timeout: number, room = true): number {
  checkPayload(payload);
  const { outbound, requests } = flow;
  const remaining = remainingOf(timeout);
  checkSize(payload.length, outbound);
  if (requests.asked >= requests.most) {
    throw new HeartwireError("REQUESTS_OPEN", `request: ${requests.asked} are unanswered`, {
      retryable: true,
      hint: "Wait for answers before the next, or raise maxRequests on both sides.",
    });
  }
  if (!room || !outbound.hasRoom(payload.length)) {
    blocked(flow, payload.length);
    return 0;
  }
  const id = requests.next;
  requests.accepted(outbound.pushRequest(payload, id, remaining));
  return id;
}

/** Takes a request back. */
export function takeBack({ outbound, requests }: Flow, id: number): void {
  const order = requests.cancel(id);
  if (order >= 0) outbound.pushCancel(id, order);
}

/** Answers a request of the peer. */
export function answer(
  flow: Flow,
  id: number,
  status: number,
  payload: Uint8Array,
  room = true,
): Accepted | "late" {
  checkPayload(payload);
  numberOption("status", status, 0, Number.MAX_SAFE_INTEGER, true);
  const { inbound, outbound, requests } = flow;
  if (!requests.owes(id)) return "late";
  checkSize(payload.length, outbound);
  if (!room || !outbound.hasRoomForAnswer(payload.length)) {
    outbound.blockedAnswer = Math.max(outbound.blockedAnswer, payload.length);
    return "blocked";
  }
  inbound.free(requests.answered(id));
  outbound.pushReply(payload, id, status);
  return "accepted";
}

/** See `Conversation.send`. */
export function send(link: Link, payload: Uint8Array): Accepted {
  checkOpen(link, "send");
  const result = accept(link, payload);
  if (result === "accepted") link.counters.messagesSent++;
  return result;
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

/** See `Conversation.request`. */
export function request(link: Link, payload: Uint8Array, timeout: number): number {
  checkOpen(link, "request");
  if (link.phase === "answering") throw notOpen(link, "request"); // nothing follows the CLOSE of the peer, so no answer
  const id = ask(link, payload, timeout);
  if (id > 0) link.counters.requestsSent++;
  return id;
}

/** See `Conversation.cancel`. */
export function cancel(link: Link, id: number): void {
  if (link.conversing && !link.closeSent) takeBack(link, id);
}

/** See `Conversation.reply`. */
export function reply(link: Link, id: number, status: number, payload: Uint8Array): Accepted | "late" {
  if (!link.conversing || link.closeSent) return "late";
  const result = answer(link, id, status, payload);
  link.grant();
  return result;
}

/** Refuses what was too many, as far as there is room. */
export function tellBusy(link: Link): void {
  const { inbound, outbound, requests } = link;
  if (!link.conversing || link.closeSent) return;
  while (requests.refused > 0 && outbound.hasRoomForAnswer(0)) {
    const id = requests.nextRefused();
    if (!requests.owes(id)) continue;
    inbound.free(requests.answered(id));
    outbound.pushReply(NOTHING, id, ReplyStatus.BUSY);
  }
  link.grant();
}

/** See `Conversation.consumed`. */
export function consumed(link: Link, position: number): void {
  if (!link.conversing || !link.inbound.finished(position)) return;
  link.oweAck();
  link.grant();
}

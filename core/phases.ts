/**
 * The states of a connection and what each may receive: the one table of it (docs/PROTOCOL.md, section 8).
 *
 * Rules: a known frame that the row does not name is UNEXPECTED_FRAME. Who leaves a state, and where to, stands in link.ts
 * (the ends), handshake steps in receive.ts.
 *
 * @module
 */

import type { ControlFrame } from "./wire/frames.ts";

/** Which end of the transport a connection is. */
export type Role = "client" | "server";

/** The states of a connection. */
export type Phase =
  | "greeting"
  | "listening"
  | "deciding"
  | "welcomed"
  | "open"
  | "closing"
  | "answering"
  | "closed";

/** The name of a frame, as the table and messages use it. */
export type FrameName =
  | ControlFrame["kind"]
  | "data"
  | "volatile"
  | "request"
  | "reply"
  | "ping"
  | "pong"
  | "ack"
  | "credit";

const CONVERSATION: readonly FrameName[] = [
  "ping",
  "pong",
  "params",
  "paramsOk",
  "ack",
  "credit",
  "goaway",
  "close",
  "error",
  "data",
  "volatile",
  "request",
  "reply",
  "cancel",
];

const TABLE: Readonly<Record<Phase, ReadonlySet<FrameName>>> = {
  greeting: new Set<FrameName>(["welcome", "reject", "challenge", "error"]),
  listening: new Set<FrameName>(["hello", "error"]),
  deciding: new Set<FrameName>(["error"]),
  welcomed: new Set(CONVERSATION),
  open: new Set(CONVERSATION),
  closing: new Set(CONVERSATION),
  answering: new Set<FrameName>(["ping", "pong", "ack", "credit", "error"]),
  closed: new Set<FrameName>(),
};

/** Whether a frame may be received in a state. */
export function mayReceive(phase: Phase, frame: FrameName): boolean {
  return TABLE[phase].has(frame);
}

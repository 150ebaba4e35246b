/**
 * What is known of the application on one side of a {@link World}: what it said, what it was told, and how it goes about its
 * messages; and of the transports between the two.
 *
 * Rules: it decides nothing; the world drives it.
 *
 * @module
 */

import type { Conversation } from "../../core/conversation.ts";
import type { CloseReason, Unconfirmed } from "../../core/events.ts";
import type { SessionState } from "../../core/flow/session_state.ts";

/** Which side of the world. */
export type Side = "client" | "server";

/** One end of a transport. */
export interface End {
  readonly side: Side;
  /** Which dial it belongs to, from 1. */
  readonly dial: number;
  readonly connection: Conversation;
  peer: End | null;
  /** What is on its way to this end; null is the end of the stream. */
  queue: { at: number; bytes: Uint8Array | null }[];
  /** What came while its client keeps that from the machine; null: it does not. */
  held: { at: number; bytes: Uint8Array | null }[] | null;
  /** Bytes that left this end, and that reached it, in all. */
  sent: number;
  received: number;
  /** What comes to this end takes so much longer, ms. */
  delay: number;
  /** What comes to this end from now on vanishes. */
  deaf: boolean;
  /** The transport takes nothing until then, ms. */
  busyUntil: number;
  /** What left it first: a client's HELLO. */
  first: Uint8Array | null;
  ended: boolean;
  gone: boolean;
}

/** A transport that ends when so many bytes have reached one side. */
export interface Cut {
  readonly dial: number;
  readonly side: Side;
  readonly offset: number;
  readonly silent: boolean;
}

/** A message that an application was given and did not finish yet. */
export interface Unfinished {
  readonly text: string;
  readonly state: SessionState;
  readonly position: number;
}

/** What is known of one side's application. */
export class Application {
  readonly messages: string[] = [];
  readonly processed: number[] = [];
  readonly lost: Unconfirmed[][] = [];
  readonly resumed: boolean[] = [];
  readonly closed: CloseReason[] = [];
  writable = 0;
  /** Finishes each message at once; else as {@link World.finishAll} says, or after `after(text)` ms. */
  consumes = true;
  after: ((text: string) => number) | null = null;
  /** What to send when this message came, or null. */
  answer: ((text: string) => string | null) | null = null;
  /** What waits for `writable`, oldest first. */
  readonly outbox: string[] = [];
  /** What was accepted, in order. */
  readonly sent: string[] = [];
  /** Messages that it has not finished. */
  readonly open: Unfinished[] = [];
  /** Messages that it finished. */
  readonly finished: Set<string> = new Set();
  /** Told of each message that was accepted. */
  onSent: ((text: string) => void) | null = null;
}

/**
 * What is known of the application on one side of a {@link World}: what it said, what it was told, and how it goes about its messages.
 *
 * Rules: it decides nothing; the world drives it.
 *
 * @module
 */

import type { CloseReason, Unconfirmed } from "../../core/events.ts";
import type { SessionState } from "../../core/flow/session_state.ts";

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

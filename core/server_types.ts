/**
 * What a server is asked, answers and tells (server.ts decides it).
 *
 * @module
 */

import type { Code } from "./codes.ts";
import type { Conversation } from "./conversation.ts";
import type { Timed } from "./deadlines.ts";
import type { CloseReason, Unconfirmed } from "./events.ts";
import type { Seat } from "./liveness/budget.ts";
import type { Place } from "./places.ts";
import type { Session } from "./session.ts";
import type { Held, SessionCounts } from "./session_types.ts";
import type { StoreCounts } from "./store/keeper.ts";
import type { StoreQuestion } from "./store/questions.ts";

/** What a server keeps of a connection. */
export interface Entry extends Timed {
  readonly connection: Conversation;
  readonly key: string;
  state: Place;
  asked: number;
  dirty: boolean;
  /** Its share of the budget, when it was asked for. */
  seat: Seat<Entry> | null;
  /** The session that its connection carries, when it asked for one. */
  held: Held | null;
}

/** A session is over, or cannot go on: its connection ended for good, it waited too long, or its memory was needed. */
export interface SessionOver {
  /** Which. */
  readonly session: Session;
  /** How its last connection ended. */
  readonly reason: CloseReason;
  /** What the client is not known to have processed. */
  readonly unconfirmed: readonly Unconfirmed[];
}

/** Whether this client may come in. */
export interface AdmitQuestion {
  /** Which question. */
  readonly type: "admit";
  /** The peer. */
  readonly key: string;
  /** Its connection. */
  readonly connection: Conversation;
}

/** What the driver shall do: answer a question with `answered`. `Q`: which question it can be. */
export interface ServerAction<Q = AdmitQuestion | StoreQuestion> {
  /** Answer a question with `answered`. */
  readonly type: "ask";
  /** To be given back with the answer. */
  readonly id: number;
  /** With the option `ask` whether a client may come in; with `store` what its store is asked. */
  readonly question: Q;
}

/** The answer to the question whether a client may come in. */
export type Answer =
  | { readonly admit: true }
  | { readonly admit: false; readonly code: Code; readonly text: string; readonly retryAfter?: number };

/** How a server drains. */
export interface DrainOptions {
  /** When clients may dial again, ms; default the option `retryAfter`. */
  readonly retryAfter?: number;
  /** Over how much time they spread, ms; default 0. */
  readonly jitter?: number;
  /** Why, for a person. */
  readonly text?: string;
}

/** What a server counts. */
export interface ServerStats {
  /** Connections that are open. */
  readonly open: number;
  /** Handshakes in progress. */
  readonly handshakes: number;
  /** Transports held in all, those that say their last words included. */
  readonly transports: number;
  /** Transports accepted since the start. */
  readonly accepted: number;
  /** Conversations that began since the start. */
  readonly opened: number;
  /** Refused since the start, by code. */
  readonly refused: Readonly<Partial<Record<Code, number>>>;
  /** Sessions that outlive connections; null: none do. */
  readonly sessions: SessionCounts | null;
  /** What the store of sessions was asked; null: there is none. */
  readonly store: StoreCounts | null;
  /** Ended since the start, by code. */
  readonly ended: Readonly<Partial<Record<Code, number>>>;
  /** PINGs a second that clients may send by what is agreed, never more than the budget; 0 without one. */
  readonly heartbeatRate: number;
  /** The option. */
  readonly heartbeatBudget: number;
  /** Of the handshakes in progress, those that wait for room in the budget. */
  readonly waiting: number;
}

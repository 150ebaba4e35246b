/**
 * What a client tells its driver: what to do, what happened, and whose outputs to drain.
 *
 * @module
 */

import type { Conversation } from "./conversation.ts";
import type { ClientEvent } from "./events.ts";

/** What the driver shall do. */
export type ClientAction =
  /** Make a transport to this endpoint (an index); answer with `dialed` or `dialFailed`. */
  | { readonly type: "dial"; readonly attempt: number; readonly endpoint: number }
  /** Give up the dial. */
  | { readonly type: "cancelDial"; readonly attempt: number }
  /**
   * From now on keep what comes over this connection's transport, and say so by `heard`; write nothing. Then `release` gives it what was
   * kept and lets it go on, or `drop` destroys its transport and forgets it: its end is told by no event.
   */
  | { readonly type: "hold" | "release" | "drop"; readonly connection: Conversation }
  /** Answer a question with `answered`; this version asks none. */
  | { readonly type: "ask"; readonly id: number; readonly question: unknown };

/** What waits to be drained of a client. */
export class ClientOutputs {
  readonly actions: ClientAction[] = [];
  readonly dirty: Conversation[] = [];
  readonly events: ClientEvent[] = [];

  /** A dial begins, or one that was early becomes the next. */
  dial(attempt: number, endpoint: number, early: boolean, begins = true): void {
    if (begins) this.actions.push({ type: "dial", attempt, endpoint });
    this.events.push({ type: "dialing", attempt, endpoint, early });
  }
}

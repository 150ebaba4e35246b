/**
 * Sends whose senders wait until the peer's application has finished the message.
 *
 * Rules: positions rise, so the waiting are a queue. A session that is lost settles each by what is known of its message: it never arrived, or
 * nobody knows; one that is not in that list was finished.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";
import type { Unconfirmed } from "../core/mod.ts";
import { quiet } from "./failure.ts";
import { Fifo } from "./fifo.ts";

interface Waiting {
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The waiting sends of one session. */
export class Acknowledgements {
  #waiting = new Fifo<Waiting>();

  /** Settles when the message that ends at this position was processed, or is lost. */
  wait(position: number): Promise<void> {
    return quiet(
      new Promise<void>((resolve, reject) => void this.#waiting.push({ position, resolve, reject })),
    );
  }

  /** The peer's application has finished everything up to this position. */
  processed(position: number): void {
    for (let first = this.#waiting.peek(); first !== undefined; first = this.#waiting.peek()) {
      if (first.position > position) return;
      this.#waiting.shift();
      first.resolve();
    }
  }

  /** The session is lost, and with it these messages. */
  lost(unconfirmed: readonly Unconfirmed[], url: string): void {
    const states = new Map(unconfirmed.map(({ position, state }) => [position, state]));
    for (const { position, resolve, reject } of this.#waiting.takeAll()) {
      const state = states.get(position);
      if (state === undefined) resolve();
      else reject(lostError(state, url));
    }
  }

  /** Fails all that wait, each with an error of its own. */
  fail(error: () => HeartwireError): void {
    for (const { reject } of this.#waiting.takeAll()) reject(error());
  }
}

function lostError(state: Unconfirmed["state"], url: string): HeartwireError {
  if (state === "unsent") {
    return new HeartwireError("UNSENT", `${url}: the session was lost before the message arrived`, {
      retryable: true,
      hint: "Send it again in the new session.",
    });
  }
  return new HeartwireError("MAYBE_DELIVERED", `${url}: the session was lost; the message may have arrived`, {
    hint: "Only the application can know: send it again if doing it twice does no harm.",
  });
}

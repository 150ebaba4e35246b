/**
 * New heartbeat terms that an application asked for, until the peer has answered.
 *
 * One offer is on its way at a time. A call made meanwhile is settled by the answer to the next offer, which has what that call named
 * and whatever was asked for besides; so several calls may be settled by one answer, all alike.
 *
 * Rule: which answer is whose is known by counting, since answers come in order: the first to come is that to the offer that is open.
 * A server's heartbeat budget makes offers of its own, so one may be open that no call made.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";
import type { Agreement, ConnectionEvent, Conversation, HeartbeatTerms } from "../core/mod.ts";
import type { Address } from "./address.ts";
import type { Driver } from "./driver.ts";
import { quiet } from "./failure.ts";

interface Waiting {
  /** Answers to come, its own included. */
  left: number;
  readonly resolve: (agreement: Agreement) => void;
  readonly reject: (error: unknown) => void;
}

/** What this needs of a session's host. */
interface RetuneHost {
  /** A server's heartbeat budget decides how often its clients may beat. */
  readonly budgeted?: boolean;
  readonly driver: Driver<Conversation, ConnectionEvent>;
  readonly peer: Address;
}

/** The calls of one session that wait for an answer. */
export class Retunes {
  readonly #host: RetuneHost;
  #waiting: Waiting[] = [];

  constructor(host: RetuneHost) {
    this.#host = host;
  }

  /** Offers terms. Throws what the connection throws when it cannot. */
  ask(connection: Conversation, change: HeartbeatTerms): Promise<Agreement> {
    const { driver, budgeted } = this.#host;
    if (budgeted === true && change?.minimumInterval !== undefined) {
      throw new HeartwireError("OPTION", "option minimumInterval: the server's heartbeat budget decides it", {
        hint: "Leave minimumInterval out, or the server without heartbeatBudget.",
      });
    }
    const now = driver.now();
    const left = connection.retuning ? 2 : 1;
    connection.retune(change, now);
    const promise = quiet(
      new Promise<Agreement>((resolve, reject) => void this.#waiting.push({ left, resolve, reject })),
    );
    driver.done(connection, now);
    return promise;
  }

  /** The peer answered the offer that was open. */
  answered(accepted: boolean, agreement: Agreement): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) {
      if (--call.left > 0) this.#waiting.push(call);
      else if (accepted) call.resolve(agreement);
      else call.reject(this.#declined());
    }
  }

  #declined(): HeartwireError {
    return new HeartwireError(
      "DECLINED",
      `${this.#host.peer.url}: the peer declined the new heartbeat terms; those before hold`,
      {
        hint:
          "It does not wait so long: lower interval or multiplier, or raise heartbeat.maximumDetection there.",
      },
    );
  }

  /** Fails all that wait, each with an error of its own. */
  fail(error: () => HeartwireError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error());
  }
}

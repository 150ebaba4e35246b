/**
 * The PINGs that an application asked for and waits for.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";
import type { ConnectionEvent, Conversation } from "../core/mod.ts";
import { numberOption } from "../core/errors.ts";
import type { Address } from "./address.ts";
import type { Driver } from "./driver.ts";
import { cancelled, quiet } from "./failure.ts";
import type { PingOptions, PingResult } from "./session.ts";

interface Waiting {
  readonly resolve: (result: PingResult) => void;
  readonly reject: (error: unknown) => void;
  readonly detach: () => void;
}

/** What pings need of a session's host. */
interface PingHost {
  readonly driver: Driver<Conversation, ConnectionEvent>;
  readonly peer: Address;
}

/** The waiting pings of one session. */
export class Pings {
  readonly #host: PingHost;
  /** Null until one waits. */
  #waiting: Map<number, Waiting> | null = null;

  constructor(host: PingHost) {
    this.#host = host;
  }

  /** Sends one. Throws what the connection throws when it cannot. */
  ask(connection: Conversation, options: PingOptions): Promise<PingResult> {
    const { signal, timeout } = options;
    const { url } = this.#host.peer;
    if (signal?.aborted) return quiet(Promise.reject(cancelled(signal)));
    const now = this.#host.driver.now();
    if (timeout !== undefined) numberOption("timeout", timeout, 0, Infinity);
    const sequence = connection.ping(now);
    const promise = quiet(
      new Promise<PingResult>((resolve, reject) => {
        const giveUp = (error: HeartwireError): void => {
          this.#take(sequence);
          reject(error);
        };
        const onAbort = (): void => giveUp(cancelled(signal!));
        const cancelAlarm = timeout === undefined ? null : this.#host.driver.at(now + timeout, () => {
          giveUp(
            new HeartwireError("TIMEOUT", `${url}: no answer to ping ${sequence} within ${timeout} ms`, {
              retryable: true,
              hint: "The peer is slow or gone; the status tells when it is held dead.",
            }),
          );
        });
        signal?.addEventListener("abort", onAbort, { once: true });
        const detach = (): void => {
          cancelAlarm?.();
          signal?.removeEventListener("abort", onAbort);
        };
        (this.#waiting ??= new Map()).set(sequence, { resolve, reject, detach });
      }),
    );
    this.#host.driver.done(connection, now);
    return promise;
  }

  #take(sequence: number): Waiting | undefined {
    const waiting = this.#waiting?.get(sequence);
    this.#waiting?.delete(sequence);
    waiting?.detach();
    return waiting;
  }

  /** The answer came. */
  answered(sequence: number, rtt: number, hold: number): void {
    this.#take(sequence)?.resolve({ sequence, rtt, hold });
  }

  /** Fails all that wait, each with an error of its own. */
  fail(error: () => HeartwireError): void {
    for (const sequence of [...this.#waiting?.keys() ?? []]) this.#take(sequence)!.reject(error());
  }
}

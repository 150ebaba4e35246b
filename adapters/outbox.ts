/**
 * Sends that wait because the connection is blocked: in order, bounded, each with its signal.
 *
 * Rules: a message that waits is not copied; its sender must leave it alone until the promise settles. Each waits at most
 * until the connection ends. What a sender does not wait for piles up here, so beyond the bound a send fails at once. A send that
 * waited fails only because the connection ended or its signal said so: nobody has to handle that.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";
import { cancelled, quiet } from "./failure.ts";

interface Entry {
  readonly bytes: Uint8Array;
  readonly resolve: (value?: void | Promise<void>) => void;
  /** What its sender waits for behind the acceptance. */
  readonly then: (() => Promise<void>) | null;
  readonly reject: (error: unknown) => void;
  readonly detach: () => void;
  /** How it is sent, if not as a message. */
  readonly give: Give | null;
}

/** Sends something; "blocked": it was not taken. */
export type Give = (bytes: Uint8Array) => "accepted" | "blocked";

/** What one waiting send costs besides its bytes, about. */
const OVERHEAD = 128;

/** The waiting sends of one session. */
export class Outbox {
  readonly #limit: number;
  /** In order; a set, so that one that is given up is let go of at once. Null until one waits. */
  #queue: Set<Entry> | null = null;
  #bytes = 0;

  /** @param limit bytes that may wait, overhead included; one message may always */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether nobody waits. */
  get empty(): boolean {
    return this.#bytes === 0;
  }

  /** Waits for its turn. Resolves when the message was accepted, and then as what `then` returns, which is called at once. */
  wait(
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
    then: (() => Promise<void>) | null = null,
    give: Give | null = null,
  ): Promise<void> {
    const cost = bytes.length + OVERHEAD;
    if (this.#bytes > 0 && this.#bytes + cost > this.#limit) {
      return Promise.reject(
        new HeartwireError("SEND_QUEUE_FULL", `${this.#bytes} bytes wait to be sent already`, {
          retryable: true,
          hint: "Await each send, or some of them, before the next.",
        }),
      );
    }
    return quiet(
      new Promise((resolve, reject) => {
        const onAbort = (): void => {
          this.#settle(entry);
          reject(cancelled(signal!));
        };
        const entry: Entry = {
          bytes,
          resolve,
          reject,
          then,
          give,
          detach: () => signal?.removeEventListener("abort", onAbort),
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#bytes += cost;
        (this.#queue ??= new Set()).add(entry);
      }),
    );
  }

  #settle(entry: Entry): void {
    entry.detach();
    this.#queue!.delete(entry);
    this.#bytes -= entry.bytes.length + OVERHEAD;
  }

  /** Sends in order until `send` says "blocked". What it throws fails that message alone. */
  flush(send: Give): void {
    for (const entry of this.#queue ?? []) {
      try {
        if ((entry.give ?? send)(entry.bytes) === "blocked") return;
        entry.resolve(entry.then?.());
      } catch (error) {
        entry.reject(error);
      }
      this.#settle(entry);
    }
  }

  /** Fails all that wait, each with an error of its own. */
  fail(error: () => HeartwireError): void {
    for (const entry of this.#queue ?? []) {
      this.#settle(entry);
      entry.reject(error());
    }
  }
}

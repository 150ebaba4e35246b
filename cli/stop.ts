/**
 * Being told to stop: SIGINT, SIGTERM, or that stdout takes nothing more.
 *
 * Rules: the first time asks the command to end in good order, the second to end at once, the third does not ask.
 *
 * @module
 */

import process from "node:process";
import { EXIT } from "./exit.ts";

/**
 * The same signal again within this time is the same press of Ctrl-C, ms: the terminal signals all processes of its group, and npm passes
 * its own on to us as well, some 30 ms later (seen with npm 10).
 */
const SAME_PRESS = 250;

/** Why the command is to end. */
export type StopCause = "SIGINT" | "SIGTERM" | "unread" | "unwritable";

const EXITS: Readonly<Record<StopCause, number>> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  unread: EXIT.ok,
  unwritable: EXIT.loss,
};

/** The wish to stop. */
export class Stop {
  readonly #asked = new AbortController();
  readonly #forced = new AbortController();
  /** The first cause, or null while there is none. */
  cause: StopCause | null = null;
  #last: StopCause | null = null;
  #lastAt = 0;

  /** Aborts when the command is to end. */
  get signal(): AbortSignal {
    return this.#asked.signal;
  }

  /** Aborts when it is to end at once. */
  get forced(): AbortSignal {
    return this.#forced.signal;
  }

  /** The exit code that follows from it; null while nobody asked. */
  get exit(): number | null {
    return this.cause === null ? null : EXITS[this.cause];
  }

  /** Begins to listen for signals. */
  listen(): void {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => this.ask(signal));
  }

  /** Asks to stop. */
  ask(cause: StopCause): void {
    const now = performance.now();
    const same = cause === this.#last && now - this.#lastAt < SAME_PRESS;
    this.#last = cause;
    this.#lastAt = now;
    if (same) return;
    if (this.cause === null) {
      this.cause = cause;
      this.#asked.abort(cause);
    } else if (!this.#forced.signal.aborted) {
      this.#forced.abort(cause);
    } else {
      process.exit(EXITS[cause]);
    }
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Waits; less long when the signal aborts. Says whether the time is up. */
export function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve(true);
    }, Math.max(ms, 0)); // Bun and later versions of Node warn of less
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

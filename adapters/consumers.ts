/**
 * The two ways in which an application takes messages out of its inbox: an async iterator, and a handler.
 *
 * @module
 */

import type { Task } from "./driver.ts";
import { cancelled, quiet } from "./failure.ts";
import type { Consumer, Inbox } from "./inbox.ts";
import type { Message } from "./message.ts";
import { ACCEPTED } from "./sends.ts";
import { isThenable } from "./thenable.ts";

/** A handler of messages. The message is processed when it returns, or when the promise it returns is fulfilled. */
export type MessageHandler = (message: Message) => unknown;

interface Waiting {
  readonly resolve: (result: IteratorResult<Message>) => void;
  readonly reject: (error: unknown) => void;
}

const DONE: IteratorResult<Message> = Object.freeze({ done: true, value: undefined });

/** Messages one by one. It claims the inbox while a `next()` waits; leaving it does not end the session. */
export class MessageIterator<M extends Message> implements AsyncIterableIterator<Message>, Consumer {
  readonly #inbox: Inbox<M>;
  readonly #signal: AbortSignal | undefined;
  readonly #waiting: Waiting[] = [];
  #current: M | null = null;
  #over = false;

  constructor(inbox: Inbox<M>, signal: AbortSignal | undefined) {
    this.#inbox = inbox;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  readonly #onAbort = (): void => {
    if (this.#waiting.length > 0) this.#leave(cancelled(this.#signal!));
  };

  #processed(): void {
    const current = this.#current;
    this.#current = null;
    if (current !== null) this.#inbox.hooks.processed(current);
  }

  /** Takes no more. The first that waits gets the error, if there is one. */
  #leave(error: unknown): void {
    this.#over = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#processed();
    this.#inbox.release(this);
    const waiting = this.#waiting.splice(0);
    if (error !== null) waiting.shift()?.reject(error);
    for (const { resolve } of waiting) resolve(DONE);
  }

  next(): Promise<IteratorResult<Message>> {
    if (this.#over) return Promise.resolve(DONE);
    if (this.#signal?.aborted) {
      this.#leave(null);
      return Promise.reject(cancelled(this.#signal));
    }
    try {
      this.#inbox.claim(this);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#processed();
    if (this.#waiting.length === 0) {
      const message = this.#inbox.take();
      if (message !== undefined) {
        this.#current = message;
        return Promise.resolve({ done: false, value: message });
      }
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.wake();
    });
  }

  wake(): void {
    while (this.#waiting.length > 0) {
      const message = this.#inbox.take();
      if (message === undefined) {
        const end = this.#inbox.ended;
        if (end !== null) this.#leave(end.error);
        return;
      }
      this.#current = message;
      this.#waiting.shift()!.resolve({ done: false, value: message });
    }
  }

  replaced(): void {
    this.#processed();
  }

  return(): Promise<IteratorResult<Message>> {
    this.#leave(null);
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this;
  }
}

/** Calls a handler for each message, in order, the next when the one before is done. */
export class HandlerLoop<M extends Message> implements Consumer, Task {
  /** Settles when no more messages come: fulfilled after an end in order, else rejected. */
  readonly finished: Promise<void>;
  readonly waits = true;
  readonly #inbox: Inbox<M>;
  readonly #handler: MessageHandler;
  readonly #signal: AbortSignal | undefined;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  #onAbort: (() => void) | null = null;
  #deferred = false;
  #busy = false;
  #over = false;

  constructor(inbox: Inbox<M>, handler: MessageHandler, signal: AbortSignal | undefined) {
    this.#inbox = inbox;
    this.#handler = handler;
    this.#signal = signal;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    try {
      inbox.claim(this);
      if (signal !== undefined) this.#heed(signal);
      this.wake();
    } catch (error) {
      this.#leave(error);
    }
  }

  #heed(signal: AbortSignal): void {
    this.#onAbort = () => this.#leave(cancelled(signal));
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  #leave(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#onAbort !== null) this.#signal!.removeEventListener("abort", this.#onAbort);
    this.#inbox.release(this);
    if (error === null) return this.#resolve();
    void quiet(this.finished); // whoever wants to know waits for it; nobody has to
    this.#reject(error);
  }

  #failed(error: unknown): void {
    this.#leave(error);
    this.#inbox.hooks.handlerFailed(error);
  }

  wake(): void {
    if (this.#deferred || this.#busy || this.#over) return;
    this.#deferred = true;
    this.#inbox.hooks.defer(this);
  }

  /** Calls the handler for what is there. */
  run(): void {
    this.#deferred = false;
    let last: M | null = null;
    while (!this.#busy && !this.#over) {
      const message = this.#inbox.take();
      if (message === undefined) break;
      let result: unknown;
      try {
        result = this.#handler(message);
      } catch (error) {
        this.#failed(error);
        break;
      }
      // A handler that returns what `send` gave it has finished if there was room: to wait for that would cost half as much as all the rest.
      if (result !== ACCEPTED && isThenable(result)) this.#wait(message, result);
      else last = message;
    }
    // Told once for all of them: a position covers those before it.
    if (last !== null) this.#inbox.hooks.processed(last);
    const end = this.#inbox.ended;
    if (!this.#busy && end !== null) this.#leave(end.error);
  }

  #wait(message: M, result: PromiseLike<unknown>): void {
    this.#busy = true;
    // By a promise of our own: a foreign `then` may call back at once, or twice.
    Promise.resolve(result).then(() => {
      this.#busy = false;
      this.#inbox.hooks.processed(message);
      this.wake();
    }, (error) => this.#failed(error));
  }

  replaced(): void {}
}

/**
 * Received messages on their way to the application: one by one to an iterator, or to a handler.
 *
 * Rules:
 * - One consumer at a time; a second is told so, for each would get some of the messages.
 * - A message is *processed* when the application is done with it: when the iterator is asked for the next one (or left), or
 *   when what the handler returned has settled. Only then its bytes are credit for the peer again. So this queue is
 *   bounded by the connection's window, and needs no bound of its own.
 * - Whole messages that arrived before the end are delivered before the end is told.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";
import { Fifo } from "./fifo.ts";
import { HandlerLoop, type MessageHandler, MessageIterator } from "./consumers.ts";
import type { Task } from "./driver.ts";
import type { Message } from "./message.ts";

/** What an inbox needs of its session. */
export interface InboxHooks<M> {
  /** The application finished with this message, and with all before it. */
  processed(message: M): void;
  /** The application's handler threw or rejected. */
  handlerFailed(error: unknown): void;
  /** Runs a task where handlers may be called. */
  defer(task: Task): void;
}

/** Who takes messages out of an inbox. */
export interface Consumer {
  /** A message or the end may be there. */
  wake(): void;
  /** Whether it waits for messages, so that another must not take them. */
  readonly waits: boolean;
  /** Another took its place. */
  replaced(): void;
}

/** How the stream of messages ended: in order (null), or with an error. */
export interface End {
  readonly error: HeartwireError | null;
}

/** The received messages of one session. */
export class Inbox<M extends Message> {
  readonly hooks: InboxHooks<M>;
  /** Payload bytes that wait, and 64 for each message: what credit counts too. */
  bytes = 0;
  /** Set once nothing more comes; what waits is still there. */
  ended: End | null = null;
  readonly #queue = new Fifo<M>();
  #consumer: Consumer | null = null;
  #abandoned = false;

  constructor(hooks: InboxHooks<M>) {
    this.hooks = hooks;
  }

  /** How many messages wait. */
  get length(): number {
    return this.#queue.length;
  }

  push(message: M): void {
    if (this.ended !== null) return;
    if (this.#abandoned && this.#consumer === null) return this.hooks.processed(message);
    this.#queue.push(message);
    this.bytes += message.bytes.length + 64;
    this.#consumer?.wake();
  }

  /** Takes the next message. For consumers. */
  take(): M | undefined {
    const message = this.#queue.shift();
    if (message !== undefined) this.bytes -= message.bytes.length + 64;
    return message;
  }

  /** Nothing more comes. Only the first call counts. */
  end(error: HeartwireError | null): void {
    if (this.ended !== null) return;
    this.ended = { error };
    this.#consumer?.wake();
  }

  /** The application will read no more, unless it does so now: messages are dropped, so that the peer is not held up. */
  abandon(): void {
    this.#abandoned = true;
    if (this.#consumer === null) this.drop(0);
  }

  /** Drops the oldest messages until no more than `bytes` wait. Returns how many were dropped. */
  drop(bytes: number): number {
    let count = 0;
    let last: M | undefined;
    while (this.bytes > bytes) {
      last = this.take();
      count++;
    }
    if (last !== undefined) this.hooks.processed(last);
    return count;
  }

  /** Settles when the handler that takes the messages now takes no more; null if none does. */
  get handling(): Promise<void> | null {
    return this.#consumer instanceof HandlerLoop ? this.#consumer.finished : null;
  }

  /** From now on messages go to `consumer`. Throws when another waits for them. */
  claim(consumer: Consumer): void {
    if (this.#consumer === consumer) return;
    if (this.#consumer?.waits) {
      throw new HeartwireError("CONSUMED", "the session's messages are being consumed already", {
        hint: "Use one `for await` or one onMessage at a time, and share the messages from there.",
      });
    }
    this.#consumer?.replaced();
    this.#consumer = consumer;
  }

  /** `consumer` takes no more. */
  release(consumer: Consumer): void {
    if (this.#consumer !== consumer) return;
    this.#consumer = null;
    if (this.#abandoned) this.drop(0);
  }

  /** Messages one by one. */
  iterate(signal?: AbortSignal): AsyncIterableIterator<Message> {
    return new MessageIterator<M>(this, signal);
  }

  /** Messages to a handler. Settles at the end, as iteration would. */
  handle(handler: MessageHandler, signal?: AbortSignal): Promise<void> {
    const loop = new HandlerLoop<M>(this, handler, signal);
    return loop.finished;
  }
}

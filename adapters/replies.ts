/**
 * Replies: what the peer asks and this side's handler answers.
 *
 * Rules: handlers of requests run as these come, beside the consumer of messages and beside one another, as many as `maxRequests` permits. Each request gets one
 * answer: what the handler returned, or why there is none. A handler that throws fails its request and nothing else. Requests that come before there is a handler
 * wait for one for a second.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";
import { ById } from "../core/flow/by_id.ts";
import { ReplyStatus } from "../core/flow/requests.ts";
import type { Channel } from "./channel.ts";
import type { Task } from "./driver.ts";
import { notData } from "./failure.ts";
import { Fifo } from "./fifo.ts";
import type { SessionHost } from "./host.ts";
import { kept, textOf } from "./message.ts";
import { ReplyError } from "./reply_error.ts";
import { bytesOf } from "./sends.ts";
import { isThenable } from "./thenable.ts";
import type { Request, RequestHandler } from "./session.ts";

/** Requests wait so long for the first handler, ms. */
const GRACE = 1_000;

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** A request of the peer. It extends no class: see `ReceivedMessage` (message.ts). */
class Incoming implements Request {
  readonly bytes: Uint8Array;
  readonly id: number;
  readonly remaining: number;
  /** The session's state that it belongs to: ids count in one. */
  readonly source: object;
  cancelled: HeartwireError | null = null;
  #controller: AbortController | null = null;

  constructor(bytes: Uint8Array, owned: boolean, id: number, remaining: number, source: object) {
    this.bytes = kept(bytes, owned);
    this.id = id;
    this.remaining = remaining === 0 ? Infinity : remaining;
    this.source = source;
  }

  text(): string {
    return textOf(this.bytes);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  /** Made when it is asked for: a signal costs more than the rest of a request. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.cancelled !== null) this.#controller.abort(this.cancelled);
    }
    return this.#controller.signal;
  }

  cancel(error: HeartwireError): void {
    if (this.cancelled !== null) return;
    this.cancelled = error;
    this.#controller?.abort(error);
  }
}

interface Answer {
  readonly request: Incoming;
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** The requests that the peer of one session made. */
export class Replies {
  readonly #host: SessionHost;
  readonly #channel: Channel;
  #handler: RequestHandler | null = null;
  /** Not answered yet, by id. */
  readonly #open = new ById<Incoming>();
  /** They wait for a handler. */
  #waiting: Incoming[] = [];
  /** They wait for their turn, which comes for all of them at once. */
  readonly #ready = new Fifo<Incoming>();
  /** Nobody answers here, as it seems. */
  #deaf = false;
  /** They wait for room. */
  readonly #blocked = new Fifo<Answer>();
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(host: SessionHost, channel: Channel) {
    this.#host = host;
    this.#channel = channel;
  }

  /** See {@link Session.onRequest}. */
  handle(handler: RequestHandler): void {
    if (typeof handler !== "function") {
      throw new HeartwireError("OPTION", `onRequest: expected a function, got ${typeof handler}`, {
        hint: "Pass the function that answers requests.",
      });
    }
    this.#handler = handler;
    this.#deaf = false;
    for (const request of this.#waiting.splice(0)) this.#soon(request);
  }

  /** The peer asks. */
  asked(id: number, remaining: number, bytes: Uint8Array, owned: boolean, source: object): void {
    const request = new Incoming(bytes, owned, id, remaining, source);
    this.#open.set(id, request);
    if (this.#handler !== null || this.#deaf) return this.#soon(request);
    this.#waiting.push(request);
    if (this.#waiting.length > 1) return;
    this.#host.driver.at(this.#host.driver.now() + GRACE, () => {
      if (this.#handler !== null) return;
      this.#deaf = true;
      for (const each of this.#waiting.splice(0)) this.#run(each);
    });
  }

  /** The peer waits no longer. */
  cancelled(id: number): void {
    this.#open.get(id)?.cancel(takenBack());
  }

  #soon(request: Incoming): void {
    this.#ready.push(request);
    if (this.#ready.length === 1) this.#host.driver.defer(this.#runReady);
  }

  readonly #runReady: Task = {
    run: () => {
      for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift()) this.#run(next);
    },
  };

  #run(request: Incoming): void {
    if (this.#open.get(request.id) !== request) return; // its session is lost
    if (request.cancelled !== null) return this.#answer(request, ReplyStatus.CANCELLED, NOTHING);
    if (this.#handler === null) return this.#answer(request, ReplyStatus.NO_HANDLER, NOTHING);
    let result: unknown;
    let waits: boolean;
    try {
      result = this.#handler(request);
      waits = isThenable(result);
    } catch (error) {
      return this.#failed(request, error);
    }
    if (!waits) return this.#done(request, result);
    this.#running++;
    // By a promise of our own: a foreign `then` may throw, call back twice, or return nothing.
    Promise.resolve(result).then(
      (value) => this.#done(request, value),
      (error) => this.#failed(request, error),
    ).finally(
      () => {
        if (--this.#running === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
      },
    );
  }

  #done(request: Incoming, result: unknown): void {
    const bytes = result === undefined ? NOTHING : bytesOf(result);
    if (bytes === null) return this.#failed(request, notData(result));
    this.#answer(request, request.cancelled === null ? ReplyStatus.OK : ReplyStatus.CANCELLED, bytes);
  }

  /** The handler threw, or answered what is no answer. */
  #failed(request: Incoming, error: unknown): void {
    if (error instanceof ReplyError) {
      return this.#answer(request, error.status, encoder.encode(error.message));
    }
    const expected = request.cancelled !== null || this.#channel.isEnd(error);
    if (!expected) this.#host.report(error);
    this.#answer(request, request.cancelled === null ? ReplyStatus.FAILED : ReplyStatus.CANCELLED, NOTHING);
  }

  #answer(request: Incoming, status: number, bytes: Uint8Array): void {
    if (this.#open.get(request.id) !== request) return;
    this.#open.take(request.id);
    const given = status === ReplyStatus.CANCELLED ? NOTHING : bytes;
    if (this.#blocked.length > 0 || !this.#give(request, status, given)) {
      this.#blocked.push({ request, status, bytes: given });
    }
  }

  /** Whether it was taken, or is not wanted any more. */
  #give(request: Incoming, status: number, bytes: Uint8Array): boolean {
    const { core, connection } = this.#channel;
    const { driver } = this.#host;
    if ((core?.state ?? connection) !== request.source) return true;
    const now = driver.now();
    const taker = core ?? connection!;
    let result;
    try {
      result = taker.reply(request.id, status, bytes, now);
    } catch (error) {
      this.#host.report(error); // longer than the peer takes
      result = taker.reply(request.id, ReplyStatus.FAILED, NOTHING, now);
    }
    driver.given(connection);
    return result !== "blocked";
  }

  /** There may be room. */
  wake(): void {
    if (this.#blocked.length > 0) this.#host.driver.defer(this.#giveBlocked);
  }

  readonly #giveBlocked: Task = {
    run: () => {
      for (let first = this.#blocked.peek(); first !== undefined; first = this.#blocked.peek()) {
        if (!this.#give(first.request, first.status, first.bytes)) return;
        this.#blocked.shift();
      }
    },
  };

  /** Their session is over or lost: nobody waits for the answers. */
  drop(error: () => HeartwireError): void {
    for (const [, request] of this.#open.entries()) request.cancel(error());
    this.#open.clear();
    this.#waiting = [];
    this.#blocked.clear();
  }

  /** When no handler runs any more. */
  async handled(): Promise<void> {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}

function takenBack(): HeartwireError {
  return new HeartwireError("CANCELLED", "the peer does not wait for the answer any more", {
    hint: "Stop the work: what it returns is not sent.",
  });
}

/**
 * The work that `heartwire bench` measures: exchanges, a message and its echo each, over short connections or long ones.
 *
 * Rules: short and long do the same work and are measured alike. Nothing per exchange that is not of the exchange: one watchdog looks
 * for all connections whether anything moves. A reply that is not the message ends the measurement: what is no echo is not measured.
 *
 * @module
 */

import process from "node:process";
import {
  type Address,
  type ConnectOptions,
  HeartwireError,
  type Message,
  type Session,
} from "../../adapters/api.ts";
import { UsageError } from "../exit.ts";
import { RoundTrips, type RoundTripSummary } from "../round_trips.ts";
import type { Adapter } from "../runtime.ts";
import { sleep } from "../stop.ts";
import * as text from "../text.ts";

/** How connections are used. */
export type Mode = "short" | "long";

/** What is to be done. */
export interface Task {
  readonly mode: Mode;
  readonly address: Address;
  readonly options: ConnectOptions;
  /** Exchanges. */
  readonly count: number;
  /** Bytes of a message. */
  readonly size: number;
  /** Connections at a time. */
  readonly conns: number;
  /** Exchanges that begin in a second, in all; null: each worker begins the next when it has finished one. */
  readonly rate: number | null;
  /** None begins after so long, ms. */
  readonly duration: number;
  /** Give up when nothing moved for so long, ms. */
  readonly timeout: number;
  /** Ends the work early, in good order; what was done counts. */
  readonly signal: AbortSignal;
  /** Ends it at once. */
  readonly forced: AbortSignal;
}

/** What was done, and what it took. */
export interface Measured {
  /** Exchanges that were completed. */
  readonly exchanges: number;
  readonly connections: number;
  /** From the first dial to the end of the last connection, ms. */
  readonly elapsed: number;
  /** CPU time of the process, all threads, ms. */
  readonly cpu: number;
  /** Framing included, TCP and IP not. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** ms; null when nothing was completed. */
  readonly latency: RoundTripSummary | null;
}

class Worker {
  readonly #adapter: Adapter;
  readonly #task: Task;
  readonly #message: Uint8Array;
  readonly #live = new Set<Session>();
  readonly #latency = new RoundTrips();
  #started = 0;
  #exchanges = 0;
  #connections = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  #movedAt = 0;
  #startedAt = 0;
  #over = false;

  constructor(adapter: Adapter, task: Task) {
    this.#adapter = adapter;
    this.#task = task;
    // No byte of it can begin the token of profile plain.
    this.#message = new Uint8Array(task.size).fill("x".charCodeAt(0));
  }

  async run(): Promise<Measured> {
    const { conns, count } = this.#task;
    const given = new AbortController();
    const cpu = cpuMs();
    const started = this.#startedAt = this.#movedAt = performance.now();
    const stalled = this.#watch(given.signal);
    const once = { once: true, signal: given.signal };
    this.#task.signal.addEventListener("abort", () => {
      for (const session of this.#live) void session.close();
    }, once);
    this.#task.forced.addEventListener("abort", () => this.#abort(), once);
    try {
      const workers = Array.from({ length: Math.min(conns, count) }, () => this.#work());
      await Promise.race([Promise.all(workers), stalled]);
    } finally {
      given.abort();
      this.#over = true;
      this.#abort();
    }
    return {
      ...{ exchanges: this.#exchanges, connections: this.#connections },
      ...{ elapsed: performance.now() - started, cpu: cpuMs() - cpu },
      ...{ bytesSent: this.#bytesSent, bytesReceived: this.#bytesReceived },
      latency: this.#latency.summary(),
    };
  }

  #abort(): void {
    for (const session of this.#live) session.abort("the measurement is over");
  }

  /** Rejects when nothing moves for too long. */
  #watch(signal: AbortSignal): Promise<never> {
    const { timeout } = this.#task;
    return new Promise((_, reject) => {
      const timer = setInterval(() => {
        if (performance.now() - this.#movedAt < timeout) return;
        reject(
          new HeartwireError("TIMEOUT", `nothing came for ${text.duration(timeout)}`, {
            hint: "bench needs a server that echoes: heartwire serve --handler echo, of the same --profile.",
          }),
        );
      }, Math.min(timeout, 250));
      signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    });
  }

  /** Whether there is an exchange to make; if so, it is the caller's. */
  #claim(): boolean {
    const { count, duration, rate, signal } = this.#task;
    if (this.#started === count || signal.aborted || this.#over) return false;
    const due = rate === null ? 0 : this.#started * 1_000 / rate;
    if (Math.max(due, performance.now() - this.#startedAt) >= duration) return false;
    this.#started++;
    return true;
  }

  /** Waits until the exchange that was claimed last is due; since then it takes time, whatever kept its worker. */
  async #due(): Promise<number> {
    const { rate, signal } = this.#task;
    const now = performance.now();
    if (rate === null) return now;
    const due = this.#startedAt + (this.#started - 1) * 1_000 / rate;
    if (due > now) await sleep(due - now, signal);
    this.#movedAt = Math.max(this.#movedAt, due);
    return Math.min(due, performance.now()); // timers may be early
  }

  async #work(): Promise<void> {
    const { mode, signal } = this.#task;
    while (this.#claim()) {
      const dialled = await this.#due();
      let session: Session;
      try {
        session = await this.#adapter.connect(this.#task.address, { ...this.#task.options, signal });
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      if (this.#over) return session.abort("the measurement is over");
      this.#live.add(session);
      this.#connections++;
      try {
        const replies = session.messages();
        await this.#exchange(session, mode === "short" ? dialled : performance.now(), replies);
        while (mode === "long" && this.#claim()) await this.#exchange(session, await this.#due(), replies);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      await session.close();
      this.#live.delete(session);
      const { bytesSent, bytesReceived } = session.stats();
      this.#bytesSent += bytesSent;
      this.#bytesReceived += bytesReceived;
    }
  }

  async #exchange(session: Session, since: number, replies: AsyncIterator<Message>): Promise<void> {
    await session.send(this.#message);
    // A stream's echo comes in pieces.
    for (let missing = this.#message.length; missing > 0;) {
      const { value, done } = await replies.next();
      if (done === true) {
        throw new HeartwireError(
          "CLOSED",
          `${text.reasonText(await session.closed)}, before the echo was whole`,
        );
      }
      const { bytes } = value;
      missing -= bytes.length;
      if (missing < 0 || !this.#echoes(bytes)) {
        throw new UsageError(
          "the server answers something else than the message",
          "bench needs a server that echoes: heartwire serve --handler echo, of the same --profile.",
        );
      }
      this.#movedAt = performance.now();
    }
    this.#latency.add(this.#movedAt - since);
    this.#exchanges++;
  }

  #echoes(bytes: Uint8Array): boolean {
    const expected = this.#message[0];
    return bytes.every((byte) => byte === expected);
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Does the work once. Rejects with what went wrong; an abort of the signal is no error. */
export function work(adapter: Adapter, task: Task): Promise<Measured> {
  return new Worker(adapter, task).run();
}

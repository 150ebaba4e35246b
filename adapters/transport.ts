/**
 * What a runtime's socket is turned into, and what else a runtime has to give: a `Platform`. Everything above it is the
 * same on all runtimes.
 *
 * Rules for who implements it:
 * - No callback is made from inside a call, and none after `destroy()` or after `failed`.
 * - Bytes given to `write` never change afterwards; they may be kept until they are written.
 * - Nagle's algorithm is off: write-write-read takes 44 ms with it.
 * - A socket whose peer ended its direction stays open until it is destroyed (half-open).
 * - It decides nothing: no retry, no timeout, no protocol.
 *
 * @module
 */

import type { Environment } from "../core/mod.ts";
import type { Address } from "./address.ts";

/** Who is told what happens on a transport. */
export interface TransportSink {
  /** Bytes came. They are borrowed until the call returns. */
  received(bytes: Uint8Array): void;
  /** The peer ended its direction; nothing more is received. */
  eof(): void;
  /** The transport is gone: reset, closed under us. Once, and nothing follows. */
  failed(cause: unknown): void;
  /** The outstanding write is over: this many more of its bytes were taken, perhaps 0, and another may begin. */
  wrote(count: number): void;
}

/** One connected socket. */
export interface Transport {
  readonly remote: Address;
  readonly local: Address;
  /** Begins to read. Called once; nothing is reported before. */
  start(sink: TransportSink): void;
  /**
   * Takes some of `bytes`, says how many. If those were all, the write is over. If not, the write is outstanding
   * until `wrote` is called, and no other may begin; what was not taken then has to be written again.
   */
  write(bytes: Uint8Array): number;
  /** Ends our direction (FIN) behind all that was taken. Never while a write is outstanding. Reading goes on. */
  end(): void;
  /** Closes at once; what the kernel has not sent may be lost. Calling it again does nothing. */
  destroy(): void;
  /** Reads no more for now; bytes that are already under way in the runtime may still be reported. */
  pause(): void;
  /** Reads again. */
  resume(): void;
}

/** A listening socket. */
export interface Listener {
  /** Where it listens; the port that was taken for port 0. */
  readonly address: Address;
  /** Listens no more; what was accepted stays. Calling it again does nothing. */
  close(): void;
}

/** What is told of a listening socket. */
export interface ListenerSink {
  /** A socket was accepted. */
  accepted(transport: Transport): void;
  /** Listening ended by itself. */
  failed(cause: unknown): void;
}

/** Monotonic time, and one-shot timers. */
export interface Clock {
  /** Monotonic time, ms with a fraction. */
  now(): number;
  /** The wall clock, ms since 1970. */
  wall(): number;
  /** Calls back once in `delay` ms: a whole number, at most 2^31 - 1. */
  setTimer(callback: () => void, delay: number): unknown;
  /** The timer will not fire. */
  clearTimer(timer: unknown): void;
}

/** A runtime. */
export interface Platform {
  readonly clock: Clock;
  readonly environment: Environment;
  /** Dials. Exactly one of the two is called, later, unless the function it returns is called first, which gives up; later it does nothing. */
  dial(
    address: Address,
    dialed: (transport: Transport) => void,
    failed: (cause: unknown) => void,
  ): () => void;
  /** Listens. Rejects with what the runtime says. */
  listen(address: Address, sink: ListenerSink): Promise<Listener>;
}

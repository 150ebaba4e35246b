/**
 * The contract between a machine and whoever drives it. `adapters/driver.ts` is the only driver of the project; a test is
 * another. A machine does no I/O and knows no clock: bytes and times go in, bytes, events and a deadline come out.
 *
 * The loop, for one machine over one transport:
 *
 *   1. Give it one input, with the current monotonic time.
 *   2. Drain `nextEvent()` until null. Byte views in events are borrowed until the next input.
 *   3. While no write is outstanding: `peekTransmit()`; begin to write what it returns; call `advanceTransmit(n)` for what
 *      the runtime took. The bytes never change afterwards. They may lie in one buffer with those of other machines: it must not be
 *      transferred, and nothing beyond the view be shown to anybody.
 *   4. Do what `socketAction()` says: "end" = half-close once `peekTransmit()` is null, and keep reading; "destroy" = now.
 *   5. Pause or resume reading as `wantsRead()` says.
 *   6. Arm one timer for `deadline()`, at most 2^31 - 1 ms ahead, and call `handleTimeout(now)` with the *real* time then.
 *
 * A machine that belongs to a `Client` or a `Server` is driven alike, but after each input the owner's `settle(connection)`
 * is called, the owner's `nextDirty()` is drained (each of those gets steps 2 to 5), and the one timer is the owner's. Behind what an application
 * says (a message, a request, an answer, what it has finished) `settle` may wait until step 3 was done once, whatever the runtime took: it has to come before the
 * owner's `deadline()` is read, and, where a server has a store, before `nextWrite()` is.
 *
 * Rules: `now` is monotonic ms; it is floored to whole microseconds and never runs back inside. A peer's bytes never throw.
 * Early and spurious timeouts change nothing.
 *
 * @module
 */

/** What the driver shall do with the socket. */
export type SocketAction = "keep" | "end" | "destroy";

/** A pure state machine over one transport. `E` is its event type. */
export interface Machine<E> {
  /** Bytes from the peer, borrowed until the next input. */
  receive(bytes: Uint8Array, now: number): void;
  /** The peer ended its direction (FIN). */
  receiveEof(now: number): void;
  /** The transport failed (reset, unreachable, ...) or was closed under us. */
  transportFailed(cause: unknown, now: number): void;
  /** The deadline may have come. */
  handleTimeout(now: number): void;
  /** A sample of the wall clock, ms since 1970, with the monotonic time it was taken at. Optional. */
  observeWall(wall: number, now: number): void;
  /** The bytes to write next, or null. Stays the same until `advanceTransmit`. */
  peekTransmit(): Uint8Array | null;
  /** The runtime took `n` of the bytes that `peekTransmit` returned. */
  advanceTransmit(n: number): void;
  /** The next event, or null. The object may be used again by the next call. */
  nextEvent(): E | null;
  /** What to do with the socket. */
  socketAction(): SocketAction;
  /** Whether the socket shall be read. */
  wantsRead(): boolean;
  /** When `handleTimeout` wants to be called, monotonic ms; Infinity = never. After `handleTimeout(now)` it is > now. */
  deadline(): number;
}

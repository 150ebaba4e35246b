/**
 * One machine and the transport that it was joined to: what comes is given to the machine, and what the machine shows is written.
 *
 * Rules: one write outstanding; what a socket does is what the machine says; nothing of a machine that is held is written, and what
 * comes for it is kept in order.
 *
 * @module
 */

import type { Machine } from "../core/mod.ts";
import type { Transport, TransportSink } from "./transport.ts";

/** Who drives it: the run loop. */
export interface Drives<M> {
  /** The time to give an input with. */
  now(): number;
  /** An input was given that may have events. */
  done(machine: M | null, now: number): void;
  /** Bytes came for a machine that is held. */
  heard(machine: M): void;
  /** The transport is gone. */
  forget(machine: M): void;
}

/** A machine that is held leaves more than this with the kernel, bytes. */
const HELD_MAX = 65_536;

/** One machine and its transport. */
export class Attachment<M extends Machine<E>, E> implements TransportSink {
  readonly machine: M;
  readonly transport: Transport;
  /** It is among those with something to write or to do. */
  touched = false;
  /** Its machine was given something of which its owner does not know. */
  given = false;
  readonly #driver: Drives<M>;
  #writing = false;
  #ended = false;
  #reading = true;
  #gone = false;
  /** What came while it is held, in order, and how many bytes; null: it is not. */
  #held: (() => void)[] | null = null;
  #heldBytes = 0;

  constructor(machine: M, transport: Transport, driver: Drives<M>) {
    this.machine = machine;
    this.transport = transport;
    this.#driver = driver;
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.#heldBytes = 0;
    for (const input of held) if (!this.#gone) input();
  }

  drop(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#held = [];
    this.transport.destroy();
    this.#driver.forget(this.machine);
  }

  /** Keeps an input for later. Whether it did. */
  #keeps(input: () => void, size = 0): boolean {
    if (this.#held === null) return false;
    if (this.#gone) return true;
    this.#held.push(input);
    this.#heldBytes += size;
    if (this.#heldBytes >= HELD_MAX && this.#reading) {
      this.#reading = false;
      this.transport.pause();
    }
    this.#driver.heard(this.machine);
    return true;
  }

  received(bytes: Uint8Array): void {
    if (this.#held !== null) {
      const copy = bytes.slice();
      return void this.#keeps(() => this.received(copy), copy.length);
    }
    const now = this.#driver.now();
    this.machine.receive(bytes, now);
    this.#driver.done(this.machine, now);
  }

  eof(): void {
    if (this.#keeps(() => this.eof())) return;
    const now = this.#driver.now();
    this.machine.receiveEof(now);
    this.#driver.done(this.machine, now);
  }

  failed(cause: unknown): void {
    if (this.#keeps(() => this.failed(cause))) return;
    const now = this.#driver.now();
    this.#writing = true; // for ever: nothing can be written any more
    this.machine.transportFailed(cause, now);
    this.#driver.done(this.machine, now);
  }

  wrote(count: number): void {
    this.#writing = false;
    if (this.#gone) return;
    if (count > 0) this.machine.advanceTransmit(count);
    this.#driver.done(this.machine, this.#driver.now());
  }

  /** Writes, ends, destroys, pauses and resumes as the machine says. Whether the machine learned of bytes taken. */
  flush(): boolean {
    if (this.#gone || this.#held !== null) return false;
    const { machine, transport } = this;
    let advanced = false;
    if (machine.socketAction() !== "destroy") {
      while (!this.#writing) {
        const bytes = machine.peekTransmit();
        if (bytes === null) break;
        const count = transport.write(bytes);
        this.#writing = count < bytes.length;
        if (count > 0) {
          machine.advanceTransmit(count);
          advanced = true;
        }
      }
    }
    const action = machine.socketAction();
    if (action === "destroy") {
      this.#gone = true;
      transport.destroy();
      this.#driver.forget(machine);
      return advanced;
    }
    if (action === "end" && !this.#ended && !this.#writing && machine.peekTransmit() === null) {
      this.#ended = true;
      transport.end();
    }
    const wanted = machine.wantsRead();
    if (wanted !== this.#reading) {
      this.#reading = wanted;
      if (wanted) transport.resume();
      else transport.pause();
    }
    return advanced;
  }
}

/**
 * What the historical profiles share: a stream without handshake, frames or credit, whose end is the end of the stream.
 *
 * Rules: the contract of machine.ts and conversation.ts. A server's side begins "deciding" and is opened by `accept`; a client's side is
 * open at once. There is no credit here, so what the application has not finished holds the socket back (`wantsRead`), and while
 * we do not read, silence is not judged. A profile adds what it reads (`read`), when it beats (`beat`) and what its peer owes.
 *
 * @module
 */

import type { Code } from "../codes.ts";
import type { Conversation, GoAwayOptions } from "../conversation.ts";
import { HeartwireError } from "../errors.ts";
import { EventQueue } from "../event_queue.ts";
import type { Agreement, CloseReason, ConnectionEvent, Evidence } from "../events.ts";
import { TURN } from "../liveness/beat.ts";
import { RoundTrip } from "../liveness/rtt.ts";
import type { SocketAction } from "../machine.ts";
import { roundTripStats } from "../measured.ts";
import type { ResolvedConnection } from "../options.ts";
import type { Phase, Role } from "../phases.ts";
import { type ConnectionStats, Counters } from "../stats.ts";
import { type Micros, NEVER, toMicros, toMillis } from "../time.ts";
import { Timer, Timers } from "../timers.ts";
import { ByteQueue } from "../wire/bytes.ts";

/** After our end, what still comes is read for so long, us. */
const LINGER: Micros = 1_000_000;

/** A conversation over a bare stream. */
export abstract class StreamConversation implements Conversation {
  readonly role: Role;
  readonly agreement: Agreement;
  readonly goaway: null = null;
  readonly session: null = null;
  phase: Phase;
  reason: CloseReason | null = null;
  protected readonly options: ResolvedConnection;
  protected readonly timers: Timers = new Timers();
  protected readonly out: ByteQueue = new ByteQueue();
  protected readonly counters: Counters = new Counters();
  protected readonly roundTrip: RoundTrip = new RoundTrip();
  protected now: Micros;
  /** Messages given out, as a position. */
  protected received = 0;
  #events: EventQueue<ConnectionEvent> = new EventQueue();
  #action: SocketAction = "keep";
  #eof = false;
  #blocked = false;
  #shown: Uint8Array | null = null;
  #sentBytes = 0;
  #wall = 0;
  #wallAt: Micros = 0;
  #wallKnown = false;
  #heardAt: Micros;
  #watching = false;
  #suspected = false;
  #turning = false;
  #draining = false;
  #unfinished: { position: number; bytes: number }[] = [];
  #unfinishedBytes = 0;

  /**
   * @param detection after how much silence of the peer it is dead, us; Infinity = never
   */
  constructor(role: Role, options: ResolvedConnection, now: number, detection: Micros) {
    this.role = role;
    this.options = options;
    this.now = this.#heardAt = toMicros(now);
    const { interval, multiplier } = options.heartbeat;
    this.agreement = Object.freeze({
      version: 0,
      txInterval: interval,
      rxInterval: interval,
      txDetection: interval * multiplier,
      rxDetection: toMillis(detection),
      probeDetection: toMillis(detection),
      detectionBound: toMillis(detection + TURN),
      idleDetectionBound: toMillis(detection + TURN),
      deferralCap: 0,
      maxMessage: options.maxMessage,
    });
    this.phase = role === "server" ? "deciding" : "open";
    if (role === "server") this.timers.set(Timer.HANDSHAKE, this.now + toMicros(options.handshakeTimeout));
  }

  /** To be called at the end of a subclass's constructor. */
  protected begin(): void {
    if (this.role === "client") this.#opened();
  }

  #opened(): void {
    this.phase = "open";
    this.timers.clear(Timer.HANDSHAKE);
    this.emit({ type: "open", agreement: this.agreement, resumed: false });
    this.#heardAt = this.now;
    this.opened();
  }

  // What a profile adds.

  /** The conversation begins. */
  protected abstract opened(): void;
  /** Bytes of the peer. */
  protected abstract read(bytes: Uint8Array): void;
  /** The timer BEAT fired. */
  protected abstract beat(): void;
  /** The timer ACK fired: a profile may use it for what it holds back. */
  protected held(): void {}
  /** The peer ended the stream: the last chance to give out what is held. */
  protected drained(): void {}

  // What a profile uses.

  protected emit(event: ConnectionEvent): void {
    this.#events.push(event);
  }

  /** Gives out a message; the bytes are borrowed unless `owned`. */
  protected deliver(bytes: Uint8Array, owned: boolean): void {
    this.counters.messagesReceived++;
    this.received++;
    this.#unfinished.push({ position: this.received, bytes: bytes.length });
    this.#unfinishedBytes += bytes.length;
    this.emit({ type: "message", bytes, position: this.received, owned, volatile: false });
  }

  /** From now on the peer owes a sign of life. */
  protected watch(): void {
    this.#watching = true;
    this.#heard();
  }

  /** Appends bytes to what is sent. */
  protected put(bytes: Uint8Array | readonly number[]): void {
    this.out.reserve(bytes.length);
    this.out.bytes.set(bytes, this.out.at);
    this.out.commit(bytes.length);
  }

  /** The wall clock, whole seconds modulo 2^32; ERR_HEARTWIRE_WALL if nobody told it. */
  protected wallSeconds(): number {
    if (!this.#wallKnown) {
      throw new HeartwireError("WALL", "this profile needs the wall clock: call observeWall first");
    }
    return Math.floor((this.#wall + toMillis(this.now - this.#wallAt)) / 1_000) % 0x1_0000_0000;
  }

  /** Whether the wall clock is known. */
  protected get knowsWall(): boolean {
    return this.#wallKnown;
  }

  /** A heartbeat could not be believed: counted and reported; past the tolerance it ends the conversation. */
  protected heartbeatFault(code: Code, text: string): void {
    this.counters.heartbeatFaults++;
    if (this.counters.heartbeatFaults > this.options.heartbeat.tolerance) return this.fail(code, text);
    this.emit({ type: "fault", code, text, fatal: false });
  }

  /** The peer broke a rule. These protocols have no words to say so: the stream ends. */
  protected fail(code: Code, text: string): void {
    if (this.reason !== null) return;
    this.emit({ type: "fault", code, text, fatal: true });
    this.finish({ kind: "fault", code, text }, "end");
  }

  protected finish(reason: CloseReason, action: "end" | "destroy"): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.phase = "closed";
    this.#action = action;
    this.timers.clearAll();
    if (action === "end") this.timers.set(Timer.LINGER, this.now + LINGER);
    this.emit({ type: "closed", reason });
  }

  protected enter(now: number): void {
    const micros = toMicros(now);
    if (micros > this.now && micros !== NEVER) this.now = micros;
  }

  // Inputs.

  receive(bytes: Uint8Array, now: number): void {
    this.enter(now);
    if (bytes.length === 0) return;
    this.counters.bytesReceived += bytes.length;
    if (this.reason !== null || this.phase === "deciding") return;
    this.#heard();
    this.read(bytes);
    this.#arm(); // what was read may be more than we will read on beside
  }

  #heard(): void {
    this.#heardAt = this.now;
    this.#turning = false;
    if (this.#suspected) {
      this.#suspected = false;
      this.emit({ type: "alive", verdict: "INBOUND_SILENT" });
    }
    this.#arm();
  }

  #arm(): void {
    const { rxDetection } = this.agreement;
    if (!this.#watching || this.reason !== null || rxDetection === Infinity) return;
    if (!this.wantsRead()) return this.timers.clear(Timer.INBOUND);
    const limit = toMicros(rxDetection);
    this.timers.set(Timer.INBOUND, this.#heardAt + (this.#suspected ? limit : Math.floor(limit * 2 / 3)));
  }

  receiveEof(now: number): void {
    this.enter(now);
    if (this.#eof) return;
    this.#eof = true;
    if (this.reason !== null) return;
    if (this.phase === "deciding") return this.finish({ kind: "lost", code: "LOST", cause: null }, "destroy");
    this.drained();
    const by = this.phase === "closing" ? "local" : "peer";
    // The end of the stream is the only good end that these protocols have.
    this.finish({ kind: "closed", code: "NONE", by, closeCode: 0, text: "" }, "end");
  }

  transportFailed(cause: unknown, now: number): void {
    this.enter(now);
    this.finish({ kind: "lost", code: "LOST", cause }, "destroy");
    this.#destroy();
  }

  #destroy(): void {
    this.#action = "destroy";
    this.timers.clearAll();
    this.out.clear();
    this.#shown = null;
  }

  handleTimeout(now: number): void {
    this.enter(now);
    if (this.timers.next() > this.now) return;
    if (this.timers.expired(Timer.LINGER, this.now)) return this.#destroy();
    if (this.timers.expired(Timer.HANDSHAKE, this.now)) {
      this.finish({ kind: "timeout", code: "HANDSHAKE_TIMEOUT" }, "destroy");
    }
    if (this.timers.expired(Timer.CLOSE, this.now)) {
      this.finish({ kind: "timeout", code: "CLOSE_TIMEOUT" }, "destroy");
    }
    if (this.timers.expired(Timer.INBOUND, this.now)) this.#silent();
    if (this.timers.expired(Timer.ACK, this.now)) this.held();
    if (this.timers.expired(Timer.BEAT, this.now)) this.beat();
  }

  #silent(): void {
    const limit = toMicros(this.agreement.rxDetection);
    const silent = this.now - this.#heardAt;
    const evidence: Evidence = {
      verdict: "INBOUND_SILENT",
      direction: "inbound",
      silentFor: toMillis(silent),
      limit: toMillis(limit),
      deferred: 0,
    };
    if (this.#turning) return this.finish({ kind: "dead", code: "DEAD", evidence }, "destroy");
    if (!this.#suspected) {
      this.#suspected = true;
      this.counters.suspicions++;
      this.emit({ type: "suspect", evidence });
    }
    this.#turning = silent >= limit;
    this.timers.set(Timer.INBOUND, this.#turning ? this.now + TURN : this.#heardAt + limit);
  }

  observeWall(wall: number, now: number): void {
    this.enter(now);
    this.#wall = wall;
    this.#wallAt = this.now;
    const first = !this.#wallKnown;
    this.#wallKnown = true;
    if (first && this.phase === "open") this.wallKnown();
  }

  /** The wall clock is known for the first time. */
  protected wallKnown(): void {}

  send(payload: Uint8Array, now: number): "accepted" | "blocked" {
    this.enter(now);
    if (this.phase !== "open") throw this.notOpen("send");
    if (payload.length > this.options.maxMessage) {
      throw new HeartwireError(
        "MESSAGE_TOO_LARGE",
        `send: ${payload.length} bytes, at most ${this.options.maxMessage}`,
      );
    }
    if (this.out.pending > 0 && this.out.pending + payload.length > this.options.sendBuffer) {
      this.#blocked = true;
      return "blocked";
    }
    this.counters.messagesSent++;
    // Slabs are bounded, messages are not: one piece after the other.
    for (let at = 0; at < payload.length; at += PIECE) this.put(payload.subarray(at, at + PIECE));
    return "accepted";
  }

  protected notOpen(what: string): HeartwireError {
    return new HeartwireError("NOT_OPEN", `${what}: the connection is ${this.phase}`);
  }

  protected unsupported(what: string): HeartwireError {
    return new HeartwireError("UNSUPPORTED", `${what}: profile ${this.options.profile} has no words for it`);
  }

  consumed(position: number, now: number): void {
    this.enter(now);
    const wanted = this.wantsRead();
    while (this.#unfinished.length > 0 && this.#unfinished[0]!.position <= position) {
      this.#unfinishedBytes -= this.#unfinished.shift()!.bytes;
    }
    if (this.#draining && this.#unfinished.length === 0) this.close(0, "", now);
    if (wanted || !this.wantsRead()) return;
    this.#heardAt = this.now; // we did not listen; the peer's time begins anew
    this.#arm();
  }

  ping(_now: number): number {
    throw this.unsupported("ping");
  }

  /** Nothing is said: these protocols know no announcement. */
  sendVolatile(): never {
    throw this.unsupported("sendVolatile");
  }

  request(): never {
    throw this.unsupported("request");
  }

  cancel(): void {}

  reply(): never {
    throw this.unsupported("reply");
  }

  get retuning(): boolean {
    return false;
  }

  retune(): void {
    throw this.unsupported("retune");
  }

  goAway(_options: GoAwayOptions, now: number): void {
    this.enter(now);
  }

  close(_closeCode: number, _text: string, now: number): void {
    this.enter(now);
    if (this.phase === "deciding") {
      return this.finish({ kind: "aborted", code: "ABORTED", text: "" }, "destroy");
    }
    if (this.phase !== "open") return;
    this.phase = "closing";
    this.timers.clear(Timer.BEAT);
    this.timers.set(Timer.CLOSE, this.now + toMicros(this.options.closeTimeout));
    if (this.#action === "keep") this.#action = "end";
  }

  drain(closeCode: number, text: string, now: number): void {
    this.enter(now);
    if (this.phase !== "open" || this.#unfinished.length === 0) return this.close(closeCode, text, now);
    this.#draining = true;
    this.timers.set(Timer.CLOSE, this.now + toMicros(this.options.closeTimeout));
  }

  abort(_code: Code, text: string, now: number): void {
    this.enter(now);
    this.finish({ kind: "aborted", code: "ABORTED", text }, "destroy");
    this.#destroy();
  }

  accept(now: number): void {
    this.enter(now);
    if (this.phase === "deciding") this.#opened();
  }

  reject(code: Code, retryAfter: number, text: string, now: number): void {
    this.enter(now);
    if (this.phase !== "deciding") return;
    this.finish({ kind: "refused", code, by: "local", retryAfter, text }, "end");
  }

  // Outputs.

  peekTransmit(): Uint8Array | null {
    return this.#shown ??= this.out.peek();
  }

  advanceTransmit(n: number): void {
    if (this.#action === "destroy") return;
    if (this.#shown === null || !(n >= 0 && n <= this.#shown.length)) {
      throw new HeartwireError("ADVANCE", `advanceTransmit(${n}): more than peekTransmit showed`);
    }
    this.out.advance(n);
    this.#sentBytes += n;
    this.#shown = n === this.#shown.length ? null : this.#shown.subarray(n);
    if (this.#blocked && this.out.pending * 2 <= this.options.sendBuffer) {
      this.#blocked = false;
      if (this.phase === "open") this.emit({ type: "writable" });
    }
  }

  nextEvent(): ConnectionEvent | null {
    return this.#events.take();
  }

  socketAction(): SocketAction {
    const over = this.reason !== null && this.#eof && this.out.pending === 0;
    return this.#action === "end" && over ? "destroy" : this.#action;
  }

  /** Not while the application has a window's worth of messages to finish, nor before the client is admitted. */
  wantsRead(): boolean {
    if (this.#action === "destroy" || this.#eof) return false;
    return this.reason !== null || (this.phase !== "deciding" && this.#unfinishedBytes < this.options.window);
  }

  deadline(): number {
    return toMillis(this.timers.next());
  }

  stats(): ConnectionStats {
    return {
      ...this.counters,
      bytesSent: this.#sentBytes,
      rtt: roundTripStats(this.roundTrip),
      clock: null,
      oneWay: null,
      detection: null,
      queued: this.out.pending,
      accepted: this.counters.messagesSent,
      acknowledged: 0,
      processed: 0,
    };
  }
}

/** Bytes put into a slab at a time. */
const PIECE = 16_384;

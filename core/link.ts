/**
 * The state of one connection, and the few things that can be done to it from more than one place: write a control frame,
 * open, close, fail, finish.
 *
 * Rules: `finish` is the only way to the phase `closed`, and it is taken once. What a peer did wrong goes through `fail`, which
 * tells both the application and, where the protocol still can, the peer. `connection.ts` has the inputs and outputs,
 * `receive.ts` what each frame does; neither changes a phase but through here.
 *
 * @module
 */

import { Copies, Names } from "./canonical.ts";
import { type Code, CODES } from "./codes.ts";
import type { Environment } from "./environment.ts";
import { EventQueue } from "./event_queue.ts";
import type { Agreement, CloseReason, ConnectionEvent } from "./events.ts";
import { Inbound } from "./flow/inbound.ts";
import { Outbound } from "./flow/outbound.ts";
import { Requests } from "./flow/requests.ts";
import type { SessionState } from "./flow/session_state.ts";
import { Transmit } from "./flow/transmit.ts";
import { agreement, DEFAULT_MAX_MESSAGE, ownTerms, peerTerms } from "./handshake.ts";
import { linkKey } from "./link_key.ts";
import type { Terms } from "./liveness/beat.ts";
import { patience } from "./liveness/blame.ts";
import { HeartbeatChecks } from "./liveness/checks.ts";
import { detectorFor } from "./liveness/detectors.ts";
import { Liveness } from "./liveness/liveness.ts";
import { Measures } from "./liveness/measures.ts";
import { Negotiation } from "./liveness/negotiation.ts";
import type { SocketAction } from "./machine.ts";
import type { ResolvedConnection } from "./options.ts";
import type { Phase, Role } from "./phases.ts";
import { tellBusy } from "./messages.ts";
import { catchUp } from "./resume.ts";
import { Counters } from "./stats.ts";
import { type Micros, NEVER, toMillis } from "./time.ts";
import { Timer, Timers } from "./timers.ts";
import { Decoder } from "./wire/decoder.ts";
import { writeAck, writeCredit, writeFrame, writePing, writePong, writePreface } from "./wire/encoder.ts";
import type { CloseFrame, ControlFrame, HelloFrame } from "./wire/frames.ts";
import type { Parameters } from "./wire/parameters.ts";
import { foreignReply } from "./wire/preface.ts";
import { ANSWER, FRAME_LIMIT, STALLED } from "./wire/registry.ts";

/** An ACK leaves at the latest so long after the first thing that it covers, us. */
export const ACK_DELAY: Micros = 25_000;

/** ... or after chunks of this cost, bytes: a quarter of the least that a peer keeps in flight, so that it need not wait. */
export const ACK_BYTES = 16_384;

/** Answers owed to a peer that does not read them, bytes: some 2,700 heartbeats. */
const CONTROL_LIMIT = 65_536;

/** After the end, what still comes is read and dropped for so long, us. */
const LINGER: Micros = 1_000_000;

/** They stand there until a server knows what a connection carries: nothing is sent or taken before, and nothing of them changes. */
const NO_INBOUND = new Inbound(0, 0);
const NO_OUTBOUND = new Outbound({ entropy() {} }, 0);
const NO_REQUESTS = new Requests(0);

type Said = Pick<CloseFrame, "code" | "text">;

/** The state of one connection. Internal to core: applications hold a `Connection`. */
export class Link {
  readonly role: Role;
  readonly options: ResolvedConnection;
  environment: Environment;
  phase: Phase;
  now: Micros;
  timers: Timers = new Timers();
  decoder: Decoder;
  inbound: Inbound;
  outbound: Outbound;
  requests: Requests;
  transmit: Transmit = new Transmit();
  counters: Counters = new Counters();
  liveness: Liveness | null = null;
  checks: HeartbeatChecks | null = null;
  /** Of the last conversation, also behind its end. */
  measures: Measures | null = null;
  negotiation: Negotiation | null = null;
  agreement: Agreement | null = null;
  /** The last sample of the wall clock before it was open. */
  wall: { readonly wall: Micros; readonly at: Micros } | null = null;
  /** Two inputs less than this apart hide no stall, us. */
  patience: Micros = NEVER;
  events: EventQueue<ConnectionEvent> = new EventQueue();
  version = 0;
  /** What outlives this connection; null: nothing does. */
  session: SessionState | null;
  /** It went on where it was. */
  resumed = false;
  /** The handshake was completed, whatever became of it. */
  opened = false;
  /** The client's HELLO, while the server decides. */
  hello: HelloFrame | null = null;
  reason: CloseReason | null = null;
  action: SocketAction = "keep";
  eof = false;
  /** What the application wants to end with, and what the peer ended with. */
  closing: Said | null = null;
  /** What it wants to end with once it has finished the messages that it has. */
  draining: Said | null = null;
  closeReceived: Said | null = null;
  closeSent = false;
  /** The peer announced that this connection ends; ms until it may be dialled again, and the jitter's width. */
  goaway: { readonly retryAfter: number; readonly jitter: number } | null = null;
  /** Cost of chunks that no ACK covers, and what the last one, or the handshake, said. */
  unacknowledged = 0;
  ackedReceived = 0;
  ackedProcessed = 0;
  /** The last turn before a deadline is enforced: a bit each of the timers HANDSHAKE, FRAME and CLOSE. */
  turning = 0;
  /** When the unfinished frame last grew. */
  grewAt: Micros = 0;
  /** A stall of ours moved its deadline; no other will. */
  frameDeferred = false;

  constructor(
    role: Role,
    options: ResolvedConnection,
    environment: Environment,
    now: Micros,
    session: SessionState | null,
  ) {
    this.role = role;
    this.options = options;
    this.environment = environment;
    this.phase = role === "client" ? "greeting" : "listening";
    this.now = now;
    this.decoder = new Decoder(environment, true);
    this.session = session;
    this.inbound = session?.inbound ?? NO_INBOUND;
    this.outbound = session?.outbound ?? NO_OUTBOUND;
    this.requests = session?.requests ?? NO_REQUESTS;
    this.ackedReceived = this.inbound.received;
    this.ackedProcessed = this.inbound.processed;
    if (session === null && role === "client") this.alone();
  }

  /** It carries no session: its messages end with it. */
  alone(): void {
    const { maxMessage, window, sendBuffer, maxRequests } = this.options;
    this.inbound = new Inbound(maxMessage, window);
    this.outbound = new Outbound(this.environment, sendBuffer);
    this.requests = new Requests(maxRequests);
  }

  /** Whether the application has yet to finish messages, or to answer requests. */
  get unfinished(): boolean {
    return this.inbound.unfinished || this.requests.owed > 0;
  }

  /** Whether messages flow. */
  get conversing(): boolean {
    return this.liveness !== null;
  }

  emit(event: ConnectionEvent): void {
    this.events.push(event);
  }

  /** Writes any control frame but those below. */
  write(frame: ControlFrame): void {
    writeFrame(this.transmit.control, frame);
    this.wrote();
  }

  /** A frame was written: transmit idle begins anew, and a peer that asks without reading is found out. */
  wrote(): void {
    if (this.liveness !== null) this.liveness.sent(this.now);
    if (this.transmit.control.pending > CONTROL_LIMIT && this.reason === null) {
      this.fail(
        "CONTROL_FLOOD",
        `${this.transmit.control.pending} bytes of answers wait for a peer that does not read`,
      );
    }
  }

  /** 0.1 ms since WELCOME, modulo 2^32. */
  timestamp(now: Micros = this.now): number {
    return Math.floor((now - this.measures!.epoch) / 100) % 0x1_0000_0000;
  }

  ping(asks: boolean): number {
    const liveness = this.liveness!;
    const control = this.transmit.control;
    const stalled = liveness.blame.confess();
    const size = stalled === 0 ? PING_BYTES : PING_BYTES + STALLED_BYTES;
    const sequence = liveness.pinged(this.now, asks, this.transmit.written + size);
    const received = this.inbound.received % 0x1_0000_0000;
    const flags = (asks ? ANSWER : 0) | (stalled === 0 ? 0 : STALLED);
    writePing(
      control,
      flags,
      sequence,
      this.timestamp(),
      liveness.promise(),
      this.checks!.heard,
      received,
      stalled,
    );
    this.counters.pingsSent++;
    this.wrote();
    return sequence;
  }

  pong(sequence: number): void {
    const received = this.inbound.received % 0x1_0000_0000;
    const liveness = this.liveness!;
    const stalled = liveness.blame.confess();
    const flags = stalled === 0 ? 0 : STALLED;
    // Answers leave in the turn in which the question came: the hold is what lies between two readings of the same `now`.
    const answer = (sequence + 1) >>> 0;
    this.negotiation!.answers(liveness.sequence);
    writePong(
      this.transmit.control,
      flags,
      answer,
      this.timestamp(),
      0,
      liveness.promise(),
      received,
      stalled,
    );
    this.counters.pongsSent++;
    this.wrote();
  }

  ack(): void {
    this.timers.clear(Timer.ACK);
    this.unacknowledged = 0;
    const { received, tellable: processed } = this.inbound;
    if (received === this.ackedReceived && processed === this.ackedProcessed) return;
    this.ackedReceived = received;
    this.ackedProcessed = processed;
    writeAck(this.transmit.control, received, processed);
    this.wrote();
  }

  /** Something is to be acknowledged, soon. */
  oweAck(): void {
    if (this.timers.at(Timer.ACK) === NEVER) this.timers.set(Timer.ACK, this.now + ACK_DELAY);
  }

  grant(): void {
    const limit = this.inbound.grant();
    if (limit === 0) return;
    writeCredit(this.transmit.control, limit);
    this.wrote();
  }

  preface(): void {
    writePreface(this.transmit.control);
  }

  /** Both offers are known: the conversation can begin. False if the agreed detection time is more than we will wait. */
  converse(peer: Parameters, own: Terms = ownTerms(this.options)): boolean {
    const negotiation = new Negotiation(own, peerTerms(peer));
    const beat = negotiation.beat();
    if (toMillis(beat.rxDetection) > this.options.heartbeat.maximumDetection) return false;
    this.negotiation = negotiation;
    this.measures = new Measures(this.now);
    this.agreement = agreement(beat, this.version, peer.maxMessage ?? DEFAULT_MAX_MESSAGE);
    this.outbound.begin(peer.credit ?? 0, this.agreement.maxMessage);
    this.checks = new HeartbeatChecks(beat, this.now);
    this.decoder.frameLimit = FRAME_LIMIT;
    return true;
  }

  /** The handshake is complete on this side. */
  open(): void {
    this.timers.clear(Timer.HANDSHAKE);
    this.turning = 0;
    this.phase = "open";
    this.opened = true;
    const beat = this.negotiation!.beat();
    const detector = detectorFor(this.options.heartbeat, beat, this.now);
    this.liveness = new Liveness(beat, detector, this.measures!, this.timers, this.environment, this.now);
    this.patience = patience(beat);
    if (this.wall !== null) this.liveness.wall(this.wall.wall, this.wall.at, this.now);
    this.wall = null;
    this.emit({ type: "open", agreement: this.agreement!, resumed: this.resumed });
    catchUp(this);
  }

  /** The terms changed, ours or the peer's. */
  retuned(): void {
    const beat = this.negotiation!.beat();
    this.liveness!.retune(beat, this.now);
    this.checks!.retune(beat, this.now);
    this.patience = patience(beat);
    this.agreement = agreement(beat, this.version, this.agreement!.maxMessage);
  }

  /** Sends the terms that wait to be offered, if nothing hinders that. */
  offerTerms(): void {
    if (this.closeSent || this.phase === "answering") return;
    const offer = this.negotiation!.offer(this.liveness!.sequence);
    if (offer === null) return;
    this.write({ kind: "params", serial: offer.serial, parameters: { ...offer.terms } });
    this.retuned();
    if (this.liveness!.mayAsk(this.now)) this.ping(!this.liveness!.probes.full);
  }

  /** Refuses the client: nothing was written to it before. */
  refuse(code: Code, retryAfter: number, text: string, parameters: Parameters = {}): void {
    this.preface();
    this.write({
      kind: "reject",
      code: CODES[code].number,
      retryAfter: Math.ceil(retryAfter),
      text,
      parameters,
    });
  }

  /** The peer broke a rule: says so to both, and ends. */
  fail(code: Code, text: string): void {
    if (this.reason !== null) return;
    this.emit({ type: "fault", code, text, fatal: true });
    this.finish({ kind: "fault", code, text }, this.complain(code, text) ? "end" : "destroy");
  }

  /** Tells the peer why, where it can understand. Returns whether there was anything to say. `finish` comes next. */
  complain(code: Code, text: string): boolean {
    const silent = this.phase === "listening" || this.phase === "deciding";
    if (code === "NOT_HEARTWIRE") {
      const foreign = this.role === "server" ? this.decoder.foreign : null;
      const reply = foreign === null ? null : foreignReply(foreign);
      if (reply === null) return false;
      const control = this.transmit.control;
      control.reserve(reply.length);
      control.bytes.set(reply, control.at);
      control.commit(reply.length);
    } else if (silent) {
      this.refuse(code, 0, text);
    } else {
      writeFrame(this.transmit.control, { kind: "error", code: CODES[code].number, text });
    }
    return true;
  }

  /** The end. */
  finish(reason: CloseReason, action: "end" | "destroy"): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.phase = "closed";
    this.action = action;
    this.liveness = null;
    this.hello = null;
    this.timers.clearAll();
    this.decoder.stop();
    this.#leaveSession(reason);
    if (action === "end") {
      this.timers.set(Timer.LINGER, this.now + LINGER);
      this.transmit.dropChunks(this.outbound);
    } else {
      this.transmit.dropAll(this.outbound);
    }
    this.emit({ type: "closed", reason });
  }

  /** The session goes on without this connection, or ends with it, in good order or not: then what is not confirmed is told. */
  #leaveSession(reason: CloseReason): void {
    if (this.session?.survives(reason)) {
      this.outbound.suspend();
      this.inbound = this.inbound.remains();
      this.outbound = this.outbound.remains();
      return;
    }
    this.inbound.drop();
    if (this.session === null || this.session.grant === null) return;
    const { messages, unsentRequests } = this.outbound.unconfirmed(this.outbound.everSent);
    if (messages.length + unsentRequests.length === 0) return;
    this.emit({ type: "lost", unconfirmed: messages, unsentRequests });
  }

  /** After "blocked": tells when there is room again. */
  roomy(): void {
    if (!this.conversing) return;
    if (this.requests.refused > 0) tellBusy(this);
    if (this.outbound.unblock()) this.emit({ type: "writable" });
  }

  /** The transport is to go now, or has gone: nothing is waited for any more. */
  destroy(): void {
    this.action = "destroy";
    this.timers.clearAll();
    this.transmit.dropAll(this.outbound);
  }

  /** Sends CLOSE when it is its turn: behind every chunk, and as an answer only when the application finished everything. */
  advanceClose(): void {
    if (this.draining !== null && this.closing === null && !this.unfinished) {
      this.closing = this.draining;
      if (this.phase === "open") this.phase = "closing";
    }
    if (this.phase !== "closing" && this.phase !== "answering") return;
    if (!this.closeSent) {
      if (this.outbound.pending > 0) return;
      if (this.closing === null && this.unfinished) return;
      if (this.inbound.processed > this.inbound.durable) return; // it is being stored
      this.ack(); // with the last `processed`, for nothing tells it after CLOSE
      if (this.reason !== null) return;
      const { code, text } = this.closing ?? this.closeReceived!;
      this.closeSent = true;
      this.write({ kind: "close", code, position: this.outbound.end, text });
    }
    if (this.closeReceived === null || this.reason !== null) return;
    const by = this.closing === null ? "peer" : "local";
    const { code, text } = this.closing ?? this.closeReceived;
    this.finish({ kind: "closed", code: "NONE", by, closeCode: code, text }, "end");
  }

  /** A copy that goes on independently, with entropy of its own. Events must have been drained. */
  clone(environment: Environment, copies: Copies = new Copies()): Link {
    const copy = new Link(this.role, this.options, environment, this.now, null);
    // What is a value, or never changes, is shared; what has a state is copied below.
    Object.assign(copy, this);
    copy.environment = environment;
    copy.timers = this.timers.clone();
    copy.decoder = this.decoder.clone();
    const carried = this.session !== null && this.session.inbound === this.inbound;
    const session = this.session;
    copy.session = session && copies.of(session, () => session.clone(environment));
    copy.inbound = carried ? copy.session!.inbound : this.inbound.clone();
    copy.outbound = carried ? copy.session!.outbound : this.outbound.clone(environment);
    copy.requests = carried ? copy.session!.requests : this.requests.clone();
    copy.transmit = this.transmit.clone();
    copy.counters = this.counters.clone();
    copy.liveness = this.liveness?.clone(copy.timers, environment) ?? null;
    copy.measures = copy.liveness?.measures ?? this.measures?.clone() ?? null;
    copy.negotiation = this.negotiation?.clone() ?? null;
    copy.checks = this.checks?.clone(this.negotiation!.beat()) ?? null;
    copy.events = this.events.clone();
    return copy;
  }

  /** The canonical form: times relative to now, sequences to their base, ids by first appearance, no statistics. */
  key(now: Micros, names: Names = new Names()): string {
    return linkKey(this, now, names);
  }
}

/** Bytes of a PING with a CRC, and of a confession in it. */
const PING_BYTES = 24;
const STALLED_BYTES = 4;

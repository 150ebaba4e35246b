/**
 * One transport connection as a pure state machine: handshake, messages, heartbeats, verdicts, close.
 *
 * The contract of its inputs and outputs stands in machine.ts. This file has them and nothing else: what frames do is in
 * receive.ts, the state and the ends in link.ts, the judgement of silence in liveness/.
 *
 * Rules: bytes of a peer never throw; local misuse does. Every input begins with `#enter`, which is where time comes in,
 * and ends with `advanceClose`.
 *
 * @module
 */

import { Copies, Names } from "./canonical.ts";
import { observeLag, observeWall } from "./clocks.ts";
import { type Code, codeNumber } from "./codes.ts";
import type { Conversation, GoAwayOptions } from "./conversation.ts";
import type { Environment } from "./environment.ts";
import { HeartwireError, numberOption, optionError } from "./errors.ts";
import type { Agreement, CloseReason, ConnectionEvent } from "./events.ts";
import { nonce, offer, ownTerms } from "./handshake.ts";
import { expire, watchFrame } from "./expire.ts";
import type { SessionState } from "./flow/session_state.ts";
import { Link } from "./link.ts";
import type { SocketAction } from "./machine.ts";
import * as messages from "./messages.ts";
import { notOpen } from "./messages.ts";
import type { ConnectionOptions } from "./options.ts";
import { resolveConnection } from "./resolve.ts";
import type { Phase, Role } from "./phases.ts";
import { Receiver, unacceptable } from "./receive.ts";
import * as resume from "./resume.ts";
import type { ConnectionStats } from "./stats.ts";
import { connectionStats } from "./measured.ts";
import { changedTerms, type HeartbeatTerms } from "./terms.ts";
import { toMicros, toMillis } from "./time.ts";
import { Timer } from "./timers.ts";
import type { HelloFrame } from "./wire/frames.ts";
import type { Parameters } from "./wire/parameters.ts";
import { SCOPE_CONNECTION, SCOPE_SESSION } from "./wire/registry.ts";

/** The longest wait that a peer can be told, ms. */
const DAY = 86_400_000;

/** A heartwire/1 connection. See {@link Machine} for how it is driven. */
export class Connection implements Conversation {
  #link: Link;
  #receiver: Receiver;

  /**
   * A connection over a transport that was just made.
   *
   * @param role "client" greets at once; "server" waits for HELLO, then for `accept` or `reject`
   * @param options checked; a wrong one throws ERR_HEARTWIRE_OPTION
   * @param environment entropy and checksum
   * @param now monotonic time, ms
   * @param carried a client's session, which this connection begins or goes on with; default none
   * @param from to be copied instead, `copies` holding what it shares; see {@link Connection.clone}
   */
  constructor(
    role: Role,
    options: ConnectionOptions,
    environment: Environment,
    now: number,
    carried: resume.Carried | null = null,
    from?: Connection,
    copies?: Copies,
  ) {
    if (from !== undefined) {
      this.#link = from.#link.clone(environment, copies);
      this.#receiver = new Receiver(this.#link);
      return;
    }
    if (role !== "client" && role !== "server") throw optionError("role", '"client" or "server"', role);
    if (!Number.isFinite(now)) throw optionError("now", "a monotonic time in ms", now);
    const resolved = resolveConnection(options);
    this.#link = new Link(role, resolved, environment, toMicros(now), carried?.state ?? null);
    this.#receiver = new Receiver(this.#link);
    this.#link.timers.set(Timer.HANDSHAKE, this.#link.now + toMicros(resolved.handshakeTimeout));
    if (role === "client") {
      this.#link.preface();
      const fresh = nonce(environment);
      const parameters = offer(resolved, ownTerms(resolved));
      if (carried !== null) resume.sessionHello(this.#link, carried.dial, fresh, parameters);
      this.#link.write({ kind: "hello", nonce: fresh, parameters });
    }
  }

  /** The state (docs/PROTOCOL.md, section 8). */
  get phase(): Phase {
    return this.#link.phase;
  }

  /** What was agreed; null before the handshake is complete. */
  get agreement(): Agreement | null {
    return this.#link.opened ? this.#link.agreement : null;
  }

  /** The session that it carries, or carried; null: none. */
  get session(): SessionState | null {
    return this.#link.session;
  }

  /** Whether messages flow. */
  get conversing(): boolean {
    return this.#link.conversing;
  }

  /** How it ended; null while it has not. */
  get reason(): CloseReason | null {
    return this.#link.reason;
  }

  /** The client's HELLO, while the phase is "deciding"; else null. */
  get hello(): HelloFrame | null {
    return this.#link.hello;
  }

  /** The peer's GOAWAY: when it may be dialled again, ms; null without one. */
  get goaway(): { readonly retryAfter: number; readonly jitter: number } | null {
    return this.#link.goaway;
  }

  #enter(now: number): Link {
    const link = this.#link;
    const micros = toMicros(now);
    // A clock that runs back, or is no number, stands still.
    if (micros > link.now && micros !== Infinity) {
      if (micros - link.now >= link.patience) observeLag(link, micros);
      link.now = micros;
    }
    return link;
  }

  /** {@inheritDoc Machine.receive} */
  receive(bytes: Uint8Array, now: number): void {
    const link = this.#enter(now);
    if (bytes.length === 0) return;
    link.counters.bytesReceived += bytes.length;
    if (link.phase === "closed") return;
    if (link.liveness !== null) {
      const ended = link.liveness.heard(link.now);
      if (ended !== null) link.emit({ type: "alive", verdict: ended });
    }
    const frames = link.decoder.framesDecoded;
    const fault = link.decoder.push(bytes, this.#receiver);
    if (fault !== null) link.fail(fault.code, fault.detail);
    watchFrame(link, frames);
    this.#receiver.settle();
    link.advanceClose();
  }

  /** {@inheritDoc Machine.receiveEof} */
  receiveEof(now: number): void {
    const link = this.#enter(now);
    if (link.eof) return;
    link.eof = true;
    if (link.phase === "closed") return;
    const cut = link.decoder.end();
    // A peer that said CLOSE may end its direction; what we owe it still goes out.
    if (link.phase === "answering" && cut === null) return;
    if (cut !== null) link.emit({ type: "fault", code: cut.code, text: cut.detail, fatal: true });
    link.finish({ kind: "lost", code: cut === null ? "LOST" : "TRUNCATED", cause: null }, "destroy");
  }

  /** {@inheritDoc Machine.transportFailed} */
  transportFailed(cause: unknown, now: number): void {
    const link = this.#enter(now);
    link.finish({ kind: "lost", code: "LOST", cause }, "destroy");
    link.destroy();
  }

  /** {@inheritDoc Machine.handleTimeout} */
  handleTimeout(now: number): void {
    const link = this.#enter(now);
    if (link.now >= link.timers.next()) expire(link);
  }

  /** {@inheritDoc Machine.observeWall} Only tells a suspended machine from a stalled process, and a clock that was set. */
  observeWall(wall: number, now: number): void {
    const link = this.#enter(now);
    const at = toMicros(now);
    // A sample may be older than the last input, but not of a time to come.
    if (Number.isFinite(wall)) observeWall(link, toMicros(wall), at <= link.now ? at : link.now);
  }

  // What the application says.

  /** {@inheritDoc Conversation.send} */
  send(payload: Uint8Array, now: number): "accepted" | "blocked" {
    return messages.send(this.#enter(now), payload);
  }

  /** {@inheritDoc Conversation.sendVolatile} */
  sendVolatile(payload: Uint8Array, now: number): "sent" | "dropped" {
    return messages.sendVolatile(this.#enter(now), payload);
  }

  /** {@inheritDoc Conversation.consumed} */
  consumed(position: number, now: number): void {
    const link = this.#enter(now);
    messages.consumed(link, position);
    link.advanceClose();
  }

  /** {@inheritDoc Conversation.request} */
  request(payload: Uint8Array, timeout: number, now: number): number {
    return messages.request(this.#enter(now), payload, timeout);
  }

  /** {@inheritDoc Conversation.cancel} */
  cancel(id: number, now: number): void {
    messages.cancel(this.#enter(now), id);
  }

  /** {@inheritDoc Conversation.reply} */
  reply(id: number, status: number, payload: Uint8Array, now: number): "accepted" | "blocked" | "late" {
    const link = this.#enter(now);
    const result = messages.reply(link, id, status, payload);
    link.advanceClose();
    return result;
  }

  /**
   * Sends a PING that wants an answer, and counts as the beat; the event `pong` follows. Returns its sequence. When more were asked for than the
   * peer takes (one in 0.75 intervals, and `multiplier` at once), it is the next that may go, and several calls are answered by one.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_PINGS_OPEN when 64 are unanswered
   */
  ping(now: number): number {
    const link = this.#enter(now);
    if (link.liveness === null) throw notOpen(link, "ping");
    if (link.liveness.probes.full) {
      throw new HeartwireError("PINGS_OPEN", `ping: ${link.liveness.probes.size} are unanswered`, {
        retryable: true,
        hint: "Wait for an answer before the next.",
      });
    }
    return link.liveness.mayAsk(link.now) ? link.ping(true) : (link.liveness.sequence + 1) >>> 0;
  }

  /** Whether an offer of {@link Connection.retune} is not settled yet. */
  get retuning(): boolean {
    return this.#link.liveness !== null && this.#link.negotiation!.open;
  }

  /**
   * Changes our heartbeat terms while connected; what is not named stays. The event `terms` tells the outcome. Times in ms.
   *
   * @throws HeartwireError ERR_HEARTWIRE_NOT_OPEN, ERR_HEARTWIRE_OPTION
   */
  retune(change: HeartbeatTerms, now: number): void {
    const link = this.#enter(now);
    if (link.liveness === null || link.closeSent || link.phase === "answering") throw notOpen(link, "retune");
    const terms = changedTerms(change, link.negotiation!.wanted);
    const longest = link.options.heartbeat.maximumDetection;
    if (!link.negotiation!.bearable(terms, longest)) {
      throw optionError(
        "minimumInterval",
        `one with a detection time of at most ${longest} ms`,
        terms.requiredRx,
      );
    }
    link.negotiation!.want(terms);
    link.offerTerms();
    link.advanceClose();
  }

  /** Announces an end to the peer; see {@link GoAwayOptions}. */
  goAway(options: GoAwayOptions, now: number): void {
    const link = this.#enter(now);
    const greeted = link.liveness !== null || link.phase === "welcomed";
    if (!greeted || link.closeSent) throw notOpen(link, "goAway");
    link.write({
      kind: "goaway",
      scope: options.scope === "session" ? SCOPE_SESSION : SCOPE_CONNECTION,
      code: codeNumber(options.code),
      retryAfter: Math.ceil(numberOption("retryAfter", options.retryAfter ?? 0, 0, DAY)),
      jitter: Math.ceil(numberOption("jitter", options.jitter ?? 0, 0, DAY)),
      text: options.text ?? "",
      endpoint: options.endpoint ?? "",
    });
  }

  /**
   * Ends in good order: CLOSE goes behind all accepted messages, and the peer's application finishes what arrived before it
   * answers; `closeTimeout` bounds it all. During the handshake, and on a second call, it does what is left to do.
   */
  close(closeCode: number, text: string, now: number): void {
    const link = this.#enter(now);
    numberOption("closeCode", closeCode, 0, Number.MAX_SAFE_INTEGER, true);
    if (link.phase === "closed" || link.closing !== null) return;
    if (link.phase === "welcomed" || link.liveness === null) return this.abort("ABORTED", text, now);
    link.closing = { code: closeCode, text };
    if (link.phase === "open") link.phase = "closing";
    link.timers.set(Timer.CLOSE, link.now + toMicros(link.options.closeTimeout));
    link.advanceClose();
  }

  /**
   * Ends in good order as `close` does, but first lets the application finish the messages that it has, and answer them.
   * `closeTimeout` bounds that too.
   */
  drain(closeCode: number, text: string, now: number): void {
    const link = this.#enter(now);
    if (link.liveness === null || link.closing !== null) return this.close(closeCode, text, now);
    numberOption("closeCode", closeCode, 0, Number.MAX_SAFE_INTEGER, true);
    link.draining ??= { code: closeCode, text };
    link.timers.set(Timer.CLOSE, link.now + toMicros(link.options.closeTimeout));
    link.advanceClose();
  }

  /** Ends at once: ERROR to the peer as far as it can be said, then the transport goes. */
  abort(code: Code, text: string, now: number): void {
    const link = this.#enter(now);
    codeNumber(code);
    if (link.phase === "closed") return;
    const said = link.phase !== "listening" && link.complain(code, text);
    link.finish({ kind: "aborted", code: "ABORTED", text }, said ? "end" : "destroy");
  }

  /**
   * Server, in the phase "deciding": welcomes the client.
   *
   * @param minimumInterval the shortest interval at which this client may beat, ms; default the option
   * @param admission the session that it gets; default none
   */
  accept(now: number, minimumInterval?: number, admission?: resume.Admission): void {
    const link = this.#enter(now);
    if (link.hello === null) return;
    const terms = ownTerms(link.options, minimumInterval);
    const hello = link.hello.parameters;
    if (admission === undefined) link.alone();
    else resume.carry(link, admission.state);
    if (!link.converse(hello, terms)) {
      return this.reject("HEARTBEAT_UNACCEPTABLE", 0, unacceptable(link), now);
    }
    link.hello = null;
    link.preface();
    if (admission?.resumed) resume.resumeAt(link, hello);
    link.resumed = admission?.known ?? false;
    const parameters = offer(link.options, terms);
    if (admission !== undefined) resume.sessionWelcome(admission, parameters);
    link.write({ kind: "welcome", nonce: nonce(link.environment), parameters });
    link.phase = "welcomed";
  }

  /** Server, before it welcomed: refuses the client. `retryAfter` in ms, 0 = unsaid; `session`: what is told of the session that it asked for. */
  reject(code: Code, retryAfter: number, text: string, now: number, session: Parameters = {}): void {
    const link = this.#enter(now);
    codeNumber(code);
    numberOption("retryAfter", retryAfter, 0, DAY);
    if (link.phase !== "deciding" && link.phase !== "listening") return;
    link.refuse(code, retryAfter, text, session);
    link.finish({ kind: "refused", code, by: "local", retryAfter, text }, "end");
  }

  /** Server: another connection goes on with the session. */
  supersede(now: number): void {
    this.interrupt("SUPERSEDED", "another connection goes on with the session", now);
  }

  /** Server: this connection ends, and the session does not. The code must be one that sessions survive. */
  interrupt(code: Code, text: string, now: number): void {
    this.#enter(now).fail(code, text);
  }

  /** Client: it was held, and goes on with its session, of which something may have changed meanwhile. */
  goesOn(now: number): void {
    const link = this.#enter(now);
    if (link.conversing) resume.catchUp(link);
  }

  /** Whether the application has yet to finish messages, or to answer requests. */
  get unfinished(): boolean {
    return this.#link.unfinished;
  }

  /** Server: more of its session is stored, so more may leave, and more may be told. */
  stored(now: number): void {
    const link = this.#enter(now);
    if (!link.conversing) return;
    if (link.inbound.tellable > link.ackedProcessed) link.oweAck();
    link.advanceClose();
  }

  // Outputs.

  /** {@inheritDoc Machine.peekTransmit} */
  peekTransmit(): Uint8Array | null {
    const link = this.#link;
    const sent = link.outbound.sent;
    const bytes = link.transmit.peek(link.outbound, link.now);
    if (link.outbound.sent !== sent && link.liveness !== null) link.liveness.sent(link.now);
    return bytes;
  }

  /** {@inheritDoc Machine.advanceTransmit} */
  advanceTransmit(n: number): void {
    const link = this.#link;
    if (link.action === "destroy") return;
    if (!link.transmit.advance(n, link.outbound)) {
      throw new HeartwireError("ADVANCE", `advanceTransmit(${n}): more than peekTransmit showed`);
    }
    link.roomy();
    link.advanceClose();
  }

  /** {@inheritDoc Machine.nextEvent} */
  nextEvent(): ConnectionEvent | null {
    return this.#link.events.take();
  }

  /** {@inheritDoc Machine.socketAction} */
  socketAction(): SocketAction {
    const link = this.#link;
    return link.action === "end" && link.eof && link.transmit.empty ? "destroy" : link.action;
  }

  /** {@inheritDoc Machine.wantsRead} Credit, not the socket, holds messages back: heartbeats come by the same socket. */
  wantsRead(): boolean {
    return this.#link.action !== "destroy" && !this.#link.eof;
  }

  /** {@inheritDoc Machine.deadline} */
  deadline(): number {
    return toMillis(this.#link.timers.next());
  }

  /** {@inheritDoc Conversation.stats} */
  stats(now?: number): ConnectionStats {
    const link = this.#link;
    return connectionStats(link, now === undefined ? link.now : Math.max(link.now, toMicros(now)));
  }

  /** A copy that goes on independently, with entropy of its own. Drain events before. */
  clone(environment: Environment, copies: Copies = new Copies()): Connection {
    const { role, options, now } = this.#link;
    return new Connection(role, options, environment, toMillis(now), null, this, copies);
  }

  /**
   * The canonical key at this time (canonical.ts). Equal keys step alike. Bytes that wait for the transport, and those of an unfinished
   * frame, stand in it as they are.
   */
  key(now: number, names: Names = new Names()): string {
    return this.#link.key(toMicros(now), names);
  }
}

/**
 * What each frame of the peer does to a connection.
 *
 * Rules: a frame is first held against the table of phases; what it says is checked before anything changes; a fault stops the
 * decoder, so that nothing behind it is processed. Nothing here throws, whatever comes.
 *
 * @module
 */

import { progress, readWelcome } from "./resume.ts";
import { confessed, diagnosed } from "./clocks.ts";
import { type Code, codeFromNumber, codeNumber } from "./codes.ts";
import type { Verdict } from "./events.ts";
import { commonVersion } from "./handshake.ts";
import { ACK_BYTES, type Link } from "./link.ts";
import { tellBusy } from "./messages.ts";
import { type FrameName, mayReceive } from "./phases.ts";
import { toMillis } from "./time.ts";
import { Timer } from "./timers.ts";
import type { FrameSink } from "./wire/decoder.ts";
import type {
  CancelFrame,
  CloseFrame,
  ControlFrame,
  GoawayFrame,
  HelloFrame,
  ParamsFrame,
  RejectFrame,
  WelcomeFrame,
} from "./wire/frames.ts";
import { ANSWER, CHUNK_COST, FIRST, Integrity, SCOPE_CONNECTION, SCOPE_SESSION } from "./wire/registry.ts";

/** A peer that tells us to wait longer is taken to mean so long, ms: a day. */
const LONGEST_WAIT = 86_400_000;

/** Frames that come often. */
type Often = "data" | "volatile" | "request" | "reply" | "ping" | "pong" | "ack" | "credit";

/** The decoder's sink of one connection. */
export class Receiver implements FrameSink {
  #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Holds a frame against the table. The client's first frame after WELCOME opens the server's side. */
  #admit(frame: FrameName): boolean {
    const link = this.#link;
    if (!mayReceive(link.phase, frame)) {
      if (link.phase !== "closed") {
        link.fail("UNEXPECTED_FRAME", `${frame.toUpperCase()} while ${link.phase}`);
      }
      return false;
    }
    if (link.phase === "welcomed" && frame !== "error") link.open();
    return true;
  }

  /** The same for the frames that come often, without a look at the table where it allows them all. */
  #admitOften(frame: Often): boolean {
    return this.#link.phase === "open" || this.#admit(frame);
  }

  #relieved(verdict: Verdict | null): void {
    if (verdict !== null) this.#link.emit({ type: "alive", verdict });
  }

  preface(lowest: number, highest: number): void {
    const link = this.#link;
    link.version = commonVersion(lowest, highest);
    if (link.version === 0) link.fail("VERSION_MISMATCH", `the peer speaks versions ${lowest} to ${highest}`);
  }

  data(flags: number, sequence: number, payload: Uint8Array): void {
    if (!this.#admitOften("data")) return;
    const link = this.#link;
    const inbound = link.inbound;
    const wrong = inbound.chunk(flags, sequence, payload);
    if (wrong !== null) return this.#wrongChunk(wrong, sequence, payload.length);
    link.unacknowledged += payload.length + CHUNK_COST;
    link.oweAck();
    const bytes = inbound.message;
    if (bytes === null) return;
    link.counters.messagesReceived++;
    const owned = bytes !== payload || link.decoder.owned;
    link.events.push({ type: "message", bytes, position: inbound.received, owned, volatile: false });
  }

  volatile(payload: Uint8Array): void {
    if (!this.#admitOften("volatile")) return;
    const link = this.#link;
    const { inbound } = link;
    if (!inbound.volatile(payload.length)) {
      return link.fail("CREDIT_EXCEEDED", `a volatile message of ${payload.length} bytes`);
    }
    link.counters.messagesReceived++;
    const position = inbound.received;
    const { owned } = link.decoder;
    link.emit({ type: "message", bytes: payload, position, owned, volatile: true });
  }

  #wrongChunk(wrong: Code, sequence: number, size: number): void {
    const link = this.#link;
    link.fail(wrong, `chunk ${sequence}, expected ${link.inbound.received & 0xffff}, ${size} bytes`);
  }

  request(flags: number, sequence: number, id: number, remaining: number, payload: Uint8Array): void {
    if (!this.#admitOften("request")) return;
    const link = this.#link;
    const { inbound, requests } = link;
    const wrong = inbound.requestChunk(flags, sequence, payload);
    if (wrong !== null) return this.#wrongChunk(wrong, sequence, payload.length);
    if ((flags & FIRST) !== 0 && !requests.begins(id, remaining)) {
      return link.fail("REQUEST_INVALID", `request ${id} out of order`);
    }
    link.unacknowledged += payload.length + CHUNK_COST;
    link.oweAck();
    const bytes = inbound.message;
    if (bytes === null) return;
    link.counters.requestsReceived++;
    const asked = requests.arrived(inbound.messageCost);
    if (asked === 0) return inbound.free(inbound.messageCost);
    if (requests.owed - requests.refused > requests.most) {
      requests.refuse(asked);
      return tellBusy(link);
    }
    const owned = bytes !== payload || link.decoder.owned;
    link.emit({ type: "request", id: asked, remaining: requests.remaining, bytes, owned });
  }

  reply(flags: number, sequence: number, id: number, status: number, payload: Uint8Array): void {
    if (!this.#admitOften("reply")) return;
    const link = this.#link;
    const { inbound, requests } = link;
    const wrong = inbound.replyChunk(flags, sequence, payload);
    if (wrong !== null) return this.#wrongChunk(wrong, sequence, payload.length);
    if ((flags & FIRST) !== 0 && !requests.replies(id, status)) {
      return link.fail("REQUEST_INVALID", `an answer to request ${id}, which is not open`);
    }
    link.unacknowledged += payload.length + CHUNK_COST;
    link.oweAck();
    const bytes = inbound.message;
    if (bytes === null) return;
    const replied = requests.replied();
    const owned = bytes !== payload || link.decoder.owned;
    if (replied === null) return;
    link.emit({ type: "reply", id: replied.id, status: replied.status, bytes, owned });
  }

  #cancel({ sequence, id }: CancelFrame): void {
    const link = this.#link;
    const wrong = link.inbound.cancelChunk(sequence) ?? link.requests.takenBack(id);
    if (wrong !== null) return link.fail(wrong, `CANCEL of request ${id}, chunk ${sequence}`);
    link.unacknowledged += CHUNK_COST;
    link.oweAck();
    if (link.requests.owes(id)) link.emit({ type: "cancelled", id });
  }

  ping(
    flags: number,
    sequence: number,
    timestamp: number,
    promise: number,
    _heard: number,
    received: number,
    stalled: number,
  ): void {
    if (!this.#admitOften("ping")) return;
    const link = this.#link;
    link.counters.pingsReceived++;
    const checks = link.checks!;
    const { heard } = checks;
    const wrong = checks.ping(sequence, timestamp, link.now);
    if (wrong === "PING_TOO_FAST" && !link.liveness!.early(checks.peerTime, link.now)) return this.#strike();
    if (wrong !== null && wrong !== "PING_TOO_FAST") {
      return this.#heartbeatFault(wrong, `PING ${sequence} at ${timestamp}, last heard ${heard}`);
    }
    if (stalled > 0) confessed(link, stalled);
    diagnosed(link, link.liveness!.heartbeat(link.now, checks.peerTime, promise, -1, stalled > 0));
    this.#arrived(received);
    if ((flags & ANSWER) !== 0 && link.conversing) link.pong(sequence);
  }

  pong(
    _flags: number,
    answer: number,
    timestamp: number,
    hold: number,
    promise: number,
    received: number,
    stalled: number,
  ): void {
    if (!this.#admitOften("pong")) return;
    const link = this.#link;
    const liveness = link.liveness!;
    const checks = link.checks!;
    const sequence = (answer - 1) >>> 0;
    const sentAt = liveness.probes.sentAt(sequence);
    const elapsed = sentAt < 0 ? -1 : link.now - sentAt;
    const wrong = checks.pong(elapsed, hold, timestamp);
    if (wrong !== null) return this.#heartbeatFault(wrong, `PONG ${answer} at ${timestamp}, hold ${hold} us`);
    if (stalled > 0) confessed(link, stalled);
    diagnosed(link, liveness.heartbeat(link.now, checks.peerTime, promise, sentAt, stalled > 0));
    this.#arrived(received);
    if (!link.conversing) return;
    link.counters.pingsAnswered++;
    if (!liveness.spans(sentAt)) liveness.measures.answer(sentAt, hold, checks.peerTime, link.now);
    this.#relieved(liveness.answered(sequence));
    this.#answeredTerms(sequence);
    link.emit({ type: "pong", sequence, rtt: Math.max(0, elapsed - hold) / 1000, hold: hold / 1000 });
  }

  /** A PING came sooner than agreed, and not for the first time: past the tolerance the peer is told both values. */
  #strike(): void {
    const link = this.#link;
    const { observed, allowed } = link.checks!.pace(link.now);
    const text = `PINGs every ${toMillis(observed)} ms, agreed is one in ${toMillis(allowed)} ms at most`;
    if (link.counters.heartbeatFaults >= link.options.heartbeat.tolerance && !link.closeSent) {
      const code = codeNumber("PING_TOO_FAST");
      link.write({
        kind: "goaway",
        scope: SCOPE_CONNECTION,
        code,
        retryAfter: 0,
        jitter: 0,
        text,
        endpoint: "",
      });
    }
    this.#heartbeatFault("PING_TOO_FAST", text);
  }

  /** Counted and reported; past the tolerance it ends the connection. */
  #heartbeatFault(code: Code, text: string): void {
    const link = this.#link;
    link.counters.heartbeatFaults++;
    if (link.counters.heartbeatFaults > link.options.heartbeat.tolerance) return link.fail(code, text);
    link.emit({ type: "fault", code, text, fatal: false });
  }

  /** The low bits of the peer's `received`, in a heartbeat: a rise proves that our bytes arrive. */
  #arrived(low: number): void {
    const link = this.#link;
    const before = link.outbound.received;
    if (!link.outbound.acknowledgeLow(low, link.now)) {
      return link.fail("ACK_INVALID", `a heartbeat acknowledges ${low}`);
    }
    if (link.outbound.received === before) return;
    this.#relieved(link.liveness!.arrived(link.now));
    link.roomy();
  }

  #params(frame: ParamsFrame): void {
    const link = this.#link;
    const { desiredTx, requiredRx, multiplier } = frame.parameters;
    const offered = {
      ...(desiredTx === undefined ? {} : { desiredTx }),
      ...(requiredRx === undefined ? {} : { requiredRx }),
      ...(multiplier === undefined ? {} : { multiplier }),
    };
    const negotiation = link.negotiation!;
    const longest = link.options.heartbeat.maximumDetection;
    // Nothing that would answer may follow our CLOSE.
    if (link.closeSent || !negotiation.offers(offered, longest, link.liveness!.sequence)) {
      negotiation.declines(offered);
      return link.checks!.retune(negotiation.beat(), link.now);
    }
    link.retuned();
    link.write({ kind: "paramsOk", serial: frame.serial });
    if (link.conversing) link.emit({ type: "terms", by: "peer", accepted: true, agreement: link.agreement! });
  }

  #paramsOk(serial: number): void {
    const link = this.#link;
    if (!link.negotiation!.confirmed(serial)) {
      return link.fail("UNEXPECTED_FRAME", `PARAMS_OK ${serial}, which is not open`);
    }
    this.#termsSettled(true);
  }

  /** The answer to a PING behind our offer, without a PARAMS_OK before it, declines that. */
  #answeredTerms(sequence: number): void {
    const found = this.#link.negotiation!.answered(sequence);
    if (found === "declined") this.#termsSettled(false);
    else if (found === "read") this.#link.checks!.retune(this.#link.negotiation!.beat(), this.#link.now);
  }

  #termsSettled(accepted: boolean): void {
    const link = this.#link;
    link.retuned();
    link.emit({ type: "terms", by: "local", accepted, agreement: link.agreement! });
    link.offerTerms();
  }

  ack(received: number, processed: number): void {
    if (!this.#admitOften("ack")) return;
    const link = this.#link;
    const before = link.outbound.received;
    if (!link.outbound.acknowledge(received, processed, link.now)) {
      const known = `${link.outbound.received} and ${link.outbound.processed} of ${link.outbound.sent}`;
      return link.fail("ACK_INVALID", `received ${received}, processed ${processed}, after ${known}`);
    }
    if (link.outbound.received > before) this.#relieved(link.liveness!.arrived(link.now));
    progress(link);
  }

  credit(limit: number): void {
    if (!this.#admitOften("credit")) return;
    const link = this.#link;
    if (!link.outbound.grant(limit)) link.fail("ACK_INVALID", `credit ${limit} after ${link.outbound.limit}`);
  }

  control(frame: ControlFrame): void {
    if (!this.#admit(frame.kind)) return;
    const link = this.#link;
    switch (frame.kind) {
      case "hello":
        return this.#hello(frame);
      case "welcome":
        return this.#welcome(frame);
      case "reject":
        return this.#reject(frame);
      case "goaway":
        return this.#goaway(frame);
      case "params":
        return this.#params(frame);
      case "paramsOk":
        return this.#paramsOk(frame.serial);
      case "cancel":
        return this.#cancel(frame);
      case "close":
        return this.#close(frame);
      case "error": {
        const code = codeFromNumber(frame.code) ?? "NONE";
        return link.finish({ kind: "error", code, number: frame.code, text: frame.text }, "end");
      }
      default:
        return link.fail("UNSUPPORTED", `${frame.kind.toUpperCase()} is not offered`);
    }
  }

  #hello(frame: HelloFrame): void {
    const link = this.#link;
    const { integrity = Integrity.CRC } = frame.parameters;
    if ((integrity & Integrity.CRC) === 0) {
      return link.fail("UNSUPPORTED", `HELLO offers integrity ${integrity}, ${Integrity.CRC} is spoken here`);
    }
    link.hello = frame;
    link.phase = "deciding";
  }

  #welcome(frame: WelcomeFrame): void {
    const link = this.#link;
    const { integrity = Integrity.CRC } = frame.parameters;
    if (integrity !== Integrity.CRC) {
      return link.fail("PARAMETER_INVALID", `WELCOME chose integrity ${integrity}, which was not offered`);
    }
    if (!link.converse(frame.parameters)) return link.fail("HEARTBEAT_UNACCEPTABLE", unacceptable(link));
    const wrong = readWelcome(link, frame.parameters);
    if (wrong !== null) return link.fail("ACK_INVALID", wrong);
    link.open();
    link.ping(true);
  }

  #reject(frame: RejectFrame): void {
    const code = codeFromNumber(frame.code) ?? "NONE";
    const { text } = frame;
    const retryAfter = Math.min(frame.retryAfter, LONGEST_WAIT);
    this.#link.finish({ kind: "refused", code, by: "peer", retryAfter, text }, "end");
  }

  #goaway(frame: GoawayFrame): void {
    const { text, endpoint } = frame;
    const retryAfter = Math.min(frame.retryAfter, LONGEST_WAIT);
    const jitter = Math.min(frame.jitter, LONGEST_WAIT);
    const code = codeFromNumber(frame.code) ?? "NONE";
    const scope = frame.scope === SCOPE_SESSION ? "session" : "connection";
    this.#link.goaway = { retryAfter, jitter };
    this.#link.emit({ type: "goaway", scope, code, retryAfter, jitter, text, endpoint });
  }

  #close(frame: CloseFrame): void {
    const link = this.#link;
    const { received } = link.inbound;
    if (frame.position !== received) {
      return link.fail("ACK_INVALID", `CLOSE behind ${frame.position} chunks, ${received} arrived`);
    }
    if (link.inbound.inMessage) return link.fail("CHUNK_INVALID", "CLOSE inside a message");
    link.closeReceived = { code: frame.code, text: frame.text };
    link.phase = "answering";
    link.emit({ type: "closing", closeCode: frame.code, text: frame.text });
  }

  /** A chunk of bytes was decoded: sends what the whole of it calls for. */
  settle(): void {
    const link = this.#link;
    if (!link.conversing) return;
    if (link.unacknowledged >= ACK_BYTES) link.ack();
    if (!link.decoder.inFrame) link.timers.clear(Timer.FRAME);
  }
}

/** What to say when the agreed detection time is more than this side will wait. */
export function unacceptable(link: Link): string {
  return `the agreed detection time is above ${link.options.heartbeat.maximumDetection} ms`;
}

/**
 * Heartbeat terms that change while connected (docs/PROTOCOL.md, section 5.1), by BFD's rules (RFC 5880, section 6.8.3).
 *
 * Each side has terms of its own, and both make the beat: an interval is the slower of what its sender wants and its receiver takes. A
 * side offers new terms by PARAMS, and the other confirms by PARAMS_OK. The stream keeps order, so what follows either frame knows of
 * it. Nobody may be convicted or policed by terms that its peer has not read, therefore:
 *
 *   - sending more often, and letting the peer send less often, hold as soon as they are offered;
 *   - sending less often, and a shorter detection time because the peer may send more often, hold from PARAMS_OK on;
 *   - the terms of a peer hold when its PARAMS is read, but it is policed by the faster of its old and new interval until it
 *     answered a PING that was sent behind our PARAMS_OK, or behind the answer that declined: only then it is known to have read that.
 *
 * An offer that makes a detection time longer than the receiver is willing to wait is not confirmed. A PING goes behind each offer: its
 * answer without a PARAMS_OK before it says *declined*, and the terms before hold.
 *
 * Rules: one offer is open at a time; the last of those made meanwhile follows it. At every moment the interval at which we may send is
 * not longer than the one by which the peer judges us.
 *
 * @module
 */

import { toMicros } from "../time.ts";
import type { Beat, Terms } from "./beat.ts";
import { later } from "./serial.ts";

/** An offer to write. */
export interface Offer {
  readonly serial: number;
  readonly terms: Terms;
}

/** The terms of both sides of one connection. */
export class Negotiation {
  /** Ours, confirmed by the peer. */
  #own: Terms;
  /** Ours, on their way. */
  #offered: Terms | null = null;
  /** Ours, to be offered next. */
  #wanted: Terms | null = null;
  #serial = 0;
  /** The last PING before the open offer; its answer or an earlier one says nothing of it. */
  #offeredAfter = 0;
  #peer: Terms;
  /** The peer's shortest interval that it may not have given up yet, ms. */
  #peerBefore: number;
  /**
   * The last PING before our PARAMS_OK, or before the answer that declined, while the peer is not known to have read that; else -1; -2 while
   * that answer is still to be written.
   */
  #confirmedAfter = -1;

  constructor(own: Terms, peer: Terms) {
    this.#own = own;
    this.#peer = peer;
    this.#peerBefore = peer.desiredTx;
  }

  /** Whether an offer of ours is on its way or waits. */
  get open(): boolean {
    return this.#offered !== null || this.#wanted !== null;
  }

  /** The terms that we offered last, confirmed or not. */
  get wanted(): Terms {
    return this.#wanted ?? this.#offered ?? this.#own;
  }

  /** What holds now. */
  beat(): Beat {
    const own = this.#own;
    const offered = this.#offered ?? own;
    const peer = this.#peer;
    const tx = Math.max(Math.min(own.desiredTx, offered.desiredTx), peer.requiredRx);
    const rx = Math.max(peer.desiredTx, Math.max(own.requiredRx, offered.requiredRx));
    const fastest = Math.min(peer.desiredTx, this.#peerBefore);
    const policed = Math.max(fastest, Math.min(own.requiredRx, offered.requiredRx));
    const most = Math.max(own.multiplier, offered.multiplier);
    return {
      txInterval: toMicros(tx),
      rxInterval: toMicros(rx),
      policedInterval: toMicros(policed),
      rxDetection: peer.multiplier * toMicros(rx),
      // Who says that it may miss many intervals is given as many to answer in.
      probeDetection: Math.max(most, peer.multiplier) * toMicros(tx),
      // The peer judges and polices by one of the two.
      multiplier: Math.min(own.multiplier, offered.multiplier),
      peerMultiplier: peer.multiplier,
    };
  }

  /** We want these terms from now on. */
  want(terms: Terms): void {
    this.#wanted = terms;
  }

  /**
   * The next offer to write, or null. PARAMS is to be written at once, and a PING behind it.
   *
   * @param sequence of the last PING that we sent
   */
  offer(sequence: number): Offer | null {
    if (this.#wanted === null || this.#offered !== null) return null;
    const terms = this.#wanted;
    this.#wanted = null;
    this.#offered = terms;
    this.#offeredAfter = sequence;
    return { serial: ++this.#serial, terms };
  }

  /** PARAMS_OK came. False: there is no such offer. */
  confirmed(serial: number): boolean {
    if (this.#offered === null || serial !== this.#serial) return false;
    this.#own = this.#offered;
    this.#offered = null;
    return true;
  }

  /** The PING with this sequence was answered. Says what follows from that for the terms. */
  answered(sequence: number): "declined" | "read" | null {
    let read = false;
    if (this.#confirmedAfter >= 0 && later(sequence, this.#confirmedAfter)) {
      this.#confirmedAfter = -1;
      read = this.#peerBefore !== this.#peer.desiredTx;
      this.#peerBefore = this.#peer.desiredTx;
    }
    if (this.#offered === null || !later(sequence, this.#offeredAfter)) return read ? "read" : null;
    this.#offered = null;
    return "declined";
  }

  /**
   * PARAMS came; what it does not name stays. Says whether it is taken: then PARAMS_OK is to be written at once.
   *
   * @param longest the longest detection time that we wait, ms
   * @param sequence of the last PING that we sent
   */
  offers(terms: Partial<Terms>, longest: number, sequence: number): boolean {
    const before = this.#peer;
    const peer: Terms = {
      desiredTx: terms.desiredTx ?? before.desiredTx,
      requiredRx: terms.requiredRx ?? before.requiredRx,
      multiplier: terms.multiplier ?? before.multiplier,
    };
    const required = Math.max(
      this.#own.requiredRx,
      this.#offered?.requiredRx ?? 0,
      this.#wanted?.requiredRx ?? 0,
    );
    if (peer.multiplier * Math.max(peer.desiredTx, required) > longest) return false;
    this.#peer = peer;
    this.#peerBefore = Math.min(this.#peerBefore, before.desiredTx);
    this.#confirmedAfter = sequence;
    return true;
  }

  /** PARAMS came and is not taken. The peer may send by it until it knows. */
  declines(terms: Partial<Terms>): void {
    this.#peerBefore = Math.min(this.#peerBefore, terms.desiredTx ?? this.#peerBefore);
    this.#confirmedAfter = -2;
  }

  /** We answer a PING: that tells the peer that what it offered before and was not confirmed is declined. */
  answers(sequence: number): void {
    if (this.#confirmedAfter === -2) this.#confirmedAfter = sequence;
  }

  /** Whether our own new terms keep the peer's detection time within what we wait, ms. */
  bearable(terms: Terms, longest: number): boolean {
    return this.#peer.multiplier * Math.max(this.#peer.desiredTx, terms.requiredRx) <= longest;
  }

  /** A copy. */
  clone(): Negotiation {
    const copy = new Negotiation(this.#own, this.#peer);
    copy.#offered = this.#offered;
    copy.#wanted = this.#wanted;
    copy.#serial = this.#serial;
    copy.#offeredAfter = this.#offeredAfter;
    copy.#peerBefore = this.#peerBefore;
    copy.#confirmedAfter = this.#confirmedAfter;
    return copy;
  }

  /** The canonical form; sequences relative to `sequence`. */
  key(sequence: number): string {
    const since = this.#offered === null ? 0 : sequence - this.#offeredAfter;
    const proof = this.#confirmedAfter < 0 ? this.#confirmedAfter : sequence - this.#confirmedAfter;
    const serial = this.#serial; // it travels, so it cannot be renamed
    const terms = [this.#own, this.#offered, this.#wanted, this.#peer];
    return `${JSON.stringify(terms)}${this.#peerBefore},${serial},${since},${proof}`;
  }
}

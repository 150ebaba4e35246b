/**
 * What heartbeats measure: round trip, clock offset, and how each direction's delay moves.
 *
 * Both sides count their heartbeat clock from WELCOME, so offset and transit times hold an unknown constant, the delay of WELCOME; what
 * is told is their change.
 *
 * Rules: nothing here decides but the retransmission time-out, `rto`, of which blame.ts makes the time that a peer has after a
 * suspension. A sample that a stall of either process spans is not taken. Whole microseconds.
 *
 * @module
 */

import type { Micros } from "../time.ts";
import { ClockOffset, OneWay } from "./offset.ts";
import { RoundTrip } from "./rtt.ts";

/** The measures of one connection. */
export class Measures {
  /** Zero of our heartbeat clock, on the monotonic clock. */
  readonly epoch: Micros;
  readonly roundTrip: RoundTrip;
  readonly clock: ClockOffset;
  /** From the peer to us. */
  readonly inbound: OneWay;
  /** From us to the peer. */
  readonly outbound: OneWay;

  constructor(epoch: Micros, from?: Measures) {
    this.epoch = epoch;
    this.roundTrip = from?.roundTrip.clone() ?? new RoundTrip();
    this.clock = from?.clock.clone() ?? new ClockOffset();
    this.inbound = from?.inbound.clone() ?? new OneWay();
    this.outbound = from?.outbound.clone() ?? new OneWay();
  }

  /** The retransmission time-out of RFC 6298, without its floor of a second; 0 before the first answer. */
  get rto(): Micros {
    const { smoothed, deviation } = this.roundTrip;
    return smoothed < 0 ? 0 : smoothed + Math.max(4 * deviation, 1_000);
  }

  /** Our clock minus the peer's, at the arrival of a heartbeat with the time `peerTime` (us, not wrapped). */
  transit(peerTime: Micros, now: Micros): Micros {
    return now - this.epoch - peerTime;
  }

  /** A heartbeat was believed. */
  heartbeat(peerTime: Micros, now: Micros): void {
    this.inbound.sample(this.transit(peerTime, now));
  }

  /**
   * A question was answered.
   *
   * @param sentAt when it was sent, on our monotonic clock
   * @param hold for how long the peer held the answer
   * @param peerTime when the peer sent it, on its clock
   */
  answer(sentAt: Micros, hold: Micros, peerTime: Micros, now: Micros): void {
    this.roundTrip.sample(Math.max(0, now - sentAt - hold));
    const asked = sentAt - this.epoch;
    const arrived = peerTime - hold;
    this.clock.sample(asked, arrived, peerTime, now - this.epoch);
    this.outbound.sample(arrived - asked);
  }

  /** The two clocks moved apart at once. */
  rebase(): void {
    this.clock.rebase();
    this.inbound.rebase();
    this.outbound.rebase();
  }

  /** A copy. */
  clone(): Measures {
    return new Measures(this.epoch, this);
  }
}

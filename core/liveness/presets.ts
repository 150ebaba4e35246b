/**
 * Heartbeats for four kinds of networks: figures that go together, and why.
 *
 * What decides on a number. A beat lost on the way is not lost in TCP but late: by the retransmission timeout, which is the round trip and
 * 200 ms or more, and doubles (Linux; RFC 6298, section 2.4, has 1 s). So between the last beat and the verdict there must be room for
 * as many retransmissions in a row as are not to look like death. A way through NAT or a load balancer is forgotten in silence after
 * its idle time, and its ends never hear of it: some beat must pass sooner. Each beat that is not needed costs bytes, and a radio its
 * sleep: `minimumInterval` keeps a faster peer from imposing them.
 *
 * Rules: what is not named keeps its default; so all presets agree with one another and with the defaults, and the slower side's
 * `minimumInterval` decides. What each costs and how soon it finds a cut is computed by core/cost.ts, never typed here.
 *
 * @module
 */

/** A name for figures that go together. */
export type HeartbeatPreset = "lan" | "wan" | "mobile" | "datacenter-nat";

/** What a preset may say: some of the options of a heartbeat, with their meaning and units. */
export interface Figures {
  readonly interval?: number;
  readonly multiplier?: number;
  readonly minimumInterval?: number;
  readonly detector?: "fixed" | "accrual";
  readonly threshold?: number;
  readonly pause?: number;
  readonly floor?: number;
}

/** The figures of each preset. */
export const PRESETS: Readonly<Record<HeartbeatPreset, Figures>> = Object.freeze({
  /**
   * Machines in one building: a cut is known in less than a second. Five intervals of 180 ms leave 720 ms after a beat: a
   * segment lost twice in a row (200 + 400 ms) and a garbage collection of 100 ms. There is nothing to learn in so short a time.
   */
  lan: Object.freeze({ interval: 180, multiplier: 5, minimumInterval: 100, detector: "fixed" }),

  /**
   * Over the Internet, with no bound from an idle time: three intervals of 2 s, and usually sooner, for the detector learns how late
   * beats are. `pause` and the least deviation, 5.6 x 100 ms, forgive 2.06 s of lateness: with a round trip of 80 ms that is a
   * segment lost three times in a row (280 + 560 + 1,120 ms). A peer may not beat faster than twice a second.
   */
  wan: Object.freeze(
    { interval: 2_000, multiplier: 3, minimumInterval: 500, detector: "accrual", pause: 1_500 },
  ),

  /**
   * A telephone behind a carrier's NAT and unknown proxies, the strictest of which forget after 30 s: a beat at least every 25 s. It may
   * not be woken more often: `minimumInterval` slows the server down as well. A radio that sleeps, changes cells or drives through a
   * tunnel is late by many seconds and is back, and a connection given up for that costs more than waiting: 15 s are nothing
   * unusual, and the deviation is never below 2 s.
   */
  mobile: Object.freeze(
    {
      interval: 25_000,
      multiplier: 3,
      minimumInterval: 25_000,
      detector: "accrual",
      threshold: 10,
      pause: 15_000,
      floor: 2_000,
    },
  ),

  /**
   * Servers through the NAT and load balancers of clouds, whose idle times are 350 s (AWS), 240 s (Azure, which says nothing to either
   * end) and 600 s (Google): a beat every 200 s keeps all of them with the fewest bytes, and leaves 40 s for a late one. A cut is
   * found slowly; who must know sooner asks. A peer may beat as often as the preset `mobile` needs.
   */
  "datacenter-nat": Object.freeze(
    { interval: 200_000, multiplier: 2, minimumInterval: 25_000, detector: "fixed" },
  ),
});

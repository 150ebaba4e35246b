/**
 * What `ping` tells of each direction by itself, and of what did not run or was set meanwhile.
 *
 * Two clocks that are not set alike cannot measure a delay one way; they can measure how much it grows. So each direction is told as its
 * excess above the least delay seen (docs/PROTOCOL.md, section 5, has the times on the wire), and its jitter.
 *
 * Rule: measures of profiles that carry no timestamps of both sides are null, never 0.
 *
 * @module
 */

import type { Passing, SessionStats } from "../adapters/api.ts";
import { RoundTrips, type RoundTripSummary } from "./round_trips.ts";
import { count, duration } from "./text.ts";

/** One direction, ms. */
export interface WaySummary {
  /** Of the answers: how much later than the quickest. */
  readonly excess: RoundTripSummary;
  /** The mean change from one heartbeat to the next, at the end. */
  readonly jitter: number;
}

/** Collects both directions, and what passed. */
export class Ways {
  readonly #inbound = new RoundTrips();
  readonly #outbound = new RoundTrips();
  #clock: SessionStats["clock"] = null;
  #last: SessionStats["oneWay"] = null;
  #stalls = { stalls: 0, stalledFor: 0, peerStalls: 0, peerStalledFor: 0, clockSteps: 0 };

  /** An answer came: what is known with it, for a program. */
  answered({ clock, oneWay }: Pick<SessionStats, "clock" | "oneWay">): Record<string, unknown> {
    if (clock !== null) this.#clock = clock;
    if (oneWay !== null) {
      this.#last = oneWay;
      this.#inbound.add(oneWay.inbound.excess);
      this.#outbound.add(oneWay.outbound.excess);
    }
    return { clock, oneWay };
  }

  /** Something passed. */
  passed(passing: Passing): void {
    const sums = this.#stalls;
    if (passing.state === "clockStepped") sums.clockSteps++;
    if (passing.state !== "stalled") return;
    if (passing.verdict === "PEER_STALLED") {
      sums.peerStalls++;
      sums.peerStalledFor += passing.span;
    } else {
      sums.stalls++;
      sums.stalledFor += passing.span;
    }
  }

  #way(direction: "inbound" | "outbound"): WaySummary | null {
    const excess = (direction === "inbound" ? this.#inbound : this.#outbound).summary();
    return excess === null ? null : { excess, jitter: this.#last![direction].jitter };
  }

  /** For a program. Times in ms. */
  summary(): Record<string, unknown> {
    const [inbound, outbound] = [this.#way("inbound"), this.#way("outbound")];
    const oneWay = inbound === null ? null : { inbound, outbound };
    return { clock: this.#clock, oneWay, ...this.#stalls };
  }

  /** For a person: a line for each thing that there is to tell. */
  report(): string[] {
    const lines: string[] = [];
    for (const [name, direction] of [["out", "outbound"], ["in", "inbound"]] as const) {
      const way = this.#way(direction);
      if (way === null) continue;
      const { p50, p99, max } = way.excess;
      const excess = [p50, p99, max].map((value) => value.toFixed(3)).join("/");
      lines.push(
        `${name.padEnd(3)} above least p50/p99/max = ${excess} ms, jitter ${way.jitter.toFixed(3)} ms`,
      );
    }
    if (this.#clock !== null) {
      const { offset, delay } = this.#clock;
      const value = `${offset < 0 ? "-" : "+"}${Math.abs(offset).toFixed(3)}`;
      lines.push(`clock offset ${value} ms within ${(delay / 2).toFixed(3)} ms, both counted from WELCOME`);
    }
    const { stalls, stalledFor, peerStalls, peerStalledFor, clockSteps } = this.#stalls;
    const told: string[] = [];
    if (stalls > 0) told.push(`${count(stalls, "stall")} here, ${duration(stalledFor)} in all`);
    if (peerStalls > 0) {
      told.push(`${count(peerStalls, "stall")} of the peer, ${duration(peerStalledFor)} in all`);
    }
    if (clockSteps > 0) told.push(`the clock was set ${count(clockSteps, "time")}`);
    if (told.length > 0) lines.push(told.join("; "));
    return lines;
  }
}

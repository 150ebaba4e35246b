/**
 * The measures of a connection as an application reads them: ms, and null for what is not known yet (stats.ts has the meaning of each).
 *
 * @module
 */

import type { Link } from "./link.ts";
import { Accrual } from "./liveness/accrual.ts";
import type { Liveness } from "./liveness/liveness.ts";
import type { Measures } from "./liveness/measures.ts";
import type { OneWay } from "./liveness/offset.ts";
import type { RoundTrip } from "./liveness/rtt.ts";
import type { ConnectionStats, DetectionStats, OneWayStats } from "./stats.ts";
import { type Micros, toMillis } from "./time.ts";

/** Counters and measures of a connection, as of `now`. */
export function connectionStats(link: Link, now: Micros): ConnectionStats {
  const { counters, transmit, outbound, measures, liveness } = link;
  return {
    ...counters,
    bytesSent: transmit.total,
    ...measured(measures),
    detection: liveness === null ? null : detection(liveness, now),
    queued: outbound.pending,
    accepted: outbound.accepted,
    acknowledged: outbound.receivedInOrder,
    processed: outbound.processedInOrder,
  };
}

/** Round trip, clock and directions. */
function measured(measures: Measures | null): Pick<ConnectionStats, "rtt" | "clock" | "oneWay"> {
  if (measures === null) return { rtt: null, clock: null, oneWay: null };
  const { roundTrip, clock, inbound, outbound } = measures;
  return {
    rtt: roundTripStats(roundTrip),
    clock: clock.samples === 0 ? null : { offset: toMillis(clock.offset), delay: toMillis(clock.delay) },
    oneWay: { inbound: oneWay(inbound), outbound: oneWay(outbound) },
  };
}

/** The round trip; null before the first answer. */
export function roundTripStats({ last, smoothed, deviation, least }: RoundTrip): ConnectionStats["rtt"] {
  if (last < 0) return null;
  return {
    last: toMillis(last),
    smoothed: toMillis(smoothed),
    deviation: toMillis(deviation),
    least: toMillis(least),
  };
}

function oneWay({ excess, jitter }: OneWay): OneWayStats {
  return { excess: toMillis(excess), jitter: toMillis(jitter) };
}

/** How silence is judged at `now`. */
function detection(liveness: Liveness, now: Micros): DetectionStats {
  const { suspectAt, convictAt } = liveness.silence;
  const { detector } = liveness;
  const learned = detector instanceof Accrual ? detector : null;
  return {
    detector: learned === null ? "fixed" : "accrual",
    suspected: liveness.suspected,
    suspectIn: toMillis(suspectAt - now),
    convictIn: toMillis(convictAt - now),
    deferrable: toMillis(liveness.deferrable),
    lateness: learned === null ? null : {
      samples: learned.samples,
      mean: learned.mean / 1_000,
      deviation: learned.deviation / 1_000,
      phi: learned.phi(now),
    },
  };
}

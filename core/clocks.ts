/**
 * What a connection makes of its clocks: when it ran later than it was to, and when wall and monotonic time moved apart.
 *
 * Rules: blame.ts diagnoses, this file tells: the application by an event, the peer by a confession in the next heartbeat. Called
 * before an input is processed, so that the input is judged with what is known of the clocks.
 *
 * @module
 */

import { deferFrame } from "./expire.ts";
import type { Link } from "./link.ts";
import type { Diagnosis } from "./liveness/blame.ts";
import { type Micros, toMillis } from "./time.ts";

/** An input comes at `now`, later than {@link Link.patience} after the one before: was a timer due meanwhile? */
export function observeLag(link: Link, now: Micros): void {
  if (link.liveness === null) return;
  // What was due before the last input was late then, and is accounted for.
  const lag = now - Math.max(link.now, link.timers.next());
  if (lag < link.patience) return;
  link.checks!.excuse(link.now, now);
  deferFrame(link, lag);
  tell(link, link.liveness.woke(lag, now));
}

/** A sample of the wall clock, us, taken at `at`. Before the connection is open it is kept for the one to compare with. */
export function observeWall(link: Link, wall: Micros, at: Micros): void {
  if (link.liveness === null) {
    link.wall = { wall, at };
    return;
  }
  tell(link, link.liveness.wall(wall, at, link.now));
  const early = link.liveness.blame.takeEarly();
  if (early === 0) return;
  // The peer's clock said that we slept, and ours says that we did not.
  link.counters.heartbeatFaults += early;
  const fatal = link.counters.heartbeatFaults > link.options.heartbeat.tolerance;
  const text = `${early} PINGs more than agreed, by timestamps of a time to come`;
  if (fatal) link.fail("PING_TOO_FAST", text);
  else link.emit({ type: "fault", code: "PING_TOO_FAST", text, fatal });
}

/** A heartbeat explained a jump of the wall clock, or there was none. */
export function diagnosed(link: Link, found: Diagnosis | null): void {
  if (found?.type === "SUSPENDED") link.checks!.excuse(link.now - found.span, link.now, true);
  tell(link, found);
}

function tell(link: Link, found: Diagnosis | null): void {
  if (found === null) return;
  const span = toMillis(found.span);
  const { counters } = link;
  if (found.type === "CLOCK_STEP") {
    counters.clockSteps++;
    return link.emit({ type: "clockStep", step: span });
  }
  counters.stalls++;
  counters.stalledFor += span;
  link.emit({ type: "stall", verdict: found.type, span });
}

/** The peer confesses a stall of so many ms. */
export function confessed(link: Link, span: number): void {
  link.counters.peerStalls++;
  link.counters.peerStalledFor += span;
  link.liveness!.confessed(span * 1_000, link.now);
  link.emit({ type: "stall", verdict: "PEER_STALLED", span });
}

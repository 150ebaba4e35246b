/**
 * Between a server's heartbeat budget and its connections: what a client is told of its interval, and what became of that.
 *
 * Rules: the budget (liveness/budget.ts) decides; here nothing does. A client that cannot take an interval declines it.
 *
 * @module
 */

import type { Budget, Seat } from "./liveness/budget.ts";
import type { Entry } from "./server_types.ts";
import { toMicros } from "./time.ts";

/** Tells a client another interval, unless it could not bear it: its detection time would be more than `longest` ms. */
export function slow(
  budget: Budget<Entry>,
  seat: Seat<Entry>,
  interval: number,
  longest: number,
  now: number,
): void {
  const { connection } = seat.member;
  // The peer may have raised its multiplier meanwhile, and a connection that closes changes nothing any more.
  const { rxDetection, rxInterval } = connection.agreement!;
  const bearable = rxDetection / rxInterval * interval <= longest;
  if (connection.phase !== "open" || (interval > rxInterval && !bearable)) {
    return budget.declined(seat, toMicros(now));
  }
  connection.retune({ minimumInterval: interval }, now);
}

/** Tells the budget what became of a client, and of the interval that it was told. */
export function account(budget: Budget<Entry>, { connection, seat }: Entry, now: number): void {
  if (seat === null) return;
  if (connection.reason !== null) return budget.left(seat, toMicros(now));
  const { agreement } = connection;
  if (!seat.open || agreement === null || connection.retuning) return;
  // A client that beats more slowly by its own will hides whether it took ours: then the faster of the two counts.
  const taken = seat.asked <= seat.interval || agreement.rxInterval === seat.asked;
  if (taken) budget.confirmed(seat, toMicros(now));
  else budget.declined(seat, toMicros(now));
}

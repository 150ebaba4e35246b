/**
 * The canonical form of a connection: what decides what it does next, as text (canonical.ts has the rules).
 *
 * A connection that is over only says its last words, so nothing but these, and when they end, is in its key. Of the peer's parameters only what
 * is read again is: the rest has become terms, positions and credit.
 *
 * @module
 */

import type { Names } from "./canonical.ts";
import type { Link } from "./link.ts";
import type { Micros } from "./time.ts";
import type { Parameters } from "./wire/parameters.ts";

/** The key of a connection's state. */
export function linkKey(link: Link, now: Micros, names: Names): string {
  const { timers, decoder, inbound, outbound, transmit, liveness } = link;
  const bits = [link.eof, link.closeSent, link.opened, link.resumed, link.frameDeferred].map(Number).join("");
  const state = `${link.role} ${link.phase} ${link.action} ${link.version} ${bits} ${link.turning}`;
  const { reason } = link;
  if (reason !== null) return [`${state} ${reason.kind}`, timers.key(now), transmit.key()].join("\n");
  const ends = JSON.stringify([link.closing, link.draining, link.closeReceived, link.goaway]);
  const asked = link.hello === null ? "" : parametersKey(link.hello.parameters, names);
  const wall = link.wall === null || liveness !== null
    ? ""
    : `${link.wall.wall - link.wall.at}:${link.wall.at - now}`;
  const { received } = inbound;
  const owed = [link.unacknowledged, received - link.ackedReceived, received - link.ackedProcessed];
  return [
    `${state} ${ends} ${asked} ${link.agreement?.maxMessage} ${wall}`,
    link.session?.name(names) ?? "",
    timers.key(now),
    decoder.key(),
    inbound.key(),
    outbound.key(now),
    link.requests.key(outbound.accepted),
    transmit.key(),
    `${owed.join(",")} ${link.counters.heartbeatFaults} ${decoder.inFrame ? now - link.grewAt : 0}`,
    liveness?.key(now, transmit.written) ?? "",
    link.negotiation?.key(liveness?.sequence ?? 0) ?? "",
    link.checks?.key(link.timestamp(now), now) ?? "",
  ].join("\n");
}

/** What a HELLO asks for, while it waits for an answer. */
function parametersKey(parameters: Parameters, names: Names): string {
  const words = Object.entries(parameters).map(([name, value]) => {
    if (value instanceof Uint8Array) return `${name} ${names.of(value)}`;
    return `${name} ${name === "generation" ? names.count(name, value) : value}`;
  });
  return words.join(" ");
}

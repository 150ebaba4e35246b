/**
 * What each timer of a connection does when it fires (timers.ts has the table).
 *
 * Rules: no conviction without one more turn: after a stall an overdue timer fires before the bytes that wait, so a timer that would
 * end the connection arms itself once more, {@link TURN} ahead, and judges then. After `expire` no timer is in the past.
 *
 * @module
 */

import type { Link } from "./link.ts";
import { TURN } from "./liveness/beat.ts";
import { type Micros, NEVER, toMillis } from "./time.ts";
import { Timer } from "./timers.ts";
import { MAX_CHUNK } from "./wire/registry.ts";

/** The least rate at which an unfinished frame may grow: the greatest in so many us (16 KiB at 1,024 bytes a second). */
const SLOWEST_FRAME: Micros = MAX_CHUNK / 1_024 * 1_000_000;

/** Does what is due. */
export function expire(link: Link): void {
  const { timers, now } = link;
  if (timers.expired(Timer.LINGER, now)) return link.destroy();
  if (timers.expired(Timer.HANDSHAKE, now)) handshakeLate(link);
  const late = now - timers.at(Timer.CLOSE);
  if (timers.expired(Timer.CLOSE, now)) closeLate(link, late);
  if (link.liveness !== null) judge(link);
  if (timers.expired(Timer.FRAME, now)) frameLate(link);
  if (timers.expired(Timer.ACK, now)) link.ack();
  if (link.liveness?.beatDue(now)) link.ping(!link.liveness.probes.full);
  link.advanceClose();
}

/**
 * Bytes were decoded: an unfinished frame gets a deadline of its own, for a flipped length must not swallow heartbeats for hours.
 *
 * @param frames how many frames had been decoded before these bytes
 */
export function watchFrame(link: Link, frames: number): void {
  if (link.liveness === null || !link.decoder.inFrame) return;
  link.grewAt = link.now;
  if (link.timers.at(Timer.FRAME) !== NEVER && link.decoder.framesDecoded === frames) return;
  link.turning &= ~(1 << Timer.FRAME);
  link.frameDeferred = false;
  link.timers.set(Timer.FRAME, link.now + Math.max(link.liveness.beat.rxDetection, SLOWEST_FRAME));
}

/** This process did not run for so long: the rest of an unfinished frame waits. Once a frame, or who stalls all the time never ends it. */
export function deferFrame(link: Link, lag: Micros): void {
  const at = link.timers.at(Timer.FRAME);
  if (at === NEVER || link.frameDeferred) return;
  link.frameDeferred = true;
  link.grewAt += lag;
  link.timers.set(Timer.FRAME, at + lag);
}

function judge(link: Link): void {
  for (;;) {
    const finding = link.liveness?.judge(link.now, link.transmit.flushed) ?? null;
    if (finding === null) return;
    const { evidence } = finding;
    if (finding.type === "dead") return link.finish({ kind: "dead", code: "DEAD", evidence }, "destroy");
    link.counters.suspicions++;
    link.emit({ type: "suspect", evidence });
  }
}

/** Gives one more turn. True the second time. */
function turned(link: Link, timer: number): boolean {
  const bit = 1 << timer;
  if ((link.turning & bit) !== 0) return true;
  link.turning |= bit;
  link.timers.set(timer, link.now + TURN);
  return false;
}

function handshakeLate(link: Link): void {
  if (!turned(link, Timer.HANDSHAKE)) return;
  // Only who began to speak heartwire can read why.
  const said = link.version !== 0 &&
    link.complain("HANDSHAKE_TIMEOUT", "the handshake was not complete in time");
  link.finish({ kind: "timeout", code: "HANDSHAKE_TIMEOUT" }, said ? "end" : "destroy");
}

/** This one is exact, unless a stall of ours hides what waits. */
function closeLate(link: Link, late: Micros): void {
  if (late >= link.patience && !turned(link, Timer.CLOSE)) return;
  link.complain("CLOSE_TIMEOUT", "the closing exchange was not complete in time");
  link.finish({ kind: "timeout", code: "CLOSE_TIMEOUT" }, "end");
}

function frameLate(link: Link): void {
  if (!turned(link, Timer.FRAME)) return;
  const limit = Math.max(link.liveness!.beat.rxDetection, SLOWEST_FRAME);
  const still = link.now - link.grewAt;
  const evidence = {
    verdict: still >= limit / 2 ? "CORRUPT" : "SLOW",
    direction: "inbound",
    silentFor: toMillis(still),
    limit: toMillis(limit),
    deferred: 0,
  } as const;
  link.finish({ kind: "dead", code: "DEAD", evidence }, "destroy");
}

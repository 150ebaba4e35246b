/**
 * What is offered in HELLO and WELCOME, and what both sides make of it (docs/PROTOCOL.md, sections 2, 4 and 5).
 *
 * Rules: pure functions; both sides compute the same from the same two offers, so nothing agreed is echoed.
 *
 * @module
 */

import type { Environment } from "./environment.ts";
import type { Agreement } from "./events.ts";
import { type Beat, detectionBound, extensionCap, type Terms } from "./liveness/beat.ts";
import type { ResolvedConnection } from "./options.ts";
import { toMillis } from "./time.ts";
import type { Parameters } from "./wire/parameters.ts";
import { HIGHEST_VERSION, Integrity, LOWEST_VERSION } from "./wire/registry.ts";

/** Bytes of a nonce. */
const NONCE_BYTES = 16;

/** What a side that does not say so accepts as its longest message, bytes. */
export const DEFAULT_MAX_MESSAGE = 1_048_576;

/** A fresh nonce. */
export function nonce(environment: Environment): Uint8Array {
  const bytes = new Uint8Array(NONCE_BYTES);
  environment.entropy(bytes);
  return bytes;
}

/** The heartbeat terms of this side. `minimumInterval` (ms) overrides the option. */
export function ownTerms(options: ResolvedConnection, minimumInterval?: number): Terms {
  const { interval, multiplier, minimumInterval: usual } = options.heartbeat;
  return { desiredTx: interval, requiredRx: minimumInterval ?? usual, multiplier };
}

/** The parameters of this side's HELLO or WELCOME. */
export function offer(
  options: ResolvedConnection,
  { desiredTx, requiredRx, multiplier }: Terms,
): Parameters {
  return {
    desiredTx,
    requiredRx,
    multiplier,
    maxMessage: options.maxMessage,
    credit: options.window,
    integrity: Integrity.CRC,
  };
}

/** The heartbeat terms of a peer's HELLO or WELCOME. The decoder has checked that they are there and in range. */
export function peerTerms(peer: Parameters): Terms {
  return { desiredTx: peer.desiredTx!, requiredRx: peer.requiredRx!, multiplier: peer.multiplier! };
}

/** The version in force when the peer speaks `lowest` to `highest`; 0 if there is none. */
export function commonVersion(lowest: number, highest: number): number {
  const version = Math.min(highest, HIGHEST_VERSION);
  return version >= Math.max(lowest, LOWEST_VERSION) ? version : 0;
}

/** What an application is told of a beat and the rest of the handshake. */
export function agreement(beat: Beat, version: number, maxMessage: number): Agreement {
  const { txInterval, rxInterval, rxDetection, probeDetection, multiplier, peerMultiplier } = beat;
  // The peer convicts us by our multiplier, or by a question of its own.
  const peerProbes = Math.max(multiplier, peerMultiplier) * rxInterval;
  return Object.freeze({
    version,
    txInterval: toMillis(txInterval),
    rxInterval: toMillis(rxInterval),
    txDetection: toMillis(Math.min(multiplier * txInterval, peerProbes)),
    rxDetection: toMillis(rxDetection),
    probeDetection: toMillis(probeDetection),
    detectionBound: toMillis(detectionBound(beat, false)),
    idleDetectionBound: toMillis(detectionBound(beat, true)),
    deferralCap: toMillis(extensionCap(rxDetection)),
    maxMessage,
  });
}

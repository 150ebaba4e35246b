/**
 * What is offered in HELLO and WELCOME, and what both sides make of it (docs/PROTOCOL.md, sections 2, 4 and 5).
 *
 * Rules: pure functions; both sides compute the same from the same two offers, so nothing agreed is echoed.
 *
 * @module
 */

import type { Environment } from "./environment.ts";
import type { Agreement } from "./events.ts";
import { type Beat, detectionBound } from "./liveness/liveness.ts";
import type { ResolvedConnection } from "./options.ts";
import { toMicros, toMillis } from "./time.ts";
import type { Parameters } from "./wire/parameters.ts";
import { HIGHEST_VERSION, Integrity, LOWEST_VERSION } from "./wire/registry.ts";

/** Bytes of a nonce. */
const NONCE_BYTES = 16;

/** What a side that does not say so accepts as its longest message, bytes. */
const DEFAULT_MAX_MESSAGE = 1_048_576;

/** A fresh nonce. */
export function nonce(environment: Environment): Uint8Array {
  const bytes = new Uint8Array(NONCE_BYTES);
  environment.entropy(bytes);
  return bytes;
}

/** The parameters of this side's HELLO or WELCOME. */
export function offer(options: ResolvedConnection): Parameters {
  return {
    desiredTx: options.heartbeat.interval,
    requiredRx: options.heartbeat.minimumInterval,
    multiplier: options.heartbeat.multiplier,
    maxMessage: options.maxMessage,
    credit: options.window,
    integrity: Integrity.CRC,
  };
}

/** The version in force when the peer speaks `lowest` to `highest`; 0 if there is none. */
export function commonVersion(lowest: number, highest: number): number {
  const version = Math.min(highest, HIGHEST_VERSION);
  return version >= Math.max(lowest, LOWEST_VERSION) ? version : 0;
}

/** The result of two offers. */
export interface Agreed {
  readonly beat: Beat;
  readonly agreement: Agreement;
  /** 3 x the peer's multiplier: how far its sequence may jump. */
  readonly window: number;
  /** The peer's first credit. */
  readonly credit: number;
}

/** What both offers make together. The decoder has checked that the required parameters are there and in range. */
export function agree(options: ResolvedConnection, peer: Parameters, version: number): Agreed {
  const own = options.heartbeat;
  const txInterval = toMicros(Math.max(own.interval, peer.requiredRx!));
  const rxInterval = toMicros(Math.max(peer.desiredTx!, own.minimumInterval));
  const txDetection = own.multiplier * txInterval;
  const rxDetection = peer.multiplier! * rxInterval;
  // Who says that it may miss many intervals is given as many to answer in.
  const multiplier = Math.max(own.multiplier, peer.multiplier!);
  const probeDetection = multiplier * txInterval;
  const beat: Beat = { txInterval, rxDetection, probeDetection, multiplier: own.multiplier };
  return {
    beat,
    agreement: Object.freeze({
      version,
      txInterval: toMillis(txInterval),
      rxInterval: toMillis(rxInterval),
      txDetection: toMillis(Math.min(txDetection, multiplier * rxInterval)),
      rxDetection: toMillis(rxDetection),
      probeDetection: toMillis(probeDetection),
      detectionBound: toMillis(detectionBound(beat, false)),
      idleDetectionBound: toMillis(detectionBound(beat, true)),
      maxMessage: peer.maxMessage ?? DEFAULT_MAX_MESSAGE,
    }),
    window: 3 * peer.multiplier!,
    credit: peer.credit ?? 0,
  };
}

/**
 * What machines of the searched world do, and what must hold of one of them by itself.
 *
 * @module
 */

import type { Environment } from "../../core/environment.ts";
import type { CloseReason, DialFailure, Unconfirmed } from "../../core/events.ts";
import type { SessionState } from "../../core/flow/session_state.ts";
import { bytesKey } from "../../core/wire/bytes.ts";
import type { Frame } from "./frames.ts";
import type { Side } from "./state.ts";

/** Something does not hold. */
export class Violation extends Error {}

/** Of a session that is lost: messages that were not confirmed, and what became of them; requests that never arrived, by id. */
export interface Loss {
  readonly life: string;
  readonly messages: ReadonlyMap<number, Unconfirmed["state"]>;
  readonly unsent: readonly number[];
}

/** What a machine did. */
export type Effect =
  /** Wrote frames, or ended its direction. */
  | { readonly type: "put"; readonly dial: number; readonly frames: readonly (Frame | null)[] }
  /** The end of a transport is gone. */
  | { readonly type: "gone"; readonly dial: number }
  /** A message came; it was finished at once or not. */
  | {
    readonly type: "message";
    readonly life: string | null;
    readonly sender: number;
    readonly number: number;
    readonly position: number;
  }
  | { readonly type: "finished"; readonly life: string | null; readonly position: number }
  /** A request came, was answered, was taken back; a reply came. */
  | {
    readonly type: "request";
    readonly life: string | null;
    readonly id: number;
    readonly sender: number;
    readonly number: number;
  }
  | {
    readonly type: "answered";
    readonly life: string | null;
    readonly id: number;
    readonly result: "accepted" | "blocked" | "late";
  }
  | { readonly type: "cancelled"; readonly life: string | null; readonly id: number }
  | {
    readonly type: "reply";
    readonly life: string | null;
    readonly id: number;
    readonly status: number;
    readonly text: string;
  }
  /** Told the application of a session. */
  | { readonly type: "processed"; readonly life: string | null; readonly position: number }
  | Loss & { readonly type: "lost" }
  | { readonly type: "opened"; readonly life: string }
  | { readonly type: "writable" }
  /** Server: a session is over. */
  | Loss & { readonly type: "over"; readonly reason: CloseReason }
  /** Client. */
  | { readonly type: "dial"; readonly attempt: number }
  | { readonly type: "cancelDial"; readonly attempt: number }
  | { readonly type: "ended"; readonly reason: CloseReason | DialFailure };

/** What is random is all different, in an order of each machine's own, and renamed in keys; jitter is none. */
export class Draws implements Environment {
  /** Which machine draws, and how often it did. */
  readonly who: number;
  count: number;

  constructor(who: number, count = 0) {
    this.who = who;
    this.count = count;
  }

  /** {@inheritDoc Environment.entropy} */
  entropy = (into: Uint8Array): void => {
    into.fill(0);
    if (into.length === 4) return; // a number from [0, 1)
    this.count++;
    into.set([this.who, this.count % 256, this.count >> 8]);
  };
}

/** The name of a session, whichever side has it. */
export function lifeOf(state: SessionState | null | undefined): string | null {
  const grant = state?.grant ?? null;
  return grant && bytesKey(grant.id);
}

/** What is told when a session is lost. */
export function lost(
  life: string,
  unconfirmed: readonly Unconfirmed[],
  unsent: readonly number[],
): Loss & { readonly type: "lost" } {
  const messages = new Map(unconfirmed.map(({ bytes, state }) => [bytes[1]! - 48, state]));
  return { type: "lost", life, messages, unsent };
}

/** Positions are in their order. */
export function positions(side: Side, { inbound, outbound }: SessionState): void {
  const { processed, received, sent, everSent, end } = outbound;
  const rising = [processed, received, sent, everSent, end];
  if (rising.some((position, i) => i > 0 && position < rising[i - 1]!)) {
    throw new Violation(`${side}: what it sends is at ${rising}`);
  }
  if (inbound.processed > inbound.received) {
    throw new Violation(`${side}: processed ${inbound.processed} of ${inbound.received}`);
  }
}

/** Positions do not run back. */
export function rise(side: Side, before: SessionState, now: SessionState): void {
  const figures = ({ inbound, outbound }: SessionState): number[] => [
    ...[inbound.received, inbound.processed],
    ...[outbound.processed, outbound.everSent, outbound.accepted, outbound.told],
  ];
  const was = figures(before);
  if (figures(now).some((position, i) => position < was[i]!)) {
    throw new Violation(`${side}: positions run back from ${was} to ${figures(now)}`);
  }
}

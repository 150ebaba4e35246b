/**
 * What a command gets and gives back.
 *
 * @module
 */

import type { ConnectionOptions, HeartbeatOptions } from "../adapters/api.ts";
import { PRESETS } from "../core/liveness/presets.ts";
import type { Run } from "./args.ts";
import type { ByteSource } from "./input.ts";
import type { Output } from "./output.ts";
import type { Adapter } from "./runtime.ts";
import { INTERVAL_MAX } from "../core/wire/registry.ts";
import { PING_INTERVAL, type Values } from "./spec.ts";
import type { Stop } from "./stop.ts";

/** What a command works with. */
export interface Context {
  readonly run: Run;
  readonly adapter: Adapter;
  readonly output: Output;
  readonly stop: Stop;
  readonly stdin: ByteSource;
  /** Whether a person types at stdin. */
  readonly typed: boolean;
}

/** How a command ended. */
export interface Outcome {
  /** The exit code, unless `error` or an interruption decides it. */
  readonly exit: number;
  /** What went wrong; it is told on stderr. */
  readonly error?: unknown;
  /** For the last line of NDJSON. */
  readonly summary: Readonly<Record<string, unknown>>;
  /** The same for a person, on stdout. */
  readonly report?: readonly string[];
}

/** A command. It may also throw what went wrong. */
export type Command = (context: Context) => Promise<Outcome>;

/** The least interval that a side accepts from the other unless it beats faster itself, ms: the library's default. */
const MINIMUM_INTERVAL = 100;

/**
 * The protocol and its heartbeat, from the command line: what both `connect` and `listen` take.
 *
 * @param interval the heartbeat's, ms; default what the command line says
 */
export function protocolOptions(
  values: Readonly<Values>,
  interval: number | undefined = values.interval,
): Pick<ConnectionOptions, "profile" | "classic" | "heartbeat"> {
  const { profile, repeats } = values;
  return { profile, classic: { repeats }, heartbeat: heartbeatOptions(values, interval) };
}

/** The heartbeat's options from those of the command line. Who asks for a fast heartbeat accepts one, too. */
function heartbeatOptions(values: Readonly<Values>, interval: number | undefined): HeartbeatOptions {
  const { preset, detector, multiplier } = values;
  const least = (preset === undefined ? undefined : PRESETS[preset].minimumInterval) ?? MINIMUM_INTERVAL;
  return {
    ...(preset === undefined ? {} : { preset }),
    ...(detector === undefined ? {} : { detector }),
    ...(interval === undefined ? {} : { interval, minimumInterval: Math.min(interval, least) }),
    ...(multiplier === undefined ? {} : { multiplier }),
  };
}

/** A beat waits for U[0.75, 1] of its interval (docs/PROTOCOL.md, section 5): a question after so much of it is always the first. */
export const FIRST: number = 3 / 4;

/** `ping`: how often to ask, and the heartbeat's interval, ms. */
export function pingIntervals(values: Readonly<Values>): { readonly ask: number; readonly beat: number } {
  const { interval, preset, profile } = values;
  const usual = preset === undefined ? undefined : PRESETS[preset].interval;
  if (interval === undefined && usual !== undefined) return { ask: FIRST * usual, beat: usual };
  const ask = interval ?? PING_INTERVAL;
  // In the historical format a question is no beat.
  return { ask, beat: profile === "classic" ? ask : Math.min(Math.floor(ask / FIRST), INTERVAL_MAX) };
}

/**
 * What a command gets and gives back.
 *
 * @module
 */

import type { ConnectionOptions, HeartbeatOptions } from "../adapters/api.ts";
import type { Run } from "./args.ts";
import type { ByteSource } from "./input.ts";
import type { Output } from "./output.ts";
import type { Adapter } from "./runtime.ts";
import type { Values } from "./spec.ts";
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

/** The protocol and its heartbeat, from the command line: what both `connect` and `listen` take. */
export function protocolOptions(
  values: Readonly<Values>,
  defaultInterval?: number,
): Pick<ConnectionOptions, "profile" | "classic" | "heartbeat"> {
  const { profile, repeats } = values;
  return { profile, classic: { repeats }, heartbeat: heartbeatOptions(values, defaultInterval) };
}

/** The heartbeat's options from those of the command line. Who asks for a fast heartbeat accepts one, too. */
function heartbeatOptions(values: Readonly<Values>, defaultInterval?: number): HeartbeatOptions {
  const interval = values.interval ?? defaultInterval;
  return {
    ...(interval === undefined ? {} : { interval, minimumInterval: Math.min(interval, MINIMUM_INTERVAL) }),
    ...(values.multiplier === undefined ? {} : { multiplier: values.multiplier }),
  };
}

/**
 * What the codec finds wrong with a peer's bytes: a value, never an exception.
 *
 * @module
 */

import type { Code } from "../codes.ts";

/** A fault of the peer: ends the connection. */
export interface Fault {
  /** Which rule was broken. */
  readonly code: Code;
  /** One line for a person, bounded, e.g. `length 70000, limit 16448`. */
  readonly detail: string;
}

/** Makes a {@link Fault}. */
export function fault(code: Code, detail: string): Fault {
  return { code, detail };
}

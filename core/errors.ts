/**
 * The one error type. Core throws it for local misuse only: a wrong option, a call in a state that cannot take it.
 * What a peer does wrong is never thrown; it is an event. Adapters reject promises with it.
 *
 * @module
 */

/** What a {@link HeartwireError} is made from. */
export interface HeartwireErrorOptions {
  /** Whether doing the same again can succeed; default false. */
  readonly retryable?: boolean;
  /** What a person can do about it. */
  readonly hint?: string;
  /** The error or value below this one. */
  readonly cause?: unknown;
}

/** An error with a stable `code` (`ERR_HEARTWIRE_...`), whether it is `retryable`, and a `hint`. */
export class HeartwireError extends Error {
  /** `HeartwireError`. */
  override readonly name = "HeartwireError";
  /** Stable: compare this, never the message. */
  readonly code: string;
  /** Whether doing the same again can succeed. */
  readonly retryable: boolean;
  /** What a person can do about it; may be empty. */
  readonly hint: string;

  /**
   * An error of this library.
   *
   * @param code without the prefix, e.g. `OPTION`
   * @param message what happened, one line
   * @param options what else is known
   */
  constructor(code: string, message: string, options: HeartwireErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = `ERR_HEARTWIRE_${code}`;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint ?? "";
  }
}

/** The error for an option whose value cannot be: names it, says what was expected and what came. */
export function optionError(name: string, expected: string, actual: unknown): HeartwireError {
  const shown = typeof actual === "string"
    ? JSON.stringify(actual.slice(0, 80))
    : String(actual).slice(0, 80);
  return new HeartwireError("OPTION", `option ${name}: expected ${expected}, got ${shown}`, {
    hint: `Set ${name} to ${expected}.`,
  });
}

/** The error for an option that does not exist; the hint names those that do. */
export function unknownOption(name: string, known: readonly string[]): HeartwireError {
  return new HeartwireError("OPTION", `there is no option ${name.slice(0, 80)}`, {
    hint: `Options are ${known.join(", ")}.`,
  });
}

/** Checks that an option is a finite number in a range and returns it. */
export function numberOption(name: string, value: unknown, min: number, max: number, whole = false): number {
  if (typeof value !== "number" || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    throw optionError(name, `${whole ? "a whole number" : "a number"} from ${min} to ${max}`, value);
  }
  return value;
}

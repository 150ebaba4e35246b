/**
 * What an application's function may return for a promise.
 *
 * @module
 */

/** Whether `await` would wait for it. Throws what its `then`, read, throws. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

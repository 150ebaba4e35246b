/**
 * `@std/assert` for all three runtimes.
 *
 * Tests write `import { assertEquals } from "@std/assert"`. tsconfig.json (tsx, Bun) and deno.json (Deno) map that
 * name to this file, which gives types to the plain JavaScript of the npm package `deno-std`. On a machine that
 * reaches JSR the map may name `jsr:@std/assert@1` instead; no test changes.
 *
 * Rule: nothing but re-exports with the signatures of @std/assert. Helpers of our own live in other files.
 * @module
 */

// A declaration of its module for tsc would be one that Deno does not look for.
// @ts-ignore: the npm package carries no types; `Assertions` below gives them, to tsc and to Deno
import * as untyped from "deno-std/assert/mod.js";

type AnyConstructor = new (...args: never[]) => unknown;
type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;
type Falsy = false | 0 | 0n | "" | null | undefined;

interface Assertions {
  AssertionError: new (message: string, options?: ErrorOptions) => Error;
  assert(expr: unknown, msg?: string): asserts expr;
  assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void;
  assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void;
  assertEquals<T>(actual: T, expected: T, msg?: string): void;
  assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
  assertFalse(expr: unknown, msg?: string): asserts expr is Falsy;
  assertGreater<T>(actual: T, expected: T, msg?: string): void;
  assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
  assertInstanceOf<T extends AnyConstructor>(
    actual: unknown,
    expectedType: T,
    msg?: string,
  ): asserts actual is InstanceType<T>;
  assertIsError<E extends Error = Error>(
    error: unknown,
    errorClass?: ErrorClass<E>,
    msgMatches?: string | RegExp,
    msg?: string,
  ): asserts error is E;
  assertLess<T>(actual: T, expected: T, msg?: string): void;
  assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;
  assertMatch(actual: string, expected: RegExp, msg?: string): void;
  assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
  assertNotInstanceOf<A, T>(
    actual: A,
    unexpectedType: abstract new (...args: never[]) => T,
    msg?: string,
  ): asserts actual is Exclude<A, T>;
  assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
  assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
  assertObjectMatch(actual: object, expected: object, msg?: string): void;
  assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
  assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    errorClass: ErrorClass<E>,
    msgMatches?: string | RegExp,
    msg?: string,
  ): Promise<E>;
  assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T;
  assertStringIncludes(actual: string, expected: string, msg?: string): void;
  assertThrows(fn: () => unknown, msg?: string): unknown;
  assertThrows<E extends Error = Error>(
    fn: () => unknown,
    errorClass: ErrorClass<E>,
    msgMatches?: string | RegExp,
    msg?: string,
  ): E;
  equal(a: unknown, b: unknown): boolean;
  fail(msg?: string): never;
  unimplemented(msg?: string): never;
  unreachable(msg?: string): never;
}

const std = untyped as unknown as Assertions;

// An assertion function must be a name with a declared type, so each is written out.
export const AssertionError: Assertions["AssertionError"] = std.AssertionError;
export const assert: Assertions["assert"] = std.assert;
export const assertAlmostEquals: Assertions["assertAlmostEquals"] = std.assertAlmostEquals;
export const assertArrayIncludes: Assertions["assertArrayIncludes"] = std.assertArrayIncludes;
export const assertEquals: Assertions["assertEquals"] = std.assertEquals;
export const assertExists: Assertions["assertExists"] = std.assertExists;
export const assertFalse: Assertions["assertFalse"] = std.assertFalse;
export const assertGreater: Assertions["assertGreater"] = std.assertGreater;
export const assertGreaterOrEqual: Assertions["assertGreaterOrEqual"] = std.assertGreaterOrEqual;
export const assertInstanceOf: Assertions["assertInstanceOf"] = std.assertInstanceOf;
export const assertIsError: Assertions["assertIsError"] = std.assertIsError;
export const assertLess: Assertions["assertLess"] = std.assertLess;
export const assertLessOrEqual: Assertions["assertLessOrEqual"] = std.assertLessOrEqual;
export const assertMatch: Assertions["assertMatch"] = std.assertMatch;
export const assertNotEquals: Assertions["assertNotEquals"] = std.assertNotEquals;
export const assertNotInstanceOf: Assertions["assertNotInstanceOf"] = std.assertNotInstanceOf;
export const assertNotMatch: Assertions["assertNotMatch"] = std.assertNotMatch;
export const assertNotStrictEquals: Assertions["assertNotStrictEquals"] = std.assertNotStrictEquals;
export const assertObjectMatch: Assertions["assertObjectMatch"] = std.assertObjectMatch;
export const assertRejects: Assertions["assertRejects"] = std.assertRejects;
export const assertStrictEquals: Assertions["assertStrictEquals"] = std.assertStrictEquals;
export const assertStringIncludes: Assertions["assertStringIncludes"] = std.assertStringIncludes;
export const assertThrows: Assertions["assertThrows"] = std.assertThrows;
export const equal: Assertions["equal"] = std.equal;
export const fail: Assertions["fail"] = std.fail;
export const unimplemented: Assertions["unimplemented"] = std.unimplemented;
export const unreachable: Assertions["unreachable"] = std.unreachable;

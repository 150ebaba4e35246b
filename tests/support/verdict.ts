/**
 * What the codec says to one frame, or to any bytes after a good preface.
 *
 * @module
 */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Code } from "../../core/codes.ts";
import { FRAME_LIMIT } from "../../core/wire/registry.ts";
import { cut, decode, join, PLAIN, PREFACE, rawFrame, unhex } from "./wire.ts";

/** How a stream ended. */
export interface Verdict {
  readonly code: Code | undefined;
  readonly detail: string;
  /** How many frames were seen after the preface. */
  readonly seen: number;
}

/** The fault that is found in bytes after a preface: the same whole and byte by byte, its detail one line and bounded. */
export function verdict(bytes: Uint8Array, limit: number = FRAME_LIMIT): Verdict {
  const stream = join(unhex(PREFACE), bytes);
  const { fault, seen } = decode([stream], PLAIN, limit);
  assertEquals(decode(cut(stream, [1]), PLAIN, limit).fault, fault);
  assertLessOrEqual(fault?.detail.length ?? 0, 120);
  assert(!/[\n\r]/.test(fault?.detail ?? ""));
  return { code: fault?.code, detail: fault?.detail ?? "", seen: seen.length - 1 };
}

/** A frame of this type and body is refused with this code, and what follows it is not processed. */
export function refused(code: Code, type: number, body: string): void {
  const { code: got, seen, detail } = verdict(
    join(rawFrame(type, unhex(body)), rawFrame(0x10, Uint8Array.of(1, 1))),
  );
  assertEquals([got, seen], [code, 0], `type ${type.toString(16)}, body ${body}: ${detail}`);
}

/** A frame of this type and body is delivered. */
export function accepted(type: number, body: string): void {
  const { code, seen, detail } = verdict(rawFrame(type, unhex(body)));
  assertEquals([code, seen], [undefined, 1], `type ${type.toString(16)}, body ${body}: ${detail}`);
}

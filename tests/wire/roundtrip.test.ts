/** Every frame: what the encoder writes the decoder reads, whole or cut, several in a row, with and without zlib. */

import { describe, test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ByteQueue } from "../../core/wire/bytes.ts";
import { writeData, writeFrame, writePing, writePong, writePreface } from "../../core/wire/encoder.ts";
import type { ControlFrame } from "../../core/wire/frames.ts";
import {
  controlFrames,
  controlSample,
  cut,
  cuts,
  decode,
  drain,
  hex,
  join,
  NATIVE,
  PLAIN,
  plainSamples,
  PREFACE,
  type Sample,
  samples,
  unhex,
} from "../support/wire.ts";

const preface = unhex(PREFACE);
const PREFACE_SEEN = { frame: "preface", lowest: 1, highest: 1 };

function arrives({ bytes, seen }: Sample): void {
  for (const environment of [PLAIN, NATIVE]) {
    const outcome = decode([preface, bytes], environment);
    assertEquals(outcome.fault, null);
    assertEquals(outcome.seen, [PREFACE_SEEN, seen]);
    assertEquals(outcome.heldBytes, 0);
  }
}

describe("property: arrives as it was sent:", () => {
  for (const [name, sample] of Object.entries(plainSamples)) {
    test(name, () => fc.assert(fc.property(sample, arrives)));
  }
  for (const [name, frame] of Object.entries(controlFrames)) {
    test(name, () => fc.assert(fc.property(frame.map(controlSample), arrives)));
  }
});

test("property: many frames in one queue, cut in any way", () => {
  fc.assert(fc.property(fc.array(samples, { maxLength: 12 }), cuts, (list, sizes) => {
    const stream = join(preface, ...list.map(({ bytes }) => bytes));
    const outcome = decode(cut(stream, sizes));
    assertEquals(outcome.fault, null);
    assertEquals(outcome.seen, [PREFACE_SEEN, ...list.map(({ seen }) => seen)]);
    assertEquals(outcome.heldBytes, 0);
  }));
});

test("the preface", () => {
  const out = new ByteQueue();
  writePreface(out);
  assertEquals(hex(drain(out)), PREFACE);
});

test("positions and times beyond 32 bits travel as their low bits", () => {
  const out = new ByteQueue();
  writePing(out, 0, 2 ** 32 + 1, 2 ** 40 + 2, 3, 2 ** 32 + 4, 2 ** 52 + 5, 0);
  writePong(out, 0, 2 ** 32 + 1, 2 ** 40 + 2, 3, 4, 2 ** 52 + 5, 0);
  writeData(out, PLAIN, 3, 2 ** 52 + 0x1_0006, Uint8Array.of(1, 2, 3, 4), 1, 3);
  const { seen } = decode([preface, drain(out)]);
  assertEquals(seen.slice(1), [
    { frame: "ping", flags: 0, sequence: 1, timestamp: 2, promise: 3, heard: 4, received: 5, stalled: 0 },
    { frame: "pong", flags: 0, answer: 1, timestamp: 2, hold: 3, promise: 4, received: 5, stalled: 0 },
    { frame: "data", flags: 3, sequence: 6, payload: "0203" },
  ]);
});

test("texts are cut to 255 bytes between code points", () => {
  const { seen } = controlSample({ kind: "error", code: 7, text: "\u{1f49a}".repeat(100) });
  assertEquals(seen.text, "\u{1f49a}".repeat(100));
  const out = new ByteQueue();
  writeFrame(out, { kind: "error", code: 7, text: "\u{1f49a}".repeat(100) });
  assertEquals(decode([preface, drain(out)]).seen[1]!.text, "\u{1f49a}".repeat(63));
});

test("what a frame cannot carry is refused before a byte is written", () => {
  const nonce = new Uint8Array(16);
  const beat = { desiredTx: 1_000, requiredRx: 1_000, multiplier: 3 };
  const bad: ControlFrame[] = [
    { kind: "hello", nonce, parameters: {} },
    { kind: "hello", nonce, parameters: { ...beat, multiplier: 0 } },
    { kind: "hello", nonce, parameters: { ...beat, desiredTx: 10.5 } },
    { kind: "hello", nonce, parameters: { ...beat, desiredTx: NaN } },
    { kind: "hello", nonce, parameters: { ...beat, epoch: 1 } },
    { kind: "hello", nonce, parameters: { ...beat, session: new Uint8Array(15) } },
    { kind: "hello", nonce, parameters: { ...beat, keyId: "" } },
    { kind: "hello", nonce, parameters: { ...beat, keyId: "x".repeat(65) } },
    { kind: "hello", nonce, parameters: { ...beat, keyId: "\u20ac".repeat(22) } },
    { kind: "hello", nonce, parameters: { ...beat, token: new Uint8Array(513) } },
    { kind: "welcome", nonce, parameters: { ...beat, integrity: 3 } },
  ];
  for (const frame of bad) {
    const out = new ByteQueue();
    assertThrows(() => writeFrame(out, frame), Error);
    assertEquals(out.pending, 0);
  }
});

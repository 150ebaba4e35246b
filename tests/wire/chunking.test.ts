/** However a stream is cut, good or bad, a decoder sees the same; what it holds follows what came. */

import { Buffer } from "node:buffer";
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { Decoder } from "../../core/wire/decoder.ts";
import { FRAME_LIMIT } from "../../core/wire/registry.ts";
import {
  Collector,
  cut,
  cuts,
  decode,
  hex,
  join,
  NATIVE,
  type Outcome,
  PREFACE,
  rawFrame,
  samples,
  unhex,
} from "../support/wire.ts";

const preface = unhex(PREFACE);

/** What must not depend on the cuts. Who a stranger is can be told only from what came with the first wrong byte. */
function essence({ seen, fault, heldBytes, key }: Outcome): unknown {
  return { seen, heldBytes, key, fault: fault?.code === "NOT_HEARTWIRE" ? fault.code : fault };
}

function sameHoweverCut(stream: Uint8Array, sizes: readonly number[]): void {
  const whole = essence(decode([stream]));
  assertEquals(essence(decode(cut(stream, sizes))), whole);
  assertEquals(essence(decode(cut(stream, [1]))), whole);
  for (const pieces of [[stream], cut(stream, sizes)]) {
    assertEquals(essence(decode(pieces, NATIVE, FRAME_LIMIT, true)), whole);
  }
}

const valid = fc.array(samples, { minLength: 1, maxLength: 8 })
  .map((list) => join(preface, ...list.map(({ bytes }) => bytes)));

/** Frames in order up to their trailer, of any type, with any body. */
const repaired = fc.array(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 90 })), {
  minLength: 1,
  maxLength: 8,
})
  .map((list) => join(preface, ...list.map(([type, body]) => rawFrame(type, body))));

const damage = fc.record({
  at: fc.nat(),
  flip: fc.integer({ min: 1, max: 255 }),
  drop: fc.nat(2),
  add: fc.uint8Array({ maxLength: 2 }),
});

test("property: valid streams", () => {
  fc.assert(fc.property(valid, cuts, sameHoweverCut), { numRuns: 150 });
});

test("property: damaged streams", () => {
  fc.assert(
    fc.property(valid, damage, cuts, (stream, { at, flip, drop, add }, sizes) => {
      const place = at % stream.length;
      const bad = join(stream.subarray(0, place), add, stream.subarray(place + drop));
      bad[place]! ^= flip;
      sameHoweverCut(bad, sizes);
    }),
    { numRuns: 150 },
  );
});

test("property: random streams", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), cuts, (bytes, greeted, sizes) => {
      sameHoweverCut(greeted ? join(preface, bytes) : bytes, sizes);
    }),
    { numRuns: 300 },
  );
});

test("property: streams whose trailers are right and whose bodies are not", () => {
  fc.assert(fc.property(repaired, cuts, sameHoweverCut), { numRuns: 500 });
});

test("property: long streams, of which a decoder that copies gives the short payloads away for good", () => {
  const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(2_100), fc.constantFrom(8_180, 16_384)), {
    minLength: 20,
    maxLength: 60,
  });
  const between = fc.constantFrom("", "ack", "skipped");
  let kept = 0;
  fc.assert(
    fc.property(sizes, between, cuts, (list, other, places) => {
      const more = other === ""
        ? []
        : [other === "ack" ? rawFrame(0x10, Uint8Array.of(1, 1)) : rawFrame(0xff, new Uint8Array(3))];
      const frames = list.map((size, at) =>
        rawFrame(0x43, Uint8Array.of(0, at, ...new Uint8Array(size).fill(at)))
      );
      const stream = join(preface, ...frames.flatMap((frame) => [frame, ...more]));
      const whole = essence(decode([stream]));
      for (const pieces of [[stream], cut(stream, [65_536]), cut(stream, places.map((size) => 97 * size))]) {
        const outcome = decode(pieces, NATIVE, FRAME_LIMIT, true);
        assertEquals(essence(outcome), whole);
        kept += outcome.kept;
      }
    }),
    { numRuns: 60 },
  );
  assertGreater(kept, 0);
});

test("what holds on to payloads that are kept was paid for with credit, whatever lies between them", () => {
  const data = (size: number) => rawFrame(0x43, new Uint8Array(2 + size));
  const junk = rawFrame(0xff, new Uint8Array(8_185));
  const ask = rawFrame(0x4b, Uint8Array.of(0, 0, 1, 0, ...new Uint8Array(20)));
  const patterns: [readonly Uint8Array[], pieces: boolean][] = [
    [[data(20)], true],
    [[data(1), junk], false],
    [[data(1), data(1), junk], true],
    [[data(20), data(2_030)], true],
    [[data(20), data(8_180)], false],
    [[data(20), data(20), data(16_384)], true],
    [[data(1), rawFrame(0x10, Uint8Array.of(1, 1))], false],
    [[rawFrame(0x44, new Uint8Array(9)), rawFrame(0x44, new Uint8Array(9)), junk], true],
    [[ask], true],
    [[ask, data(1)], false],
  ];
  for (const [pattern, pieces] of patterns) {
    const once = join(...pattern);
    const stream = join(preface, ...Array.from({ length: Math.ceil(100_000 / once.length) }, () => once));
    const buffers = new Map<ArrayBufferLike, { credit: number; messages: number }>();
    const decoder = new Decoder(NATIVE, true);
    decoder.frameLimit = FRAME_LIMIT;
    const note = (payload: Uint8Array): void => {
      if (!decoder.owned) return;
      const { credit, messages } = buffers.get(payload.buffer) ?? { credit: 0, messages: 0 };
      buffers.set(payload.buffer, { credit: credit + payload.length + 64, messages: messages + 1 });
    };
    const sink = new (class extends Collector {
      override data(_flags: number, _sequence: number, payload: Uint8Array): void {
        note(payload);
      }
      override volatile(payload: Uint8Array): void {
        note(payload);
      }
      override request(
        _flags: number,
        _sequence: number,
        _id: number,
        _remaining: number,
        payload: Uint8Array,
      ) {
        note(payload);
      }
    })();
    assertEquals(decoder.push(stream, sink), null);
    let together = false;
    for (const [{ byteLength }, { credit, messages }] of buffers) {
      assertLessOrEqual(byteLength, credit);
      assertLessOrEqual(byteLength, pattern.includes(ask) ? 1_024 : 8_192);
      together ||= messages > 1;
    }
    assertEquals(together, pieces);
  }
});

test("a short message that comes alone is given away for good, in an array of its own; a long one is lent", () => {
  class Special extends Uint8Array {}
  const [whole, begun] = [0x43, 0x41];
  const cases: [type: number, size: number, copies: boolean, of: typeof Uint8Array, owned: boolean][] = [
    [whole, 0, true, Uint8Array, true],
    [whole, 64, true, Uint8Array, true],
    [whole, 2_048, true, Uint8Array, true],
    [whole, 2_049, true, Uint8Array, false],
    [begun, 64, true, Uint8Array, false],
    [whole, 64, false, Uint8Array, false],
    [whole, 64, true, Special, false], // whose slice may be a view, as that of Node's Buffer
  ];
  for (const [type, size, copies, of, owned] of cases) {
    const decoder = new Decoder(NATIVE, copies);
    decoder.frameLimit = FRAME_LIMIT;
    const given: { payload: Uint8Array; owned: boolean }[] = [];
    const sink = new (class extends Collector {
      override data(_flags: number, _sequence: number, payload: Uint8Array): void {
        given.push({ payload, owned: decoder.owned });
      }
    })();
    decoder.push(preface, sink);
    assertEquals(decoder.push(of.from(rawFrame(type, new Uint8Array(2 + size).fill(5))), sink), null);
    assertEquals(given.map(({ payload }) => payload.length), [size]);
    assertEquals(given[0]!.owned, owned);
    if (owned) assertEquals(given[0]!.payload.buffer.byteLength, size);
    assertEquals(decoder.owned, false);
  }
});

test("property: a copy made at any place goes on alike and disturbs nothing", () => {
  fc.assert(fc.property(valid, fc.nat(), cuts, (stream, at, sizes) => {
    const place = at % (stream.length + 1);
    const decoder = new Decoder(NATIVE);
    decoder.frameLimit = FRAME_LIMIT;
    const before = new Collector();
    for (const piece of cut(stream.subarray(0, place), sizes)) decoder.push(piece, before);
    const copy = decoder.clone();
    assertEquals(copy.key(), decoder.key());
    const after: string[] = [];
    for (const each of [copy, decoder]) {
      const sink = new Collector();
      for (const piece of cut(stream.subarray(place), sizes)) each.push(piece, sink);
      after.push(JSON.stringify([sink.seen, each.key(), each.framesDecoded, each.heldBytes]));
    }
    assertEquals(after[0], after[1]);
  }));
});

test("an unfinished frame holds memory for what came, not for what was announced", () => {
  const frame = rawFrame(0x43, new Uint8Array(16_386));
  for (const sizes of [[1], [7], [1, 2, 3, 4, 5, 6, 7], [1_000]]) {
    const decoder = new Decoder(NATIVE);
    decoder.frameLimit = FRAME_LIMIT;
    const sink = new Collector();
    decoder.push(preface, sink);
    let grown = 0;
    let capacity = 0;
    let came = 0;
    for (const piece of cut(join(frame, frame, frame), sizes)) {
      decoder.push(piece, sink);
      came += piece.length;
      assertEquals(decoder.heldBytes, came % frame.length);
      assertLessOrEqual(decoder.heldMemory, Math.max(128, 2 * decoder.heldBytes));
      if (decoder.heldMemory !== capacity) grown += capacity = decoder.heldMemory;
    }
    assertEquals(sink.seen.length, 4);
    // What was allocated, and so what was copied, is a small multiple of what came: linear, however it is cut.
    assertLessOrEqual(grown, 4 * came + 1_024);
  }
});

test("a connection between frames holds nothing big", () => {
  const decoder = new Decoder(NATIVE);
  decoder.frameLimit = FRAME_LIMIT;
  const sink = new Collector();
  const big = rawFrame(0x43, new Uint8Array(16_386));
  const small = rawFrame(0x43, new Uint8Array(20));
  for (const piece of cut(join(preface, big, small, big, small), [100])) decoder.push(piece, sink);
  assertEquals(decoder.inFrame, false);
  assertLessOrEqual(decoder.heldMemory, 128);
  // The end of a big frame and the beginning of a small one in the same chunk.
  decoder.push(big.subarray(0, 9_000), sink);
  decoder.push(join(big.subarray(9_000), small.subarray(0, 3)), sink);
  assertEquals(decoder.heldBytes, 3);
  assertLessOrEqual(decoder.heldMemory, 128);
});

test("a payload from a held frame stays while the next frame begins in the same push", () => {
  const one = rawFrame(0x43, Uint8Array.of(0, 1, ...new Uint8Array(40).fill(0x11)));
  const two = rawFrame(0x43, Uint8Array.of(0, 2, ...new Uint8Array(40).fill(0x22)));
  for (let split = 1; split < one.length; split++) {
    for (const tail of [1, 10, two.length - 1]) {
      const decoder = new Decoder(NATIVE);
      const views: Uint8Array[] = [];
      const sink = new (class extends Collector {
        override data(_flags: number, _sequence: number, payload: Uint8Array): void {
          views.push(payload);
        }
      })();
      decoder.push(join(preface, one.subarray(0, split)), sink);
      decoder.push(join(one.subarray(split), two.subarray(0, tail)), sink);
      assertEquals(views.map(hex), ["11".repeat(40)]);
      decoder.push(two.subarray(tail), sink);
      assertEquals(hex(views[1]!), "22".repeat(40));
    }
  }
});

test("a payload is a plain Uint8Array, whatever the runtime gave", () => {
  for (const size of [0, 10, 1_000]) {
    const frame = rawFrame(0x43, new Uint8Array(2 + size));
    for (const sizes of [[1 << 20], [3]]) {
      const seen: unknown[] = [];
      const sink = new (class extends Collector {
        override data(_flags: number, _sequence: number, payload: Uint8Array): void {
          seen.push(payload.constructor, payload.length);
        }
      })();
      const decoder = new Decoder(NATIVE);
      decoder.frameLimit = FRAME_LIMIT;
      for (const piece of cut(join(preface, frame), sizes)) decoder.push(Buffer.from(piece), sink);
      assertEquals(seen, [Uint8Array, size]);
    }
  }
});

test("frames are counted, and an unfinished one is told", () => {
  const decoder = new Decoder(NATIVE);
  const sink = new Collector();
  const stream = join(preface, rawFrame(0x10, Uint8Array.of(1, 1)), rawFrame(0xff, new Uint8Array(3)));
  const ends = [8, 8 + 8, 8 + 8 + 9];
  assertEquals(stream.length, ends[2]);
  for (let at = 0; at < stream.length; at++) {
    decoder.push(stream.subarray(at, at + 1), sink);
    const finished = ends.filter((end) => end <= at + 1).length;
    assertEquals(decoder.framesDecoded, finished);
    assertEquals(decoder.heldBytes, at + 1 - (ends[finished - 1] ?? 0));
    assertEquals(decoder.inFrame, decoder.heldBytes > 0);
  }
});

test("an empty push changes nothing", () => {
  const decoder = new Decoder(NATIVE);
  const sink = new Collector();
  const stream = join(preface, rawFrame(0x10, Uint8Array.of(1, 1)));
  for (const piece of cut(stream, [3])) {
    const key = decoder.key();
    assertEquals(decoder.push(new Uint8Array(0), sink), null);
    assertEquals(decoder.key(), key);
    decoder.push(piece, sink);
  }
  assert(sink.seen.length === 2);
});

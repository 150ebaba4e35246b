/** ByteQueue: bytes in order, never changed once committed, and memory that follows the traffic. */

import { test } from "node:test";
import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import { frame } from "../../core/flow/framing.ts";
import { ByteQueue } from "../../core/wire/bytes.ts";
import { writeData, writePing } from "../../core/wire/encoder.ts";
import { FrameType } from "../../core/wire/registry.ts";
import { drain, hex, PLAIN } from "../support/wire.ts";

/** The greatest slab: four frames of the greatest size. */
const GREATEST = 4 * (16_384 + 64);

function write(queue: ByteQueue, size: number, value: number): void {
  queue.reserve(size);
  queue.bytes.fill(value, queue.at, queue.at + size);
  queue.commit(size);
}

/** Sends what is pending in one write; returns how many bytes that were. */
function flush(queue: ByteQueue): number {
  return drain(queue).length;
}

interface Model {
  queue: ByteQueue;
  bytes: number[];
}

test("property: a queue of bytes, whatever is written, taken, forgotten and cloned", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("write" as const), n: fc.oneof(fc.nat(3), fc.nat(300), fc.nat(20_000)) }),
    fc.record({ do: fc.constant("take" as const), n: fc.oneof(fc.nat(300), fc.nat(70_000)) }),
    fc.record({
      do: fc.constantFrom("flush" as const, "clone" as const, "clear" as const),
      n: fc.constant(0),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let models: Model[] = [false, true, true].map((shares) => ({
        queue: new ByteQueue(shares),
        bytes: [],
      }));
      const shown: { view: Uint8Array; copy: Uint8Array }[] = [];
      let value = 0;
      for (const { do: what, n } of steps) {
        if (what === "clone" && models.length < 9) {
          models = [
            ...models,
            ...models.map(({ queue, bytes }) => ({ queue: queue.clone(), bytes: bytes.slice() })),
          ];
        }
        for (const model of models) {
          const { queue } = model;
          if (what === "write") {
            value = (value + 1) % 251;
            write(queue, n, value);
            for (let count = 0; count < n; count++) model.bytes.push(value);
          } else if (what === "take" || what === "flush") {
            let left = what === "flush" ? Infinity : n;
            for (let view = queue.peek(); view !== null && left > 0; view = queue.peek()) {
              assert(view.length > 0);
              shown.push({ view, copy: view.slice() });
              const taken = Math.min(left, view.length);
              assertEquals(view.subarray(0, taken), Uint8Array.from(model.bytes.splice(0, taken)));
              queue.advance(taken);
              left -= taken;
            }
          } else if (what === "clear") {
            queue.clear();
            model.bytes = [];
          }
          assertEquals(queue.pending, model.bytes.length);
          assertEquals(queue.peek() === null, model.bytes.length === 0);
          // At most what is pending in slabs that are at least half used, and one to write into.
          assertLessOrEqual(queue.held, 4 * queue.pending + 2 * GREATEST);
        }
      }
      // What a runtime took, and may still be writing, is as it was.
      for (const { view, copy } of shown) assertEquals(hex(view), hex(copy));
    }),
    { numRuns: 60 },
  );
});

test("a connection that only sends heartbeats holds nothing between them, and one slab serves many connections", () => {
  const queues = Array.from({ length: 100 }, () => new ByteQueue(true));
  const slabs = new Set<ArrayBufferLike>();
  for (let beat = 1; beat <= 20; beat++) {
    for (const queue of queues) {
      writePing(queue, 1, beat, beat, 255, beat, 0, 0);
      assertLessOrEqual(queue.held, 256);
      slabs.add(queue.bytes.buffer);
      assertEquals(flush(queue), 24);
      assertEquals(queue.held, 0);
    }
  }
  // 2,000 heartbeats of 24 bytes, and what is left at the end of each slab of 4 KiB.
  assertLessOrEqual(slabs.size, 14);
});

test("property: what others write into the shared slab changes nothing that is shown", () => {
  const turns = fc.array(fc.array(fc.nat(120), { maxLength: 6 }), { maxLength: 40 });
  fc.assert(
    fc.property(turns, turns, (own, foreign) => {
      const views = (others: readonly number[][]): string[] => {
        const [queue, other] = [new ByteQueue(true), new ByteQueue(true)];
        return own.map((sizes, turn) => {
          for (const size of sizes) {
            write(queue, size, 1);
            for (const size of others[turn] ?? []) write(other, size, 2);
          }
          if (turn % 3 === 0) flush(other);
          const seen: string[] = [];
          for (let view = queue.peek(); view !== null; view = queue.peek()) {
            seen.push(hex(view));
            queue.advance(view.length);
          }
          return seen.join(" ");
        });
      };
      assertEquals(views(foreign), views([]));
    }),
    { numRuns: 200 },
  );
});

test("a big slab is let go within a few heartbeats", () => {
  for (const size of [1_000, 16_000, 1_000_000]) {
    const queue = new ByteQueue();
    for (let sent = 0; sent < size; sent += 1_000) write(queue, 1_000, 1);
    flush(queue);
    let beats = 0;
    for (; queue.held > 512; beats++) {
      writePing(queue, 1, beats, beats, 255, beats, 0, 0);
      flush(queue);
      assertLessOrEqual(beats, 20);
    }
  }
});

test("a busy connection makes one slab for many frames", () => {
  const queue = new ByteQueue();
  const payload = new Uint8Array(64);
  const slabs = new Set<ArrayBufferLike>();
  const burst = 900;
  for (let turn = 0; turn < 20; turn++) {
    for (let count = 0; count < burst; count++) {
      writeData(queue, PLAIN, 3, count, payload, 0, 64);
      slabs.add(queue.bytes.buffer);
    }
    assertEquals(flush(queue), burst * 73);
  }
  // 20 bursts of 65,700 bytes in slabs of 65,792; the first burst grows there.
  assertLessOrEqual(slabs.size, 40);
  assertLessOrEqual(queue.held, GREATEST);
});

test("a slab of a busy connection holds four frames of the greatest size", () => {
  const queue = new ByteQueue();
  const chunk = new Uint8Array(16_384);
  for (let turn = 0; turn < 3; turn++) {
    for (let count = 0; count < 8; count++) writeData(queue, PLAIN, 3, count, chunk, 0, chunk.length);
    flush(queue);
  }
  queue.clear();
  for (let count = 0; count < 4; count++) {
    writeData(queue, PLAIN, 3, count, chunk, 0, chunk.length);
    assertEquals(queue.peek()?.length, (count + 1) * (16_384 + 11));
  }
});

test("messages of several chunks lie in one slab each where they fit, and waste little memory where they do not", () => {
  const payload = new Uint8Array(200_000);
  for (
    const size of [16_385, 20_000, 32_768, 40_000, 49_152, 65_536, 65_800, 70_000, 82_000, 100_000, 200_000]
  ) {
    const queue = new ByteQueue();
    frame(queue, FrameType.DATA, payload.subarray(0, 30), -1, 0); // they do not begin where a slab does
    for (let i = 0; i < 16; i++) frame(queue, FrameType.DATA, payload.subarray(0, size), -1, 0);
    assertLessOrEqual(queue.held / queue.pending, 1.35, `${size}`);
    let slabs = 0;
    for (let view = queue.peek(); view !== null; view = queue.peek()) {
      slabs++;
      queue.advance(view.length);
    }
    if (size <= 65_536) assertLessOrEqual(slabs, 17, `${size}`);
    else assertLessOrEqual(slabs, 16 * Math.ceil((size + 100) / 65_536), `${size}`);
  }
});

test("small bursts share a slab as well", () => {
  const queue = new ByteQueue();
  const slabs = new Set<ArrayBufferLike>();
  for (let turn = 0; turn < 1_000; turn++) {
    writeData(queue, PLAIN, 3, turn, new Uint8Array(64), 0, 64);
    slabs.add(queue.bytes.buffer);
    flush(queue);
  }
  assertLessOrEqual(slabs.size, 150);
});

test("a frame of the greatest size after small ones lies in one piece", () => {
  const queue = new ByteQueue();
  writePing(queue, 1, 1, 1, 255, 0, 0, 0);
  writeData(queue, PLAIN, 3, 0, new Uint8Array(16_384), 0, 16_384);
  assertEquals(queue.peek()?.length, 24);
  queue.advance(24);
  // A length of 4 bytes, type, sequence, payload, trailer.
  assertEquals(queue.peek()?.length, 4 + 1 + 2 + 16_384 + 4);
});

test("more than was reserved or is pending is misuse", () => {
  const queue = new ByteQueue();
  queue.reserve(10);
  assertThrows(() => queue.commit(queue.bytes.length + 1), Error, "reserved");
  queue.commit(10);
  assertThrows(() => queue.advance(11), Error, "pending");
  assertThrows(() => queue.advance(-1), Error, "pending");
  assertThrows(() => queue.advance(NaN), Error, "pending");
  assertEquals(queue.pending, 10);
});

test("the key is what is pending, however it lies", () => {
  const one = new ByteQueue();
  const other = new ByteQueue();
  write(other, 5_000, 9);
  other.advance(5_000);
  for (const queue of [one, other]) {
    write(queue, 3, 7);
    write(queue, 200, 8);
    queue.advance(1);
  }
  assertEquals(one.key(), other.key());
  write(one, 1, 1);
  assert(one.key() !== other.key());
});

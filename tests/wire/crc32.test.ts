/** CRC-32: known values, the runtime's own, and the choice between the two. */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { crc32 as zlibCrc32 } from "node:zlib";
import { checksum, crc32, crc32View, NATIVE_FROM } from "../../core/wire/crc32.ts";
import { PLAIN } from "../support/wire.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("known values", () => {
  const known: readonly (readonly [Uint8Array, number])[] = [
    [text(""), 0],
    [text("123456789"), 0xcbf4_3926], // the check value of the catalogue of parametrised CRCs
    [text("a"), 0xe8b7_be43],
    [text("The quick brown fox jumps over the lazy dog"), 0x414f_a339],
    [new Uint8Array(32), 0x190a_55ad],
    [new Uint8Array(32).fill(0xff), 0xff6c_ab0b],
  ];
  for (const [bytes, expected] of known) {
    assertEquals(crc32(bytes, 0, bytes.length, 0), expected);
    assertEquals(crc32View(new DataView(bytes.buffer), 0, bytes.length, 0), expected);
  }
});

test("property: any part, any seed, any split agrees with zlib", { skip: zlibCrc32 === undefined }, () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), fc.nat(), fc.nat(), (bytes, a, b, seed) => {
      const start = a % (bytes.length + 1);
      const end = start + b % (bytes.length - start + 1);
      // zlib forgets the seed when there are no bytes.
      const expected = start === end ? seed : zlibCrc32(bytes.subarray(start, end), seed);
      assertEquals(crc32(bytes, start, end, seed), expected);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      assertEquals(crc32View(view, start, end, seed), expected);
      const head = crc32(bytes, 0, start, 0);
      assertEquals(crc32(bytes, start, bytes.length, head), zlibCrc32(bytes));
    }),
    { numRuns: 500 },
  );
});

test("the runtime's own is taken from the given size on", () => {
  const asked: number[] = [];
  const native = (bytes: Uint8Array, seed: number): number => {
    asked.push(bytes.length);
    return crc32(bytes, 0, bytes.length, seed) | 0; // signed, as some give it
  };
  const bytes = Uint8Array.from({ length: 400 }, (_, at) => at * 7);
  for (const environment of [{ ...PLAIN, crc32: native }, { ...PLAIN, crc32: native, crc32From: 10 }]) {
    const from = environment.crc32From ?? NATIVE_FROM;
    asked.length = 0;
    for (const size of [0, from - 1, from, 300]) {
      assertEquals(checksum(environment, bytes, 5, 5 + size, 9), crc32(bytes, 5, 5 + size, 9));
    }
    assertEquals(asked, [from, 300]);
  }
  asked.length = 0;
  assertEquals(checksum({ ...PLAIN, crc32: native, crc32From: 0 }, bytes, 7, 7, 9), 9);
  assertEquals(asked, []);
  assertEquals(checksum(PLAIN, bytes, 0, 400, 0), crc32(bytes, 0, 400, 0));
});

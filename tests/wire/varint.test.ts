/** Varints: the examples of RFC 9000 (A.1), every edge, every form, and nothing read beyond the end. */

import { test } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  readUint32,
  readVarint,
  VARINT_EXCESS,
  VARINT_SHORT,
  varintForm,
  varintSize,
  writeUint32,
  writeVarint,
} from "../../core/wire/varint.ts";
import { hex, unhex, varints } from "../support/wire.ts";

test("the examples of RFC 9000, those above 2^53 - 1 refused", () => {
  const examples: readonly (readonly [string, number])[] = [
    ["c2197c5eff14e88c", 151_288_809_941_952_652],
    ["9d7f3e7d", 494_878_333],
    ["7bbd", 15_293],
    ["25", 37],
    ["4025", 37],
  ];
  for (const [bytes, value] of examples) {
    const read = readVarint(unhex(bytes), 0, bytes.length / 2);
    assertEquals(read, Number.isSafeInteger(value) ? value : VARINT_EXCESS, bytes);
  }
});

test("edges of each form, as literal bytes", () => {
  const edges: readonly (readonly [number, string])[] = [
    [0, "00"],
    [63, "3f"],
    [64, "4040"],
    [16_383, "7fff"],
    [16_384, "80004000"],
    [2 ** 30 - 1, "bfffffff"],
    [2 ** 30, "c000000040000000"],
    [2 ** 31, "c000000080000000"],
    [2 ** 32 - 1, "c0000000ffffffff"],
    [2 ** 32, "c000000100000000"],
    [2 ** 53 - 1, "c01fffffffffffff"],
  ];
  for (const [value, bytes] of edges) {
    const into = new Uint8Array(10).fill(0xaa);
    const end = writeVarint(into, 1, value);
    assertEquals(hex(into.subarray(1, end)), bytes);
    assertEquals(hex(into.subarray(end)), "aa".repeat(10 - end));
    assertEquals(varintSize(value), bytes.length / 2);
    assertEquals(readVarint(into, 1, end), value);
  }
});

test("above 2^53 - 1 is refused", () => {
  for (const bytes of ["c020000000000000", "ffffffffffffffff", "c020000000000001"]) {
    assertEquals(readVarint(unhex(bytes), 0, 8), VARINT_EXCESS);
  }
});

test("property: what is written is read, in each form that holds it, and never beyond the end", () => {
  fc.assert(fc.property(varints, fc.constantFrom(1, 2, 4, 8), (value, form) => {
    if (form < varintSize(value)) return;
    // A longer form by hand: the value in `form` bytes, the form in the top bits.
    const digits = value.toString(16).padStart(2 * form, "0");
    const bytes = unhex(`${digits}ff`);
    bytes[0]! |= { 1: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0 }[form]!;
    assertEquals(varintForm(bytes[0]!), form);
    assertEquals(readVarint(bytes, 0, form), value);
    for (let end = 0; end < form; end++) assertEquals(readVarint(bytes, 0, end), VARINT_SHORT);
  }));
});

test("property: 32 bits there and back", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    const into = new Uint8Array(6);
    assertEquals(writeUint32(into, 1, value), 5);
    assertEquals(readUint32(into, 1), value % 2 ** 32);
    assertEquals([into[0], into[5]], [0, 0]);
  }));
});

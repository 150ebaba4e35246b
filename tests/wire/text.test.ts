/** UTF-8 of the short texts: agrees with the platform's strict decoder on everything, cuts between code points. */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeText, encodeText } from "../../core/wire/text.ts";
import { unhex } from "../support/wire.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text as it travels: each lone surrogate is U+FFFD. */
const wellFormed = (text: string): string => strict.decode(new TextEncoder().encode(text));

function reference(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

test("property: encodes as TextEncoder does, lone surrogates included", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
      (text) => {
        assertEquals(encodeText(text, 10_000), new TextEncoder().encode(text));
      },
    ),
  );
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const bytes = encodeText(text, 10_000);
    assertEquals(bytes, new TextEncoder().encode(text));
    assertEquals(decodeText(bytes, 0, bytes.length), wellFormed(text));
  }));
});

test("the edges of each form, and of the surrogates, are encoded as TextEncoder does", () => {
  for (
    const point of [
      0,
      0x7f,
      0x80,
      0x7ff,
      0x800,
      0xd7ff,
      0xd800,
      0xdbff,
      0xdc00,
      0xdfff,
      0xe000,
      0xffff,
      0x1_0000,
      0x10_ffff,
    ]
  ) {
    const text = `a${String.fromCodePoint(point)}b`;
    assertEquals(encodeText(text, 100), new TextEncoder().encode(text), point.toString(16));
  }
});

test("property: is cut between code points, as late as the limit allows", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.nat(40), (text, limit) => {
    const bytes = encodeText(text, limit);
    assert(bytes.length <= limit);
    const read = decodeText(bytes, 0, bytes.length);
    const whole = wellFormed(text);
    assert(read !== null && whole.startsWith(read));
    const next = whole.codePointAt(read.length);
    if (next !== undefined) {
      assert(bytes.length + new TextEncoder().encode(String.fromCodePoint(next)).length > limit);
    }
  }));
});

test("every sequence of one, two and three bytes at the edges is judged as by the platform", () => {
  const edges = [
    0x00,
    0x7f,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xe1,
    0xec,
    0xed,
  ];
  edges.push(0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xfe, 0xff);
  const judge = (...bytes: number[]): void => {
    const given = Uint8Array.from(bytes);
    const [read, expected] = [decodeText(given, 0, given.length), reference(given)];
    // Compared here first: three hundred thousand calls of an assertion take seconds.
    if (read !== expected) assertEquals(read, expected, given.join(" "));
  };
  for (let first = 0; first < 256; first++) {
    judge(first);
    for (let second = 0; second < 256; second++) judge(first, second);
  }
  for (const first of edges) {
    for (const second of edges) {
      for (const third of edges) {
        judge(first, second, third);
        if (first >= 0xf0) { for (const fourth of edges) judge(first, second, third, fourth); }
      }
    }
  }
});

test("property: random bytes are judged as by the platform", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    assertEquals(decodeText(bytes, 0, bytes.length), reference(bytes));
  }));
});

test("overlong forms, surrogates and what is above U+10FFFF are refused", () => {
  for (
    const bad of [
      "c080",
      "c1bf",
      "e08080",
      "e09fbf",
      "f0808080",
      "f08fbfbf",
      "eda080",
      "edbfbf",
      "f4908080",
      "f8888080",
    ]
  ) {
    assertEquals(decodeText(unhex(bad), 0, bad.length / 2), null, bad);
  }
});

test("nothing outside the range is looked at", () => {
  const bytes = unhex("ff 61 e2 82 ac ff");
  assertEquals(decodeText(bytes, 1, 5), "a\u20ac");
  assertEquals(decodeText(bytes, 1, 4), null);
  assertEquals(decodeText(bytes, 5, 5), "");
});

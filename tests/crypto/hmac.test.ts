/** HMAC-SHA-256: RFC 4231, every length against the runtime's own, whichever computes; and equality of bytes. */

import { createHmac } from "node:crypto";
import { test } from "node:test";
import { assert, assertEquals, assertFalse } from "@std/assert";
import { systemEnvironment } from "../../adapters/environment.ts";
import { equalBytes, hmac, hmacSha256 } from "../../core/crypto/hmac.ts";
import { Random } from "../support/random.ts";
import { hex, PLAIN, unhex } from "../support/wire.ts";

const SYSTEM = systemEnvironment(200);
const SYSTEM_FROM_100 = systemEnvironment(200, 100);

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.word() >>> 24);
}

/** `bytes` cut in parts, some of them empty. */
function parts(random: Random, bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const to = Math.min(bytes.length, at + random.between(0, 90));
    found.push(bytes.subarray(at, to));
    at = to;
  }
  return found;
}

function expected(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(bytes).digest());
}

/** RFC 4231, section 4: key, data, and the first bytes of the result or all of it. */
const RFC_4231: readonly (readonly [Uint8Array, Uint8Array, string])[] = [
  [
    new Uint8Array(20).fill(0x0b),
    text("Hi There"),
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  ],
  [
    text("Jefe"),
    text("what do ya want for nothing?"),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  [
    new Uint8Array(20).fill(0xaa),
    new Uint8Array(50).fill(0xdd),
    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
  ],
  [
    unhex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
    new Uint8Array(50).fill(0xcd),
    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
  ],
  [new Uint8Array(20).fill(0x0c), text("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b"],
  [
    new Uint8Array(131).fill(0xaa),
    text("Test Using Larger Than Block-Size Key - Hash Key First"),
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  ],
  [
    new Uint8Array(131).fill(0xaa),
    text(
      "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed " +
        "before being used by the HMAC algorithm.",
    ),
    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
  ],
];

const BY = [
  ["core", PLAIN],
  ["the system", SYSTEM],
  ["the system from 100 bytes on", SYSTEM_FROM_100],
] as const;

for (const [name, environment] of BY) {
  test(`RFC 4231, by ${name}`, () => {
    for (const [index, [key, data, result]] of RFC_4231.entries()) {
      const mac = hmac(environment, key, data);
      assertEquals(mac.length, 32);
      assertEquals(hex(mac).slice(0, result.length), result, `test case ${index + 1}`);
    }
  });

  test(`data of every length, cut at random, by ${name}`, () => {
    const random = new Random(4);
    for (let length = 0; length <= 200; length++) {
      const key = randomBytes(random, random.between(0, 150));
      const bytes = randomBytes(random, length);
      assertEquals(hmac(environment, key, ...parts(random, bytes)), expected(key, bytes), `${length} bytes`);
    }
    const key = randomBytes(random, 32);
    for (const length of [500, 1_000, 2_000, 16_448]) {
      const bytes = randomBytes(random, length);
      assertEquals(hmac(environment, key, ...parts(random, bytes)), expected(key, bytes), `${length} bytes`);
    }
  });

  test(`keys of every length, by ${name}`, () => {
    const random = new Random(5);
    for (let length = 0; length <= 200; length++) {
      const key = randomBytes(random, length);
      const bytes = randomBytes(random, random.between(0, 100));
      assertEquals(hmac(environment, key, bytes), expected(key, bytes), `a key of ${length} bytes`);
    }
    assertEquals(hmac(environment, text("k")), expected(text("k"), text("")), "no parts");
  });

  test(`a result is a plain array of its own, and nothing given changes, by ${name}`, () => {
    const key = text("key");
    const data = text("data");
    const first = hmac(environment, key, data);
    assert(Object.getPrototypeOf(first) === Uint8Array.prototype);
    assertEquals(first.buffer.byteLength, 32);
    const kept = first.slice();
    hmac(environment, text("another"), data);
    assertEquals(first, kept);
    assertEquals([key, data], [text("key"), text("data")]);
  });
}

test("the environment's own is taken when there is one", () => {
  const asked: Uint8Array[][] = [];
  const answer = new Uint8Array(32).fill(9);
  const environment = {
    ...PLAIN,
    hmacSha256: (...given: Uint8Array[]): Uint8Array => {
      asked.push(given);
      return answer;
    },
  };
  const given = [text("k"), text("a"), text(""), text("b")] as const;
  assertEquals(hmac(environment, ...given), answer);
  assertEquals(asked, [[...given]]);
  assertEquals(hmac(PLAIN, ...given), hmacSha256(text("k"), text("ab")));
});

test("equality looks at every byte and at the lengths", () => {
  const random = new Random(6);
  for (const length of [0, 1, 16, 32, 33]) {
    const bytes = randomBytes(random, length);
    assert(equalBytes(bytes, bytes.slice()), `${length} bytes`);
    for (let at = 0; at < length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const other = bytes.slice();
        other[at]! ^= 1 << bit;
        assertFalse(equalBytes(bytes, other), `byte ${at}, bit ${bit}`);
      }
    }
    const longer = new Uint8Array(length + 1);
    longer.set(bytes);
    assertFalse(equalBytes(bytes, longer));
    assertFalse(equalBytes(longer, bytes));
  }
  // Differences that would cancel out if they were added.
  assertFalse(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(2, 1)));
  assertFalse(equalBytes(Uint8Array.of(0, 0), Uint8Array.of(5, 5)));
});

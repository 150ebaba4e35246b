/** SHA-256: known values, every length against the runtime's own, every way of cutting. */

import { createHash } from "node:crypto";
import { test } from "node:test";
import { assertEquals, assertNotStrictEquals } from "@std/assert";
import { Sha256, sha256 } from "../../core/crypto/sha256.ts";
import { Random } from "../support/random.ts";
import { hex, unhex } from "../support/wire.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.word() >>> 24);
}

test("known values", () => {
  const known: readonly (readonly [Uint8Array, string])[] = [
    // The examples of NIST for FIPS 180-4, of one block, two blocks and 896 bits.
    [text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
    [
      text(
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      ),
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ],
    // The first of its validation suite (SHA256ShortMsg).
    [text(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    [unhex("d3"), "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"],
    [unhex("11af"), "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"],
    [unhex("b4190e"), "dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"],
  ];
  for (const [bytes, expected] of known) assertEquals(hex(sha256(bytes)), expected);
});

test("a million times a", () => {
  const hash = new Sha256();
  const piece = new Uint8Array(1_000).fill(0x61);
  for (let i = 0; i < 1_000; i++) hash.update(piece);
  assertEquals(hex(hash.digest()), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
});

test("every length from 0 to 200, cut at random, agrees with the runtime's own", () => {
  const random = new Random(1);
  const again = new Sha256();
  for (let length = 0; length <= 200; length++) {
    const bytes = randomBytes(random, length);
    const expected = new Uint8Array(createHash("sha256").update(bytes).digest());
    assertEquals(sha256(bytes), expected, `${length} bytes at once`);
    for (let round = 0; round < 10; round++) {
      again.reset();
      for (let at = 0; at < length;) {
        const to = Math.min(length, at + random.between(0, 90));
        again.update(bytes.subarray(at, to));
        at = to;
      }
      assertEquals(again.digest(), expected, `${length} bytes in pieces`);
    }
  }
});

test("a digest is of what was taken so far, and the hash goes on", () => {
  const bytes = randomBytes(new Random(2), 150);
  const hash = new Sha256();
  for (let length = 0; length < bytes.length; length++) {
    assertEquals(hash.digest(), sha256(bytes.subarray(0, length)), `${length} bytes`);
    hash.update(bytes.subarray(length, length + 1));
  }
  assertEquals(hash.digest(), hash.digest());
  assertNotStrictEquals(hash.digest(), hash.digest());
});

test("bytes given may be changed afterwards, and what was hashed at once leaves nothing behind", () => {
  const bytes = randomBytes(new Random(3), 100);
  const expected = sha256(bytes);
  const hash = new Sha256().update(bytes);
  const copy = bytes.slice();
  bytes.fill(0);
  assertEquals(sha256(copy), expected);
  assertEquals(hash.digest(), expected);
});

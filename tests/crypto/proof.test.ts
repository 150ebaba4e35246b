/** The proofs of docs/PROTOCOL.md, sections 4.1 and 4.2, against HMACs over bytes put together here by hand. */

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { systemEnvironment } from "../../adapters/environment.ts";
import {
  authMac,
  challengeMac,
  directionKey,
  type ResumeClaim,
  resumeProof,
  welcomeMac,
} from "../../core/crypto/proof.ts";
import { HeartwireError } from "../../core/errors.ts";
import { Random } from "../support/random.ts";
import { hex, PLAIN, unhex } from "../support/wire.ts";
import { PROOFS, renderProofs } from "../vectors/proofs.ts";

const SYSTEM = systemEnvironment(200);

function bytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.word() >>> 24);
}

function reference(key: Uint8Array, ...parts: (string | Uint8Array)[]): Uint8Array {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
}

/** Eight bytes of a whole number, by way of BigInt. */
function eight(value: number): Uint8Array {
  const into = new Uint8Array(8);
  new DataView(into.buffer).setBigUint64(0, BigInt(value));
  return into;
}

const EDGES = [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52, 2 ** 53 - 1] as const;

test("a proof is the HMAC that the protocol writes down", () => {
  const random = new Random(1);
  const number = (): number => EDGES[random.between(0, EDGES.length - 1)]!;
  for (let round = 0; round < 200; round++) {
    const secret = bytes(random, 32);
    const nonce = bytes(random, 16);
    const claim: ResumeClaim = {
      ...{ session: bytes(random, 16), generation: number(), received: number() },
      ...{ firstRetained: number(), sent: number() },
    };
    const expected = reference(
      ...[secret, "heartwire/1 resume", Uint8Array.of(0), claim.session, eight(claim.generation)] as const,
      ...[eight(claim.received), eight(claim.firstRetained), eight(claim.sent), nonce],
    );
    assertEquals(resumeProof(PLAIN, secret, claim, nonce), expected);
    assertEquals(resumeProof(SYSTEM, secret, claim, nonce), expected);
  }
});

test("tests/vectors/proofs.json is up to date, and every proof is as it says", () => {
  const file = readFileSync(new URL("../vectors/proofs.json", import.meta.url), "utf8");
  assertEquals(file.split("\n"), renderProofs().split("\n"));
  assertEquals(new Set(PROOFS.map(({ name }) => name)).size, PROOFS.length);
  for (const { name, secret, session, nonce, proof, ...numbers } of PROOFS) {
    const made = resumeProof(PLAIN, unhex(secret), { session: unhex(session), ...numbers }, unhex(nonce));
    assertEquals(hex(made), proof, name);
  }
});

test("every bit of the secret, the claim and the nonce counts", () => {
  const random = new Random(2);
  const secret = bytes(random, 32);
  const nonce = bytes(random, 16);
  const claim: ResumeClaim = {
    ...{ session: bytes(random, 16), generation: 3, received: 2 ** 40, firstRetained: 7, sent: 11 },
  };
  const seen = new Set([hex(resumeProof(PLAIN, secret, claim, nonce))]);
  const count = (made: Uint8Array): unknown => seen.add(hex(made));
  const flipped = (of: Uint8Array): Uint8Array[] =>
    Array.from(
      { length: of.length * 8 },
      (_, bit) => of.map((byte, at) => at === bit >> 3 ? byte ^ 1 << (bit & 7) : byte),
    );
  for (const other of flipped(secret)) count(resumeProof(PLAIN, other, claim, nonce));
  for (const session of flipped(claim.session)) {
    count(resumeProof(PLAIN, secret, { ...claim, session }, nonce));
  }
  for (const other of flipped(nonce)) count(resumeProof(PLAIN, secret, claim, other));
  for (const name of ["generation", "received", "firstRetained", "sent"] as const) {
    for (let bit = 0; bit < 53; bit++) {
      const value = Number(BigInt(claim[name]) ^ (1n << BigInt(bit)));
      count(resumeProof(PLAIN, secret, { ...claim, [name]: value }, nonce));
    }
  }
  assertEquals(seen.size, 1 + 256 + 128 + 128 + 4 * 53);
});

test("what cannot be told apart in bytes is refused", () => {
  const secret = new Uint8Array(32);
  const nonce = new Uint8Array(16);
  const good: ResumeClaim = {
    ...{ session: new Uint8Array(16), generation: 0, received: 0, firstRetained: 0, sent: 0 },
  };
  const refused = (claim: ResumeClaim, given = nonce): unknown =>
    assertThrows(() => resumeProof(PLAIN, secret, claim, given), HeartwireError);
  refused({ ...good, session: new Uint8Array(15) });
  refused({ ...good, session: new Uint8Array(17) });
  refused(good, new Uint8Array(15));
  for (const name of ["generation", "received", "firstRetained", "sent"] as const) {
    for (const value of [-1, 0.5, 2 ** 53, NaN, Infinity]) refused({ ...good, [name]: value });
  }
});

test("the MACs and keys of a keyed handshake", () => {
  const random = new Random(3);
  for (const environment of [PLAIN, SYSTEM]) {
    const key = bytes(random, 40);
    const t1 = bytes(random, 150);
    const rest = bytes(random, 90);
    const [client, server] = [bytes(random, 16), bytes(random, 16)];
    const zero = Uint8Array.of(0);
    const made = [
      challengeMac(environment, key, t1),
      authMac(environment, key, t1.subarray(0, 16), t1.subarray(16)),
      welcomeMac(environment, key, t1, rest),
      directionKey(environment, key, "c2s", client, server),
      directionKey(environment, key, "s2c", client, server),
    ];
    assertEquals(made, [
      reference(key, "heartwire/1 server", zero, t1),
      reference(key, "heartwire/1 client", zero, t1),
      reference(key, "heartwire/1 welcome", zero, t1, rest),
      reference(key, "heartwire/1 c2s", zero, client, server),
      reference(key, "heartwire/1 s2c", zero, client, server),
    ]);
    assertNotEquals(directionKey(environment, key, "c2s", server, client), made[3]);
    assertThrows(() => directionKey(environment, key, "c2s", client.subarray(1), server), HeartwireError);
    assertThrows(() => directionKey(environment, key, "s2c", client, new Uint8Array(17)), HeartwireError);
  }
});

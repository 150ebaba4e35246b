/**
 * Writes `proofs.json`: proofs of resume (docs/PROTOCOL.md, section 4.2).
 *
 *   tsx tests/vectors/proofs.ts
 *
 * Rules: the message is put together here by hand and the HMAC is the runtime's, so the vectors test core's own. A vector is
 * never changed, only added: others may have copied it.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { hex, unhex } from "../support/wire.ts";

/** One proof; byte strings as hexadecimal digits. */
export interface Proof {
  readonly name: string;
  readonly secret: string;
  readonly session: string;
  readonly generation: number;
  readonly received: number;
  readonly firstRetained: number;
  readonly sent: number;
  /** The client's. */
  readonly nonce: string;
  readonly proof: string;
}

/** "heartwire/1 resume" and a zero byte. */
const LABEL = "686561727477697265 2f31 20 726573756d65 00";
const NONCE = "000102030405060708090a0b0c0d0e0f";
const SESSION = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
const SECRET = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf";
const MOST = 2 ** 53 - 1;

/** A proof for the four numbers, in the order of the protocol. */
function proof(name: string, numbers: readonly [number, number, number, number]): Proof {
  const [generation, received, firstRetained, sent] = numbers;
  const written = numbers.map((number) => number.toString(16).padStart(16, "0")).join("");
  const mac = createHmac("sha256", unhex(SECRET)).update(unhex(LABEL + SESSION + written + NONCE)).digest();
  return {
    ...{ name, secret: SECRET, session: SESSION, generation, received, firstRetained, sent, nonce: NONCE },
    proof: hex(mac),
  };
}

/** All of them. */
export const PROOFS: readonly Proof[] = [
  proof("nothing sent or received yet", [0, 0, 0, 0]),
  proof("numbers in this order", [1, 2, 3, 4]),
  proof("numbers above 32 bits", [4294967296, 4294967297, 1099511627776, 1099511627777]),
  proof("the greatest numbers", [MOST, MOST, MOST, MOST]),
];

const ABOUT = "Proofs of resume (docs/PROTOCOL.md, section 4.2): `proof` is HMAC-SHA-256(secret, \"heartwire/1 resume\" 00 session, " +
  "generation (8), received (8), firstRetained (8), sent (8), nonce). Byte strings in hexadecimal digits.";

/** The text of the file: one vector a line. */
export function renderProofs(): string {
  const lines = PROOFS.map((vector) => `    ${JSON.stringify(vector)}`);
  return `{\n  "about": ${JSON.stringify(ABOUT)},\n  "vectors": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("proofs.json", import.meta.url), renderProofs());
  console.log(`proofs.json: ${PROOFS.length} vectors`);
}

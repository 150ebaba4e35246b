/**
 * One side of an interoperation test, on whichever runtime runs it.
 *
 *   peer.ts serve ADDRESS    prints its URL; then for each session a line: what it received, and how the session ended
 *   peer.ts connect URL      exchanges data, verifies it, prints what it received, and exits 0
 *
 * The data: both sides send the same sequence of messages, made from a seed, at the same time, and answer each message of the other with
 * its SHA-256; so content, order and boundaries are checked in both directions, with back-pressure in both.
 *
 * @module
 */

import { createHash } from "node:crypto";
import process from "node:process";
import type { Message, Session } from "../../adapters/api.ts";
import { connect, listen } from "../support/contract.ts";
import { Random } from "../support/random.ts";

const OPTIONS = { heartbeat: { interval: 100, multiplier: 20, minimumInterval: 10 } };
const SIZES = [0, 1, 2, 55, 56, 57, 63, 64, 65, 255, 256, 16_383, 16_384, 16_385, 32_768, 100_000, 1_048_575];

/** The messages of one side. */
function* messages(seed: number): Generator<Uint8Array> {
  const random = new Random(seed);
  const sizes = [...SIZES];
  for (let i = 0; i < 100; i++) sizes.push(random.between(0, 3_000));
  for (const size of sizes) {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at++) bytes[at] = random.word() >>> 24;
    yield bytes;
  }
}

const ANSWER = "answer ";
const SEEDS = { serve: 11, connect: 22 };

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Sends all of ours, answers all of theirs, checks both. */
async function exchange(session: Session, own: number, other: number): Promise<string> {
  const answers: string[] = [];
  const answering: Promise<void>[] = [];
  const all = createHash("sha256");
  const expected = [...messages(other)].map(digest);
  const wanted = [...messages(own)].map(digest);
  const sending = (async () => {
    for (const bytes of messages(own)) await session.send(bytes);
  })();
  let got = 0;
  for await (const message of session) {
    const text = message.bytes.length === ANSWER.length + 64 ? message.text() : "";
    if (text.startsWith(ANSWER)) answers.push(text.slice(ANSWER.length));
    else {
      const hash = digest(message.bytes);
      if (hash !== expected[got++]) throw new Error(`message ${got - 1} is not what was sent`);
      all.update(message.bytes);
      // Not awaited: if both sides waited in this loop for room, neither would make any.
      answering.push(session.send(ANSWER + hash));
    }
    if (answers.length === wanted.length && got === expected.length) break;
  }
  await Promise.all([sending, ...answering]);
  if (answers.join() !== wanted.join()) throw new Error("an answer is not what was sent");
  return `${got} messages ${all.digest("hex")}`;
}

const [role, address] = process.argv.slice(2);
if (role === "serve") {
  const server = await listen(address!, async (session) => {
    const received = await exchange(session, SEEDS.serve, SEEDS.connect);
    const rest: Message[] = [];
    for await (const message of session) rest.push(message);
    const { kind } = await session.closed;
    console.log(JSON.stringify({ received, rest: rest.length, kind }));
  }, OPTIONS);
  console.log(server.address.url);
  process.on("SIGTERM", () => void server.close().then(() => process.exit(0)));
} else {
  const session = await connect(address!, OPTIONS);
  const received = await exchange(session, SEEDS.connect, SEEDS.serve);
  const { rtt } = await session.ping();
  if (!(rtt >= 0)) throw new Error(`a round trip of ${rtt} ms`);
  const { kind } = await session.close(0, "done");
  console.log(JSON.stringify({ received, rest: 0, kind }));
}

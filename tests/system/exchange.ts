/**
 * A server and many sessions with it, in one process, on whichever runtime runs it: each side of each session sends numbered messages and
 * checks what comes. The way between them is somebody else's, who may cut it.
 *
 *   exchange.ts SESSIONS MESSAGES SECONDS SEED
 *
 * MESSAGES go over each session in each direction, spread over SECONDS. It prints NDJSON: `listening` with a port; then it reads from stdin
 * the port that clients are to dial, and prints `progress` each second, with `complete` when all has come. At the next line of stdin it closes
 * every session in good order and prints `done`, with all that was wrong.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import type { Session } from "../../adapters/api.ts";
import { connect, listen, pause } from "../support/contract.ts";
import { Random } from "../support/random.ts";

const [SESSIONS, MESSAGES, SECONDS, SEED] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
];

/** Bytes that say which message it is: its session, its number, its direction. */
const HEAD = 9;
const HEARTBEAT = { interval: 400, multiplier: 3 };

/** What one side may do wrong, and how often it did. */
const wrong = { lost: 0, again: 0, damaged: 0, foreign: 0, sends: 0, unconfirmed: 0, begun: 0, ends: 0 };
const examples: string[] = [];

function blame(what: keyof typeof wrong, count: number, example: string): void {
  wrong[what] += count;
  if (examples.length < 20) examples.push(`${what}: ${example}`);
}

function tell(type: string, fields: Record<string, unknown> = {}): void {
  process.stdout.write(`${JSON.stringify({ type, ...fields })}\n`);
}

/** Message `number` of a session's direction: short, or now and then of several chunks; the same each time it is made. */
function make(session: number, number: number, direction: number): Uint8Array {
  const random = new Random(session * 1_000_003 + number * 2 + direction);
  const length = HEAD +
    (random.between(0, 99) === 0 ? random.between(16_000, 50_000) : random.between(0, 200));
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, session);
  view.setUint32(4, number);
  view.setUint8(8, direction);
  for (let at = HEAD, step = random.word() | 1; at < length; at++) bytes[at] = Math.imul(at, step) >>> 24;
  return bytes;
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** One side of one session. */
class Side {
  readonly session: Session;
  readonly number: number;
  readonly #own: number;
  readonly #name: string;
  readonly #random: Random;
  received = 0;
  /** Resolves when everything has come. */
  readonly complete: Promise<void>;
  #isComplete!: () => void;

  constructor(session: Session, number: number, own: 0 | 1) {
    this.session = session;
    this.number = number;
    this.#own = own;
    this.#name = `${own === 0 ? "client" : "server"} ${number}`;
    this.#random = new Random(SEED + number * 2 + own);
    this.complete = new Promise((resolve) => this.#isComplete = resolve);
    void this.#watch();
  }

  /** No session may be lost. */
  async #watch(): Promise<void> {
    for await (const status of this.session.status()) {
      if (status.state === "unconfirmed" || status.state === "lost") {
        blame("unconfirmed", 1, `${this.#name}: ${status.state}`);
      }
    }
  }

  async send(): Promise<void> {
    const acknowledged: Promise<void>[] = [];
    let burst = 0;
    for (let i = 0; i < MESSAGES; i++) {
      if (burst-- === 0) {
        burst = this.#random.between(0, 15);
        await pause(Math.max(0, started + i / MESSAGES * SECONDS * 1_000 - performance.now())); // who begins late hurries
      }
      const bytes = make(this.number, i, this.#own);
      try {
        if (i % 16 === 15 || i === MESSAGES - 1) {
          const sent = this.session.send(bytes, { acknowledged: true });
          sent.catch(() => {});
          acknowledged.push(sent);
        } else {
          await this.session.send(bytes);
          bytes.fill(255); // what was accepted is not ours any more
        }
      } catch (error) {
        blame("sends", 1, `${this.#name}, message ${i}: ${error}`);
      }
    }
    for (const sent of acknowledged) {
      await sent.catch((error: unknown) => blame("sends", 1, `${this.#name}, acknowledged: ${error}`));
    }
  }

  /** Takes a message; some take their time. */
  take(bytes: Uint8Array): Promise<void> | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const number = bytes.length < HEAD ? -1 : view.getUint32(4);
    const expected = this.received;
    const said = `${this.#name} got ${number}, expected ${expected}`;
    if (number === -1 || view.getUint32(0) !== this.number || view.getUint8(8) === this.#own) {
      blame("foreign", 1, said);
      return undefined;
    }
    if (number < expected) {
      blame("again", 1, said);
      return undefined;
    }
    if (number > expected) blame("lost", number - expected, said);
    if (!equal(bytes, make(this.number, number, 1 - this.#own))) blame("damaged", 1, said);
    this.received = number + 1;
    if (this.received === MESSAGES) this.#isComplete();
    return this.number % 5 === 0 && number % 8 === 0 ? pause(this.#random.between(0, 20)) : undefined;
  }
}

const clients: Side[] = [];
let started = 0;
const servers = new Map<number, Side>();
const sending: Promise<void>[] = [];

const server = await listen("127.0.0.1:0", async (session) => {
  let side: Side | null = null;
  for await (const { bytes } of session) {
    if (side === null) {
      const number = bytes.length < HEAD ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      side = new Side(session, number, 1);
      if (servers.has(number)) blame("begun", 1, `session ${number} began again`);
      servers.set(number, side);
      sending.push(side.send());
    }
    await side.take(bytes);
  }
  await side?.complete;
}, {
  heartbeat: HEARTBEAT,
  closeTimeout: 15_000,
  maxConnectionsPerKey: 10_000,
  maxHandshakesPerKey: 1_000,
  onHandlerError: (error) => blame("ends", 1, `a handler: ${error}`),
});
tell("listening", { port: (server.address as { port: number }).port });

const stdin = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const port = Number((await stdin.next()).value);
const cpuBefore = process.cpuUsage();
started = performance.now();

const received = (sides: Iterable<Side>): number => [...sides].reduce((sum, side) => sum + side.received, 0);
let seconds = 0;
let complete = false;
const progress = setInterval(() => {
  tell("progress", {
    seconds: ++seconds,
    received: received(clients) + received(servers.values()),
    complete,
    examples,
  });
}, 1_000);

await Promise.all(Array.from({ length: SESSIONS }, async (_, number) => {
  const session = await connect(`127.0.0.1:${port}`, {
    heartbeat: HEARTBEAT,
    closeTimeout: 15_000,
    reconnect: { base: 20, floor: 5, cap: 300 },
    ...(number % 4 === 0 ? { retention: 100_000, maxMessage: 65_536 } : {}), // senders wait for room
  });
  const side = new Side(session, number, 0);
  clients.push(side);
  session.onMessage(({ bytes }) => side.take(bytes)).catch((error) => {
    blame("ends", 1, `client ${number}: ${error}`);
  });
  sending.push(side.send());
}));

/** Everything has come, and every acknowledgement. */
async function everything(): Promise<void> {
  await Promise.all(clients.map((side) => side.complete));
  await Promise.all([...servers.values()].map((side) => side.complete));
  await Promise.all(sending);
  complete = true;
}
void everything();
await stdin.next();
clearInterval(progress);
for (const { session, number } of clients) {
  void session.close().then(({ kind }) => kind === "closed" || blame("ends", 1, `client ${number}: ${kind}`));
}
const ended = await Promise.all([...clients, ...servers.values()].map(({ session }) => session.closed));
const { user, system } = process.cpuUsage(cpuBefore);
tell("done", {
  wrong,
  examples,
  sessions: servers.size,
  received: received(clients) + received(servers.values()),
  closed: ended.filter(({ kind }) => kind === "closed").length,
  connections: clients.reduce((sum, { session }) => sum + session.stats().conversations, 0),
  kept: server.stats().sessions,
  ended: server.stats().ended,
  cpu: Math.round((user + system) / 1_000),
});
await server.close();
process.exit(0);

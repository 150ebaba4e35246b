/**
 * One side of sessions whose server is killed, on whichever runtime runs it.
 *
 *   killed.ts serve PORT LOG       writes to LOG what its handlers have processed, before the library is told so; prints `listening`
 *   killed.ts send PORT CLIENTS    sends from many sessions until stdin has a line, and prints what became of each message
 *
 * The senders print `round` when each has been connected once more and has sent a few messages since, and `away` when each has noticed that
 * its connection is gone and has sent a few since. At the end each waits for an acknowledgement, closes in good order, and `client` tells
 * what it knows.
 *
 * @module
 */

import { openSync, writeSync } from "node:fs";
import process from "node:process";
import type { Session } from "../../adapters/api.ts";
import { codeOf, connect, listen, pause } from "../support/contract.ts";
import { Random } from "../support/random.ts";

function tell(type: string, fields: Record<string, unknown> = {}): void {
  process.stdout.write(`${JSON.stringify({ type, ...fields })}\n`);
}

async function serve(port: string, log: string): Promise<void> {
  const file = openSync(log, "a");
  const server = await listen(`127.0.0.1:${port}`, (session) =>
    session.onMessage(async (message) => {
      const [client, number] = message.text().split(" ", 2);
      if (Number(client) % 2 === 0) await pause(Number(number) % 3);
      writeSync(file, `${client} ${number}\n`);
    }));
  tell("listening", { port: (server.address as { port: number }).port });
}

/** So many messages of each are sent before a round counts. */
const ROUND = 20;
const AWAY = 5;

/** A sender; a third of them wait for each acknowledgement, a third for some, a third for none. */
class Sender {
  readonly number: number;
  readonly #random: Random;
  #session!: Session;
  #sent = 0;
  /** By number: how the promise of `send` settled, for those that were to be acknowledged, and for the others. */
  readonly acknowledged = new Map<number, string>();
  readonly plain = new Map<number, string>();
  /** What was told as unconfirmed: number and state, list by list. */
  readonly lists: [number, string][][] = [];
  readonly states: string[] = [];
  /** Connections that were live, and how many messages had been sent when the last began, and when it was gone. */
  lives = 0;
  #since = 0;
  away = 0;
  #awaySince = 0;

  constructor(number: number) {
    this.number = number;
    this.#random = new Random(number);
  }

  async run(port: string, ended: () => boolean, told: () => void): Promise<Record<string, unknown>> {
    this.#session = await connect(`127.0.0.1:${port}`, {
      reconnect: { base: 20, floor: 5, cap: 200 },
      ...(this.number % 5 === 0 ? { retention: 70_000, maxMessage: 65_536 } : {}), // some wait for room
    });
    const watching = this.#watch(told);
    const sends: Promise<void>[] = [];
    while (!ended()) {
      for (let burst = this.#random.between(1, 6); burst > 0; burst--) sends.push(this.#send());
      told();
      await pause(this.#random.between(1, 40));
    }
    sends.push(this.#send(true));
    await Promise.all(sends);
    const { kind } = await this.#session.close();
    await watching;
    const { number, acknowledged, plain, lists, states } = this;
    return { number, acknowledged: [...acknowledged], plain: [...plain], lists, states, kind };
  }

  async #send(acknowledged = this.number % 3 === 0 || (this.number % 3 === 1 && this.#sent % 4 === 0)) {
    const number = this.#sent++;
    const size = this.#random.between(0, 19) === 0 ? 20_000 : this.#random.between(0, 300);
    const sent = this.#session.send(`${this.number} ${number} ${"x".repeat(size)}`, { acknowledged });
    (acknowledged ? this.acknowledged : this.plain).set(number, await codeOf(sent));
  }

  async #watch(told: () => void): Promise<void> {
    for await (const status of this.#session.status()) {
      if (this.states.at(-1) !== status.state) this.states.push(status.state);
      if (status.missed > 0) this.states.push(`missed ${status.missed}`);
      if (status.state === "live") {
        this.lives++;
        this.#since = this.#sent;
      } else if (status.state === "resuming" && this.away < this.lives) {
        this.away++;
        this.#awaySince = this.#sent;
      } else if (status.state === "unconfirmed") {
        this.lists.push(status.messages.map(({ bytes, state }) => {
          const [client, number] = new TextDecoder().decode(bytes).split(" ", 2).map(Number);
          return [client === this.number ? number! : -1, state];
        }));
      }
      told();
    }
  }

  /** How often it was connected and has sent enough since. */
  get rounds(): number {
    return this.#sent - this.#since >= ROUND ? this.lives : this.lives - 1;
  }

  /** How often its connection was gone and it has sent enough since. */
  get absences(): number {
    return this.#sent - this.#awaySince >= AWAY ? this.away : this.away - 1;
  }
}

async function send(port: string, count: number): Promise<void> {
  const senders = Array.from({ length: count }, (_, number) => new Sender(number));
  let rounds = 0;
  let absences = 0;
  const look = (): void => {
    for (const now = Math.min(...senders.map((sender) => sender.rounds)); rounds < now;) {
      tell("round", { round: ++rounds });
    }
    for (const now = Math.min(...senders.map((sender) => sender.absences)); absences < now;) {
      tell("away", { round: ++absences });
    }
  };
  let ended = false;
  process.stdin.once("data", () => ended = true);
  await Promise.all(senders.map(async (sender) => {
    tell("client", await sender.run(port, () => ended, look));
  }));
  tell("done");
  process.exit(0);
}

const [role, port, more] = process.argv.slice(2) as [string, string, string];
if (role === "serve") await serve(port, more);
else await send(port, Number(more));

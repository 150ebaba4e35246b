/**
 * The work that `heartwire bench --kill-every` measures: numbered messages and their echoes, over sessions whose connections are cut.
 *
 * Rules: messages leave by the clock, whether answers come or not, and latency counts from the time when a message was due: what waits
 * behind a cut is in the figures. Every number that comes back is held against what was sent. Cuts are made by a cable of this process,
 * in the middle of whatever passes, also before a server elsewhere.
 *
 * @module
 */

import process from "node:process";
import type { Address, ConnectOptions, Session } from "../../adapters/api.ts";
import { endError } from "../../adapters/failure.ts";
import { Cable } from "../cable.ts";
import { UsageError } from "../exit.ts";
import { RoundTrips, type RoundTripSummary } from "../round_trips.ts";
import type { Adapter } from "../runtime.ts";
import { sleep } from "../stop.ts";

/** A message has room for its number. */
export const LEAST_SIZE = 8;

/** Messages are sent in turns of so long, ms. */
const TURN = 5;

/** What is to be done. */
export interface CutTask {
  readonly address: Address;
  readonly options: ConnectOptions;
  /** Bytes of a message. */
  readonly size: number;
  /** Sessions. */
  readonly conns: number;
  /** Messages a second, in all. */
  readonly rate: number;
  /** At most so many messages, in all; Infinity: until the time is up. */
  readonly count: number;
  /** At most so long, ms. */
  readonly duration: number;
  /** Every connection is cut so often, ms. */
  readonly killEvery: number;
  /** What has not come so long after the last that came is lost, ms. */
  readonly timeout: number;
  /** Ends the work early, in good order. */
  readonly signal: AbortSignal;
  /** Ends it at once. */
  readonly forced: AbortSignal;
}

/** What was done, and what came of it. Times in ms. */
export interface CutFigures {
  readonly sent: number;
  /** Echoes that came, each counted once. */
  readonly exchanges: number;
  /** Messages whose echo never came. */
  readonly lost: number;
  /** Echoes that came again. */
  readonly doubled: number;
  /** Echoes that came behind a later one. */
  readonly disordered: number;
  /** How often the cable was cut, and connections that ended by it. */
  readonly cuts: number;
  readonly connectionsCut: number;
  /** Connections that were made again. */
  readonly reconnects: number;
  /** Of those, the ones that went on with their session. */
  readonly resumes: number;
  readonly latency: RoundTripSummary | null;
  readonly elapsed: number;
  /** CPU time of the process, all threads. */
  readonly cpu: number;
}

/** What went out and what came back, in one session: echoes are to come once and in order. */
export class Ledger {
  /** By number: when it was due, of those whose echo has not come. */
  readonly #due = new Map<number, number>();
  #sent = 0;
  #next = 0;
  doubled = 0;
  disordered = 0;

  /** The next message's number; it was due at this time. */
  send(due: number): number {
    this.#due.set(this.#sent, due);
    return this.#sent++;
  }

  /** An echo came. Returns since when it was waited for; null: it is none that was waited for. */
  receive(number: number): number | null {
    const due = this.#due.get(number);
    if (due === undefined) {
      this.doubled++;
      return null;
    }
    this.#due.delete(number);
    if (number < this.#next) this.disordered++;
    else this.#next = number + 1;
    return due;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Those whose echo has not come. */
  get missing(): number {
    return this.#due.size;
  }
}

class Cutting {
  readonly #adapter: Adapter;
  readonly #task: CutTask;
  readonly #latency = new RoundTrips();
  readonly #ledgers: Ledger[] = [];
  readonly #sessions: Session[] = [];
  /** Sessions that could not go on. */
  #begunAgain = 0;
  #sent = 0;
  #cuts = 0;
  #connectionsCut = 0;
  #movedAt = 0;
  #over = false;
  #failure: unknown = null;

  constructor(adapter: Adapter, task: CutTask) {
    this.#adapter = adapter;
    this.#task = task;
  }

  async run(): Promise<CutFigures> {
    const { address, conns, killEvery, forced } = this.#task;
    const cable = await Cable.to(address);
    const abort = (): void => {
      for (const session of this.#sessions) session.abort("the measurement is over");
    };
    let killer: ReturnType<typeof setInterval> | undefined;
    try {
      await Promise.all(Array.from({ length: conns }, () => this.#open(cable.address)));
      forced.addEventListener("abort", abort, { once: true });
      const cpu = cpuMs();
      const started = this.#movedAt = performance.now();
      killer = setInterval(() => {
        this.#cuts++;
        this.#connectionsCut += cable.cut();
      }, killEvery);
      await this.#send(started);
      clearInterval(killer);
      await this.#wait();
      const elapsed = performance.now() - started;
      const used = cpuMs() - cpu;
      this.#over = true;
      await Promise.all(this.#sessions.map((session) => session.close()));
      return this.#figures(elapsed, used);
    } finally {
      this.#over = true;
      clearInterval(killer);
      forced.removeEventListener("abort", abort);
      abort();
      cable.close();
    }
  }

  async #open(address: string): Promise<void> {
    const { options, signal, timeout } = this.#task;
    const session = await this.#adapter.connect(address, {
      ...options,
      signal,
      reconnect: { base: 20, floor: 5, cap: 500, initial: false, giveUpAfter: timeout },
    });
    const ledger = new Ledger();
    this.#sessions.push(session);
    this.#ledgers.push(ledger);
    session.onMessage(({ bytes }) => this.#receive(ledger, bytes)).catch(() => {});
    void this.#watch(session);
    void session.closed.then((reason) => {
      if (!this.#over) this.#failure ??= endError(reason);
    });
  }

  async #watch(session: Session): Promise<void> {
    for await (const { state } of session.status()) if (state === "unconfirmed") this.#begunAgain++;
  }

  /** Sends until the count or the time is reached. */
  async #send(started: number): Promise<void> {
    const { rate, count, duration, size, signal } = this.#task;
    const waiting = this.#sessions.map(() => Promise.resolve());
    while (!signal.aborted && this.#failure === null) {
      const passed = Math.min(performance.now() - started, duration);
      const due = Math.min(count, Math.ceil(passed * rate / 1_000));
      for (; this.#sent < due; this.#sent++) {
        const at = this.#sent % this.#sessions.length;
        const message = new Uint8Array(size).fill("x".charCodeAt(0));
        const number = this.#ledgers[at]!.send(started + this.#sent * 1_000 / rate);
        new DataView(message.buffer).setFloat64(0, number);
        // A session that is blocked is waited for, one behind the other; the first that fails ends it all.
        waiting[at] = waiting[at]!.then(() => this.#sessions[at]!.send(message));
        waiting[at]!.catch((error: unknown) => this.#failure ??= error);
      }
      if (this.#sent >= count || passed >= duration) break;
      await sleep(TURN, signal);
    }
    await Promise.race([Promise.all(waiting).catch(() => {}), this.#failed()]);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when something failed or nothing came for too long. */
  async #failed(): Promise<void> {
    while (this.#failure === null && !this.#stale && !this.#over) await sleep(TURN, this.#task.forced);
  }

  get #stale(): boolean {
    return this.#task.forced.aborted || performance.now() - this.#movedAt > this.#task.timeout;
  }

  /** Waits for what is under way. */
  async #wait(): Promise<void> {
    while (this.#ledgers.some(({ missing }) => missing > 0) && !this.#stale) {
      if (this.#failure !== null) throw this.#failure;
      await sleep(TURN, this.#task.forced);
    }
  }

  #receive(ledger: Ledger, bytes: Uint8Array): void {
    if (bytes.length !== this.#task.size) {
      this.#failure ??= new UsageError(
        "the server answers something else than the message",
        "bench needs a server that echoes: heartwire serve --handler echo.",
      );
      return;
    }
    const now = this.#movedAt = performance.now();
    const due = ledger.receive(new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0));
    if (due !== null) this.#latency.add(Math.max(0, now - due));
  }

  #figures(elapsed: number, cpu: number): CutFigures {
    const sum = (value: (ledger: Ledger) => number): number =>
      this.#ledgers.reduce((total, ledger) => total + value(ledger), 0);
    const reconnects = this.#sessions.reduce((total, one) => total + one.stats().conversations - 1, 0);
    const [sent, lost] = [sum((ledger) => ledger.sent), sum((ledger) => ledger.missing)];
    return {
      ...{ sent, exchanges: sent - lost, lost },
      ...{ doubled: sum((ledger) => ledger.doubled), disordered: sum((ledger) => ledger.disordered) },
      ...{ cuts: this.#cuts, connectionsCut: this.#connectionsCut, reconnects },
      ...{ resumes: reconnects - this.#begunAgain, latency: this.#latency.summary(), elapsed, cpu },
    };
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Does the work. Rejects with what went wrong besides losses; an abort of the signal is no error. */
export function workUnderCuts(adapter: Adapter, task: CutTask): Promise<CutFigures> {
  return new Cutting(adapter, task).run();
}

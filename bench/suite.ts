/**
 * What a suite is, and what all of them need: how long to measure, rounds that are kept by subject, and figures made of them.
 *
 * @module
 */

import { ROOT, type Runtime } from "../tests/support/runtimes.ts";
import { PINNED, Program } from "./process.ts";
import { type Figure, machineName, type Mark, type Report } from "./report.ts";
import { median, quantile, ratio } from "./stats.ts";

export { ROOT };

/** What a suite is run with. */
export interface Context {
  readonly runtime: Runtime;
  /** The built sources. */
  readonly folder: string;
  /** Only its health: everything starts and gives finite figures. */
  readonly quick: boolean;
  /** How long the soak is to last, s; default a few. */
  readonly soak?: number;
}

/** A suite. */
export interface Suite {
  readonly name: string;
  readonly run: (context: Context) => Promise<Report>;
}

/** Values of each round, by what was done and by whom. */
export class Rounds {
  readonly #values = new Map<string, { what: string; subject: string; unit: string; values: number[] }>();

  /** Keeps one. */
  add(what: string, subject: string, unit: string, value: number): void {
    const key = `${what}\n${subject}`;
    let entry = this.#values.get(key);
    if (entry === undefined) this.#values.set(key, entry = { what, subject, unit, values: [] });
    entry.values.push(value);
  }

  /** Those of one subject; none if it was not there. */
  of(what: string, subject: string): readonly number[] {
    return this.#values.get(`${what}\n${subject}`)?.values ?? [];
  }

  /** The median of one subject's. */
  median(what: string, subject: string): number {
    return median(this.of(what, subject));
  }

  /** How many times as much one subject takes as the other, round by round; NaN if one was not there. */
  ratio(what: string, one: string, other: string): number {
    return ratio(this.of(what, one), this.of(what, other));
  }

  /** All of them. */
  figures(): Figure[] {
    return [...this.#values.values()].map(({ what, subject, unit, values }) => ({
      what,
      subject,
      unit,
      value: median(values),
      low: quantile(values, 0.25),
      high: quantile(values, 0.75),
    }));
  }
}

/** A subject's server, with clients that load it. */
export interface Contestant {
  readonly name: string;
  readonly server: Program;
  readonly port: number;
  readonly runtime: string;
}

/** Servers of several subjects, each in a process of its own on one core, and on another the process that loads them. */
export class Contest {
  readonly contestants: Contestant[] = [];
  /** Who could not come, and why. */
  readonly absent: string[] = [];
  /** The clients: on Node, unless the runtime's own are measured as well. */
  readonly load: Program;
  readonly #context: Context;
  readonly #pinned: boolean;

  private constructor(context: Context, load: Program, pinned: boolean) {
    this.#context = context;
    this.load = load;
    this.#pinned = pinned;
  }

  /** Starts the process of the clients. Who takes round trips wants them `pinned`. */
  static start(context: Context, clients: Runtime = "node", pinned = false): Contest {
    const load = Program.start(context.folder, clients, "load", [], pinned ? 0 : null);
    return new Contest(context, load, pinned);
  }

  /** Starts a server; null: it does not work on this runtime, which is noted. */
  async serve(name: string, options: object = {}, v8: readonly string[] = []): Promise<Contestant | null> {
    const { folder, runtime } = this.#context;
    const args = [name, JSON.stringify(options)];
    const server = Program.start(folder, runtime, "server", args, this.#pinned ? 1 : null, v8);
    try {
      const port = await server.call<number>("port");
      const contestant = { name, server, port, runtime: await server.call<string>("runtime") };
      this.contestants.push(contestant);
      return contestant;
    } catch (error) {
      this.drop(name, error);
      await server.stop();
      return null;
    }
  }

  /** Notes who could not come, and why. */
  drop(name: string, error: unknown): void {
    const at = this.contestants.findIndex((each) => each.name === name);
    if (at >= 0) this.contestants.splice(at, 1);
    const why = error instanceof Error ? error.message : String(error);
    if (name.startsWith("heartwire") || name.startsWith("raw")) throw error;
    this.absent.push(`${name} does not run here: ${why.replace(/\s+/g, " ").slice(0, 160)}`);
  }

  /** Ends all. */
  async stop(): Promise<void> {
    await Promise.all(
      [this.load, ...this.contestants.map(({ server }) => server)].map((each) => each.stop()),
    );
  }
}

/** How programs stood on the cores that are said to be pinned. */
export function pinning(): string {
  return PINNED ? "server and client pinned to a core each" : "not pinned, for want of taskset or of cores";
}

/** Makes the report. */
export function reportOf(
  suite: string,
  runtime: string,
  rounds: number,
  kept: Rounds,
  marks: readonly Mark[],
  against: string,
  notes: readonly string[] = [],
): Report {
  return { suite, runtime, machine: machineName(), against, rounds, figures: kept.figures(), marks, notes };
}

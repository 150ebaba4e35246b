/**
 * `heartwire bench`: what short connections cost against long ones, on the same work.
 *
 * Rules: each mode is warmed up by a part of its own work that is not counted. Where the server runs is told, for in this process its CPU
 * time is in the figures. A measurement that was interrupted tells what it has.
 *
 * @module
 */

import type { Address, Server } from "../../adapters/api.ts";
import { comparison, figureLines, type Figures, figuresOf, type Setting } from "../bench/figures.ts";
import { type Mode, type Task, work } from "../bench/work.ts";
import { type Context, type Outcome, protocolOptions } from "../command.ts";
import { EXIT } from "../exit.ts";
import { makeHandler } from "../handlers.ts";
import { runtimeText, version } from "../runtime.ts";
import { BENCH_COUNT } from "../spec.ts";
import * as text from "../text.ts";

/** So many exchanges at most warm up. */
const WARM_UP = 200;

/** The end in good order may take so long, or `--timeout` if that is shorter, ms. */
const CLOSE_TIMEOUT = 5_000;

/** The server of this process has room for what a run can have open at once, and for what is just ending. */
const ROOM = { maxConnections: 100_000, maxConnectionsPerKey: 100_000, maxHandshakes: 10_000 };

class Bench {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  async run(): Promise<Outcome> {
    const { run, adapter } = this.#context;
    if (run.named) return await this.#measure(run.address, false);
    const echo = makeHandler("echo");
    const server: Server = await adapter.listen("127.0.0.1:0", (session) => echo(session, ""), {
      ...protocolOptions(run.values),
      ...ROOM,
      onHandlerError: () => {}, // the client tells what went wrong
    });
    try {
      return await this.#measure(server.address, true);
    } finally {
      await server.abort("the measurement is over");
    }
  }

  async #measure(address: Address, own: boolean): Promise<Outcome> {
    const { run, output, stop } = this.#context;
    const { values } = run;
    const where = own ? "an echo server in this process" : text.addressText(address);
    output.note(`heartwire ${version()} on ${runtimeText()}, against ${where}`);
    const both = values.short === values.long;
    const modes: readonly Mode[] = both ? ["short", "long"] : values.short ? ["short"] : ["long"];
    const results: Partial<Record<Mode, Figures>> = {};
    for (const mode of modes) {
      if (stop.signal.aborted) break;
      const setting: Setting = {
        ...{ mode, profile: values.profile, size: values.size, conns: values.conns, own },
        tcp: address.kind === "tcp",
      };
      const figures = await this.#one(address, setting);
      results[mode] = figures;
      output.record("measured", { mode, ...figures });
      for (const line of figureLines(figures, setting)) output.line(line);
      await output.flush();
    }
    const { short, long } = results;
    const report = short === undefined || long === undefined ? [] : [comparison(short, long)];
    const { profile, size, conns } = values;
    const summary = {
      ...{ address: address.url, own, profile, size, conns, short: short ?? null, long: long ?? null },
      ...{ version: version(), runtime: runtimeText() },
    };
    return { exit: EXIT.ok, summary, report };
  }

  async #one(address: Address, setting: Setting): Promise<Figures> {
    const { run, adapter, stop } = this.#context;
    const { timeout, size, conns, count = BENCH_COUNT } = run.values;
    const task: Task = {
      ...{
        mode: setting.mode,
        address,
        count,
        size,
        conns,
        timeout,
        signal: stop.signal,
        forced: stop.forced,
      },
      options: {
        ...protocolOptions(run.values),
        dialTimeout: timeout,
        handshakeTimeout: timeout,
        closeTimeout: Math.min(timeout, CLOSE_TIMEOUT),
      },
    };
    await work(adapter, { ...task, count: Math.min(WARM_UP, Math.ceil(count / 5)) });
    return figuresOf(await work(adapter, task), setting);
  }
}

/** Runs the command. */
export function bench(context: Context): Promise<Outcome> {
  return new Bench(context).run();
}

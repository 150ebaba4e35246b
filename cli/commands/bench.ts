/**
 * `heartwire bench`: what short connections cost against long ones, on the same work.
 *
 * Rules: each mode is warmed up by a part of its own work that is not counted. Where the server runs is told, for in this process its CPU
 * time is in the figures. A measurement that was interrupted tells what it has. With cuts there is no warm-up: what a session begins with
 * counts, too.
 *
 * @module
 */

import type { Address, ConnectOptions, Server } from "../../adapters/api.ts";
import { LEAST_SIZE, workUnderCuts } from "../bench/cuts.ts";
import {
  comparison,
  cutLines,
  figureLines,
  type Figures,
  figuresOf,
  type Setting,
} from "../bench/figures.ts";
import { type Mode, type Task, work } from "../bench/work.ts";
import { type Context, type Outcome, protocolOptions } from "../command.ts";
import { EXIT, UsageError } from "../exit.ts";
import { makeHandler } from "../handlers.ts";
import { runtimeText, version } from "../runtime.ts";
import { BENCH_COUNT, KILL_DURATION, KILL_RATE } from "../spec.ts";
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
    if (run.values["kill-every"] !== undefined) this.#checkCuts();
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
    if (values["kill-every"] !== undefined) return await this.#underCuts(address, own, values["kill-every"]);
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
    const { timeout, size, conns, rate = null, duration = Infinity } = run.values;
    const count = run.values.count ?? (duration === Infinity ? BENCH_COUNT : Infinity);
    const task: Task = {
      ...{
        mode: setting.mode,
        address,
        count,
        size,
        conns,
        rate,
        duration,
        timeout,
        signal: stop.signal,
        forced: stop.forced,
      },
      options: this.#options,
    };
    await work(adapter, { ...task, rate: null, count: Math.min(WARM_UP, Math.ceil(count / 5)) });
    return figuresOf(await work(adapter, task), setting);
  }

  get #options(): ConnectOptions {
    const { values } = this.#context.run;
    return {
      ...protocolOptions(values),
      dialTimeout: values.timeout,
      handshakeTimeout: values.timeout,
      closeTimeout: Math.min(values.timeout, CLOSE_TIMEOUT),
    };
  }

  /** What cannot be asked of sessions whose connections are cut. */
  #checkCuts(): void {
    const { profile, short, size } = this.#context.run.values;
    if (profile !== "heartwire") {
      throw new UsageError(
        `--kill-every: the profile ${profile} has no sessions that go on`,
        "Leave --profile out.",
      );
    }
    if (short) throw new UsageError("--kill-every: --short has no sessions that go on", "Leave --short out.");
    if (size < LEAST_SIZE) {
      throw new UsageError(
        `--kill-every: a message of ${size} B has no room for its number`,
        `Write --size ${LEAST_SIZE} or more.`,
      );
    }
  }

  async #underCuts(address: Address, own: boolean, killEvery: number): Promise<Outcome> {
    const { run, adapter, output, stop } = this.#context;
    const { size, conns, rate = KILL_RATE, count = Infinity, timeout } = run.values;
    const duration = run.values.duration ?? (count === Infinity ? KILL_DURATION : Infinity);
    const figures = await workUnderCuts(adapter, {
      ...{ address, options: this.#options, size, conns, rate, count, duration, killEvery, timeout },
      ...{ signal: stop.signal, forced: stop.forced },
    });
    const setting = { size, conns, rate, killEvery, own };
    output.record("measured", { mode: "cuts", ...setting, ...figures });
    for (const line of cutLines(figures, setting)) output.line(line);
    await output.flush();
    const whole = figures.lost + figures.doubled + figures.disordered === 0;
    const summary = {
      ...{ address: address.url, ...setting, cuts: figures, version: version(), runtime: runtimeText() },
    };
    return { exit: whole ? EXIT.ok : EXIT.loss, summary };
  }
}

/** Runs the command. */
export function bench(context: Context): Promise<Outcome> {
  return new Bench(context).run();
}

/**
 * What the deadlines of many connections cost.
 *
 * Rules: the pure core in virtual time, so nothing is waited for and no socket weighs in. What comes up in a second of virtual time is what
 * would in one of real time; its CPU time is the share of a core.
 *
 * @module
 */

import { Program } from "./process.ts";
import type { Mark } from "./report.ts";
import { type Context, reportOf, Rounds, type Suite } from "./suite.ts";

const PERIOD = "deadlines of 100,000 connections, every 10 s";
const PERIOD_MILLION = "deadlines of 1,000,000 connections, every 10 s";
const TOUCH = "a packet came";
const BYTES = "a timer, 1,000,000 of them";
const BEAT = "a heartbeat and its answer, both ends";
const OURS = "heartwire";

/** The suite. */
export const timers: Suite = {
  name: "timers",
  async run(context: Context) {
    const { quick } = context;
    const rounds = quick ? 2 : 9;
    const many = quick ? 1_000 : 100_000;
    const million = quick ? 10_000 : 1_000_000;
    const times = quick ? 20_000 : 1_000_000;
    const kept = new Rounds();
    const program = Program.start(context.folder, context.runtime, "core", [], null);
    try {
      const runtime = await program.call<string>("runtime");
      const call = (name: string, argument: unknown): Promise<number> => program.call<number>(name, argument);
      for (let round = quick ? 0 : -2; round < rounds; round++) {
        const add = (what: string, subject: string, unit: string, value: number): void => {
          if (round >= 0) kept.add(what, subject, unit, value); // the engine compiles before that; Bun's is not done after one
        };
        const seconds = quick ? 1 : 10;
        add(PERIOD, OURS, "ms of CPU a second", await call("period", { count: many, seconds }));
        add(TOUCH, OURS, "ns", await call("touch", { count: many, times }));
        add(TOUCH, "of it the heap", "ns", await call("touchHeap", { count: many, times }));
        add(
          TOUCH,
          "a timeout's refresh instead",
          "ns",
          await call("touchTimeout", { count: many, times: times / 10 }),
        );
        const beat = { count: quick ? 50 : 500, seconds: 100 };
        add(BEAT, OURS, "us", await call("beats", beat));
      }
      kept.add(
        PERIOD_MILLION,
        OURS,
        "ms of CPU a second",
        await call("period", { count: million, seconds: 2 }),
      );
      kept.add(BYTES, OURS, "bytes", await call("timerBytes", million));
      const marks: Mark[] = [
        {
          number: 9,
          what: `${PERIOD}: % of a core`,
          value: kept.median(PERIOD, OURS) / 10,
          bound: "at most",
          limit: 1,
        },
        {
          number: 9,
          what: `${TOUCH}: ns for the timers`,
          value: kept.median(TOUCH, OURS),
          bound: "at most",
          limit: 15,
        },
        {
          number: 9,
          what: `${BYTES}: bytes that it adds to its connection`,
          value: kept.median(BYTES, OURS),
          bound: "at most",
          limit: 40,
        },
      ];
      return reportOf("timers", runtime, rounds, kept, marks, "the core alone, in virtual time");
    } finally {
      await program.stop();
    }
  },
};

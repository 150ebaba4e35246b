/**
 * What the contest found, as tables of docs/liveness.md.
 *
 * Rules: a table is a function of the results alone; times in seconds with two digits, rates in whole numbers.
 *
 * @module
 */

import type { Micros } from "../../core/time.ts";
import { atRate, type Judge, type Point } from "./contest.ts";
import {
  accrual,
  asItComes,
  type Contestant,
  contestants,
  curve,
  judge,
  MULTIPLIER,
  PAUSE,
  type Streams,
  streams,
  THRESHOLD,
  usualFloor,
} from "./contestants.ts";
import { Fixed } from "../../core/liveness/detector.ts";
import { quantile } from "../../core/liveness/normal.ts";
import { agreed, type Model, MODELS, MS, SECOND } from "./models.ts";
import type { Panel } from "./plot.ts";
import { akka, timer } from "./rivals.ts";
import { stalled, stalls } from "./stalls.ts";

/** The mean times between beats that are looked at, us. */
export const MEANS: readonly Micros[] = [SECOND, 10 * SECOND];

/** The rates at which detectors are compared, a million beats. */
export const RATES: readonly number[] = [1_000, 100, 10];

/** Timers that are found everywhere, as they come. */
const COMMON: readonly string[] = ["timer, 3 x", "Socket.IO", "ws README"];

/** What one detector did on one network. */
export interface Result {
  readonly model: Model;
  readonly contestant: Contestant;
  readonly points: readonly Point[];
  readonly usual: Point | null;
}

/** Up to which rate another trace of so many beats is no worse: two standard deviations of a count. */
function noMore(rate: number, beats: number): number {
  return rate + 2 * Math.sqrt(rate * 1e6 / beats);
}

/** All detectors on all networks, with beats every `mean` us. */
export interface Season {
  readonly mean: Micros;
  readonly beats: number;
  readonly results: readonly Result[];
}

/** Runs a season. */
export function season(mean: Micros, beats: number, seed: number): Season {
  const results: Result[] = [];
  for (const model of MODELS) {
    const heard = streams(model, mean, beats, seed);
    const all = contestants(mean);
    const usual = new Map(all.map((contestant) => [contestant.name, asItComes(contestant, mean, heard)]));
    // heartwire is also looked at where the common timers stand.
    const common = COMMON.map((name) => noMore(usual.get(name)!.rate, beats));
    for (const contestant of all) {
      const rates = contestant === all[0] ? [...RATES, ...common] : RATES;
      results.push({
        ...{ model, contestant, points: curve(contestant, heard, rates) },
        usual: usual.get(contestant.name) ?? null,
      });
    }
  }
  return { mean, beats, results };
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => "-")), ...rows.map(row)].join("\n");
}

function seconds(time: Micros): string {
  return Number.isNaN(time) ? "-" : (time / SECOND).toFixed(2);
}

function count(rate: number): string {
  return Math.round(rate).toLocaleString("en");
}

/** heartwire's accrual detector as it comes, in words. */
export function ourSetting(mean: Micros): string {
  const floor = usualFloor(mean) / MS;
  const margin = (PAUSE + quantile(THRESHOLD) * floor) / 1_000;
  return `heartwire's agreed interval is ${
    (agreed(mean) / SECOND).toFixed(2)
  } s, its multiplier ${MULTIPLIER}; accrual with threshold ${THRESHOLD}, ` +
    `pause ${PAUSE} ms, floor ${Math.round(floor)} ms, which forgives ${
      margin.toFixed(2)
    } s more than was learned`;
}

function names(results: readonly Result[]): string[] {
  return [...new Set(results.map(({ contestant }) => contestant.name))];
}

function find(results: readonly Result[], model: Model, name: string): Result {
  return results.find((each) => each.model === model && each.contestant.name === name)!;
}

/** The best accrual rival at a rate, us. */
export function bestAccrual(results: readonly Result[], model: Model, rate: number): Micros {
  const times = results.filter((each) => each.model === model && each.contestant.kind === "accrual")
    .map(({ points }) => atRate(points, rate)).filter((time) => !Number.isNaN(time));
  return times.length === 0 ? NaN : Math.min(...times);
}

/** Detection time of everybody at equal rates. */
export function sameRateTable(results: readonly Result[]): string {
  const all = names(results);
  return table(
    ["network", "false", ...all],
    MODELS.flatMap((model) =>
      RATES.map((rate) => [
        model.name,
        count(rate),
        ...all.map((name) => seconds(atRate(find(results, model, name).points, rate))),
      ])
    ),
  );
}

/** Everybody's usual setting. */
export function asTheyComeTable(results: readonly Result[]): string {
  const all = names(results).filter((name) => find(results, MODELS[0]!, name).usual !== null);
  return table(
    ["detector", "knob", ...MODELS.map(({ name }) => name)],
    all.map((name) => {
      const { contestant } = find(results, MODELS[0]!, name);
      return [
        name,
        `${contestant.knob}: ${contestant.usual!.toLocaleString("en", { maximumFractionDigits: 1 })}`,
        ...MODELS.map((model) => {
          const { mean, worst, rate } = find(results, model, name).usual!;
          return `${seconds(mean)}, ${seconds(worst)}; ${count(rate)}`;
        }),
      ];
    }),
  );
}

/** Thresholds and pauses of the accrual detector against each other. */
export function knobTable(beats: number, seed: number): string {
  const rows: string[][] = [];
  for (const mean of MEANS) {
    const floors = contestants(mean)[0]!.knobs;
    const heard = MODELS.map((model) => streams(model, mean, beats / 2, seed));
    const knobs: readonly (readonly [string, readonly number[], (knob: number) => Judge])[] = [
      ["floor", floors, (ms) => accrual(mean, { floor: Math.round(ms * MS) })],
      ["pause", floors.map((ms) => 5 * ms), (ms) => accrual(mean, { pause: Math.round(ms * MS) })],
      ["threshold", [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16], (threshold) => accrual(mean, { threshold })],
    ];
    for (const [knob, steps, make] of knobs) {
      rows.push([
        `${mean / SECOND} s`,
        knob,
        ...MODELS.map((_model, index) => {
          return seconds(
            atRate(curve({ knobs: steps, make, hears: () => "heartwire" }, heard[index]!, [100]), 100),
          );
        }),
      ]);
    }
  }
  return table(["beat every", "knob", ...MODELS.map(({ name }) => name)], rows);
}

/** What stalls do. */
export function stallTable(beats: number, seed: number): string {
  const mean = SECOND;
  const heard: Streams = streams(MODELS[1]!, mean, beats, seed);
  const gaps = stalls((beats + 1_000) * mean, seed + 9);
  const judges: readonly (readonly [string, keyof Streams, () => Judge])[] = [
    ["timer, 3 x", "even", () => timer(3 * mean)],
    [
      "Akka, as it comes",
      "even",
      () => akka({ threshold: 8, interval: mean, deviation: 100 * MS, pause: 3 * SECOND }),
    ],
    ["heartwire fixed", "heartwire", () => judge(new Fixed(MULTIPLIER * agreed(mean), 0))],
    ["heartwire accrual", "heartwire", () => accrual(mean, { bounded: true })],
  ];
  return table(
    ["detector", "judged in the timer", "judged after one more turn of input"],
    judges.map(([name, stream, make]) => [
      name,
      count(stalled(make(), heard[stream], gaps, "in the timer")),
      count(stalled(make(), heard[stream], gaps, "after a turn of input")),
    ]),
  );
}

/** How far heartwire is from the best accrual rival, and from the common timers as they come. */
export interface Comparison {
  readonly network: string;
  readonly against: string;
  readonly rate: number;
  readonly ours: Micros;
  readonly theirs: Micros;
}

/** heartwire's accrual detector against the best accrual rival, at each rate. */
export function againstAccrual({ results }: Season): Comparison[] {
  return MODELS.flatMap((model) =>
    JUDGED.map((rate) => ({
      network: model.name,
      against: "best accrual",
      rate,
      ours: atRate(find(results, model, "heartwire accrual").points, rate),
      theirs: bestAccrual(results, model, rate),
    }))
  );
}

/** heartwire's accrual detector against the common timers as they come, at the rate that these have, within what chance adds to a count. */
export function againstTimers({ results, beats }: Season): Comparison[] {
  return MODELS.flatMap((model) =>
    COMMON.map((name) => {
      const usual = find(results, model, name).usual!;
      return {
        network: model.name,
        against: name,
        rate: usual.rate,
        ours: atRate(find(results, model, "heartwire accrual").points, noMore(usual.rate, beats)),
        theirs: usual.mean,
      };
    })
  );
}

/** The rates that marks are judged at: of the rarest only a handful of events is in a trace. */
export const JUDGED: readonly number[] = [1_000, 100];
/** Not worse than the best accrual rival: by so much at most, for the byte in which a promise travels. */
export const SLACK = 1.05;
/** So many times sooner than a common timer. */
export const SOONER = 2;

/** The marks, and whether they are kept. */
export function marksTable(seasons: readonly Season[]): string {
  const rows: string[][] = [];
  for (const season of seasons) {
    const every = `${season.mean / SECOND} s`;
    for (const model of MODELS) {
      const mine = (all: readonly Comparison[]): Comparison[] =>
        all.filter(({ network }) => network === model.name);
      const worst = mine(againstAccrual(season)).filter(({ theirs }) => !Number.isNaN(theirs))
        .toSorted((a, b) => b.ours / b.theirs - a.ours / a.theirs)[0]!;
      const ratio = worst.ours / worst.theirs;
      rows.push([
        ...[every, model.name],
        `${ratio.toFixed(2)} at ${count(worst.rate)}: ${ratio <= SLACK ? "kept" : "MISSED"}`,
        ...mine(againstTimers(season)).map(({ ours, theirs, rate }) =>
          Number.isNaN(ours)
            ? `- at ${count(rate)}: MISSED`
            : `${(theirs / ours).toFixed(1)} at ${count(rate)}: ${
              theirs / ours >= SOONER ? "kept" : "MISSED"
            }`
        ),
      ]);
    }
  }
  return table(
    [
      ...[
        "beat every",
        "network",
        `best accrual rival: at most ${SLACK} x`,
      ],
      ...COMMON.map((name) => `${name}: at least ${SOONER} x`),
    ],
    rows,
  );
}

const COLORS: Readonly<Record<string, string>> = {
  "heartwire accrual": "#c2185b",
  "heartwire fixed": "#e8915b",
  "Akka, pause": "#1f77b4",
  "Akka, threshold": "#7fb3d9",
  "Chen": "#2ca02c",
  "Cassandra": "#9467bd",
  "timer, any": "#444444",
  "timer, 3 x": "#999999",
  "Socket.IO": "#8c6d31",
  "ws README": "#17becf",
};

/** The panels of a picture. */
export function panels(results: readonly Result[]): Panel[] {
  return MODELS.map((model) => ({
    title: model.name,
    curves: results.filter((each) => each.model === model).map(({ contestant, points, usual }) => ({
      name: contestant.name,
      color: COLORS[contestant.name]!,
      own: contestant.kind === "heartwire",
      points,
      usual,
    })),
  }));
}

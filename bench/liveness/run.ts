/**
 * The figures and plots of docs/liveness.md: how soon each detector finds a cut, and how often it convicts the living.
 *
 *   npx tsx bench/liveness/run.ts [--dry] [--beats N] [--seed N]
 *
 * Replaces the text between the markers in docs/liveness.md and the pictures in docs/liveness/; `--dry` prints the text instead.
 *
 * Rules: no figure is typed by hand. Virtual time and seeded delays alone: the same seed and number of beats give the same figures.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT, runtimePath } from "../../tests/support/runtimes.ts";
import { commitName } from "./commit.ts";
import { WARMUP } from "./contest.ts";
import { DRIFT, MODELS } from "./models.ts";
import { picture } from "./plot.ts";
import {
  asTheyComeTable,
  knobTable,
  marksTable,
  MEANS,
  ourSetting,
  panels,
  sameRateTable,
  season,
  stallTable,
} from "./tables.ts";

const { values } = parseArgs({
  options: {
    dry: { type: "boolean", default: false },
    beats: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
  },
});
const DOCUMENT = join(ROOT, "docs", "liveness.md");
const PICTURES = join(ROOT, "docs", "liveness");
const BEGIN = "<!-- figures:begin -->";
const END = "<!-- figures:end -->";

const [beats, seed] = [Number(values.beats), Number(values.seed)];
const parameters = `seed ${seed}, ${beats.toLocaleString("en")} beats for each network and setting`;
const seasons = MEANS.map((mean) => season(mean, beats, seed));

const parts = [
  `Written by \`npm run bench:liveness\`: ${parameters}, the first ${
    WARMUP.toLocaleString("en")
  } not counted; commit ${commitName()}, ` +
  `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}. The peer's clock runs ${
    DRIFT * 1e6
  } millionths fast.`,
  "### The networks",
  MODELS.map(({ name, what }) => `- _${name}_: ${what}.`).join("\n"),
];
for (const { mean, results } of seasons) {
  const seconds = mean / 1e6;
  parts.push(
    `### A beat every ${seconds} s`,
    `![false convictions against detection time](liveness/every-${seconds}s.svg)`,
    `Mean time from a cut to the conviction, s, at the same rate of false convictions a million beats. Each detector stands at the setting of ` +
      `its knob that is best for that network and rate, which nobody knows beforehand. "-": no setting reaches the rate.`,
    sameRateTable(results),
    `With nobody having turned a knob: mean and worst time to the conviction, s, and false convictions a million beats. ` +
      `As it comes, ${ourSetting(mean)}.`,
    asTheyComeTable(results),
  );
}
parts.push(
  "### Which knob",
  "heartwire's accrual detector with one knob turned and the others as they come; mean time to the conviction, s, at 100 false " +
    "convictions a million beats.",
  knobTable(beats, seed),
  "### A receiver that stalls",
  "Beats every second over the network _jittered_, to a process that stands still every 30 s in the mean, for 50 ms at least and 20 s at most " +
    "(Pareto, shape 1.1). False convictions a million beats.",
  stallTable(beats, seed),
  "### The marks",
  "How many times as long heartwire's accrual detector takes as the best accrual rival (the worse of 1,000 and 100 false convictions a " +
    "million beats), and how many times sooner it is than a common timer as that comes, at no more false convictions than that has (two " +
    "standard deviations of its count allowed).",
  marksTable(seasons),
);
const text = parts.join("\n\n");

if (values.dry) console.log(text);
else {
  mkdirSync(PICTURES, { recursive: true });
  for (const { mean, results } of seasons) {
    const seconds = mean / 1e6;
    writeFileSync(
      join(PICTURES, `every-${seconds}s.svg`),
      picture(
        `A beat every ${seconds} s`,
        parameters,
        panels(results),
        0.45 * mean,
        mean < 5e6 ? 30e6 : 60e6,
      ),
    );
  }
  const document = readFileSync(DOCUMENT, "utf8");
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${DOCUMENT} has no markers`);
  writeFileSync(DOCUMENT, `${document.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${document.slice(end)}`);
  spawnSync(runtimePath("deno"), ["fmt", "--quiet", DOCUMENT], { cwd: ROOT, stdio: "inherit" });
}

/**
 * What a benchmark hands over, and the page that is made of it.
 *
 * Rules: the page is made from {@link Report}s alone, so that no figure on it was typed by a person.
 *
 * @module
 */

import { arch, cpus } from "node:os";
import process from "node:process";

/** One measured figure. */
export interface Figure {
  /** What was done, e.g. `decode, 64 B`. */
  readonly what: string;
  /** Who did it. The subject whose name comes first in a suite is what the others are compared with. */
  readonly subject: string;
  /** The median of the rounds. */
  readonly value: number;
  /** The quartiles of the rounds. */
  readonly low: number;
  readonly high: number;
  /** What the value counts, e.g. `us a message`. */
  readonly unit: string;
}

/** A bound that a figure, or a ratio of two, is to keep. */
export interface Mark {
  /** Marks that belong together have one number. */
  readonly number: number;
  readonly what: string;
  readonly value: number;
  readonly bound: "at least" | "at most";
  /** Undefined: the value stands there for comparison, and is not judged. */
  readonly limit?: number;
  /** What the least work has that could do the same. Undefined: there is no such subject. */
  readonly least?: number;
}

/** What one suite found on one runtime. */
export interface Report {
  readonly suite: string;
  /** Name and version, e.g. `Node 20.20.2`. */
  readonly runtime: string;
  readonly machine: string;
  /** One line about what was compared with, versions included. */
  readonly against: string;
  readonly rounds: number;
  readonly figures: readonly Figure[];
  readonly marks: readonly Mark[];
  /** What else is to be known of this run: who did not come, and why. */
  readonly notes: readonly string[];
}

/** When and what was measured. */
export interface Head {
  readonly commit: string;
  readonly date: string;
  /** Load of the machine before the run: processes that wanted to run, a minute's mean. */
  readonly load: number;
}

/** The runtime that this process is. */
export function runtimeName(): string {
  const { deno, bun, node } = process.versions as Record<string, string | undefined>;
  return deno !== undefined ? `Deno ${deno}` : bun !== undefined ? `Bun ${bun}` : `Node ${node}`;
}

/** The machine that this process runs on. */
export function machineName(): string {
  return `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores, ${process.platform} ${arch()}`;
}

/** Whether a mark is kept. */
export function met({ bound, limit }: Mark, value: number): boolean {
  return limit === undefined || (bound === "at least" ? value >= limit : value <= limit);
}

function verdict(mark: Mark): string {
  if (met(mark, mark.value)) return "kept";
  const { least } = mark;
  const within = least === undefined || Number.isNaN(least) || met(mark, least);
  return within ? "**MISSED**" : `out of reach, the least has ${digits(least)}`;
}

/** A number as it is printed: three digits that count. */
export function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function figureTable({ figures }: Report): string[] {
  const lines: string[] = [];
  for (const unit of new Set(figures.map((figure) => figure.unit))) {
    const those = figures.filter((figure) => figure.unit === unit);
    lines.push(...unitTable(those, unit), "");
  }
  return lines;
}

/** Few subjects stand side by side; many below each other. */
function unitTable(figures: readonly Figure[], unit: string): string[] {
  const lines = [row([unit, "subject", "median", "quartiles", "x"]), row(["-", "-", "-", "-", "-"])];
  for (const what of new Set(figures.map((figure) => figure.what))) {
    const those = figures.filter((figure) => figure.what === what);
    for (const [at, { subject, value, low, high }] of those.entries()) {
      const cells = [at === 0 ? what : "", subject, digits(value), `${digits(low)} .. ${digits(high)}`];
      lines.push(row([...cells, digits(value / those[0]!.value)]));
    }
  }
  return lines;
}

function markTable(reports: readonly Report[]): string[] {
  const runtimes = [...new Set(reports.map(({ runtime }) => runtime))];
  const lines = [row(["", "mark", ...runtimes]), row(["-", "-", ...runtimes.map(() => "-")])];
  const marks = reports.flatMap((report) => report.marks);
  const named = new Map(marks.map(({ number, what }) => [`${number} ${what}`, { number, what }]));
  for (const { number, what } of [...named.values()].sort((a, b) => a.number - b.number)) {
    lines.push(row([
      String(number),
      what,
      ...runtimes.map((runtime) => {
        const mark = reports.filter((report) => report.runtime === runtime)
          .flatMap((report) => report.marks)
          .find((each) => each.number === number && each.what === what);
        if (mark === undefined) return "";
        if (mark.limit === undefined) return digits(mark.value);
        return `${digits(mark.value)}, ${mark.bound} ${mark.limit}: ${verdict(mark)}`;
      }),
    ]));
  }
  return lines;
}

/** The page. `charts` are pictures that go with a suite, by its name. */
export function page(
  reports: readonly Report[],
  { commit, date, load }: Head,
  charts: ReadonlyMap<string, readonly string[]>,
): string {
  const lines = [
    "# Benchmarks",
    "",
    "Written by `npm run bench`; not to be edited. Figures are medians of interleaved rounds with their quartiles; `x` is how many times the",
    "first subject's that is. Ratios are taken round by round. CPU time is that of the whole process, user and system.",
    "",
    `Commit ${commit}, ${date}, ${reports[0]?.machine ?? "no machine"}, load ${
      load.toFixed(1)
    } before the run.`,
    "",
    "## Marks",
    "",
    "A value without a bound stands there for comparison: a limit, or what the mark says nothing about. Out of reach: the least work that could do the",
    "same misses the mark as well, in the same rounds. That is framing by hand with a checksum; a view and a checksum of each message, nothing decoded;",
    "one message each way on a raw socket; a raw socket.",
    "",
    ...markTable(reports),
  ];
  for (const suite of new Set(reports.map((report) => report.suite))) {
    lines.push("", `## ${suite}`, "");
    for (const file of charts.get(suite) ?? []) lines.push(`![${file}](charts/${file})`, "");
    for (const report of reports.filter((each) => each.suite === suite)) {
      lines.push(`### ${suite} on ${report.runtime}`, "", `${report.rounds} rounds; ${report.against}.`, "");
      for (const note of report.notes) lines.push(`- ${note}`);
      if (report.notes.length > 0) lines.push("");
      lines.push(...figureTable(report));
    }
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

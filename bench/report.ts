/**
 * What a benchmark hands over, and the page that is made of it.
 *
 * Rules: a suite prints one line of JSON, a {@link Report}; the page is made from such lines alone, so that no figure on it was
 * typed by a person.
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
  /** What the value counts, e.g. `us a message`. */
  readonly unit: string;
}

/** A bound that a figure, or a ratio of two, is to keep. */
export interface Mark {
  readonly what: string;
  readonly value: number;
  readonly bound: "at least" | "at most";
  readonly limit: number;
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
export function met({ value, bound, limit }: Mark): boolean {
  return bound === "at least" ? value >= limit : value <= limit;
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value >= 1 ? 2 : 3);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function figureTable({ figures }: Report): string[] {
  const subjects = [...new Set(figures.map(({ subject }) => subject))];
  const lines = [
    row([figures[0]?.unit ?? "", ...subjects]),
    row(["-", ...subjects.map(() => "-")]),
  ];
  for (const what of new Set(figures.map((figure) => figure.what))) {
    const ours = figures.find((figure) => figure.what === what && figure.subject === subjects[0])?.value;
    lines.push(row([
      what,
      ...subjects.map((subject) => {
        const value = figures.find((figure) => figure.what === what && figure.subject === subject)?.value;
        if (value === undefined) return "";
        return value === ours || ours === undefined
          ? digits(value)
          : `${digits(value)} (${digits(value / ours)} x)`;
      }),
    ]));
  }
  return lines;
}

function markTable(reports: readonly Report[]): string[] {
  const lines = [
    row(["mark", ...reports.map(({ runtime }) => runtime)]),
    row(["-", ...reports.map(() => "-")]),
  ];
  for (const what of new Set(reports.flatMap(({ marks }) => marks.map((mark) => mark.what)))) {
    lines.push(row([
      what,
      ...reports.map(({ marks }) => {
        const mark = marks.find((each) => each.what === what);
        if (mark === undefined) return "";
        return `${digits(mark.value)}, ${mark.bound} ${mark.limit}: ${met(mark) ? "kept" : "MISSED"}`;
      }),
    ]));
  }
  return lines;
}

/** The page. `commit` and `date` say what was measured and when. */
export function page(reports: readonly Report[], commit: string, date: string): string {
  const lines = [
    "# Benchmarks",
    "",
    "Written by `npm run bench`; not to be edited. Figures are medians of interleaved rounds, in CPU time of the whole process;",
    "in brackets how many times heartwire's that is.",
    "",
    `Commit ${commit}, ${date}, ${reports[0]?.machine ?? "no machine"}.`,
  ];
  for (const suite of new Set(reports.map((report) => report.suite))) {
    const mine = reports.filter((report) => report.suite === suite);
    lines.push("", `## ${suite}`, "", ...markTable(mine));
    for (const report of mine) {
      const head = `${report.runtime}, ${report.rounds} rounds; ${report.against}`;
      lines.push("", `### ${suite} on ${report.runtime}`, "", `${head}.`, "", ...figureTable(report));
    }
  }
  return `${lines.join("\n")}\n`;
}

/**
 * What a complete search counted, as it is published.
 *
 * @module
 */

import { join } from "node:path";
import { ROOT } from "../support/runtimes.ts";
import { CONFIGURATIONS, LONGER, LONGEST } from "./configurations.ts";
import type { Bounds } from "./state.ts";

/** Where the counts are. */
export const COUNTS: string = join(ROOT, "tests/search/counts.json");

/** Where they are published. */
export const DOCUMENT: string = join(ROOT, "docs/verification.md");

/** What one search counted. */
export interface Counts {
  readonly states: number;
  readonly transitions: number;
  readonly machines: number;
  readonly depth: number;
}

const BEGIN = "<!-- written by tests/search/count.ts -->";
const END = "<!-- to here -->";

const ONE: Readonly<Record<string, string>> = {
  cuts: "cut",
  failures: "failed dial",
  ticks: "deadline",
  silences: "silence",
  restarts: "restart",
  closes: "close",
  cancels: "cancel",
};

const MANY: Readonly<Record<string, string>> = { failures: "failed dials", ticks: "deadlines" };

function bounds({ client, server, asks, ...rest }: Bounds): string {
  const said = [`${client.length} + ${server.length} messages`];
  if (asks.client + asks.server > 0) said.push(`${asks.client} + ${asks.server} requests`);
  for (const [what, count] of Object.entries(rest)) {
    if (count > 0) said.push(`${count} ${count === 1 ? ONE[what] : MANY[what] ?? what}`);
  }
  return said.join(", ");
}

/** The table. */
function table(counts: Readonly<Record<string, Counts>>): string {
  const where = [["all", CONFIGURATIONS], ["Node", LONGER], ["full", LONGEST]] as const;
  const rows = where.flatMap(([runs, some]) =>
    some.map(({ name, bounds: within }) => {
      const { states, transitions, machines, depth } = counts[name]!;
      const figures = [states, transitions, machines, depth].map((figure) => figure.toLocaleString("en-US"));
      return [name, bounds(within), runs, ...figures];
    })
  );
  const all = [["searched", "bounds", "run", "states", "transitions", "machines", "depth"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => i < 3 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join(" | ")} |`;
  const rule = `| ${
    widths.map((width, i) => i < 3 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`).join(" | ")
  } |`;
  return [line(all[0]!), rule, ...rows.map(line)].join("\n");
}

/** The document with this table. */
export function withTable(document: string, counts: Readonly<Record<string, Counts>>): string {
  const from = document.indexOf(BEGIN);
  const to = document.indexOf(END);
  if (from < 0 || to < from) throw new Error("docs/verification.md has no place for the table");
  return `${document.slice(0, from + BEGIN.length)}\n\n${table(counts)}\n\n${document.slice(to)}`;
}

/**
 * The page of the benchmarks says of each mark whether it is kept, missed, or out of reach of the least work that could keep it.
 * @module
 */

import { test } from "node:test";
import { assertStringIncludes } from "@std/assert";
import { type Mark, page } from "../../bench/report.ts";

function said(mark: Omit<Mark, "number" | "what">): string {
  const report = {
    suite: "suite",
    runtime: "Runtime 1",
    machine: "machine",
    against: "against",
    rounds: 1,
    figures: [],
    marks: [{ number: 1, what: "work", ...mark }],
    notes: [],
  };
  const text = page([report], { commit: "0", date: "today", load: 0 }, new Map());
  return text.split("\n").find((line) => line.startsWith("| 1 | work |"))!;
}

test("a mark is kept, missed, out of reach, or not judged", () => {
  const cases: [Omit<Mark, "number" | "what">, string][] = [
    [{ value: 1.1, bound: "at most", limit: 1.1 }, "| 1.10, at most 1.1: kept |"],
    [{ value: 1.2, bound: "at most", limit: 1.1 }, "| 1.20, at most 1.1: **MISSED** |"],
    [{ value: 1.2, bound: "at most", limit: 1.1, least: 1.05 }, "| 1.20, at most 1.1: **MISSED** |"],
    [{ value: 1.2, bound: "at most", limit: 1.1, least: NaN }, "| 1.20, at most 1.1: **MISSED** |"],
    [
      { value: 1.2, bound: "at most", limit: 1.1, least: 1.15 },
      "| 1.20, at most 1.1: out of reach, the least has 1.15 |",
    ],
    [{ value: 1.0, bound: "at most", limit: 1.1, least: 1.15 }, "| 1.00, at most 1.1: kept |"],
    [
      { value: 2, bound: "at least", limit: 3, least: 2.5 },
      "| 2.00, at least 3: out of reach, the least has 2.50 |",
    ],
    [{ value: 2, bound: "at least", limit: 3, least: 3 }, "| 2.00, at least 3: **MISSED** |"],
    [{ value: 2, bound: "at least" }, "| 2.00 |"],
  ];
  for (const [mark, text] of cases) assertStringIncludes(said(mark), text);
});

/**
 * docs/liveness.md: its figures and pictures are what `bench/liveness/run.ts` writes, and what its text says of them holds in a small run.
 *
 * Rules: the small run has its own seed, so that what is claimed is no luck of the one that is printed. Only orders are checked, none of
 * the figures.
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ROOT, runtimeCommand } from "../support/runtimes.ts";

const DOCUMENT = readFileSync(join(ROOT, "docs", "liveness.md"), "utf8");
const [, FIGURES] = /<!-- figures:begin -->\n([\s\S]*)<!-- figures:end -->/.exec(DOCUMENT)!;

const [file, ...args] = runtimeCommand("node", join(ROOT, "bench", "liveness", "run.ts"), [
  ...["--dry", "--beats", "20000", "--seed", "7"],
]);
const { stdout: RUN, status, stderr } = spawnSync(file!, args, { cwd: ROOT, encoding: "utf8" });

/** The tables of a text: rows of trimmed cells, the line of dashes left out. */
function tables(text: string): string[][][] {
  return [...text.matchAll(/(?:^\|.*\|$\n?)+/gm)].map(([lines]) =>
    lines.trim().split("\n").filter((line) => !/^[|\s-]+$/.test(line))
      .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
  );
}

const [soon, soonUsual, slow, slowUsual, knobs, stalls, marks] = tables(RUN) as string[][][];
const FEW = ["constant", "jittered", "diurnal drift"];

/** A number of a table at equal rates: mean times, s. */
function time(table: string[][], network: string, rate: string, detector: string): number {
  const row = table.find(([name, each]) => name === network && each === rate)!;
  return Number(row[table[0]!.indexOf(detector)]);
}

/** A detector as it comes: mean and worst time, s, and false convictions a million. */
function usual(table: string[][], network: string, detector: string): [number, number, number] {
  const cell = table.find(([name]) => name === detector)![table[0]!.indexOf(network)]!;
  const [, mean, worst, rate] = /^([\d.]+), ([\d.]+); ([\d,]+)$/.exec(cell)!;
  return [Number(mean), Number(worst), Number(rate!.replaceAll(",", ""))];
}

describe("docs/liveness.md", () => {
  it("has the frame that the run writes", () => {
    assertEquals(status, 0, stderr);
    const titles = (text: string): string[] =>
      text.split("\n").filter((line) => /^(### |!\[|- _)/.test(line));
    assert(titles(RUN).length >= 12);
    assertEquals(titles(FIGURES!), titles(RUN));
    const frame = (text: string): string[][] =>
      tables(text).flatMap(([head, ...rows]) => [head!, ...rows.map(([name]) => [name!])]);
    assertEquals(tables(RUN).length, 7);
    assertEquals(frame(FIGURES!), frame(RUN));
  });

  it("has figures and pictures of one run", () => {
    const written = /seed \d+, [\d,]+ beats for each network and setting/.exec(FIGURES!)![0];
    assertMatch(FIGURES!, /commit [0-9a-f]{7,}\+?, \d{4}-\d\d-\d\d, Node \d+/);
    assert(Number(/([\d,]+) beats/.exec(written)![1]!.replaceAll(",", "")) >= 1_000_000);
    for (const name of [...DOCUMENT.matchAll(/\]\(liveness\/([\w.-]+\.svg)\)/g)].map(([, name]) => name!)) {
      const svg = readFileSync(join(ROOT, "docs", "liveness", name), "utf8");
      assertStringIncludes(svg, `<!-- ${written} -->`);
      assert(svg.match(/<path d="M[^"]*L/g)!.length >= 40, name);
      for (const network of [...FEW, "bursty loss", "cellular"]) assertStringIncludes(svg, `>${network}<`);
    }
  });

  it("is right that the accrual detector is near the best where delays are short", () => {
    for (const table of [soon!, slow!]) {
      for (const network of FEW) {
        const ours = time(table, network, "1,000", "heartwire accrual");
        for (const rival of ["Akka, pause", "Akka, threshold", "Chen", "Cassandra", "timer, any"]) {
          assert(ours <= 1.1 * time(table, network, "1,000", rival), `${network}, ${rival}`);
        }
        assert(2 * ours <= time(table, network, "1,000", "timer, 3 x"), network);
        assert(ours < time(table, network, "1,000", "heartwire fixed"), network);
      }
    }
  });

  it("is right that nobody is much better where delays have a long tail", () => {
    for (const table of [soon!, slow!]) {
      for (const network of ["bursty loss", "cellular"]) {
        const ours = time(table, network, "1,000", "heartwire accrual");
        for (const rival of ["Akka, pause", "Chen", "Cassandra", "timer, any"]) {
          const theirs = time(table, network, "1,000", rival);
          assert(ours <= 1.6 * theirs && theirs <= 1.6 * ours, `${network}, ${rival}: ${ours}, ${theirs}`);
        }
      }
    }
  });

  it("is right that as it comes it is sooner than the common timers, and never later than its bound", () => {
    for (const network of [...FEW, "bursty loss", "cellular"]) {
      const [mean] = usual(slowUsual!, network, "heartwire accrual");
      for (const rival of ["timer, 3 x", "Socket.IO", "ws README", "heartwire fixed"]) {
        assert(mean < usual(slowUsual!, network, rival)[0], `${network}, ${rival}`);
      }
      for (const [table, interval] of [[soonUsual!, 8 / 7], [slowUsual!, 80 / 7]] as const) {
        assert(usual(table, network, "heartwire accrual")[1] <= 3 * interval + 0.005, network);
      }
    }
  });

  it("is right about the knobs, the stalls and the marks", () => {
    const cells = knobs!.filter(([, knob]) => knob === "threshold");
    assertEquals(cells.map((row) => row[knobs![0]!.indexOf("bursty loss")]), ["-", "-"]);
    for (const [detector, inTimer, afterTurn] of stalls!.slice(1)) {
      assert(Number(inTimer!.replaceAll(",", "")) > 10 * Number(afterTurn!), detector);
    }
    for (const [, network, , timer] of marks!.slice(1)) {
      if (FEW.includes(network!)) assertMatch(timer!, /kept$/);
    }
  });
});

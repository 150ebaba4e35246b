/**
 * docs/guide.md: its programs run as they stand on every runtime, and what it says of options and codes is what the code says.
 *
 * Rules: an example that has no expected output below is a failure, and so are an option, a code and a file that the guide
 * forgets or invents.
 */

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CODES } from "../../core/codes.ts";
import { resolveClient, resolveConnection, resolveServer } from "../../core/resolve.ts";
import { Examples, freePort } from "../support/examples.ts";
import { ROOT, runtimeCommand, RUNTIMES } from "../support/runtimes.ts";

const examples = new Examples("docs/guide.md");
const GUIDE = examples.text;
after(() => examples.close());

/** What each example prints, whole. */
const PRINTS: Readonly<Record<string, RegExp>> = {
  "places.ts": /^unix HELLO\nERR_HEARTWIRE_REFUSED Check .*\nERR_HEARTWIRE_CANCELLED .*\n$/,
  "flow.ts": /^8 MiB came back\n$/,
  "ask.ts": /^\{"hours":12\}\n404 there is no \/space\n$/,
  "heartbeat.ts": /^the (?:server|client)[^]*pause for 600 ms[^]*pause for 4000 ms[^]*pause for 6000 ms[^]*$/,
  "terms.ts": /^200 600\nERR_HEARTWIRE_DECLINED\nLOCAL_STALLED live true\n$/,
  "cut.ts": /^live\nsuspect\nclosed\nINBOUND_SILENT 300\n$/,
  "ending.ts":
    /^close ends the loop: 7 enough\nabort throws ERR_HEARTWIRE_ABORTED\nlog: Error: for our log only\nthrow throws ERR_HEARTWIRE_INTERNAL\ndrain ends the loop: 0 .*\n$/,
  "again.ts": /^live\nresuming\nconnecting\nlive\n(?:draining\n)?closed\nin order: true\n$/,
  "moved.ts": /^one!\ntwo! 1\n0\n$/,
  "door.ts": /^ERR_HEARTWIRE_PEER_LIMIT 3000\n401 1\n1 1 1\n$/,
};

/** Rows of the table whose head begins with `first`, cells trimmed. */
function table(first: string): string[][] {
  const lines = GUIDE.split("\n");
  const head = lines.findIndex((line) => new RegExp(`^\\| ${first} +\\|`).test(line));
  assert(head >= 0, `no table of ${first}`);
  const rows: string[][] = [];
  for (let at = head + 2; lines[at]!.startsWith("|"); at++) {
    rows.push(lines[at]!.split("|").slice(1, -1).map((cell) => cell.trim()));
  }
  return rows;
}

/** Names and values, nested ones with dots. */
function flat(value: object, prefix = ""): [string, unknown][] {
  return Object.entries(value).flatMap(([name, inner]): [string, unknown][] =>
    typeof inner === "object" && inner !== null ? flat(inner, `${prefix}${name}.`) : [[prefix + name, inner]]
  );
}

/** All TypeScript of a folder, together. */
function sources(folder: string): string {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts")).sort()
    .map((file) => readFileSync(join(ROOT, folder, file), "utf8")).join("\n");
}

/** Every code that an error is made with, and what the code says of `retryable` there; null where it is computed. */
function thrown(): Map<string, Set<boolean | null>> {
  const found = new Map<string, Set<boolean | null>>();
  const add = (code: string, retryable: boolean | null): void => {
    found.set(code, (found.get(code) ?? new Set()).add(retryable));
  };
  const text = sources("core") + sources("adapters");
  for (const match of text.matchAll(/(?:new HeartwireError|super)\(\s*"([A-Z_]+)"/g)) {
    let depth = 1;
    let end = match.index + match[0].indexOf("(") + 1;
    for (; depth > 0; end++) depth += text[end] === "(" ? 1 : text[end] === ")" ? -1 : 0;
    const said = /retryable: ([^,\n}]+)/.exec(text.slice(match.index, end))?.[1] ?? "false";
    add(match[1]!, said === "true" ? true : said === "false" ? false : null);
  }
  // adapters/failure.ts: kinds of what a system says, and what is made of the rest.
  for (const [, code, retryable] of text.matchAll(/code: "([A-Z_]+)",\s*retryable: (true|false)/g)) {
    add(code!, retryable === "true");
  }
  const [, dial, listen] = /\?\? \(doing === "dial" \? "([A-Z_]+)" : "([A-Z_]+)"\)/.exec(text)!;
  add(dial!, true);
  add(listen!, false);
  return found;
}

describe("docs/guide.md", () => {
  it("has just the examples that are run here", () => {
    assertEquals([...examples.sources.keys()].sort(), Object.keys(PRINTS).sort());
    assertEquals(examples.blocks, examples.sources.size);
  });

  for (const runtime of RUNTIMES) {
    for (const [name, expected] of Object.entries(PRINTS)) {
      it(`${name} runs on ${runtime}`, async () => {
        const example = examples.run(name, runtime, await freePort());
        assertEquals(await example.exit, 0, example.output);
        // On a busy machine these programs stand still now and then, and the status says so.
        assertMatch(example.output.replaceAll(/^stalled\n/gm, ""), expected);
      });
    }
  }

  it("says of heartbeats what the example prints", async () => {
    const example = examples.run("heartbeat.ts", "node", 0);
    await example.exit;
    const figures = [...examples.sources.get("heartbeat.ts")!.matchAll(
      /pause for (\d+) ms; (\d+) ms, idle (\d+) ms/g,
    )];
    assertEquals(figures.length, 3);
    for (const [, pause, busy, idle] of figures) {
      assertStringIncludes(example.output, `the server may pause for ${pause} ms`);
      assertStringIncludes(example.output, `within ${busy} ms, idle ${idle} ms`);
    }
  });

  it("has examples that pass the type checker", async () => {
    const files = Object.keys(PRINTS).map((name) => examples.write(name, "deno", 7433));
    const [deno] = runtimeCommand("deno", "");
    const check = examples.follow(
      spawn(deno!, ["check", "--quiet", "--config", join(ROOT, "deno.json"), ...files], { cwd: ROOT }),
      "deno check",
    );
    assertEquals(await check.exit, 0, check.output);
  });

  it("names every option with its default", () => {
    const resolved = new Map([
      ...flat(resolveConnection()),
      ...flat(resolveServer()),
      ...flat(resolveClient({ reconnect: true })),
    ]);
    // What only adapters set, and what `authenticate` stands for.
    for (const name of ["endpoints", "secureTransport", "ask", "store"]) assert(resolved.delete(name), name);
    assertEquals(resolveClient().reconnect, null);
    resolved.set("reconnect", false);
    const told = new Map<string, unknown>();
    for (const [names, values] of table("option")) {
      const defaults = values!.split("; ");
      for (const [at, name] of names!.replaceAll("`", "").split("; ").entries()) {
        const value = defaults[at]!.replace(/(?<=\d),(?=\d{3})/g, "");
        told.set(name, value === "Infinity" ? Infinity : JSON.parse(value));
      }
    }
    const sorted = (map: Map<string, unknown>): unknown[] => [...map].sort(([a], [b]) => a < b ? -1 : 1);
    assertEquals(sorted(told), sorted(resolved));
  });

  it("computes what a connection may hold from the defaults", () => {
    const { window, sendBuffer, maxConnections } = resolveServer();
    assertStringIncludes(GUIDE, "4 x window + 2 x sendBuffer");
    const held = 4 * window + 2 * sendBuffer;
    const [, one, all] = /([\d.]+) MiB by default, and (\d+) GiB for `maxConnections`/.exec(GUIDE)!;
    assertEquals(Number(one), Number((held / 2 ** 20).toFixed(1)));
    assertEquals(Number(all), Math.round(held * maxConnections / 2 ** 30));
    const source = examples.sources.get("door.ts")!;
    const [, small, connections] = /window: ([\d_]+), sendBuffer: [\d_]+, maxConnections: ([\d_]+)/
      .exec(source)!.map((number) => Number(number.replaceAll("_", "")));
    assertStringIncludes(source, `${6 * small! / 1024} KiB a connection`);
    assertStringIncludes(source, `${Math.round(6 * small! * connections! / 2 ** 20)} MiB for`);
  });

  it("names every code, and whether to try again", () => {
    const errors = thrown();
    const codes = new Set([...Object.keys(CODES), ...errors.keys()]);
    const told = new Map<string, boolean>();
    for (const [names, retry] of table("codes")) {
      for (const [, name] of names!.matchAll(/`([A-Z_]+)`/g)) {
        assert(!told.has(name!), `${name} stands twice`);
        assertMatch(retry!, /^(yes|no)$/);
        told.set(name!, retry === "yes");
      }
    }
    assertEquals([...told.keys()].sort(), [...codes].sort());
    for (const [name, retryable] of told) {
      if (Object.hasOwn(CODES, name)) {
        assertEquals(retryable, CODES[name as keyof typeof CODES].retryable, name);
      } else {
        for (const said of errors.get(name)!) assert(said === null || said === retryable, name);
      }
    }
  });

  it("names files and links that exist", () => {
    for (const [, path] of GUIDE.matchAll(/`((?:core|adapters)\/[\w/.]+\.ts)`/g)) {
      assert(existsSync(join(ROOT, path!)), path);
    }
    for (const [, path] of GUIDE.matchAll(/\]\(([\w./-]+)\)/g)) {
      assert(existsSync(join(ROOT, "docs", path!)), path);
    }
  });

  it("is linked from README.md", () => {
    assertStringIncludes(readFileSync(join(ROOT, "README.md"), "utf8"), "](docs/guide.md)");
  });
});

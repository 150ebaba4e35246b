/**
 * Core is pure and imports point one way: proves it for the sources, and proves that each rule can fail.
 *
 * The rules are in tests/support/purity.ts. Every rule has a planted bad snippet here; a rule without one is an error.
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import {
  describeViolation,
  FORBIDDEN_NAMES,
  scanCore,
  scanImports,
  scanReexports,
  type Violation,
} from "../support/purity.ts";
import { ROOT } from "../support/runtimes.ts";
import { tokenize } from "../support/tokens.ts";

/** Paths from the root, with "/", of the TypeScript under a folder. */
function sources(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => `${folder}/${name.split(sep).join("/")}`)
    .sort();
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

describe("the house", () => {
  it("has a core that names nothing impure", () => {
    const files = sources("core");
    assert(files.length > 0, "no file of core was found");
    assertEquals(files.flatMap((file) => scanCore(file, read(file))).map(describeViolation), []);
  });

  for (const folder of ["core", "adapters", "cli"]) {
    it(`has imports in ${folder} that point the right way`, () => {
      assertEquals(
        sources(folder).flatMap((file) => scanImports(file, read(file))).map(describeViolation),
        [],
      );
    });
  }

  it("has a public face of nothing but re-exports", () => {
    const faces = ["core/mod.ts"].filter((file) => existsSync(join(ROOT, file)));
    assertEquals(faces.flatMap((file) => scanReexports(file, read(file))).map(describeViolation), []);
  });
});

/** Rule, and snippets each of which breaks it and no other. */
const BAD_CORE: Record<string, readonly string[]> = {
  clock: [
    "const t = Date.now();",
    "x = new Date;",
    "f(performance.now())",
    "Temporal.Now",
    "a ? Date : b",
    "[...Date]",
  ],
  randomness: ["Math.random()", "const r = Math\n.random;", "crypto.getRandomValues(b)"],
  timers: ["setTimeout(f, 1)", "const s = setInterval;", "queueMicrotask(f)", "clearTimeout(t)"],
  promises: ["async function f() {}", "new Promise(f)", "await x", "const f: () => Promise<void> = g"],
  globals: [
    ...["globalThis.x", "console.log(1)", "process.env", "Deno.cwd()", "Bun.file", "Buffer.from([])"],
    ...["import.meta.url", 'require("x")', "`${process.pid}`", "`${`${{ a: console }}`}`", "typeof Buffer"],
  ],
  evaluation: ["eval(s)", "new Function(s)"],
  collection: ["new WeakRef(x)"],
  locale: ["Intl.Collator", "a.localeCompare(b)", "n.toLocaleString()"],
  declaration: ["declare const now: number;"],
  "dynamic import": ['import("./x.ts")', 'const m: import("./x.ts").T = y'],
  "inexact arithmetic": [
    ...[
      "Math.exp(x)",
      "Math.log(x)",
      "Math.pow(2, x)",
      "Math.hypot(a, b)",
      "x ** 2",
      "2 ** x",
      "x **= 2",
      "10 ** 3",
    ],
    ...["const { exp } = Math;", 'Math["exp"](x)'],
  ],
  "silenced type checker": [
    "// @ts-ignore: why\nx", // a text for the rule to find, like the next: it silences nothing here
    "/* @ts-expect-error */", // a text, too
    '/// <reference lib="dom" />',
  ],
};

/** File, source and the rule it breaks. */
const BAD_IMPORTS: readonly [file: string, source: string, rule: string][] = [
  ["core/a.ts", 'import { b } from "node:fs";', "foreign import"],
  ["core/a.ts", 'import "ws";', "foreign import"],
  ["core/a.ts", 'export * from "https://example.org/x.ts";', "foreign import"],
  ["adapters/driver.ts", 'import ws from "ws";', "foreign import"],
  ["cli/main.ts", 'import { x } from "@std/assert";', "foreign import"],
  ["core/a.ts", 'import { b } from "./b.js";', "import without .ts"],
  ["core/a.ts", 'import type { B } from "../adapters/driver.ts";', "architecture"],
  ["core/a.ts", 'export { b } from "../tests/b.ts";', "architecture"],
  ["core/a.ts", 'import { b } from "../../b.ts";', "architecture"],
  ["core/a.ts", 'const b: import("../cli/main.ts").B = c;', "architecture"],
  ["core/wire/decoder.ts", 'import { b } from "../connection.ts";', "architecture"],
  ["core/liveness/rtt.ts", 'import { b } from "../session.ts";', "architecture"],
  ["core/liveness/rtt.ts", 'import { b } from "../mod.ts";', "architecture"],
  ["core/liveness/rtt.ts", 'import { b } from "../flow/inbound.ts";', "architecture"],
  ["core/events.ts", 'import type { B } from "./link.ts";', "architecture"],
  ["core/time.ts", 'import { b } from "./client.ts";', "architecture"],
  ["core/connection.ts", 'import { b } from "./session.ts";', "architecture"],
  ["core/session.ts", 'import { b } from "./server.ts";', "architecture"],
  ["core/client.ts", 'import { b } from "./mod.ts";', "architecture"],
  ["adapters/driver.ts", 'import { b } from "../cli/main.ts";', "architecture"],
  ["adapters/driver.ts", 'import { b } from "./node/mod.ts";', "architecture"],
  ["adapters/bun/mod.ts", 'import { b } from "../node/mod.ts";', "architecture"],
  ["cli/main.ts", 'import { b } from "../tests/support/b.ts";', "architecture"],
];

const GOOD_CORE = `
/** Date, Math.random() and process.exit() in a comment; import("x") too. */
import type { Session } from "./session.ts"; // console.log
export * from './wire/mod.ts';
const text = "Date.now()" + 'setTimeout' + \`globalThis \${text.length + /[/"]Buffer\\//g.exec("x").index} Deno\`;
const half = text.length / 2 / Math.sqrt(2) + Math.floor(1.5) * 2 ** 32;
this.process(half); this.queue?.performance; class A { #process = 1; }
Array.from("node:fs");
`;

const GOOD_IMPORTS: readonly [file: string, source: string][] = [
  ["core/client.ts", GOOD_CORE],
  ["core/session.ts", 'import { a } from "./connection.ts"; import { b } from "./wire/decoder.ts";'],
  ["core/wire/decoder.ts", 'import { a } from "../time.ts"; import type { C } from "./crc32.ts";'],
  ["core/liveness/rtt.ts", 'import { a } from "../wire/varint.ts"; import type { B } from "../events.ts";'],
  ["core/connection.ts", 'import { a } from "./link.ts"; import { b } from "./liveness/rtt.ts";'],
  ["core/mod.ts", 'export { a } from "./client.ts"; export type { B } from "./classic/mod.ts";'],
  [
    "adapters/node/mod.ts",
    'import { a } from "node:net"; import { b } from "../driver.ts"; import { c } from "./c.ts";',
  ],
  ["adapters/driver.ts", 'import { a } from "../core/mod.ts";'],
  ["cli/main.ts", 'import { a } from "../adapters/node/mod.ts"; import { b } from "../core/mod.ts";'],
];

function rules(violations: Violation[]): string[] {
  return [...new Set(violations.map(({ rule }) => rule))];
}

describe("the rules themselves", () => {
  for (const [rule, snippets] of Object.entries(BAD_CORE)) {
    it(`fire for ${rule}`, () => {
      for (const snippet of snippets) assertEquals(rules(scanCore("core/a.ts", snippet)), [rule], snippet);
    });
  }

  it("fire for every forbidden name", () => {
    for (const [rule, names] of Object.entries(FORBIDDEN_NAMES)) {
      assert(rule in BAD_CORE, `no snippet is planted for ${rule}`);
      for (const name of names) assertEquals(rules(scanCore("core/a.ts", `f(${name})`)), [rule], name);
    }
  });

  it("fire for imports", () => {
    for (const [file, source, rule] of BAD_IMPORTS) {
      assertEquals(rules(scanImports(file, source)), [rule], source);
    }
  });

  it("fire for a public face with code in it", () => {
    for (
      const source of [
        "export const a = 1;",
        'import { a } from "./a.ts";',
        "export type A = 1;",
        "export class A {}",
      ]
    ) {
      assertEquals(rules(scanReexports("core/mod.ts", source)), ["only re-exports"], source);
    }
    assertEquals(
      scanReexports("core/mod.ts", 'export * from "./a.ts"; export type { B, type C } from "./b.ts";'),
      [],
    );
  });

  it("name the line", () => {
    const source = "/*\n*/\nconst a = `\n${Math.random()}`;\nDate;";
    assertEquals(scanCore("core/a.ts", source).map(describeViolation), [
      "core/a.ts:4: randomness: Math.random",
      "core/a.ts:5: clock: Date",
    ]);
  });

  it("stay silent for comments, strings, templates, regular expressions and properties", () => {
    assertEquals(scanCore("core/a.ts", GOOD_CORE), []);
  });

  it("stay silent for imports that point the right way", () => {
    assertEquals(
      GOOD_IMPORTS.flatMap(([file, source]) => scanImports(file, source)).map(describeViolation),
      [],
    );
  });

  it("let a reporting file use inexact functions, and nothing else", () => {
    assertEquals(scanCore("core/liveness/phi.ts", "Math.exp(x) ** 2"), []);
    assertEquals(rules(scanCore("core/liveness/phi.ts", "Math.random()")), ["randomness"]);
  });

  it("refuse what they cannot read", () => {
    for (const source of ['"open', "`open", "`${open", "/* open", "§"]) {
      let refused = false;
      try {
        tokenize(source);
      } catch {
        refused = true;
      }
      assert(refused, source);
    }
  });
});

/**
 * Proves that what is published works: builds, packs, installs the tarball in an empty project and uses it from there.
 *
 *   tsx tools/pack_check.ts
 *
 * Every check is one line; the last line is `N passed, N failed, N skipped`. A check whose ground is missing, such as
 * a tarball that could not be packed, is skipped, and then something else has failed.
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { ROOT, runtimePath } from "../tests/support/runtimes.ts";

const ENTRY_POINTS = ["core", "node", "deno", "bun"];
/** What importing an adapter may load at most, without what `connect` and `listen` load later, and the core at least, bytes. */
const ADAPTER_MOST = 100_000;
const CORE_LEAST = 200_000;
const modules = join(ROOT, "node_modules");
const temporary = mkdtempSync(join(tmpdir(), "heartwire-pack-"));
const project = join(temporary, "project");
const tally = { passed: 0, failed: 0, skipped: 0 };

/** Runs a command; throws with all that it said when it fails. */
function run(cwd: string, command: string, ...args: string[]): string {
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) {
    // Deno looks for the parts of @types/node as packages of their own, in vain and to no effect.
    const said = `${stdout}${stderr}`.replace(
      /^Warning Failed resolving types\..*\n.*@types\/node.*\n/gm,
      "",
    );
    throw new Error(`exit ${status}: ${command} ${args.join(" ")}\n${said}`);
  }
  return stdout;
}

const node = (cwd: string, ...args: string[]): string => run(cwd, process.execPath, ...args);
const deno = (cwd: string, ...args: string[]): string => run(cwd, runtimePath("deno"), ...args);
const tsc = (cwd: string, ...args: string[]): string =>
  node(cwd, join(modules, "typescript/bin/tsc"), ...args);

function npm(cwd: string, ...args: string[]): string {
  const script = process.env["npm_execpath"]; // set under `npm run`; npm itself is no program on Windows
  return script === undefined ? run(cwd, "npm", ...args) : node(cwd, script, ...args);
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
}

/** Does one check; returns whether it held. Without its `ground` it is skipped. */
function check(name: string, ground: boolean, body: () => void): boolean {
  if (!ground) {
    tally.skipped++;
    console.log(`skipped ${name}: what it needs has failed`);
    return false;
  }
  try {
    body();
  } catch (error) {
    tally.failed++;
    const text = error instanceof Error ? error.message : String(error);
    console.log(`FAILED  ${name}\n${text.trim().split("\n").map((line) => `        ${line}`).join("\n")}`);
    return false;
  }
  tally.passed++;
  console.log(`ok      ${name}`);
  return true;
}

check("package.json and deno.json agree", true, () => {
  const npmSide = readJson(join(ROOT, "package.json"));
  const denoSide = readJson(join(ROOT, "deno.json"));
  must(npmSide["version"] === denoSide["version"], "the versions differ");
  must(npmSide["dependencies"] === undefined, "there are runtime dependencies");
  const names = Object.keys(npmSide["exports"] as object).filter((name) => name !== "./package.json");
  must(names.join() === Object.keys(denoSide["exports"] as object).join(), "the entry points differ");
});

const built = check("build", true, () => void node(ROOT, "--import", "tsx", "tools/build.ts"));

check("build has no .ts in a relative import", built, () => {
  for (const name of readdirSync(join(ROOT, "dist"), { recursive: true, encoding: "utf8" })) {
    if (!/\.(js|d\.ts)$/.test(name)) continue;
    const found = /\b(?:from|import)\s*\(?\s*["']\.{1,2}\/[^"'\n]*\.ts["']/.exec(
      readFileSync(join(ROOT, "dist", name), "utf8"),
    );
    must(found === null, `dist/${name}: ${found?.[0]}`);
  }
});

/** Bytes of a built file and of all that it imports at once. */
function loaded(file: string, seen: Set<string> = new Set()): number {
  if (seen.has(file)) return 0;
  seen.add(file);
  const text = readFileSync(file, "utf8");
  const imports = [...text.matchAll(/^(?:import|export|\}) .*?"(\.{1,2}\/[^"]+)";$/gm)];
  return imports.reduce((sum, [, path]) => sum + loaded(join(dirname(file), path!), seen), text.length);
}

check("importing an adapter loads little", built, () => {
  const dist = join(ROOT, "dist");
  const whole = loaded(join(dist, "core", "mod.js"));
  must(whole > CORE_LEAST, `the core is ${whole} bytes: not all of its imports were found`);
  for (const runtime of ["node", "deno", "bun"]) {
    const size = loaded(join(dist, "adapters", runtime, "mod.js"));
    must(size < ADAPTER_MOST, `heartwire/${runtime} loads ${size} bytes`);
  }
});

let tarball = "";
const packed = check("pack", built, () => {
  // The build is there already, hence no scripts.
  const told = npm(ROOT, "pack", "--json", "--ignore-scripts", "--pack-destination", temporary);
  const [entry] = JSON.parse(told) as { filename: string; files: { path: string; mode: number }[] }[];
  must(entry !== undefined, "npm packed nothing");
  tarball = join(temporary, entry?.filename ?? "");
  const files = (entry?.files ?? []).map(({ path }) => path);
  const wanted = ["LICENSE", "README.md", "CHANGELOG.md", "cli/heartwire.js", "dist/cli/main.js"];
  for (const point of ENTRY_POINTS) {
    const folder = point === "core" ? "core" : `adapters/${point}`;
    wanted.push(`dist/${folder}/mod.js`, `dist/${folder}/mod.d.ts`);
  }
  for (const path of wanted) must(files.includes(path), `the tarball lacks ${path}`);
  const strays = files.filter((path) =>
    /^(dist\/)?(tests?|bench|tools)\/|(^|\/)node_modules\/|(?<!\.d)\.ts$/.test(path)
  );
  must(strays.length === 0, `the tarball has ${strays.join(", ")}`);
});

check(
  "publint",
  packed,
  () => void node(ROOT, join(modules, "publint/src/cli.js"), "run", tarball, "--strict"),
);

check("attw, esm-only", packed, () => {
  node(
    ROOT,
    join(modules, "@arethetypeswrong/cli/dist/index.js"),
    tarball,
    "--profile",
    "esm-only",
    "--no-emoji",
  );
});

const installed = check("install in an empty project", packed, () => {
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
  npm(project, "install", "--no-audit", "--no-fund", tarball);
});

for (const runtime of ["node", "deno", "bun"] as const) {
  check(`import on ${runtime}`, installed, () => {
    const script = `use_${runtime}.js`;
    const source = [
      `import * as core from "heartwire";`,
      `import * as same from "heartwire/core";`,
      `import { connect, HeartwireError, listen } from "heartwire/${runtime}";`,
      `if (core !== same || core.HeartwireError !== HeartwireError) throw new Error("two cores");`,
      `const server = await listen("127.0.0.1:0", async (session) => { for await (const each of session) await session.send(each.text()); });`,
      `const session = await connect(server.address);`,
      `await session.send("hello");`,
      `for await (const each of session) { if (each.text() !== "hello") throw new Error("no echo"); break; }`,
      `await session.close();`,
      `await server.close();`,
    ];
    writeFileSync(join(project, script), `${source.join("\n")}\n`);
    run(project, runtimePath(runtime), ...(runtime === "deno" ? ["run", "-A", script] : [script]));
  });
}

check("command, installed", installed, () => {
  const version = String(readJson(join(ROOT, "package.json"))["version"]);
  const told = npm(project, "exec", "--", "heartwire", "--version");
  must(told.includes(version), `heartwire --version says ${told}`);
  for (const runtime of ["deno", "bun"] as const) {
    const script = "node_modules/heartwire/cli/heartwire.js";
    const args = runtime === "deno" ? ["run", "-A", script] : [script];
    must(
      run(project, runtimePath(runtime), ...args, "--version").includes(version),
      `no version on ${runtime}`,
    );
  }
});

check("types, used with tsc", installed, () => {
  const lines = ENTRY_POINTS.map((point) => `export type * as ${point}_ from "heartwire/${point}";`);
  writeFileSync(
    join(project, "consumer.ts"),
    `${lines.join("\n")}\nexport type * as all from "heartwire";\n`,
  );
  const compilerOptions = {
    ...{ target: "ES2023", module: "NodeNext", lib: ["ES2023", "ESNext.Disposable"] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false },
    ...{ types: ["node"], typeRoots: [join(modules, "@types")] },
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
  tsc(project, "-p", ".");
});

check("types, used with deno", installed, () => {
  rmSync(join(project, "tsconfig.json"), { force: true });
  const source = 'import { connect } from "heartwire/deno";\nexport const dial: typeof connect = connect;\n';
  writeFileSync(join(project, "consumer_deno.ts"), source);
  deno(project, "check", "consumer_deno.ts");
});

check("deno publish --dry-run", true, () => void deno(ROOT, "publish", "--dry-run", "--allow-dirty"));

check("deno doc --lint", true, () => {
  const points = readJson(join(ROOT, "deno.json"))["exports"] as Record<string, string>;
  deno(ROOT, "doc", "--lint", ...new Set(Object.values(points)));
});

rmSync(temporary, { recursive: true, force: true });
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed + tally.skipped > 0 ? 1 : 0;

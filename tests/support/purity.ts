/**
 * The rules of the house that the type checker cannot see: what core may not name, and which way imports point.
 *
 * Core decides the same on every runtime and at every time, so it may not read a clock, a random number, a locale or
 * any global of a runtime, and may decide only with arithmetic whose last bit is the same everywhere. Imports point
 * one way: cli -> adapters -> core, and inside core: client, server -> session -> connection -> liveness, wire.
 *
 * Rule: a name counts wherever it stands, but not after a dot: `this.process()` is ours, `process` is the runtime's.
 * To allow something, change the tables here; there is no comment that switches a rule off.
 * @module
 */

import { type Token, tokenize } from "./tokens.ts";

/** A place that breaks a rule. */
export interface Violation {
  rule: string;
  file: string;
  line: number;
  what: string;
}

/** Names that core may not use, by the rule they break. */
export const FORBIDDEN_NAMES: Record<string, readonly string[]> = {
  clock: ["Date", "performance", "Temporal"],
  randomness: ["crypto"], // Math.random is with the arithmetic
  timers: [
    ...["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate"],
    ...["queueMicrotask", "requestAnimationFrame", "requestIdleCallback", "Atomics"],
  ],
  promises: ["Promise", "async", "await"],
  globals: ["globalThis", "console", "process", "Deno", "Bun", "Buffer", "navigator", "fetch", "require"],
  evaluation: ["eval", "Function"],
  collection: ["WeakRef", "FinalizationRegistry"], // they show when the garbage collector ran
  locale: ["Intl", "localeCompare", "toLocaleString", "toLocaleLowerCase", "toLocaleUpperCase"],
  declaration: ["declare"], // promises the type checker a name that is not there
};

/** What of Math gives the same bits everywhere. */
const EXACT_MATH = new Set([
  ...["abs", "ceil", "clz32", "floor", "fround", "imul", "max", "min", "round", "sign", "sqrt", "trunc"],
  ...["E", "LN2", "LN10", "PI", "SQRT2", "SQRT1_2"],
]);

/** Files that only report may use inexact functions; what they return decides nothing. */
const REPORTING = new Set(["core/liveness/phi.ts"]);

/** Scans one file of core, `file` being its path from the root, for what core may not contain. */
export function scanCore(file: string, source: string): Violation[] {
  const tokens = tokenize(source);
  const code = tokens.filter(({ kind }) => kind !== "comment");
  const violations: Violation[] = [];
  const report = (rule: string, { line }: Token, what: string): void => {
    violations.push({ rule, file, line, what });
  };

  for (const token of tokens) {
    if (token.kind !== "comment") continue;
    const silenced = /@ts-(?:ignore|expect-error|nocheck)|^\/\/\/\s*<reference/.exec(token.text);
    if (silenced) report("silenced type checker", token, silenced[0]);
  }
  for (const [i, token] of code.entries()) {
    const last = code[i - 1]?.text;
    const next = code[i + 1];
    if (token.text === "**" || token.text === "**=") {
      const powerOfTwo = last === "2" && next?.kind === "number" && /^\d+$/.test(next.text);
      if (!powerOfTwo && !REPORTING.has(file)) report("inexact arithmetic", token, token.text);
    }
    if (token.kind !== "word") continue;
    const property = code[i - 1]?.kind === "punctuation" && (last === "." || last === "?.");
    if (token.text === "import" && !property && next?.text === "(") {
      report("dynamic import", token, "import(");
    }
    if (token.text === "import" && !property && next?.text === ".") report("globals", token, "import.meta");
    if (token.text === "Math" && !property) {
      const member = next?.text === "." ? code[i + 2]?.text ?? "" : "";
      if (member === "random") report("randomness", token, "Math.random");
      else if (!EXACT_MATH.has(member) && !REPORTING.has(file)) {
        report("inexact arithmetic", token, `Math${member && "."}${member}`);
      }
    }
    for (const [rule, names] of Object.entries(FORBIDDEN_NAMES)) {
      const always = rule === "locale" || token.text === "declare";
      if (names.includes(token.text) && (always || !property)) report(rule, token, token.text);
    }
  }
  return violations;
}

/** One `from "..."` or `import "..."`. */
interface Import {
  specifier: string;
  token: Token;
}

function imports(source: string): Import[] {
  const code = tokenize(source).filter(({ kind }) => kind !== "comment");
  const found: Import[] = [];
  for (const [i, token] of code.entries()) {
    const next = code[i + 1];
    const target = token.text === "import" && next?.text === "(" ? code[i + 2] : next; // import("...")
    if (token.kind !== "word" || !["from", "import"].includes(token.text) || target?.kind !== "string") {
      continue;
    }
    found.push({ specifier: target.text, token });
  }
  return found;
}

/** The path from the root that a relative specifier in `file` means; null when it leaves the repository. */
function resolve(file: string, specifier: string): string | null {
  const parts = file.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return null;
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** How high a file of core stands; it may import what is not higher. */
const HEIGHTS: readonly [RegExp, number][] = [
  [/^core\/mod\.ts$/, 5],
  [/^core\/(client|server|redial|ending|replacement|admission|farewell|seats)/, 4],
  [/^core\/store\/questions\.ts$/, 1], // what a store is asked, whoever asks
  [/^core\/(session|store\/)/, 3],
  [/^core\/(crypto|wire|liveness)\//, 1],
  [/^core\/(codes|environment|errors|events|machine|options|stats|time|timers)\.ts$/, 1], // the shared vocabulary
  [/^core\//, 2], // the parts of a connection, and the classic formats
];

function height(file: string): number {
  return HEIGHTS.find(([pattern]) => pattern.test(file))?.[1] ?? 0;
}

/** What is wrong with one import, or null. Both paths are from the root. */
function wrongArrow(file: string, target: string): string | null {
  const [layer] = file.split("/");
  const allowed: Record<string, readonly string[]> = {
    core: ["core"],
    adapters: ["core", "adapters"],
    cli: ["core", "adapters", "cli"],
  };
  const [targetLayer] = target.split("/");
  if (!(allowed[layer ?? ""] ?? []).includes(targetLayer ?? "")) return `${layer} imports ${target}`;
  if (layer === "core" && height(target) > height(file)) {
    return `${file} imports ${target}, which stands above it`;
  }
  const runtime = (path: string): string | undefined => /^adapters\/(node|deno|bun)\//.exec(path)?.[1];
  if (layer === "adapters" && runtime(target) !== undefined && runtime(file) !== runtime(target)) {
    return `${file} imports another runtime's adapter, ${target}`;
  }
  return null;
}

/** Checks the imports of one file of core/, adapters/ or cli/ against the architecture. */
export function scanImports(file: string, source: string): Violation[] {
  const violations: Violation[] = [];
  for (const { specifier, token } of imports(source)) {
    const report = (rule: string, what: string): void => {
      violations.push({ rule, file, line: token.line, what });
    };
    if (!/^\.\.?\//.test(specifier)) {
      // Zero runtime packages: outside core the runtime's own modules, and nothing else.
      const builtin = /^(node:|bun$|bun:)/.test(specifier) && !file.startsWith("core/");
      if (!builtin) report("foreign import", specifier);
      continue;
    }
    if (!specifier.endsWith(".ts")) report("import without .ts", specifier);
    const target = resolve(file, specifier);
    const wrong = target === null ? `${specifier} leaves the repository` : wrongArrow(file, target);
    if (wrong !== null) report("architecture", wrong);
  }
  return violations;
}

/** Checks that a file holds nothing but re-exports, as a public face should. */
export function scanReexports(file: string, source: string): Violation[] {
  const code = tokenize(source).filter(({ kind }) => kind !== "comment");
  return code
    .filter(({ kind, text }, i) =>
      kind === "word" && ["import", "const", "let", "function", "class", "interface"].includes(text) ||
      (kind === "word" && text === "type" && code[i - 1]?.text === "export" &&
        !/^[{*]$/.test(code[i + 1]?.text ?? ""))
    )
    .map(({ text, line }) => ({ rule: "only re-exports", file, line, what: text }));
}

/** One line for a person. */
export function describeViolation({ rule, file, line, what }: Violation): string {
  return `${file}:${line}: ${rule}: ${what}`;
}

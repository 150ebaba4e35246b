/**
 * What a runtime said about its tests, brought to one shape.
 *
 * Node writes lines of JSON through node_reporter.js; Deno and Bun write JUnit, and say on standard output what JUnit
 * has no place for (a file that failed while loading, a hook that threw).
 *
 * Counting rule, the same for all: a test with tests inside it (a `describe`, or a test with subtests) is not
 * counted, unless it failed by its own doing. Bun reports no subtests of a `test`, so there the test itself counts.
 * Rule: pure functions from text to outcomes; starting and printing is run.ts.
 * @module
 */

/** How one test ended. */
export interface Outcome {
  name: string;
  status: "passed" | "failed" | "skipped";
  /** The error's text, or the reason for skipping where the runtime tells it; else empty. */
  detail: string;
}

/** One element of an XML document. */
export interface Element {
  tag: string;
  attributes: Map<string, string>;
  children: Element[];
  text: string;
}

/** Reads the XML that test reporters write. Throws when the document ends too early. */
export function parseXml(source: string): Element {
  const root: Element = { tag: "", attributes: new Map(), children: [], text: "" };
  const open: Element[] = [root];
  const token =
    /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([\w:-]+)((?:\s+[\w:-]+="[^"]*")*)\s*(\/?)>|([^<]+)/y;
  while (token.lastIndex < source.length) {
    const match = token.exec(source);
    if (match === null) throw new Error("not well-formed XML");
    const [, cdata, closing, tag, attributes, selfClosing, text] = match;
    const top = open.at(-1);
    if (top === undefined) throw new Error("XML closes more than it opens");
    if (cdata !== undefined) top.text += cdata;
    else if (text !== undefined) top.text += unescapeXml(text);
    else if (tag !== undefined && closing) open.pop();
    else if (tag !== undefined) {
      const element: Element = { tag, attributes: new Map(), children: [], text: "" };
      for (const [, name = "", value = ""] of (attributes ?? "").matchAll(/([\w:-]+)="([^"]*)"/g)) {
        element.attributes.set(name, unescapeXml(value));
      }
      top.children.push(element);
      if (!selfClosing) open.push(element);
    }
  }
  if (open.length !== 1) throw new Error("XML ends in the middle");
  return root;
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
  return text.replace(/&(#x[0-9a-f]+|#\d+|\w+);/gi, (whole, entity: string) => {
    if (entity.startsWith("#x")) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16));
    if (entity.startsWith("#")) return String.fromCodePoint(Number(entity.slice(1)));
    return named[entity] ?? whole;
  });
}

function outcome(testcase: Element, path: string[]): Outcome {
  const name = [...path, testcase.attributes.get("name") ?? "?"].join(" > ");
  const failure = testcase.children.find((child) => child.tag === "failure" || child.tag === "error");
  if (failure) {
    return {
      name,
      status: "failed",
      detail: failure.text.trim() || (failure.attributes.get("message") ?? ""),
    };
  }
  const skipped = testcase.children.find((child) => child.tag === "skipped");
  if (skipped) return { name, status: "skipped", detail: skipped.attributes.get("message") ?? "" };
  return { name, status: "passed", detail: "" };
}

/** Every test case in a JUnit document; `named` says whether a suite's name belongs to its tests' names. */
function testcases(root: Element, named: (suite: Element) => boolean): Outcome[] {
  const found: Outcome[] = [];
  const walk = (element: Element, path: string[]): void => {
    for (const child of element.children) {
      if (child.tag === "testcase") found.push(outcome(child, path));
      else if (child.tag === "testsuite" && named(child)) {
        walk(child, [...path, child.attributes.get("name") ?? "?"]);
      } else walk(child, path);
    }
  };
  walk(root, []);
  return found;
}

/** Deno: steps are listed flat as "a > b"; a file that fails while loading is only on standard output. */
export function readDeno(junit: string, stdout: string): Outcome[] {
  const all = testcases(parseXml(junit), () => false);
  const parents = new Set<string>();
  for (const { name } of all) {
    for (let at = name.indexOf(" > "); at >= 0; at = name.indexOf(" > ", at + 1)) {
      parents.add(name.slice(0, at));
    }
  }
  const outcomes = all.filter(({ name, status, detail }) =>
    !parents.has(name) || (status === "failed" && !/^\d+ test steps? failed/.test(detail))
  );
  for (
    const [, file = "", detail = ""] of stdout.matchAll(/^(\S+) \(uncaught error\)\n(error: (?:.+\n)+)/gm)
  ) {
    outcomes.push({ name: file, status: "failed", detail: detail.trim() });
  }
  return outcomes;
}

/** Bun: suites nest; what is thrown outside a test is only on standard output. */
export function readBun(junit: string, stdout: string): Outcome[] {
  const outcomes = testcases(
    parseXml(junit),
    (suite) => suite.attributes.get("name") !== suite.attributes.get("file"),
  );
  for (const [, detail = ""] of stdout.matchAll(/^# Unhandled error between tests\n-+\n([\s\S]*?)\n-+$/gm)) {
    outcomes.push({ name: "(outside a test)", status: "failed", detail: detail.trim() });
  }
  return outcomes;
}

/** Node: what node_reporter.js wrote, one JSON value a line, the last being "end". */
export function readNode(lines: string): Outcome[] {
  const values = lines.trim().split("\n").map((line) => JSON.parse(line) as Outcome | "end");
  if (values.pop() !== "end") throw new Error("the report has no end");
  return values.filter((value) => value !== "end");
}

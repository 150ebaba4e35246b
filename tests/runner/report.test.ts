/**
 * The readers of test reports count the same on every runtime, and miss no failure.
 *
 * Samples are cut from what the runtimes really write for a nested suite, a failed subtest, a failed parent, a hook
 * that throws and a file that fails while loading.
 * @module
 */

import { describe, it } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { type Outcome, parseXml, readBun, readDeno, readNode } from "../support/report.ts";

const DENO = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="7" failures="3" errors="0" time="0.1">
  <testsuite name="./a.test.ts" tests="5" disabled="0" errors="0" failures="3">
    <testcase name="outer &lt;&amp;&gt;" classname="./a.test.ts" time="0.0" line="3" col="1">
      <failure message="1 test step failed">1 test step failed.</failure>
    </testcase>
    <testcase name="parent" classname="./a.test.ts" time="0.0" line="9" col="1">
      <failure message="Uncaught Error: parent broke">Error: parent broke</failure>
    </testcase>
    <testcase name="parent &gt; sub" classname="./a.test.ts" time="0.0" line="9" col="9"></testcase>
    <testcase name="top" classname="./a.test.ts" time="0.0" line="10" col="1"></testcase>
  </testsuite>
  <testsuite name="ext:deno_node/testing.ts" tests="3" disabled="1" errors="0" failures="1">
    <testcase name="outer &lt;&amp;&gt; &gt; inner" classname="ext:deno_node/testing.ts" time="0.0">
      <failure message="1 test step failed">1 test step failed.</failure>
    </testcase>
    <testcase name="outer &lt;&amp;&gt; &gt; inner &gt; breaks" classname="ext:deno_node/testing.ts" time="0.0">
      <failure message="Uncaught Error: no">Error: &quot;no&quot;&#10;  at x</failure>
    </testcase>
    <testcase name="outer &lt;&amp;&gt; &gt; left out" classname="ext:deno_node/testing.ts" time="0.0"><skipped/></testcase>
  </testsuite>
</testsuites>`;

const DENO_OUTPUT = `Uncaught error from ./b.test.ts FAILED

 ERRORS 

./b.test.ts (uncaught error)
error: (in promise) Error: at load
    at file:///b.test.ts:2:7

 FAILURES 

top ... breaks => ./a.test.ts:1:1
./b.test.ts (uncaught error)

FAILED | 1 passed | 3 failed
`;

const BUN = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="3" assertions="0" failures="1" skipped="1" time="0.1">
  <testsuite name="t/a.test.ts" file="t/a.test.ts" tests="3" failures="1" skipped="1" time="0" hostname="h">
    <testsuite name="outer" file="t/a.test.ts" line="3" tests="2" failures="1" skipped="1" time="0" hostname="h">
      <testcase name="breaks" classname="outer" time="0" file="t/a.test.ts" line="4" assertions="0">
        <failure type="Error" message="no">Error: no&#10;  at t/a.test.ts:4</failure>
      </testcase>
      <testcase name="left out" classname="outer" time="0" file="t/a.test.ts" line="5" assertions="0">
        <skipped message="TODO" />
      </testcase>
    </testsuite>
    <testcase name="a &gt; b" classname="" time="0" file="t/a.test.ts" line="8" assertions="0" />
  </testsuite>
</testsuites>`;

const BUN_OUTPUT = `
# Unhandled error between tests
-------------------------------
error: hook broke
      at t/a.test.ts:3
-------------------------------

 1 pass
`;

function brief(outcomes: Outcome[]): string[] {
  return outcomes.map(({ name, status, detail }) => `${status} ${name}${detail && `: ${detail}`}`).sort();
}

describe("reports", () => {
  it("of Deno count a parent only when it failed itself, and files that did not load", () => {
    assertEquals(brief(readDeno(DENO, DENO_OUTPUT)), [
      "failed ./b.test.ts: error: (in promise) Error: at load\n    at file:///b.test.ts:2:7",
      'failed outer <&> > inner > breaks: Error: "no"\n  at x',
      "failed parent: Error: parent broke",
      "passed parent > sub",
      "passed top",
      "skipped outer <&> > left out",
    ]);
  });

  it("of Bun name the suites, and count what was thrown outside a test", () => {
    assertEquals(brief(readBun(BUN, BUN_OUTPUT)), [
      "failed (outside a test): error: hook broke\n      at t/a.test.ts:3",
      "failed outer > breaks: Error: no\n  at t/a.test.ts:4",
      "passed a > b",
      "skipped outer > left out: TODO",
    ]);
  });

  it("of Node must be complete", () => {
    const line = '{"name":"a","status":"passed","detail":""}\n';
    assertEquals(brief(readNode(`${line}"end"\n`)), ["passed a"]);
    assertThrows(() => readNode(line));
    assertThrows(() => readNode(""));
  });

  it("that were cut off are refused", () => {
    for (const cut of [BUN.slice(0, -20), BUN.slice(0, 300), "<a></b></a></c>", "<a <b>"]) {
      assertThrows(() => parseXml(cut), Error);
    }
    assertEquals(parseXml("<a/>").children.length, 1);
    assertEquals(
      parseXml('<a b="1 > 0"><!-- <c> --><![CDATA[<&]]>&#x41;&#66;</a>').children[0]?.text,
      "<&AB",
    );
  });
});

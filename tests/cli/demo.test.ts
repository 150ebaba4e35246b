/**
 * What `heartwire demo` claims, and what it looks like.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { conclusion, happeningLine, screenLines, tableLines, WIDTH } from "../../cli/demo/screen.ts";
import { type Happening, held, type Scene } from "../../cli/demo/stage.ts";
import { withoutColour } from "../../cli/text.ts";

const PLAIN: Scene["plain"] = { open: true, noticed: null, sent: 180, back: 51, intoNothing: 4_128 };
const SCENE: Scene = {
  ...{
    link: "mended",
    at: 9_050,
    bound: 1_201,
    detected: 1_180,
    stood: 0,
    resumedAfter: 420,
    state: "live",
    dials: 2,
  },
  ...{ sent: 180, back: 180, missing: 0, doubled: 0, disordered: 0, plain: PLAIN },
};

const HAPPENED: readonly Happening[] = [
  { at: 0, what: "connected", bound: 1_201 },
  { at: 2_500, what: "cut" },
  {
    ...{ at: 3_300, what: "suspect" },
    evidence: {
      ...{ verdict: "INBOUND_SILENT", direction: "inbound", silentFor: 801, limit: 1_200, deferred: 0 },
    } as const,
  } as Happening,
  {
    ...{ at: 3_700, what: "ended", after: 1_180 },
    reason: {
      ...{ kind: "dead", code: "DEAD" },
      evidence: {
        verdict: "INBOUND_SILENT",
        direction: "inbound",
        silentFor: 1_200,
        limit: 1_200,
        deferred: 0,
      },
    },
  } as Happening,
  { at: 6_000, what: "mended" },
  { at: 6_400, what: "resumed", waiting: 78 },
];

describe("demo", () => {
  it("holds when every claim does, and by no other figures", () => {
    assert(held(SCENE));
    const wrong: Partial<Scene>[] = [
      { detected: null },
      { detected: 1_202 },
      { resumedAfter: null },
      { missing: 1 },
      { doubled: 1 },
      { disordered: 1 },
      { sent: 0 },
      { plain: { ...PLAIN, open: false, noticed: "closed" } },
      { plain: { ...PLAIN, intoNothing: 0 } },
    ];
    for (const change of wrong) {
      assert(!held({ ...SCENE, ...change }), JSON.stringify(change));
      assertStringIncludes(
        conclusion({ ...SCENE, ...change }).join("\n"),
        "Not all of this is as it should be",
      );
    }
    assertEquals(conclusion(SCENE).join("\n").includes("as it should be"), false);
  });

  it("owes no deadline for the time in which it did not run, and says so", () => {
    const late = { ...SCENE, detected: 1_300, stood: 120 };
    assert(held(late));
    assert(!held({ ...late, stood: 90 }));
    assertStringIncludes(conclusion(late).join("\n"), "120 ms of it this process stood still");
  });

  it("fits its width, and stands in columns", () => {
    const scenes: Scene[] = [
      SCENE,
      { ...SCENE, link: "whole", detected: null, state: "connecting" },
      { ...SCENE, link: "cut", detected: null, state: "suspect", plain: { ...PLAIN, intoNothing: 999_999 } },
    ];
    for (const scene of scenes) {
      const lines = [...screenLines(scene, HAPPENED, 18), ...conclusion(scene)].map(withoutColour);
      for (const line of lines) assert(line.length <= WIDTH, `${line.length}: ${line}`);
      assertEquals(screenLines(scene, HAPPENED, 18).length, 18);
      const [head, ...rows] = tableLines(scene).map(withoutColour);
      const second = head!.indexOf("plain TCP");
      for (const row of rows) assert(row[second - 1] === " " && row[second] !== " ", row);
    }
  });

  it("tells when each thing happened", () => {
    assertEquals(HAPPENED.map((one) => withoutColour(happeningLine(one)).slice(0, 12)), [
      "   0.0 s  + ",
      "   2.5 s  x ",
      "   3.3 s  ? ",
      "   3.7 s  ! ",
      "   6.0 s  + ",
      "   6.4 s  + ",
    ]);
    assertStringIncludes(happeningLine(HAPPENED[3]!), "found dead, INBOUND_SILENT, 1180 ms after the cut");
  });
});

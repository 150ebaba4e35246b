/**
 * Requests over a connection that ends at every byte: whatever is cut, each is handled once and answered once, in order.
 *
 * A scripted conversation of messages, requests, answers and cancels in both directions is run once to learn how many bytes reach each side, then once for
 * each of those bytes with the transport ended there, as in cuts.test.ts.
 *
 * Rules: all cuts are tried on Node, one in sixteen on the others. A run that fails names its cut.
 */

import { describe, it } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { Asking } from "../support/asking.ts";
import { Random } from "../support/random.ts";
import { text } from "../support/talk.ts";
import { type Cut, type Side, World } from "../support/world.ts";
import { BEAT, type Conversation, cutAt, measure, SAMPLE, SIDES } from "./cutting.ts";

type Deed = "send" | "ask" | "cancel";

/** What is done, when, by whom, and with what text. What is "late" is finished or answered late, and "big" answers are. */
interface Script {
  readonly steps: readonly (readonly [at: number, side: Side, deed: Deed, text: string])[];
  readonly span: number;
}

const SHORT: Conversation = talk({
  steps: [
    [20, "client", "send", "m0"],
    [20, "client", "ask", "q0"],
    [20, "client", "send", "m1 late"],
    [22, "server", "ask", "r0 late"],
    [22, "server", "send", "n0"],
    [24, "client", "ask", "q1 late"],
    [30, "client", "ask", "q2 late"],
    [33, "client", "cancel", "q1 late"],
    [50, "server", "ask", ""],
    [52, "client", "ask", text("q3", 70)],
    [52, "client", "cancel", text("q3", 70)],
    [66, "server", "ask", "r2 late"],
    [70, "client", "send", "m2"],
  ],
  span: 130,
});

const LONG: Conversation = talk({
  steps: [
    [20, "client", "send", text("m0", 40_000)],
    [20, "client", "ask", text("q0", 20_000)],
    [21, "server", "ask", "r0 big late"],
    [21, "server", "send", text("n0 late", 50_000)],
    [22, "client", "ask", "q1 big"],
    [22, "client", "cancel", text("q0", 20_000)],
    [24, "client", "ask", "q2 big late"],
    [40, "server", "ask", text("r1 big", 16_385)],
    [41, "client", "cancel", "q2 big late"],
    [60, "server", "send", "n1"],
  ],
  span: 300,
});

/** The conversation of a script. */
function talk(script: Script): Conversation {
  return (piece, seed) => {
    const { world, asking } = begin(script, piece, seed);
    return { world, check: (name) => check(world, asking, script, name) };
  };
}

function begin(script: Script, piece: number, seed: number): { world: World; asking: Asking } {
  const world = new World(BEAT, BEAT, seed, piece);
  if (seed % 4 === 0) world.writes = piece;
  const asking = new Asking(world);
  asking.wait = (asked) => asked.includes("late") ? 40 : 0;
  asking.answers = (asked) =>
    asked.includes("big") ? text(`re ${asked.slice(0, 2)}`, 40_000) : `re ${asked.slice(0, 2)}`;
  for (const side of SIDES) {
    const application = world.application(side);
    application.consumes = false;
    application.after = (got) => got.includes("late") ? 40 : 0;
  }
  for (const step of script.steps) world.later(step[0], () => act(world, asking, step));
  return { world, asking };
}

/** The server speaks once it knows the client; whoever has no session yet waits for it. */
function act(world: World, asking: Asking, step: Script["steps"][number]): void {
  const [, side, deed, words] = step;
  if (!world.session(side)?.resumable) return world.later(10, () => act(world, asking, step));
  if (deed === "send") world.post(side, words);
  else if (deed === "ask") asking.ask(side, words);
  else asking.cancel(words);
}

function settled(world: World, asking: Asking, script: Script): boolean {
  if (asking.said.client.length + asking.said.server.length < said(script) || asking.waiting > 0) {
    return false;
  }
  const { near, far } = world;
  if (far.messages.length < near.sent.length || near.messages.length < far.sent.length) return false;
  return world.client.session!.state.held + (world.remote?.state.held ?? 1) === 0;
}

function said(script: Script): number {
  return script.steps.filter(([, , deed]) => deed !== "cancel").length;
}

/** Lets the script go to its end and looks at what came of it. */
function check(world: World, asking: Asking, script: Script, name: string): void {
  world.run(script.span);
  world.run(20_000, () => settled(world, asking, script));
  const { heard } = asking;
  assertEquals(
    asking.said.client.length + asking.said.server.length,
    said(script),
    `${name}: not all was said`,
  );
  if (heard.server.join("|") !== asking.said.client.join("|")) {
    assertEquals(heard.server, asking.said.client, name);
  }
  if (heard.client.join("|") !== asking.said.server.join("|")) {
    assertEquals(heard.client, asking.said.server, name);
  }
  for (const question of asking.questions) {
    const { text, fate, handled } = question;
    const cancelled = script.steps.some(([, , deed, words]) => deed === "cancel" && words === text);
    const right = fate === "answered" || (cancelled && fate === "cancelled");
    if (!right || handled !== 1) {
      assertEquals([text.slice(0, 9), fate, handled], [text.slice(0, 9), "answered", 1], name);
    }
  }
  const held = world.client.session!.state.held + (world.remote?.state.held ?? -1);
  const requests = [world.client.session!.state.requests, world.remote!.state.requests];
  const open = requests.reduce((sum, { asked, owed }) => sum + asked + owed, 0);
  const told = world.near.lost.length + world.far.lost.length + world.over.length;
  if (held + open + told !== 0) assertEquals([held, open, told], [0, 0, 0], name);
  for (const side of SIDES) {
    const { accepted, processedInOrder, told: last } = world.session(side)!.state.outbound;
    if (processedInOrder !== accepted || last !== accepted) {
      assertEquals([processedInOrder, last], [accepted, accepted], name);
    }
  }
}

describe("requests over a connection that is cut", () => {
  it("are handled once and answered once, in order, reset at any byte of either direction", () => {
    let runs = 0;
    let resumed = 0;
    for (const [piece, seed] of [[1, 1], [5, 2], [7, 4], [Infinity, 3], [16, 8]] as const) {
      const bytes = measure(SHORT, piece, seed, 1);
      for (const side of SIDES) {
        assertGreater(bytes[side], 250);
        for (let offset = 0; offset <= bytes[side]; offset++) {
          if ((offset + seed) % SAMPLE !== 0) continue;
          runs++;
          if (cutAt(SHORT, piece, seed, [{ dial: 1, side, offset, silent: false }]) > 1) resumed++;
        }
      }
    }
    assertGreater(resumed, runs * 0.98);
    console.log(`report: requests: ${runs} resets at every byte, ${resumed} resumed`);
  });

  it("the same when the connection that resumes is cut, too, at any of its bytes", () => {
    let runs = 0;
    for (const [index, at] of [120, 180, 260, 340].entries()) {
      const first: Cut = { dial: 1, side: SIDES[index % 2]!, offset: at, silent: false };
      const piece = index < 2 ? Infinity : 3;
      const bytes = measure(SHORT, piece, 99, 2, [first]);
      for (const side of SIDES) {
        for (let offset = 0; offset <= bytes[side]; offset++) {
          if (++runs % SAMPLE !== 0) continue;
          cutAt(SHORT, piece, 99, [first, { dial: 2, side, offset, silent: runs % 32 === 0 }]);
        }
      }
    }
  });

  it("the same with requests and answers of several chunks, cut again and again", () => {
    const random = new Random(2);
    const bytes = measure(LONG, Infinity, 1, 1);
    for (let i = 0; i < 300 / SAMPLE; i++) {
      const piece = [random.between(500, 3_000), random.between(3_000, 40_000), Infinity][i % 3]!;
      const side = SIDES[random.between(0, 1)]!;
      const cuts: Cut[] = [{
        dial: 1,
        side,
        offset: random.between(0, bytes[side]),
        silent: random.between(0, 7) === 0,
      }];
      for (let dial = 2; dial < 2 + i % 5; dial++) {
        cuts.push({
          dial,
          side: SIDES[random.between(0, 1)]!,
          offset: random.between(100, 30_000),
          silent: false,
        });
      }
      cutAt(LONG, piece, i, cuts);
    }
  });

  it("the same when every replay is cut, again and again", () => {
    const random = new Random(3);
    for (let i = 0; i < 300 / SAMPLE; i++) {
      const cuts: Cut[] = [{ dial: 1, side: "server", offset: random.between(90, 400), silent: false }];
      for (let dial = 2; dial < 12; dial++) {
        cuts.push({
          dial,
          side: SIDES[random.between(0, 1)]!,
          offset: random.between(0, 420),
          silent: false,
        });
      }
      cutAt(SHORT, random.between(1, 16), i, cuts);
    }
  });
});

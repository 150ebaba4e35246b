/**
 * A connection that ends at every byte: what was sent arrives once and in order, whatever was cut.
 *
 * A scripted conversation is run once to learn how many bytes reach each side; then once for each of those bytes, each side, and each
 * size of the pieces in which bytes travel, with the transport ended there. Messages of no byte, of one, of more than a chunk; answers, and
 * messages that are finished late.
 *
 * Rules: the sizes of pieces are all tried on Node, one in sixteen runs on the others. A run that fails names its cut.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { Random } from "../support/random.ts";
import { type Cut, type Side, World } from "../support/world.ts";
import { BEAT, type Conversation, cutAt, measure, SAMPLE, SIDES } from "./cutting.ts";

function text(name: string, size: number): string {
  return name.padEnd(size, ".").slice(0, size);
}

/** A conversation: `steps` posts at its times; each message is answered, and some are finished late. */
interface Script {
  readonly steps: readonly (readonly [at: number, side: Side, text: string])[];
  readonly span: number;
}

const SHORT: Conversation = talk({
  steps: [
    [20, "client", ""],
    [20, "client", "?"],
    [22, "server", text("b0 late", 100)],
    [24, "client", text("a1 late", 100)],
    [60, "client", "a2"],
    [60, "server", ""],
    [75, "server", "b2 late"],
    [75, "client", "a3"],
    [90, "server", text("b3", 60)],
  ],
  span: 120,
});

const LONG: Conversation = talk({
  steps: [
    [20, "client", text("a0", 16_384)],
    [20, "server", text("b0 late", 16_385)],
    [21, "client", text("a1 late", 50_000)],
    [25, "server", text("b1", 50_000)],
    [40, "client", ""],
    [41, "client", text("a3 late", 16_385)],
    [60, "server", "!"],
  ],
  span: 300,
});

/** The conversation of a script. */
function talk(script: Script): Conversation {
  return (piece, seed) => {
    const world = begin(script, piece, seed);
    return { world, check: (name) => check(world, script, name) };
  };
}

function begin(script: Script, piece: number, seed: number): World {
  const world = new World(BEAT, BEAT, seed, piece);
  if (seed % 4 === 0) world.writes = piece;
  for (const side of SIDES) {
    const application = world.application(side);
    application.consumes = false;
    application.after = (got) => got.includes("late") ? 40 : 0;
  }
  world.far.answer = (got) => got.includes("a") ? `answer to ${got.slice(0, 2)}` : null;
  for (const [at, side, words] of script.steps) world.later(at, () => say(world, side, words));
  return world;
}

/** The server speaks once it knows the client; whoever has no session yet waits for it. */
function say(world: World, side: Side, words: string): void {
  const session = world.session(side);
  if (session?.resumable) world.post(side, words);
  else world.later(10, () => say(world, side, words));
}

function settled(world: World, script: Script): boolean {
  const said = world.near.sent.length + world.far.sent.length;
  if (said < script.steps.length) return false;
  const { near, far } = world;
  if (far.messages.length < near.sent.length || near.messages.length < far.sent.length) return false;
  return world.client.session!.state.held + (world.remote?.state.held ?? 1) === 0;
}

/** Lets the script go to its end and looks at what came of it. */
function check(world: World, script: Script, name: string): void {
  world.run(script.span);
  world.run(20_000, () => settled(world, script));
  const { near, far } = world;
  const answers = script.steps.filter(([, side, words]) => side === "client" && words.includes("a")).length;
  if (near.sent.length + far.sent.length !== script.steps.length + answers) {
    throw new Error(`${name}: not all was said`);
  }
  // Compared by hand: a deep comparison takes longer than the run.
  const held = world.client.session!.state.held + world.remote!.state.held;
  const told = near.lost.length + far.lost.length + world.over.length;
  const right = far.messages.join("|") === near.sent.join("|") &&
    near.messages.join("|") === far.sent.join("|");
  if (right && held + told === 0) return;
  assertEquals(far.messages, near.sent, name);
  assertEquals(near.messages, far.sent, name);
  assertEquals([near.lost, far.lost, world.over, held], [[], [], [], 0], name);
}

const known = new Map<string, Record<Side, number>>();

function measured(conversation: Conversation, piece: number): Record<Side, number> {
  const key = `${conversation === SHORT} ${piece}`;
  const before = known.get(key) ?? measure(conversation, piece, 1, 1);
  known.set(key, before);
  return before;
}

describe("a session over a connection that is cut", () => {
  it("loses and doubles nothing, reset at any byte of either direction, in pieces of any size", () => {
    let runs = 0;
    let resumed = 0;
    for (let piece = 1; piece <= 16; piece++) {
      const bytes = measure(SHORT, piece, piece, 1);
      for (const side of SIDES) {
        assertGreater(bytes[side], 200);
        for (let offset = 0; offset <= bytes[side]; offset++) {
          if ((offset + piece) % SAMPLE !== 0) continue;
          runs++;
          if (cutAt(SHORT, piece, piece, [{ dial: 1, side, offset, silent: false }]) > 1) resumed++;
        }
      }
    }
    // At the last offset there may be nobody left who dials.
    assertGreater(resumed, runs * 0.99);
    console.log(`report: sessions: ${runs} resets at every byte, ${resumed} resumed`);
  });

  it("the same at a sample of bytes cut silently, in pieces of any size", () => {
    const random = new Random(1);
    for (let i = 0; i < 800 / SAMPLE; i++) {
      const piece = random.between(1, 16);
      const bytes = measured(SHORT, piece);
      const side = SIDES[i % 2]!;
      cutAt(SHORT, piece, piece, [{ dial: 1, side, offset: random.between(0, bytes[side]), silent: true }]);
    }
  });

  it("the same with messages of several chunks, in pieces of any size", () => {
    const random = new Random(2);
    for (let i = 0; i < 400 / SAMPLE; i++) {
      const piece = [random.between(500, 3_000), random.between(3_000, 40_000), Infinity][i % 3]!;
      const { client, server } = measured(LONG, Infinity);
      const side = SIDES[random.between(0, 1)]!;
      const offset = random.between(0, side === "client" ? client : server);
      const silent = random.between(0, 7) === 0;
      // A message longer than the time between cuts still completes: every connection ends at a byte of its own.
      const cuts = [{ dial: 1, side, offset, silent }];
      for (let dial = 2; dial < 2 + i % 4; dial++) {
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

  it("the same when the connection that resumes is cut, too, at any of its bytes", () => {
    // Cut while both sides have something under way, some of it received and not known to be.
    let runs = 0;
    for (const piece of [1, Infinity]) {
      for (const [index, at] of [120, 160, 240].entries()) {
        const first: Cut = { dial: 1, side: SIDES[index % 2]!, offset: at, silent: false };
        const bytes = measure(SHORT, piece, piece === Infinity ? 99 : piece, 2, [first]);
        for (const side of SIDES) {
          assertGreater(bytes[side], 150);
          for (let offset = 0; offset <= bytes[side]; offset++) {
            if (++runs % SAMPLE !== 0) continue;
            const second: Cut = { dial: 2, side, offset, silent: runs % 32 === 0 };
            cutAt(SHORT, piece, piece === Infinity ? 99 : piece, [first, second]);
          }
        }
      }
    }
  });

  it("the same when every replay is cut, again and again", () => {
    const random = new Random(3);
    for (let i = 0; i < 400 / SAMPLE; i++) {
      const cuts: Cut[] = [{ dial: 1, side: "server", offset: random.between(90, 300), silent: false }];
      for (let dial = 2; dial < 12; dial++) {
        const side = SIDES[random.between(0, 1)]!;
        cuts.push({ dial, side, offset: random.between(0, 400), silent: false });
      }
      cutAt(SHORT, random.between(1, 16), i, cuts);
    }
  });

  it("goes on a hundred times in a row, over connections that carry next to nothing", () => {
    const world = new World(BEAT, BEAT);
    world.run(50);
    // So much a connection brings: its handshake, a heartbeat and one chunk, or less.
    for (let dial = 2; dial <= 101; dial++) {
      world.cuts.push({ dial, side: "server", offset: 300 + dial, silent: false });
    }
    const sent = Array.from({ length: 300 }, (_, i) => text(`a${i} `, 100));
    for (const words of sent) world.post("client", words);
    world.resetAll();
    for (let i = 0; i < 100; i++) {
      world.post("server", `b${i}`);
      world.run(10_000, () => world.dials === i + 3);
    }
    assertEquals(world.near.resumed.length, 101);
    assert(world.far.messages.length < 300, `${world.far.messages.length}`);
    world.run(60_000, () => world.far.messages.length === 300);
    world.run(500);
    assertEquals(world.far.messages, sent);
    assertEquals(world.near.messages, Array.from({ length: 100 }, (_, i) => `b${i}`));
    assertEquals([world.client.session!.state.held, world.remote!.state.held], [0, 0]);
  });
});

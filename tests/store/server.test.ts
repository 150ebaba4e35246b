/** One client that moves between servers with one store: what is kept, what is asked, what comes again, and what a store no longer has or has no room for. */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { StoreWorld } from "./store_world.ts";

function expected(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `rc${i}`);
}

describe("a session in a store", () => {
  it("goes on at another server, and nothing is lost or doubled", () => {
    const world = new StoreWorld(1, 2);
    world.target = world.processes[0]!;
    world.run(500);
    for (let i = 0; i < 5; i++) world.post();
    world.run(100);
    assertEquals(world.answers, expected(5));
    world.target = world.processes[1]!;
    world.push(world.processes[0]!);
    world.cut();
    for (let i = 0; i < 5; i++) world.post();
    world.run(2_000);
    assertEquals(world.answers, expected(10));
    assertEquals(world.pushes, ["s0"]);
    assertEquals(world.lost, []);
    assertEquals(world.where, world.processes[1]);
    assert(world.quiet);
  });
});

/** The session of the world's client, as the store has it. */
function stored(world: StoreWorld): { session: string; generation: number } {
  const session = Array.from(
    world.client.session!.state.grant!.id,
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
  const answer = world.store.table.answer({ type: "read", session }, world.now);
  assert(answer.type === "found", answer.type);
  return { session, generation: answer.generation };
}

describe("a session that its store does not have any more", () => {
  it("is lost, with what was not finished, when it was away for longer than the window", () => {
    const world = new StoreWorld(1, 2, {}, { resumeWindow: 500 });
    world.hold = 100_000; // nothing is finished
    world.target = world.processes[0]!;
    world.run(500);
    for (let i = 0; i < 3; i++) world.post();
    world.run(100);
    world.crash(world.processes[0]!); // it is what is dialled, and is not there
    world.post();
    world.run(2_000);
    assertEquals(world.lost, []);
    world.hold = 0;
    world.target = world.processes[1]!;
    world.run(2_000);
    assertEquals(world.lost, ["c0", "c1", "c2", "c3", "a session"]);
    assertEquals(world.answers, []);
    world.post();
    world.run(500);
    assertEquals(world.answers, ["rc4"]);
    assert(world.quiet);
  });

  it("is not lost to a moment less", () => {
    const world = new StoreWorld(1, 2, {}, { resumeWindow: 3_000 });
    world.hold = 100_000;
    world.target = world.processes[0]!;
    world.run(500);
    for (let i = 0; i < 3; i++) world.post();
    world.run(100);
    world.crash(world.processes[0]!);
    world.post();
    world.run(2_000);
    world.hold = 0;
    world.target = world.processes[1]!;
    world.run(2_000);
    assertEquals(world.lost, []);
    assertEquals(world.answers, expected(4));
    assert(world.quiet);
  });

  it("ends at its server when the record vanishes under it, and the client is told what was not finished", () => {
    const world = new StoreWorld(1, 1);
    const [process] = world.processes;
    world.run(500);
    for (let i = 0; i < 2; i++) world.post();
    world.run(500);
    assertEquals(world.answers, expected(2));
    world.hold = 50;
    world.store.table.answer({ type: "release", ...stored(world) }, world.now);
    world.post();
    world.run(3_000);
    assertEquals(process!.over.map(({ reason }) => "code" in reason && reason.code), ["BUSY"]);
    assertEquals(world.lost, ["c2", "a session"]);
    world.post();
    world.run(1_000);
    assertEquals(world.answers, [...expected(2), "rc3"]);
    assert(world.quiet);
  });
});

describe("a store that is full", () => {
  it("makes a server's sends wait, not fail, and they go on as the client confirms", () => {
    const world = new StoreWorld(1, 1, {}, {}, 6_000);
    world.run(500);
    for (let i = 0; i < 20; i++) world.post(1_000);
    world.run(20_000);
    assertEquals(world.answers.map((text) => text.slice(0, 4).replace(/\.+$/, "")), expected(20));
    assert((world.counts["append full"] ?? 0) > 0);
    assertEquals(world.lost, []);
    assert(world.quiet);
  });

  it("takes a short one that lies before a long one, and then that", () => {
    const world = new StoreWorld(1, 1, {}, {}, 5_000);
    world.run(500);
    for (let i = 0; i < 8; i++) world.post(i % 2 === 0 ? 0 : 4_200);
    world.run(20_000);
    assertEquals(world.answers.length, 8);
    const { "append full": full = 0, "append ok": ok = 0 } = world.counts;
    assert(full > 0 && full < 20 * ok, `${full} refused, ${ok} taken`);
    assert(world.quiet);
  });

  it("lets nothing of a session leave that it has no room for, and it goes on when there is room", () => {
    const world = new StoreWorld(1, 1, {}, {}, 600);
    const other = {
      type: "create",
      session: "00".repeat(16),
      version: 1,
      secret: "00".repeat(32),
      epoch: 1,
    } as const;
    world.store.table.answer({ ...other, owner: "other", generation: 1, keep: 5_000 }, world.now);
    world.run(500);
    world.post();
    world.run(1_000);
    assertEquals(world.answers, []);
    assert((world.counts["create full"] ?? 0) > 0);
    world.run(10_000); // the other one is forgotten
    assertEquals(world.answers, expected(1));
    assertEquals(world.lost, []);
    assert(world.quiet);
  });
});

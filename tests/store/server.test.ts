/** One client that moves between servers with one store: what is kept, what is asked, and what comes again. */

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

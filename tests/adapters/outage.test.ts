/**
 * What an application reads of an outage: statistics over all connections, and statuses that tell of losses; and a server that ends while a handler still works.
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { Session, Status } from "../../adapters/api.ts";
import { BEAT, echo, HERE, keep, reaches, scene } from "../support/virtual_sessions.ts";
import { listenOn } from "../../adapters/listen.ts";

const AGAIN = { ...BEAT, reconnect: { base: 100, floor: 50, cap: 200, early: false } };

describe("statistics of a session", () => {
  test("go over all its connections, and count what was accepted between two", async () => {
    const { world, connect, server } = await scene(echo, BEAT);
    const session = await connect(AGAIN);
    let got = 0;
    void session.onMessage(() => void got++);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 10; i++) void session.send("x".repeat(100));
      await world.run(500);
      for (const transport of [...world.transports]) transport.cut = true;
      await reaches(world, session, "resuming");
      void session.send("between");
      await world.run(5_000);
    }
    const stats = session.stats();
    assertEquals([stats.messagesSent, stats.messagesReceived, got, stats.conversations], [33, 33, 33, 4]);
    assertGreater(stats.bytesSent, 3_000);
    assertEquals(stats.suspicions, 3);
    const theirs = [...server.sessions][0]!.stats();
    assertEquals([theirs.messagesSent, theirs.messagesReceived], [33, 33]);
  });
});

describe("the statuses of a long outage", () => {
  test("do not push out what tells of a loss", async () => {
    const { world, connect, server } = await scene(keep([]), BEAT);
    const session = await connect(AGAIN);
    const statuses = session.status();
    await world.until(statuses.next());
    void session.send("never confirmed");
    await world.run(100);
    await world.until(server.abort());
    void session.send("never sent");
    await world.run(20_000);
    await listenOn(world.platform, HERE, keep([]), BEAT);
    await world.run(5_000);
    assertEquals(session.state, "live");
    const seen: Status[] = [];
    while (seen.at(-1)?.state !== "live") seen.push((await world.until(statuses.next())).value as Status);
    assertGreater(seen[0]!.missed, 20);
    const lost = seen.filter((status) => status.state === "unconfirmed");
    assertEquals(lost.length, 1);
    assert(lost[0]!.state === "unconfirmed");
    assertEquals(lost[0]!.messages.map(({ bytes }) => new TextDecoder().decode(bytes)).slice(0, 1), [
      "never confirmed",
    ]);
  });
});

describe("a server that drains while the handler of a client that is away works", () => {
  const away = async (span: number): Promise<{ took: number; finished: boolean }> => {
    let finished = false;
    const sessions: Session[] = [];
    const { world, connect, server } = await scene(async (session) => {
      sessions.push(session);
      for await (const _ of session) {
        await new Promise<void>((resolve) => void world.platform.clock.setTimer(resolve, span));
        finished = true;
        return;
      }
    }, { ...BEAT, closeTimeout: 3_000 });
    const session = await connect(AGAIN);
    void session.send("work");
    await world.run(200);
    for (const transport of [...world.transports]) transport.cut = true;
    world.dialing = "hang";
    await reaches(world, sessions[0]!, "resuming");
    const begun = world.now;
    await world.until(server.drain());
    const took = world.now - begun;
    session.abort();
    return { took, finished };
  };

  test("waits for it", async () => {
    const { took, finished } = await away(5_000);
    assertEquals(finished, true);
    assertGreater(took, 500);
  });

  test("waits for no longer than closeTimeout", async () => {
    const { took, finished } = await away(60_000);
    assertEquals(finished, false);
    assertLess(Math.abs(took - 3_000), 50);
  });
});

/**
 * How sessions begin, and begin again: why `connect` fails, what a signal calls off, what a reconnecting session tells.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual, assertNotEquals } from "@std/assert";
import type { Message, Session } from "../../adapters/api.ts";
import { connectOn } from "../../adapters/connect.ts";
import { VirtualWorld } from "../support/virtual_platform.ts";
import {
  assertNothingLeft,
  BEAT,
  collect,
  echo,
  failure,
  HERE,
  keep,
  reaches,
  scene,
  states,
  watch,
} from "../support/virtual_sessions.ts";

describe("connect", () => {
  const rejected = async (world: VirtualWorld, promise: Promise<Session>): Promise<string> => {
    const error = await world.until(failure(promise));
    await world.run(5_000);
    assertNothingLeft(world);
    return error?.code ?? "connected";
  };

  test("fails with what the dial failed with", async () => {
    const world = new VirtualWorld();
    for (
      const [code, expected] of [
        ["ECONNREFUSED", "REFUSED"],
        ["EHOSTUNREACH", "UNREACHABLE"],
        ["ENOTFOUND", "DNS"],
        ["EACCES", "FORBIDDEN"],
        ["EMFILE", "TOO_MANY_FILES"],
        ["ESOMETHING", "DIAL_FAILED"],
      ] as const
    ) {
      world.dialing = { code };
      assertEquals(await rejected(world, connectOn(world.platform, HERE)), `ERR_HEARTWIRE_${expected}`);
    }
  });

  test("fails with what the runtime throws at once, too", async () => {
    const world = new VirtualWorld();
    const platform = {
      ...world.platform,
      dial: () => {
        throw new RangeError("no such port");
      },
    };
    const error = await world.until(failure(connectOn(platform, HERE)));
    assertEquals([error?.code, (error?.cause as Error).message], [
      "ERR_HEARTWIRE_DIAL_FAILED",
      "no such port",
    ]);
    await world.run(0);
    assertNothingLeft(world);
  });

  test("gives a dial up that takes too long", async () => {
    const world = new VirtualWorld();
    world.dialing = "hang";
    assertEquals(
      await rejected(world, connectOn(world.platform, HERE, { dialTimeout: 700 })),
      "ERR_HEARTWIRE_DIAL_TIMEOUT",
    );
    assertEquals([world.dials, world.cancelled], [1, 1]);
  });

  test("refuses addresses and options that cannot be, before it dials", async () => {
    const world = new VirtualWorld();
    const wrong = [
      connectOn(world.platform, "heartwire://10.0.0.2:0"),
      connectOn(world.platform, []),
      connectOn(world.platform, "heartwires://10.0.0.2"),
      connectOn(world.platform, HERE, { maxMessage: -1 }),
      connectOn(world.platform, HERE, { intervall: 5 } as object),
    ];
    const codes = await Promise.all(wrong.map(failure));
    assertEquals(codes.map((error) => error?.code.slice(14)), [
      "ADDRESS",
      "ADDRESS",
      "TLS_UNSUPPORTED",
      "OPTION",
      "OPTION",
    ]);
    assertEquals(world.dials, 0);
  });

  test("every way to fail names the peer and says what can be done", async () => {
    const nobody = "heartwire://10.0.0.9:1";
    const errors = [];
    for (const dialing of [null, "hang", { code: "ESOMETHING" }] as const) {
      const world = new VirtualWorld();
      world.dialing = dialing;
      errors.push(await world.until(failure(connectOn(world.platform, [nobody, nobody]))));
    }
    const { connect } = await scene(keep([]), { authenticate: () => false });
    errors.push(await failure(connect()));
    for (const error of errors) {
      assertEquals(error!.message.match(/heartwire:\/\/10\.0\.0\.[29]:\d+/g)?.length, 1, error!.message);
      assertNotEquals(error!.hint, "");
    }
    assertEquals(errors.at(-1)!.message, `${HERE}: refused by the peer (UNAUTHORIZED)`);
  });

  test("is called off by its signal at every stage", async () => {
    // before; while dialling; while dialling hangs; in the handshake, which takes two trips of 100 ms behind the dial
    for (const [at, hangs] of [[-1, false], [50, false], [500, true], [150, false], [250, false]] as const) {
      const { world, server } = await scene(echo);
      world.latency = 100;
      if (hangs) world.dialing = "hang";
      const controller = new AbortController();
      if (at < 0) controller.abort("no");
      const connecting = failure(
        connectOn(world.platform, HERE, { signal: controller.signal, reconnect: true }),
      );
      await world.run(Math.max(at, 0));
      controller.abort("no");
      const error = await connecting;
      assertEquals([error?.code, error?.cause], ["ERR_HEARTWIRE_CANCELLED", "no"], `at ${at}`);
      await world.run(60_000);
      assertEquals(server.sessions.size, 0);
      await world.until(server.close());
      await world.run(0);
      assertNothingLeft(world);
      assertLessOrEqual(world.dials, 1);
    }
  });

  test("its signal has no say once it is connected", async () => {
    const { world, connect } = await scene(echo);
    const controller = new AbortController();
    const session = await connect({ signal: controller.signal });
    controller.abort();
    await world.run(100);
    assertEquals(session.state, "live");
  });

  test("tries several addresses in turn", async () => {
    const { world } = await scene(echo);
    const nobody = "heartwire://10.0.0.9:1";
    const session = await world.until(connectOn(world.platform, [nobody, nobody, HERE], { reconnect: true }));
    assertEquals([world.dials, session.remote.url], [3, HERE]);
  });
});

describe("reconnect", () => {
  test("tells what was lost and begins a new conversation", async () => {
    const there: Session[] = [];
    const { world, connect } = await scene(async (session) => {
      there.push(session);
      await echo(session);
    }, BEAT);
    const session = await connect({ ...BEAT, reconnect: true, resume: false });
    const seen = watch(session);
    const got: (Message | Error)[] = [];
    void collect(session, got);
    await session.send("one");
    await world.run(5_000);
    for (const end of world.pairs[0]!) end.cut = true;
    await session.send("never arrives");
    world.dialing = { code: "ECONNREFUSED" };
    await reaches(world, session, "lost");
    assertEquals((await failure(session.send("x")))?.code, "ERR_HEARTWIRE_NOT_CONNECTED");
    assertEquals((await failure(session.ping()))?.code, "ERR_HEARTWIRE_NOT_CONNECTED");
    assertEquals(session.agreement, null);
    await world.run(1_000);
    world.dialing = null;
    await reaches(world, session, "live");
    await session.send("two");
    await world.run(1_000);
    assertEquals((got as Message[]).map((message) => [message.text(), message.position]), [["one", 1], [
      "two",
      1,
    ]]);
    assertEquals(there.length, 2);
    assertEquals(session.stats().conversations, 2);
    const told = states(seen);
    assertEquals(told.slice(0, 4), ["live", "suspect", "lost", "connecting"]);
    assertEquals(told.at(-1), "live");
    assert(seen[2]!.state === "lost" && seen[2]!.reason.kind === "dead" && seen[2]!.retryIn > 0);
    const attempts = seen.filter((status) => status.state === "connecting").map(({ attempt }) => attempt);
    assertEquals(attempts, Array.from({ length: attempts.length }, (_, at) => at + 2));
    assertEquals((await world.until(session.close())).kind, "closed");
  });

  test("gives up when told to, with the last reason", async () => {
    const { world, connect } = await scene(keep([]), BEAT);
    const session = await connect({ ...BEAT, reconnect: { maxAttempts: 3 } });
    world.dialing = { code: "EHOSTUNREACH" };
    world.pairs[0]![0].reset();
    const [error] = await world.until(collect(session)) as [Error & { code: string }];
    assertEquals(error.code, "ERR_HEARTWIRE_UNREACHABLE");
    assertEquals((await session.closed).kind, "dialFailed");
    await world.run(100);
    assertEquals([world.transports.size], [0]);
  });

  test("what is not read does not pile up over conversations", async () => {
    const { world, connect } = await scene(async (session) => {
      for (;;) await session.send(new Uint8Array(10_000));
    });
    const session = await connect({ reconnect: true, resume: false });
    const seen = watch(session);
    for (let i = 1; i <= 5; i++) {
      await world.run(2_000);
      world.pairs.at(-1)![0].reset();
      while (session.stats().conversations === i) await world.run(10);
      assertLessOrEqual(session.stats().unreadBytes, 2.5 * 2 ** 20);
    }
    const discarded = seen.reduce((sum, status) => sum + (status.state === "live" ? status.discarded : 0), 0);
    assertGreaterOrEqual(discarded, 100);
    assertEquals(session.stats().discarded, discarded);
  });

  test("the longest message that may come survives unread", async () => {
    const maxMessage = 3 * 2 ** 20;
    const there: Session[] = [];
    const { world, connect } = await scene(keep(there));
    const session = await connect({ reconnect: true, maxMessage, resume: false });
    await world.run(10);
    await there[0]!.send(new Uint8Array(maxMessage));
    await world.run(1_000);
    world.pairs[0]![0].reset();
    while (session.stats().conversations === 1) await world.run(10);
    assertEquals([session.stats().discarded, session.stats().unread], [0, 1]);
  });

  test("close while it waits to dial again ends it", async () => {
    const { world, connect } = await scene(keep([]));
    const session = await connect({ reconnect: { floor: 5_000, base: 6_000 }, resume: false });
    world.pairs[0]![0].reset();
    await world.run(100);
    assertEquals(session.state, "lost");
    await world.until(session.close());
    await world.run(100_000);
    assertEquals([world.dials, world.transports.size], [1, 0]);
  });
});

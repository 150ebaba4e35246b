/**
 * How sessions end: who is told what, what fails with which code, and that nothing stays behind.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual, assertThrows } from "@std/assert";
import type { Message, Session, Status } from "../../adapters/api.ts";
import { connectOn } from "../../adapters/connect.ts";
import { withoutStack } from "../../adapters/failure.ts";
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

describe("close", () => {
  test("delivers what was accepted, lets the peer finish, and tells both", async () => {
    const there: Session[] = [];
    const got: string[] = [];
    const { world, connect, server } = await scene(async (session) => {
      there.push(session);
      for await (const message of session) {
        await new Promise<void>((resolve) => world.after(100, resolve)); // work
        got.push(message.text());
      }
      got.push("end");
    });
    const session = await connect();
    for (const text of ["a", "b", "c"]) await session.send(text);
    const began = world.now;
    const reason = await world.until(session.close(7, "bye"));
    assertEquals(reason, { kind: "closed", code: "NONE", by: "local", closeCode: 7, text: "bye" });
    assertGreaterOrEqual(world.now - began, 300);
    assertEquals(await world.until(there[0]!.closed), {
      kind: "closed",
      code: "NONE",
      by: "peer",
      closeCode: 7,
      text: "bye",
    });
    await world.run(10);
    assertEquals(got, ["a", "b", "c", "end"]);
    assertEquals(await session.close(), reason, "again");
    assertEquals(server.sessions.size, 0);
    assertEquals(world.transports.size, 0);
    await world.until(server.close());
    await world.run(0);
    assertNothingLeft(world);
  });

  test("ends the peer's iteration behind all messages, and its waiting next()", async () => {
    const { world, connect } = await scene(async (session) => {
      await session.send("one");
      await session.send("two");
    });
    const session = await connect();
    const got = await world.until(collect(session));
    assertEquals(got.map((message) => (message as Message).text()), ["one", "two"]);
    assertEquals((await session.closed).kind, "closed");
    assertEquals((await failure(session.send("late")))?.code, "ERR_HEARTWIRE_CLOSED");
    assertEquals((await failure(session.ping()))?.code, "ERR_HEARTWIRE_CLOSED");
  });

  test("is not held up by messages that nobody reads", async () => {
    const { world, connect } = await scene(async (session) => {
      for (let i = 0; i < 5_000; i++) await session.send(new Uint8Array(1_000));
    });
    const session = await connect();
    await world.run(1_000);
    const began = world.now;
    assertEquals((await world.until(session.close())).kind, "closed");
    assertLessOrEqual(world.now - began, 1_000);
    assertEquals(session.stats().unread, 0);
  });

  test("does not take messages from a loop that runs", async () => {
    const { world, connect } = await scene(echo);
    const session = await connect();
    const got = collect(session);
    for (let i = 0; i < 100; i++) await session.send(`${i}`);
    await world.until(session.close());
    assertEquals(
      (await got).map((message) => (message as Message).text()),
      Array.from({ length: 100 }, (_, i) => `${i}`),
    );
  });

  test("is bounded when the peer never finishes", async () => {
    const { world, connect } = await scene((session) => session.onMessage(() => new Promise(() => {})));
    const session = await connect({ closeTimeout: 2_000 });
    await session.send("x");
    const began = world.now;
    const reason = await world.until(session.close());
    assertEquals([reason.kind, reason.code], ["timeout", "CLOSE_TIMEOUT"]);
    assertLessOrEqual(world.now - began, 2_100);
    await world.run(2_000);
    assertEquals(world.transports.size, 0);
  });

  test("is what leaving a scope does", async () => {
    const { world, server } = await scene(echo);
    let escaped: Session | undefined;
    const scope = (async () => {
      await using session = await connectOn(world.platform, HERE);
      escaped = session;
      await session.send("x");
    })();
    await world.until(scope);
    assertEquals((await escaped!.closed).kind, "closed");
    await world.until(server[Symbol.asyncDispose]());
    await world.run(0);
    assertNothingLeft(world);
  });

  test("refuses a code that cannot be, and goes on", async () => {
    const { connect } = await scene(echo);
    const session = await connect();
    assertEquals((await failure(session.close(-1)))?.code, "ERR_HEARTWIRE_OPTION");
    assertEquals(session.state, "live");
    await session.send("still");
  });
});

describe("errors", () => {
  test("of an ended session name the peer, on both sides, and say what can be done", async () => {
    const there: Session[] = [];
    const { world, connect } = await scene(keep(there), BEAT);
    const session = await connect({ ...BEAT, reconnect: true, resume: false });
    await world.run(10);
    const us = world.pairs[0]![0].local.url;
    const signal = AbortSignal.abort();
    const errors = [await failure(session.send("", { signal })), await failure(session.send(5 as never))];
    assertEquals(errors.map((error) => [error!.code.slice(14), error!.hint !== ""]), [
      ["CANCELLED", true],
      ["DATA", true],
    ]);
    for (const end of world.pairs[0]!) end.cut = true;
    const timed = failure(session.ping({ timeout: 100 }));
    const pings = [failure(session.ping()), failure(there[0]!.ping())];
    await world.run(10_000);
    const told = [await timed, ...await Promise.all(pings), await failure(there[0]!.send("x"))];
    await reaches(world, session, "live");
    const closing = await connect(BEAT);
    world.dialing = "hang";
    world.pairs[1]![0].reset();
    await world.run(10);
    told.push(await failure(session.send("x")));
    void closing.close();
    told.push(await failure(closing.send("x")));
    assertEquals(told.map((error) => [error!.code.slice(14), error!.message.split(": ")[0]]), [
      ["TIMEOUT", HERE],
      ["DEAD", HERE],
      ["DEAD", us],
      ["DEAD", us],
      ["NOT_CONNECTED", HERE],
      ["CLOSED", HERE],
    ]);
    assertEquals(told.every((error) => error!.hint !== ""), true);
  });
});

describe("what ends with a session", () => {
  test("has a stack of one line, with code and reason, and other errors have theirs", async () => {
    const { connect } = await scene(keep([]));
    const session = await connect();
    const limit = Error.stackTraceLimit;
    const asked = failure(session.request("asked")) as Promise<Error | null>;
    session.abort("enough");
    const error = await asked;
    const lines = error?.stack?.split("\n") ?? [];
    assertEquals(lines.length, 1, error?.stack);
    assert(lines[0]!.includes("HeartwireError") && lines[0]!.includes("enough"), error?.stack);
    assertEquals(Error.stackTraceLimit, limit);
    const late = await failure(session.request("late")) as Error | null;
    assert(late?.stack?.includes("ending.test"), late?.stack);
  });

  test("leaves a stack where nothing lets it out, and the limit of others as it was", () => {
    for (const limit of [undefined, 3]) {
      const before = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")!;
      Object.defineProperty(Error, "stackTraceLimit", { value: limit, writable: false, configurable: true });
      try {
        assertEquals(withoutStack(() => new TypeError("kept")).message, "kept");
        assertEquals(Error.stackTraceLimit, limit);
      } finally {
        Object.defineProperty(Error, "stackTraceLimit", before);
      }
    }
    const { stackTraceLimit } = Error;
    assertThrows(() =>
      withoutStack(() => {
        throw new TypeError("thrown");
      })
    );
    assertEquals(Error.stackTraceLimit, stackTraceLimit);
  });
});

describe("abort", () => {
  test("ends at once, drops what waits, and tells the peer why", async () => {
    const there: Session[] = [];
    const { world, connect } = await scene(keep(there));
    const session = await connect();
    await world.run(10);
    await there[0]!.send("unread");
    await world.run(10);
    const pinging = failure(session.ping());
    session.abort("enough");
    assertEquals((await session.closed).kind, "aborted");
    const errors = await collect(session);
    assertEquals(errors.map((error) => (error as { code?: string }).code), ["ERR_HEARTWIRE_ABORTED"]);
    assertEquals((await pinging)?.code, "ERR_HEARTWIRE_ABORTED");
    const reason = await world.until(there[0]!.closed);
    assert(reason.kind === "error");
    assertEquals([reason.code, reason.text], ["ABORTED", "enough"]);
    await world.run(2_000);
    assertEquals(world.transports.size, 0);
  });
});

describe("death", () => {
  for (const side of ["client", "server"] as const) {
    test(`a silent cut is found by the ${side} within the bound`, async () => {
      const there: Session[] = [];
      const { world, connect } = await scene(keep(there), BEAT);
      const session = await connect(BEAT);
      await world.run(10_000);
      const [here, seen] = side === "client" ? [session, watch(session)] : [there[0]!, watch(there[0]!)];
      const iterating = collect(here);
      const waiting = failure(here.ping());
      for (const end of world.pairs[0]!) end.cut = true;
      const cutAt = world.now;
      const bound = here.agreement!.detectionBound;
      const reason = await world.until(here.closed);
      assert(reason.kind === "dead");
      assertLessOrEqual(world.now - cutAt, bound + 5);
      await world.run(0);
      assertEquals(states(seen), ["live", "suspect", "closed"]);
      assert(seen[1]!.state === "suspect" && seen[1]!.evidence.silentFor >= 1_900);
      const [thrown] = await iterating as [Error & { code: string; retryable: boolean; cause: unknown }];
      assertEquals([thrown.code, thrown.retryable, thrown.cause], ["ERR_HEARTWIRE_DEAD", true, reason]);
      assertEquals((await waiting)?.code, "ERR_HEARTWIRE_DEAD");
      assertEquals((await failure(here.send("x")))?.code, "ERR_HEARTWIRE_DEAD");
      await world.run(10_000);
      assertEquals(world.transports.size, 0, "the other side found out too");
    });
  }

  test("messages that arrived before are delivered before it is told", async () => {
    const there: Session[] = [];
    const { world, connect } = await scene(keep(there), BEAT);
    const session = await connect(BEAT);
    await world.run(10);
    await there[0]!.send("last words");
    await world.run(10);
    for (const end of world.pairs[0]!) end.cut = true;
    await world.until(session.closed);
    const [message, error] = await collect(session);
    assertEquals((message as Message).text(), "last words");
    assertEquals((error as { code?: string }).code, "ERR_HEARTWIRE_DEAD");
  });

  test("a suspicion that was wrong is taken back", async () => {
    const { world, connect } = await scene(keep([]), BEAT);
    const session = await connect(BEAT);
    const seen = watch(session);
    const [, theirs] = world.pairs[0]!;
    theirs.hold();
    await world.run(2_800);
    theirs.release();
    await world.run(20_000);
    assertEquals(states(seen), ["live", "suspect", "live"]);
  });

  test("a reset is LOST, with its cause", async () => {
    const there: Session[] = [];
    const { world, connect, reported } = await scene(async (session) => {
      there.push(session);
      for await (const _ of session);
    });
    const session = await connect();
    const blocked: Promise<unknown>[] = [];
    for (let i = 0; i < 4; i++) blocked.push(failure(session.send(new Uint8Array(1_000_000))));
    world.pairs[0]![0].reset();
    const reason = await session.closed;
    assert(reason.kind === "lost");
    assertEquals((reason.cause as { code: string }).code, "ECONNRESET");
    assertEquals(
      (await Promise.all(blocked)).map((error) => (error as { code?: string } | null)?.code ?? "accepted"),
      [
        "accepted",
        "ERR_HEARTWIRE_LOST",
        "ERR_HEARTWIRE_LOST",
        "ERR_HEARTWIRE_LOST",
      ],
    );
    await world.run(1_000);
    assertEquals(reported, [], "a handler that only passes the end on is not reported");
    assertEquals(world.transports.size, 0);
  });
});

describe("ping", () => {
  test("gives the round trip, and can be given up", async () => {
    const { world, connect } = await scene(keep([]), BEAT);
    world.latency = 20;
    const session = await connect(BEAT);
    const result = await world.until(session.ping());
    assertEquals([result.rtt, result.hold], [40, 0]);
    for (const end of world.pairs[0]!) end.cut = true;
    const began = world.now;
    const timed = failure(session.ping({ timeout: 150 }));
    const controller = new AbortController();
    const signalled = failure(session.ping({ signal: controller.signal }));
    controller.abort();
    assertEquals((await signalled)?.code, "ERR_HEARTWIRE_CANCELLED");
    const error = await world.until(timed);
    assertEquals([error?.code, error?.retryable, world.now - began], ["ERR_HEARTWIRE_TIMEOUT", true, 150]);
    for (const timeout of [-1, NaN]) {
      assertEquals((await failure(session.ping({ timeout })))?.code, "ERR_HEARTWIRE_OPTION");
    }
    session.abort();
  });
});

describe("status", () => {
  test("every listener has its own queue, bounded, and learns how many it lost", async () => {
    const { world, connect } = await scene(keep([]), BEAT);
    const session = await connect(BEAT);
    const slow = session.status();
    const [, theirs] = world.pairs[0]!;
    for (let i = 0; i < 40; i++) {
      theirs.hold();
      await reaches(world, session, "suspect");
      theirs.release();
      await reaches(world, session, "live");
    }
    const late = session.status();
    session.abort();
    const seen = await collect(slow) as Status[];
    assertEquals(seen.length, 64);
    assertGreaterOrEqual(seen[0]!.missed, 15);
    assertEquals(seen.slice(1).every(({ missed }) => missed === 0), true);
    assertEquals(seen.at(-1)!.state, "closed");
    assertEquals(states(await collect(late) as Status[]), ["live", "closed"]);
    assertEquals(
      states(await collect(session.status()) as Status[]),
      ["closed"],
      "and one that comes after the end",
    );
  });
});

/**
 * Servers over a virtual platform: handlers, admission, draining.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import type { Peer, Session, Status } from "../../adapters/api.ts";
import { connectOn } from "../../adapters/connect.ts";
import { listenOn } from "../../adapters/listen.ts";
import { VirtualWorld } from "../support/virtual_platform.ts";
import { collect, failure, HERE, keep, scene, watch } from "../support/virtual_sessions.ts";

describe("handlers", () => {
  test("one that throws, at once or later, ends its session and no other", async () => {
    let nth = 0;
    const { world, connect, server, reported } = await scene((session) => {
      nth++;
      if (nth === 1) throw new Error("at once");
      if (nth === 2) return Promise.reject(new Error("later"));
      return session.onMessage((message) => session.send(message.bytes));
    });
    const sessions = [await connect(), await connect(), await connect()];
    for (const session of sessions.slice(0, 2)) {
      const reason = await world.until(session.closed);
      assertEquals([reason.kind, reason.code], ["error", "INTERNAL"]);
    }
    assertEquals(reported.map(String), ["Error: at once", "Error: later"]);
    await sessions[2]!.send("x");
    assertEquals((await world.until(sessions[2]!.messages().next())).value.text(), "x");
    assertEquals(server.sessions.size, 1);
  });

  test("a reporter that throws changes nothing", async () => {
    const silenced = console.error;
    console.error = () => {};
    try {
      const { world, connect } = await scene(() => Promise.reject(new Error("handler")), {
        onHandlerError: () => {
          throw new Error("reporter");
        },
      });
      const session = await connect();
      assertEquals((await world.until(session.closed)).code, "INTERNAL");
    } finally {
      console.error = silenced;
    }
  });

  test("one that returns closes its session in order", async () => {
    const { world, connect } = await scene((session) => session.send("hello"));
    const session = await connect();
    const [message] = await world.until(collect(session));
    assertEquals(String((message as { text(): string }).text()), "hello");
    assertEquals((await session.closed).kind, "closed");
  });

  test("one that returns with onMessage running serves until the peer closes", async () => {
    const { world, connect, reported } = await scene((session) => {
      session.onMessage((message) => {
        if (message.text() === "fault") throw new Error("fault");
        session.send(message.bytes);
      });
    });
    const session = await connect();
    await world.run(1_000);
    await session.send("x");
    assertEquals((await world.until(session.messages().next())).value.text(), "x");
    assertEquals((await world.until(session.close())).kind, "closed");
    const failing = await connect();
    await failing.send("fault");
    assertEquals((await world.until(failing.closed)).code, "INTERNAL");
    assertEquals(reported.map(String), ["Error: fault"]);
  });

  test("one that returns and gave its onMessage up closes its session in order", async () => {
    const controller = new AbortController();
    const { world, connect, reported } = await scene((session) => {
      session.onMessage(() => controller.abort(), controller);
    });
    const session = await connect();
    await world.run(1_000);
    assertEquals(session.state, "live");
    await session.send("enough");
    assertEquals((await world.until(session.closed)).kind, "closed");
    assertEquals(reported, []);
  });

  test("is not called for a dial that was given up", async () => {
    let called = 0;
    const { world } = await scene(() => void called++);
    world.latency = 100;
    const controller = new AbortController();
    const connecting = failure(connectOn(world.platform, HERE, { signal: controller.signal }));
    await world.run(250); // HELLO has arrived, WELCOME has not
    controller.abort();
    await connecting;
    await world.run(5_000);
    assertEquals([called, world.transports.size], [0, 0]);
  });
});

describe("admission", () => {
  test("authenticate decides, and knows who asks", async () => {
    const asked: Peer[] = [];
    const answers: (() => boolean | Promise<boolean>)[] = [
      () => true,
      () => false,
      () => Promise.resolve(true),
      () => Promise.reject(new Error("database")),
      () => "yes" as unknown as boolean,
    ];
    const { world, connect, reported } = await scene(keep([]), {
      authenticate: (peer) => {
        asked.push(peer);
        return answers.shift()!();
      },
    });
    const results: string[] = [];
    for (let i = 0; i < 5; i++) results.push((await failure(connect()))?.code ?? "in");
    const no = "ERR_HEARTWIRE_UNAUTHORIZED";
    assertEquals(results, ["in", no, "in", no, no]);
    assertEquals(reported.map(String), ["Error: database"]);
    assertEquals(asked[0]!.remote, world.pairs[0]![0].local);
    assertEquals(asked[0]!.local.url, HERE);
  });

  test("an answer that never comes is bounded by the handshake's deadline", async () => {
    const { world, connect, server } = await scene(keep([]), {
      authenticate: () => new Promise(() => {}),
      handshakeTimeout: 1_000,
    });
    assertEquals((await failure(connect()))?.code, "ERR_HEARTWIRE_HANDSHAKE_TIMEOUT");
    await world.run(3_000);
    assertEquals([server.stats().transports, world.transports.size], [0, 0]);
  });

  test("an answer that comes too late changes nothing", async () => {
    let answer!: (admit: boolean) => void;
    const { world, server } = await scene(keep([]), {
      authenticate: () => new Promise((resolve) => answer = resolve),
    });
    const controller = new AbortController();
    const connecting = failure(connectOn(world.platform, HERE, { signal: controller.signal }));
    await world.run(100);
    controller.abort();
    await connecting;
    await world.run(5_000);
    answer(true);
    await world.run(1_000);
    assertEquals([server.stats().opened, world.transports.size], [0, 0]);
  });

  test("limits refuse with a reason, and room that is left is given again", async () => {
    const { world, connect, server } = await scene(keep([]), { maxConnections: 2, retryAfter: 700 });
    const first = await connect();
    await connect();
    const refused = await failure(connect());
    assertEquals([refused?.code, refused?.retryable], ["ERR_HEARTWIRE_BUSY", true]);
    assertEquals((refused!.cause as { retryAfter: number }).retryAfter, 700);
    await world.until(first.close());
    await world.run(10);
    await connect();
    assertEquals(server.stats().refused, { BUSY: 1 });

    const keyed = await scene(keep([]), { maxConnectionsPerKey: 1 });
    await keyed.connect();
    assertEquals((await failure(keyed.connect()))?.code, "ERR_HEARTWIRE_PEER_LIMIT");
  });

  test("an IPv6 peer counts with its /64", async () => {
    const { world, connect } = await scene(keep([]), { maxConnectionsPerKey: 1 });
    const results: string[] = [];
    for (const host of ["2001:db8::1", "2001:db8:0:0:ffff::2", "2001:db8:0:1::1"]) {
      world.host = host;
      results.push((await failure(connect()))?.code ?? "in");
    }
    assertEquals(results, ["in", "ERR_HEARTWIRE_PEER_LIMIT", "in"]);
  });

  test("a connection that is refused without a word is a loss to its client", async () => {
    const { world, connect } = await scene(keep([]), { maxConnections: 1 });
    await connect();
    const many = Array.from({ length: 100 }, () => failure(connectOn(world.platform, HERE)));
    const codes = (await world.until(Promise.all(many))).map((error) => error?.code);
    assertEquals([...new Set(codes)].sort(), ["ERR_HEARTWIRE_BUSY", "ERR_HEARTWIRE_LOST"]);
    await world.run(2_000);
    assertEquals(world.transports.size, 2);
  });
});

describe("the end of a server", () => {
  test("drain tells everyone, ends each in order, and newcomers find nobody", async () => {
    const { world, connect, server } = await scene(async (session) => {
      for await (const message of session) await session.send(message.bytes);
    });
    const session = await connect();
    const seen = watch(session);
    const replies = collect(session);
    await session.send("work");
    await world.run(100);
    const draining = server.drain({ retryAfter: 5_000, text: "new version" });
    assertEquals((await failure(connect()))?.code, "ERR_HEARTWIRE_REFUSED");
    await world.until(draining);
    await world.run(10);
    const told = seen.find((status): status is Status & { state: "draining" } =>
      status.state === "draining"
    )!;
    assertEquals([told.code, told.text, told.retryAfter], ["SHUTTING_DOWN", "new version", 5_000]);
    assertEquals(seen.at(-1)!.state, "closed");
    const [reply, ...more] = await replies;
    assertEquals([(reply as { text(): string }).text(), more.length], ["work", 0], "the loop ends in order");
    assertEquals([world.transports.size, world.armed, server.sessions.size], [0, 0, 0]);
  });

  test("drain is bounded by closeTimeout when a client does not finish", async () => {
    const { world, connect, server } = await scene(
      (session) => session.onMessage((m) => session.send(m.bytes)),
      {
        closeTimeout: 1_500,
      },
    );
    const session = await connect();
    void session.onMessage(() => new Promise(() => {}));
    await session.send("x");
    await world.run(100);
    const began = world.now;
    await world.until(server.close());
    assertLessOrEqual(world.now - began, 3_000);
    const reason = await session.closed;
    assertEquals([reason.kind, reason.code], ["error", "CLOSE_TIMEOUT"]);
  });

  test("abort ends everything at once", async () => {
    const there: Session[] = [];
    const { world, connect, server } = await scene(keep(there));
    const sessions = [await connect(), await connect(), await connect()];
    await world.run(10);
    const aborting = server.abort("power");
    assertEquals(there.map(({ state }) => state), ["closed", "closed", "closed"]);
    for (const session of sessions) {
      const reason = await world.until(session.closed);
      assert(reason.kind === "error");
      assertEquals([reason.code, reason.text], ["ABORTED", "power"]);
    }
    await world.until(aborting);
    assertEquals([world.transports.size, world.armed], [0, 0]);
  });

  test("its signal closes it; one that was aborted before lets it not listen", async () => {
    const controller = new AbortController();
    const { world, connect, server } = await scene(keep([]), { signal: controller.signal });
    const session = await connect();
    await world.run(10);
    controller.abort();
    await world.until(server.closed);
    assertEquals((await session.closed).kind, "closed");
    const late = await failure(listenOn(world.platform, HERE, keep([]), { signal: controller.signal }));
    assertEquals(late?.code, "ERR_HEARTWIRE_CANCELLED");
  });

  test("a draining server's clients that reconnect find the next one", async () => {
    const { world, connect, server } = await scene(keep([]));
    const session = await connect({ reconnect: true });
    const seen = watch(session);
    await world.run(10);
    await world.until(server.drain({ retryAfter: 2_000, jitter: 1_000 }));
    const next = await listenOn(world.platform, HERE, keep([]));
    const began = world.now;
    while (session.stats().conversations < 2) await world.run(50);
    assertGreater(world.now - began, 1_900);
    assertLessOrEqual(world.now - began, 3_200);
    assertEquals(seen.map(({ state }) => state).filter((state) => state !== "draining"), [
      "live",
      "lost",
      "connecting",
      "live",
    ]);
    assertEquals(next.sessions.size, 1);
  });

  test("says what it cannot listen on", async () => {
    const { world } = await scene(keep([]));
    const cases: [unknown, unknown, string][] = [
      [HERE, keep([]), "ADDRESS_IN_USE"],
      ["nonsense://x", keep([]), "ADDRESS"],
      [HERE, undefined, "OPTION"],
    ];
    for (const [address, handler, code] of cases) {
      const error = await failure(listenOn(world.platform, address as string, handler as () => void));
      assertEquals(error?.code, `ERR_HEARTWIRE_${code}`);
    }
    const error = await failure(listenOn(new VirtualWorld().platform, HERE, keep([]), { maxConnections: 0 }));
    assertEquals(error?.code, "ERR_HEARTWIRE_OPTION");
  });
});

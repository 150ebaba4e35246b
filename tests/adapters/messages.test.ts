/**
 * Messages through sessions: order, back-pressure, what counts as processed, handlers, signals. In virtual time, over a
 * transport that punishes whoever keeps borrowed bytes or changes written ones.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertMatch } from "@std/assert";
import type { Message, Session } from "../../adapters/api.ts";
import type { Taking } from "../support/virtual_platform.ts";
import { collect, failure, keep, scene } from "../support/virtual_sessions.ts";

const echo = async (session: Session): Promise<void> => {
  for await (const message of session) await session.send(message.bytes);
};

/** `size` bytes that tell where they are. */
function pattern(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 31 + seed * 7 + (at >> 8)) & 0xff);
}

describe("messages", () => {
  for (const taking of ["at once", "later", "short"] as Taking[]) {
    test(`of every size come back as they were, bytes taken ${taking}`, async () => {
      const { world, connect } = await scene(echo);
      world.taking = taking;
      const session = await connect();
      const sizes = [0, 1, 63, 64, 65, 16_383, 16_384, 16_385, 100_000, 3, 1_048_576];
      void (async () => {
        for (const [at, size] of sizes.entries()) await session.send(pattern(size, at));
      })();
      const got: Message[] = [];
      await world.until((async () => {
        for await (const message of session) if (got.push(message) === sizes.length) break;
      })());
      await world.run(100);
      for (const [at, size] of sizes.entries()) {
        assertEquals(got[at]!.bytes, pattern(size, at), `message ${at}`);
      }
      const positions = got.map(({ position }) => position);
      assertEquals(positions, [...positions].sort((a, b) => a - b));
      assertEquals((await world.until(session.close())).kind, "closed");
    });
  }

  test("text and JSON", async () => {
    const { world, connect } = await scene(echo);
    const session = await connect();
    await session.send('{"a":["ä",1]}');
    const { value } = await world.until(session[Symbol.asyncIterator]().next());
    assertEquals(value.text(), '{"a":["ä",1]}');
    assertEquals(value.json(), { a: ["ä", 1] });
  });

  test("many small ones share writes", async () => {
    const { world, connect } = await scene((session) => session.onMessage(() => {}));
    const session = await connect();
    await world.run(50);
    const transport = world.pairs[0]![0];
    const before = transport.writes.length;
    for (let i = 0; i < 1_000; i++) await session.send("x".repeat(10));
    await world.run(50);
    assertLessOrEqual(transport.writes.length - before, 10);
  });

  test("are dropped by nobody when sends are not awaited, and keep their order", async () => {
    const { world, connect } = await scene(echo);
    const session = await connect({ sendBuffer: 10_000 });
    const sent = Array.from({ length: 300 }, (_, at) => session.send(pattern(500, at)));
    const got: Message[] = [];
    await world.until((async () => {
      for await (const message of session) if (got.push(message) === sent.length) break;
    })());
    await Promise.all(sent);
    for (const [at, message] of got.entries()) assertEquals(message.bytes, pattern(500, at));
  });
});

describe("back-pressure", () => {
  test("a consumer that does not read stops the sender, and nothing else", async () => {
    const there: Session[] = [];
    const { world, connect } = await scene(keep(there));
    const session = await connect({ heartbeat: { interval: 1_000 }, sendBuffer: 100_000 });
    let accepted = 0;
    const sending = (async () => {
      for (; accepted < 5_000; accepted++) await session.send(new Uint8Array(1_000));
    })();
    await world.run(60_000);
    assert(accepted < 2_000, `${accepted} accepted`);
    assertEquals([session.state, there[0]!.state], ["live", "live"]);
    const { unreadBytes, pingsReceived } = there[0]!.stats();
    assertLessOrEqual(unreadBytes, 1_500_000, "bounded by the window");
    assertGreater(unreadBytes, 700_000);
    assertGreater(pingsReceived, 50);
    let count = 0;
    await world.until((async () => {
      for await (const _ of there[0]!) if (++count === 5_000) break;
    })());
    await world.until(sending);
  });

  test("one message longer than all that waits can always be sent", async () => {
    const { world, connect } = await scene(echo);
    const session = await connect({ sendBuffer: 1_000 });
    await session.send(pattern(500, 1));
    const sending = session.send(pattern(900_000, 2));
    const iterator = session[Symbol.asyncIterator]();
    await world.until(iterator.next());
    const { value } = await world.until(iterator.next());
    assertEquals(value.bytes.length, 900_000);
    await sending;
  });

  test("the longest message passes whatever went before", async () => {
    const { world, connect } = await scene((session) => session.onMessage(() => {}));
    const session = await connect();
    for (let before = 0; before < 40; before++) {
      await session.send(new Uint8Array(9_000));
      await world.run(30);
      await world.until(session.send(new Uint8Array(1_048_576)));
      await world.run(200);
      assertEquals(session.stats().queued, 0, `after ${before + 1}`);
    }
  });

  test("what nobody waits for is refused past a bound", async () => {
    const { connect } = await scene(keep([]));
    const session = await connect();
    const big = new Uint8Array(1_000_000);
    const results = Array.from({ length: 30 }, () => failure(session.send(big)));
    session.abort();
    const codes = (await Promise.all(results)).map((error) => error?.code ?? "accepted");
    assertEquals(codes.filter((code) => code === "accepted").length, 1);
    assertEquals(
      codes.filter((code) => code === "ERR_HEARTWIRE_ABORTED").length,
      16,
      "waited, 16 MiB of them",
    );
    assertEquals(codes.filter((code) => code === "ERR_HEARTWIRE_SEND_QUEUE_FULL").length, 13);
  });

  test("a send that is given up leaves the others in order", async () => {
    const { world, connect } = await scene(echo);
    const session = await connect({ sendBuffer: 1_000 });
    const controller = new AbortController();
    const first = session.send(pattern(900, 1));
    const second = failure(session.send(pattern(900, 2), { signal: controller.signal }));
    const third = session.send(pattern(900, 3));
    controller.abort("reason");
    const error = await second;
    assertEquals([error?.code, error?.cause], ["ERR_HEARTWIRE_CANCELLED", "reason"]);
    const iterator = session[Symbol.asyncIterator]();
    assertEquals((await world.until(iterator.next())).value.bytes, pattern(900, 1));
    assertEquals((await world.until(iterator.next())).value.bytes, pattern(900, 3));
    await Promise.all([first, third]);
    assertEquals(
      (await failure(session.send("x", { signal: controller.signal })))?.code,
      "ERR_HEARTWIRE_CANCELLED",
    );
  });

  test("a small message does not overtake a long one that waits", async () => {
    const { world, connect } = await scene(echo);
    const session = await connect({ sendBuffer: 2_000 });
    const sizes = [1_500, 1_800, 1, 0];
    const sending = Promise.all(sizes.map((size) => session.send(new Uint8Array(size))));
    const got: number[] = [];
    await world.until((async () => {
      for await (const message of session) if (got.push(message.bytes.length) === sizes.length) break;
    })());
    await sending;
    assertEquals(got, sizes);
  });

  test("what cannot be sent is said at once", async () => {
    const { connect } = await scene(keep([]), { maxMessage: 1_000 });
    const session = await connect();
    const error = await failure(session.send(new Uint8Array(1_001)));
    assertEquals([error?.code, error?.retryable], ["ERR_HEARTWIRE_MESSAGE_TOO_LARGE", false]);
    assertEquals((await failure(session.send(7 as unknown as string)))?.code, "ERR_HEARTWIRE_DATA");
    await session.send(new Uint8Array(1_000));
  });
});

describe("processed", () => {
  test("is what the iterator went past", async () => {
    const there: Session[] = [];
    const { world, connect } = await scene(keep(there));
    const session = await connect();
    for (let i = 0; i < 3; i++) await session.send("x");
    await world.run(100);
    const iterator = there[0]!.messages();
    const states: number[] = [];
    for (let i = 0; i < 3; i++) {
      await iterator.next();
      await world.run(100);
      states.push(session.stats().processed);
    }
    assertEquals(states, [0, 1, 2]);
    assertEquals(session.stats().acknowledged, 3);
    await iterator.return!();
    await world.run(100);
    assertEquals(session.stats().processed, 3, "leaving is being done");
  });

  test("is what the handler's promise fulfilled, one after the other", async () => {
    const there: Session[] = [];
    const { world, connect } = await scene(keep(there));
    const session = await connect();
    const open: (() => void)[] = [];
    await world.run(10);
    void there[0]!.onMessage(() => new Promise<void>((resolve) => open.push(resolve)));
    for (let i = 0; i < 3; i++) await session.send("x");
    for (let i = 1; i <= 3; i++) {
      await world.run(100);
      assertEquals([open.length, session.stats().processed], [i, i - 1]);
      open[i - 1]!();
    }
    await world.run(100);
    assertEquals(session.stats().processed, 3);
  });
});

describe("consumers", () => {
  test("a second one is told", async () => {
    const { world, connect } = await scene(echo);
    const session = await connect();
    const handled: string[] = [];
    void session.onMessage((message) => void handled.push(message.text()));
    assertEquals((await failure(session[Symbol.asyncIterator]().next()))?.code, "ERR_HEARTWIRE_CONSUMED");
    assertEquals((await failure(session.onMessage(() => {})))?.code, "ERR_HEARTWIRE_CONSUMED");
    await session.send("a");
    await world.run(50);
    assertEquals(handled, ["a"]);
  });

  test("take turns", async () => {
    const { world, connect } = await scene(echo);
    const session = await connect();
    for (const text of ["a", "b", "c", "d"]) await session.send(text);
    await world.run(50);
    const got: string[] = [];
    for await (const message of session) {
      got.push(message.text());
      break;
    }
    got.push((await session[Symbol.asyncIterator]().next()).value.text());
    const controller = new AbortController();
    const handling = failure(
      session.onMessage((message) => {
        got.push(`handled ${message.text()}`);
        controller.abort();
      }, { signal: controller.signal }),
    );
    assertEquals((await handling)?.code, "ERR_HEARTWIRE_CANCELLED");
    assertEquals((await session[Symbol.asyncIterator]().next()).value.text(), "d");
    assertEquals(got, ["a", "b", "handled c"]);
    await world.run(50);
    assertEquals(session.stats().unread, 0);
  });

  test("can be called off while they wait", async () => {
    const { connect } = await scene(echo);
    const session = await connect();
    const controller = new AbortController();
    const results: unknown[] = [];
    const waiting = collect(session.messages({ signal: controller.signal }), results as Message[]);
    const statuses = collect(session.status({ signal: controller.signal }));
    controller.abort("enough");
    await waiting;
    assertEquals((results[0] as { code: string }).code, "ERR_HEARTWIRE_CANCELLED");
    assertEquals((await statuses).map((status) => "state" in status ? status.state : status.name), [
      "live",
      "HeartwireError",
    ]);
    assertEquals(session.state, "live", "the session goes on");
  });

  test("a handler that throws ends its session, is reported once, and tells the peer nothing but that", async () => {
    const { world, connect, reported } = await scene((session) =>
      session.onMessage((message) => {
        if (message.text() === "bad") throw new Error("secret");
        return session.send("fine");
      })
    );
    const [one, other] = [await connect(), await connect()];
    await one.send("bad");
    const reason = await world.until(one.closed);
    assert(reason.kind === "error");
    assertEquals([reason.code, reason.text], ["INTERNAL", ""]);
    assertEquals(reported.map(String), ["Error: secret"]);
    await other.send("good");
    assertEquals((await world.until(other[Symbol.asyncIterator]().next())).value.text(), "fine");
  });

  test("a client's handler that throws between two connections stops the dialling", async () => {
    const { world, connect, reported } = await scene(echo);
    const session = await connect({ reconnect: { floor: 1_000, base: 2_000 }, resume: false });
    let fail!: (error: Error) => void;
    void session.onMessage(() => new Promise((_, reject) => fail = reject));
    await session.send("x");
    await world.run(50);
    world.pairs[0]![0].reset();
    await world.run(50);
    assertEquals(session.state, "lost");
    fail(new Error("mine"));
    assertEquals((await world.until(session.closed)).kind, "aborted");
    await world.run(60_000);
    assertEquals([reported.length, world.dials, world.armed], [1, 1, 0]);
  });

  test("a client's handler that throws ends its session too, and it does not dial again", async () => {
    const { world, connect, reported, server } = await scene(echo);
    const session = await connect({ reconnect: true });
    void session.onMessage(() => Promise.reject(new Error("mine")));
    await session.send("x");
    const reason = await world.until(session.closed);
    assertEquals(reason.kind, "aborted");
    await world.run(60_000);
    assertEquals(reported.map(String), ["Error: mine"]);
    assertEquals([world.dials, world.transports.size, server.sessions.size], [1, 0, 0]);
    assertMatch(JSON.stringify(server.stats().ended), /INTERNAL/);
  });
});

/**
 * Sessions over the real sockets of the runtime that runs this: messages, back-pressure, endings in order, handlers, limits.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertRejects } from "@std/assert";
import { type Message, parseAddress, type Server, type Session } from "../../adapters/api.ts";
import {
  codeOf,
  connect,
  echo,
  eventually,
  everything,
  listen,
  nextText,
  pause,
  PLACES,
  rawConnect,
  runtime,
} from "../support/contract.ts";

const BEAT = { heartbeat: { interval: 50, multiplier: 5, minimumInterval: 10 } };

function pattern(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 31 + seed * 7 + (at >> 8)) & 0xff);
}

describe(`sessions on ${runtime}`, () => {
  test("the module has what the others have", () => {
    const names = [
      "CODES",
      "HeartwireError",
      "MemoryStore",
      "ReplyError",
      "connect",
      "listen",
      "parseAddress",
    ];
    assertEquals(Object.keys(everything).sort(), names);
  });

  for (const [kind, place] of PLACES) {
    test(`${kind}: echo, addresses, ping, stats, close`, async () => {
      const server = await listen(place(), echo);
      const session = await connect(server.address);
      await session.send("hello");
      assertEquals(await nextText(session), "hello");
      const { sequence, rtt, hold } = await session.ping();
      assertGreater(sequence, 0);
      assert(rtt >= 0 && rtt < 1_000 && hold >= 0);
      assertEquals(session.remote, server.address);
      if (kind === "tcp") assert(session.local.kind === "tcp" && session.local.port > 0);
      const [theirs] = server.sessions;
      assertEquals(theirs!.local, server.address);
      assertEquals(theirs!.remote.kind, kind);
      const stats = session.stats();
      assertEquals([stats.messagesSent, stats.messagesReceived, stats.conversations], [1, 1, 1]);
      const reason = await session.close(3, "done");
      assertEquals(reason, { kind: "closed", code: "NONE", by: "local", closeCode: 3, text: "done" });
      await server.close();
      assertEquals(server.stats().transports, 0);
    });

    test(`${kind}: messages of every size, and many at once`, async () => {
      await using server = await listen(
        place(),
        (session) => session.onMessage((m) => session.send(m.bytes)),
      );
      await using session = await connect(server.address);
      const sizes = [0, 1, 64, 16_384, 16_385, 1_048_576, 5];
      const sending = (async () => {
        for (const [at, size] of sizes.entries()) await session.send(pattern(size, at));
        for (let at = 0; at < 20_000; at++) await session.send(`number ${at}`);
      })();
      let count = 0;
      for await (const message of session) {
        if (count < sizes.length) assertEquals(message.bytes, pattern(sizes[count]!, count));
        else if (message.text() !== `number ${count - sizes.length}`) {
          throw new Error(`out of order: ${message.text()}`);
        }
        if (++count === sizes.length + 20_000) break;
      }
      await sending;
    });

    test(`${kind}: a slow consumer stops the sender, not the heartbeat, and memory stays bounded`, async () => {
      let there!: Session;
      let go!: () => void;
      const reading = new Promise<void>((resolve) => go = resolve);
      let got = 0;
      await using server = await listen(place(), async (session) => {
        there = session;
        await reading;
        for await (const message of session) {
          got += message.bytes.length;
          if (got % 4_000_000 === 0) await pause(1);
        }
      }, BEAT);
      await using session = await connect(server.address, BEAT);
      let accepted = 0;
      const sending = (async () => {
        for (let at = 0; at < 2_000; at++) {
          await session.send(new Uint8Array(10_000));
          accepted += 10_000;
        }
      })();
      await eventually("it is blocked", () => there?.stats().unreadBytes > 900_000);
      await pause(400); // longer than the time after which silence would be death
      await eventually("heartbeats went on", () => there.stats().pingsReceived > 3);
      assertEquals([session.state, there.state].includes("closed"), false);
      assertLessOrEqual(accepted, 4_000_000);
      assertLessOrEqual(there.stats().unreadBytes, 1_500_000);
      go();
      await sending;
      await session.close();
      assertEquals(got, 20_000_000);
    });
  }

  test("bytes are their receiver's to keep and to change, however many came together", async () => {
    // Short and long in bursts, and one by one: what is copied together, alone, put together from chunks, or held until its end came.
    const sizes = [0, 1, 7, 64, 100, 900, 2_030, 2_100, 8_190, 16_384, 16_385, 40_000];
    const sent = Array.from(
      { length: 600 },
      (_, at) => pattern(sizes[(at * 7 + (at >> 4)) % sizes.length]!, at),
    );
    await using server = await listen("127.0.0.1:0", echo);
    const session = await connect(server.address);
    const kept: Uint8Array[] = [];
    const reading = session.onMessage(({ bytes }) => {
      kept.push(bytes);
      if (kept.length % 3 === 0) bytes.fill(0xaa); // and nobody else's change
      if (kept.length === sent.length) void session.close();
    });
    for (const [at, bytes] of sent.entries()) {
      await session.send(bytes);
      if (at > 500) await pause(1);
    }
    await reading;
    const shared = kept.filter(({ buffer, length }) =>
      buffer.byteLength > Math.max(8_192, 2 * length, 1_024)
    );
    assertEquals(shared.length, 0, "a few bytes hold on to few");
    for (const [at, bytes] of kept.entries()) {
      const expected = at % 3 === 2 ? new Uint8Array(sent[at]!.length).fill(0xaa) : sent[at]!;
      assert(
        bytes.length === expected.length && bytes.every((byte, i) => byte === expected[i]),
        `message ${at}`,
      );
    }
  });

  test("two sessions at once, and fifty", async () => {
    await using server = await listen("127.0.0.1:0", echo);
    const sessions = await Promise.all(Array.from({ length: 50 }, () => connect(server.address)));
    await Promise.all(sessions.map(async (session, at) => {
      for (let n = 0; n < 20; n++) {
        await session.send(`${at}:${n}`);
        assertEquals(await nextText(session), `${at}:${n}`);
      }
    }));
    assertEquals(server.sessions.size, 50);
    await Promise.all(sessions.map((session) => session.close()));
    await eventually("all gone", () => server.stats().transports === 0);
  });

  test("the peer's close ends the loop behind the last message", async () => {
    await using server = await listen("127.0.0.1:0", async (session) => {
      for (let at = 0; at < 100; at++) await session.send(new Uint8Array(50_000));
    });
    const session = await connect(server.address);
    const got: Message[] = [];
    for await (const message of session) {
      if (got.push(message) % 10 === 0) await pause(1);
    }
    assertEquals(got.length, 100);
    assertEquals((await session.closed).kind, "closed");
    assertEquals(await codeOf(session.send("x")), "CLOSED");
  });

  test("a scope that is left closes session and server", async () => {
    let session!: Session, server!: Server;
    await (async () => {
      await using one = server = await listen("127.0.0.1:0", echo);
      await using other = session = await connect(one.address);
      await other.send("x");
    })();
    assertEquals((await session.closed).kind, "closed");
    await server.closed;
    assertEquals(await codeOf(connect(server.address)), "REFUSED");
  });

  test("a handler that throws disturbs nobody", async () => {
    const reported: unknown[] = [];
    await using server = await listen("127.0.0.1:0", async (session) => {
      for await (const message of session) {
        if (message.text() === "bad") throw new Error("secret");
        await session.send(message.bytes);
      }
    }, { onHandlerError: (error) => void reported.push(error) });
    await using good = await connect(server.address);
    const bad = await connect(server.address);
    await bad.send("bad");
    const reason = await bad.closed;
    assert(reason.kind === "error");
    assertEquals([reason.code, reason.text], ["INTERNAL", ""]);
    await good.send("good");
    assertEquals(await nextText(good), "good");
    assertEquals(reported.map(String), ["Error: secret"]);
  });

  test("limits refuse with a reason", async () => {
    await using server = await listen("127.0.0.1:0", echo, { maxConnections: 2, retryAfter: 0 });
    const one = await connect(server.address);
    await using _two = await connect(server.address);
    const error = await assertRejects(() => connect(server.address)) as Error & {
      code: string;
      retryable: boolean;
    };
    assertEquals([error.code, error.retryable], ["ERR_HEARTWIRE_BUSY", true]);
    await one.close();
    await using _three = await connect(server.address);
  });

  test("authenticate lets in and refuses", async () => {
    let admit = true;
    await using server = await listen("127.0.0.1:0", echo, {
      authenticate: async (peer) => {
        await pause(5);
        return admit && peer.remote.kind === "tcp" && peer.remote.host === "127.0.0.1";
      },
    });
    await using session = await connect(server.address);
    await session.send("in");
    assertEquals(await nextText(session), "in");
    admit = false;
    assertEquals(await codeOf(connect(server.address)), "UNAUTHORIZED");
  });

  test("a server that stops tells its clients; one that aborts too", async () => {
    for (const how of ["close", "abort"] as const) {
      const server = await listen("127.0.0.1:0", echo);
      const session = await connect(server.address);
      await session.send("x");
      await nextText(session);
      const waiting = codeOf(session.messages().next());
      await server[how]();
      const reason = await session.closed;
      assertEquals([reason.kind, reason.code], how === "close" ? ["closed", "NONE"] : ["error", "ABORTED"]);
      assertEquals(await waiting, how === "close" ? "fulfilled" : "ABORTED");
      assertEquals(await codeOf(connect(server.address)), "REFUSED");
    }
  });

  test("abort tells the peer", async () => {
    let told!: (reason: unknown) => void;
    const theirs = new Promise((resolve) => told = resolve);
    await using server = await listen("127.0.0.1:0", async (session) => told(await session.closed));
    const session = await connect(server.address);
    await session.send("x");
    session.abort("enough");
    assertEquals((await session.closed).kind, "aborted");
    assertEquals(await theirs, { kind: "error", code: "ABORTED", number: 48, text: "enough" });
  });

  test("signals: sending, pinging, iterating, connecting", async () => {
    await using server = await listen("127.0.0.1:0", (session) => session.closed.then(() => {}), {
      closeTimeout: 200,
    });
    const session = await connect(server.address, { closeTimeout: 200 });
    const controller = new AbortController();
    const { signal } = controller;
    const results = [
      codeOf((async () => {
        for (;;) await session.send(new Uint8Array(100_000), { signal });
      })()),
      codeOf(session.messages({ signal }).next()),
      codeOf(session.onMessage(() => {}, { signal })),
      codeOf(connect("127.0.0.1:1", { signal, reconnect: true })),
    ];
    await pause(50);
    controller.abort();
    assertEquals(await Promise.all(results), ["CANCELLED", "CANCELLED", "CONSUMED", "CANCELLED"]);
    assertEquals(await codeOf(session.ping({ signal })), "CANCELLED");
    assertEquals(await codeOf(connect(server.address, { signal })), "CANCELLED");
    session.abort();
  });

  test("nothing listens there, or somebody else does: the same codes on every runtime", async () => {
    assertEquals(await codeOf(connect("127.0.0.1:1")), "REFUSED");
    assertEquals(await codeOf(connect("localhost:1")), "REFUSED");
    assertEquals(await codeOf(connect("no.such.host.invalid:80")), "DNS");
    assertEquals(await codeOf(listen("no.such.host.invalid:80", echo)), "DNS");
    assertEquals(await codeOf(listen("192.0.2.1:0", echo)), "ADDRESS_UNAVAILABLE");
    assertEquals(await codeOf(listen("/no/such/folder/x.sock", echo)), "ADDRESS_UNAVAILABLE");
    await using server = await listen("127.0.0.1:0", echo);
    assertEquals(await codeOf(listen(server.address, echo)), "ADDRESS_IN_USE");
    await using session = await connect(server.address);
    await session.send("undisturbed");
    assertEquals(await nextText(session), "undisturbed");
  });

  test("localhost and IPv6 are reached", async () => {
    await using server = await listen("localhost:0", echo);
    await using session = await connect(server.address);
    await session.send("a");
    assertEquals(await nextText(session), "a");
    await using six = await listen("[::1]:0", echo);
    await using other = await connect(six.address);
    await other.send("b");
    assertEquals(await nextText(other), "b");
    assertEquals(parseAddress(six.address.url), six.address);
  });

  test("a raw socket that says HELLO by the byte is a client like any other", async () => {
    await using server = await listen("127.0.0.1:0", echo);
    const socket = await rawConnect(server.address);
    const recorded: number[] = [];
    socket.on("data", (chunk: Uint8Array) => recorded.push(...chunk));
    const sniffed: Uint8Array[] = [];
    const { RawServer } = await import("../support/contract.ts");
    const raw = await RawServer.listen((other) =>
      other.on("data", (chunk: Uint8Array) => sniffed.push(chunk.slice()))
    );
    const dialling = codeOf(connect(raw.url, { handshakeTimeout: 150 }));
    await eventually("HELLO was seen", () => sniffed.length > 0);
    for (const byte of sniffed[0]!) {
      socket.write(Uint8Array.of(byte));
      await pause(1);
    }
    await eventually("WELCOME came", () => recorded.length > 40);
    assertEquals(recorded.slice(0, 8), [0xe2, 0x99, 0xa5, 0x77, 0x0d, 0x0a, 1, 1]);
    assertEquals(await dialling, "HANDSHAKE_TIMEOUT");
    socket.destroy();
    await raw.close();
  });
});

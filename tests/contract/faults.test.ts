/**
 * What networks and strangers do to sessions, over the real sockets of the runtime that runs this.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertLessOrEqual, assertMatch } from "@std/assert";
import type { Session, Status } from "../../adapters/api.ts";
import {
  codeOf,
  connect,
  echo,
  eventually,
  listen,
  nextText,
  pause,
  Proxy,
  rawConnect,
  rawRead,
  RawServer,
  runtime,
} from "../support/contract.ts";

const BEAT = { heartbeat: { interval: 100, multiplier: 3, minimumInterval: 10 } };
/** What a busy machine may add to a bound, ms. */
const SLACK = 400;

/** The states, without what passes: a busy machine stands still now and then. */
async function record(session: Session): Promise<string[]> {
  const seen: string[] = [];
  for await (const status of session.status()) if (!("during" in status)) seen.push(status.state);
  return seen;
}

describe(`faults on ${runtime}`, () => {
  test("a link cut silently is found dead by both ends within the bound", async () => {
    let theirs!: Session;
    await using server = await listen("127.0.0.1:0", async (session) => {
      theirs = session;
      await echo(session);
    }, BEAT);
    const proxy = await Proxy.to(server.address);
    const session = await connect(proxy.url, BEAT);
    const seen = record(session);
    await session.send("x");
    assertEquals(await nextText(session), "x");
    await pause(350);
    assertEquals([session.state, theirs.state], ["live", "live"]);
    const iterating = codeOf(session.messages().next());
    proxy.silent = true;
    const cutAt = performance.now();
    const bound = session.agreement!.detectionBound;
    const reason = await session.closed;
    assertLessOrEqual(performance.now() - cutAt, bound + SLACK);
    assert(reason.kind === "dead");
    assertEquals(await iterating, "DEAD");
    assertEquals((await theirs.closed).kind, "dead");
    assertLessOrEqual(performance.now() - cutAt, bound + SLACK);
    assertEquals((await seen).slice(-2), ["suspect", "closed"]);
    await proxy.close();
  });

  test("a peer that takes messages and never answers is found out", async () => {
    await using server = await listen("127.0.0.1:0", echo, BEAT);
    const proxy = await Proxy.to(server.address);
    const session = await connect(proxy.url, BEAT);
    proxy.silent = true;
    const sending = codeOf((async () => {
      for (;;) await session.send(new Uint8Array(50_000));
    })());
    assertEquals((await session.closed).kind, "dead");
    assertEquals(await sending, "DEAD");
    await proxy.close();
  });

  test("a reset is a loss, at once, on both ends", async () => {
    let theirs!: Session;
    await using server = await listen("127.0.0.1:0", async (session) => {
      theirs = session;
      await echo(session);
    });
    const proxy = await Proxy.to(server.address);
    const session = await connect(proxy.url);
    await session.send("x");
    await nextText(session);
    const iterating = codeOf(session.messages().next());
    proxy.reset();
    assertEquals([(await session.closed).code, (await theirs.closed).code], ["LOST", "LOST"]);
    assertEquals(await iterating, "LOST");
    assertEquals(await codeOf(session.send("y")), "LOST");
    await eventually("all gone", () => server.stats().transports === 0);
    await proxy.close();
  });

  test("an end of stream without a word is a loss", async () => {
    const raw = await RawServer.listen();
    await using server = await listen("127.0.0.1:0", echo);
    const proxy = await Proxy.to(server.address);
    const session = await connect(proxy.url);
    proxy.raw.sockets[0]!.end();
    assertEquals((await session.closed).code, "LOST");
    // ... and in the handshake
    const dialling = codeOf(connect(raw.url));
    await eventually("accepted", () => raw.sockets.length === 1);
    raw.sockets[0]!.end();
    assertEquals(await dialling, "LOST");
    await proxy.close();
    await raw.close();
  });

  test("a new connection is a new conversation", async () => {
    let server = await listen("127.0.0.1:0", echo, BEAT);
    const proxy = await Proxy.to(server.address);
    const options = { ...BEAT, reconnect: { base: 30, floor: 10 }, resume: false };
    const session = await connect(proxy.url, options);
    const seen: Status[] = [];
    void (async () => {
      for await (const status of session.status()) if (!("during" in status)) seen.push(status);
    })();
    await session.send("one");
    assertEquals(await nextText(session), "one");
    proxy.reset();
    await eventually("live again", () => session.stats().conversations === 2);
    await session.send("two");
    const { value } = await session.messages().next();
    assertEquals([value!.text(), value!.position], ["two", 1]);
    assertEquals(seen.map(({ state }) => state), ["live", "lost", "connecting", "live"]);
    // ... and a server that is away for a while is found again
    const { address } = server;
    await server.abort();
    await eventually("lost again", () => session.state !== "live");
    assertEquals(await codeOf(session.send("x")), "NOT_CONNECTED");
    await pause(100);
    server = await listen(address, echo, BEAT);
    await eventually("live a third time", () => session.state === "live");
    await session.send("three");
    assertEquals(await nextText(session), "three");
    assertEquals((await session.close()).kind, "closed");
    await server.close();
    await proxy.close();
  });

  test("HTTP, TLS and noise are told apart and refused", async () => {
    await using server = await listen("127.0.0.1:0", echo, { handshakeTimeout: 300 });
    const says = async (bytes: string | Uint8Array): Promise<Uint8Array> => {
      const socket = await rawConnect(server.address);
      const reading = rawRead(socket);
      socket.write(bytes);
      const all = await reading;
      socket.destroy();
      return all;
    };
    const http = new TextDecoder().decode(await says("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assertMatch(http, /^HTTP\/1\.1 400 [^]*heartwire/);
    const alert = await says(Uint8Array.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]));
    assertEquals([...alert], [0x15, 3, 1, 0, 2, 2, 0x46]);
    assertEquals((await says("SSH-2.0-OpenSSH_9.6\r\n")).length, 0);
    assertEquals((await says(Uint8Array.of(0))).length, 0);
    assertEquals((await says(Uint8Array.of(0xe2, 0x99))).length, 0, "half a magic runs into the deadline");
    await using session = await connect(server.address);
    await session.send("undisturbed");
    assertEquals(await nextText(session), "undisturbed");
  });

  test("a server that is not heartwire is said to be so", async () => {
    const http = await RawServer.listen((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    assertEquals(await codeOf(connect(http.url)), "NOT_HEARTWIRE");
    const mute = await RawServer.listen();
    assertEquals(await codeOf(connect(mute.url, { handshakeTimeout: 100 })), "HANDSHAKE_TIMEOUT");
    await http.close();
    await mute.close();
  });

  test("calling off a connect in its handshake closes the socket", async () => {
    const mute = await RawServer.listen((socket) => socket.resume());
    const controller = new AbortController();
    const dialling = codeOf(connect(mute.url, { signal: controller.signal }));
    await eventually("accepted", () => mute.sockets.length === 1);
    let over = false;
    mute.sockets[0]!.on("end", () => over = true);
    mute.sockets[0]!.on("close", () => over = true);
    await pause(20);
    controller.abort();
    assertEquals(await dialling, "CANCELLED");
    await eventually("the other end sees it", () => over);
    await mute.close();
  });
});

/**
 * A program that does something with sessions, says "done", and has then nothing left to do: it has to end by itself.
 *
 *   leaves.ts SCENARIO [ADDRESS]
 *   leaves.ts --mistake CODE    makes a mistake that nobody awaits: it has to die of it
 *
 * @module
 */

import process from "node:process";
import type { Session } from "../../../adapters/api.ts";
import { MemoryStore } from "../../../adapters/store.ts";
import {
  codeOf,
  connect,
  echo,
  eventually,
  listen,
  nextText,
  pause,
  Proxy,
  RawServer,
} from "../../support/contract.ts";

const BEAT = { heartbeat: { interval: 50, multiplier: 3, minimumInterval: 10 } };

const SCENARIOS: Record<string, () => Promise<unknown>> = {
  async closed() {
    const server = await listen("127.0.0.1:0", echo);
    const session = await connect(server.address);
    await session.send("x");
    await nextText(session);
    await session.close();
    await server.close();
  },
  async "left open by the client, server aborted"() {
    const server = await listen("127.0.0.1:0", echo);
    const session = await connect(server.address);
    void codeOf(session.messages().next());
    void session.status().next();
    await session.send("x");
    await server.abort();
    await session.closed;
  },
  async refused() {
    await codeOf(connect("127.0.0.1:1"));
  },
  async "gave up reconnecting"() {
    await codeOf(connect("127.0.0.1:1", { reconnect: { base: 10, floor: 1, maxAttempts: 3 } }));
  },
  async "cancelled in the handshake"() {
    const raw = await RawServer.listen();
    const controller = new AbortController();
    const dialling = codeOf(connect(raw.url, { signal: controller.signal }));
    await eventually("accepted", () => raw.sockets.length > 0);
    controller.abort();
    await dialling;
    await raw.close();
  },
  async "given up while it dials"() {
    await codeOf(connect(process.argv[3]!, { dialTimeout: 100 }));
  },
  async "found dead"() {
    const server = await listen("127.0.0.1:0", echo, BEAT);
    const proxy = await Proxy.to(server.address);
    const session = await connect(proxy.url, BEAT);
    await session.send("x");
    await nextText(session);
    proxy.silent = true;
    await session.closed;
    await proxy.close();
    await server.close();
  },
  async "closed with a ping's timeout pending"() {
    const server = await listen("127.0.0.1:0", echo);
    const session = await connect(server.address);
    await session.ping({ timeout: 60_000 });
    await session.close();
    await server.close();
  },
  async "a server with a signal, never used"() {
    const server = await listen("127.0.0.1:0", echo, { signal: new AbortController().signal });
    await pause(10);
    await server.close();
  },
  async "closed, with a store behind the server"() {
    const server = await listen("127.0.0.1:0", echo, { store: new MemoryStore() });
    const session = await connect(server.address, { reconnect: true });
    await session.send("x");
    await nextText(session);
    await session.close();
    await server.close();
  },
  async "sends and pings that nobody awaits, and the end"() {
    const server = await listen("127.0.0.1:0", (session) => session.closed); // reads nothing
    const session = await connect(server.address);
    const again = await connect(server.address, { reconnect: { base: 60_000, floor: 60_000, cap: 60_000 } });
    const closing = await connect(server.address);
    for (const one of [session, again, closing]) {
      for (let i = 0; i < 4; i++) void one.send(new Uint8Array(1_000_000)); // blocked after the first
      void one.ping();
    }
    void closing.close();
    for (const one of server.sessions) void one.send("unread");
    await server.abort();
    await Promise.all([session.closed, closing.closed]);
    await eventually("lost", () => again.state === "lost");
    for (const one of [session, again, closing]) {
      void one.send("too late");
      void one.ping();
    }
    again.abort();
  },
};

/** What must be noticed although nobody awaits it. */
const MISTAKES: Record<string, (session: Session) => unknown> = {
  DATA: (session) => session.send(5 as unknown as string),
  MESSAGE_TOO_LARGE: (session) => session.send(new Uint8Array(2 ** 20 + 1)),
  SEND_QUEUE_FULL: (session) => {
    for (let i = 0; i < 20; i++) void session.send(new Uint8Array(2 ** 20));
  },
};

async function mistake(name: string): Promise<void> {
  const server = await listen("127.0.0.1:0", (session) => session.closed);
  MISTAKES[name]!(await connect(server.address));
}

if (process.argv[2] === "--list") {
  console.log(JSON.stringify(Object.keys(SCENARIOS)));
} else if (process.argv[2] === "--mistake") {
  await mistake(process.argv[3]!);
} else {
  await SCENARIOS[process.argv[2]!]!();
  console.log("done");
}

/**
 * A program that does something with sessions, says "done", and has then nothing left to do: it has to end by itself.
 *
 *   leaves.ts SCENARIO
 *
 * @module
 */

import process from "node:process";
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
};

if (process.argv[2] === "--list") {
  console.log(JSON.stringify(Object.keys(SCENARIOS)));
} else {
  await SCENARIOS[process.argv[2]!]!();
  console.log("done");
}

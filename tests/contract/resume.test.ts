/**
 * Sessions that go on over one connection after another, on real sockets through a proxy that cuts them.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { HeartwireError, type Session } from "../../adapters/api.ts";
import { connect, eventually, listen, pause } from "../support/contract.ts";
import { CuttingProxy } from "../support/cutting_proxy.ts";
import { Random } from "../support/random.ts";

const RECONNECT = { reconnect: { base: 5, floor: 1, cap: 50 }, resume: true };

describe("a session that resumes", () => {
  test("loses nothing, doubles nothing and keeps the order while its connections are cut", async () => {
    let handlers = 0;
    const server = await listen("heartwire://127.0.0.1:0", async (session) => {
      handlers++;
      for await (const message of session) await session.send(message.bytes);
    });
    const proxy = await CuttingProxy.before((server.address as { port: number }).port);
    const sessions = await Promise.all(
      Array.from({ length: 5 }, () => connect(proxy.url, RECONNECT)),
    );
    const random = new Random(1);
    let done = false;
    const cutting = (async () => {
      while (!done) {
        await pause(random.between(1, 30));
        proxy.cut();
      }
    })();
    const COUNT = 400;
    await Promise.all(sessions.map(async (session) => {
      const echoed: string[] = [];
      const reading = (async () => {
        for await (const message of session) {
          echoed.push(message.text());
          if (echoed.length === COUNT) return;
          if (echoed.length % 50 === 0) proxy.cut(); // by what was done as well: on a fast machine few cuts by time fall into it
        }
      })();
      for (let i = 0; i < COUNT; i++) {
        await session.send(`${i} ${"x".repeat(i % 50 === 0 ? 20_000 : i % 100)}`);
        if (i % 10 === 0) await pause(1);
      }
      await reading;
      assertEquals(echoed.map((text) => parseInt(text)), Array.from({ length: COUNT }, (_, i) => i));
    }));
    done = true;
    await cutting;
    assertEquals(handlers, 5, "a handler keeps its session");
    assertGreater(server.stats().sessions!.resumed, 10);
    await Promise.all(sessions.map((session) => session.close()));
    await eventually(
      "no session is kept",
      () => server.stats().sessions!.attached + server.stats().sessions!.detached === 0,
    );
    await proxy.close();
    await server.close();
  });

  test("closes while answers come, without an error from nowhere", async () => {
    const server = await listen("heartwire://127.0.0.1:0", (session) =>
      session.onMessage(async (message) => {
        for (let i = 0; i < 3; i++) await session.send(message.bytes);
      }));
    for (let i = 0; i < 5; i++) {
      const session = await connect(server.address, RECONNECT);
      const got: string[] = [];
      void session.onMessage((message) => void got.push(message.text()));
      await session.send("job");
      assertEquals([(await session.close()).kind, got], ["closed", ["job", "job", "job"]]);
    }
    await server.close();
  });

  test("delivers the answer of a handler that returned while its client was away", async () => {
    let handlers = 0;
    const server = await listen("heartwire://127.0.0.1:0", async (session) => {
      handlers++;
      for await (const message of session) {
        await eventually("the client is away", () => session.state === "resuming");
        await session.send(`${message.text()} done`);
        return;
      }
    });
    const proxy = await CuttingProxy.before((server.address as { port: number }).port);
    const session = await connect(proxy.url, RECONNECT);
    const got: string[] = [];
    const reading = session.onMessage((message) => void got.push(message.text()));
    await session.send("job");
    await pause(50);
    proxy.refuses = true;
    proxy.cut();
    await pause(200);
    proxy.refuses = false;
    await reading;
    assertEquals([got, handlers, (await session.closed).kind], [["job done"], 1, "closed"]);
    await proxy.close();
    await server.close();
  });

  test("tells when a message was processed, over a cut", async () => {
    const seen: string[] = [];
    const server = await listen("heartwire://127.0.0.1:0", (session) =>
      session.onMessage(async (message) => {
        await pause(20);
        seen.push(message.text());
      }));
    const proxy = await CuttingProxy.before((server.address as { port: number }).port);
    const session = await connect(proxy.url, RECONNECT);
    const sends = ["a", "b", "c"].map((text) => session.send(text, { acknowledged: true }));
    await pause(5);
    proxy.cut();
    await Promise.all(sends);
    assertEquals(seen, ["a", "b", "c"]);
    await session.close();
    await proxy.close();
    await server.close();
  });

  test("says what is lost when another server answers, and goes on with a new session", async () => {
    const lists: string[][] = [[], []];
    const begin = (index: number) =>
      listen("heartwire://127.0.0.1:0", (session) =>
        session.onMessage((message) => {
          lists[index]!.push(message.text());
          return index === 0 ? new Promise(() => {}) : undefined; // the first never finishes a message
        }));
    const first = await begin(0);
    const second = await begin(1);
    const proxy = await CuttingProxy.before((first.address as { port: number }).port);
    const session = await connect(proxy.url, RECONNECT);
    const states: string[] = [];
    const watching = (async () => {
      for await (const status of session.status()) {
        states.push(status.state);
        if (status.state === "unconfirmed") states.push(...status.messages.map(({ state }) => state));
      }
    })();
    const delivered = session.send("delivered", { acknowledged: true });
    await eventually("it arrived", () => lists[0]!.length === 1);
    proxy.refuses = true;
    proxy.cut();
    await eventually("resuming", () => session.state === "resuming" || session.state === "connecting");
    const waiting = session.send("waiting", { acknowledged: true });
    proxy.retarget((second.address as { port: number }).port);
    proxy.refuses = false;
    const unknown = await assertRejects(() => delivered, HeartwireError);
    assertEquals(unknown.code, "ERR_HEARTWIRE_MAYBE_DELIVERED");
    const unsent = await assertRejects(() => waiting, HeartwireError);
    assertEquals([unsent.code, unsent.retryable], ["ERR_HEARTWIRE_UNSENT", true]);
    await session.send("new", { acknowledged: true });
    assertEquals(lists[1], ["new"]);
    await session.close();
    await watching;
    const told = states.filter((state) => !["connecting", "resuming", "draining"].includes(state));
    assertEquals(told, ["live", "unconfirmed", "maybeDelivered", "unsent", "live", "closed"]);
    await proxy.close();
    await first.abort();
    await second.close();
  });

  test("ends at the server, typed, when its client does not come back", async () => {
    let ended: Promise<unknown> | null = null;
    let kept: Session | null = null;
    const server = await listen("heartwire://127.0.0.1:0", (session) => {
      kept = session;
      ended = session.closed;
      return session.onMessage(() => {});
    }, { resumeWindow: 300 });
    const proxy = await CuttingProxy.before((server.address as { port: number }).port);
    const session = await connect(proxy.url, RECONNECT);
    await eventually("the handler runs", () => kept !== null);
    proxy.refuses = true;
    proxy.cut();
    await eventually("it waits", () => kept!.state === "resuming");
    assertEquals(server.sessions.size, 1);
    const reason = await ended! as { kind: string };
    assertEquals(reason.kind, "lost");
    assertEquals(server.sessions.size, 0);
    session.abort();
    await session.closed;
    await proxy.close();
    await server.close();
    assert(server.stats().sessions!.expired === 1);
  });
});

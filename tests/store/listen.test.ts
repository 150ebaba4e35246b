/**
 * Servers that share a store, on real sockets: a client moves between them, one leaves in order, and stores fail.
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import type { ConnectOptions, Server, Session, SessionHandler } from "../../adapters/api.ts";
import { MemoryStore, type SessionStore } from "../../adapters/store.ts";
import { connect, eventually, everything, listen, pause } from "../support/contract.ts";
import { CuttingProxy } from "../support/cutting_proxy.ts";
import { Random } from "../support/random.ts";

const RECONNECT: ConnectOptions = { reconnect: { base: 5, floor: 1, cap: 50 }, resume: true };

/** Answers within the turn in which it finishes. */
const answer: SessionHandler = (session) => session.onMessage((message) => void session.send(message.bytes));

function here(store: SessionStore, handler: SessionHandler = answer): Promise<Server> {
  return listen("heartwire://127.0.0.1:0", handler, { store, onHandlerError: () => {} });
}

/** Collects texts as they come. */
function collect(session: Session): string[] {
  const texts: string[] = [];
  session.onMessage((message) => void texts.push(message.text())).catch(() => {});
  return texts;
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}`);
}

describe("servers that share a store", () => {
  test("are one to a client that is cut off again and again: each answer comes once, in order", async () => {
    const store = new MemoryStore();
    const servers = await Promise.all([here(store), here(store)]);
    const proxies = await Promise.all(
      servers.map(({ address }) => CuttingProxy.before((address as { port: number }).port)),
    );
    const session = await connect(proxies.map(({ url }) => url), RECONNECT);
    const got = collect(session);
    await eventually("the session is stored", () => store.size === 1);
    const random = new Random(3);
    for (let i = 0; i < 300; i++) {
      await session.send(`${i}`);
      if (i % 20 !== 19) continue;
      await eventually("there is a connection", () => session.state === "live");
      await pause(random.between(0, 5));
      // It may be back before anybody looks, so connections are counted.
      const { conversations } = session.stats();
      for (const proxy of proxies) proxy.cut();
      await eventually("it is on another connection", () => session.stats().conversations > conversations);
    }
    await eventually("all answers are there", () => got.length >= 300);
    await pause(20);
    assertEquals(got, numbers(300));
    const [first, second] = servers.map((server) => server.stats());
    assertGreater(first!.sessions!.restored, 1);
    assertGreater(second!.sessions!.restored, 1);
    assertEquals([first!.store!.failed, second!.store!.failed], [0, 0]);
    // The last of the proxies' connections carries it; closing it in order forgets it everywhere.
    await session.close();
    await eventually("the store has forgotten it", () => store.size === 0);
    await Promise.all([...proxies.map((proxy) => proxy.close()), ...servers.map((server) => server.close())]);
  });

  test("hand their sessions over when they close, with all that was accepted", async () => {
    const store = new MemoryStore();
    const sessions: Session[] = [];
    const handler: SessionHandler = (session) => {
      sessions.push(session);
      return answer(session);
    };
    const first = await here(store, handler);
    const session = await connect([first.address, "heartwire://127.0.0.1:1"], RECONNECT);
    const got = collect(session);
    for (let i = 0; i < 20; i++) await session.send(`${i}`);
    await eventually("half of it is answered", () => got.length >= 10);
    const { port } = first.address as { port: number };
    await first.drain({ retryAfter: 1 });
    assertEquals(store.size, 1);
    assertEquals((await sessions[0]!.closed).kind, "fault");
    // Somebody else takes its place.
    const second = await listen(`heartwire://127.0.0.1:${port}`, handler, { store });
    for (let i = 20; i < 40; i++) await session.send(`${i}`);
    await eventually("all of it is answered", () => got.length >= 40);
    assertEquals(got, numbers(40));
    assertEquals(second.stats().sessions!.restored, 1);
    assertEquals(sessions.length, 2, "a handler for each server");
    await session.close();
    await second.close();
    assertEquals(store.size, 0);
  });

  test("keep what is sent to a client that is away, and who else has it sees it moved", async () => {
    const store = new MemoryStore();
    const sessions: Session[] = [];
    const keep: SessionHandler = async (session) => {
      sessions.push(session);
      await session.closed;
    };
    const servers = await Promise.all([here(store, keep), here(store, keep)]);
    const proxies = await Promise.all(
      servers.map(({ address }) => CuttingProxy.before((address as { port: number }).port)),
    );
    const session = await connect(proxies.map(({ url }) => url), {
      reconnect: { base: 60, floor: 50, cap: 100 },
      resume: true,
    });
    const got = collect(session);
    await eventually("it is served", () => sessions.length === 1);
    await sessions[0]!.send("before");
    await eventually("it is there", () => got.length === 1);
    proxies[0]!.cut();
    await eventually("it is away", () => sessions[0]!.state === "resuming");
    await sessions[0]!.send("while away");
    await eventually("both are there", () => got.length === 2);
    assertEquals(got, ["before", "while away"]);
    await eventually("it is served elsewhere", () => sessions.length === 2);
    await sessions[1]!.send("elsewhere");
    await eventually("all are there", () => got.length === 3);
    // The first learns of it when it has something to store.
    const late = sessions[0]!.send("too late", { acknowledged: true });
    const reason = await sessions[0]!.closed;
    assertEquals([reason.kind, "code" in reason && reason.code], ["fault", "SUPERSEDED"]);
    const error = await assertRejects(() => late) as { code?: string };
    assertEquals(error.code, "ERR_HEARTWIRE_SUPERSEDED");
    assertEquals(servers[0]!.stats().sessions!.moved, 1);
    await session.close();
    await pause(10);
    assertEquals(got, ["before", "while away", "elsewhere"]);
    await Promise.all([...proxies.map((proxy) => proxy.close()), ...servers.map((server) => server.close())]);
  });
});

/** A store that can be broken. */
function breakable(): { store: SessionStore; how: { now: "works" | "throws" | "hangs" | "raves" } } {
  const how: { now: "works" | "throws" | "hangs" | "raves" } = { now: "works" };
  const below = new MemoryStore();
  const store = new Proxy(below, {
    get: (target, name) => {
      const method = Reflect.get(target, name).bind(target);
      return (question: unknown) => {
        if (how.now === "throws") throw new Error("the disk is on fire");
        if (how.now === "hangs") return new Promise(() => {});
        if (how.now === "raves") return Promise.resolve({ type: "whatever" });
        return method(question);
      };
    },
  });
  return { store, how };
}

describe("a store that fails", () => {
  for (const kind of ["throws", "hangs", "raves"] as const) {
    test(`and ${kind} ends connections and no session: all comes when it works again`, async () => {
      const { store, how } = breakable();
      const reported: string[] = [];
      const server = await listen("heartwire://127.0.0.1:0", answer, {
        store,
        storeTimeout: 50,
        retryAfter: 10,
        onHandlerError: (error) => void reported.push(String(error)),
      });
      const session = await connect(server.address, RECONNECT);
      const got = collect(session);
      const downs: string[] = [];
      (async () => {
        for await (const status of session.status()) {
          if (status.state === "resuming") downs.push((status.reason as { code: string }).code);
        }
      })().catch(() => {});
      await session.send("0");
      await eventually("it is answered", () => got.length === 1);
      how.now = kind;
      await session.send("1");
      await eventually("the client is told", () => downs.length > 0);
      await pause(150);
      assertEquals(got, ["0"], "nothing leaves that is not stored");
      how.now = "works";
      await eventually("it is answered now", () => got.length === 2);
      assertEquals(got, ["0", "1"]);
      assert(downs.every((code) => code === "BUSY"), downs.join());
      assertGreater(server.stats().store!.failed, 0);
      assertGreater(reported.length, 0);
      await session.close();
      await server.close();
    });
  }

  test("and lacks a method is refused at once", async () => {
    const { store } = breakable();
    const wrong = { ...store, read: () => Promise.resolve({ type: "unknown" }) };
    const error = await assertRejects(() => listen("127.0.0.1:0", answer, { store: wrong as SessionStore }));
    assert(error instanceof Error && error.message.includes("create"), String(error));
    assertEquals(everything["MemoryStore"], MemoryStore);
  });
});

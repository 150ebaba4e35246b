/**
 * The observer of `connect` and `listen`, over the real sockets of the runtime that runs this.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import type { ConnectionEvent, Session } from "../../adapters/api.ts";
import {
  connect,
  echo,
  eventually,
  listen,
  nextText,
  Proxy,
  RawServer,
  runtime,
} from "../support/contract.ts";

/** Events whose number or place depends on time, and so on how busy the machine is. */
const TIMELY: readonly string[] = ["pong", "suspect", "alive", "stall", "clockStep", "processed"];

const BEAT = { heartbeat: { interval: 50, multiplier: 6, minimumInterval: 10 } };

/** Notes the kinds of events, and what a session answers while they are shown. */
class Notes {
  readonly kinds: string[] = [];
  readonly text: string[] = [];
  session: Session | null = null;
  readonly observe = (session: Session, event: ConnectionEvent): void => {
    this.session ??= session;
    assertEquals(session, this.session);
    this.kinds.push(event.type);
    // Everything that can be read of a session can be read at every event.
    assertEquals(session.remote.kind, "tcp");
    assertGreater(session.stats().conversations, 0);
    if (event.type === "message") this.text.push(new TextDecoder().decode(event.bytes));
  };

  /** Without those that depend on time. */
  get story(): string[] {
    return this.kinds.filter((kind) => !TIMELY.includes(kind));
  }
}

describe(`observers on ${runtime}`, () => {
  test("both sides are shown every event, from open to closed", async () => {
    const [theirs, ours, reported] = [new Notes(), new Notes(), [] as unknown[]];
    const onHandlerError = (error: unknown): void => void reported.push(error);
    await using server = await listen("127.0.0.1:0", echo, {
      ...BEAT,
      onHandlerError,
      observe: theirs.observe,
    });
    await using session = await connect(server.address, { ...BEAT, onHandlerError, observe: ours.observe });
    await session.send("hello");
    assertEquals(await nextText(session), "hello");
    assertEquals([ours.session, theirs.session], [session, [...server.sessions][0]!]);
    const before = ours.kinds.length;
    await session.ping();
    assert(ours.kinds.slice(before).includes("pong"));
    await session.close();
    await eventually("the server has closed", () => theirs.kinds.includes("closed"));
    assertEquals(ours.story, ["open", "message", "closing", "closed"]);
    assertEquals(theirs.story, ["open", "message", "closing", "closed"]);
    assertEquals([ours.text, theirs.text], [["hello"], ["hello"]]);
    assertEquals(reported, []);
  });

  test("is shown an event before the session acts on it, open after", async () => {
    const states: string[] = [];
    await using server = await listen("127.0.0.1:0", echo, BEAT);
    const proxy = await Proxy.to(server.address);
    await using session = await connect(proxy.url, {
      ...BEAT,
      observe: (session, { type }) => {
        if (!["pong", "message", "stall"].includes(type)) states.push(`${type} while ${session.state}`);
      },
    });
    proxy.silent = true;
    assertEquals((await session.closed).kind, "dead");
    assertEquals(states, ["open while live", "suspect while live", "closed while suspect"]);
    await proxy.close();
  });

  test("one that throws is reported, with its session, and changes nothing", async () => {
    const reported: [unknown, Session | null][] = [];
    const failing = {
      ...BEAT,
      onHandlerError: (error: unknown, session: Session | null): void => void reported.push([error, session]),
      observe: (_session: Session, event: ConnectionEvent): void => {
        throw event.type;
      },
    };
    await using server = await listen("127.0.0.1:0", echo, failing);
    await using session = await connect(server.address, failing);
    await session.send("x");
    assertEquals(await nextText(session), "x");
    const [there] = server.sessions;
    assertEquals((await session.close()).kind, "closed");
    await eventually("the server has closed", () => there!.state === "closed");
    for (const side of [session, there!]) {
      const told = reported.filter(([, which]) => which === side).map(([error]) => error);
      assertEquals([told[0], told.at(-1)], ["open", "closed"]);
      assert(told.includes("message"));
    }
  });

  test("sees no connection that never opened", async () => {
    const notes = new Notes();
    const raw = await RawServer.listen((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const refused = await connect(raw.url, { observe: notes.observe }).then(() => null, (error) => error);
    assertEquals(refused?.code, "ERR_HEARTWIRE_NOT_HEARTWIRE");
    assertEquals(notes.kinds, []);
    await raw.close();
  });

  test("is shown each connection of a session that dials again", async () => {
    const notes = new Notes();
    await using server = await listen("127.0.0.1:0", echo, BEAT);
    const proxy = await Proxy.to(server.address);
    await using session = await connect(proxy.url, {
      ...BEAT,
      reconnect: { base: 1 },
      observe: notes.observe,
    });
    proxy.reset();
    await eventually("it is back", () => session.stats().conversations === 2 && session.state === "live");
    await session.close();
    assertEquals(notes.story, ["open", "closed", "open", "closing", "closed"]);
    await proxy.close();
  });
});

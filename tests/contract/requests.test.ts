/**
 * Requests over the real sockets of the runtime that runs this.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { type HeartwireError, ReplyError, type Session } from "../../adapters/api.ts";
import { codeOf, connect, eventually, listen, pause, PLACES, runtime } from "../support/contract.ts";
import { CuttingProxy } from "../support/cutting_proxy.ts";
import { Random } from "../support/random.ts";

/** Serves requests with a handler, and drops messages. */
function answering(handler: Parameters<Session["onRequest"]>[0]) {
  return (session: Session): Promise<void> => {
    session.onRequest(handler);
    return session.onMessage(() => {});
  };
}

describe(`requests on ${runtime}`, () => {
  for (const [kind, place] of PLACES) {
    test(`${kind}: are answered, both ways, of every size, many at once`, async () => {
      await using server = await listen(place(), (session) => {
        session.onRequest(async (request) => {
          const back = await session.request(request.bytes);
          return back.bytes;
        });
        return session.onMessage(() => {});
      });
      const session = await connect(server.address);
      session.onRequest((request) => request.bytes.toReversed());
      await Promise.all([0, 1, 2, 16_384, 16_385, 300_000].map(async (size) => {
        const asked = Uint8Array.from({ length: size }, (_, at) => at * 7 + size);
        assertEquals((await session.request(asked)).bytes, asked.toReversed(), `${size}`);
      }));
      const texts = await Promise.all(
        Array.from({ length: 500 }, async (_, i) => (await session.request(String(10_000 + i))).text()),
      );
      assertEquals(
        texts,
        Array.from({ length: 500 }, (_, i) => [...String(10_000 + i)].toReversed().join("")),
      );
      assertEquals(session.stats().requestsSent, 506);
      assertEquals(session.stats().requestsReceived, 506);
      await session.close();
    });
  }

  test("take their turn among sends", async () => {
    await using server = await listen("heartwire://127.0.0.1:0", (session) => {
      session.onRequest((request) => `${request.text()} after ${session.stats().messagesReceived}`);
      return session.onMessage(() => {});
    });
    await using session = await connect(server.address);
    for (let i = 0; i < 100; i++) void session.send(new Uint8Array(16_384));
    const reply = session.request("asked");
    assertEquals((await reply).text(), "asked after 100");
  });

  test("are answered though both sides' messages are stuck", async () => {
    const options = { maxMessage: 10_000, window: 20_000, sendBuffer: 20_000 };
    const stuck: Promise<unknown>[] = [];
    /** Reads nothing until its own request was answered. */
    const both = async (session: Session): Promise<string> => {
      session.onRequest((request) => `${request.text()}!`);
      for (let i = 0; i < 6; i++) stuck.push(session.send(new Uint8Array(5_000)));
      await pause(50);
      const reply = session.request("stuck?");
      void session.onMessage(() => {});
      return (await reply).text();
    };
    const answers: string[] = [];
    await using server = await listen("heartwire://127.0.0.1:0", async (session) => {
      answers.push(await both(session));
    }, options);
    const session = await connect(server.address, options);
    answers.push(await both(session));
    await eventually("both were answered", () => answers.length === 2);
    assertEquals(answers, ["stuck?!", "stuck?!"]);
    await Promise.all(stuck);
    await session.close();
  });

  test("fail typed: refused, failed, without a handler, too late, given up, too many", async () => {
    const reported: unknown[] = [];
    const aborted: unknown[] = [];
    const server = await listen(
      "heartwire://127.0.0.1:0",
      answering(async (request) => {
        if (request.text() === "refuse") throw new ReplyError(404, "no such thing");
        if (request.text() === "throw") throw new Error("broken");
        if (request.text() === "number") return 7 as unknown as string;
        await new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
        aborted.push(request.signal.reason);
        return "nobody hears this";
      }),
      { maxRequests: 3, onHandlerError: (error) => void reported.push(error) },
    );
    const session = await connect(server.address, { maxRequests: 4 });
    const refused = await assertRejects(() => session.request("refuse"), ReplyError);
    assertEquals([refused.code, refused.status, refused.message, refused.retryable], [
      "ERR_HEARTWIRE_REPLY",
      404,
      "no such thing",
      false,
    ]);
    assertEquals(await codeOf(session.request("throw")), "REQUEST_FAILED");
    assertEquals(await codeOf(session.request("number")), "REQUEST_FAILED");
    assertEquals(reported.map((error) => (error as Error).message), [
      "broken",
      "send takes a string or a Uint8Array, not number",
    ]);

    const started = performance.now();
    assertEquals(await codeOf(session.request("wait", { timeout: 50 })), "TIMEOUT");
    assertLess(performance.now() - started, 2_000);
    const abort = new AbortController();
    const givenUp = codeOf(session.request("wait", { signal: abort.signal }));
    await pause(20);
    abort.abort();
    assertEquals(await givenUp, "CANCELLED");
    await eventually("both handlers were told", () => aborted.length === 2);
    assertEquals(aborted.map((reason) => (reason as HeartwireError).code), [
      "ERR_HEARTWIRE_CANCELLED",
      "ERR_HEARTWIRE_CANCELLED",
    ]);
    await pause(20); // what was taken back is open until its handler has settled, and answers keep their order
    assertEquals(await codeOf(session.request("refuse")), "REPLY");
    assertEquals(await codeOf(session.request("x", { signal: abort.signal })), "CANCELLED");
    assertEquals(await codeOf(session.request("x", { timeout: -1 })), "OPTION");
    assertEquals(await codeOf(session.request(7 as unknown as string)), "DATA");

    const codes = await Promise.all(
      [1, 2, 3, 4, 5].map(() => codeOf(session.request("wait", { timeout: 300 }))),
    );
    assertEquals(codes, ["TIMEOUT", "TIMEOUT", "TIMEOUT", "REQUESTS_BUSY", "REQUESTS_OPEN"]);
    await session.close();
    assertEquals(await codeOf(session.request("x")), "CLOSED");
    await server.close();

    const deaf = await listen("heartwire://127.0.0.1:0", (each) => each.onMessage(() => {}));
    const asking = await connect(deaf.address);
    assertEquals(await codeOf(asking.request("anybody?")), "NO_HANDLER");
    const open = asking.request("x", { timeout: Infinity });
    await deaf.abort();
    assert(["ABORTED", "LOST"].includes(await codeOf(open)));
  });

  test("are answered one by one whatever a handler gives for a promise", async () => {
    const reported: string[] = [];
    const odd: Record<string, () => unknown> = {
      "no promise from then": () => ({
        then: (ok: (text: string) => void) => void setTimeout(() => ok("late"), 5),
      }),
      "then throws": () => ({
        then: () => {
          throw new Error("then failed");
        },
      }),
      "then cannot be read": () => ({
        get then(): unknown {
          throw new Error("no then");
        },
      }),
      "calls back twice": () => ({
        then: (ok: (text: string) => void) => {
          ok("one");
          ok("two");
        },
      }),
    };
    await using server = await listen("heartwire://127.0.0.1:0", (session) => {
      session.onRequest((request) => (odd[request.text()]?.() ?? "plain") as string);
      return session.closed;
    }, { onHandlerError: (error) => void reported.push((error as Error).message) });
    await using session = await connect(server.address);
    const asked = [...Object.keys(odd), "and another"];
    const replies = await Promise.allSettled(asked.map((text) => session.request(text, { timeout: 5_000 })));
    const told = replies.map((reply) =>
      reply.status === "fulfilled" ? reply.value.text() : reply.reason.code
    );
    assertEquals(told, [
      "late",
      "ERR_HEARTWIRE_REQUEST_FAILED",
      "ERR_HEARTWIRE_REQUEST_FAILED",
      "one",
      "plain",
    ]);
    assertEquals(reported.toSorted(), ["no then", "then failed"]);
    assertEquals((await session.request("later")).text(), "plain");
  });

  test("wait for a handler that comes late, and for those that run when the server closes", async () => {
    const server = await listen("heartwire://127.0.0.1:0", async (session) => {
      await pause(50);
      session.onRequest(async (request) => {
        await pause(100);
        return request.text();
      });
      await session.onMessage(() => {});
    });
    const session = await connect(server.address);
    const reply = session.request("early");
    await pause(80);
    await server.close();
    assertEquals((await reply).text(), "early");
    assertEquals((await session.closed).kind, "closed");
  });

  test("go on over connections that are cut: each is handled once and answered once", async () => {
    const handled = new Map<string, number>();
    const server = await listen(
      "heartwire://127.0.0.1:0",
      answering(async (request) => {
        const text = request.text();
        handled.set(text, (handled.get(text) ?? 0) + 1);
        await pause(text.length % 7);
        return `${text} done`;
      }),
    );
    const proxy = await CuttingProxy.before((server.address as { port: number }).port);
    const sessions = await Promise.all(
      [1, 2, 3].map(() => connect(proxy.url, { reconnect: { base: 5, floor: 1, cap: 30 } })),
    );
    const random = new Random(7);
    let over = false;
    const cutting = (async () => {
      while (!over) {
        await pause(random.between(1, 25));
        proxy.cut();
      }
    })();
    await Promise.all(sessions.map(async (session, at) => {
      for (let round = 0; round < 30; round++) {
        await Promise.all(Array.from({ length: 10 }, async (_, i) => {
          const text = `${at} ${round} ${i}`.padEnd(i === 0 ? 20_000 : 10);
          assertEquals((await session.request(text)).text(), `${text} done`);
        }));
      }
    }));
    over = true;
    await cutting;
    assertEquals(handled.size, 900);
    assert([...handled.values()].every((count) => count === 1));
    assertGreater(server.stats().sessions!.resumed, 5);
    await Promise.all(sessions.map((session) => session.close()));
    await proxy.close();
    await server.close();
  });

  test("say what is known of them when the session is lost", async () => {
    const first = await listen("heartwire://127.0.0.1:0", answering(() => new Promise(() => {})));
    const proxy = await CuttingProxy.before((first.address as { port: number }).port);
    const session = await connect(proxy.url, { reconnect: { base: 5, floor: 1, cap: 30 } });
    const arrived = codeOf(session.request("arrived"));
    await eventually("it arrived", () => [...first.sessions][0]?.stats().requestsReceived === 1);
    proxy.refuses = true;
    proxy.cut();
    await eventually("it is away", () => session.state === "resuming");
    const kept = codeOf(session.request("made while away"));
    const second = await listen("heartwire://127.0.0.1:0", answering(() => "from the second"));
    proxy.retarget((second.address as { port: number }).port);
    proxy.refuses = false;
    assertEquals([await arrived, await kept], ["MAYBE_DELIVERED", "UNSENT"]);
    assertEquals((await session.request("again")).text(), "from the second");
    await session.close();
    await first.abort();
    await second.close();
    await proxy.close();
  });
});

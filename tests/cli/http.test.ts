/**
 * The HTTP server of `serve --http`: persistent connections, their idle limit, and what is no good request.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { listenHttp } from "../../cli/http/server.ts";
import { HttpConnection } from "../support/http_client.ts";

/** The idle limit, s, and what a runtime may add: Node a second of its own, Bun a tick of its timer wheel of 4 s. */
const IDLE = 1;
const SLACK = 6_000;

async function withServer(work: (open: () => HttpConnection) => Promise<void>): Promise<void> {
  const server = await listenHttp("127.0.0.1", 0, (request) => {
    const { pathname } = new URL(request.url);
    return pathname === "/fails" ? new Response("broken\n", { status: 500 }) : new Response(`${pathname}\n`);
  }, IDLE);
  const opened: HttpConnection[] = [];
  try {
    await work(() => {
      const connection = new HttpConnection("127.0.0.1", server.port);
      opened.push(connection);
      return connection;
    });
  } finally {
    for (const connection of opened) connection.close();
    await server.close();
  }
}

describe("HTTP server", () => {
  it("answers many requests over one connection, and says how long it stays open", async () => {
    await withServer(async (open) => {
      const connection = open();
      for (let i = 0; i < 200; i++) {
        const { status, headers, body } = await connection.ask(`/${i}`);
        assertEquals([status, body], [200, `/${i}\n`]);
        assertMatch(headers["keep-alive"] ?? "", /^timeout=1\b/);
        assert(!/close/i.test(headers["connection"] ?? ""), headers["connection"]);
      }
    });
  });

  it("answers requests that come at once, in order", async () => {
    await withServer(async (open) => {
      const connection = open();
      const paths = ["/a", "/b", "/c"];
      connection.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
      for (const path of paths) assertEquals((await connection.answer()).body, `${path}\n`);
    });
  });

  it("closes an idle connection, not before its limit", async () => {
    await withServer(async (open) => {
      const connection = open();
      await connection.ask("/");
      const since = performance.now();
      const took = await connection.ended - since;
      assert(took > 900 * IDLE && took < 1_000 * IDLE + SLACK, `closed after ${took} ms`);
      const again = open();
      assertEquals((await again.ask("/again")).body, "/again\n");
    });
  });

  it("closes when it is asked to", async () => {
    await withServer(async (open) => {
      const connection = open();
      const since = performance.now();
      const { headers, body } = await connection.ask("/last", "GET", { connection: "close" });
      assertEquals([body, headers["connection"]?.toLowerCase(), headers["keep-alive"]], [
        "/last\n",
        "close",
        undefined,
      ]);
      assert(await connection.ended - since < 900);
    });
  });

  it("answers HEAD without a body, over the same connection", async () => {
    await withServer(async (open) => {
      const connection = open();
      assertEquals((await connection.ask("/head", "HEAD")).status, 200);
      assertEquals((await connection.ask("/next")).body, "/next\n");
    });
  });

  it("survives what is no request, and a body nobody wanted", async () => {
    await withServer(async (open) => {
      const other = open();
      assertEquals((await other.ask("/")).status, 200);
      const bad = open();
      bad.write("this is no HTTP\r\n\r\n");
      await bad.ended;
      const nowhere = open();
      nowhere.write("GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      await nowhere.ended;
      const torn = open();
      torn.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort");
      torn.close();
      await torn.ended;
      const large = open();
      large.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n${"x".repeat(5_000)}`);
      assertEquals((await large.answer()).status, 413);
      assertEquals((await open().ask("/fails")).status, 500);
      assertEquals((await open().ask("/after")).body, "/after\n");
    });
  });
});

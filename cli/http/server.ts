/**
 * A small HTTP/1.1 server for a fetch-style handler, over persistent connections: the second article's own example of a long
 * connection. An idle connection is closed after a limit, which `Keep-Alive: timeout=` tells the client.
 *
 * On Bun it is Bun.serve. On Node and Deno it is node:http: Deno.serve has no idle limit and leaves an idle connection open for ever
 * (tried on 2.9), which is just what a program about long connections must not do.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { FetchHandler } from "./handler.ts";

/** An idle connection is closed after so long, s. */
export const IDLE_SECONDS = 5;

/** Nothing that is asked here has a body; one that comes all the same is refused beyond so many bytes. */
const MAX_BODY = 1_024;

/** A listening HTTP server. */
export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** The part of Bun that is used. */
interface BunServe {
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    maxRequestBodySize: number;
    fetch: FetchHandler;
  }): { readonly port: number; stop(force: boolean): void | Promise<void> };
}

/**
 * Listens; rejects with what the runtime says.
 *
 * @param idle an idle connection is closed after so many whole seconds; the runtime may add a second or two
 */
export function listenHttp(
  hostname: string,
  port: number,
  handler: FetchHandler,
  idle: number = IDLE_SECONDS,
): Promise<HttpServer> {
  const { Bun: bun } = globalThis as unknown as { Bun?: BunServe };
  return bun === undefined
    ? overNode(hostname, port, handler, idle)
    : overBun(bun, hostname, port, handler, idle);
}

// What serve throws becomes a rejection.
function overBun(
  bun: BunServe,
  hostname: string,
  port: number,
  handler: FetchHandler,
  idle: number,
): Promise<HttpServer> {
  return new Promise((resolve) => {
    const server = bun.serve({
      hostname,
      port,
      idleTimeout: idle,
      maxRequestBodySize: MAX_BODY,
      fetch: (request) => {
        const response = handler(request);
        const persistent = request.headers.get("connection")?.toLowerCase() !== "close";
        if (persistent) response.headers.set("keep-alive", `timeout=${idle}`);
        else response.headers.set("connection", "close");
        return response;
      },
    });
    resolve({ port: server.port, close: async () => void await server.stop(true) });
  });
}

function overNode(
  hostname: string,
  port: number,
  handler: FetchHandler,
  idle: number,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    // What is wrong with one request (a torn body, a path that is no URL) ends that connection and nothing else.
    answer(handler, request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = idle * 1_000;
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      const address = server.address();
      resolve({
        port: typeof address === "object" && address !== null ? address.port : port,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function answer(
  handler: FetchHandler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body = 0;
  for await (const chunk of request) {
    body += (chunk as Uint8Array).length;
    if (body > MAX_BODY) return void response.writeHead(413, { connection: "close" }).end();
  }
  const result = handler(
    new Request(new URL(request.url ?? "/", "http://localhost"), { method: request.method ?? "GET" }),
  );
  response.writeHead(result.status, Object.fromEntries(result.headers));
  response.end(request.method === "HEAD" ? undefined : new Uint8Array(await result.arrayBuffer()));
}

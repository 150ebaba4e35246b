/**
 * What is answered over HTTP: `GET /health` and `GET /metrics`. One fetch-style function for every runtime's server.
 *
 * @module
 */

import type { ServerStats } from "../../adapters/api.ts";
import type { Metrics } from "./metrics.ts";

/** Answers a request. */
export type FetchHandler = (request: Request) => Response;

const TEXT = "text/plain; charset=utf-8";

/** Makes the handler of one server. */
export function makeFetch(metrics: Metrics, stats: () => ServerStats): FetchHandler {
  const started = performance.now();
  const health = (): Response => {
    const { open, handshakes, sessions, heartbeatBudget, heartbeatRate } = stats();
    const uptime = Math.round((performance.now() - started) / 1_000);
    return Response.json({
      ...{ status: "ok", sessions: open, detached: sessions?.detached ?? 0, handshakes, uptime },
      ...(heartbeatBudget === Infinity ? {} : { heartbeatBudget, heartbeatRate }),
    });
  };
  const pages: Readonly<Record<string, () => Response>> = {
    "/health": health,
    "/metrics": () =>
      new Response(metrics.render(stats()), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      }),
  };
  return (request) => {
    const { pathname } = new URL(request.url);
    const page = Object.hasOwn(pages, pathname) ? pages[pathname] : undefined;
    if (page === undefined) {
      const text = `not found; there are ${Object.keys(pages).join(" and ")}\n`;
      return new Response(text, { status: 404, headers: { "content-type": TEXT } });
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("only GET\n", {
        status: 405,
        headers: { allow: "GET, HEAD", "content-type": TEXT },
      });
    }
    return page();
  };
}

/**
 * What `serve --http` tells a monitor of a server's sessions and of its heartbeat budget.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ServerStats } from "../../adapters/api.ts";
import { makeFetch } from "../../cli/http/handler.ts";
import { Metrics } from "../../cli/http/metrics.ts";
import { connect, eventually, listen } from "../support/contract.ts";

const STATS: ServerStats = {
  ...{ open: 3, handshakes: 1, transports: 5, accepted: 20, opened: 12, refused: {}, ended: {} },
  sessions: { attached: 3, detached: 2, detachedBytes: 4_096, resumed: 7, expired: 1, restored: 0, moved: 0 },
  ...{ heartbeatRate: 0, heartbeatBudget: Infinity, waiting: 0, store: null },
};

function value(text: string, name: string): number | null {
  const line = text.split("\n").find((one) => one.startsWith(`heartwire_${name} `));
  return line === undefined ? null : Number(line.split(" ")[1]);
}

async function health(stats: ServerStats): Promise<Record<string, unknown>> {
  const response = makeFetch(new Metrics(), () => stats)(new Request("http://x/health"));
  const { uptime: _, ...rest } = await response.json() as Record<string, unknown>;
  return rest;
}

describe("metrics", () => {
  it("have the sessions that outlive connections, where any do", async () => {
    const text = new Metrics().render(STATS);
    assertEquals(value(text, 'sessions{state="attached"}'), 3);
    assertEquals(value(text, 'sessions{state="detached"}'), 2);
    assertEquals(value(text, "sessions_detached_bytes"), 4_096);
    assertEquals([value(text, "sessions_resumed_total"), value(text, "sessions_expired_total")], [7, 1]);
    assertEquals(value(text, "connections_opened_total"), 12);
    assertEquals(await health(STATS), { status: "ok", sessions: 3, detached: 2, handshakes: 1 });
    const without = { ...STATS, sessions: null };
    assertEquals(value(new Metrics().render(without), "sessions_resumed_total"), null);
    assertEquals((await health(without))["detached"], 0);
  });

  it("have the heartbeat budget, where there is one", async () => {
    assert(!new Metrics().render(STATS).includes("heartbeat_budget"));
    const budgeted = { ...STATS, heartbeatBudget: 100, heartbeatRate: 40.5, waiting: 2 };
    const text = new Metrics().render(budgeted);
    assertEquals([value(text, "heartbeat_budget"), value(text, "heartbeat_rate")], [100, 40.5]);
    assertEquals(value(text, "heartbeat_budget_waiting"), 2);
    const { heartbeatBudget, heartbeatRate } = await health(budgeted);
    assertEquals([heartbeatBudget, heartbeatRate], [100, 40.5]);
  });

  it("are in the format: each metric once, with its help and its type before its samples", () => {
    const text = new Metrics().render({ ...STATS, heartbeatBudget: 100 });
    const seen = new Set<string>();
    let current = "";
    for (const line of text.trimEnd().split("\n")) {
      const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
      if (type !== null) {
        current = type[1]!;
        assert(!seen.has(current), current);
        seen.add(current);
      } else if (!line.startsWith("# HELP ")) {
        assertMatch(line, new RegExp(`^${current}(_bucket|_sum|_count)?[ {]`));
      }
    }
  });

  it("count a session once, however often its client comes back", async () => {
    const metrics = new Metrics();
    const server = await listen("127.0.0.1:0", async (session) => {
      metrics.opened(session);
      await session.onMessage(() => {});
      metrics.ended(session);
    });
    const session = await connect(server.address, { reconnect: { base: 5, floor: 1 } });
    await session.send("x", { acknowledged: true });
    await session.close();
    await eventually("it ended", () => server.sessions.size === 0);
    const text = metrics.render({ ...server.stats(), opened: 5 });
    assertEquals([value(text, "sessions_opened_total"), value(text, "connections_opened_total")], [1, 5]);
    await server.close();
  });
});

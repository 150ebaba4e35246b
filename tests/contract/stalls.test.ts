/**
 * A process that stands still convicts nobody: a busy loop and a stopped process, on the real sockets and timers of the runtime that
 * runs this. The judge is a process of its own; its peer is this one, and lives all the time.
 *
 * With neither the diagnosis of stalls (core/clocks.ts, `observeLag`) nor the last turn in which waiting bytes are read
 * (core/liveness/watch.ts, `TURNING`) sessions die in the first stall on each runtime. The diagnosis alone saves all of them; the turn
 * alone saves them on Node and Bun, and on Deno not always. That each does its part is tested in virtual time.
 *
 * @module
 */

import { describe, test } from "node:test";
import { existsSync } from "node:fs";
import { assertEquals, assertGreater, assertLess } from "@std/assert";
import type { Server, Session } from "../../adapters/api.ts";
import { eventually, listen, pause, Proxy, runtime, testFile } from "../support/contract.ts";
import { type Line, Program } from "../support/program.ts";
import { runtimeCommand } from "../support/runtimes.ts";

/** Each of so many sessions is judged by itself in each of so many stalls. */
const SESSIONS = 20;
const STALLS = 5;
/** How long one is, ms: more than three times what the judge waits for its peer. */
const STALL = 1_000;
const DETECTION = 300;
/** How long a peer that was asked after a suspension has at least (docs/PROTOCOL.md, section 5.2), ms, and what a busy machine may add. */
const GRACE = 1_000;
const SLACK = 700;

interface Court {
  readonly judge: Program;
  readonly proxy: Proxy;
  /** Stalls that the judge confessed to its peer. */
  readonly confessed: number[];
  readonly server: Server;
  told(type: string): Line[];
  end(): Promise<void>;
}

/** A judge in another process, with live sessions. */
async function court(): Promise<Court> {
  const confessed: number[] = [];
  const server = await listen("127.0.0.1:0", (session: Session) => session.closed.then(() => {}), {
    heartbeat: { interval: DETECTION / 3, multiplier: 3, minimumInterval: 10 },
    observe: (_session, event) => {
      if (event.type === "stall" && event.verdict === "PEER_STALLED") confessed.push(event.span);
    },
  });
  const proxy = await Proxy.to(server.address);
  const judge = new Program(runtimeCommand(runtime, testFile("contract/programs/judge.ts")), "judge");
  const told = (type: string): Line[] => judge.lines.filter((line) => line["type"] === type);
  judge.write(`dial ${proxy.url} ${SESSIONS}\n`);
  await judge.told({ type: "live" }, SESSIONS - 1);
  for (const live of told("live")) assertEquals(live["detection"], DETECTION);
  await pause(DETECTION);
  return {
    ...{ judge, proxy, confessed, server, told },
    end: async () => {
      judge.kill();
      await judge.ended();
      await proxy.close();
      await server.close();
    },
  };
}

type Stall = (court: Court) => Promise<void>;

const busy: Stall = async ({ judge, told }) => {
  const before = told("blocked").length;
  judge.write(`block ${STALL}\n`);
  await judge.told({ type: "blocked" }, before);
};

const stopped: Stall = async ({ judge }) => {
  judge.kill("SIGSTOP");
  await pause(STALL);
  judge.kill("SIGCONT");
};

const ways: readonly (readonly [string, Stall, boolean])[] = [
  ["a busy loop", busy, false],
  ["a process that is stopped", stopped, !existsSync("/tmp")], // Windows cannot stop one
];

for (const [name, stall, skip] of ways) {
  describe(`${name}, on ${runtime}`, { skip }, () => {
    test(`${STALLS} stalls of ${SESSIONS} sessions: no false death, each stall told to both`, async () => {
      const scene = await court();
      const { told, confessed, server } = scene;
      try {
        const suspensions = (session: number): number =>
          told("stalled").filter((line) => line["session"] === session && line["verdict"] === "SUSPENDED")
            .length;
        for (let nth = 1; nth <= STALLS; nth++) {
          const before = confessed.length;
          await stall(scene);
          await pause(DETECTION); // whoever is to be convicted is, and heartbeats go as usual again
          assertEquals(told("ended").map((line) => line["session"]), [], `false deaths in stall ${nth}`);
          for (let session = 0; session < SESSIONS; session++) {
            await eventually(`stall ${nth} told by ${session}`, () => suspensions(session) >= nth);
          }
          await eventually("confessed", () => confessed.length >= before + SESSIONS);
        }
        // What is longer than the detection time voids all that was waited for; what is shorter only moves it.
        for (const { verdict, span } of told("stalled") as { verdict?: unknown; span?: unknown }[]) {
          if (verdict === "PEER_STALLED") continue; // this process, on a busy machine
          assertEquals(verdict, Number(span) > DETECTION ? "SUSPENDED" : "LOCAL_STALLED");
        }
        assertEquals([...server.sessions].filter(({ state }) => state === "live").length, SESSIONS);
      } finally {
        await scene.end();
      }
    });

    test("a peer that is silent since then is found dead, soon, and the verdict says of what", async () => {
      const scene = await court();
      const { judge, proxy, told } = scene;
      try {
        proxy.silent = true;
        await pause(DETECTION / 6); // what is on its way arrives, so that nothing waits that would speak for the peer
        await stall(scene);
        const woke = performance.now();
        await judge.told({ type: "ended" }, SESSIONS - 1);
        const took = performance.now() - woke;
        assertLess(took, GRACE + SLACK);
        assertGreater(took, DETECTION);
        for (const { reason } of told("ended") as { reason?: { kind: string; evidence?: Line } }[]) {
          assertEquals([reason!.kind, reason!.evidence?.["verdict"]], ["dead", "SUSPENDED"]);
        }
      } finally {
        await scene.end();
      }
    });
  });
}

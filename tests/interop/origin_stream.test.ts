/**
 * The connections without packets of both articles, with Python programs, on every runtime: the upper-case server with and without
 * heartbeats (profile plain), the short and the long connection (profile raw).
 *
 * The Python programs are in tests/origin/; what they can be told stands in their first lines. Waits are for lines, never for time. Who
 * splits a token must write the rest within 50 ms, or it is data: a run in which a busy machine kept the Python program from that proves
 * nothing, and is repeated.
 */

import { describe } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  assertFoundDead,
  faultsIn,
  last,
  linesWith,
  type Party,
  peerOn,
  pythonTest,
  runClient,
  silentSince,
  startPython,
  startServer,
} from "../support/origin.ts";
import type { Line } from "../support/program.ts";
import { RUNTIMES } from "../support/runtimes.ts";

const CLIENT = "upper_client.py";
const SERVER = "upper_server.py";
const TOKEN = "heartbeat";

/** Nobody beats or judges for a long time. */
const CALM = { profile: "plain", heartbeat: { interval: 60_000 } };
/** A silence of 300 ms is death. */
const WATCHFUL = { profile: "plain", heartbeat: { interval: 100, multiplier: 3 } };
const RAW = { profile: "raw" };

/** Every way to cut a token in two, each between data. */
const CUTS: readonly string[] = Array.from({ length: TOKEN.length - 1 }, (_, i) => i + 1)
  .flatMap((index) => [`${index}${TOKEN.slice(0, index)}`, `${TOKEN.slice(index)}.`]);

/** What clients send, piece by piece. */
const STREAMS: Readonly<Record<string, readonly string[]>> = {
  "data, one byte, and non-ASCII bytes": ["hello", "x", "grüße", "a longer piece of data"],
  "tokens glued to data and to each other": [
    `${TOKEN}hello${TOKEN}${TOKEN}, world${TOKEN}`,
    `${TOKEN}${TOKEN}!`,
  ],
  "tokens split at any byte": CUTS,
  "tokens byte by byte": [..."a" + TOKEN + TOKEN + "b" + TOKEN],
  "what only begins like a token": ["hearthel", "lo ", "hea", "d heartbe", "e heart", TOKEN, " my heart"],
};

/** Runs until the Python program was quick enough between two pieces. */
async function quickly<T>(run: () => Promise<{ slowest: number; result: T }>): Promise<T> {
  for (let attempt = 0; attempt < 6; attempt++) {
    const { slowest, result } = await run();
    if (slowest < 0.045) return result;
  }
  throw new Error("the Python program was never quick enough: this machine is too busy to tell");
}

function textOf(lines: readonly Line[]): string {
  return linesWith(lines, { event: "message" }).map(({ text }) => text).join("");
}

/** Waits until a client has this text. */
async function receives(party: Party, text: string): Promise<void> {
  for (let count = 0; textOf(party.lines).length < text.length; count++) {
    await party.told({ event: "message" }, count);
  }
  assertEquals(textOf(party.lines), text);
}

for (const runtime of RUNTIMES) {
  const peer = peerOn(runtime);

  describe(`Python clients and our plain server on ${runtime}`, () => {
    for (const [name, pieces] of Object.entries(STREAMS)) {
      pythonTest(`answers in upper case, and swallows tokens: ${name}`, async (test) => {
        const server = await peer().listen(CALM, true);
        let sessions = 0;
        const { answer, closed } = await quickly(async () => {
          const [answer] = await runClient(test, CLIENT, server.port, ...pieces);
          const closed = last(await server.story(sessions++));
          return { slowest: Number(answer!["gap"]), result: { answer, closed } };
        });
        const all = pieces.join("");
        const data = new TextEncoder().encode(all.replaceAll(TOKEN, ""));
        const capitals = data.map((byte) => byte >= 97 && byte <= 122 ? byte - 32 : byte);
        assertEquals(answer!["text"], String.fromCharCode(...capitals));
        assertEquals([closed["kind"], closed["pingsReceived"]], ["closed", all.split(TOKEN).length - 1]);
      });
    }

    pythonTest("beats, and bears with clients that never do", async (test) => {
      const server = await peer().listen(
        { profile: "plain", heartbeat: { interval: 20, multiplier: 2 } },
        true,
      );
      const [answer] = await runClient(test, CLIENT, server.port, "--tokens", 15, "hello");
      assertEquals(answer!["text"], "HELLO");
      assert(Number(answer!["tokens"]) >= 15);
      const closed = last(await server.story());
      assertEquals([closed["kind"], closed["by"], closed["pingsReceived"]], ["closed", "peer", 0]);
    });

    pythonTest("holds a client dead that beat and then fell silent, inside the bound", async (test) => {
      const server = await peer().listen(WATCHFUL, true);
      const program = startPython(test, CLIENT, "127.0.0.1", server.port, "--silent", `hello${TOKEN}`);
      assertFoundDead(last(await server.story()), await silentSince(program));
      await program.told({ event: "ended" });
    });

    pythonTest("serves many clients at once", async (test) => {
      const server = await peer().listen(CALM, true);
      const lines = await runClient(test, CLIENT, server.port, "--clients", 25, `${TOKEN}client `, "{}");
      const answers = linesWith(lines, { event: "received" });
      const expected = Array.from({ length: 25 }, (_, client) => `${client}: CLIENT ${client}`);
      assertEquals(answers.map(({ client, text }) => `${client}: ${text}`).sort(), expected.sort());
      for (let session = 0; session < 25; session++) await server.story(session);
      const kinds = server.lines.map(({ event }) => event).filter((kind) =>
        kind === "open" || kind === "closed"
      );
      assertEquals(kinds, [...new Array(25).fill("open"), ...new Array(25).fill("closed")]);
    });
  });

  describe(`our plain client on ${runtime} and the Python server`, () => {
    pythonTest("data comes back in upper case, glued to heartbeats or not", async (test) => {
      for (const [way, tokens] of [[[], 1], [["--glue"], 6]] as const) {
        const { program, port } = await startServer(test, SERVER, "--heartbeat", 0.02, ...way);
        const client = peer().connect(port, CALM);
        await client.told({ event: "open" });
        let text = "";
        for (const word of ["hello", ", world", "!"]) {
          client.send(word);
          await receives(client, text += word.toUpperCase());
        }
        client.end("close");
        const closed = last(await client.story());
        assertEquals([closed["kind"], closed["by"]], ["closed", "local"]);
        assert(Number(closed["pingsReceived"]) >= tokens, `${closed["pingsReceived"]} heartbeats`);
        await program.told({ event: "ended" });
      }
    });

    pythonTest("heartbeats split at any byte are no data", async (test) => {
      const { program, port } = await startServer(test, SERVER, "--heartbeat", 0.005, "--split");
      const { story, splits } = await quickly(async () => {
        const from = program.lines.length;
        const client = peer().connect(port, CALM);
        await program.told({ event: "split", index: 8 }, linesWith(program.lines, { index: 8 }).length + 1);
        client.end("close");
        const story = await client.story();
        const splits = linesWith(program.lines.slice(from), { event: "split" });
        return { slowest: Math.max(...splits.map(({ took }) => Number(took))), result: { story, splits } };
      });
      assertEquals(textOf(story), "");
      assert(splits.length >= 16 && Number(last(story)["pingsReceived"]) >= 16);
    });

    pythonTest("our heartbeats are swallowed there", async (test) => {
      const { program, port } = await startServer(test, SERVER, "--heartbeat", 0.05);
      const client = peer().connect(port, { profile: "plain", heartbeat: { interval: 50, multiplier: 100 } });
      await program.told({ event: "swallowed" }, 3);
      client.end("close");
      assert(Number(last(await client.story())["pingsSent"]) >= 4);
    });

    pythonTest("a server that fell silent is held dead inside the bound", async (test) => {
      const { program, port } = await startServer(test, SERVER, "--heartbeat", 0.05, "--silent-after", 3);
      const client = peer().connect(port, WATCHFUL);
      const closed = last(await client.story());
      assertFoundDead(closed, await silentSince(program));
      assertEquals([closed["pingsReceived"], faultsIn(client.lines)], [3, []]);
    });

    pythonTest("a server that never says a word is held dead inside the bound", async (test) => {
      const { program, port } = await startServer(test, "heartbeat_server.py", "none");
      const client = peer().connect(port, WATCHFUL);
      const story = await client.story();
      assertFoundDead(last(story), Number(story[0]!["at"]));
      await program.told({ event: "ended" });
    });

    pythonTest("the article's first server knows no heartbeats: ours come back as data", async (test) => {
      const { port } = await startServer(test, SERVER);
      const client = peer().connect(port, WATCHFUL);
      await client.told({ event: "message" }, 1);
      assertMatch(textOf(client.lines), /^(HEARTBEAT)+$/);
    });
  });

  describe(`bare connections on ${runtime}`, () => {
    pythonTest("short: the Python client connects, sends and closes", async (test) => {
      const server = await peer().listen(RAW);
      await runClient(test, "short_client.py", server.port, "--times", 5);
      for (let session = 0; session < 5; session++) {
        const story = await server.story(session);
        assertEquals([textOf(story), last(story)["kind"], last(story)["by"]], [
          "Hello, World!",
          "closed",
          "peer",
        ]);
      }
    });

    pythonTest("short and long: ours with the article's server, which serves one at a time", async (test) => {
      const { program, port } = await startServer(test, SERVER);
      const first = peer().connect(port, RAW);
      await first.told({ event: "open" });
      first.send("hello");
      await receives(first, "HELLO");
      const second = peer().connect(port, RAW);
      await second.told({ event: "open" });
      second.send("me too");
      first.send(", heartbeat");
      await receives(first, "HELLO, HEARTBEAT");
      assertEquals(textOf(second.lines), "");
      first.end("close");
      await receives(second, "ME TOO");
      second.end("close");
      assertEquals(last(await second.story())["kind"], "closed");
      await program.told({ event: "ended" }, 1);
    });

    pythonTest("long: the Python client connects again on a broken pipe", async (test) => {
      const server = await peer().listen({ ...RAW, closeTimeout: 20 });
      const program = startPython(test, "long_client.py", "127.0.0.1", server.port);
      program.write("\n");
      await server.told({ event: "message", text: "Hello, World! 1" });
      // It does not read, so it does not see our end, and then finds its pipe broken. What it sends before the system tells it so is
      // lost, and it never knows: so it is in the article.
      server.end("close", 0);
      await server.story(0);
      let sent = 1;
      while (linesWith(program.lines, { event: "reconnecting" }).length === 0) {
        program.write("\n");
        await program.told({ event: "sent", text: `Hello, World! ${++sent}` });
      }
      await server.told({ event: "message", session: 1, text: `Hello, World! ${sent}` });
      program.endInput();
      assertEquals([await program.ended(), program.stderr], [0, ""]);
      const story = await server.story(1);
      assertEquals([textOf(story), last(story)["by"]], [`Hello, World! ${sent}`, "peer"]);
    });

    pythonTest(
      "long: our client connects again when its connection breaks, and sends again",
      async (test) => {
        const { port } = await startServer(test, SERVER, "--reset-after", 1);
        const client = peer().connect(port, { ...RAW, reconnect: { base: 20 } });
        let text = "";
        for (const [nth, [word, next]] of [["one", "two"], ["two", "three"], ["three", "four"]].entries()) {
          await client.told({ event: "open" }, nth);
          client.send(word!);
          await receives(client, text += word!.toUpperCase());
          client.send(next!);
          await client.told({ event: "closed", kind: "lost" }, nth);
        }
        await client.told({ event: "open" }, 3);
        client.end("close");
        await client.told({ event: "status", state: "closed" });
        const states = linesWith(client.lines, { event: "status" }).map(({ state }) => state);
        assertEquals(states, [...new Array(3).fill(["live", "lost", "connecting"]).flat(), "live", "closed"]);
      },
    );
  });
}

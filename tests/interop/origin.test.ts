/**
 * The heartbeats of the first article: its Python client with our server, our client with a Python server, on every runtime.
 *
 * The Python programs are in tests/origin/; what they can be told stands in their first lines. Waits are for lines, never for time.
 */

import { describe } from "node:test";
import { assert, assertEquals } from "@std/assert";
import {
  assertFoundDead,
  faultsIn,
  last,
  linesWith,
  peerOn,
  pythonTest,
  runClient,
  silentSince,
  startPython,
  startServer,
} from "../support/origin.ts";
import type { Line } from "../support/program.ts";
import { RUNTIMES } from "../support/runtimes.ts";

const CLIENT = "heartbeat_client.py";
const SERVER = "heartbeat_server.py";

/** Every fault is reported, none ends the connection. */
const PATIENT = { profile: "classic", heartbeat: { tolerance: 1_000 } };
/** The first fault ends the connection. */
const STRICT = { profile: "classic", heartbeat: { tolerance: 0 } };
/** Silence is found out soon: after 300 ms. */
const WATCHFUL = { profile: "classic", heartbeat: { interval: 100, multiplier: 3 } };
/** A client that sends often and is in no hurry to judge. */
const BUSY = { profile: "classic", heartbeat: { interval: 10, multiplier: 255, tolerance: 1_000 } };

const EVERY_BYTE = Array.from({ length: 21 }, (_, index) => index);
const FIELDS = { timestamp: 0, checksum: 4, sequence: 8, marker: 12 };

/** What is wrong with a packet in which the byte at `index` was changed. */
function wrongAt(index: number, side: "request" | "answer"): string {
  if (index >= FIELDS.marker) return "NOT_HEARTBEATS";
  const ofChecksum = index >= FIELDS.checksum && index < FIELDS.sequence;
  return side === "request" || ofChecksum ? "CHECKSUM" : "PONG_UNMATCHED";
}

/** The sequences of the answers that a client took, all of which must be right. */
function answered(lines: readonly Line[]): unknown[] {
  assertEquals(linesWith(lines, { event: "unanswered" }), []);
  const answers = linesWith(lines, { event: "answer" });
  assertEquals(linesWith(answers, { valid: true }), answers);
  return answers.map(({ seq }) => seq);
}

/** The sequences of the requests whose answers we took. */
function pongsIn(lines: readonly Line[]): unknown[] {
  return linesWith(lines, { event: "pong" }).map(({ sequence }) => sequence);
}

function upTo(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

for (const runtime of RUNTIMES) {
  describe(`the Python client and our server on ${runtime}`, () => {
    const peer = peerOn(runtime);

    pythonTest("the article's client runs against it, its one packet counted", async (test) => {
      const server = await peer().listen({ ...STRICT, classic: { repeats: "count" } });
      const lines = await runClient(test, CLIENT, server.port, "--beats", 20);
      assertEquals(answered(lines), new Array(20).fill(1));
      assertEquals(linesWith(lines, { data: "heartbeat" }).length, 20);
      const closed = last(await server.story());
      assertEquals([closed["kind"], closed["by"], closed["heartbeatFaults"]], ["closed", "peer", 0]);
      assertEquals([closed["pingsReceived"], closed["pongsSent"], closed["pingsRepeated"]], [20, 20, 19]);
      assertEquals([closed["bytesReceived"], closed["bytesSent"]], [420, 420]);
    });

    pythonTest("its repeats are a fault unless they are allowed", async (test) => {
      const server = await peer().listen(STRICT);
      const lines = await runClient(test, CLIENT, server.port);
      assertEquals(lines.map(({ event }) => event), ["connected", "answer", "closed by server", "done"]);
      assertEquals([faultsIn(await server.story()), answered(lines)], [["PING_REPEATED!"], [1]]);
    });

    pythonTest("a client that counts is answered, over the end of the numbers too", async (test) => {
      const server = await peer().listen(STRICT);
      const counting = await runClient(test, CLIENT, server.port, "--count-up", "--beats", 30);
      assertEquals(answered(counting), upTo(30, 1));
      const far = ["--count-up", "--beats", 4, "--seq", 2 ** 32 - 2];
      assertEquals(answered(await runClient(test, CLIENT, server.port, ...far)), [2 ** 32 - 1, 0, 1, 2]);
      assertEquals(faultsIn([...await server.story(0), ...await server.story(1)]), []);
    });

    pythonTest("each byte is checked, and nothing that is wrong is answered", async (test) => {
      const server = await peer().listen(PATIENT);
      const steps = EVERY_BYTE.flatMap((index) => [`flip:${index}`, "good"]);
      const lines = await runClient(test, CLIENT, server.port, "good", ...steps);
      assertEquals(answered(lines), [1, ...EVERY_BYTE.map((index) => 2 * index + 3)]);
      const story = await server.story();
      assertEquals(faultsIn(story), EVERY_BYTE.map((index) => wrongAt(index, "request")));
      assertEquals([last(story)["heartbeatFaults"], last(story)["pongsSent"]], [21, 22]);
    });

    for (const [field, index] of Object.entries(FIELDS)) {
      pythonTest(`a wrong ${field} ends the connection where none is tolerated`, async (test) => {
        const server = await peer().listen(STRICT);
        const lines = await runClient(test, CLIENT, server.port, "good", `corrupt:${field}`, "wait");
        assertEquals([answered(lines), linesWith(lines, { event: "ended", rest: "" }).length], [[1], 1]);
        const story = await server.story();
        const code = wrongAt(index, "request");
        assertEquals(faultsIn(story), [`${code}!`]);
        assertEquals([last(story)["kind"], last(story)["code"]], ["fault", code]);
      });
    }

    pythonTest("order, repetition and time are checked", async (test) => {
      const server = await peer().listen(PATIENT);
      const wrong = ["swap", "again", "old:3", "jump:1000", "back:5", "aged:-400"];
      const lines = await runClient(
        test,
        CLIENT,
        server.port,
        "good",
        ...wrong.flatMap((step) => [step, "good"]),
      );
      assertEquals(answered(lines), [1, 3, 4, 5, 6, 7, 9, 11]);
      const codes = ["PING_STALE", "PING_REPEATED", "PING_STALE", "PING_JUMPED", "TIMESTAMP_BACKWARDS"];
      assertEquals(faultsIn(await server.story()), [...codes, "TIMESTAMP_OLD"]);

      assertEquals(answered(await runClient(test, CLIENT, server.port, "aged:302", "good")), [2]);
      assertEquals(faultsIn(await server.story(1)), ["TIMESTAMP_OLD"]);
    });

    pythonTest("what was recorded and is played again is not believed", async (test) => {
      const server = await peer().listen(PATIENT);
      const steps = ["good", "good", "good", "replay", "good"];
      assertEquals(answered(await runClient(test, CLIENT, server.port, ...steps)), [1, 2, 3, 4]);
      assertEquals(faultsIn(await server.story()), ["PING_STALE", "PING_STALE", "PING_REPEATED"]);
    });

    pythonTest("three faults are tolerated, the fourth ends it", async (test) => {
      const server = await peer().listen({ profile: "classic" });
      const steps = ["good", "corrupt:checksum", "again", "old:5", "good", "corrupt:sequence", "wait"];
      assertEquals(answered(await runClient(test, CLIENT, server.port, ...steps)), [1, 3]);
      const codes = ["CHECKSUM", "PING_REPEATED", "PING_STALE", "CHECKSUM!"];
      assertEquals(faultsIn(await server.story()), codes);
    });

    pythonTest("packets may be glued together and split at any byte", async (test) => {
      const server = await peer().listen(STRICT);
      const splits = EVERY_BYTE.slice(1).map((index) => `split:${index}`);
      const lines = await runClient(test, CLIENT, server.port, "glue:3", ...splits, "drip", "glue:3");
      assertEquals(answered(lines), upTo(27, 1));
      assertEquals(faultsIn(await server.story()), []);
    });

    pythonTest("a silent client is held dead inside the bound, also inside a packet", async (test) => {
      const server = await peer().listen(WATCHFUL);
      for (const [session, step] of ["silent", "part:10"].entries()) {
        const program = startPython(test, CLIENT, "127.0.0.1", server.port, "good", "good", step);
        const story = await server.story(session);
        assertFoundDead(last(story), await silentSince(program));
        assertEquals(linesWith(story, { event: "suspect" }).length, 1);
        await program.told({ event: "ended" });
      }
    });

    pythonTest("HTTP and noise are no heartbeats", async (test) => {
      const strict = await peer().listen(STRICT);
      await runClient(test, CLIENT, strict.port, "http", "wait");
      assertEquals(faultsIn(await strict.story()), ["NOT_HEARTBEATS!"]);

      // What follows rubbish is read again from the marker of the first packet on.
      const patient = await peer().listen(PATIENT);
      const steps = ["http", "unheard", "good", "noise:5000", "wait"];
      assertEquals(answered(await runClient(test, CLIENT, patient.port, ...steps)), [2]);
      const codes = ["NOT_HEARTBEATS", "NOT_HEARTBEATS", "NOT_HEARTBEATS!"];
      assertEquals(faultsIn(await patient.story()), codes);

      const watchful = await peer().listen(WATCHFUL);
      await runClient(test, CLIENT, watchful.port, "http", "wait");
      assertEquals(last(await watchful.story())["kind"], "dead");
    });
  });

  describe(`our client on ${runtime} and the Python server`, () => {
    const peer = peerOn(runtime);

    pythonTest("each is answered, with its round trip, until we close", async (test) => {
      const { program, port } = await startServer(test, SERVER);
      const client = peer().connect(port, BUSY);
      await client.told({ event: "pong" }, 9);
      client.end("close");
      const story = await client.story();
      await program.told({ event: "ended" });
      assertEquals([last(story)["kind"], last(story)["by"], faultsIn(story)], ["closed", "local", []]);
      const requests = linesWith(program.lines, { event: "packet" });
      assertEquals(requests.map(({ seq }) => seq), upTo(requests.length));
      for (const { valid, timestamp, at } of requests) {
        assert(valid === true && Math.abs(Number(timestamp) - Number(at)) < 5, `${timestamp} at ${at}`);
      }
      const pongs = linesWith(story, { event: "pong" });
      assert(pongs.length >= 10 && pongs.length <= requests.length);
      assertEquals(pongsIn(story), upTo(pongs.length));
      for (const { rtt } of pongs) assert(Number(rtt) >= 0 && Number(rtt) < 2_000, `${rtt}`);
    });

    pythonTest("each byte of an answer is checked", async (test) => {
      const steps = EVERY_BYTE.flatMap((index) => ["good", `flip:${index}`]);
      const { port } = await startServer(test, SERVER, ...steps, "good");
      const client = peer().connect(port, BUSY);
      await client.told({ event: "pong" }, EVERY_BYTE.length);
      client.end("close");
      const story = await client.story();
      assertEquals(faultsIn(story), EVERY_BYTE.map((index) => wrongAt(index, "answer")));
      assertEquals(pongsIn(story).slice(0, 22), EVERY_BYTE.concat(21).map((index) => 2 * index));
    });

    for (const [field, index] of Object.entries(FIELDS)) {
      pythonTest(
        `a wrong ${field} in an answer ends the connection where none is tolerated`,
        async (test) => {
          const { program, port } = await startServer(test, SERVER, "good", `corrupt:${field}`);
          const client = peer().connect(port, { ...BUSY, heartbeat: { ...BUSY.heartbeat, tolerance: 0 } });
          const story = await client.story();
          const code = wrongAt(index, "answer");
          assertEquals([pongsIn(story), faultsIn(story)], [[0], [`${code}!`]]);
          assertEquals([last(story)["kind"], last(story)["code"]], ["fault", code]);
          await program.told({ event: "ended" });
        },
      );
    }

    for (const [step, faults, pongs] of [["reverse:3", 2, [0, 3, 4]], ["again", 1, [0, 1, 2]]] as const) {
      const name = step === "again" ? "an answer that comes again is" : "answers in the wrong order are";
      pythonTest(`${name} told`, async (test) => {
        const { port } = await startServer(test, SERVER, "good", step, "good");
        const client = peer().connect(port, BUSY);
        await client.told({ event: "pong" }, 2);
        client.end("close");
        const story = await client.story();
        assertEquals(pongsIn(story).slice(0, 3), [...pongs]);
        assertEquals(faultsIn(story), new Array(faults).fill("PONG_UNMATCHED"));
      });
    }

    pythonTest("answers may be glued together and split at any byte", async (test) => {
      const splits = EVERY_BYTE.slice(1).map((index) => `split:${index}`);
      const { port } = await startServer(test, SERVER, "glue:4", ...splits, "drip", "glue:4", "good");
      const client = peer().connect(port, BUSY);
      await client.told({ event: "pong", sequence: 29 });
      client.end("close");
      const story = await client.story();
      assertEquals([pongsIn(story).slice(0, 30), faultsIn(story)], [upTo(30), []]);
    });

    pythonTest("a silent server is held dead inside the bound", async (test) => {
      const { program, port } = await startServer(test, SERVER, "good", "silent");
      const client = peer().connect(port, WATCHFUL);
      assertFoundDead(last(await client.story()), await silentSince(program));
      await client.told({ event: "status", state: "closed" });
      const states = linesWith(client.lines, { event: "status" }).map(({ state }) => state);
      assertEquals(states.slice(-2), ["suspect", "closed"]);
    });

    pythonTest("a web server is no heartbeat server", async (test) => {
      const { port } = await startServer(test, SERVER, "http");
      const client = peer().connect(port, STRICT);
      assertEquals(faultsIn(await client.story()), ["NOT_HEARTBEATS!"]);
    });
  });
}

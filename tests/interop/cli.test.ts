/**
 * The command, run as a person would, on every runtime and between runtimes.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Line, startCli, startServer } from "../support/cli.ts";
import { type Runtime, RUNTIMES } from "../support/runtimes.ts";

/** What a test needs besides what it tests runs on the runtime that starts fastest. */
const HELPER: Runtime = "bun";

/** The runtime after this one, so that all three meet another. */
function other(runtime: Runtime): Runtime {
  return RUNTIMES[(RUNTIMES.indexOf(runtime) + 1) % RUNTIMES.length]!;
}

for (const serving of RUNTIMES) {
  describe(`serve on ${serving}`, () => {
    it("answers ping on each runtime", async (t) => {
      const { server, address } = await startServer(t, serving);
      const first = server.records[0]!;
      assertEquals([first["type"], first["host"], typeof first["port"]], [
        "listening",
        "127.0.0.1",
        "number",
      ]);
      for (const asking of RUNTIMES) {
        // Not sooner: who asks every 50 ms holds a runtime dead that takes 300 ms to compile its first answer.
        const ping = startCli(t, asking, ["ping", address, "--count", "3", "--interval", "200", "--json"]);
        const { code, summary } = await ping.end();
        assertEquals(code, 0, ping.stderr);
        const pongs = ping.records.filter(({ type }) => type === "pong");
        assertEquals(pongs.map(({ seq }) => seq), [1, 2, 3]);
        for (const { rtt } of pongs) assert(typeof rtt === "number" && rtt >= 0 && rtt < 10_000);
        assertEquals([summary["type"], summary["sent"], summary["answered"], summary["lost"]], [
          "summary",
          3,
          3,
          0,
        ]);
        assertEquals([summary["verdict"], summary["outages"], summary["exit"]], ["alive", 0, 0]);
        assertEquals(ping.stderr, "");
      }
      server.kill("SIGINT");
      const { code, summary } = await server.end();
      assertEquals([code, summary["sessions"]], [130, 3]);
    });

    it("answers in upper case, and send prints that", async (t) => {
      const { server, address } = await startServer(t, serving, "--handler", "upper");
      const given = startCli(t, other(serving), ["send", address, "grüße"]);
      assertEquals([(await given.end()).code, given.stdout], [0, "GRÜSSE\n"]);
      const piped = startCli(t, other(other(serving)), ["send", address], { stdin: "two\nlines\n" });
      assertEquals([(await piped.end()).code, piped.stdout], [0, "TWO\nLINES\n"]);
      const json = startCli(t, serving, ["send", address, "x", "--json"]);
      const { code, summary } = await json.end();
      assertEquals([code, json.records[0]], [0, { type: "reply", seq: 1, text: "X" }]);
      assertEquals([summary["sent"], summary["replies"], summary["exit"]], [1, 1, 0]);
      server.kill("SIGTERM");
      assertEquals((await server.end()).code, 0);
    });

    it("echoes the lines of connect until the end of stdin", async (t) => {
      const { address } = await startServer(t, serving);
      const many = Array.from({ length: 2_000 }, (_, i) => `line ${i} ${"x".repeat(i % 97)}`).join("\n");
      for (const [asking, stdin] of [[serving, "one\n\ntwo"], [other(serving), many]] as const) {
        const client = startCli(t, asking, ["connect", address], { stdin });
        assertEquals((await client.end()).code, 0, client.stderr);
        assertEquals(client.stdout, `${stdin}\n`);
        assertMatch(client.stderr, /^connecting to .*\nlive: .*found within 30\.0 s\nclosed by this side/);
      }
    });

    it("lets two chat, and carries binary messages whole", async (t) => {
      const { server, address } = await startServer(t, serving, "--handler", "chat");
      const ada = startCli(t, HELPER, ["connect", address], { stdin: null });
      await ada.says("stderr", /live:/);
      const bob = startCli(t, other(serving), ["connect", address, "--json"], { stdin: null });
      await bob.record({ type: "status", state: "live" });
      await server.record({ type: "opened", session: "user2" }); // its first frame is there: now it is in the room
      ada.child.stdin.write("hello\n");
      const { text } = await bob.record({ type: "message" });
      const [, name] = /^(\w+): hello$/.exec(String(text))!;
      bob.child.stdin.write("hello yourself\n");
      const [, others] = await ada.says("stdout", /^(\w+): hello yourself$/m);
      assert(name !== others);
      ada.child.stdin.end();
      bob.child.stdin.end();
      assertEquals([(await ada.end()).code, (await bob.end()).code], [0, 0]);
      assertEquals(ada.stdout.split("\n").length, 2);
    });

    it("tells what to type next, and what became of each session", async (t) => {
      const server = startCli(t, serving, ["serve", "0"]);
      const [, port] = await server.says("stderr", /serving echo at 127\.0\.0\.1:(\d+)/);
      await server.says("stderr", /Ctrl-C ends/);
      for (const command of ["npx heartwire", "deno run -A cli/main.ts", "bun cli/main.ts"]) {
        assertStringIncludes(server.stderr, `${command} ping 127.0.0.1:${port}`);
        assertStringIncludes(server.stderr, `${command} connect 127.0.0.1:${port}`);
      }
      const client = startCli(t, HELPER, ["connect", `:${port}`, "--interval", "50", "--json"], {
        stdin: null,
      });
      await client.record({ state: "live" });
      await server.says("stderr", /\+ user1 127\.0\.0\.1:\d+ opened/);
      client.kill("SIGSTOP");
      await server.says("stderr", /- user1 127\.0\.0\.1:\d+ dead: INBOUND_SILENT, nothing heard for \d+ ms/);
      assertEquals(server.stdout, "");
    });

    it("ends at once at the second signal", async (t) => {
      const server = startCli(t, serving, ["serve", "0"]);
      const [, port] = await server.says("stderr", /serving echo at 127\.0\.0\.1:(\d+)/);
      const client = startCli(t, HELPER, ["connect", `:${port}`], { stdin: null });
      await server.says("stderr", /user1 .* opened/);
      client.kill("SIGSTOP"); // it will not answer the polite end, which takes 5 s then
      const started = performance.now();
      server.kill("SIGINT");
      await server.says("stderr", /closing 1 session/);
      server.kill("SIGTERM"); // another signal, for the same one soon after counts as the same press
      assertEquals((await server.end()).code, 130);
      assert(performance.now() - started < 4_500);
      assertMatch(server.stderr, /served 1 session \(1 aborted\)/);
    });

    it("listens on a Unix socket", async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "heartwire-"));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const path = join(folder, "socket");
      const server = startCli(t, serving, ["serve", path, "--json"]);
      assertEquals((await server.record({ type: "listening" }))["path"], path);
      const ping = startCli(t, other(serving), ["ping", path, "-c", "1"]);
      assertEquals((await ping.end()).code, 0, ping.stderr);
      server.kill("SIGINT");
      assertEquals((await server.end()).code, 130);
    });
  });
}

/** A port on which nobody listens: it was free a moment ago. */
function closedPort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createTcpServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

function listening<T extends Server | ReturnType<typeof createTcpServer>>(server: T): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

for (const runtime of RUNTIMES) {
  describe(`the exit code on ${runtime}`, () => {
    const errorOf = (summary: Line): unknown => (summary["error"] as Line | undefined)?.["code"];

    it("is 2 for wrong usage, with a hint", async (t) => {
      const cli = startCli(t, runtime, ["ping", "--cuont", "1"]);
      assertEquals([(await cli.end()).code, cli.stdout], [2, ""]);
      assertMatch(cli.stderr, /^heartwire: no option --cuont\nDid you mean --count\?/);
    });

    it("is 3 when nobody listens, and when the host has no address", async (t) => {
      const port = await closedPort();
      for (const command of ["ping", "connect", "send"]) {
        const cli = startCli(t, runtime, [command, `127.0.0.1:${port}`, "--json"]);
        const { code, summary } = await cli.end();
        assertEquals([code, summary["exit"], errorOf(summary)], [3, 3, "ERR_HEARTWIRE_REFUSED"]);
        assertStringIncludes(cli.stderr, "nobody listens there");
      }
      const nowhere = startCli(t, runtime, ["ping", "no-such-host.invalid:1", "--json"]);
      const { code, summary } = await nowhere.end();
      assertEquals([code, errorOf(summary)], [3, "ERR_HEARTWIRE_DNS"]);
      const { address } = await startServer(t, HELPER);
      const taken = startCli(t, runtime, ["serve", address]);
      assertEquals((await taken.end()).code, 3, taken.stderr);
    });

    it("is 4 when the server is not heartwire", async (t) => {
      const http = createServer((_request, response) => response.end("no"));
      const port = await listening(http);
      t.after(() => http.close());
      const cli = startCli(t, runtime, ["ping", `127.0.0.1:${port}`, "--json"]);
      const { code, summary } = await cli.end();
      assertEquals([code, errorOf(summary)], [4, "ERR_HEARTWIRE_NOT_HEARTWIRE"]);
    });

    it("is 5 when the server says nothing at all, or no reply comes", async (t) => {
      const mute = createTcpServer((socket) => socket.on("error", () => {}));
      const port = await listening(mute);
      t.after(() => mute.close());
      const unanswered = startCli(t, runtime, ["send", `:${port}`, "x", "--timeout", "300", "--json"]);
      const first = await unanswered.end();
      assertEquals([first.code, errorOf(first.summary)], [5, "ERR_HEARTWIRE_HANDSHAKE_TIMEOUT"]);
      const { address } = await startServer(t, HELPER, "--handler", "discard");
      const unreplied = startCli(t, runtime, ["send", address, "x", "--timeout", "500", "--json"]);
      const second = await unreplied.end();
      assertEquals([second.code, errorOf(second.summary)], [5, "ERR_HEARTWIRE_TIMEOUT"]);
      const unexpected = startCli(t, runtime, ["send", address, "x", "--expect", "0", "--json"]);
      assertEquals((await unexpected.end()).code, 0, unexpected.stderr);
    });

    it("is 1 when the server is killed, 5 when it falls silent", async (t) => {
      for (const [signal, exit] of [["SIGKILL", 1], ["SIGSTOP", 5]] as const) {
        const { server, address } = await startServer(t, HELPER);
        const args = ["connect", address, "--interval", "100", "--json"];
        const cli = startCli(t, runtime, args, { stdin: null });
        await cli.record({ state: "live" });
        server.kill(signal);
        const { code, summary } = await cli.end();
        assertEquals([code, summary["reason"]], [exit, exit === 1 ? "lost" : "dead"]);
      }
    });

    it("is 130 at SIGINT, with the summary; 143 at SIGTERM", async (t) => {
      const { server, address } = await startServer(t, HELPER);
      const ping = startCli(t, runtime, ["ping", address, "--interval", "100", "--json"]);
      await ping.record({ type: "pong", seq: 2 });
      ping.kill("SIGINT");
      const { code, summary } = await ping.end();
      assertEquals([code, summary["type"], summary["lost"], summary["exit"]], [130, "summary", 0, 130]);
      const connect = startCli(t, runtime, ["connect", address, "--json"], { stdin: null });
      await connect.record({ state: "live" });
      connect.kill("SIGINT");
      const ended = await connect.end();
      assertEquals([ended.code, ended.summary["type"], ended.summary["reason"]], [130, "summary", "closed"]);
      const pinging = startCli(t, runtime, ["ping", address]);
      await pinging.says("stdout", /seq=1/);
      const sending = startCli(t, runtime, ["send", address], { stdin: null });
      await server.record({ type: "opened", session: "user4" });
      for (const cli of [sending, pinging]) cli.kill("SIGTERM");
      assertEquals([(await sending.end()).code, (await pinging.end()).code], [143, 143]);
      assertStringIncludes(pinging.stdout, "ping statistics");
    });

    it("is 0 when nobody reads stdout any more, and nothing is said of it", async (t) => {
      const { address } = await startServer(t, HELPER);
      const ping = startCli(t, runtime, ["ping", address, "--interval", "20"]);
      await ping.says("stdout", /seq=1/);
      ping.child.stdout.destroy();
      assertEquals([(await ping.end()).code, ping.stderr], [0, ""]);
    });
  });

  describe(`ping on ${runtime}`, () => {
    it("finds a stopped server dead within its stated bound, and back again", async (t) => {
      const { server, address } = await startServer(t, other(runtime));
      const ping = startCli(t, runtime, ["ping", address, "--interval", "200", "--json"]);
      const { agreement } = await ping.record({ type: "status", state: "live" });
      const bound = (agreement as { idleDetectionBound: number }).idleDetectionBound;
      assert(bound <= 4 * 267 + 10, `bound ${bound}`); // the beat is 4/3 of the question's interval
      await ping.record({ type: "pong", seq: 3 });

      const stopped = performance.now();
      server.kill("SIGSTOP");
      const dead = await ping.record({ type: "status", state: "dead" });
      const took = performance.now() - stopped;
      assertEquals([dead["verdict"], dead["direction"], dead["bound"]], ["INBOUND_SILENT", "inbound", bound]);
      assert(Number(dead["silentFor"]) >= Number(dead["limit"]), JSON.stringify(dead));
      // What a busy machine needs to run three processes comes on top.
      assert(took < bound + 500, `took ${took} ms, bound ${bound} ms`);
      assert(ping.records.some(({ state }) => state === "suspect"));

      const before = ping.records.length;
      server.kill("SIGCONT");
      const live = await ping.record({ type: "status", state: "live" }, before);
      assert(Number(live["outage"]) > 0);
      await ping.record({ type: "pong" }, before);
      ping.kill("SIGINT");
      const { code, summary } = await ping.end();
      assertEquals([code, summary["verdict"], summary["outages"]], [130, "alive", 1]);
      assert(Number(summary["lost"]) > 0);
    });

    it("exits 5 when the peer stays dead, and tells why", async (t) => {
      const { server, address } = await startServer(t, HELPER);
      const ping = startCli(t, runtime, ["ping", address, "--interval", "100", "--count", "12"]);
      await ping.says("stdout", /seq=2/);
      server.kill("SIGSTOP");
      assertEquals((await ping.end()).code, 5, ping.stdout);
      assertMatch(
        ping.stdout,
        /^PING 127\.0\.0\.1:\d+: every 100 ms; a dead peer is found within \d+ ms$/m,
      );
      assertMatch(ping.stdout, /^dead: INBOUND_SILENT, nothing heard for \d+ ms, bound \d+ ms$/m);
      assertMatch(ping.stdout, /^dialling again$/m);
      assertMatch(ping.stdout, /^12 sent, \d+ answered, \d+ lost \(.*%\)/m);
      assertMatch(ping.stdout, /^rtt min\/p50\/p90\/p99\/max = [\d.]+(\/[\d.]+){4} ms$/m);
      assertMatch(ping.stdout, /^verdict: INBOUND_SILENT; 1 outage/m);
    });

    it("exits 1 when answers were lost and the server is back", async (t) => {
      // Not faster: a process that stands still for a tenth of a second among others would be an outage of its own.
      const { server, address } = await startServer(t, other(runtime), "--interval", "100");
      const ping = startCli(t, runtime, ["ping", address, "--interval", "100", "--count", "50", "--json"]);
      await ping.record({ type: "pong", seq: 2 });
      server.kill("SIGKILL");
      await ping.record({ type: "lost" });
      const again = startCli(t, HELPER, ["serve", address, "--interval", "100", "--json"]);
      await again.record({ type: "listening" });
      const { code, summary } = await ping.end();
      assertEquals([code, summary["sent"], summary["verdict"], summary["outages"]], [1, 50, "alive", 1]);
    });
  });

  describe(`connect --reconnect on ${runtime}`, () => {
    it("dials again after a restart, and says that it is a new conversation", async (t) => {
      const { server, address } = await startServer(t, other(runtime));
      const client = startCli(t, runtime, ["connect", address, "--reconnect"], { stdin: null });
      await client.says("stderr", /live:/);
      client.child.stdin.write("one\n");
      await client.says("stdout", /^one$/m);
      server.kill("SIGKILL");
      await client.says("stderr", /lost: .*; dialling again/);
      client.child.stdin.write("two\n"); // waits for the next conversation
      const again = startCli(t, other(runtime), ["serve", address, "--json"]);
      await again.record({ type: "listening" });
      await client.says("stderr", /new conversation/);
      await client.says("stdout", /^two$/m);
      client.child.stdin.end();
      // The first server may have been killed before it said that it had finished "one".
      const uncertain = /perhaps delivered: 1/.test(client.stderr);
      assertEquals((await client.end()).code, uncertain ? 1 : 0, client.stderr);
      assertEquals(client.stdout, "one\ntwo\n");
    });
  });
}

/**
 * `send --reconnect`: a connection that breaks before the reply, and what is known then of the message, on every runtime.
 */

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { type Line, startCli } from "../support/cli.ts";
import { RUNTIMES } from "../support/runtimes.ts";

interface Peer {
  readonly address: string;
  /** What each connection sent. */
  readonly heard: string[];
  readonly server: Server;
}

/** Listens; `answer` is called when a connection has said something. */
async function listen(
  t: { after(cleanup: () => void): void },
  answer: (socket: Socket, number: number) => void,
): Promise<Peer> {
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const number = heard.push("");
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      heard[number - 1] += bytes.toString();
      answer(socket, number);
    });
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, heard, server };
}

const RAW = ["--profile", "raw"];

for (const runtime of RUNTIMES) {
  describe(`send --reconnect on ${runtime}`, () => {
    it("sends again after a reset and after an end, and says that it may have arrived before", async (t) => {
      const peer = await listen(t, (socket, number) => {
        if (number === 1) socket.resetAndDestroy();
        else if (number === 2) socket.end();
        else socket.end("HELLO");
      });
      const send = startCli(t, runtime, ["send", peer.address, "hello", "--reconnect", "--json", ...RAW]);
      const { code, summary } = await send.end();
      assertEquals([code, summary["replies"], summary["maybeDelivered"]], [0, 1, 2], send.stderr);
      assertEquals(peer.heard, ["hello", "hello", "hello"]);
      const again = send.records.filter(({ type }) => type === "again");
      assertEquals(again.map(({ maybeDelivered }) => maybeDelivered), [1, 2]);
      assertEquals(again[1]!["code"], "ERR_HEARTWIRE_CLOSED");
      for (const { retryIn } of again) assert(Number(retryIn) >= 50 && Number(retryIn) <= 500);
    });

    it("tells the same to a person, and reads stdin once", async (t) => {
      const peer = await listen(t, (socket, number) => {
        if (number === 1) socket.resetAndDestroy();
        else socket.end("fine\n");
      });
      const send = startCli(t, runtime, ["send", peer.address, "--reconnect", ...RAW], {
        stdin: "from stdin",
      });
      assertEquals([(await send.end()).code, send.stdout], [0, "fine\n"], send.stderr);
      assertEquals(peer.heard, ["from stdin", "from stdin"]);
      assertMatch(send.stderr, /the message may have been delivered already; sending again in \d+ ms/);
      assertMatch(send.stderr, /the message may have been delivered 1 time more than this reply tells/);
    });

    it("dials until the server is back", async (t) => {
      const peer = await listen(t, (socket) => {
        peer.server.close();
        socket.resetAndDestroy();
      });
      const send = startCli(t, runtime, ["send", peer.address, "hello", "--reconnect", "--json", ...RAW]);
      await send.record({ type: "again", code: "ERR_HEARTWIRE_REFUSED" });
      const back = createServer((socket) => socket.on("error", () => {}).end("back"));
      t.after(() => back.close());
      await new Promise<void>((resolve) =>
        back.listen(Number(peer.address.split(":")[1]), "127.0.0.1", resolve)
      );
      const { code, summary } = await send.end();
      assertEquals([code, summary["replies"], summary["maybeDelivered"]], [0, 1, 1], send.stderr);
    });

    it("gives up when --timeout has passed, and asks no silent server twice", async (t) => {
      const resetting = await listen(t, (socket) => socket.resetAndDestroy());
      const send = startCli(t, runtime, [
        ...["send", resetting.address, "hello", "--reconnect", "--timeout", "1000", ...RAW],
      ]);
      assertEquals((await send.end()).code, 1);
      assert(resetting.heard.length >= 2, String(resetting.heard.length));
      assertStringIncludes(send.stderr, "whether the message arrived is not known");
      const silent = await listen(t, () => {});
      const waiting = startCli(t, runtime, [
        ...["send", silent.address, "hello", "--reconnect", "--timeout", "300", "--json", ...RAW],
      ]);
      const { code, summary } = await waiting.end();
      assertEquals([code, summary["maybeDelivered"], silent.heard.length], [5, 1, 1]);
    });

    it("is needed: without it the first end is the last, and a wrong address is told at once", async (t) => {
      const peer = await listen(t, (socket) => socket.end());
      const send = startCli(t, runtime, ["send", peer.address, "hello", "--json", ...RAW]);
      const { code, summary } = await send.end();
      assertEquals([code, (summary["error"] as Line)["code"], summary["maybeDelivered"], peer.heard.length], [
        ...[1, "ERR_HEARTWIRE_CLOSED", 1, 1],
      ]);
      peer.server.close();
      const refused = startCli(t, runtime, ["send", peer.address, "hello", "--reconnect", ...RAW]);
      assertEquals((await refused.end()).code, 3);
      assertNotMatch(refused.stderr, /again|arrived/);
    });
  });
}

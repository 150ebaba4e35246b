/** A server that is killed and started again goes on with its sessions: what is in its file is all that it has. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { connect, eventually, pause, runtime } from "../support/contract.ts";
import { Program } from "../support/program.ts";
import { runtimeCommand } from "../support/runtimes.ts";

describe("a server that is killed and started again", () => {
  test("answers each message once, in order, over all its lives", async () => {
    const folder = mkdtempSync(join(tmpdir(), "heartwire-restart-"));
    const file = join(folder, "sessions");
    const start = async (port: number): Promise<{ program: Program; port: number }> => {
      const command = runtimeCommand(runtime, "tests/store/restarts.ts");
      const program = new Program([...command, `${port}`, file], "server");
      const line = await program.told({ type: "listening" });
      return { program, port: line["port"] as number };
    };
    let { program, port } = await start(0);
    const session = await connect(`127.0.0.1:${port}`, { reconnect: { base: 20, floor: 5, cap: 100 } });
    const got: string[] = [];
    session.onMessage((message) => void got.push(message.text())).catch(() => {});
    await session.send("0");
    await eventually("it is answered", () => got.length === 1);
    let sent = 1;
    for (let life = 0; life < 3; life++) {
      const sending = (async () => {
        for (let i = 0; i < 40; i++) {
          await session.send(`${sent++}`);
          await pause(1);
        }
      })();
      await pause(5 + 12 * life);
      program.kill("SIGKILL");
      await program.ended();
      await sending;
      ({ program, port } = await start(port));
      await eventually("all is answered", () => got.length >= sent);
    }
    await pause(50);
    assertEquals(got.map((text) => text.split(" ")[1]), Array.from({ length: sent }, (_, i) => `${i}`));
    assertGreater(new Set(got.map((text) => text.split(" ")[0])).size, 2, "lives that answered");
    await session.close();
    program.kill("SIGKILL");
    await program.ended();
    rmSync(folder, { recursive: true });
  });
});

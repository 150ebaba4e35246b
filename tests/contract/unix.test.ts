/**
 * Files of Unix sockets: made, removed, left behind by a crash, and never taken from somebody who uses them.
 * @module
 */

import { describe, test } from "node:test";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { codeOf, connect, echo, listen, nextText, runtime, socketPath } from "../support/contract.ts";

// Windows has no such files.
const skip = !existsSync("/tmp");

describe(`unix sockets on ${runtime}`, { skip }, () => {
  test("the file goes with the server", async () => {
    const path = socketPath();
    const server = await listen(path, echo);
    assertEquals(existsSync(path), true);
    assertEquals(await codeOf(listen(path, echo)), "ADDRESS_IN_USE");
    assertEquals(existsSync(path), true, "the second one has not removed it");
    await using session = await connect(path);
    await session.send("x");
    assertEquals(await nextText(session), "x");
    await session.close();
    await server.close();
    assertEquals(existsSync(path), false);
    assertEquals(await codeOf(connect(path)), "REFUSED");
  });

  test("a file that a crash left is taken over", async () => {
    const path = socketPath();
    const aside = `${path}.dead`;
    const dead = await listen(path, echo);
    renameSync(path, aside);
    await dead.close(); // has nothing to remove
    renameSync(aside, path);
    assertEquals(existsSync(path), true, "a socket's file, and nobody behind it");
    assertEquals(await codeOf(connect(path)), "REFUSED");
    const server = await listen(path, echo);
    await using session = await connect(path);
    await session.send("x");
    assertEquals(await nextText(session), "x");
    await session.close();
    await server.close();
  });

  test("the limit by address is not for clients that have none", async () => {
    await using server = await listen(socketPath(), echo, { maxConnectionsPerKey: 1 });
    await using one = await connect(server.address);
    await using other = await connect(server.address);
    for (const session of [one, other]) {
      await session.send("x");
      assertEquals(await nextText(session), "x");
    }
  });

  test("a file that is no socket is left alone", async () => {
    const path = socketPath();
    writeFileSync(path, "precious");
    assertEquals(await codeOf(listen(path, echo)), "ADDRESS_IN_USE");
    assertEquals(readFileSync(path, "utf8"), "precious");
    rmSync(path);
  });
});

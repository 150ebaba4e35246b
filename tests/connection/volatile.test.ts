/**
 * Volatile messages: at once or not at all, at most once, ahead of what waits, and within the credit.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { HeartwireError } from "../../core/errors.ts";
import { Pair } from "../support/pair.ts";
import { World } from "../support/world.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (what: string): Uint8Array => new TextEncoder().encode(what);

describe("a volatile message", () => {
  it("arrives, says what it is, and moves no position", () => {
    const pair = Pair.open();
    pair.send(pair.client, "in order");
    assertEquals(pair.act(pair.client, (c, now) => c.sendVolatile(bytes("now"), now)), "sent");
    pair.run(100);
    const seen = pair.server.of("message");
    assertEquals(seen.map((event) => [text(event.bytes), event.volatile, event.position]), [
      ["in order", false, 1],
      ["now", true, 1],
    ]);
    assertEquals(pair.client.connection.stats().accepted, 1);
  });

  it("overtakes what waits", () => {
    const pair = Pair.open();
    pair.client.takes = 0;
    pair.act(pair.client, (c, now) => c.send(new Uint8Array(100_000), now));
    pair.act(pair.client, (c, now) => c.sendVolatile(bytes("first"), now));
    pair.client.takes = Infinity;
    pair.drain(pair.client);
    pair.run(1_000);
    assertEquals(text(pair.server.messages[0]!), "first");
    assertEquals(pair.server.messages.length, 2);
  });

  it("is dropped when the peer's window is full, and credit comes back when its application has finished", () => {
    const pair = Pair.open({ server: { maxMessage: 10_000, window: 20_000 } });
    pair.server.consumes = false;
    const send = (): string => pair.act(pair.client, (c, now) => c.sendVolatile(new Uint8Array(5_000), now));
    assertEquals([send(), send(), send(), send()], ["sent", "sent", "sent", "dropped"]);
    pair.run(100);
    assertEquals(pair.server.messages.length, 3);
    const { position } = pair.server.of("message").at(-1)!;
    pair.act(pair.server, (c, now) => c.consumed(position, now));
    pair.run(100);
    assertEquals([send(), send(), send(), send()], ["sent", "sent", "sent", "dropped"]);
  });

  it("is dropped when the transport takes nothing: a heartbeat must not wait behind many", () => {
    const pair = Pair.open();
    pair.client.takes = 0;
    let sent = 0;
    while (pair.act(pair.client, (c, now) => c.sendVolatile(new Uint8Array(1_000), now)) === "sent") sent++;
    assert(sent >= 16 && sent <= 18, `${sent}`);
    assertEquals(pair.client.connection.phase, "open");
  });

  it("is never sent again: what a cut swallowed is gone", () => {
    const world = new World();
    world.run(100);
    world.silent = true;
    const { connection } = world.client.session!;
    assertEquals(connection!.sendVolatile(bytes("gone"), world.now), "sent");
    world.client.settle(connection!, world.now);
    world.send("client", "kept");
    world.run(10);
    world.silent = false;
    world.resetAll();
    world.run(1_000);
    assertEquals(world.far.messages, ["kept"]);
  });

  it("of more than a chunk is refused, typed", () => {
    const pair = Pair.open();
    const error = assertThrows(
      () => pair.client.connection.sendVolatile(new Uint8Array(16_385), pair.now),
      HeartwireError,
    );
    assertEquals(error.code, "ERR_HEARTWIRE_MESSAGE_TOO_LARGE");
  });
});

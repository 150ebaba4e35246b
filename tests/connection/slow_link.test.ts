/**
 * A message that keeps a slow link busy for minutes, and the heartbeats beside it.
 *
 * Rules: virtual time; a kernel that takes 4 MB ahead, as Linux does, so that only the machine itself can keep a heartbeat in time.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { Pair } from "../support/pair.ts";

const SIZE = 100_000_000;
/** 1 Mbit/s, bytes a ms. */
const RATE = 125;
const KERNEL = 4 * 2 ** 20;
const LATENCY = 20;
/** What may be in flight at first, and one chunk. */
const BOUND = (65_536 + 16_384 + 64) / RATE;

describe("a message of 100 MB over 1 Mbit/s", () => {
  it("delays a heartbeat by what may be in flight and one chunk, causes no suspicion, and arrives", () => {
    const options = {
      heartbeat: { interval: 1_000, multiplier: 3, minimumInterval: 100 },
      maxMessage: SIZE,
      window: 2 * SIZE,
      sendBuffer: 2 * SIZE,
    };
    const pair = Pair.open({ client: options, server: options });
    const { client, server } = pair;
    for (const { out } of [client, server]) {
      out.latency = LATENCY;
      out.rate = RATE;
      out.room = KERNEL;
    }
    const bytes = new Uint8Array(SIZE).fill(7);
    assertEquals(pair.act(client, (connection, now) => connection.send(bytes, now)), "accepted");
    let asked = 0;
    let slowest = 0;
    client.onEvent = ({ type, ...event }) => {
      if (type === "pong" && "rtt" in event) slowest = Math.max(slowest, Number(event.rtt));
    };
    const begun = pair.now;
    while (server.messages.length === 0) {
      pair.run(5_000, () => server.messages.length > 0);
      pair.act(client, (connection, now) => connection.ping(now));
      asked++;
      assert(pair.now - begun < 1.05 * SIZE / RATE + 1_000, `${pair.now - begun} ms`);
    }
    assertEquals(server.messages[0]!.length, SIZE);
    assertLessOrEqual(slowest, BOUND + 2 * LATENCY + 50);
    for (const side of [client, server]) {
      assertEquals(side.of("suspect").length + side.of("closed").length, 0);
      assertEquals(side.connection.phase, "open");
    }
    console.log(
      `report: ${SIZE / 1e6} MB at 1 Mbit/s: ${asked} pings, the slowest ${slowest.toFixed(0)} ms, bound ${
        BOUND.toFixed(0)
      } ms`,
    );
  });
});

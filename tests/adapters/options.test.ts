/**
 * What `connect` and `listen` are given: every mistake is refused by name before anything is dialled or opened.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connectOn } from "../../adapters/connect.ts";
import { listenOn } from "../../adapters/listen.ts";
import { VirtualWorld } from "../support/virtual_platform.ts";
import { echo, failure, HERE, scene } from "../support/virtual_sessions.ts";

test("a URL will do as an address, alone or among others", async () => {
  const world = new VirtualWorld();
  const url = new URL(HERE);
  const server = await listenOn(world.platform, url, echo);
  assertEquals(server.address.url, HERE);
  for (const target of [url, [url, HERE], server.address]) {
    const session = await world.until(connectOn(world.platform, target));
    assertEquals(session.remote.url, HERE);
  }
});

const both: readonly (readonly [unknown, string])[] = [
  [null, "option options: expected an object, got null"],
  ["fast", "option options: expected an object"],
  [{ signal: null }, "option signal: expected an AbortSignal, got null"],
  [{ signal: new AbortController() }, "option signal: expected an AbortSignal"],
  [{ observe: true }, "option observe: expected a function, got true"],
  [{ onHandlerError: "log" }, 'option onHandlerError: expected a function, got "log"'],
  [{ intervall: 5 }, "no option intervall"],
  [{ secureTransport: true }, "no option secureTransport"],
  [{ heartbeat: 5 }, "option heartbeat: expected an object"],
  [{ maxMessage: -1 }, "option maxMessage"],
];
const client: typeof both = [
  ...both,
  [{ endpoints: 2 }, "no option endpoints"],
  [{ authenticate: () => true }, "no option authenticate"],
  [{ reconnect: "yes" }, "option reconnect: expected an object"],
];
const server: typeof both = [
  ...both,
  [{ ask: true }, "no option ask"],
  [{ authenticate: true }, "option authenticate: expected a function, got true"],
  [{ reconnect: true }, "no option reconnect"],
];

describe("options that cannot be", () => {
  for (const [what, cases] of [["connect", client], ["listen", server]] as const) {
    for (const [options, message] of cases) {
      test(`${what}: ${message}`, async () => {
        const world = new VirtualWorld();
        const refused: Promise<unknown> = what === "connect"
          ? connectOn(world.platform, HERE, options as object)
          : listenOn(world.platform, HERE, echo, options as object);
        const error = await world.until(failure(refused));
        assertEquals(error?.code, "ERR_HEARTWIRE_OPTION");
        assertStringIncludes(error!.message, message);
        assert(!/endpoints|secureTransport|\bask\b/.test(error!.hint), error!.hint);
        assertEquals([world.dials, world.armed], [0, 0]);
      });
    }
  }

  test("undefined is as if nothing was said", async () => {
    const nothing = { signal: undefined, observe: undefined, onHandlerError: undefined, window: undefined };
    const { connect } = await scene(echo, { ...nothing, authenticate: undefined } as object);
    assertEquals((await connect(nothing as object)).state, "live");
  });
});

describe("addresses that cannot be", () => {
  for (const address of [null, undefined, 7433, {}, [null]]) {
    test(JSON.stringify(address) ?? "undefined", async () => {
      const { platform } = new VirtualWorld();
      for (
        const promise of [connectOn(platform, address as string), listenOn(platform, address as string, echo)]
      ) {
        const error = await failure(promise);
        assertEquals(error?.code, "ERR_HEARTWIRE_ADDRESS");
        assertStringIncludes(error!.message, "a URL");
      }
    });
  }
});

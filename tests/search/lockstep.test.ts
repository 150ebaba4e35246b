/**
 * A copy of a client, of a server, of their sessions and connections, is what it was copied from: two worlds live the same random life, one of machines
 * that are copied before each input, one of machines that never are. Each must do the same as the other, to the byte, at each step.
 */

import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { CONFIGURATIONS, LONGER } from "./configurations.ts";
import { forget } from "./machine.ts";
import { actions, take } from "./search.ts";
import { type Configuration, Keys, type State } from "./state.ts";
import { beginning } from "./step.ts";

const LIVES = 30;
const STEPS = 150;

const SENT = Array.from({ length: 60 }, (_, i) => i % 20 === 6 ? 16_385 : 2);

const RECONNECT = { base: 1, floor: 0, cap: 1 };

/** Everything may happen, often. */
function unbounded(configuration: Configuration, seed: number): Configuration {
  const often = seed % 5 === 0 ? 1_000 : 6;
  const small = configuration.options.maxMessage !== undefined;
  const sent = small ? SENT.map(() => 2) : SENT;
  const faults = {
    cuts: 1_000,
    failures: often,
    ticks: 1_000,
    silences: often,
    restarts: seed % 3,
    closes: 0,
    asks: { client: 60, server: 60 },
    cancels: seed % 2 === 0 ? 1_000 : 0,
  };
  const options = { ...configuration.options, reconnect: { ...RECONNECT, early: seed % 2 === 0 } };
  return { ...configuration, options, connected: false, bounds: { client: sent, server: sent, ...faults } };
}

/** What both worlds must agree on. */
function compare(copied: State, living: State, keys: Keys, name: string): void {
  assertEquals(keys.key(living), keys.key(copied), name);
  const deadlines = ({ client, server }: State): number[] => [client.deadline, server.deadline];
  assertEquals(deadlines(living), deadlines(copied), name);
  for (const [i, { to }] of copied.transports.entries()) {
    const other = living.transports[i]!.to;
    for (const side of ["client", "server"] as const) {
      // Frames that are the same to the last byte are one object.
      const same = to[side].length === other[side].length && to[side].every((f, j) => f === other[side][j]);
      assert(same, name);
    }
  }
}

describe("copies of owners", () => {
  it("do what was not copied does, to the byte", () => {
    let steps = 0;
    let dials = 0;
    let delivered = 0;
    let replied = 0;
    let held = 0;
    const all = [...CONFIGURATIONS, ...LONGER];
    for (let seed = 1; seed <= LIVES; seed++) {
      const random = new Random(seed);
      const configuration = unbounded(all[seed % all.length]!, seed);
      const keys = new Keys();
      forget();
      let copied = beginning(configuration);
      let living = beginning(configuration, true);
      for (let i = 0; i < STEPS; i++, steps++) {
        const possible = actions(copied, configuration);
        const other = actions(living, configuration);
        assertEquals(other.map(({ name }) => name), possible.map(({ name }) => name));
        // What goes well is more likely, or nothing would.
        const good = possible.filter(({ name }) =>
          !/^cut|fails|restarts|silence|half|deadline|held/.test(name)
        );
        const some = good.length > 0 && random.between(0, 5) > 0 ? good : possible;
        if (some.length === 0) break;
        const action = some[random.between(0, some.length - 1)]!;
        copied = take(copied, action, configuration);
        living = take(living, action, configuration);
        if (copied.client.held.size > 0) held++;
        compare(copied, living, keys, `seed ${seed}, step ${i}: ${action.name}`);
      }
      dials += copied.lastDial;
      delivered += copied.messages.filter((message) => message.delivered).length;
      replied += copied.asked.filter(({ fate }) => fate === "replied").length;
    }
    const counted =
      `${steps} steps, ${dials} dials, ${delivered} messages, ${replied} replies, ${held} steps with one held`;
    console.log(`report: copies: ${counted}`);
    assert(steps > LIVES * 100 && dials > LIVES * 2 && delivered > LIVES * 2, counted);
    assert(replied > LIVES && held > LIVES, counted);
  });
});

/**
 * Sessions and time: new terms while connected, and stalls and clocks that are told as what they are.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import type { Passing, Session, Status } from "../../adapters/api.ts";
import type { VirtualWorld } from "../support/virtual_platform.ts";
import {
  BEAT,
  collect,
  failure,
  keep,
  reaches,
  type Scene,
  scene,
  states,
  watch,
} from "../support/virtual_sessions.ts";

interface Pair extends Scene {
  readonly ours: Session;
  readonly theirs: Session;
}

/** A client and its session at the server, both live. */
async function pair(client: object = BEAT, server: object = BEAT): Promise<Pair> {
  const sessions: Session[] = [];
  const made = await scene(keep(sessions), server);
  const ours = await made.connect(client);
  await made.world.run(50);
  return { ...made, ours, theirs: sessions[0]! };
}

/** What passed, of all that was told. */
function passing(seen: readonly Status[]): Passing[] {
  return seen.filter((status) => "during" in status);
}

/** Stops a machine: no timer fires, nothing is read; what comes meanwhile waits. */
async function stand(world: VirtualWorld, time: number): Promise<void> {
  world.now += time;
  await world.run(0);
}

describe("retune", () => {
  test("resolves with what is agreed then, and both sides' status tells it", async () => {
    const { world, ours, theirs } = await pair();
    const [here, there] = [watch(ours), watch(theirs)];
    const agreed = await world.until(ours.retune({ interval: 200, multiplier: 5, minimumInterval: 500 }));
    assertEquals([agreed.txInterval, agreed.rxInterval, agreed.txDetection], [200, 1_000, 1_000]);
    assertEquals(ours.agreement, agreed);
    assertEquals([theirs.agreement!.rxInterval, theirs.agreement!.rxDetection], [200, 1_000]);
    await world.run(0);
    const mine = passing(here)[0]!;
    assert(mine.state === "retuned");
    assertEquals([mine.by, mine.accepted, mine.agreement, mine.during], ["local", true, agreed, "live"]);
    const other = passing(there)[0]!;
    assert(other.state === "retuned");
    assertEquals([other.by, other.accepted, other.agreement], ["peer", true, theirs.agreement]);
    assertEquals([ours.state, theirs.state], ["live", "live"]);
    // ... and it is lived by.
    const { pingsSent } = ours.stats();
    await world.run(2_000);
    assertGreater(ours.stats().pingsSent - pingsSent, 9);
    assertEquals([ours.state, theirs.state], ["live", "live"]);
  });

  test("a server's session has it too", async () => {
    const { world, ours, theirs } = await pair();
    const agreed = await world.until(theirs.retune({ minimumInterval: 4_000 }));
    assertEquals([agreed.rxInterval, ours.agreement!.txInterval], [4_000, 4_000]);
    await world.run(60_000);
    assertEquals([ours.state, theirs.state], ["live", "live"]);
  });

  test("offers that cross are each settled by their own answer", async () => {
    const { world, ours, theirs } = await pair();
    const seen = watch(ours);
    let settled = 0;
    void ours.retune({ interval: 400 }).then(() => settled = passing(seen).length);
    void theirs.retune({ interval: 300 });
    await world.run(10);
    const told = passing(seen).map((status) => status.state === "retuned" ? status.by : "");
    assertEquals([told, settled], [["peer", "local"], 2]);
    assertEquals([ours.agreement!.txInterval, ours.agreement!.rxInterval], [400, 300]);
  });

  test("a server with a budget does not let its handler change how often a client beats", async () => {
    const held: Session[] = [];
    const { world, connect } = await scene(keep(held), { heartbeatBudget: 10 });
    await connect();
    await world.run(50);
    const error = await held[0]!.retune({ minimumInterval: 10 }).then(() => null, (thrown) => thrown);
    assertEquals(error?.code, "ERR_HEARTWIRE_OPTION");
    assertEquals((await world.until(held[0]!.retune({ interval: 5_000 }))).txInterval, 5_000);
  });

  test("what the peer cannot bear is declined, and what held before holds", async () => {
    const { world, ours, server, theirs } = await pair(BEAT, {
      heartbeat: { ...BEAT.heartbeat, maximumDetection: 5_000 },
    });
    const seen = watch(ours);
    const before = ours.agreement;
    const error = await world.until(failure(ours.retune({ interval: 2_000 })));
    assertEquals([error?.code, error?.retryable], ["ERR_HEARTWIRE_DECLINED", false]);
    assertStringIncludes(error!.message, server.address.url);
    assertStringIncludes(error!.hint, "maximumDetection");
    assertEquals(ours.agreement, before);
    await world.run(0);
    const [declined] = passing(seen);
    assertEquals(declined?.state === "retuned" && declined.accepted, false);
    await world.run(30_000);
    assertEquals([ours.state, theirs.state], ["live", "live"]);
    assertEquals((await world.until(ours.retune({ interval: 1_500 }))).txInterval, 1_500);
  });

  test("calls while one is open follow it, each settled by the answer that is its own", async () => {
    const { world, ours } = await pair();
    const order: string[] = [];
    const note = (name: string, change: object): Promise<void> =>
      ours.retune(change).then(
        ({ txInterval, txDetection }) => void order.push(`${name} ${txInterval} ${txDetection}`),
        (error) => void order.push(`${name} ${error.code}`),
      );
    const all = [
      note("first", { interval: 500 }),
      note("second", { interval: 300 }),
      note("third", { multiplier: 4 }),
    ];
    await world.until(Promise.all(all));
    assertEquals(order, ["first 500 1500", "second 300 1200", "third 300 1200"]);
  });

  test("an answer to an offer that no call made settles none", async () => {
    // Room for one client at its own rate: the second makes the server slow the first one down.
    const budget = { ...BEAT, heartbeatBudget: 2, natBound: 20_000 };
    const sessions: Session[] = [];
    const { world, connect } = await scene(keep(sessions), budget);
    const first = await connect(BEAT);
    await world.run(50);
    const theirs = sessions[0]!;
    const seen = watch(theirs);
    const [link] = world.pairs;
    link![0].hold(); // the client's answers
    void connect(BEAT);
    await world.run(20);
    const settled: number[] = [];
    const retuned = theirs.retune({ multiplier: 7 }).then(({ txDetection }) => settled.push(txDetection));
    await world.run(20);
    assertEquals(passing(seen), [], "an offer of the budget is open");
    link![0].release();
    await world.until(retuned);
    const own = passing(seen).filter((status) => status.state === "retuned" && status.by === "local");
    assertEquals([own.length, settled], [2, [7_000]]);
    assertEquals(first.agreement!.rxDetection, 7_000);
  });

  test("says at once what cannot be", async () => {
    const { world, ours } = await pair();
    for (
      const change of [{ interval: 1 }, { multiplier: 0.5 }, { interval: "1" }, { detector: "fixed" }, null]
    ) {
      const error = await world.until(failure(ours.retune(change as object)));
      assertEquals(error?.code, "ERR_HEARTWIRE_OPTION", JSON.stringify(change));
    }
    const unbearable = await world.until(failure(ours.retune({ minimumInterval: 3_600_000 })));
    assertEquals(unbearable?.code, "ERR_HEARTWIRE_OPTION");
    assertEquals(ours.agreement!.txInterval, 1_000);
  });

  test("fails with what ended the connection, and when there is none", async () => {
    const { world, ours } = await pair({ ...BEAT, reconnect: { base: 4_000, floor: 4_000 } });
    const [link] = world.pairs;
    link![0].hold();
    const waiting = failure(ours.retune({ interval: 500 }));
    const behind = failure(ours.retune({ interval: 600 }));
    await world.run(10);
    link![0].reset();
    assertEquals((await world.until(waiting))?.code, "ERR_HEARTWIRE_LOST");
    assertEquals((await world.until(behind))?.code, "ERR_HEARTWIRE_LOST");
    const between = await failure(ours.retune({ interval: 500 }));
    assertEquals([between?.code, between?.retryable], ["ERR_HEARTWIRE_NOT_CONNECTED", true]);
    await reaches(world, ours, "live");
    assertEquals(ours.agreement!.txInterval, 1_000, "a new conversation begins with the options");
    assertEquals((await world.until(ours.retune({ interval: 400 }))).txInterval, 400);
    const closing = ours.close();
    assertEquals((await failure(ours.retune({ interval: 500 })))?.code, "ERR_HEARTWIRE_CLOSED");
    await world.until(closing);
    assertEquals((await failure(ours.retune({ interval: 500 })))?.code, "ERR_HEARTWIRE_CLOSED");
  });

  test("a profile without terms says so", async () => {
    const profile = { profile: "plain" } as const;
    const { world, ours } = await pair(profile, profile);
    const error = await world.until(failure(ours.retune({ interval: 500 })));
    assertEquals(error?.code, "ERR_HEARTWIRE_UNSUPPORTED");
  });
});

describe("stalls and clocks", () => {
  const client = { heartbeat: { interval: 1_000, multiplier: 20, minimumInterval: 100 } };

  test("a stall is told by both sides and changes no state", async () => {
    const { world, ours, theirs } = await pair(client);
    const [here, there] = [watch(ours), watch(theirs)];
    await world.run(3_000);
    // Both ends are in this process, so both stand: the client's beats are due all the time, and so it notices.
    await stand(world, 1_500);
    await world.run(2_000);
    const [first] = passing(here);
    assert(first?.state === "stalled");
    assertEquals([first.verdict, first.during], ["LOCAL_STALLED", "live"]);
    assertGreater(first.span, 500);
    assert(passing(there).some((status) => status.state === "stalled" && status.verdict === "PEER_STALLED"));
    assertEquals([states(here)[0], states(there)[0], ours.state, theirs.state], [
      "live",
      "live",
      "live",
      "live",
    ]);
    const { stalls, stalledFor } = ours.stats();
    assertEquals([stalls > 0, stalledFor > 500], [true, true]);
  });

  test("a listener that comes later begins with the state, not with what passed", async () => {
    const { world, ours } = await pair(client);
    await world.run(3_000);
    await stand(world, 1_500);
    await world.run(100);
    assertGreater(ours.stats().stalls, 0);
    const { value } = await ours.status().next();
    assertEquals([value.state, value.during], ["live", undefined]);
  });

  test("a machine that slept asks within 500 ms of waking, and tells it when the peer has answered", async () => {
    // Twenty seconds to the next beat: without the sample of the wall clock nothing would run before.
    const slow = { heartbeat: { interval: 20_000, multiplier: 3 } };
    const { world, ours } = await pair(slow, slow);
    const seen = watch(ours);
    await world.run(2_000);
    const { pingsSent } = ours.stats();
    assertEquals(passing(seen), []);
    // As Linux sleeps: the monotonic clock and its timers stand still. Both ends sleep here, so the peer's clock does not show it,
    // and the client takes it for a clock that was set, which is what it is told as.
    world.wall += 3_600_000;
    await world.run(499);
    assertEquals(ours.stats().pingsSent, pingsSent + 1);
    await world.run(10);
    assertEquals(passing(seen).map(({ state, during }) => [state, during]), [["clockStepped", "live"]]);
    assertEquals(ours.state, "live");
  });

  test("a clock that was set is told by its step", async () => {
    const { world, ours, theirs } = await pair();
    const seen = watch(ours);
    world.wall -= 7_000;
    await world.run(600);
    const [step] = passing(seen);
    assert(step?.state === "clockStepped");
    assertEquals([step.step, ours.stats().clockSteps, theirs.stats().clockSteps], [-7_000, 1, 1]);
    await world.run(20_000);
    assertEquals([ours.state, theirs.state], ["live", "live"]);
  });

  test("stats are as of now", async () => {
    const { world, ours } = await pair();
    const { convictIn } = ours.stats().detection!;
    await world.run(20);
    assertEquals(ours.stats().detection!.convictIn, convictIn - 20);
    ours.abort();
    await collect(ours.status());
    assertEquals(ours.stats().detection, null);
  });
});

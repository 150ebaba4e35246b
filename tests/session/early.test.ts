/**
 * Make before break: a suspected connection is replaced while it may still live, and nothing is lost, doubled or out of order.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import type { ClientOptions } from "../../core/options.ts";
import { Server } from "../../core/server.ts";
import { Random, seeded } from "../support/random.ts";
import { World } from "../support/world.ts";

const BEAT = { heartbeat: { interval: 200, multiplier: 3, minimumInterval: 10 } };
/** Of these heartbeats: silence is suspected, and convicted, after so long. */
const SUSPECT = 400;
const DETECTION = 600;
const EARLY = { reconnect: { base: 50, floor: 20, cap: 100 } };
const LATE = { reconnect: { ...EARLY.reconnect, early: false } };

function world(options: ClientOptions = EARLY, seed = 1): World {
  const made = new World({ ...BEAT, ...options }, BEAT, seed);
  made.dialTime = 20;
  made.run(300);
  return made;
}

/** The early dials, and what became of them. */
function story(of: World): string[] {
  return of.told.flatMap((event) => {
    if (event.type === "dialing") return event.early ? ["early"] : [];
    if (event.type === "unneeded") return [`unneeded: ${event.reason?.code ?? null}`];
    return event.type === "live" || event.type === "down" ? [event.type] : [];
  });
}

/** Bytes both ways take so long from now on; 0: as ever. */
function slow(of: World, delay: number): void {
  const near = of.current!;
  near.delay = near.peer!.delay = delay;
}

/** Each side sends numbered messages, one every few ms, for as long as this is called. */
class Talk {
  #sent = { client: 0, server: 0 };
  readonly #world: World;

  constructor(of: World) {
    this.#world = of;
  }

  on(span: number): void {
    for (let at = 0; at < span; at += 10) {
      for (const side of ["client", "server"] as const) {
        if (this.#world.session(side) !== null) this.#world.post(side, `${side} ${this.#sent[side]++}`);
      }
      this.#world.run(10);
    }
  }

  /** All of it arrived, once and in order. */
  check(seed = 1): void {
    for (const [side, other] of [["client", "server"], ["server", "client"]] as const) {
      const expected = Array.from({ length: this.#sent[side] }, (_, i) => `${side} ${i}`);
      assertEquals(this.#world.application(other).messages, expected, `${side}, seed ${seed}`);
      assertEquals(this.#world.session(side)!.state.held, 0, `${side}, seed ${seed}`);
    }
    assertEquals(this.#world.near.lost.flat(), [], `seed ${seed}`);
  }
}

/** From the cut of a path to the first message that arrives again, ms. */
function outage(options: ClientOptions, seed: number): number {
  const random = new Random(seed);
  const made = world(options, seed);
  made.run(random.between(0, 1_000));
  const cutAt = made.now;
  made.deafen(made.current, made.current!.peer);
  made.post("client", "first");
  made.run(10_000, () => made.far.messages.length > 0);
  return made.now - cutAt;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

describe("an early replacement", () => {
  it("ends an outage about a third of the detection time sooner", () => {
    const seeds = Array.from({ length: 200 }, (_, i) => i + 1);
    const early = median(seeds.map((seed) => outage(EARLY, seed)));
    const late = median(seeds.map((seed) => outage(LATE, seed)));
    console.log(
      `report: early replacement: a path that is cut, detection ${DETECTION} ms: out for ${
        Math.round(early)
      } ms, without ${Math.round(late)} ms`,
    );
    assertLess(early, SUSPECT + 60);
    assertGreater(late - early, DETECTION - SUSPECT - 30);
  });

  it("loses nothing when the way dies, however much was under way", () => {
    const made = world();
    const talk = new Talk(made);
    talk.on(500);
    made.deafen(made.current, made.current!.peer);
    talk.on(1_500);
    made.run(1_000);
    assertEquals(story(made), ["live", "early", "live"]);
    assertEquals(made.near.resumed, [false, true]);
    assertEquals(made.ends.size, 2, "nothing is left of the old transport");
    talk.check();
  });

  it("is dropped unused when the suspicion ends before the transport is there", () => {
    const made = world();
    made.dialTime = 100;
    const talk = new Talk(made);
    talk.on(200);
    slow(made, SUSPECT + 40);
    talk.on(100);
    slow(made, 0);
    for (let i = 0; i < 100 && story(made).length < 3; i++) talk.on(10);
    assertEquals(
      [story(made), made.dials],
      [["live", "early", "unneeded: null"], 1],
      "and before it is there",
    );
    talk.on(1_000);
    made.run(1_000);
    assertEquals(story(made), ["live", "early", "unneeded: null"]);
    assertEquals([made.near.resumed, made.server.stats().opened], [[false], 1]);
    talk.check();
  });

  it("takes over once, when the old connection speaks again just behind HELLO", () => {
    for (let late = 0; late < 60; late += 2) {
      const made = world();
      const talk = new Talk(made);
      talk.on(200);
      slow(made, SUSPECT + late);
      talk.on(100);
      slow(made, 0);
      talk.on(1_000);
      made.run(1_000);
      const told = story(made).join();
      assert(["live", "live,early,unneeded: null", "live,early,live"].includes(told), `${late}: ${told}`);
      talk.check(late);
    }
  });

  it("that cannot be dialled leaves the old connection, and is tried once", () => {
    const made = world();
    const talk = new Talk(made);
    talk.on(200);
    made.reachable = false;
    for (let i = 0; i < 3; i++) {
      slow(made, SUSPECT + 60);
      talk.on(100);
      slow(made, 0);
      talk.on(1_000);
    }
    made.run(1_000);
    assertEquals(story(made), ["live", "early", "unneeded: DIAL_FAILED"]);
    talk.check();
  });

  it("that is refused leaves the old connection, with what came for it meanwhile", () => {
    const made = new World({ ...BEAT, ...EARLY }, { ...BEAT, maxConnections: 1 });
    made.latency = 40;
    made.run(300);
    const talk = new Talk(made);
    talk.on(200);
    slow(made, SUSPECT + 60);
    talk.on(100);
    slow(made, 0);
    talk.on(1_000);
    made.run(1_000);
    assertEquals(story(made), ["live", "early", "unneeded: BUSY"]);
    assertEquals([made.near.resumed, made.dials], [[false], 2]);
    talk.check();
    made.client.close(0, "", made.now);
    made.settle();
    made.run(1_000);
    assertEquals(made.told.at(-1)!.type === "ended" && made.client.ended, true);
  });

  it("that is refused leaves the old connection, with the room that an answer gave meanwhile", () => {
    const narrow = { maxMessage: 2, window: 88 };
    const made = new World({ ...BEAT, ...EARLY, ...narrow }, { ...BEAT, maxConnections: 1 });
    made.latency = 40;
    made.run(300);
    let asked = 0;
    made.onEvent = (_, event) => void (event.type === "request" && (asked = event.id));
    made.remote!.request(new Uint8Array(2), Infinity, made.now);
    made.post("server", "m");
    made.run(200);
    assertEquals([asked, made.near.messages], [1, []]);
    slow(made, SUSPECT - 100); // and one in each interval says something
    made.run(210);
    slow(made, 0);
    made.run(1_000, () => made.dials === 2);
    made.client.session!.reply(asked, 0, new Uint8Array(1), made.now);
    made.run(1_000);
    assertEquals(story(made), ["live", "early", "unneeded: BUSY"]);
    assertEquals(made.near.messages, ["m"]);
  });

  it("that another server answers, which does not know the session, costs nothing", () => {
    const made = world();
    const talk = new Talk(made);
    talk.on(200);
    const stranger = new Server(BEAT, seeded(new Random(7)));
    made.onDial = (near, far) => {
      made.deafen(near, far);
      made.later(5, () => {
        const answers = stranger.accepted("peer", made.now)!;
        answers.receive(near.first!, made.now);
        stranger.settle(answers, made.now);
        near.connection.receive(answers.peekTransmit()!.slice(), made.now);
        made.client.settle(near.connection, made.now);
        made.settle();
      });
    };
    slow(made, SUSPECT + 60);
    talk.on(100);
    slow(made, 0);
    talk.on(1_000);
    made.run(1_000);
    assertEquals(story(made), ["live", "early", "unneeded: UNKNOWN_SESSION"]);
    assertEquals(made.near.resumed, [false]);
    talk.check();
  });

  it("that nobody answers puts no verdict off", () => {
    const made = world();
    made.run(100);
    const cutAt = made.now;
    made.deafen(made.current, made.current!.peer);
    made.onDial = (near, far) => made.deafen(near, far);
    made.run(5_000, () => story(made).includes("down"));
    const down = made.told.find((event) => event.type === "down")!;
    assert(down.type === "down" && down.reason.kind === "dead", JSON.stringify(down));
    assertLessOrEqual(made.now - cutAt, DETECTION + 5);
    made.onDial = null;
    made.post("client", "after all");
    made.run(3_000);
    assertEquals(made.far.messages, ["after all"]);
    assertEquals(made.near.lost, []);
  });

  it("is not wanted with early: false, and not of a session that is closing", () => {
    const off = world(LATE);
    off.deafen(off.current, off.current!.peer);
    off.run(3_000);
    assertEquals(story(off).includes("early"), false);
    const closing = world();
    closing.far.consumes = false;
    closing.post("client", "unfinished");
    closing.run(100);
    closing.client.close(0, "", closing.now);
    closing.settle();
    closing.deafen(closing.current, closing.current!.peer);
    closing.run(3_000);
    assertEquals(story(closing).includes("early"), false);
  });

  it("keeps every promise over random stalls and cuts", () => {
    let early = 0;
    let resumed = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const made = world(EARLY, seed);
      made.latency = random.between(1, 40);
      const talk = new Talk(made);
      for (let i = 0; i < 6; i++) {
        made.dialTime = random.between(0, 150);
        talk.on(random.between(1, 20) * 10);
        const near = made.current;
        if (near === null) continue;
        const fault = random.between(0, 5);
        if (fault === 0) made.deafen(near, near.peer);
        else if (fault === 1) made.deafen(random.between(0, 1) === 0 ? near : near.peer);
        else {
          const delay = random.between(SUSPECT - 60, DETECTION + 60);
          if (fault !== 2) near.delay = delay;
          if (fault !== 3 && near.peer !== null) near.peer.delay = delay;
        }
        if (random.between(0, 5) === 0) made.reachable = false;
        talk.on(random.between(1, 60) * 10);
        for (const end of made.ends.values()) end.delay = 0;
        made.reachable = true;
      }
      made.dialTime = 0;
      made.run(6_000);
      talk.check(seed);
      early += story(made).filter((word) => word === "early").length;
      resumed += made.near.resumed.filter((again) => again).length;
    }
    console.log(`report: early replacement: 300 lives, ${early} early dials, ${resumed} resumes`);
    assertGreater(early, 300);
  });

  it("carries a chunk behind which each answer is missed: who replaced one is not replaced behind the same", () => {
    for (const side of ["client", "server"] as const) {
      const made = world();
      made.dialTime = 0;
      made.writes = 40;
      made.pace = 1;
      const other = side === "client" ? made.far : made.near;
      for (let i = 0; i < 3; i++) made.post(side, `${i}`.padEnd(16_384, "."));
      made.run(20);
      made.resetAll();
      made.run(10_000);
      assertEquals(other.messages.length, 3, side);
      assertLess(made.dials, 6, side);
    }
  });
});

/**
 * What users of other systems complained of when connections were replaced or resumed, each as a test.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { Client } from "../../core/client.ts";
import type { Conversation } from "../../core/conversation.ts";
import { codeNumber } from "../../core/codes.ts";
import { control, hello, join, preface, welcome } from "../support/crafted.ts";
import { Random, seeded } from "../support/random.ts";
import { type Side, World } from "../support/world.ts";

const BEAT = { heartbeat: { interval: 200, multiplier: 3, minimumInterval: 10 } };
const SIDES: readonly Side[] = ["client", "server"];

function numbered(from: number, to: number, name: string): string[] {
  return Array.from({ length: to - from }, (_, i) => `${name}${from + i}`);
}

describe("what others suffer when a connection is replaced", () => {
  it("the old connection's end kills the new one", () => {
    // The server's end of the old connection lives on, hears of its end by each way there is, and the session does not.
    for (const way of ["silence", "reset", "eof", "bytes"] as const) {
      const world = new World(BEAT, { heartbeat: { ...BEAT.heartbeat, interval: 1_000 } });
      world.run(100);
      const old = world.current!.peer!;
      const near = world.current!;
      near.connection.transportFailed(null, world.now); // only the client notices
      world.client.settle(near.connection, world.now);
      world.run(60);
      assertEquals(world.near.resumed, [false, true], way);
      if (way === "reset") world.reset(old);
      if (way === "eof") old.connection.receiveEof(world.now);
      if (way === "bytes") old.connection.receive(Uint8Array.of(1, 2, 3), world.now);
      if (way === "eof" || way === "bytes") world.server.settle(old.connection, world.now);
      world.run(10_000);
      world.post("client", "a0");
      world.post("server", "b0");
      world.run(100);
      assertEquals([world.dials, world.far.messages, world.near.messages], [2, ["a0"], ["b0"]], way);
    }
  });

  it("two clients with one identity throw each other out for ever", () => {
    const dials: number[] = [];
    const world = new World();
    world.run(100);
    const { state } = world.client.session!;
    // The other one knows the session, and its first dial is not newer than that of the one that has it.
    const other = new Client(
      { resume: true, reconnect: { base: 10, floor: 5, cap: 50 } },
      seeded(new Random(3)),
    );
    other.session!.state = state.clone(seeded(new Random(4)));
    other.start(world.now);
    const pipe: { far: Conversation | null } = { far: null };
    for (let i = 0; i < 20_000; i++) {
      world.now += 1;
      other.handleTimeout(world.now);
      for (let action = other.nextAction(); action !== null; action = other.nextAction()) {
        if (action.type !== "dial") continue;
        dials.push(world.now);
        other.dialed(action.attempt, world.now);
        pipe.far = world.accept();
      }
      const near = other.connection;
      if (near !== null && pipe.far !== null) {
        move(near, pipe.far, world.now);
        world.server.settle(pipe.far, world.now);
        move(pipe.far, near, world.now);
        other.settle(near, world.now);
      }
      while (other.nextDirty() !== null);
      world.run(0);
    }
    // One of them has it, the other is finished, and nobody dials any more.
    assertEquals([world.client.ended, other.ended], [false, true]);
    assertEquals(dials.length, 1);
    assertEquals(world.dials, 1);
    assertEquals(world.server.stats().sessions!.attached, 1);
  });
});

function move(from: Conversation, to: Conversation, now: number): void {
  while (from.nextEvent() !== null);
  for (let bytes = from.peekTransmit(); bytes !== null; bytes = from.peekTransmit()) {
    to.receive(bytes.slice(), now);
    from.advanceTransmit(bytes.length);
  }
}

describe("what others suffer at the edges of a resume", () => {
  it("a session in which nothing was ever sent cannot go on", () => {
    const world = new World(BEAT, BEAT);
    world.run(100);
    for (let i = 0; i < 5; i++) {
      world.resetAll();
      world.run(200);
    }
    assertEquals(world.near.resumed, [false, true, true, true, true, true]);
    assertEquals([world.near.lost, world.over], [[], []]);
  });

  it("a user's bytes are taken for the protocol's", () => {
    const nasty = [
      preface(),
      hello({ received: 9 }),
      control({ kind: "close", code: 0, position: 0, text: "" }),
    ];
    const texts = nasty.map((bytes) => String.fromCharCode(...bytes)).concat([
      "0",
      "-1",
      "__proto__",
      "\u0000",
    ]);
    const world = new World(BEAT, BEAT);
    world.run(100);
    for (const side of SIDES) for (const words of texts) world.post(side, words);
    world.resetAll();
    world.run(500);
    assertEquals(world.far.messages, texts);
    assertEquals(world.near.messages, texts);
  });

  it("each replay begins where the first did", () => {
    const world = new World(BEAT, BEAT);
    world.run(100);
    world.far.consumes = false; // it is received, though not finished: kept, and not sent again
    for (const words of numbered(0, 200, "a")) world.post("client", words.padEnd(100));
    world.run(100);
    let bytes = 0;
    world.onBytes = (end, got) => void (bytes += end.side === "server" ? got.length : 0);
    for (let i = 0; i < 5; i++) {
      world.resetAll();
      world.run(100);
    }
    assertEquals(world.far.messages.length, 200);
    assertEquals(world.client.session!.state.outbound.retained, 200 * 109);
    assert(bytes < 5 * 300, `${bytes} bytes`);
  });

  it("counters wrap: the sequence on the wire, again and again, over resumes", () => {
    const world = new World({ ...BEAT, sendBuffer: 4_000_000, retention: 4_000_000, window: 4_000_000 }, {
      ...BEAT,
      window: 8_000_000,
    });
    world.run(100);
    const count = 140_000;
    let sent = 0;
    for (let round = 0; sent < count; round++) {
      for (let i = 0; i < 3_500; i++) if (world.send("client", `${sent}`) === "accepted") sent++;
      world.run(round % 3 === 0 ? 3 : 40);
      world.resetAll();
      world.run(40);
    }
    world.run(2_000);
    assertEquals(world.far.messages.length, sent);
    assert(world.far.messages.every((words, i) => words === `${i}`));
    assertGreater(sent, 2 * 65_536);
    assertEquals(world.client.session!.state.held, 0);
  });

  it("the back-off starts over with each resume that does not last", () => {
    const reconnect = { base: 100, floor: 1, cap: 10_000 };
    const world = new World({ ...BEAT, reconnect }, BEAT);
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      world.run(60_000, () => world.current?.connection.phase === "open");
      world.run(50);
      world.resetAll();
      const down = world.told.findLast((event) => event.type === "down");
      waits.push(down?.type === "down" ? down.retryIn! : 0);
    }
    // Each wait is drawn up to a bound that doubles: the greatest of the last is far above the first bound.
    assertGreater(Math.max(...waits.slice(6)), 1_000);
    world.run(100_000, () => world.current?.connection.phase === "open");
    world.run(31_000);
    world.resetAll();
    const last = world.told.findLast((event) => event.type === "down");
    assertLessOrEqual(last?.type === "down" ? last.retryIn! : Infinity, 100);
  });
});

describe("ten thousand clients whose server restarts", () => {
  const CLIENTS = 10_000;

  /** When each dials again, ms after its connection ended. */
  function redials(retryAfter: number, jitter: number): number[] {
    const environment = seeded(new Random(11));
    const goaway = control({
      kind: "goaway",
      scope: 1,
      code: codeNumber("SHUTTING_DOWN"),
      retryAfter,
      jitter,
      text: "",
      endpoint: "",
    });
    const bytes = join(
      preface(),
      welcome({ session: new Uint8Array(16), secret: new Uint8Array(32), resumable: true }),
      goaway,
      control({ kind: "close", code: 0, position: 0, text: "" }),
    );
    const times: number[] = [];
    for (let i = 0; i < CLIENTS; i++) {
      const client = new Client({ resume: true, reconnect: true }, environment);
      client.start(1_000);
      const action = client.nextAction();
      const connection = client.dialed(action!.type === "dial" ? action!.attempt : 0, 1_000)!;
      connection.receive(bytes, 1_000);
      client.settle(connection, 1_000);
      assert(connection.reason?.kind === "closed");
      // By its own clock, not by what it says.
      for (let at = client.deadline(); client.nextAction()?.type !== "dial"; at = client.deadline()) {
        client.handleTimeout(at);
        times[i] = at - 1_000;
      }
    }
    return times;
  }

  it("come back within the window that it told, spread over it", () => {
    for (const [retryAfter, jitter] of [[2_000, 10_000], [0, 30_000]] as const) {
      const times = redials(retryAfter, jitter);
      assertGreater(Math.min(...times), retryAfter - 1);
      assertLessOrEqual(Math.max(...times), retryAfter + jitter + 1);
      const bins = new Map<number, number>();
      for (const time of times) bins.set(Math.floor(time / 100), (bins.get(Math.floor(time / 100)) ?? 0) + 1);
      const peak = Math.max(...bins.values());
      const mean = CLIENTS * 100 / jitter;
      console.log(
        `report: sessions: ${CLIENTS} clients over ${jitter} ms: ${peak} dials in the worst 100 ms, ${
          mean.toFixed(0)
        } on average`,
      );
      // Five deviations of a count above its mean: once in 3 million bins.
      assertLessOrEqual(peak, mean + 5 * Math.sqrt(mean));
    }
  });
});

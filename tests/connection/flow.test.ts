/**
 * Messages arrive whole, in order and once, whatever the link does to their bytes, and nobody's memory grows (docs/PROTOCOL.md,
 * sections 3.4 and 6).
 *
 * Rules: two machines, virtual time; links cut, delay and hold back as TCP and kernels do. A failing seed is in the message. What
 * leaves when is in pace.test.ts.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { resolveConnection } from "../../core/resolve.ts";
import { Pair, type Side } from "../support/pair.ts";
import { Random } from "../support/random.ts";

/** A message that tells its place and is wrong at every byte when it is another's. */
function message(index: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = (index * 131 + at * 7 + (at >>> 8)) & 0xff;
  return bytes;
}

function same(actual: Uint8Array, expected: Uint8Array): boolean {
  if (actual.length !== expected.length) return false;
  for (let at = 0; at < actual.length; at++) if (actual[at] !== expected[at]) return false;
  return true;
}

/** Sends messages of these sizes as an application does: until blocked, then from `writable` on. */
class Sender {
  readonly side: Side;
  next = 0;
  blocked = 0;
  /** The greatest count of bytes that waited in the machine. */
  most = 0;
  readonly #pair: Pair;
  readonly #sizes: readonly number[];

  constructor(pair: Pair, side: Side, sizes: readonly number[]) {
    this.#pair = pair;
    this.side = side;
    this.#sizes = sizes;
    side.onEvent = (event) => {
      if (event.type === "writable") this.#go();
    };
    this.#go();
    pair.drain(side);
  }

  #go(): void {
    while (this.next < this.#sizes.length) {
      const size = this.#sizes[this.next]!;
      const said = this.side.connection.send(message(this.next, size), this.#pair.now);
      this.most = Math.max(this.most, this.side.connection.stats().queued);
      if (said === "blocked") {
        this.blocked++;
        return;
      }
      this.next++;
    }
  }

  get done(): boolean {
    return this.#pair.peer(this.side).messages.length === this.#sizes.length;
  }

  check(context: string): void {
    const got = this.#pair.peer(this.side).messages;
    assertEquals(got.length, this.#sizes.length, context);
    for (const [index, size] of this.#sizes.entries()) {
      assert(same(got[index]!, message(index, size)), `${context}, message ${index} of ${size} bytes`);
    }
  }
}

function splice(bytes: Uint8Array, at: number, count: number, ...added: number[]): Uint8Array {
  return Uint8Array.of(...bytes.subarray(0, at), ...added, ...bytes.subarray(at + count));
}

function sizes(random: Random, total: number, greatest: number): number[] {
  const list: number[] = [];
  for (let left = total; left > 0 && list.length < 400;) {
    const edges = [0, 1, 55, 56, 57, 58, 16_376, 16_377, 16_383, 16_384, 16_385, 32_768, 32_769, greatest];
    const size = random.between(0, 2) === 0
      ? Math.min(greatest, edges[random.between(0, edges.length - 1)]!)
      : random.between(0, random.between(0, 1) === 0 ? Math.min(300, greatest) : greatest);
    list.push(size);
    left -= size + 64;
  }
  return list;
}

/** A link with moods. */
function shape(side: Side, random: Random, cheap: boolean): void {
  const { out } = side;
  out.latency = [0, 1, 5, 40][random.between(0, 3)]!;
  out.rate = [Infinity, 10_000, 300][random.between(0, 2)]!;
  out.piece = (cheap ? [1, 2, 3, 7, 24] : [100, 1_460, 16_384, 65_536, Infinity])[random.between(0, 4)]!;
  out.room = [Infinity, 65_536, 4_096][random.between(0, 2)]!;
  side.takes = [Infinity, 1_000, cheap ? 3 : 333][random.between(0, 2)]!;
}

describe("messages", () => {
  it("arrive whole, in order and once, both ways, over any link", () => {
    for (let seed = 1; seed <= 48; seed++) {
      const random = new Random(seed);
      const cheap = seed % 3 === 0; // byte by byte, so less of it
      const greatest = cheap ? 3_000 : 200_000;
      const options = () => {
        const maxMessage = Math.max(greatest, random.between(0, 250_000));
        const window = Math.ceil(maxMessage * 1.5) + random.between(500, 100_000);
        return { maxMessage, window, sendBuffer: random.between(1, 300_000) };
      };
      const pair = Pair.open({ seed, client: options(), server: options() });
      for (const side of [pair.client, pair.server]) shape(side, random, cheap);
      const senders = [pair.client, pair.server].map((side) =>
        new Sender(pair, side, sizes(random, cheap ? 8_000 : 300_000, greatest))
      );
      pair.run(60_000, () => senders.every((sender) => sender.done));
      for (const sender of senders) {
        sender.check(`seed ${seed} from ${sender.side.name}`);
        pair.run(100);
        const stats = sender.side.connection.stats();
        assertEquals([stats.acknowledged, stats.processed], [stats.accepted, stats.accepted], `seed ${seed}`);
        assertEquals(sender.side.of("suspect").length, 0, `seed ${seed}`);
      }
    }
  });

  it("of the same bytes in the same order, when the application finishes them late and in heaps", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const options = { maxMessage: 30_000, window: 40_171, sendBuffer: 20_000 };
      const pair = Pair.open({ seed, client: options, server: options });
      pair.server.consumes = false;
      const sender = new Sender(pair, pair.client, sizes(random, 300_000, 30_000));
      let finished = 0;
      while (!sender.done && pair.now < 120_000) {
        pair.run(random.between(1, 60));
        const seen = pair.server.of("message");
        if (random.between(0, 2) > 0 || finished === seen.length) continue;
        finished = random.between(finished + 1, seen.length);
        pair.act(pair.server, (connection, now) => connection.consumed(seen[finished - 1]!.position, now));
      }
      sender.check(`seed ${seed}`);
      assert(sender.blocked > 0, `seed ${seed} was never blocked`);
    }
  });

  it("more than 70,000: the 16-bit sequence on the wire wraps and no position is lost", () => {
    const pair = Pair.open();
    let sent = 0;
    let got = 0;
    pair.client.out.latency = pair.server.out.latency = 1;
    pair.server.onEvent = (event) => {
      if (event.type !== "message") return;
      const value = event.bytes[0]! | (event.bytes[1]! << 8) | (event.bytes[2]! << 16);
      if (value !== got) throw new Error(`message ${value} where ${got} is next`);
      got++;
      assertEquals(event.position, got);
      if (pair.server.events.length > 1_000) pair.server.events.length = pair.server.messages.length = 0;
    };
    while (got < 70_500) {
      for (let i = 0; i < 3_000 && sent < 70_500; i++, sent++) {
        const bytes = Uint8Array.of(sent, sent >>> 8, sent >>> 16);
        if (pair.client.connection.send(bytes, pair.now) === "blocked") break;
      }
      pair.drain(pair.client);
      pair.run(10);
    }
    pair.run(100);
    const { accepted, acknowledged, processed } = pair.client.connection.stats();
    assertEquals([accepted, acknowledged, processed], [70_500, 70_500, 70_500]);
  });
});

describe("what waits", () => {
  it("is bounded by sendBuffer, or one message, and writable comes when what was refused will be taken", () => {
    for (let seed = 1; seed <= 25; seed++) {
      const random = new Random(seed);
      const sendBuffer = random.between(1, 60_000);
      const options = { maxMessage: 50_000, window: 68_000 };
      const pair = Pair.open({ seed, client: { ...options, sendBuffer }, server: options });
      pair.client.out.rate = 100;
      pair.client.out.room = 2_000;
      const list = sizes(random, 200_000, 50_000);
      const sender = new Sender(pair, pair.client, list);
      const go = pair.client.onEvent!;
      let inVain = 0;
      pair.client.onEvent = (event) => {
        const before = sender.next;
        go(event);
        if (event.type === "writable" && sender.next === before && before < list.length) inVain++;
      };
      pair.run(60_000, () => sender.done);
      sender.check(`seed ${seed}`);
      assertEquals(inVain, 0, `seed ${seed}: writable, and then blocked at once`);
      // Framing and overhead are counted; one message may always wait.
      assertLessOrEqual(sender.most, Math.max(sendBuffer, 50_000 + 4 * 16), `seed ${seed}`);
      assertEquals(pair.client.of("writable").length, sender.blocked, `seed ${seed}`);
    }
  });

  it("of a slow application stays within the window; heartbeats go on, nobody is suspected, and it resumes", () => {
    const beat = {
      heartbeat: { interval: 200, multiplier: 3 },
      maxMessage: 20_000,
      window: 100_000,
      sendBuffer: 50_000,
    };
    const pair = Pair.open({ client: beat, server: beat });
    pair.server.consumes = false;
    const sender = new Sender(pair, pair.client, new Array<number>(60).fill(10_000));
    pair.run(10_000);
    // 10,064 a message: nine fit.
    assertEquals(pair.server.messages.length, 9);
    assertEquals(pair.client.connection.stats().acknowledged, 9);
    assertEquals(pair.client.connection.stats().processed, 0);
    assertLessOrEqual(pair.client.connection.stats().queued, 50_000);
    for (const side of [pair.client, pair.server]) {
      assertEquals(side.connection.phase, "open");
      assertEquals(side.of("suspect").length, 0);
      assert(side.of("pong").length >= 16, `${side.of("pong").length} answers`);
    }
    pair.server.consumes = true;
    pair.act(pair.server, (connection, now) => connection.consumed(9, now));
    pair.run(10_000, () => sender.done);
    sender.check("slow");
  });

  it("an application's own message does not wait for the peer's slowness in the other direction", () => {
    const options = { maxMessage: 5_000, window: 7_000 };
    const pair = Pair.open({ client: options, server: options });
    pair.server.consumes = false;
    new Sender(pair, pair.client, new Array<number>(20).fill(5_000));
    pair.run(1_000);
    const back = new Sender(pair, pair.server, new Array<number>(20).fill(5_000));
    pair.run(1_000);
    back.check("the other way");
  });
});

describe("credit", () => {
  it("lets the longest message through for every window, whatever went before it", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed);
      const maxMessage = [0, 1, 100, 16_383, 16_384, 16_385, 40_000][random.between(0, 6)]!;
      // The least window that the options allow is asked of them.
      let window = 0;
      for (let step = 1 << 17; step > 0; step >>= 1) {
        try {
          resolveConnection({ maxMessage, window: window + step });
        } catch {
          window += step;
        }
      }
      window += 1 + random.between(0, 1) * random.between(0, 20_000);
      const pair = Pair.open({ seed, server: { maxMessage, window } });
      const list: number[] = [];
      for (let i = 0; i < 12; i++) {
        list.push(random.between(0, 1) === 0 ? maxMessage : random.between(0, Math.min(maxMessage, 70)));
      }
      const sender = new Sender(pair, pair.client, [...list, maxMessage, maxMessage]);
      pair.run(2_000, () => sender.done);
      sender.check(`seed ${seed}, maxMessage ${maxMessage}, window ${window}`);
    }
  });
});

describe("a link that damages bytes", () => {
  it("delivers a part of what was sent, right and in order, and then both sides learn of the end", () => {
    const codes = new Set<string>();
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed);
      const beat = { heartbeat: { interval: 500, multiplier: 3 }, maxMessage: 40_000, window: 100_000 };
      const pair = Pair.open({ seed, client: beat, server: beat });
      const [bad, good] = seed % 2 === 0 ? [pair.client, pair.server] : [pair.server, pair.client];
      // Short messages, so that lengths and types are hit as well as payloads.
      const greatest = seed % 3 === 0 ? 40_000 : 12;
      const list = Array.from({ length: 20 }, () => random.between(0, greatest));
      let until = random.between(0, list.reduce((sum, size) => sum + size, 0));
      bad.out.tamper = (bytes) => {
        until -= bytes.length;
        if (until + bytes.length < 0 || until >= 0) return bytes;
        const at = until + bytes.length;
        const what = random.between(0, 2);
        if (what === 0) return splice(bytes, at, 1, bytes[at]! ^ (1 << random.between(0, 7)));
        if (what === 1) return splice(bytes, at, random.between(1, 30));
        return splice(
          bytes,
          at,
          0,
          ...Array.from({ length: random.between(1, 30) }, () => random.between(0, 255)),
        );
      };
      const senders = [pair.client, pair.server].map((side) => new Sender(pair, side, list));
      pair.run(120_000, () => pair.client.destroyed && pair.server.destroyed);
      for (const sender of senders) {
        const got = pair.peer(sender.side).messages;
        for (const [index, bytes] of got.entries()) {
          assert(same(bytes, message(index, list[index]!)), `seed ${seed}`);
        }
      }
      // Damage behind the last message shows in a heartbeat; it shows in any case.
      assert(pair.client.destroyed && pair.server.destroyed, `seed ${seed} goes on`);
      const { reason } = good.connection;
      assert(
        reason?.kind === "fault" || reason?.kind === "dead" || reason?.kind === "lost",
        `seed ${seed} ${reason?.kind}`,
      );
      codes.add(reason.code);
    }
    for (const code of ["CHECKSUM", "FRAME_TOO_LARGE", "DEAD"]) {
      assert(codes.has(code), `${[...codes]}`);
    }
  });
});

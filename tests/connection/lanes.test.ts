/**
 * What overtakes and what waits: the lane of answers, the credit that requests hold, and what is acknowledged of messages beside both.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { Random } from "../support/random.ts";
import { codeOf, pattern, talk, type Talker, text } from "../support/talk.ts";

function ids(talker: Talker): number[] {
  return talker.got.map(({ id }) => id);
}

describe("the lane of answers", () => {
  it("goes between two chunks of a message", () => {
    const { pair, client, server } = talk({ server: { sendBuffer: 4_000_000 } });
    server.side.out.rate = 1_000;
    server.side.out.room = 20_000;
    pair.run(20);
    server.send(pattern(1_048_576));
    pair.run(50);
    for (let i = 1; i <= 20; i++) {
      const asked = pair.now;
      client.ask(`${i}`);
      pair.run(1_000, () => client.got.length === i);
      // Its chunk on the way and two more behind which it may be; the message takes a thousand ms.
      assertLess(pair.now - asked, 60, `answer ${i}`);
    }
    assertEquals(client.side.messages.length, 0);
    pair.run(5_000);
    assertEquals(client.side.messages.length, 1);
    assert(client.heard[0] === `m ${pattern(1_048_576)}`);
  });

  it("lets nobody wait for ever whose messages are stuck both ways", () => {
    const options = { maxMessage: 1_000, window: 5_000, sendBuffer: 3_000 };
    const { pair, client, server } = talk({ client: options, server: options });
    // Each handles a message only when its own question is answered, and a question only when it has filled its queue.
    for (const me of [client, server]) {
      me.side.consumes = false;
      me.answers = () => null;
      me.ask(`question of ${me.side.name}`);
      me.onReply = () => {
        me.side.consumes = true;
        const last = me.side.of("message").at(-1)!;
        me.side.connection.consumed(last.position, pair.now);
      };
    }
    pair.run(20);
    for (const talker of [client, server]) {
      let said = 0;
      while (talker.send(text(`${said}`, 1_000)) === "accepted" && said < 50) said++;
      pair.run(20);
      while (talker.send(text(`${said}`, 1_000)) === "accepted" && said < 50) said++;
      assertLess(said, 10);
    }
    pair.run(2_000);
    for (const talker of [client, server]) {
      assertGreater(talker.side.connection.stats().queued, 1_000);
      assertEquals([talker.got.length, talker.owed.size], [0, 1]);
      talker.answerAll();
    }
    pair.run(2_000);
    for (const talker of [client, server]) {
      assertEquals(talker.got.length, 1);
      assertEquals(talker.side.connection.stats().queued, 0);
      assertEquals(talker.side.connection.phase, "open");
    }
  });

  it("full says blocked, then writable as soon as there is room, and never in vain", () => {
    const { pair, client, server } = talk({ server: { sendBuffer: 10_000 } });
    server.answers = () => null;
    server.side.out.rate = 100;
    server.side.out.room = 1_000;
    for (let i = 0; i < 40; i++) client.ask(`${i}`);
    pair.run(50);
    const waiting = [...server.owed.keys()];
    let blocked = 0;
    let inVain = 0;
    const flush = (): number => {
      for (let done = 0;; done++) {
        if (waiting.length === 0) return done;
        const payload = new TextEncoder().encode(text(`${waiting[0]}`, 6_000));
        if (server.side.connection.reply(waiting[0]!, 0, payload, pair.now) === "blocked") {
          blocked++;
          return done;
        }
        waiting.shift();
      }
    };
    server.side.onEvent = (event) => {
      if (event.type === "writable" && flush() === 0 && waiting.length > 0) inVain++;
    };
    flush();
    // Nothing else wants room: `writable` is for the answers alone.
    pair.drain(server.side);
    let most = 0;
    pair.run(10_000, () => {
      most = Math.max(most, server.side.connection.stats().queued);
      return client.got.length === 40;
    });
    assertEquals(
      client.got.map(({ text }) => text),
      Array.from({ length: 40 }, (_, i) => text(`${i + 1}`, 6_000)),
    );
    assertGreater(blocked, 5);
    assertEquals([inVain, server.side.of("writable").length], [0, blocked]);
    assertLessOrEqual(most, 10_000);
  });

  it("full does not keep messages from going, nor the other way round", () => {
    const { pair, client, server } = talk({ server: { sendBuffer: 5_000 } });
    server.answers = () => null;
    server.side.takes = 0;
    for (let i = 0; i < 3; i++) client.ask(`${i}`);
    pair.run(20);
    assertEquals(server.reply(1, text("", 4_900)), "accepted");
    assertEquals(server.reply(2, text("", 4_900)), "blocked");
    assertEquals(server.send(text("m", 4_900)), "accepted");
    assertEquals(server.send(text("n", 4_900)), "blocked");
    server.side.takes = Infinity;
    pair.drain(server.side);
    pair.run(50);
    assertGreater(server.side.of("writable").length, 0);
    assertEquals(server.reply(2, text("", 4_900)), "accepted");
    assertEquals(server.send(text("n", 4_900)), "accepted");
  });

  it("full refuses what is too many as soon as there is room: no request stays open", () => {
    const { pair, client, server } = talk({ server: { sendBuffer: 2_000, maxRequests: 2 } });
    server.answers = () => null;
    client.ask("1");
    client.ask("2");
    pair.run(20);
    server.side.takes = 0;
    server.reply(1, text("long", 2_000));
    client.ask("3");
    for (let id = 4; id <= 9; id++) client.ask(`${id}`);
    pair.run(50);
    assertEquals(server.heard, ["q1 1", "q2 2", "q3 3"]);
    server.side.takes = Infinity;
    pair.drain(server.side);
    pair.run(50);
    assertEquals(client.got.map(({ id, status }) => `${id} ${status}`), [
      "1 0",
      "4 3",
      "5 3",
      "6 3",
      "7 3",
      "8 3",
      "9 3",
    ]);
    server.answerAll();
    pair.run(50);
    assertEquals(client.got.length, 9);
  });

  it("costs a peer that does not read no more than it was allowed", () => {
    const { pair, client, server } = talk({
      server: { sendBuffer: 20_000, window: 30_000, maxMessage: 1_000 },
    });
    server.side.takes = 0;
    server.answers = () => text("answer", 900);
    let asked = 0;
    for (let i = 0; i < 400; i++) {
      try {
        if (client.ask(text("question", 200)) > 0) asked++;
      } catch (error) {
        assertEquals(
          codeOf(() => {
            throw error;
          }),
          "REQUESTS_OPEN",
        );
      }
      pair.run(1);
      assertLessOrEqual(server.side.connection.stats().queued, 20_000);
    }
    assertGreater(asked, 100);
    assertGreater(server.refused.length, 20);
    // What it asks beyond the credit stays with it.
    assertLessOrEqual(server.owed.size * 264, 30_000);
  });
});

describe("credit", () => {
  it("that unanswered requests hold stops the peer's messages, while answers and heartbeats pass", () => {
    const beat = { heartbeat: { interval: 100, multiplier: 3, minimumInterval: 10 } };
    const options = { ...beat, maxMessage: 1_000, window: 5_000 };
    const { pair, client, server } = talk({ client: options, server: options });
    server.answers = () => null;
    for (let i = 0; i < 10; i++) assertGreater(client.ask(text(`${i}`, 900)), 0);
    client.send("behind them");
    pair.run(3_000);
    assertEquals(server.heard.length, 5); // 964 each
    server.ask("and you?");
    pair.run(100);
    assertEquals(server.got.length, 1);
    for (const { side } of [client, server]) {
      assertEquals(side.of("suspect").length, 0);
      assertGreater(side.of("pong").length, 9);
      assertEquals(side.connection.phase, "open");
    }
    server.reply(3, "one less");
    server.reply(4, "and another");
    pair.run(100);
    assertGreater(server.heard.length, 6);
    server.answers = (asked) => `re ${asked}`;
    server.answerAll();
    pair.run(1_000);
    assertEquals(server.heard.at(-1), "m behind them");
    assertEquals(client.got.length, 10);
  });

  it("comes back for what was refused and for what was taken back", () => {
    const options = { maxMessage: 1_000, window: 3_000, maxRequests: 2 };
    const { pair, client, server } = talk({ client: { ...options, maxRequests: 1_000 }, server: options });
    server.answers = () => null;
    for (let i = 1; i <= 50; i++) {
      client.ask(text(`${i}`, 900));
      if (i % 3 === 0) client.cancel(i);
      pair.run(20);
      if (i % 5 === 0) server.answerAll();
    }
    server.answerAll();
    pair.run(1_000);
    const answered = 50 - 16; // those taken back are told to nobody
    assertEquals(client.got.length, answered);
    assertEquals(new Set(ids(client)).size, answered);
  });
});

describe("what is acknowledged of messages", () => {
  it("stays right whatever answers go between them", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed);
      const { pair, client, server } = talk({ seed });
      server.side.consumes = false;
      client.side.consumes = false;
      const ends: Record<string, { position: number; text: string }[]> = { client: [], server: [] };
      const told: Record<string, number> = { client: 0, server: 0 };
      const consumed: Record<string, number> = { client: 0, server: 0 };
      const both = [client, server] as const;
      for (let step = 0; step < 200; step++) {
        const me = both[random.between(0, 1)]!;
        const { name } = me.side;
        switch (random.between(0, 5)) {
          case 0:
          case 1: {
            const words = text(`${step} `, random.between(0, 3) === 0 ? random.between(5, 50_000) : 9);
            if (me.send(words) === "accepted") {
              ends[name]!.push({ position: me.side.connection.stats().accepted, text: words });
            }
            break;
          }
          case 2:
            me.answers = random.between(0, 1) === 0
              ? () => null
              : () => text("answer", random.between(0, 40_000));
            if (me.owed.size > 0) me.answerAll(() => text("late", random.between(0, 40_000)));
            break;
          case 3: {
            const id = me.ask(text("?", random.between(1, 20_000)));
            if (random.between(0, 3) === 0) me.cancel(id);
            break;
          }
          case 4: {
            const seen = me.side.of("message");
            if (seen.length === consumed[name]) break;
            consumed[name] = random.between(consumed[name]! + 1, seen.length);
            pair.act(
              me.side,
              (connection, now) => connection.consumed(seen[consumed[name]! - 1]!.position, now),
            );
            break;
          }
          default:
            pair.run(random.between(0, 60));
        }
        // What is told as processed is what the other application has finished, no more; and in the end, no less.
        for (const talker of both) {
          const last = talker.side.of("processed").at(-1)?.position ?? 0;
          const name = talker.side.name;
          const done = ends[name]!.filter(({ position }) => position <= last).length;
          const peer = talker === client ? "server" : "client";
          assert(
            done >= told[name]! && done <= consumed[peer]!,
            `seed ${seed}, ${name}: ${done} of ${consumed[peer]}`,
          );
          told[name] = done;
          assertLessOrEqual(
            talker.side.connection.stats().acknowledged,
            talker.side.connection.stats().accepted,
          );
        }
      }
      for (const talker of both) {
        talker.answers = () => "done";
        talker.side.consumes = true;
        const last = talker.side.of("message").at(-1);
        if (last !== undefined) {
          pair.act(talker.side, (connection, now) => connection.consumed(last.position, now));
        }
        talker.answerAll(() => "done");
      }
      pair.run(3_000);
      for (const talker of both) {
        const { accepted, acknowledged, processed } = talker.side.connection.stats();
        assertEquals([acknowledged, processed], [accepted, accepted], `seed ${seed}, ${talker.side.name}`);
        assertEquals(talker.side.of("processed").at(-1)?.position, accepted);
      }
    }
  });
});

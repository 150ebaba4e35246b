/**
 * Requests and their answers between two machines: sizes, order, statuses, taking back, and the end.
 *
 * What overtakes what is in lanes.test.ts, what a hostile peer may say in request_faults.test.ts, what a session makes of it in
 * tests/session/requests.test.ts.
 */

import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { HeartwireError } from "../../core/errors.ts";
import { ReplyStatus } from "../../core/flow/requests.ts";
import { Random } from "../support/random.ts";
import { codeOf, pattern, talk, type Talker, text } from "../support/talk.ts";

const SIZES = [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000];

function ids(talker: Talker): number[] {
  return talker.got.map(({ id }) => id);
}

describe("a request", () => {
  it("is answered, with its size and the answer's of any number of chunks, both ways at once", () => {
    for (const size of SIZES) {
      for (const back of SIZES) {
        const { pair, client, server } = talk();
        for (const talker of [client, server]) talker.answers = () => pattern(back);
        for (const talker of [client, server]) assertEquals(talker.ask(pattern(size)), 1);
        pair.run(1_000);
        for (const talker of [client, server]) {
          const name = `${talker.side.name}, ${size} and ${back}`;
          assert(talker.heard.length === 1 && talker.heard[0] === `q1 ${pattern(size)}`, name);
          assertEquals(talker.got.length, 1, name);
          assert(talker.got[0]!.text === pattern(back), name);
          const stats = talker.side.connection.stats();
          assertEquals([stats.requestsSent, stats.requestsReceived], [1, 1]);
          const chunks = Math.floor(Math.max(0, size - 1) / 16_384) + 1;
          assertEquals([stats.accepted, stats.acknowledged, stats.processed], [chunks, chunks, chunks], name);
        }
      }
    }
  });

  it("a thousand at once, answered in any order, each with its own", () => {
    const { pair, client, server } = talk({ client: { maxRequests: 1_000 }, server: { maxRequests: 1_000 } });
    server.answers = () => null;
    for (let i = 1; i <= 1_000; i++) assertEquals(client.ask(`question ${i}`), i);
    assertEquals(codeOf(() => client.ask("one more")), "REQUESTS_OPEN");
    pair.run(100);
    assertEquals(server.heard, Array.from({ length: 1_000 }, (_, i) => `q${i + 1} question ${i + 1}`));
    const random = new Random(1);
    const open = [...server.owed.keys()];
    for (let i = open.length - 1; i > 0; i--) {
      const other = random.between(0, i);
      [open[i], open[other]] = [open[other]!, open[i]!];
    }
    for (const id of open) assertEquals(server.reply(id, `answer ${id}`, id), "accepted");
    pair.run(100);
    assertEquals(ids(client), open);
    for (const { id, status, text } of client.got) assertEquals([status, text], [id, `answer ${id}`]);
    assertEquals(client.ask("and again"), 1_001);
  });

  it("keeps its place between messages, whatever the sizes", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const { pair, client, server } = talk({ seed, client: { sendBuffer: 4_000_000 } });
      const said: string[] = [];
      let asked = 0;
      for (let i = 0; i < 60; i++) {
        const words = text(`${i} `, random.between(0, 5) === 0 ? random.between(3, 60_000) : 9);
        if (random.between(0, 1) === 0) {
          assertEquals(client.send(words), "accepted");
          said.push(`m ${words}`);
        } else {
          assertEquals(client.ask(words), ++asked);
          said.push(`q${asked} ${words}`);
        }
        if (random.between(0, 9) === 0) pair.run(3);
      }
      pair.run(1_000);
      assertEquals(server.heard.map((line) => line.slice(0, 20)), said.map((line) => line.slice(0, 20)));
      assert(server.heard.join("|") === said.join("|"));
      assertEquals(ids(client), Array.from({ length: asked }, (_, i) => i + 1));
    }
  });

  it("has a status up to 2^53 - 1, and tells how long the asker waits", () => {
    const { pair, client, server } = talk();
    server.answers = () => null;
    for (const timeout of [0, 0.4, 1, 1_500.2, 2 ** 31 - 1, 2 ** 31, Infinity]) client.ask("?", timeout);
    pair.run(20);
    assertEquals(server.side.of("request").map(({ remaining }) => remaining), [
      1,
      1,
      1,
      1_501,
      2 ** 31 - 1,
      0,
      0,
    ]);
    const statuses = [0, 1, 4, 63, 64, 16_384, 2 ** 30, Number.MAX_SAFE_INTEGER];
    for (const [index, status] of statuses.slice(0, 7).entries()) server.reply(index + 1, "", status);
    client.ask("the last");
    pair.run(20);
    server.reply(8, "", Number.MAX_SAFE_INTEGER);
    pair.run(20);
    assertEquals(client.got.map(({ status }) => status), statuses);
    for (const status of [-1, 0.5, 2 ** 53, NaN]) {
      assertThrows(() => server.reply(9, "", status), HeartwireError);
    }
    for (const timeout of [-1, NaN]) assertThrows(() => client.ask("", timeout), HeartwireError);
    assertEquals(codeOf(() => client.ask(text("", 1_048_577))), "MESSAGE_TOO_LARGE");
  });

  it("is answered once: a second answer, and one to nothing, is late and says nothing", () => {
    const { pair, client, server } = talk();
    server.answers = () => null;
    client.ask("?");
    pair.run(20);
    assertEquals(server.reply(1, "first"), "accepted");
    assertEquals(server.reply(1, "second"), "late");
    assertEquals(server.reply(2, "to nothing"), "late");
    pair.run(20);
    assertEquals(server.reply(1, "third"), "late");
    pair.run(20);
    assertEquals(client.got, [{ id: 1, status: 0, text: "first" }]);
    assertEquals(client.side.connection.phase, "open");
  });

  it("beyond maxRequests of the one who asks is refused to it, of the one who answers by BUSY", () => {
    const { pair, client, server } = talk({ client: { maxRequests: 8 }, server: { maxRequests: 5 } });
    server.answers = () => null;
    for (let i = 0; i < 8; i++) client.ask(`${i}`);
    assertEquals(codeOf(() => client.ask("ninth")), "REQUESTS_OPEN");
    pair.run(20);
    assertEquals(server.heard.length, 5);
    const busy = client.got.map(({ id, status }) => [id, status]);
    assertEquals(busy, [6, 7, 8].map((id) => [id, ReplyStatus.BUSY]));
    server.answerAll();
    pair.run(20);
    assertEquals(client.ask("again"), 9);
    pair.run(20);
    assertEquals(server.heard.at(-1), "q9 again");
  });
});

describe("taking back", () => {
  it("before it left: it comes, is taken back behind it, and its answer is told to nobody", () => {
    const { pair, client, server } = talk();
    server.answers = () => null;
    client.side.takes = 0;
    client.ask("first");
    client.ask("second");
    client.cancel(1);
    client.cancel(1);
    client.side.takes = Infinity;
    pair.drain(client.side);
    pair.run(20);
    assertEquals(server.heard, ["q1 first", "q2 second", "c1"]);
    server.answerAll();
    pair.run(20);
    assertEquals(client.got, [{ id: 2, status: 0, text: "re second" }]);
    assertEquals(client.side.connection.phase, "open");
  });

  it("in the middle of its chunks, at any of them", () => {
    for (let room = 100; room < 100_000; room += 7_001) {
      const { pair, client, server } = talk();
      server.answers = () => null;
      client.side.out.room = room;
      client.ask(text("long", 90_000));
      client.cancel(1);
      client.side.out.room = Infinity;
      pair.drain(client.side);
      pair.run(50);
      assertEquals(server.heard.map((line) => line.slice(0, 7)), ["q1 long", "c1"], `${room}`);
      assertEquals(server.side.connection.phase, "open");
    }
  });

  it("after it left, and twice: it is told once, ahead of messages that wait", () => {
    const options = { maxMessage: 1_000, window: 3_000 };
    const { pair, client, server } = talk({ client: options, server: options });
    server.answers = () => null;
    server.side.consumes = false;
    client.ask("stop me");
    pair.run(20);
    for (let i = 0; i < 5; i++) client.send(text(`${i}`, 900));
    pair.run(20);
    assertEquals(server.heard.length, 4); // three messages, and then there is no credit
    client.cancel(1);
    client.cancel(1);
    pair.run(20);
    assertEquals(server.heard.length, 5);
    assertEquals(server.heard.at(-1), "c1");
    server.answerAll();
    pair.run(20);
    assertEquals(client.got, []);
    client.cancel(1);
    client.cancel(77);
    pair.run(20);
    assertEquals(server.heard.filter((line) => line.startsWith("c")), ["c1"]);
  });

  it("while the answer is on its way: both are given up without a word", () => {
    const { pair, client, server } = talk();
    client.ask("crossing");
    pair.run(1.5, () => server.heard.length === 1);
    client.cancel(1);
    pair.run(20);
    assertEquals(server.heard, ["q1 crossing"]);
    assertEquals(client.got, []);
    for (const { side } of [client, server]) assertEquals(side.of("fault").length, 0);
  });

  it("between the chunks of its answer", () => {
    const { pair, client, server } = talk();
    server.side.out.rate = 1_000;
    server.answers = () => text("long", 90_000);
    client.ask("long?");
    pair.run(40);
    client.cancel(1);
    client.ask("short?");
    server.answers = () => "short";
    pair.run(500);
    assertEquals(client.got, [{ id: 2, status: 0, text: "short" }]);
  });

  it("frees the place: what was taken back and answered counts no more", () => {
    const { pair, client, server } = talk({ client: { maxRequests: 2 } });
    for (let i = 1; i <= 20; i++) {
      assertEquals(client.ask(`${i}`), i);
      client.cancel(i);
      pair.run(10);
    }
    assertEquals(server.heard.filter((line) => line.startsWith("q")).length, 20);
    assertEquals(client.got, []);
  });
});

describe("the end", () => {
  it("drain waits for what is to be answered, and what was asked is answered meanwhile", () => {
    const { pair, client, server } = talk();
    server.answers = client.answers = () => null;
    client.ask("of the client");
    server.ask("of the server");
    pair.run(20);
    pair.act(server.side, (connection, now) => connection.drain(0, "", now));
    pair.run(1_000);
    assertEquals(server.side.connection.phase, "open");
    client.answerAll();
    pair.run(20);
    assertEquals(server.got.length, 1);
    server.answerAll();
    pair.run(100);
    assertEquals(client.got.length, 1);
    for (const { side } of [client, server]) assertEquals(side.connection.reason?.kind, "closed");
  });

  it("close leaves the peer time to answer, and answers of our own are late behind it", () => {
    const { pair, client, server } = talk();
    server.answers = client.answers = () => null;
    client.ask("of the client");
    server.ask("of the server");
    pair.run(20);
    pair.act(client.side, (connection, now) => connection.close(7, "", now));
    assertEquals(client.reply(1, "too late"), "late");
    pair.run(1_000);
    assertEquals(server.side.connection.phase, "answering");
    assertEquals(codeOf(() => server.ask("who would answer?")), "NOT_OPEN");
    assertEquals(server.send("still fine"), "accepted");
    server.answerAll();
    pair.run(100);
    assertEquals(client.got, [{ id: 1, status: 0, text: "re of the client" }]);
    assertEquals(client.heard.at(-1), "m still fine");
    assertEquals(server.got, []);
    for (const { side } of [client, server]) assertEquals(side.connection.reason?.kind, "closed");
    assertEquals(server.reply(1, ""), "late");
    client.cancel(1);
    assertEquals(codeOf(() => client.ask("?")), "NOT_OPEN");
  });

  it("of both at once waits for nobody", () => {
    const { pair, client, server } = talk();
    server.answers = client.answers = () => null;
    for (const talker of [client, server]) for (let i = 0; i < 3; i++) talker.ask("?");
    pair.run(20);
    for (const { side } of [client, server]) {
      pair.act(side, (connection, now) => connection.close(0, "", now));
    }
    pair.run(100);
    for (const { side } of [client, server]) assertEquals(side.connection.reason?.kind, "closed");
  });

  it("CLOSE stands behind answers and cancels that wait", () => {
    const { pair, client, server } = talk();
    server.answers = () => null;
    for (let i = 0; i < 3; i++) client.ask(`${i}`);
    pair.run(20);
    server.side.takes = client.side.takes = 0;
    server.reply(1, pattern(50_000));
    client.cancel(2);
    for (const { side } of [client, server]) {
      pair.act(side, (connection, now) => connection.close(0, "", now));
    }
    for (const { side } of [client, server]) {
      side.takes = Infinity;
      pair.drain(side);
    }
    pair.run(100);
    assertEquals(client.got.length, 1);
    assertEquals(server.heard.at(-1), "c2");
    for (const { side } of [client, server]) assertEquals(side.connection.reason?.kind, "closed");
  });

  it("by an abort, or a cut, leaves nothing behind that could be answered", () => {
    const { pair, client, server } = talk();
    server.answers = () => null;
    client.ask("?");
    pair.run(20);
    pair.act(client.side, (connection, now) => connection.abort("ABORTED", "", now));
    pair.run(20);
    assertEquals(server.reply(1, "?"), "late");
    assertEquals(codeOf(() => client.ask("?")), "NOT_OPEN");
    assertEquals(client.side.connection.stats().requestsSent, 1);
  });
});

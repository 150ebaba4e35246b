/**
 * The runtime's sockets as transports, against `node:net`: nothing is lost or reordered, and each end of a connection is told for what
 * it is.
 * @module
 */

import { after, before, describe, test } from "node:test";
import { createHash } from "node:crypto";
import type * as net from "node:net";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { parseAddress } from "../../adapters/address.ts";
import type { Address } from "../../adapters/api.ts";
import type { Transport, TransportSink } from "../../adapters/transport.ts";
import {
  eventually,
  pause,
  platform,
  rawConnect,
  rawRead,
  RawServer,
  runtime,
  socketPath,
} from "../support/contract.ts";

/** Records what a transport tells, and writes as the driver does. */
class Recorder implements TransportSink {
  readonly transport: Transport;
  readonly log: string[] = [];
  bytes = 0;
  /** Over content and order. */
  readonly hash = createHash("sha1");
  #pending: Uint8Array | null = null;
  #done: (() => void) | null = null;

  constructor(transport: Transport) {
    this.transport = transport;
    transport.start(this);
  }

  received(bytes: Uint8Array): void {
    assertEquals(Object.getPrototypeOf(bytes), Uint8Array.prototype, "a plain Uint8Array");
    this.hash.update(bytes);
    this.bytes += bytes.length;
  }

  eof(): void {
    this.log.push("eof");
  }

  failed(cause: unknown): void {
    this.log.push(`failed ${(cause as { code?: string } | null)?.code ?? cause}`);
  }

  wrote(count: number): void {
    this.#pending = this.#pending!.subarray(count);
    this.#go();
  }

  /** Resolves when all was taken. */
  write(bytes: Uint8Array): Promise<void> {
    this.#pending = bytes;
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#go();
    });
  }

  #go(): void {
    let pending = this.#pending!;
    while (pending.length > 0) {
      const count = this.transport.write(pending);
      const all = count === pending.length;
      this.#pending = pending = pending.subarray(count);
      if (!all) return;
    }
    this.#done?.();
    this.#done = null;
  }
}

function digest(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}

const BIG = Uint8Array.from({ length: 6_000_000 }, (_, at) => (at * 7 + (at >> 11)) & 0xff);

/** Dials, or listens and is dialled; gives our transport and the other end. */
type Meet = () => Promise<{ ours: Recorder; theirs: net.Socket }>;

describe(`transports of ${runtime}`, () => {
  let server: RawServer;
  const waiting: ((socket: net.Socket) => void)[] = [];
  before(async () => {
    server = await RawServer.listen((socket) => waiting.shift()!(socket));
  });
  after(() => server.close());

  const dialled: Meet = async () => {
    const accepted = new Promise<net.Socket>((resolve) => waiting.push(resolve));
    const transport = await new Promise<Transport>((resolve, reject) => {
      platform.dial(parseAddress(server.url), resolve, reject);
    });
    return { ours: new Recorder(transport), theirs: await accepted };
  };

  const accepted = (place: () => string): Meet => async () => {
    let met!: (transport: Transport) => void;
    const meeting = new Promise<Transport>((resolve) => met = resolve);
    const listener = await platform.listen(parseAddress(place()), { accepted: met, failed: () => {} });
    const theirs = await rawConnect(listener.address);
    const ours = new Recorder(await meeting);
    listener.close();
    return { ours, theirs };
  };

  const ways: [string, Meet][] = [
    ["dialled over tcp", dialled],
    ["accepted over tcp", accepted(() => "127.0.0.1:0")],
    ["accepted over unix", accepted(socketPath)],
  ];
  for (const [name, meet] of ways) {
    test(`${name}: 6 MB each way, the reader slow at first`, async () => {
      const { ours, theirs } = await meet();
      theirs.pause();
      let written = false;
      const writing = ours.write(BIG).then(() => written = true);
      await pause(100);
      assertEquals(written, false, "the system does not take it all");
      let count = 0;
      const hash = createHash("sha1");
      theirs.on("data", (chunk: Uint8Array) => {
        count += chunk.length;
        hash.update(chunk);
      });
      theirs.resume();
      await writing;
      await eventually("all arrived there", () => count === BIG.length);
      assertEquals(hash.digest("hex"), digest(BIG));
      theirs.write(BIG);
      await eventually("all arrived here", () => ours.bytes === BIG.length);
      assertEquals(ours.hash.digest("hex"), digest(BIG));
      ours.transport.destroy();
      theirs.destroy();
      assertEquals(ours.log, []);
    });

    test(`${name}: many small writes keep their order`, async () => {
      const { ours, theirs } = await meet();
      const reading = rawRead(theirs);
      for (let at = 0; at < 3_000; at += 3) await ours.write(BIG.subarray(at, at + 3));
      ours.transport.end();
      assertEquals(await reading, BIG.subarray(0, 3_000));
      ours.transport.destroy();
    });

    test(`${name}: pausing stops reading, resuming loses nothing`, async () => {
      const { ours, theirs } = await meet();
      theirs.write(BIG.subarray(0, 1_000));
      await eventually("some arrived", () => ours.bytes === 1_000);
      ours.transport.pause();
      theirs.write(BIG.subarray(1_000));
      await pause(150);
      const held = ours.bytes;
      await pause(100);
      assertEquals(ours.bytes, held, "nothing more while paused");
      assert(held < BIG.length / 2);
      ours.transport.resume();
      await eventually("all arrived", () => ours.bytes === BIG.length);
      assertEquals(ours.hash.digest("hex"), digest(BIG));
      ours.transport.destroy();
    });

    test(`${name}: our end is theirs to see, and they may go on`, async () => {
      const { ours, theirs } = await meet();
      await ours.write(BIG.subarray(0, 200_000));
      ours.transport.end();
      assertEquals((await rawRead(theirs)).length, 200_000, "the end comes behind what was taken");
      theirs.write(BIG.subarray(0, 50_000));
      await eventually("the rest arrived", () => ours.bytes === 50_000);
      assertEquals(ours.log, []);
      theirs.end();
      await eventually("their end", () => ours.log.length > 0);
      assertEquals(ours.log[0], "eof");
      ours.transport.destroy();
    });

    test(`${name}: their end is ours to see, and we may go on`, async () => {
      const { ours, theirs } = await meet();
      theirs.end("bye");
      await eventually("their end", () => ours.log.length > 0);
      assertEquals([ours.bytes, ours.log], [3, ["eof"]]);
      const reading = rawRead(theirs);
      await ours.write(BIG.subarray(0, 100_000));
      ours.transport.end();
      assertEquals((await reading).length, 100_000);
      ours.transport.destroy();
    });

    test(`${name}: destroying is seen by them, and nothing is told us any more`, async () => {
      const { ours, theirs } = await meet();
      let closed = false;
      theirs.on("close", () => closed = true);
      theirs.on("end", () => theirs.end());
      theirs.resume();
      ours.transport.destroy();
      ours.transport.destroy();
      await eventually("closed there", () => closed);
      assertEquals(ours.log, []);
    });

    test(`${name}: destroying in the middle of a write and of a read`, async () => {
      const { ours, theirs } = await meet();
      let closed = false;
      theirs.on("close", () => closed = true);
      theirs.pause();
      void ours.write(BIG);
      await pause(20);
      ours.transport.destroy();
      theirs.on("end", () => theirs.end());
      theirs.resume();
      await eventually("closed there", () => closed);
      assertEquals(ours.log, []);
    });

    // A Unix socket knows no reset.
    if (!name.includes("unix")) {
      test(`${name}: a reset fails once, with its code`, async () => {
        const { ours, theirs } = await meet();
        await ours.write(BIG.subarray(0, 10));
        theirs.resetAndDestroy();
        await eventually("it failed", () => ours.log.length > 0);
        await pause(20);
        assertEquals(ours.log, ["failed ECONNRESET"]);
        assertGreater(ours.transport.write(new Uint8Array(1)), -1);
        ours.transport.destroy();
      });
    }
  }

  test("addresses are told", async () => {
    const { ours, theirs } = await dialled();
    const { remote, local } = ours.transport;
    assert(remote.kind === "tcp" && local.kind === "tcp");
    assertEquals([remote.url, remote.host, remote.port], [server.url, "127.0.0.1", theirs.localPort!]);
    assertEquals([local.host, local.port], ["127.0.0.1", theirs.remotePort!]);
    ours.transport.destroy();
  });

  test("a dial that is given up tells nothing and leaves nothing", async () => {
    const before = server.sockets.length;
    let called = 0;
    const late: Transport[] = [];
    for (let i = 0; i < 40; i++) {
      waiting.push((socket) => {
        socket.resume();
        socket.on("end", () => socket.end());
      });
      const address: Address = parseAddress(server.url);
      const cancel = platform.dial(address, (transport) => {
        called++;
        late.push(transport);
      }, () => called++);
      if (i % 2 === 1) await pause(i % 4 === 1 ? 0 : 1);
      cancel();
    }
    const told = called;
    await pause(200);
    waiting.splice(0);
    assertEquals(called, told, "nothing was told after it was given up");
    const reached = server.sockets.slice(before);
    const open = (): number => reached.filter(({ destroyed }) => !destroyed).length;
    await eventually("only what was told is open", () => open() === told);
    for (const transport of late) transport.destroy();
  });
});

/**
 * The driver against a machine that says what it is told to say: the order of its steps, one write outstanding, one timer.
 * @module
 */

import { describe, test } from "node:test";
import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { Driver, solo } from "../../adapters/driver.ts";
import { type Event, Puppet, setUp, watched, Wire } from "../support/puppet.ts";
import { VirtualWorld } from "../support/virtual_platform.ts";

describe("the driver", () => {
  test("tells events within the input, writes once behind all inputs of a turn", async () => {
    const { world, wire, seen } = setUp();
    await world.run(0);
    assertEquals(wire.take(), ["start"]);
    wire.sink.received(new Uint8Array(3));
    assertEquals(seen, [{ type: "got", size: 3 }], "while the bytes are lent");
    wire.sink.received(new Uint8Array(4));
    assertEquals(wire.take(), [], "nothing is written yet");
    await world.run(0);
    assertEquals(wire.take(), ["write 7 took 7"]);
    assertEquals(
      seen.at(-1),
      { type: "took", size: 7 },
      "what was taken is told, and its events are drained",
    );
  });

  test("gathers what an application says over some microtasks into one write", async () => {
    const { world, puppet, wire, driver } = setUp();
    await world.run(0);
    wire.take();
    for (let i = 0; i < 20; i++) {
      puppet.out.push(new Uint8Array(5));
      driver.done(puppet, driver.now());
      await Promise.resolve();
    }
    await world.run(0);
    assertEquals(wire.take(), ["write 100 took 100"]);
  });

  test("does not wait for ever for an application that never rests", async () => {
    const { puppet, wire, driver } = setUp();
    let wrote = -1;
    for (let i = 0; i < 5_000 && wrote < 0; i++) {
      puppet.out.push(new Uint8Array(1));
      driver.done(puppet, driver.now());
      await Promise.resolve();
      if (wire.log.some((line) => line.startsWith("write"))) wrote = i;
    }
    assert(wrote > 100 && wrote < 1_000, `wrote after ${wrote} turns`);
  });

  test("keeps one write outstanding and goes on where it stopped", async () => {
    const { world, puppet, wire } = setUp();
    wire.takes = 4;
    wire.sink.received(new Uint8Array(10));
    await world.run(0);
    assertEquals(wire.take(), ["start", "write 10 took 4"]);
    wire.sink.received(new Uint8Array(2));
    await world.run(0);
    assertEquals(wire.take(), [], "nothing before `wrote`");
    wire.sink.wrote(3);
    await world.run(0);
    assertEquals(wire.take(), ["write 5 took 4"], "10 - 4 - 3, and the 2 that came meanwhile");
    wire.takes = Infinity;
    wire.sink.wrote(0);
    await world.run(0);
    assertEquals(wire.take(), ["write 1 took 1"]);
    assertEquals(puppet.peekTransmit(), null);
  });

  test("half-closes once, behind all output", async () => {
    const { world, puppet, wire, driver } = setUp();
    wire.takes = 0;
    puppet.action = "end";
    wire.sink.received(new Uint8Array(6));
    await world.run(0);
    assertEquals(wire.take(), ["start", "write 6 took 0"]);
    wire.sink.wrote(6);
    await world.run(0);
    driver.done(puppet, driver.now());
    await world.run(0);
    assertEquals(wire.take(), ["end"]);
  });

  test("destroys at once, with output waiting, and never touches the transport again", async () => {
    const { world, puppet, wire, driver } = setUp();
    wire.sink.received(new Uint8Array(6));
    puppet.action = "destroy";
    await world.run(0);
    assertEquals(wire.take(), ["start", "destroy"]);
    driver.done(puppet, driver.now());
    puppet.reads = false;
    await world.run(0);
    assertEquals(wire.take(), []);
    assertEquals(driver.size, 0);
  });

  test("writes nothing after the transport failed", async () => {
    const { world, puppet, wire, seen } = setUp();
    puppet.out.push(new Uint8Array(9));
    wire.sink.failed(new Error("reset"));
    await world.run(0);
    assertEquals(wire.take(), ["start", "destroy"]);
    assertEquals(seen, [{ type: "failed", size: 0 }]);
  });

  test("pauses and resumes when the machine changes its mind, not each time it is asked", async () => {
    const { world, puppet, wire, driver } = setUp();
    for (const reads of [false, false, true, true, false]) {
      puppet.reads = reads;
      driver.done(puppet, driver.now());
      await world.run(0);
    }
    assertEquals(wire.take(), ["start", "pause", "resume", "pause"]);
  });

  test("passes the real time to a late timeout", async () => {
    const { world, puppet, driver } = setUp();
    puppet.at = world.now + 10.0004;
    driver.done(puppet, world.now);
    await world.run(9);
    assertEquals(puppet.timeouts, []);
    world.now += 500; // the process did not run
    await world.run(0);
    assertEquals(puppet.timeouts, [1_509]);
    assertGreaterOrEqual(puppet.walls.length, 1);
  });

  test("holds one timer, re-arms it only to come earlier, and none without a deadline", async () => {
    const { world, puppet, driver } = setUp();
    const armed: number[] = [];
    const { clock } = world.platform;
    const set = clock.setTimer;
    clock.setTimer = (callback, delay) => {
      armed.push(delay);
      return set(callback, delay);
    };
    const wish = async (in_: number): Promise<void> => {
      puppet.at = world.now + in_;
      driver.done(puppet, world.now);
      await world.run(0);
    };
    await wish(100);
    await wish(200);
    await wish(300);
    assertEquals(armed, [100], "later ones wait for the first");
    await wish(50.3);
    assertEquals(armed, [100, 51], "rounded up");
    assertEquals(world.armed, 1);
    await wish(1e12);
    await world.run(51);
    assertEquals(armed, [100, 51, 2 ** 31 - 1], "as long as a timer can be");
    await wish(Infinity);
    assertEquals(world.armed, 0, "nothing keeps the process alive");
  });

  test("alarms share the timer, fire once, and can be taken back", async () => {
    const { world, puppet, driver } = setUp();
    const rang: string[] = [];
    driver.at(world.now + 30, () => rang.push(`a ${world.now}`));
    const cancel = driver.at(world.now + 20, () => rang.push("b"));
    puppet.at = world.now + 40;
    driver.done(puppet, world.now);
    await world.run(10);
    assertEquals(world.armed, 1);
    cancel();
    await world.run(25);
    assertEquals(rang, ["a 1030"]);
    await world.run(10);
    assertEquals(puppet.timeouts, [1_040]);
    assertEquals(world.armed, 0);
  });

  test("an input from a deferred task is drained behind it, never inside an event", async () => {
    const world = new VirtualWorld();
    const puppet = new Puppet();
    const { clock } = world.platform;
    const order: string[] = [];
    let inside = false;
    const driver: Driver<Puppet, Event> = new Driver<Puppet, Event>(solo(puppet), clock, {
      event: (_machine, event) => {
        assertEquals(inside, false);
        inside = true;
        order.push(`${event.type} ${event.size}`);
        if (event.type === "got" && event.size > 1) {
          driver.defer({
            run: () => {
              order.push("task");
              puppet.receive(new Uint8Array(event.size - 1));
              driver.done(puppet, driver.now());
              order.push("over");
            },
          });
        }
        inside = false;
      },
    });
    const wire = new Wire();
    driver.attach(puppet, wire);
    wire.sink.received(new Uint8Array(3));
    assertEquals(order, ["got 3", "task", "over", "got 2", "task", "over", "got 1"]);
    await world.run(0);
    assertEquals(wire.take(), ["start", "write 6 took 6"]);
  });

  test("settles what has no events behind the write, once for all of it", async () => {
    const { world, puppet, wire, driver } = watched();
    await world.run(0);
    wire.take();
    for (let count = 0; count < 3; count++) {
      puppet.out.push(new Uint8Array(5));
      driver.given(puppet);
    }
    assertEquals(wire.take(), []);
    await world.run(0);
    assertEquals(wire.take(), ["write 15 took 15", "settled"]);
    wire.takes = 0;
    puppet.out.push(new Uint8Array(5));
    driver.given(puppet);
    await world.run(0);
    assertEquals(wire.take(), ["write 5 took 0", "settled"], "also when nothing was taken");
    driver.given(puppet);
    await world.run(0);
    assertEquals(wire.take(), ["settled"], "and while a write is outstanding");
  });

  test("settles what may have events before it returns, and with it what was given before", async () => {
    const { world, puppet, wire, driver } = watched();
    await world.run(0);
    wire.take();
    driver.given(puppet);
    driver.done(puppet, driver.now());
    assertEquals(wire.take(), ["settled"]);
    await world.run(0);
    assertEquals(wire.take(), []);
  });

  test("settles everything before it tells that all of a turn was given", async () => {
    const { world, puppet, wire, driver } = watched(true);
    await world.run(0);
    wire.take();
    puppet.out.push(new Uint8Array(5));
    driver.given(puppet);
    await world.run(0);
    assertEquals(wire.take().slice(0, 3), ["settled", "turned", "write 5 took 5"]);
  });

  test("tells that all was given once more behind a machine that ends with its last write", async () => {
    const { world, puppet, wire, driver } = watched(true);
    await world.run(0);
    wire.take();
    puppet.advanceTransmit = () => {
      puppet.out = [];
      puppet.action = "destroy";
    };
    puppet.out.push(new Uint8Array(5));
    driver.given(puppet);
    await world.run(0);
    const turn = ["settled", "turned", "write 5 took 5", "destroy", "settled"];
    assertEquals(
      wire.take(),
      [...turn, "detached", "turned"],
      "so that a store is asked what the end leads to",
    );
  });

  test("settles also what was given to a machine whose transport is gone", async () => {
    const { world, puppet, wire, driver } = watched();
    await world.run(0);
    puppet.action = "destroy";
    driver.done(puppet, driver.now());
    await world.run(0);
    assertEquals(driver.size, 0);
    wire.take();
    driver.given(puppet);
    assertEquals(wire.take(), ["settled"], "there is no write to wait for");
  });

  test("has one time for a task, and the clock's before and behind a turn", async () => {
    const { world, puppet, driver } = setUp();
    const times: number[] = [];
    const task = {
      run: () => {
        times.push(driver.now());
        world.now += 7; // an application takes its time
        times.push(driver.now());
      },
    };
    const start = world.now;
    driver.defer({
      run: () => {
        driver.defer(task);
        driver.defer(task);
      },
    });
    assertEquals(times, [start, start, start + 7, start + 7]);
    driver.beforeFlush(task);
    driver.given(puppet);
    await world.run(0);
    world.now += 100;
    assertEquals(driver.now(), world.now);
  });
});

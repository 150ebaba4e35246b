/**
 * The run loop: the only place where a machine meets sockets and time. It does steps 1 to 6 of core/machine.ts for any
 * number of machines that have one owner (a client, a server), or for a single machine (`solo`).
 *
 * How a turn goes: an input is given and its events are drained at once, while the bytes they lend are there. Then
 * tasks that were deferred run (a session's handlers: they may give inputs). Writing, pausing and re-arming the timer
 * wait for a microtask, so that answers given meanwhile go out in the same write.
 *
 * Rules:
 * - No event handler gives an input to a machine: it queues, or defers a task. So an input never finds borrowed bytes.
 * - One write outstanding a transport; while it is, output gathers in the machine.
 * - One timer for everything, re-armed only to come earlier or when it fired. It passes the real time on.
 * - No protocol decision. What a socket does is what the machine says.
 *
 * @module
 */

import { Deadlines, type Timed } from "../core/deadlines.ts";
import { EventQueue } from "../core/event_queue.ts";
import type { Machine } from "../core/mod.ts";
import { Fifo } from "./fifo.ts";
import type { Clock, Transport, TransportSink } from "./transport.ts";

/** Whoever owns machines and decides over them together: core's `Client` and `Server`, and `solo`. */
export interface Owner<M> {
  /** After every input given to one of its machines directly. */
  settle(machine: M, now: number): void;
  /** The next machine whose outputs need to be drained, or null. */
  nextDirty(): M | null;
  handleTimeout(now: number): void;
  deadline(): number;
  /** A sample of the wall clock, ms since 1970, before a machine is joined to a transport and before each timeout. */
  observeWall(wall: number, now: number): void;
  /** Bytes came for a machine that is held; see {@link Driver.hold}. */
  heard?(machine: M, now: number): void;
}

/** What the driver tells. */
export interface DriverHooks<M, E> {
  /** A machine's event, which may be used again for the next. Must give no input. */
  event(machine: M, event: E): void;
  /** The owner's own actions and events, after each drain. Says whether there were any. May give inputs. */
  decide?(): boolean;
  /** All inputs of a turn were given, and nothing of what follows is written yet. Must give no input. */
  turned?(): void;
  /** A machine's transport is gone, and with it all that the driver knew of it. Must give no input. */
  detached?(machine: M): void;
}

/** Something to do later. An object that is there anyway can be one: a function for it would be 100 bytes a session. */
export interface Task {
  /** Does it. Must not throw. */
  run(): void;
}

/** Timers take no more: a longer delay fires at once on all runtimes. */
const DELAY_MAX = 2 ** 31 - 1;

/**
 * For how many microtasks in a row nothing must be put in before output is written. An application that awaits each
 * `send` in a loop is there again after 1 to 3 of them; a write for each message costs ten times what one for all does.
 */
const QUIET = 4;
/** ... but no longer than so many: bytes on their way are better than bytes in a heap. */
const PATIENCE = 256;

/** Its reactions are microtasks. Node's `queueMicrotask` makes an object to trace each by: five of them cost a tenth of a turn. */
const NOW = Promise.resolve();

/** A machine that is held leaves more than this with the kernel, bytes. */
const HELD_MAX = 65_536;

interface Alarm extends Timed, Task {}

/** Drives the machines of one owner. */
export class Driver<M extends Machine<E>, E> {
  readonly #owner: Owner<M>;
  readonly #clock: Clock;
  readonly #hooks: DriverHooks<M, E>;
  readonly #links = new Map<M, Link<M, E>>();
  /** Links with something to write or to do. */
  readonly #touched = new EventQueue<Link<M, E>>();
  readonly #tasks = new Fifo<Task>();
  /** They had inputs from tasks; and the last of them, null when they are settled. */
  readonly #unsettled = new EventQueue<M>();
  #latest: M | null = null;
  readonly #beforeFlush = new EventQueue<Task>();
  readonly #alarms = new Deadlines<Alarm>();
  #draining = false;
  /** While draining: when the task began. */
  #now = 0;
  #scheduled = false;
  #quiet = 0;
  #waited = 0;
  #timer: unknown = null;
  #timerAt = Infinity;

  constructor(owner: Owner<M>, clock: Clock, hooks: DriverHooks<M, E>) {
    this.#owner = owner;
    this.#clock = clock;
    this.#hooks = hooks;
  }

  /** The time to give an input with: within one task the same, for reading the clock costs a tenth of a message. */
  now(): number {
    return this.#draining ? this.#now : this.#clock.now();
  }

  /** Tells the owner the wall clock: to be called before it makes a machine. */
  tellWall(): void {
    this.#owner.observeWall(this.#clock.wall(), this.#clock.now());
  }

  /** Joins a machine to its transport, which begins to read. */
  attach(machine: M, transport: Transport): void {
    const link = new Link(machine, transport, this);
    this.#links.set(machine, link);
    this.#touch(link);
    transport.start(link);
    this.done(machine, this.#clock.now());
  }

  /** Transports that are not destroyed. */
  get size(): number {
    return this.#links.size;
  }

  /** The transport that a machine is joined to, if it is. */
  transportOf(machine: M): Transport | null {
    return this.#links.get(machine)?.transport ?? null;
  }

  /** Keeps what comes for a machine from it, and writes nothing of it, until {@link Driver.release}. */
  hold(machine: M): void {
    this.#links.get(machine)?.hold();
  }

  /** Gives a machine what was kept from it. */
  release(machine: M): void {
    const link = this.#links.get(machine);
    if (link === undefined) return;
    this.#touch(link);
    this.defer({ run: () => link.release() });
  }

  /** Destroys the transport of a machine that nobody is interested in any more. */
  drop(machine: M): void {
    this.#links.get(machine)?.drop();
  }

  /** For links only: something came for a machine that is held. */
  heard(machine: M): void {
    const now = this.now();
    this.#owner.heard?.(machine, now);
    this.done(null, now);
  }

  /** Has to follow every input: to `machine`, or with null to the owner. */
  done(machine: M | null, now: number): void {
    if (this.#draining) {
      // An input from a handler: the loop below comes to it, and settles once for all that one task gave (0.7 of 8 us an echo).
      if (machine !== null && this.#latest !== machine) this.#unsettled.push(this.#latest = machine);
      return this.#schedule();
    }
    if (machine !== null) this.#settle(machine, now);
    this.#drain(now);
    this.#schedule();
  }

  #settle(machine: M, now: number): void {
    this.#owner.settle(machine, now);
    const link = this.#links.get(machine);
    if (link !== undefined) this.#touch(link);
  }

  #touch(link: Link<M, E>): void {
    if (link.touched) return;
    link.touched = true;
    this.#touched.push(link);
  }

  /** Runs a task when events are drained: the place for handlers that are called synchronously. */
  defer(task: Task): void {
    this.#tasks.push(task);
    if (this.#draining) return;
    this.#drain(this.#clock.now());
    this.#schedule();
  }

  /** Runs a task once before the next write: for inputs that may be given late and together. */
  beforeFlush(task: Task): void {
    this.#beforeFlush.push(task);
    this.#schedule();
  }

  /** Calls back at a time, once, unless the function it returns is called first. */
  at(time: number, callback: () => void): () => void {
    const alarm: Alarm = { index: -1, run: callback };
    this.#alarms.update(alarm, time);
    this.#schedule();
    return () => {
      this.#alarms.remove(alarm);
      this.#schedule();
    };
  }

  /** Steps 1 and 2: everything that can be decided is decided, and all events are told. */
  #drain(now: number): void {
    this.#draining = true;
    this.#now = now;
    try {
      for (;;) {
        this.#latest = null;
        for (let given = this.#unsettled.take(); given !== null; given = this.#unsettled.take()) {
          this.#settle(given, this.#now);
        }
        const machine = this.#owner.nextDirty();
        if (machine !== null) {
          for (let event = machine.nextEvent(); event !== null; event = machine.nextEvent()) {
            this.#hooks.event(machine, event);
          }
          const link = this.#links.get(machine);
          if (link !== undefined) this.#touch(link);
        } else if (!(this.#hooks.decide?.() ?? false)) {
          const task = this.#tasks.shift();
          if (task === undefined) break;
          task.run();
          this.#now = this.#clock.now(); // an application takes its time
        }
      }
    } finally {
      this.#draining = false;
    }
  }

  #schedule(): void {
    this.#quiet = 0;
    if (this.#scheduled) return;
    this.#scheduled = true;
    void NOW.then(this.#settleDown);
  }

  readonly #settleDown = (): void => {
    if (++this.#quiet <= QUIET && ++this.#waited < PATIENCE) return void NOW.then(this.#settleDown);
    this.#waited = 0;
    do {
      for (let task = this.#beforeFlush.take(); task !== null; task = this.#beforeFlush.take()) task.run();
      this.#hooks.turned?.();
      this.#flush();
    } while (!this.#beforeFlush.empty);
    this.#scheduled = false;
    this.#arm();
  };

  /** Steps 3 to 5 for every link that was touched, until there is nothing more to do. */
  #flush(): void {
    for (let link = this.#touched.take(); link !== null; link = this.#touched.take()) {
      link.touched = false;
      if (!link.flush()) continue;
      const now = this.#clock.now();
      this.#owner.settle(link.machine, now);
      this.#drain(now);
    }
  }

  /** Step 6. */
  #arm(): void {
    const at = Math.min(this.#owner.deadline(), this.#alarms.next());
    if (this.#timer !== null) {
      if (this.#timerAt <= at && at !== Infinity) return; // it comes too early: nothing happens then but this again
      this.#clock.clearTimer(this.#timer);
      this.#timer = null;
    }
    if (at === Infinity) return; // no timer keeps a process alive that has nothing to wait for
    const now = this.#clock.now();
    const delay = Math.min(Math.max(Math.ceil(at - now), 0), DELAY_MAX);
    this.#timerAt = Math.min(at, now + DELAY_MAX);
    this.#timer = this.#clock.setTimer(this.#fire, delay);
  }

  readonly #fire = (): void => {
    this.#timer = null;
    const now = this.#clock.now();
    for (let alarm = this.#alarms.take(now); alarm !== null; alarm = this.#alarms.take(now)) {
      this.#tasks.push(alarm);
    }
    this.#owner.observeWall(this.#clock.wall(), now);
    this.#owner.handleTimeout(now);
    this.done(null, now);
  };

  /** For links only. */
  forget(machine: M): void {
    if (this.#links.delete(machine)) this.#hooks.detached?.(machine);
  }
}

/** One machine and its transport. */
class Link<M extends Machine<E>, E> implements TransportSink {
  readonly machine: M;
  readonly transport: Transport;
  /** It is among those with something to write or to do. */
  touched = false;
  readonly #driver: Driver<M, E>;
  #writing = false;
  #ended = false;
  #reading = true;
  #gone = false;
  /** What came while it is held, in order, and how many bytes; null: it is not. */
  #held: (() => void)[] | null = null;
  #heldBytes = 0;

  constructor(machine: M, transport: Transport, driver: Driver<M, E>) {
    this.machine = machine;
    this.transport = transport;
    this.#driver = driver;
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    this.#heldBytes = 0;
    for (const input of held) if (!this.#gone) input();
  }

  drop(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#held = [];
    this.transport.destroy();
    this.#driver.forget(this.machine);
  }

  /** Keeps an input for later. Whether it did. */
  #keeps(input: () => void, size = 0): boolean {
    if (this.#held === null) return false;
    if (this.#gone) return true;
    this.#held.push(input);
    this.#heldBytes += size;
    if (this.#heldBytes >= HELD_MAX && this.#reading) {
      this.#reading = false;
      this.transport.pause();
    }
    this.#driver.heard(this.machine);
    return true;
  }

  received(bytes: Uint8Array): void {
    if (this.#held !== null) {
      const copy = bytes.slice();
      return void this.#keeps(() => this.received(copy), copy.length);
    }
    const now = this.#driver.now();
    this.machine.receive(bytes, now);
    this.#driver.done(this.machine, now);
  }

  eof(): void {
    if (this.#keeps(() => this.eof())) return;
    const now = this.#driver.now();
    this.machine.receiveEof(now);
    this.#driver.done(this.machine, now);
  }

  failed(cause: unknown): void {
    if (this.#keeps(() => this.failed(cause))) return;
    const now = this.#driver.now();
    this.#writing = true; // for ever: nothing can be written any more
    this.machine.transportFailed(cause, now);
    this.#driver.done(this.machine, now);
  }

  wrote(count: number): void {
    this.#writing = false;
    if (this.#gone) return;
    if (count > 0) this.machine.advanceTransmit(count);
    this.#driver.done(this.machine, this.#driver.now());
  }

  /** Writes, ends, destroys, pauses and resumes as the machine says. Whether the machine learned of bytes taken. */
  flush(): boolean {
    if (this.#gone || this.#held !== null) return false;
    const { machine, transport } = this;
    let advanced = false;
    if (machine.socketAction() !== "destroy") {
      while (!this.#writing) {
        const bytes = machine.peekTransmit();
        if (bytes === null) break;
        const count = transport.write(bytes);
        this.#writing = count < bytes.length;
        if (count > 0) {
          machine.advanceTransmit(count);
          advanced = true;
        }
      }
    }
    const action = machine.socketAction();
    if (action === "destroy") {
      this.#gone = true;
      transport.destroy();
      this.#driver.forget(machine);
      return advanced;
    }
    if (action === "end" && !this.#ended && !this.#writing && machine.peekTransmit() === null) {
      this.#ended = true;
      transport.end();
    }
    const wanted = machine.wantsRead();
    if (wanted !== this.#reading) {
      this.#reading = wanted;
      if (wanted) transport.resume();
      else transport.pause();
    }
    return advanced;
  }
}

/** The owner of a single machine that has no other, so that one driver serves both. */
export function solo<E, M extends Machine<E>>(machine: M): Owner<M> {
  let dirty = true;
  return {
    settle: () => {
      dirty = true;
    },
    nextDirty: () => {
      if (!dirty) return null;
      dirty = false;
      return machine;
    },
    handleTimeout: (now) => {
      machine.handleTimeout(now);
      dirty = true;
    },
    observeWall: (wall, now) => machine.observeWall(wall, now),
    deadline: () => machine.deadline(),
  };
}

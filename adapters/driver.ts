/**
 * The run loop: the only place where a machine meets sockets and time. It does steps 1 to 6 of core/machine.ts for any
 * number of machines that have one owner (a client, a server), or for a single machine (`solo`).
 *
 * How a turn goes: an input is given and its events are drained at once, while the bytes they lend are there. Then
 * tasks that were deferred run (a session's handlers: they may give inputs). Writing, pausing and re-arming the timer
 * wait for some microtasks, so that answers given meanwhile go out in the same write. What has no events, as a message that
 * is sent, is settled behind that write: until it is out nothing is done that could be done later.
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
import { Attachment, type Drives } from "./attachment.ts";
import { Fifo } from "./fifo.ts";
import type { Clock, Transport } from "./transport.ts";

/** Whoever owns machines and decides over them together: core's `Client` and `Server`, and `solo`. */
export interface Owner<M> {
  /** One of its machines was given inputs, or its bytes were taken; see {@link Driver.done} and {@link Driver.given}. */
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
  /** All inputs of a turn were given and settled, and nothing of what follows is written yet. Must give no input. */
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

interface Alarm extends Timed, Task {}

/** Drives the machines of one owner. */
export class Driver<M extends Machine<E>, E> implements Drives<M> {
  readonly #owner: Owner<M>;
  readonly #clock: Clock;
  readonly #hooks: DriverHooks<M, E>;
  readonly #attachments = new Map<M, Attachment<M, E>>();
  /** Those with something to write or to do. */
  readonly #touched = new EventQueue<Attachment<M, E>>();
  readonly #tasks = new Fifo<Task>();
  /** Those whose machines had inputs of which their owner does not know; and whether one may have events. */
  readonly #given = new EventQueue<Attachment<M, E>>();
  #pressing = false;
  /** The one that was looked up last: often it is the next as well. */
  #latest: Attachment<M, E> | null = null;
  readonly #beforeFlush = new EventQueue<Task>();
  readonly #alarms = new Deadlines<Alarm>();
  #draining = false;
  /** While draining, or writing: the time. Negative: it has to be read. */
  #now = -1;
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
    if (this.#now >= 0) return this.#now;
    const now = this.#clock.now();
    if (this.#draining) this.#now = now;
    return now;
  }

  /** Tells the owner the wall clock: to be called before it makes a machine. */
  tellWall(): void {
    this.#owner.observeWall(this.#clock.wall(), this.#clock.now());
  }

  /** Joins a machine to its transport, which begins to read. */
  attach(machine: M, transport: Transport): void {
    const attachment = new Attachment(machine, transport, this);
    this.#attachments.set(machine, attachment);
    this.#touch(attachment);
    transport.start(attachment);
    this.done(machine, this.#clock.now());
  }

  /** Transports that are not destroyed. */
  get size(): number {
    return this.#attachments.size;
  }

  /** The transport that a machine is joined to, if it is. */
  transportOf(machine: M): Transport | null {
    return this.#attachments.get(machine)?.transport ?? null;
  }

  /** Keeps what comes for a machine from it, and writes nothing of it, until {@link Driver.release}. */
  hold(machine: M): void {
    this.#attachments.get(machine)?.hold();
  }

  /** Gives a machine what was kept from it. */
  release(machine: M): void {
    const attachment = this.#attachments.get(machine);
    if (attachment === undefined) return;
    this.#touch(attachment);
    this.defer({ run: () => attachment.release() });
  }

  /** Destroys the transport of a machine that nobody is interested in any more. */
  drop(machine: M): void {
    this.#attachments.get(machine)?.drop();
  }

  /** For attachments only: something came for a machine that is held. */
  heard(machine: M): void {
    const now = this.now();
    this.#owner.heard?.(machine, now);
    this.done(null, now);
  }

  /** Has to follow every input that may have events: to `machine`, or with null to the owner. Outside of tasks they are told before it returns. */
  done(machine: M | null, now: number): void {
    this.given(machine);
    this.#pressing = true;
    if (!this.#draining) this.#drain(now);
  }

  /** Has to follow an input of which nobody waits for events, as a message that is sent: its owner learns of it behind the next write. */
  given(machine: M | null): void {
    this.#schedule();
    if (machine === null) return;
    const attachment = this.#find(machine);
    if (attachment === undefined) return this.#owner.settle(machine, this.now()); // no write to wait for
    if (attachment.given) return;
    attachment.given = true;
    this.#given.push(attachment);
  }

  #find(machine: M): Attachment<M, E> | undefined {
    if (this.#latest?.machine === machine) return this.#latest;
    const found = this.#attachments.get(machine);
    if (found !== undefined) this.#latest = found;
    return found;
  }

  #settleGiven(): void {
    for (let next = this.#given.take(); next !== null; next = this.#given.take()) {
      next.given = false;
      this.#owner.settle(next.machine, this.now());
      this.#touch(next);
    }
  }

  #touch(attachment: Attachment<M, E>): void {
    if (attachment.touched) return;
    attachment.touched = true;
    this.#touched.push(attachment);
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

  /** Steps 1 and 2: everything that can be decided is decided, and all events are told. Whether tasks ran. */
  #drain(now: number): boolean {
    this.#draining = true;
    this.#now = now;
    let ran = false;
    try {
      for (;;) {
        if (this.#pressing) {
          this.#pressing = false;
          this.#settleGiven();
        }
        const machine = this.#owner.nextDirty();
        if (machine !== null) {
          for (let event = machine.nextEvent(); event !== null; event = machine.nextEvent()) {
            this.#hooks.event(machine, event);
          }
          const attachment = this.#find(machine);
          if (attachment !== undefined) this.#touch(attachment);
        } else if (!(this.#hooks.decide?.() ?? false)) {
          const task = this.#tasks.shift();
          if (task === undefined) break;
          task.run();
          ran = true;
          this.#now = -1;
        }
      }
      return ran;
    } finally {
      this.#draining = false;
      this.#now = -1;
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
    let now = -1;
    do {
      if (now < 0) now = this.#clock.now();
      this.#now = now;
      for (let task = this.#beforeFlush.take(); task !== null; task = this.#beforeFlush.take()) task.run();
      if (this.#hooks.turned !== undefined) {
        this.#pressing = true;
        this.#drain(now);
        this.#hooks.turned();
        now = this.#clock.now(); // a store was asked, and tasks may have run
      }
      if (this.#flush(now)) now = -1; // an application has taken its time
    } while (!this.#touched.empty || !this.#given.empty || !this.#beforeFlush.empty);
    this.#scheduled = false;
    this.#arm();
  };

  /** Steps 3 to 5 for all that were touched; then owners learn of what was given and written. Whether tasks ran. */
  #flush(now: number): boolean {
    for (let next = this.#given.take(); next !== null; next = this.#given.take()) this.#touch(next);
    for (let next = this.#touched.take(); next !== null; next = this.#touched.take()) {
      next.touched = false;
      if (!next.flush() && !next.given) continue;
      next.given = false;
      this.#owner.settle(next.machine, now);
    }
    return this.#drain(-1); // many writes take their time
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

  /** For attachments only. */
  forget(machine: M): void {
    if (this.#latest?.machine === machine) this.#latest = null;
    if (this.#attachments.delete(machine)) this.#hooks.detached?.(machine);
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

/**
 * The decisions of a client: when to dial, how long to wait, when to give up. It owns one connection after another.
 *
 * Rules: no I/O; a dial is an action that the driver carries out and answers. After any input, the driver's included that go to
 * the connection itself (then it calls `settle`; machine.ts says when), the driver drains `nextAction`, `nextDirty` and `nextEvent`. An answer to a
 * dial that is no longer wanted is refused with null.
 *
 * @module
 */

import { Copies, Names } from "./canonical.ts";
import type { Connection } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import { Ending, patience } from "./ending.ts";
import type { Environment } from "./environment.ts";
import type { ClientEvent, CloseReason, DialFailure } from "./events.ts";
import { SessionState } from "./flow/session_state.ts";
import { nonce } from "./handshake.ts";
import type { ClientOptions, ConnectionOptions, ResolvedClient } from "./options.ts";
import { connectionOptions, resolveClient } from "./resolve.ts";
import { converse, copyOf, modern } from "./profile.ts";
import { Replacement, suspected } from "./replacement.ts";
import { StandIn } from "./resume.ts";
import { type DownReason, Redial } from "./redial.ts";
import { Session } from "./session.ts";
import { type ClientAction, ClientOutputs } from "./client_types.ts";
import { type Micros, NEVER, toMicros, toMillis } from "./time.ts";
import { Wall } from "./wall.ts";

type State = "idle" | "dialing" | "connected" | "waiting" | "ended";

/** A client: one connection after another. */
export class Client {
  #options: ResolvedClient;
  #connectionOptions: ConnectionOptions;
  #environment: Environment;
  #state: State = "idle";
  #now: Micros = 0;
  /** When the dial is given up, or the next one begins. */
  #due: Micros = NEVER;
  /** The dial of the present connection, or the last one; and how many there were. */
  #attempt = 0;
  #dials = 0;
  #live = false;
  #redial: Redial;
  #ending: Ending = new Ending();
  #current: Conversation | null = null;
  #replacement: Replacement = new Replacement();
  /** Connections that ended but still say their last words. */
  #old: Conversation[] = [];
  #wall: Wall = new Wall();
  /** What outlives connections; null: nothing does. */
  #session: Session | null = null;
  /** Tells this client from every other. */
  #instance: Uint8Array = new Uint8Array(0);
  #generation = 0;
  #out: ClientOutputs = new ClientOutputs();

  /**
   * A client that waits for `start`.
   *
   * @param options checked; a wrong one throws ERR_HEARTWIRE_OPTION
   * @param environment entropy and checksum
   * @param from to be copied instead; see {@link Client.clone}
   */
  constructor(options: ClientOptions, environment: Environment, from?: Client) {
    this.#options = from === undefined ? resolveClient(options) : from.#options;
    this.#connectionOptions = from === undefined ? connectionOptions(this.#options) : from.#connectionOptions;
    this.#environment = environment;
    this.#redial = from === undefined ? new Redial(this.#options) : from.#redial.clone();
    const { reconnect, resume, profile } = this.#options;
    if (from !== undefined || reconnect === null || !resume || profile !== "heartwire") return;
    this.#session = new Session(SessionState.begin(this.#options, environment));
    this.#instance = nonce(environment);
  }

  /** What the application sends over, whichever connection carries it; null: use the connection itself. */
  get session(): Session | null {
    return this.#session;
  }

  /** The connection that is open or in its handshake, if both the open one; null between connections. */
  get connection(): Conversation | null {
    return this.#replacement.kept ?? this.#current;
  }

  /** Whether no dial will follow. */
  get ended(): boolean {
    return this.#state === "ended";
  }

  #enter(now: number): void {
    const micros = toMicros(now);
    if (micros > this.#now && micros !== NEVER) this.#now = micros;
  }

  /** Begins. */
  start(now: number): void {
    this.#enter(now);
    if (this.#state !== "idle") return;
    this.#redial.downSince = this.#now;
    this.#dial();
  }

  #dial(): void {
    this.#state = "dialing";
    this.#attempt = ++this.#dials;
    this.#due = this.#now + toMicros(this.#options.dialTimeout);
    this.#out.dial(this.#attempt, this.#redial.endpoint, false);
  }

  /** The transport of this attempt is there. Null: it is not wanted any more; destroy it. */
  dialed(attempt: number, now: number): Conversation | null {
    this.#enter(now);
    if (attempt === this.#replacement.attempt && this.#state === "connected") return this.#replace(now);
    if (this.#state !== "dialing" || attempt !== this.#attempt) return null;
    this.#state = "connected";
    this.#due = NEVER;
    const session = this.#session;
    const connection = this.#begin(session?.state ?? null, now);
    if (session !== null) session.connection = connection as Connection;
    return connection;
  }

  #begin(state: SessionState | null, now: number): Conversation {
    const dial = { instance: this.#instance, generation: ++this.#generation };
    const carried = state === null ? null : { state, dial };
    this.#live = false;
    this.#replacement.begins();
    this.#redial.begunAt = this.#now;
    this.#connectionOptions = this.#redial.patient(this.#connectionOptions);
    this.#current = converse("client", this.#connectionOptions, this.#environment, now, carried);
    this.#wall.tell(this.#current);
    this.#out.dirty.push(this.#current);
    return this.#current;
  }

  // Make before break.

  /** The timer of the present connection fired: when that is suspected now, its replacement is dialled. */
  #foresee(connection: Conversation): void {
    if (this.#options.reconnect?.early !== true || !this.#live || this.#ending.said !== null) return;
    const stable = this.#redial.stable(connection, this.#now);
    if (!this.#replacement.wanted(connection, this.#session, stable)) return;
    const attempt = ++this.#dials;
    this.#replacement.dials(attempt, this.#redial.endpoint, this.#now + toMicros(this.#options.dialTimeout));
    this.#out.dial(attempt, this.#redial.endpoint, true);
  }

  /** The transport of the early dial is there: asks the server to go on over it, if that is still wanted. */
  #replace(now: number): Conversation | null {
    const session = this.#session!;
    if (!suspected(this.#current!)) {
      this.#replacement.over(null, false, this.#out);
      return null;
    }
    this.#replacement.keep(this.#current!, this.#attempt);
    this.#out.actions.push({ type: "hold", connection: this.#current! });
    this.#attempt = this.#replacement.takeDial();
    const connection = this.#begin(new StandIn(session.state, this.#options, this.#environment), now);
    session.ask(connection as Connection);
    return connection;
  }

  /** Bytes came over a connection that is held: it is not dead. */
  heard(connection: Conversation, now: number): void {
    this.#enter(now);
    if (connection === this.#replacement.kept) this.#replacement.heard = true;
  }

  /** The replacement came to nothing, or is given up: the connection from before is the present one again. */
  #restore(reason: DownReason, now: number): void {
    const kept = this.#replacement.kept!;
    this.#out.events.push({ type: "unneeded", attempt: this.#attempt, reason });
    this.#attempt = this.#replacement.keptAttempt;
    this.#replacement.kept = null;
    this.#current = kept;
    this.#live = true;
    this.#replacement.tried = true;
    this.#out.actions.push({ type: "release", connection: kept });
    this.#session!.decided(kept as Connection, now);
    const { said } = this.#ending;
    if (said !== null) kept.close(said.code, said.text, now);
  }

  /** The connection that was kept is held dead: only the replacement is left. */
  #keptDied(kept: Conversation, reason: CloseReason): void {
    this.#replacement.kept = null;
    this.#out.actions.push({ type: "release", connection: kept });
    if (kept.socketAction() !== "destroy") this.#old.push(kept);
    this.#redial.closed(reason, kept.agreement!, this.#now);
    this.#out.events.push({ type: "down", attempt: this.#replacement.keptAttempt, reason, retryIn: 0 });
  }

  /** The transport of this attempt could not be made. */
  dialFailed(attempt: number, cause: unknown, now: number): void {
    this.#enter(now);
    const reason = { kind: "dialFailed", code: "DIAL_FAILED", cause } as const;
    if (attempt === this.#replacement.attempt) return this.#replacement.over(reason, false, this.#out);
    if (this.#state === "dialing" && attempt === this.#attempt) this.#dialFailed(reason);
  }

  /** An input was given to a connection of this client. */
  settle(connection: Conversation, now: number): void {
    this.#enter(now);
    this.#out.dirty.push(connection);
    if (connection === this.#replacement.kept) {
      if (connection.reason !== null) this.#keptDied(connection, connection.reason);
      return;
    }
    if (connection !== this.#current) {
      if (connection.socketAction() === "destroy") this.#old = this.#old.filter((old) => old !== connection);
      return;
    }
    if (!this.#live && connection.agreement !== null && connection.reason === null) {
      this.#live = true;
      this.#redial.opened(connection.agreement, this.#now);
      const { kept } = this.#replacement;
      if (kept !== null) this.#out.actions.push({ type: "drop", connection: kept });
      this.#replacement.kept = null;
      this.#session?.decided(connection as Connection, now);
      this.#session?.opened(now);
      this.#out.events.push({ type: "live", attempt: this.#attempt });
      const { said } = this.#ending;
      if (said !== null) connection.close(said.code, said.text, now);
    }
    const { reason } = connection;
    const relieved = this.#replacement.attempt > 0 && reason === null && !suspected(connection);
    if (relieved) this.#replacement.over(null, true, this.#out);
    if (reason === null) return;
    if (this.#replacement.kept !== null) return this.#notReplaced(connection, reason, now);
    this.#current = null;
    const standIn = connection.session instanceof StandIn;
    if (this.#session !== null && !standIn) {
      this.#session.parted(reason, connection.goaway !== null, this.#options, this.#environment);
    }
    this.#session?.decided(null, now);
    if (connection.socketAction() !== "destroy") this.#old.push(connection);
    if (!this.#live) this.#redial.failed(reason);
    else this.#redial.closed(reason, connection.agreement!, this.#now);
    this.#down(reason, connection.goaway, standIn);
  }

  /** The handshake of the replacement failed while the connection from before was kept. */
  #notReplaced(connection: Conversation, reason: CloseReason, now: number): void {
    const kept = this.#replacement.kept!;
    if (connection.socketAction() !== "destroy") this.#old.push(connection);
    this.#restore(reason, now);
    if (reason.kind === "timeout") this.#redial.unanswered++;
    // Who was refused left everything as it was. Otherwise the server may have taken the session from the connection that was kept.
    if (reason.kind !== "refused") kept.transportFailed(null, now);
    this.settle(kept, now);
  }

  #dialFailed(reason: DialFailure): void {
    this.#redial.failed(reason);
    this.#down(reason, null);
  }

  #down(reason: DownReason, goaway: Conversation["goaway"], early = false): void {
    this.#live = false;
    let delay = this.#ending.said === null
      ? this.#redial.delay(reason, goaway, early, this.#now, this.#environment)
      : this.#ending.delay(reason, this.#session, this.#redial, this.#now, this.#environment);
    const attempt = this.#attempt;
    // The early dial goes on as the next one, unless the server says when that may come.
    const adopted = delay !== null && goaway === null && this.#replacement.attempt > 0;
    if (adopted) delay = 0;
    else this.#replacement.over(reason, true, this.#out);
    const retryIn = delay === null ? null : toMillis(delay);
    this.#out.events.push({ type: "down", attempt, reason, retryIn });
    if (delay === null) {
      this.#ending.undelivered(this.#session, reason);
      return this.#end(reason);
    }
    this.#state = adopted ? "dialing" : "waiting";
    this.#due = adopted ? this.#replacement.due : this.#now + delay;
    if (!adopted) return;
    this.#attempt = this.#replacement.takeDial();
    this.#out.dial(this.#attempt, this.#replacement.endpoint, false, false);
  }

  #end(reason: DownReason): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#due = NEVER;
    this.#session?.end();
    this.#out.events.push({ type: "ended", reason: this.#ending.verdict ?? reason });
  }

  /** A sample of the wall clock, ms since 1970; the connections of later dials are told it too. */
  observeWall(wall: number, now: number): void {
    this.#enter(now);
    const skew = this.#wall.observe(wall, now);
    if (this.#current !== null) {
      this.#current.observeWall(wall, now);
      if (skew !== 0) this.settle(this.#current, now);
    } else if (this.#state === "waiting" && toMicros(skew) >= this.#due - this.#now) {
      this.#due = this.#now; // the machine slept longer than the wait was to last
    }
  }

  /** The deadline may have come. */
  handleTimeout(now: number): void {
    this.#enter(now);
    this.#wall.fired(now);
    for (const connection of [...this.#old, this.#replacement.judged, this.#current]) {
      if (connection === null || toMicros(connection.deadline()) > this.#now) continue;
      connection.handleTimeout(now);
      this.settle(connection, now);
      if (connection === this.#current) this.#foresee(connection);
    }
    if (this.#replacement.due <= this.#now) this.#replacement.over(this.#redial.late, true, this.#out);
    if (this.#ending.by <= this.#now && this.#state !== "ended" && !this.#live) {
      this.#ending.undelivered(this.#session, null);
      return this.abort("", now);
    }
    if (this.#due > this.#now) return;
    this.#due = NEVER;
    if (this.#state === "waiting") return this.#dial();
    this.#out.actions.push({ type: "cancelDial", attempt: this.#attempt });
    this.#dialFailed(this.#redial.late);
  }

  /** When `handleTimeout` wants to be called, ms. */
  deadline(): number {
    const watched = this.#state === "connected" || this.#state === "waiting";
    let least = Math.min(toMillis(this.#due), this.#replacement.deadline());
    if (watched) least = Math.min(least, this.#wall.due);
    if (this.#current !== null) least = Math.min(least, this.#current.deadline());
    for (const old of this.#old) least = Math.min(least, old.deadline());
    if (this.#state !== "ended" && !this.#live) least = Math.min(least, toMillis(this.#ending.by));
    return least;
  }

  /**
   * Ends in good order: closes the connection, or stops dialling. A session that is between two connections and has something to deliver
   * dials on for that, within `closeTimeout`, then ends with CLOSE_TIMEOUT; one that has not dials once, so that the server need not wait for it, within
   * a second, and else ends as aborted: the peer was not told.
   */
  close(closeCode: number, text: string, now: number): void {
    this.#enter(now);
    if (this.#state === "ended" || this.#ending.said !== null) return;
    const keeps = this.#session?.accepts === true;
    this.#ending.said = { code: closeCode, text };
    this.#replacement.over(null, true, this.#out);
    if (keeps) {
      this.#ending.by = this.#now + patience(this.#session!, this.#options.closeTimeout);
      this.#redial.failures = 0; // there is little time
      if (this.#state === "waiting") this.#due = this.#now;
      if (!this.#live) return;
    }
    if (this.#current !== null) {
      this.#current.close(closeCode, text, now);
      return this.settle(this.#current, now);
    }
    this.#stop(text);
  }

  /** Ends at once. */
  abort(text: string, now: number): void {
    this.#enter(now);
    if (this.#state === "ended") return;
    this.#ending.said ??= { code: 0, text };
    this.#ending.by = NEVER;
    this.#replacement.over(null, true, this.#out);
    if (this.#replacement.kept !== null) this.#takeBack(text, now);
    if (this.#current !== null) {
      this.#current.abort("ABORTED", text, now);
      return this.settle(this.#current, now);
    }
    this.#stop(text);
  }

  /** The replacement is given up. */
  #takeBack(text: string, now: number): void {
    const asking = this.#current!;
    this.#restore({ kind: "aborted", code: "ABORTED", text }, now);
    asking.abort("ABORTED", text, now);
    this.#out.dirty.push(asking);
    if (asking.socketAction() !== "destroy") this.#old.push(asking);
  }

  #stop(text: string): void {
    if (this.#state === "dialing") this.#out.actions.push({ type: "cancelDial", attempt: this.#attempt });
    this.#end({ kind: "aborted", code: "ABORTED", text });
  }

  /** The next action, or null. */
  nextAction(): ClientAction | null {
    return this.#out.actions.shift() ?? null;
  }

  /** The next connection whose outputs want to be drained, or null. */
  nextDirty(): Conversation | null {
    return this.#out.dirty.shift() ?? null;
  }

  /** The next event, or null. */
  nextEvent(): ClientEvent | null {
    return this.#out.events.shift() ?? null;
  }

  /**
   * A copy that goes on independently, with its connections and its session; `copies` tells which is whose. What waits to be drained is left
   * behind.
   */
  clone(environment: Environment, copies: Copies = new Copies()): Client {
    const copy = new Client({}, environment, this);
    copy.#state = this.#state;
    copy.#now = this.#now;
    copy.#due = this.#due;
    copy.#attempt = this.#attempt;
    copy.#dials = this.#dials;
    copy.#live = this.#live;
    copy.#ending = this.#ending.clone();
    const { session: asking = null } = this.#current ?? {};
    if (asking instanceof StandIn) asking.copy(this.#options, environment, copies);
    copy.#replacement = this.#replacement.clone(environment, copies);
    copy.#current = this.#current && copyOf(this.#current, environment, copies);
    copy.#old = this.#old.map((old) => copyOf(old, environment, copies));
    copy.#wall = this.#wall.clone();
    const session = this.#session;
    copy.#session = session && copies.of(session, () => session.clone(environment, copies, null));
    copy.#instance = this.#instance;
    copy.#generation = this.#generation;
    return copy;
  }

  /** The canonical key at this time (canonical.ts). Drain it and its connections before. */
  key(now: number, names: Names = new Names()): string {
    const kept = this.#replacement.kept !== null;
    const from = (at: Micros): Micros => at === NEVER ? NEVER : at - toMicros(now);
    return [
      `${this.#state} ${from(this.#due)} ${names.count("attempt", this.#attempt)}`,
      this.#redial.key(toMicros(now), this.#live || kept, this.#current !== null && !this.#live),
      this.#ending.key(toMicros(now)),
      this.#replacement.key(now, names),
      `${this.#wall.key(now)} ${names.of(this.#instance)} ${names.count("generation", this.#generation)}`,
      this.#session?.key(toMicros(now), names) ?? "",
      this.#current && modern(this.#current).key(now, names),
      ...this.#old.map((old) => modern(old).key(now, names)),
    ].join("\n");
  }
}

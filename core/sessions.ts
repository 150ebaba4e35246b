/**
 * The sessions of a server: who may begin one, who may go on with one, and for how long a session without a connection is kept.
 *
 * A greater generation wins: the connection that carried the session is superseded at once, wherever it is stuck. Without a connection a
 * session is kept for the resume window, and at most so many, of at most so many bytes, together: when these are reached, new clients get
 * a connection without a session, so that strangers push nobody out, and the longest without one goes first. What
 * is sent to one meanwhile counts, and is "blocked" where it would go beyond: it must not push out others. One
 * that its client has not used yet is kept as long, for the client may have read WELCOME and hold messages for it; but it holds nothing, and of
 * these there are no more than of handshakes.
 *
 * Rules: unknown, expired and wrongly proven sessions are treated alike, with the same work: nobody learns which ids exist. Ids and secrets are
 * random. No step looks at all sessions.
 *
 * @module
 */

import type { Copies, Names } from "./canonical.ts";
import type { Connection } from "./connection.ts";
import { equalBytes } from "./crypto/hmac.ts";
import { resumeProof } from "./crypto/proof.ts";
import { Deadlines } from "./deadlines.ts";
import type { Environment } from "./environment.ts";
import type { CloseReason } from "./events.ts";
import { Grant, ID_BYTES, SECRET_BYTES } from "./flow/grant.ts";
import { positionsOf, SessionState } from "./flow/session_state.ts";
import type { ResolvedServer } from "./options.ts";
import { type Account, Session } from "./session.ts";
import type { Claim, Held, SessionCounts } from "./session_types.ts";
import { type Outcome, Pump, type Pumps } from "./store/pump.ts";
import type { SessionRecord } from "./store/questions.ts";
import { fromHex, toHex } from "./wire/hex.ts";
import { type Micros, NEVER, toMicros } from "./time.ts";
import type { HelloFrame } from "./wire/frames.ts";

/** What is stored is touched so often at most, ms. */
const TOUCH_LEAST = 1_000;

/** What is held against the right proof where none was given. */
const NO_PROOF = new Uint8Array(0);

/** The sessions of one server. */
export class Sessions {
  #options: ResolvedServer;
  #environment: Environment;
  #held: Map<string, Held> = new Map();
  /** Those without a connection, the longest so first: all wait for equally long. */
  #detached: Map<string, Held> = new Map();
  /** The same for those that their clients have not used yet. */
  #unused: Map<string, Held> = new Map();
  /** What those hold, with what is sent to them meanwhile. */
  #account: Account;
  #resumed = 0;
  #expired = 0;
  #epoch: number;
  #decoy: Uint8Array;
  #over: Held[] = [];
  /** Those that a store is to release. */
  #ending: Held[] = [];
  /** What their pumps have in common; null: there is no store. */
  readonly pumps: Pumps | null = null;
  #restored = 0;
  #moved = 0;

  /** `from`: to be copied instead; see {@link Sessions.clone}. */
  constructor(options: ResolvedServer, environment: Environment, from?: Sessions) {
    this.#options = options;
    this.#environment = environment;
    if (from !== undefined) {
      this.#decoy = from.#decoy;
      this.#epoch = from.#epoch;
      this.#account = { ...from.#account };
      return;
    }
    this.#account = { bytes: 0, limit: options.sessionMemory };
    this.#decoy = this.#random(SECRET_BYTES);
    // 48 random bits: two lives of a server are told apart.
    this.#epoch = this.#random(6).reduce((sum, byte) => sum * 256 + byte, 0);
    if (!options.store) return;
    // Twice as long as it is waited for a client: a server that dies has touched its sessions a window ago at most.
    const keep = Math.ceil(2 * Math.max(options.resumeWindow, TOUCH_LEAST));
    this.pumps = { owner: toHex(this.#random(ID_BYTES)), keep, stirred: [], alarms: new Deadlines() };
  }

  #random(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    this.#environment.entropy(bytes);
    return bytes;
  }

  /** A HELLO asks for a session, new or old. The connection that carried an old one is superseded. */
  claim(hello: HelloFrame, now: number): Claim {
    const { session: id, generation = 0 } = hello.parameters;
    if (id === undefined) return this.#begin(hello);
    const held = this.#held.get(toHex(id));
    const proven = this.proves(hello, held?.session.state.grant?.secret ?? null);
    if (!proven || held === undefined) return this.unknown(hello);
    if (generation <= held.generation) return this.stale(held, hello);
    return this.goOn(held, hello, now);
  }

  /** A client that has proven to be its own came with an older dial than the one that has the session, or another instance did. */
  stale({ instance }: Held, hello: HelloFrame): Claim {
    const own = instanceOf(hello);
    const other = instance !== null && own !== null && instance !== own;
    return { type: "stale", winner: other ? fromHex(instance, ID_BYTES) : null };
  }

  /** Whether a HELLO proves that its client knows this secret; with null, the same work. */
  proves(hello: HelloFrame, secret: Uint8Array | null): boolean {
    const { session, proof, generation = 0 } = hello.parameters;
    const claimed = { session: session!, generation, ...positionsOf(hello.parameters) };
    const right = resumeProof(this.#environment, secret ?? this.#decoy, claimed, hello.nonce);
    return equalBytes(right, proof ?? NO_PROOF) && secret !== null;
  }

  /** There is no such session, or that is not its client. */
  unknown(hello: HelloFrame): Claim {
    if (hello.parameters.freshOnLoss === true) return this.#begin(hello);
    return { type: "unknown", previous: null, superseded: null };
  }

  /** A client that has proven to be its own goes on with a session, by a dial that is the newest. */
  goOn(held: Held, hello: HelloFrame, now: number): Claim {
    const { generation = 0, freshOnLoss } = hello.parameters;
    const peer = positionsOf(hello.parameters);
    held.generation = generation;
    held.instance = instanceOf(hello);
    const superseded = held.session.connection;
    held.session.connection = null;
    superseded?.supersede(now);
    const { state } = held.session;
    if (!state.fits(peer)) {
      this.#forget(held, superseded?.reason ?? held.reason, true);
      if (freshOnLoss === true) return { ...this.#grant(hello, state), superseded };
      return { type: "unknown", previous: state.positions, superseded };
    }
    this.#attach(held);
    this.#resumed++;
    return {
      type: "admit",
      held,
      admission: { state, resumed: true, known: held.confirmed, previous: null },
      superseded,
    };
  }

  #begin(hello: HelloFrame): Claim {
    const { maxSessions, sessionMemory } = this.#options;
    const full = this.#detached.size >= maxSessions || this.#account.bytes >= sessionMemory;
    return full ? { type: "full" } : this.#grant(hello, null);
  }

  #grant(hello: HelloFrame, previous: SessionState | null): Claim & { readonly type: "admit" } {
    const { generation = 0 } = hello.parameters;
    const state = this.begun(new Grant(this.#random(ID_BYTES), this.#random(SECRET_BYTES), this.#epoch));
    const held = this.#hold(state, generation, null);
    held.instance = instanceOf(hello);
    const admission = { state, resumed: false, known: false, previous: previous?.positions ?? null };
    return { type: "admit", held, admission, superseded: null };
  }

  /** The state of a session that begins, with this grant. */
  begun(grant: Grant): SessionState {
    const state = SessionState.begin(this.#options, this.#environment);
    state.keep(grant, this.#options.retention);
    return state;
  }

  /** A session comes back from the store; our application does not know it. */
  restore(state: SessionState, generation: number, record: SessionRecord): Held {
    this.#restored++;
    return this.#hold(state, generation, record);
  }

  #hold(state: SessionState, generation: number, record: SessionRecord | null): Held {
    const pump = this.pumps === null ? null : new Pump(state, generation, this.pumps, record);
    const session = new Session(state);
    const { key } = state.grant!;
    const waits = { confirmed: false, until: NEVER, reason: null, awaited: false };
    const held: Held = { session, key, generation, instance: null, ...waits, pump };
    if (pump !== null) pump.held = held;
    session.pump = pump;
    this.#held.set(key, held);
    return held;
  }

  /** The session with this id, 32 hexadecimal digits. */
  get(key: string): Held | undefined {
    return this.#held.get(key);
  }

  #attach(held: Held): void {
    this.#unused.delete(held.key);
    if (!this.#detached.delete(held.key)) return;
    held.session.charge(null);
    held.until = NEVER;
    held.reason = null;
  }

  /** This connection carries the session from now on; its client has yet to send the first frame. */
  admitted(held: Held, connection: Connection): void {
    held.session.connection = connection;
  }

  /** The client's first frame came. */
  opened(held: Held, now: number): void {
    held.confirmed = true;
    held.session.opened(now);
  }

  /** The connection of a session ended. */
  closed(held: Held, connection: Connection, now: Micros): void {
    const { session } = held;
    if (session.connection !== connection) return; // another one goes on with it
    session.connection = null;
    const reason = connection.reason!;
    if (this.#held.get(held.key) !== held || this.#detached.has(held.key)) return;
    if (!held.confirmed) return this.#keepUnused(held, now);
    if (!session.state.survives(reason)) return this.#forget(held, reason, true);
    held.reason = reason;
    held.until = now + toMicros(this.#options.resumeWindow);
    this.#detached.set(held.key, held);
    session.charge(this.#account);
    const { maxSessions, sessionMemory } = this.#options;
    while (this.#detached.size > maxSessions || this.#account.bytes > sessionMemory) this.#expireOldest();
  }

  #keepUnused(held: Held, now: Micros): void {
    held.until = now + toMicros(this.#options.resumeWindow);
    this.#unused.set(held.key, held);
    for (const oldest of this.#unused.values()) {
      if (this.#unused.size <= this.#options.maxHandshakes) return;
      this.#dropUnused(oldest);
    }
  }

  #dropUnused(held: Held): void {
    this.#unused.delete(held.key);
    this.#held.delete(held.key);
    held.pump?.leave();
  }

  #expireOldest(): void {
    for (const held of this.#detached.values()) {
      this.#expired++;
      return this.#forget(held, held.reason, false);
    }
  }

  /** @param known whether it is known that it ends, and not only that nobody came here to go on with it */
  #forget(held: Held, reason: CloseReason | null, known: boolean): void {
    this.#drop(held, reason);
    held.awaited = !known && held.pump !== null;
    if (!held.awaited) this.#over.push(held);
    if (held.pump !== null) this.#ending.push(held);
  }

  #drop(held: Held, reason: CloseReason | null): void {
    this.#attach(held);
    this.#held.delete(held.key);
    held.session.end();
    held.reason = reason;
    held.pump?.leave();
  }

  /** The next session that the store is to release, or null. */
  nextEnding(): Held | null {
    return this.#ending.shift() ?? null;
  }

  /** The store has released it, or says that it is not ours, or nothing. */
  released(held: Held, outcome: Outcome): void {
    if (!held.awaited) return;
    held.awaited = false;
    if (outcome === "moved") this.#moved++;
    held.session.fate = outcome === "moved" ? "moved" : outcome === "released" ? "known" : "doubtful";
    this.#over.push(held);
  }

  /** Another server goes on with it. */
  moved(held: Held, now: number): void {
    this.#moved++;
    this.#part(held, "SUPERSEDED", "another server goes on with the session", now);
    held.session.fate = "moved";
  }

  /** The store does not have it any more. */
  gone(held: Held, now: number): void {
    this.#expired++;
    this.#part(held, "BUSY", "the session is not there any more", now);
  }

  #part(held: Held, code: "SUPERSEDED" | "BUSY", text: string, now: number): void {
    const { connection } = held.session;
    held.session.connection = null;
    connection?.interrupt(code, text, now);
    this.#drop(held, { kind: "fault", code, text });
    this.#over.push(held);
  }

  /** Whether a session is not over. */
  keeps(session: Session): boolean {
    return this.#held.get(session.state.grant!.key)?.session === session;
  }

  /** The application ends a session that has no connection now. */
  end(session: Session, reason: CloseReason): void {
    const held = this.#held.get(session.state.grant!.key);
    if (held?.session === session && session.connection === null) this.#forget(held, reason, true);
  }

  /** Gives up all that have no connection. */
  abandon(): void {
    while (this.#detached.size > 0) {
      if (this.pumps === null) this.#expireOldest();
      else this.#leave();
    }
    for (const held of [...this.#unused.values()]) this.#dropUnused(held);
  }

  /** The one that waits longest is left to the store. */
  #leave(): void {
    for (const held of this.#detached.values()) {
      const pump = held.pump!;
      held.session.fate = !pump.created ? "known" : pump.behind ? "doubtful" : "moved";
      this.#drop(held, held.reason);
      return void this.#over.push(held);
    }
  }

  /** When the next session is given up; {@link NEVER} if none waits. */
  deadline(): Micros {
    return Math.min(first(this.#detached), first(this.#unused));
  }

  /** The deadline may have come. */
  handleTimeout(now: Micros): void {
    while (first(this.#detached) <= now) this.#expireOldest();
    for (const held of this.#unused.values()) {
      if (held.until > now) return;
      this.#dropUnused(held);
    }
  }

  /** The next session that is over, or null. */
  nextOver(): Held | null {
    return this.#over.shift() ?? null;
  }

  /** A copy; what waits to be drained is left behind. */
  clone(environment: Environment, copies: Copies): Sessions {
    const copy = new Sessions(this.#options, environment, this);
    const again = (held: Held): Held => copy.copyOf(held, environment, copies);
    for (const [key, held] of this.#held) copy.#held.set(key, again(held));
    for (const [key, held] of this.#detached) copy.#detached.set(key, again(held));
    for (const [key, held] of this.#unused) copy.#unused.set(key, again(held));
    copy.#resumed = this.#resumed;
    copy.#expired = this.#expired;
    return copy;
  }

  /** The copy of a session that these, or a connection of theirs that ended, hold. */
  copyOf(held: Held, environment: Environment, copies: Copies): Held {
    return copies.of(held, () => {
      const session = copies.of(held.session, () => held.session.clone(environment, copies, this.#account));
      return { ...held, session };
    });
  }

  /** The canonical form. */
  key(now: Micros, names: Names): string {
    const held = [...this.#held.values()].map(
      ({ session, generation, instance, confirmed, until, reason }) => {
        const count = `${names.count("generation", generation)} ${instance && names.of(instance)}`;
        const waits = `${until === NEVER ? "-" : until - now} ${reason?.kind} ${reason?.code}`;
        return `${session.key(now, names)} ${count} ${confirmed} ${waits}`;
      },
    );
    const waiting = [this.#detached, this.#unused].map((some) =>
      [...some.keys()].map((key) => names.of(key))
    );
    return [...held, names.of(`epoch ${this.#epoch}`), this.#account.bytes, ...waiting].join("\n");
  }

  /** Counters. */
  get counts(): SessionCounts {
    return {
      attached: this.#held.size - this.#detached.size - this.#unused.size,
      detached: this.#detached.size,
      detachedBytes: this.#account.bytes,
      resumed: this.#resumed,
      expired: this.#expired,
      restored: this.#restored,
      moved: this.#moved,
    };
  }
}

/** Who dials, as it is kept: as text, a quarter of what an array takes. */
function instanceOf({ parameters: { instance } }: HelloFrame): string | null {
  return instance === undefined ? null : toHex(instance);
}

/** When the first of them is given up. */
function first(waiting: ReadonlyMap<string, Held>): Micros {
  if (waiting.size === 0) return NEVER; // asked each turn: most times there is no need of an iterator
  for (const held of waiting.values()) return held.until;
  return NEVER;
}

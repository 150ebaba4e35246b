/**
 * A client or a server with its applications' hands on it: an input makes another machine, and what it did is a list of effects.
 *
 * The same input on the same machine is lived once: its outcome is kept, for in a search one side meets the same things again and again while the
 * other side's differ. An input is the same when it is of the same kind, at the same time, with the very same frames.
 *
 * Rules: a machine never changes.
 *
 * @module
 */

import { Names } from "../../core/canonical.ts";
import { Client } from "../../core/client.ts";
import type { Connection } from "../../core/connection.ts";
import type { SessionState } from "../../core/flow/session_state.ts";
import type { Server } from "../../core/server.ts";
import type { Session } from "../../core/session.ts";
import { type Base, Draft, UNKNOWN } from "./draft.ts";
import { type Draws, type Effect, lifeOf } from "./effects.ts";
import type { Side } from "./state.ts";

/** What came of an input. */
export interface Outcome {
  readonly machine: Machine;
  readonly effects: readonly Effect[];
}

const NOTHING = new Map<never, never>();

/** Machines that were met: those that are the same to the last byte are one. */
const met: Map<string, Machine> = new Map();

/** Forgets what was met, for another search. */
export function forget(): void {
  met.clear();
}

/** One machine in one state. */
export class Machine {
  readonly side: Side;
  readonly owner: Client | Server;
  readonly draws: Draws;
  /** Its ends of transports, by dial, and what they are at. */
  readonly ends: ReadonlyMap<number, Connection>;
  readonly bases: ReadonlyMap<number, Base>;
  /** The session that the application has. */
  readonly session: Session | null;
  /** Server: the greatest dial that it admitted for each session. */
  readonly admits: ReadonlyMap<string, number>;
  /** Transports on which it ended its direction. */
  readonly ended: ReadonlySet<number>;
  /** Client: transports of which it takes nothing, and over which it writes nothing, until it is known who goes on with the session. */
  readonly held: ReadonlySet<number>;
  /** It is never copied: an input changes it, and its past is gone. For holding copies against what was not copied. */
  readonly living: boolean;
  #outcomes: Map<string, Outcome> = new Map();
  #keys: Map<number, { readonly key: string; readonly names: Names }> = new Map();
  #deadline = -1;

  constructor(side: Side, draws: Draws, owner: Client | Server, from: Partial<Machine> = {}) {
    this.side = side;
    this.draws = draws;
    this.owner = owner;
    this.ends = from.ends ?? NOTHING;
    this.bases = from.bases ?? NOTHING;
    this.session = from.session ?? null;
    this.admits = from.admits ?? NOTHING;
    this.ended = from.ended ?? new Set();
    this.held = from.held ?? new Set();
    this.living = from.living ?? false;
  }

  /** This machine, or the one that is the same and was met before. */
  met(now: number): Machine {
    const { key, names } = this.key(now);
    let whole = `${now} ${this.draws.who} ${this.draws.count} ${key}`;
    for (const raw of names.seen.keys()) whole += ` ${raw}`;
    for (const [kind, base] of names.bases) whole += ` ${kind} ${base}`;
    for (const dial of this.ends.keys()) {
      const { epoch, asked, heard } = this.bases.get(dial) ?? UNKNOWN;
      whole += ` ${dial} ${epoch} ${asked} ${heard}`;
    }
    for (const [dial, { outbound, inbound, requests }] of this.#flows()) {
      const { limit, received, offered } = inbound;
      whole += ` ${dial} ${outbound.limit} ${outbound.sent} ${limit} ${received} ${offered}`;
      whole += ` ${outbound.accepted} ${outbound.told} ${requests.last} ${requests.heard}`;
    }
    for (const [life, dial] of this.admits) whole += ` ${life} ${dial}`;
    whole += ` ${[...this.ended]} ${[...this.held]} ${this.life}`;
    const known = met.get(whole);
    if (known !== undefined) return known;
    met.set(whole, this);
    return this;
  }

  /** The sessions of its connections, and of its application. */
  *#flows(): Iterable<[number, SessionState]> {
    for (const [dial, { session }] of this.ends) if (session !== null) yield [dial, session];
    if (this.session !== null) yield [0, this.session.state];
  }

  /** The id of the session that its application has. */
  get life(): string | null {
    return lifeOf(this.session?.state);
  }

  /** Client: which dial is the present connection. */
  get current(): number {
    const { connection } = this.owner as Client;
    for (const [dial, end] of this.ends) if (end === connection) return dial;
    return 0;
  }

  /**
   * Client: what a transport's end is to it: the present connection, the one that asks to go on instead, or one that says its last words. Of the last
   * there may be several, in any order, so the key says which.
   */
  role(dial: number, now: number): string {
    const end = this.ends.get(dial);
    if (end === undefined) return "";
    if (dial === this.current) return "now";
    return end === this.session?.connection
      ? "asks"
      : `old ${this.ends.size > 2 ? end.key(now, new Names()) : ""}`;
  }

  /** Client: whether it is over. */
  get over(): boolean {
    return this.owner instanceof Client && this.owner.ended;
  }

  /** The greatest dial that was admitted for a session. */
  admitted(life: string | null): number {
    return this.admits.get(life ?? "") ?? 0;
  }

  /** When its next deadline is, ms. A server may itself tell an early one; its copy does not. */
  get deadline(): number {
    if (this.#deadline >= 0) return this.#deadline;
    const { owner } = this;
    return this.#deadline = owner instanceof Client ? owner.deadline() : owner.clone(this.draws).deadline();
  }

  /** Its key at this time. */
  key(now: number): { readonly key: string; readonly names: Names } {
    const known = this.#keys.get(now);
    if (known !== undefined) return known;
    const names = new Names();
    const made = { key: this.owner.key(now, names), names };
    this.#keys.set(now, made);
    return made;
  }

  /** What comes of an input. `name` tells it from all others. */
  input(name: string, now: number, finishes: boolean, act: (draft: Draft) => void): Outcome {
    const key = `${now} ${name}`;
    const known = this.#outcomes.get(key);
    if (known !== undefined) return known;
    const draft = new Draft(this, now, finishes);
    act(draft);
    draft.drain();
    const { draws, parts, effects } = draft.done();
    const machine = new Machine(this.side, draws, draft.owner, parts);
    const made = { machine: this.living ? machine : machine.met(draft.now), effects };
    if (!this.living) this.#outcomes.set(key, made);
    return made;
  }
}

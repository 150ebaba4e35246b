/**
 * One state of the searched world: a client, a server, what is on the wires between them, and what their applications know.
 *
 * Rules: a state never changes; the next one shares with it what a step did not touch.
 *
 * @module
 */

import type { Names } from "../../core/canonical.ts";
import type { ClientOptions, ServerOptions } from "../../core/options.ts";
import type { Frame } from "./frames.ts";
import type { Machine } from "./machine.ts";

/** One of the two. */
export type Side = "client" | "server";

/** The other side. */
export function other(side: Side): Side {
  return side === "client" ? "server" : "client";
}

/** What may happen, and how often. */
export interface Bounds {
  /** Messages that the applications send, in this order on each side: their sizes, bytes. */
  readonly client: readonly number[];
  readonly server: readonly number[];
  /** Requests that the applications make, and how many of them are taken back. */
  readonly asks: Both<number>;
  readonly cancels: number;
  /** Transports that break: nothing that is sent from then on arrives. */
  readonly cuts: number;
  /** Dials that fail. */
  readonly failures: number;
  /** Deadlines that come. */
  readonly ticks: number;
  /** Times of silence: deadlines come, one after the other, until a machine takes notice. */
  readonly silences: number;
  /** The server dies and another begins. */
  readonly restarts: number;
  /** The client's application closes. */
  readonly closes: number;
}

/** What is searched. */
export interface Configuration {
  readonly name: string;
  readonly bounds: Bounds;
  readonly options: ClientOptions & ServerOptions;
  /** The client is connected, and nothing is under way, when it begins; else it has yet to dial. */
  readonly connected: boolean;
  /** Applications finish a message when it comes; else as an action of its own. */
  readonly finishes: boolean;
  /** A frame may be delivered alone though others wait behind it. */
  readonly frames: boolean;
  /** A connection that is over, on a transport that is broken, may still get what was under way. */
  readonly lingers: boolean;
}

/** How often things happened. */
export type Used = Readonly<
  Record<"cuts" | "failures" | "ticks" | "silences" | "restarts" | "closes" | "cancels", number>
>;

/** For each side. */
export type Both<T> = Readonly<Record<Side, T>>;

/** A transport. */
export interface Transport {
  /** Which of the client's dials made it, from 1. */
  readonly dial: number;
  /** In which order the server came to know of them, from 1; 0: not yet. */
  readonly born: number;
  /** What is under way to each side; null is the end of the stream. */
  readonly to: Both<readonly (Frame | null)[]>;
  /** Nothing that is sent from now on arrives. */
  readonly dead: boolean;
  /** The end of the stream was sent by each side. */
  readonly ended: Both<boolean>;
  /** The last question asked by each side, and the last limit that it was told. */
  readonly asked: Both<number>;
  readonly limit: Both<number>;
  /** When each side's clock of this connection began, ms; NaN: not yet. */
  readonly epoch: Both<number>;
}

/** What became of a message. */
export interface Message {
  readonly from: Side;
  /** Counted from 0 in its direction. */
  readonly number: number;
  /** Id of the session that it was sent in. */
  readonly life: string;
  /** Its position at the sender, and at the receiver once it was delivered. */
  readonly position: number;
  readonly at: number;
  readonly delivered: boolean;
  /** The application that got it has finished it. */
  readonly finished: boolean;
  /** The application that sent it was told so. */
  readonly confirmed: boolean;
  /** The application that sent it was told that it may be lost, or the process that knew of it is gone. */
  readonly lost: "" | "maybeDelivered" | "unsent" | "forgotten";
}

/** What became of a request. */
export interface Asked {
  readonly from: Side;
  /** Counted from 0 in its direction, among the messages. */
  readonly number: number;
  /** Id of the session that it was made in, and its own in there. */
  readonly life: string;
  readonly id: number;
  /** Its position at the asker. */
  readonly position: number;
  /** The other application was given it, was told that it is taken back, and answered. */
  readonly handed: boolean;
  readonly told: boolean;
  readonly answered: boolean;
  /** The application that made it takes it back. */
  readonly cancelled: boolean;
  /** The reply came; or the application that made it was told that it is lost, or the process that knew of it is gone. */
  readonly fate: "" | "replied" | "unknown" | "unsent" | "forgotten";
}

/** A session as the world saw it. */
export interface Life {
  readonly id: string;
  /** The server's application was told of it. */
  readonly opened: boolean;
  /** The server's ended for a reason that the world gave it. */
  readonly over: boolean;
}

/** A state. */
export interface State {
  /** ms. */
  readonly now: number;
  readonly client: Machine;
  readonly server: Machine;
  readonly transports: readonly Transport[];
  /** Dials that wait for a transport. */
  readonly dials: readonly number[];
  /** The client's last dial that got one, and transports that the server came to know of. */
  readonly lastDial: number;
  readonly lastBorn: number;
  readonly messages: readonly Message[];
  readonly asked: readonly Asked[];
  readonly lives: readonly Life[];
  /** Applications that were told "blocked" and not yet `writable`. */
  readonly blocked: Both<boolean>;
  readonly used: Used;
}

/** Gives states their keys. Those of machines are long and few, so each gets a number. */
export class Keys {
  #known: Map<string, number> = new Map();

  /** How many different machines were met. */
  get machines(): number {
    return this.#known.size;
  }

  #half(machine: Machine, now: number): { readonly id: number; readonly names: Names } {
    const { key, names } = machine.key(now);
    let id = this.#known.get(key);
    if (id === undefined) this.#known.set(key, id = this.#known.size);
    return { id, names };
  }

  /** The key of a state without what was used of the bounds. */
  body(state: State): string {
    const { now, client, server, transports, lastDial } = state;
    const near = this.#half(client, now);
    const far = this.#half(server, now);
    const joint = new Map(near.names.seen);
    const name = (raw: string): number => {
      const known = joint.get(raw);
      if (known !== undefined) return known;
      joint.set(raw, joint.size);
      return joint.size - 1;
    };
    let body = `${near.id}/${far.id}/`;
    for (const raw of far.names.seen.keys()) body += `${name(raw)},`;
    const generation = near.names.bases.get("generation") ?? 0;
    body += `${(far.names.bases.get("generation") ?? generation) - generation}/`;
    const said = (frame: Frame | null, to: Side, { asked, limit }: Transport): string => {
      if (frame === null) return "END";
      let text = `${frame.word}`;
      if (frame.stamped) text += `@${now - frame.sentAt}`;
      if (frame.answer >= 0) text += `?${asked[to] - frame.answer}`;
      if (frame.limit >= 0) text += `+${frame.limit - limit[to]}`;
      if (frame.generation >= 0) text += `g${frame.generation - generation}`;
      for (const raw of frame.random) text += `#${name(raw)}`;
      return text;
    };
    for (const t of transports) {
      const { dial, born, dead, ended, epoch, to } = t;
      const has = server.ends.has(dial);
      const rank = has
        ? transports.filter((each) => server.ends.has(each.dial) && each.born < born).length
        : born > 0;
      const mine = client.role(dial, now);
      const shift = Number.isNaN(epoch.client) ? "" : epoch.client - epoch.server;
      body += `${lastDial - dial} ${mine} ${rank} ${+dead}${+ended.client}${+ended.server} ${shift}`;
      for (const frame of to.server) body += `>${said(frame, "server", t)}`;
      for (const frame of to.client) body += `<${said(frame, "client", t)}`;
      body += ";";
    }
    // The name of a session that no machine and no wire knows any more decides nothing.
    const alive = (raw: string | null): string =>
      raw !== null && joint.has(raw) ? String(joint.get(raw)) : "-";
    for (const m of state.messages) {
      body += `/${m.from[0]}${m.position},${m.at},${alive(m.life)},${+m.delivered}${+m.finished}${+m
        .confirmed}${m.lost[0] ?? ""}`;
    }
    for (const a of state.asked) {
      body += `/?${a.from[0]}${a.number},${a.position},${a.id},${alive(a.life)},${+a.handed}${+a.told}${+a
        .answered}${+a.cancelled}${a.fate.slice(0, 3)}`;
    }
    for (const { id, opened, over } of state.lives) {
      if (joint.has(id)) body += ` ${alive(id)},${+opened}${+over}`;
    }
    const { life } = server;
    return `${body}/${state.dials.length}${+state.blocked.client}${+state.blocked.server}${alive(life)}${
      lastDial - server.admitted(life)
    }`;
  }

  /** The key of a state. */
  key(state: State): string {
    return `${this.body(state)}/${Object.values(state.used)}`;
  }
}

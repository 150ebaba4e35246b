/**
 * What must hold between the two sides of the searched world: what applications sent, got and were told. Of requests, asked.ts says it.
 *
 * - What is delivered in a session is a prefix of what was sent in it: in order, and each message once.
 * - What the sender is told as processed was finished by the other application.
 * - When a session is lost, what is told is what was not processed: each message was finished, or is in the list, and then was not told as
 *   processed before. "unsent" never arrives, before or after.
 * - Who answers a CLOSE has no word for what was under way to who closes: a message may be cut off there.
 * - A session is lost only when the server died, or gave it up while nobody came; the client ends only when it closes.
 *
 * @module
 */

import { Requests } from "./asked.ts";
import { type Effect, type Loss, Violation } from "./effects.ts";
import { type Life, type Message, other, type Side, type State } from "./state.ts";

type Draft = { -readonly [K in keyof State]: State[K] };

/** What is looked at during one step. */
export class Judge {
  readonly #draft: Draft;
  readonly requests: Requests;
  #passed = false;

  constructor(draft: Draft) {
    this.#draft = draft;
    this.requests = new Requests(draft);
  }

  #mark(message: Message, change: Partial<Message>): void {
    this.#draft.messages = this.#draft.messages.map((each) =>
      each.from === message.from && each.number === message.number ? { ...each, ...change } : each
    );
  }

  #life(id: string): Life {
    return this.#draft.lives.find((life) => life.id === id) ?? { id, opened: false, over: false };
  }

  #note(id: string, change: Partial<Life>): void {
    const life = { ...this.#life(id), ...change };
    this.#draft.lives = [...this.#draft.lives.filter((each) => each.id !== id), life];
  }

  // What the world did.

  /** A deadline came. */
  timePassed(): void {
    this.#passed = true;
  }

  /** A message was accepted. */
  sent(from: Side, number: number, life: string, position: number): void {
    const fresh = { delivered: false, finished: false, confirmed: false, lost: "" } as const;
    this.#draft.messages = [...this.#draft.messages, { from, number, life, position, at: 0, ...fresh }];
  }

  /** The server died. */
  restarted(): void {
    for (const message of this.#draft.messages) {
      const open = message.from === "server" && !message.confirmed && message.lost === "";
      if (open) this.#mark(message, { lost: "forgotten" });
    }
    this.requests.forgotten("server", null);
    for (const { id } of this.#draft.lives) this.#note(id, { over: true });
  }

  // What the machines did.

  /** One thing that a machine did. */
  effect(side: Side, effect: Effect): void {
    switch (effect.type) {
      case "message":
        return this.#message(side, effect);
      case "finished": {
        const { life, position } = effect;
        for (const message of this.#draft.messages) {
          const by = message.from === other(side) && message.life === life && message.delivered;
          if (by && message.at <= position && !message.finished) this.#mark(message, { finished: true });
        }
        return;
      }
      case "processed":
        return this.#processed(side, effect.life, effect.position);
      case "request":
        return this.requests.handed(side, effect);
      case "answered":
        return this.requests.answered(side, effect);
      case "cancelled":
        return this.requests.cancelled(side, effect);
      case "reply":
        return this.requests.replied(side, effect);
      case "lost":
        if (side === "client") this.#mayBeLost(effect.life);
        return this.#lost(side, effect);
      case "opened":
        return this.#note(effect.life, { opened: true });
      case "over":
        return this.#over(effect);
      case "ended": {
        if (this.#draft.used.closes > 0) return this.requests.forgotten("client", null);
        throw new Violation(`the client ends: ${effect.reason.kind}, ${effect.reason.code}`);
      }
    }
  }

  #message(
    side: Side,
    { life, sender, number, position }: Extract<Effect, { readonly type: "message" }>,
  ): void {
    const { messages } = this.#draft;
    const message = messages.find((m) => m.from.charCodeAt(0) === sender && m.number === number);
    if (message === undefined || message.from === side) {
      throw new Violation(`the ${side} is given what nobody sent`);
    }
    const name = nameOf(message);
    if (message.life !== life) {
      throw new Violation(`${name} is delivered in another session than it was sent in`);
    }
    if (message.delivered) throw new Violation(`${name} is delivered twice`);
    if (message.lost === "unsent") throw new Violation(`${name} is delivered, and was told as unsent`);
    const earlier =
      messages.find((m) => m.from === message.from && m.life === life && m.number < number && !m.delivered) ??
        this.requests.before(message.from, life, number);
    if (earlier !== undefined) throw new Violation(`${name} is delivered before ${nameOf(earlier)}`);
    this.#mark(message, { delivered: true, at: position });
  }

  #processed(side: Side, life: string | null, position: number): void {
    this.requests.processed(side, life, position);
    for (const message of this.#draft.messages) {
      if (message.from !== side || message.life !== life || message.position > position) continue;
      if (!message.finished) {
        throw new Violation(`${nameOf(message)} is told as processed, and nobody finished it`);
      }
      this.#mark(message, { confirmed: true });
    }
  }

  #mayBeLost(life: string): void {
    const { opened, over } = this.#life(life);
    if (opened && !over && this.#draft.used.closes === 0) {
      throw new Violation("a session is lost that both sides had");
    }
  }

  #lost(from: Side, { life, messages, unsent }: Loss): void {
    this.requests.lost(from, life, unsent);
    const left = new Set(messages.keys());
    for (const message of this.#draft.messages) {
      if (message.from !== from || message.life !== life || message.lost !== "") continue;
      const state = messages.get(message.number);
      const name = nameOf(message);
      if (state === undefined) {
        if (message.finished) continue;
        throw new Violation(`the session is lost, and ${name}, which nobody finished, is not told`);
      }
      if (message.confirmed) throw new Violation(`${name} is told as lost, and was told as processed`);
      if (state === "unsent" && message.delivered) {
        throw new Violation(`${name} is told as unsent, and was delivered`);
      }
      this.#mark(message, { lost: state });
      left.delete(message.number);
    }
    if (left.size > 0) throw new Violation(`told as lost, and not of this session: ${from[0]}${[...left]}`);
  }

  #over(over: Extract<Effect, { readonly type: "over" }>): void {
    const { life, reason } = over;
    const wanted = this.#passed || this.#draft.used.closes > 0;
    if (!wanted) {
      throw new Violation(`the server gives up a session by itself: ${reason.kind}, ${reason.code}`);
    }
    this.#note(life, { over: true });
    const toldBefore = this.#draft.messages.some((m) =>
      m.from === "server" && m.life === life && m.lost !== ""
    );
    if (reason.kind !== "closed") return toldBefore ? undefined : this.#lost("server", over);
    this.requests.forgotten("server", life);
    for (const message of this.#draft.messages) {
      const open = message.from === "server" && message.life === life && !message.delivered;
      if (open) this.#mark(message, { lost: "forgotten" });
    }
  }
}

function nameOf({ from, number }: { readonly from: Side; readonly number: number }): string {
  return `${from[0]}${number}`;
}

/** The oldest message that the application of this side has of its session and did not finish. */
export function unfinished(state: State, side: Side): Message | undefined {
  const { life } = state[side];
  return state.messages.find((m) => m.from === other(side) && m.life === life && m.delivered && !m.finished);
}

/**
 * Whether nothing is left to be done: each message is finished and known to be, each request was replied to, or they were told as lost; and there is a
 * connection, and no other is made, or the end.
 */
export function atRest({ client, server, messages, asked, dials, blocked, transports }: State): boolean {
  if (client.over) {
    // What was delivered last may be unfinished by the side that closed.
    return !messages.some(({ delivered, lost }) => !delivered && lost === "") && !blocked.server;
  }
  if (client.held.size + dials.length > 0) return false;
  if (asked.some(({ fate, cancelled }) => fate === "" && !cancelled)) return false;
  if (messages.some(({ delivered, finished, lost }) => !(delivered && finished) && lost === "")) return false;
  const near = client.session;
  const far = server.session;
  if (blocked.client || blocked.server || near === null || far === null) return false;
  const dial = client.current;
  const open = [near, far].reduce((sum, { state: { requests } }) => sum + requests.asked + requests.owed, 0);
  return open === 0 && near.resumable && far.resumable && client.ends.get(dial)?.phase === "open" &&
    server.ends.get(dial)?.phase === "open" &&
    server.ends.get(dial) === far.connection && client.life === server.life &&
    !transports.find((t) => t.dial === dial)!.dead && near.state.held + far.state.held === 0;
}

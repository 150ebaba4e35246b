/**
 * What must hold of requests between the two sides of the searched world.
 *
 * - A request is handed over once, in the session that it was made in, in its place among the messages of its direction.
 * - Each that is handed over can be answered, once. A reply comes once, to who asked, is the one that was given, and comes for nothing that was taken back
 *   or told as lost.
 * - Who answers is told at most once that a request was taken back, and only when it was.
 * - When a session is lost, each request was replied to or is known to be lost; one that is told as `unsent` is never handed over, before or after.
 *
 * @module
 */

import { type Effect, Violation } from "./effects.ts";
import { type Asked, other, type Side, type State } from "./state.ts";

type Draft = { -readonly [K in keyof State]: State[K] };
type Of<T extends Effect["type"]> = Extract<Effect, { readonly type: T }>;

/** What is looked at during one step. */
export class Requests {
  readonly #draft: Draft;

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  #mark(asked: Asked, change: Partial<Asked>): void {
    this.#draft.asked = this.#draft.asked.map((each) => each === asked ? { ...each, ...change } : each);
  }

  /** The request of a side with this id in this session. */
  #find(from: Side, life: string | null, id: number, what: string): Asked {
    const asked = this.#draft.asked.find((a) => a.from === from && a.life === life && a.id === id);
    if (asked === undefined) {
      throw new Violation(`the ${other(from)}'s or ${from}'s ${what} is of no request`);
    }
    return asked;
  }

  // What the world did.

  /** A request was accepted. */
  made(from: Side, number: number, life: string, id: number, position: number): void {
    if (this.#draft.asked.some((a) => a.from === from && a.life === life && a.id === id)) {
      throw new Violation(`two requests of the ${from} have id ${id}`);
    }
    const fresh = { handed: false, told: false, answered: false, cancelled: false, fate: "" } as const;
    this.#draft.asked = [...this.#draft.asked, { from, number, life, id, position, ...fresh }];
  }

  /** It was taken back. */
  takenBack(asked: Asked): void {
    this.#mark(asked, { cancelled: true });
  }

  /** The process that knew of these is gone, or its session ended in good order. */
  forgotten(from: Side, life: string | null): void {
    for (const asked of this.#draft.asked) {
      const open = asked.from === from && asked.fate === "" && (life === null || asked.life === life);
      if (open) this.#mark(asked, { fate: "forgotten" });
    }
  }

  // What the machines did.

  /** A request is handed over. */
  handed(side: Side, { life, id, sender, number }: Of<"request">): void {
    const from = other(side);
    const asked = this.#find(from, life, id, "request");
    const name = nameOf(asked);
    if (asked.number !== number || from.charCodeAt(0) !== sender) {
      throw new Violation(`${name} is handed over as another`);
    }
    if (asked.handed) throw new Violation(`${name} is handed over twice`);
    if (asked.fate === "unsent") throw new Violation(`${name} is handed over, and was told as unsent`);
    const { messages } = this.#draft;
    const earlier =
      messages.find((m) => m.from === from && m.life === life && m.number < number && !m.delivered) ??
        this.before(from, life, number);
    if (earlier !== undefined) {
      throw new Violation(`${name} is handed over before ${from[0]}${earlier.number}`);
    }
    this.#mark(asked, { handed: true });
  }

  /** A request that came before this number and was not handed over. */
  before(from: Side, life: string | null, number: number): Asked | undefined {
    return this.#draft.asked.find((a) =>
      a.from === from && a.life === life && a.number < number && !a.handed
    );
  }

  /** The application answers. */
  answered(side: Side, { life, id, result }: Of<"answered">): void {
    const asked = this.#find(other(side), life, id, "answer");
    if (result === "accepted") return this.#mark(asked, { answered: true });
    throw new Violation(`the answer to ${nameOf(asked)} is ${result}`);
  }

  /** Who is to answer is told that nobody waits. */
  cancelled(side: Side, { life, id }: Of<"cancelled">): void {
    const asked = this.#find(other(side), life, id, "cancelling");
    const { cancelled, handed, told, answered } = asked;
    if (!cancelled || !handed || told || answered) {
      throw new Violation(`${nameOf(asked)} is told as taken back`);
    }
    this.#mark(asked, { told: true });
  }

  /** A reply came. */
  replied(side: Side, { life, id, status, text }: Of<"reply">): void {
    const asked = this.#find(side, life, id, "reply");
    const name = nameOf(asked);
    if (status !== 0 || text !== answerTo(asked)) {
      throw new Violation(`the reply to ${name} is ${status} ${text}`);
    }
    if (!asked.answered) throw new Violation(`${name} is replied to, and nobody answered`);
    if (asked.cancelled) throw new Violation(`${name} is replied to, and was taken back`);
    if (asked.fate !== "") throw new Violation(`${name} is replied to, and is ${asked.fate}`);
    this.#mark(asked, { fate: "replied" });
  }

  /** What was told as processed up to a position was handed over. */
  processed(side: Side, life: string | null, position: number): void {
    for (const asked of this.#draft.asked) {
      if (asked.from !== side || asked.life !== life || asked.position > position || asked.handed) continue;
      throw new Violation(`${nameOf(asked)} is told as processed, and was not handed over`);
    }
  }

  /** A session is lost; these of its requests never arrived. */
  lost(from: Side, life: string, unsent: readonly number[]): void {
    for (const id of unsent) this.#find(from, life, id, "unsent request");
    for (const asked of this.#draft.asked) {
      if (asked.from !== from || asked.life !== life) continue;
      const never = unsent.includes(asked.id);
      if (never && asked.handed) {
        throw new Violation(`${nameOf(asked)} is told as unsent, and was handed over`);
      }
      if (asked.fate === "") this.#mark(asked, { fate: never ? "unsent" : "unknown" });
    }
  }
}

function nameOf({ from, number }: Asked): string {
  return `${from[0]}${number}`;
}

/** What a request is answered. */
export function answerTo({ from, number }: Asked): string {
  return from[0]!.toUpperCase() + String.fromCharCode(48 + number);
}

/** The oldest request that the application of this side has of its session and did not answer. */
export function unanswered(state: State, side: Side): Asked | undefined {
  const { life } = state[side];
  return state.asked.find((a) => a.from === other(side) && a.life === life && a.handed && !a.answered);
}

/** The oldest of its own requests for which the application of this side waits. */
export function awaited(state: State, side: Side): Asked | undefined {
  const { life } = state[side];
  return state.asked.find((a) => a.from === side && a.life === life && a.fate === "" && !a.cancelled);
}

/**
 * Requests in a {@link World}: both applications ask, answer and take back over sessions, and what came of each request is written down.
 *
 * Safety is checked as it happens: a handler is called once for each request, an answer comes once, to who asked, and is the one that was
 * given; what is told as unsent was given to no handler; messages and requests come in the order in which they were said.
 *
 * Rules: each text is said once. Ids begin anew with each session, so all is kept by its state, as an application would.
 *
 * @module
 */

import type { ConnectionEvent } from "../../core/events.ts";
import type { SessionState } from "../../core/flow/session_state.ts";
import type { Session } from "../../core/session.ts";
import type { End, Side, World } from "./world.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What became of a request. */
export type Fate = "open" | "answered" | "cancelled" | "unsent" | "unknown";

/** One of them. */
export interface Question {
  readonly side: Side;
  readonly state: SessionState;
  readonly id: number;
  readonly text: string;
  fate: Fate;
  /** How often a handler was given it, and what that answered. */
  handled: number;
  answer: string | null;
}

/** An answer that is to be given. */
interface Owed {
  readonly state: SessionState;
  readonly id: number;
  readonly question: Question | null;
  readonly answer: string;
}

/** The requests of a world. */
export class Asking {
  readonly world: World;
  /** All that were accepted. */
  readonly questions: Question[] = [];
  /** What each side was given, in order: `m text`, `q text`; and what it said and was accepted. */
  readonly heard: Record<Side, string[]> = { client: [], server: [] };
  readonly said: Record<Side, string[]> = { client: [], server: [] };
  /** Requests that were taken back at this side, as its handler was told. */
  readonly takenBack: Record<Side, string[]> = { client: [], server: [] };
  /** ms until a request is answered, and what with; Infinity: never. */
  wait: (text: string) => number = () => 0;
  answers: (text: string) => string = (text) => `re ${text}`;
  /** Told of each request that was accepted. */
  onAsked: ((side: Side, text: string) => void) | null = null;
  /** Who found something wrong. */
  onWrong: (what: string) => never = (what) => {
    throw new Error(what);
  };
  readonly #byText: Map<string, Question> = new Map();
  readonly #open: Map<SessionState, Map<number, Question>> = new Map();
  readonly #owed: Record<Side, Owed[]> = { client: [], server: [] };
  readonly #blocked: Record<Side, Owed[]> = { client: [], server: [] };
  readonly #outbox: Record<Side, string[]> = { client: [], server: [] };

  constructor(world: World) {
    this.world = world;
    for (const side of ["client", "server"] as const) {
      world.application(side).onSent = (text) => void this.said[side].push(`m ${text}`);
    }
    world.onEvent = (end, event) => this.event(end, event);
    world.onOver = ({ session }) => this.over(session);
  }

  /** What is not settled yet in these sessions. */
  waitingFor(...states: readonly SessionState[]): number {
    const { client, server } = this.#outbox;
    return states.reduce(
      (sum, state) => sum + (this.#open.get(state)?.size ?? 0),
      client.length + server.length,
    );
  }

  /** At rest: each request was answered or taken back, or is known to be unsent or of unknown fate. What waits for its window may be open. */
  judge(remote: SessionState): void {
    for (const { side, state, text, fate, handled } of this.questions) {
      if (fate === "open" && (side === "client" || state === remote)) {
        this.onWrong(`${text.slice(0, 7)} is open`);
      }
      if (fate === "unsent" && handled > 0) this.onWrong(`${text.slice(0, 7)} is unsent, and was handled`);
    }
  }

  /** What is not settled yet. */
  get waiting(): number {
    let open = 0;
    for (const asked of this.#open.values()) open += asked.size;
    const { client, server } = this.#outbox;
    return open + client.length + server.length;
  }

  /** Asks; what is blocked waits for `writable`. */
  ask(side: Side, text: string): void {
    const outbox = this.#outbox[side];
    outbox.push(text);
    if (outbox.length === 1) this.#flush(side);
    this.world.settle();
  }

  #flush(side: Side): void {
    const session = this.world.session(side);
    const outbox = this.#outbox[side];
    if (session === null || !(session.resumable || session.connection?.conversing === true)) return;
    while (outbox.length > 0) {
      const text = outbox[0]!;
      let id;
      try {
        id = session.request(encoder.encode(text), Infinity, this.world.now);
      } catch (error) {
        if ((error as { code?: string }).code === "ERR_HEARTWIRE_REQUESTS_OPEN") break;
        throw error;
      }
      if (id === 0) break;
      outbox.shift();
      const { state } = session;
      const question: Question = { side, state, id, text, fate: "open", handled: 0, answer: null };
      this.questions.push(question);
      this.#byText.set(text, question);
      this.said[side].push(`q ${text}`);
      let asked = this.#open.get(state);
      if (asked === undefined) this.#open.set(state, asked = new Map());
      if (asked.has(id)) this.onWrong(`id ${id} is given twice`);
      asked.set(id, question);
      this.onAsked?.(side, text);
    }
    this.#settle(session);
  }

  /** Takes back what was asked, if it is open. */
  cancel(text: string): void {
    const question = this.#byText.get(text);
    if (question?.fate !== "open") return;
    const session = this.world.session(question.side);
    if (session === null || session.state !== question.state) return;
    session.cancel(question.id, this.world.now);
    question.fate = "cancelled";
    this.#open.get(question.state)!.delete(question.id);
    this.#settle(session);
    this.world.settle();
  }

  #settle(session: Session): void {
    const { connection } = session;
    const end = connection === null ? undefined : this.world.ends.get(connection);
    if (end === undefined) return;
    (end.side === "client" ? this.world.client : this.world.server).settle(end.connection, this.world.now);
  }

  #give(side: Side, owed: Owed): boolean {
    const session = this.world.session(side);
    if (session === null || session.state !== owed.state) return true; // of a session that was lost
    const result = session.reply(owed.id, 0, encoder.encode(owed.answer), this.world.now);
    if (result === "blocked") return false;
    if (result === "accepted" && owed.question !== null) owed.question.answer = owed.answer;
    this.#settle(session);
    return true;
  }

  #reply(side: Side, owed: Owed): void {
    const at = this.#owed[side].indexOf(owed);
    if (at < 0) return;
    this.#owed[side].splice(at, 1);
    const blocked = this.#blocked[side];
    if (blocked.length > 0 || !this.#give(side, owed)) blocked.push(owed);
  }

  /** Answers all that waits to be answered, and asks again where too many were open: of one that was taken back nobody tells the answer. */
  answerAll(): void {
    for (const side of ["client", "server"] as const) {
      for (const owed of [...this.#owed[side]]) this.#reply(side, owed);
      this.#flush(side);
    }
    this.world.settle();
  }

  /** The server's process died: nobody there waits for anything. */
  died(): void {
    this.#owed.server.length = this.#blocked.server.length = this.#outbox.server.length = 0;
    for (const asked of this.#open.values()) {
      for (const [id, question] of asked) {
        if (question.side === "client") continue;
        question.fate = "unknown";
        asked.delete(id);
      }
    }
  }

  /** What a connection told. */
  event(end: End, event: ConnectionEvent): void {
    const { side } = end;
    switch (event.type) {
      case "message":
        return void this.heard[side].push(`m ${decoder.decode(event.bytes)}`);
      case "request":
        return this.#request(end, decoder.decode(event.bytes), event.id);
      case "reply":
        this.#replied(end, event.id, event.status, decoder.decode(event.bytes));
        return this.world.later(0, () => this.#flush(side));
      case "fault":
        // Nobody breaks the protocol; a transport may end inside a frame.
        if (event.code === "TRUNCATED" || event.code === "SUPERSEDED") return;
        return this.onWrong(`${side}: ${event.code}, ${event.text}`);
      case "cancelled":
        return void this.takenBack[side].push(`${event.id}`);
      case "writable":
      case "open":
        return this.world.later(0, () => {
          const blocked = this.#blocked[side];
          while (blocked.length > 0 && this.#give(side, blocked[0]!)) blocked.shift();
          this.#flush(side);
        });
      case "lost":
        if (side === "server") return this.#lost(this.#stateOf(end), event.unsentRequests);
        // The client has another one already.
        for (const state of [...this.#open.keys()]) {
          const ours = state !== this.#stateOf(end) && this.#sideOf(state) === "client";
          if (ours) this.#lost(state, event.unsentRequests);
        }
        return;
    }
  }

  #stateOf(end: End): SessionState | null {
    const session = end.side === "client"
      ? this.world.client.session
      : this.world.server.sessionOf(end.connection);
    return session?.state ?? null;
  }

  #sideOf(state: SessionState): Side | null {
    for (const { side } of this.#open.get(state)!.values()) return side;
    return null;
  }

  #request(end: End, text: string, id: number): void {
    const { side } = end;
    this.heard[side].push(`q ${text}`);
    const question = this.#byText.get(text) ?? null;
    if (question === null || question.side === side) {
      return this.onWrong(`${side} was asked ${text.slice(0, 9)}`);
    }
    if (question.id !== id) this.onWrong(`request ${question.id} came as ${id}`);
    if (++question.handled > 1) this.onWrong(`request ${text.slice(0, 9)} came twice`);
    if (question.fate === "unsent") this.onWrong(`request ${text.slice(0, 9)} came and was told as unsent`);
    const state = this.#stateOf(end);
    if (state === null) return;
    const owed = { state, id, question, answer: this.answers(text) };
    this.#owed[side].push(owed);
    const wait = this.wait(text);
    if (wait < Infinity) this.world.later(wait, () => this.#reply(side, owed));
  }

  #replied(end: End, id: number, status: number, answer: string): void {
    const state = this.#stateOf(end);
    const question = state === null ? undefined : this.#open.get(state)?.get(id);
    if (question === undefined || question.side !== end.side) {
      return this.onWrong(`${end.side} got an answer to ${id}, which is not open`);
    }
    if (status !== 0 && status !== 3) this.onWrong(`status ${status}`);
    if (status === 0 && (question.handled !== 1 || question.answer !== answer)) {
      this.onWrong(
        `${answer.slice(0, 20)} is no answer to ${question.text.slice(0, 9)}, handled ${question.handled}`,
      );
    }
    if (status === 3 && question.handled !== 0) {
      this.onWrong(`${question.text.slice(0, 9)} was refused, and handled`);
    }
    question.fate = "answered";
    this.#open.get(state!)!.delete(id);
  }

  /** A session of a server is over. */
  over(session: Session): void {
    this.#lost(session.state, session.unsentRequests());
  }

  /** Of what was open, some never arrived, and of the rest nobody knows. */
  #lost(state: SessionState | null, unsent: readonly number[]): void {
    const asked = state === null ? undefined : this.#open.get(state);
    if (asked === undefined) return;
    for (const [id, question] of asked) {
      question.fate = unsent.includes(id) ? "unsent" : "unknown";
      if (question.fate === "unsent" && question.handled > 0) {
        this.onWrong(`${question.text.slice(0, 9)} is told as unsent, and was handled`);
      }
    }
    asked.clear();
  }
}

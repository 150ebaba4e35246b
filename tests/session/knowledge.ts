/**
 * What the applications of a {@link Simulation} know of their messages, and what must never happen with them.
 *
 * Rules: positions are those at which a message was accepted, as an application learns them; requests have their place among them.
 *
 * @module
 */

import type { Conversation } from "../../core/conversation.ts";
import type { ConnectionEvent, Unconfirmed } from "../../core/events.ts";
import type { Session } from "../../core/session.ts";
import type { End, Side, World } from "../support/world.ts";
import { Books } from "./faults.ts";

const CHUNK = 16_384;
const decoder = new TextDecoder();

/** The books of all sessions of a life. */
export class Knowledge {
  readonly #world: World;
  readonly #fail: (what: string) => never;
  readonly #mix: (word: string) => void;
  /** Numbers of the messages that came last, and places of what came last in the order in which it was said. */
  #arrived: Record<Side, number> = { client: -1, server: -1 };
  #place: Record<Side, number> = { client: -1, server: -1 };
  /** Messages and requests, in the order in which they were accepted. */
  readonly #places: Map<string, number> = new Map();
  #client: Books = new Books();
  readonly #servers: Map<Session, Books> = new Map();
  readonly #sessionOf: Map<Conversation, Session> = new Map();
  /** All books that ever were, and what was told as never sent. */
  readonly #all: { side: Side; books: Books }[] = [];
  readonly #unsent: Set<string> = new Set();
  readonly #told: Set<string> = new Set();

  constructor(world: World, fail: (what: string) => never, mix: (word: string) => void) {
    this.#world = world;
    this.#fail = fail;
    this.#mix = mix;
    this.#all.push({ side: "client", books: this.#client });
  }

  #booksOf(side: Side): Books {
    if (side === "client") return this.#client;
    return this.#ledger(this.#world.remote!);
  }

  #ledger(session: Session): Books {
    const known = this.#servers.get(session);
    if (known !== undefined) return known;
    const books = new Books();
    this.#servers.set(session, books);
    this.#all.push({ side: "server", books });
    return books;
  }

  /** A message or a request was accepted. Returns the books that have it. */
  said(side: Side, text: string): Books {
    this.#places.set(text, this.#places.size);
    const books = this.#booksOf(side);
    if (books.closed) this.#fail(`${side} says ${text.slice(0, 8)} to a session that is over`);
    const { accepted } = this.#world.session(side)!.state.outbound;
    const chunks = Math.floor(Math.max(0, text.length - 1) / CHUNK) + 1;
    // Between them there may be requests that were taken back before they left.
    if (accepted < books.position + chunks) this.#fail(`${side} is at ${accepted} after ${books.position}`);
    books.position = accepted;
    return books;
  }

  /** A message was accepted. */
  sent(side: Side, text: string): void {
    const books = this.said(side, text);
    books.sent.push({ text, position: books.position });
  }

  /** A connection told something. */
  event(end: End, event: ConnectionEvent): void {
    const { side } = end;
    switch (event.type) {
      case "open":
        if (side === "server") {
          const session = this.#world.server.sessionOf(end.connection);
          if (session === null) return this.#fail("a connection opens without its session");
          this.#sessionOf.set(end.connection, session);
          if (event.resumed !== this.#servers.has(session)) {
            this.#fail(`server opens, resumed: ${event.resumed}`);
          }
          this.#ledger(session);
        } else if (!event.resumed && this.#client.sent.length > 0) {
          this.#fail("a new session, and no word of the old one");
        }
        return;
      case "message":
        return this.#message(side, decoder.decode(event.bytes));
      case "request":
        return this.#inOrder(side, decoder.decode(event.bytes));
      case "processed":
        return this.#processed(end, event.position);
      case "lost":
        if (side === "client") this.#clientLost(event.unconfirmed);
        else this.over(this.#sessionOf.get(end.connection)!, event.unconfirmed);
        return;
      case "fault":
        // Nobody breaks the protocol; a transport may end inside a frame.
        if (event.code !== "SUPERSEDED" && event.code !== "TRUNCATED") {
          this.#fail(`${side}: ${event.code}, ${event.text}`);
        }
    }
  }

  #message(side: Side, text: string): void {
    const number = Number(text.slice(1, 7));
    if (text[0] !== (side === "client" ? "s" : "c")) this.#fail(`${side} got ${text.slice(0, 8)}`);
    if (!(number > this.#arrived[side])) this.#fail(`${side} got ${number} behind ${this.#arrived[side]}`);
    this.#arrived[side] = number;
    if (this.#unsent.has(text)) this.#fail(`${text.slice(0, 8)} arrived and was told as unsent`);
    this.#inOrder(side, text);
  }

  /** Messages and requests have one order. */
  #inOrder(side: Side, text: string): void {
    const place = this.#places.get(text) ?? -1;
    if (place <= this.#place[side]) this.#fail(`${side} got ${text.slice(0, 8)} at the wrong place`);
    this.#place[side] = place;
  }

  #processed(end: End, position: number): void {
    const books = end.side === "client"
      ? this.#client
      : this.#servers.get(this.#sessionOf.get(end.connection)!)!;
    const { sent } = books;
    while (books.confirmed < sent.length && sent[books.confirmed]!.position <= position) {
      this.#finished(end.side, sent[books.confirmed++]!.text);
    }
  }

  /** What is acknowledged to one side was finished by the application of the other. */
  #finished(side: Side, text: string): void {
    const { finished } = this.#world.application(side === "client" ? "server" : "client");
    if (!finished.has(text)) this.#fail(`${text.slice(0, 8)} is acknowledged, and nobody finished it`);
  }

  #clientLost(unconfirmed: readonly Unconfirmed[]): void {
    this.#lost(this.#client, unconfirmed);
    this.#client = new Books();
    this.#all.push({ side: "client", books: this.#client });
  }

  /** A session of the server is over. */
  over(session: Session, unconfirmed: readonly Unconfirmed[]): void {
    const books = this.#ledger(session);
    if (books.closed && unconfirmed.length === 0) return;
    this.#lost(books, unconfirmed);
  }

  /** What is told as lost is what was not acknowledged, neither more nor less. */
  #lost(books: Books, unconfirmed: readonly Unconfirmed[]): void {
    if (books.closed) this.#fail("a session is lost twice");
    books.closed = true;
    const told = unconfirmed.map(({ bytes }) => decoder.decode(bytes));
    const from = books.sent.length - told.length;
    const wrong = books.sent.slice(from).some(({ text, position }, i) =>
      text !== told[i] || position !== unconfirmed[i]!.position
    );
    if (from < books.confirmed || wrong) {
      const sent = books.sent.slice(books.confirmed).map(({ text }) => text.slice(0, 7));
      this.#fail(`lost are ${told.map((text) => text.slice(0, 7))}, not acknowledged ${sent}`);
    }
    // What is neither told as acknowledged nor as lost was acknowledged to the machine by a handshake that came to nothing.
    for (const { text } of books.sent.slice(books.confirmed, from)) {
      this.#finished(books === this.#client ? "client" : "server", text);
    }
    for (const [index, { state }] of unconfirmed.entries()) {
      this.#told.add(told[index]!);
      if (state === "unsent") this.#unsent.add(told[index]!);
    }
    this.#mix(`lost ${told.length}`);
  }

  /** At rest: each message arrived or was told as lost. */
  judge(): void {
    const { near, far, remote } = this.#world;
    const got = { client: new Set(near.messages), server: new Set(far.messages) };
    for (const { side, books } of this.#all) {
      if (side === "server" && !books.closed && books !== this.#servers.get(remote!)) continue; // died, or waits for its window
      for (const { text } of books.sent) {
        const arrived = got[side === "client" ? "server" : "client"].has(text);
        if (!arrived && !this.#told.has(text)) {
          this.#fail(`${text.slice(0, 7)} neither arrived nor was told as lost`);
        }
      }
    }
  }
}

/**
 * One seeded life of a client and a server with sessions, under faults: what happens, and what must hold.
 *
 * Safety, at every moment: what arrives is what was sent, in order and at most once; what is acknowledged was finished by the other
 * application; what is told as lost is exactly what was not acknowledged, and "unsent" never arrived. Liveness, apart: when the faults are over,
 * everything comes to rest within bounded virtual time, and each message has arrived or was told as lost.
 *
 * Rules: the same seed, the same life, on every runtime. Every random draw is the simulation's own.
 *
 * @module
 */

import type { Conversation } from "../../core/conversation.ts";
import { resumeProof } from "../../core/crypto/proof.ts";
import type { ConnectionEvent, Unconfirmed } from "../../core/events.ts";
import type { Session } from "../../core/session.ts";
import { hello, join, preface } from "../support/crafted.ts";
import { Random, seeded } from "../support/random.ts";
import { type End, type Side, World } from "../support/world.ts";
import { Books, type Fault, FAULTS, type State, STATES } from "./faults.ts";

const BEAT = { interval: 200, multiplier: 3, minimumInterval: 10 };
const WINDOW = 3_000;
const HANDSHAKE = 800;
/** After the faults everything is at rest within this, ms: the longest stall, two detection times, a handshake's deadline, some dials. */
const REST = 6_000;

const CHUNK = 16_384;
const decoder = new TextDecoder();

/** A life. */
export class Simulation {
  readonly world: World;
  readonly seed: number;
  readonly coverage: Map<string, number> = new Map();
  faults = 0;
  inputs = 0;
  hash = 0x811c9dc5;
  #random: Random;
  #sizes: number;
  #counters: Record<Side, number> = { client: 0, server: 0 };
  #arrived: Record<Side, number> = { client: -1, server: -1 };
  #client: Books = new Books();
  #servers: Map<Session, Books> = new Map();
  #sessionOf: Map<Conversation, Session> = new Map();
  /** All books that ever were, and what was told as never sent. */
  #all: { side: Side; books: Books }[] = [];
  #unsent: Set<string> = new Set();
  #told: Set<string> = new Set();
  #hello: Uint8Array | null = null;
  #attachedAt = 0;
  /** Of the client's last dial that came through. */
  #generation = 0;
  #nextDial: "late" | "twice" | null = null;

  constructor(seed: number) {
    this.seed = seed;
    const random = this.#random = new Random(seed);
    const narrow = random.between(0, 1) === 0;
    this.#sizes = narrow ? 900 : 20_000;
    const options = {
      heartbeat: BEAT,
      handshakeTimeout: HANDSHAKE,
      maxMessage: this.#sizes,
      window: narrow ? 4_000 : 28_000,
      retention: narrow ? 2_000 : 28_000,
      sendBuffer: 20_000,
    };
    this.world = new World(options, { ...options, resumeWindow: WINDOW }, seed ^ 0x5bd1e995);
    const { world } = this;
    world.latency = random.between(1, 8);
    if (random.between(0, 2) === 0) {
      world.writes = random.between(40, 400);
      world.pace = 1;
    }
    this.#all.push({ side: "client", books: this.#client });
    world.onEvent = (end, event) => this.#event(end, event);
    world.onOver = (over) => this.#over(over.session, over.unconfirmed);
    world.onDial = (near, far) => this.#dialed(near, far);
    world.onBytes = () => void this.inputs++;
    for (const side of ["client", "server"] as const) {
      const application = world.application(side);
      application.consumes = false;
      application.after = () =>
        random.between(0, 3) === 0 ? random.between(1, 60) : random.between(0, 40) === 0 ? Infinity : 0;
      application.onSent = (text) => this.#sent(side, text);
    }
  }

  #mix(word: string): void {
    let hash = this.hash;
    const line = `${Math.round(this.world.now * 1_000)} ${word}`;
    for (let i = 0; i < line.length; i++) hash = Math.imul(hash ^ line.charCodeAt(i), 0x01000193);
    this.hash = hash >>> 0;
  }

  #fail(what: string): never {
    throw new Error(`seed ${this.seed}, ${this.world.now} ms: ${what}`);
  }

  // What the applications know.

  #booksOf(side: Side): Books {
    if (side === "client") return this.#client;
    return this.#ledger(this.world.remote!);
  }

  #ledger(session: Session): Books {
    const known = this.#servers.get(session);
    if (known !== undefined) return known;
    const books = new Books();
    this.#servers.set(session, books);
    this.#all.push({ side: "server", books });
    return books;
  }

  #sent(side: Side, text: string): void {
    const books = this.#booksOf(side);
    if (books.closed) this.#fail(`${side} sends ${text.slice(0, 8)} to a session that is over`);
    books.position += Math.floor(Math.max(0, text.length - 1) / CHUNK) + 1;
    books.sent.push({ text, position: books.position });
  }

  #event(end: End, event: ConnectionEvent): void {
    const { side } = end;
    this.inputs++;
    this.#mix(`${side} ${event.type}`);
    switch (event.type) {
      case "open":
        if (side === "server") {
          const session = this.world.server.sessionOf(end.connection);
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
      case "processed":
        return this.#processed(end, event.position);
      case "lost":
        if (side === "client") this.#clientLost(event.unconfirmed);
        else this.#over(this.#sessionOf.get(end.connection)!, event.unconfirmed);
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
    const { finished } = this.world.application(side === "client" ? "server" : "client");
    if (!finished.has(text)) this.#fail(`${text.slice(0, 8)} is acknowledged, and nobody finished it`);
  }

  #clientLost(unconfirmed: readonly Unconfirmed[]): void {
    this.#lost(this.#client, unconfirmed);
    this.#client = new Books();
    this.#all.push({ side: "client", books: this.#client });
  }

  #over(session: Session, unconfirmed: readonly Unconfirmed[]): void {
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
    if (from < books.confirmed || books.sent.slice(from).some(({ text }, i) => text !== told[i])) {
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

  // What happens.

  /** A whole life: `actions` of applications, network and time, then peace. */
  run(actions = 70): this {
    for (let i = 0; i < actions; i++) this.#act(i);
    this.#heal();
    return this;
  }

  /** Positions are in their order, whatever happens. */
  #positions(): void {
    for (const side of ["client", "server"] as const) {
      const state = this.world.session(side)?.state;
      if (state === undefined) continue;
      const { processed, received, sent, everSent, accepted, told } = state.outbound;
      const rising = [told, processed, received, sent, everSent, accepted];
      if (rising.some((position, i) => i > 0 && position < rising[i - 1]!)) {
        this.#fail(`${side}: positions ${rising}`);
      }
    }
  }

  #act(index: number): void {
    const { world } = this;
    this.#positions();
    if (world.remote !== null && world.remote.connection !== null) this.#attachedAt = world.now;
    const random = this.#random;
    this.inputs++;
    const draw = random.between(0, 99);
    if (draw < 22) this.#say("client");
    else if (draw < 40) this.#say("server");
    else if (draw < 46) world.finishAll(draw % 2 === 0 ? "client" : "server", random.between(1, 5));
    else if (draw < 92 || index < 3) {
      world.run(random.between(0, 3) === 0 ? random.between(20, 300) : random.between(0, 20));
    } else this.#fault(FAULTS[random.between(0, FAULTS.length - 1)]!);
    // At least three faults in each life, spread over it.
    if (index % 20 === 19 && this.faults < (index + 1) / 20) this.#fault(FAULTS[random.between(0, 5)]!);
  }

  #say(side: Side): void {
    const { world } = this;
    if (side === "client" && world.client.ended) return;
    if (world.session(side) === null) return;
    const random = this.#random;
    const most = random.between(0, 30) === 0 ? this.#sizes : random.between(0, 3) === 0 ? 800 : 60;
    const name = `${side[0]}${String(this.#counters[side]++).padStart(6, "0")}`;
    world.post(side, name.padEnd(random.between(7, most), "."));
  }

  /** Where the client is. */
  get state(): State {
    const { world } = this;
    const { connection, session } = world.client;
    if (connection === null) return "down";
    const { outbound } = session!.state;
    if (connection.phase === "greeting") return session!.resumable ? "resuming" : "greeting";
    if (outbound.sent < outbound.everSent) return "replaying";
    if (world.near.outbox.length > 0) return "blocked";
    return outbound.held > 0 ? "busy" : "idle";
  }

  #fault(drawn: Fault): void {
    const { world } = this;
    const random = this.#random;
    // What ends sessions is rarer than what they survive.
    const rare = drawn === "restart" || drawn === "take-over";
    const fault = rare && random.between(0, 2) > 0 ? "reset" : drawn;
    // Faults like to meet: a while behind the one before, where the next handshake or replay is.
    if (random.between(0, 2) === 0) {
      const wanted = STATES[random.between(0, 4)]!;
      if (wanted === "replaying") this.#provoke();
      world.run(random.between(0, 60), () => this.state === wanted);
    }
    const cell = `${fault} x ${this.state}`;
    this.coverage.set(cell, (this.coverage.get(cell) ?? 0) + 1);
    this.faults++;
    this.#mix(cell);
    const near = world.current;
    switch (fault) {
      case "reset":
        return world.resetAll();
      case "silent cut":
        return world.deafen(near, near?.peer ?? null);
      case "one-way cut":
        return world.deafen(random.between(0, 1) === 0 ? near : near?.peer ?? null);
      case "slow":
        for (const end of [near, near?.peer ?? null]) if (end !== null) end.delay = random.between(0, 300);
        return;
      case "client stalls":
        return world.stall("client", random.between(5, 1_500));
      case "server stalls":
        return world.stall("server", random.between(5, 1_500));
      case "restart":
        return world.restart();
      case "window passes":
        world.reachable = false;
        world.resetAll();
        if (random.between(0, 1) === 0) this.#say("server");
        if (random.between(0, 1) === 0) this.#say("client");
        world.run(random.between(0, 1) === 0 ? WINDOW + 500 : random.between(10, WINDOW));
        world.reachable = true;
        return;
      case "late HELLO":
        this.#nextDial = "late";
        return world.resetAll();
      case "HELLO twice":
        this.#nextDial = "twice";
        if (random.between(0, 1) === 0) return world.resetAll();
        return this.#again(random.between(10, 900));
      case "take-over":
        return this.#steal();
    }
  }

  /** Something to replay, over a transport that takes its time. */
  #provoke(): void {
    const { world } = this;
    if (world.pace === 0 || this.state === "down") return;
    for (let i = 0; i < 6; i++) this.#say("client");
    world.run(world.latency + 3);
    world.resetAll();
    world.run(100, () => this.state === "replaying");
  }

  #dialed(near: End, far: End): void {
    this.#hello = null;
    this.#generation++;
    if (this.#nextDial === "late") far.delay = HANDSHAKE + this.#random.between(1, 400);
    if (this.#nextDial === "twice") {
      // Our bytes come behind their double.
      far.delay = 20;
      this.world.later(10, () => this.world.pace === 0 ? this.#double(near.first, 300) : undefined);
    }
    this.#nextDial = null;
    this.world.later(0, () => void (this.#hello = near.first));
  }

  #again(life: number): void {
    if (this.world.pace === 0) this.#double(this.#hello, life); // else these are not all of its bytes
    this.world.settle();
  }

  /** Bytes that a client once said come over another transport, whose answers go nowhere. */
  #double(bytes: Uint8Array | null, life: number): void {
    if (bytes === null) return;
    const end = this.world.stranger();
    end.connection.receive(bytes, this.world.now);
    this.world.server.settle(end.connection, this.world.now);
    this.world.later(life, () => this.world.reset(end));
  }

  /** Another process with the session's id and secret, where the client is now. */
  #steal(): void {
    const { world } = this;
    const state = world.client.session!.state;
    if (state.grant === null) return;
    const nonce = new Uint8Array(16).fill(7);
    const { id, secret } = state.grant;
    const generation = this.#generation + this.#random.between(0, 2);
    const claim = { session: id, generation, ...state.positions };
    const proof = resumeProof(seeded(new Random(1)), secret, claim, nonce);
    const instance = new Uint8Array(16).fill(9);
    this.#double(join(preface(), hello({ ...claim, instance, proof })), this.#random.between(5, 500));
    world.settle();
  }

  // What comes of it.

  #heal(): void {
    const { world } = this;
    for (const end of world.ends.values()) end.delay = 0;
    world.stalledUntil.client = world.stalledUntil.server = 0;
    this.#nextDial = null;
    for (const side of ["client", "server"] as const) world.application(side).after = () => 0;
    const healed = world.now;
    const kept = this.#kept;
    const lost = world.near.lost.length;
    for (let i = 0; i < REST / 100 && !this.#rests; i++) {
      world.finishAll("client");
      world.finishAll("server");
      world.run(100, () => this.#rests);
    }
    if (!this.#rests) this.#fail(`no rest within ${REST} ms after ${healed}: ${this.#why()}`);
    if (kept && !world.client.ended && world.near.lost.length > lost) {
      this.#fail("a session is lost that both sides had");
    }
    this.#judge();
  }

  /** Whether the server has the client's session, and not for so long without a connection that its window might pass. */
  get #kept(): boolean {
    const { client, remote, now } = this.world;
    const ours = client.session?.state.grant?.id.join();
    return remote !== null && remote.state.grant?.id.join() === ours && now - this.#attachedAt < WINDOW / 6;
  }

  #why(): string {
    const { client, near, far, remote } = this.world;
    const held = client.session!.state.held;
    return `${this.state}, outboxes ${near.outbox.length} and ${far.outbox.length}, held ${held} and ${remote?.state.held}`;
  }

  get #rests(): boolean {
    const { client, near, far, remote } = this.world;
    if (client.ended) return true;
    if (this.state !== "idle" || remote === null || remote.connection?.phase !== "open") return false;
    return near.outbox.length + far.outbox.length === 0 &&
      client.session!.state.held + remote.state.held === 0;
  }

  /** Each message arrived or was told as lost; who ended was told why. */
  #judge(): void {
    const { world } = this;
    if (world.client.ended) {
      const ended = world.told.at(-1)!;
      if (ended.type !== "ended" || ended.reason.code !== "SUPERSEDED") {
        this.#fail(`ended by ${JSON.stringify(ended)}`);
      }
      return;
    }
    const got = { client: new Set(world.near.messages), server: new Set(world.far.messages) };
    for (const { side, books } of this.#all) {
      if (side === "server" && !books.closed && books !== this.#servers.get(world.remote!)) continue; // died, or waits for its window
      for (const { text } of books.sent) {
        const arrived = got[side === "client" ? "server" : "client"].has(text);
        if (!arrived && !this.#told.has(text)) {
          this.#fail(`${text.slice(0, 7)} neither arrived nor was told as lost`);
        }
      }
    }
    this.#mix(`${world.near.messages.length} ${world.far.messages.length} ${world.dials}`);
  }
}

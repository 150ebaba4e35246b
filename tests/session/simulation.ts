/**
 * One seeded life of a client and a server with sessions, under faults: what happens, and what must hold.
 *
 * Safety, at every moment: what arrives is what was sent, messages and requests in one order and at most once; what is acknowledged was finished by
 * the other application; what is told as lost is exactly what was not acknowledged, and "unsent" never arrived (knowledge.ts); a request is handled
 * once and answered once, with what was answered (asking.ts). Liveness, apart: when the faults are over, everything comes to rest within bounded
 * virtual time, each message has arrived or was told as lost, and each request was answered or is known to be unsent or of unknown fate.
 *
 * Rules: the same seed, the same life, on every runtime. Every random draw is the simulation's own.
 *
 * @module
 */

import { resumeProof } from "../../core/crypto/proof.ts";
import type { ConnectionEvent } from "../../core/events.ts";
import { Asking } from "../support/asking.ts";
import { hello, join, preface } from "../support/crafted.ts";
import { Random, seeded } from "../support/random.ts";
import { type End, type Side, World } from "../support/world.ts";
import { type Fault, FAULTS, type State, STATES } from "./faults.ts";
import { Knowledge } from "./knowledge.ts";

const BEAT = { interval: 200, multiplier: 3, minimumInterval: 10 };
const WINDOW = 3_000;
const HANDSHAKE = 800;
/** After the faults everything is at rest within this, ms: the longest stall, two detection times, a handshake's deadline, some dials. */
const REST = 6_000;

/** A life. */
export class Simulation {
  readonly world: World;
  readonly seed: number;
  readonly coverage: Map<string, number> = new Map();
  faults = 0;
  inputs = 0;
  hash = 0x811c9dc5;
  readonly knowledge: Knowledge;
  readonly asking: Asking;
  #random: Random;
  #sizes: number;
  #counters: Record<Side, number> = { client: 0, server: 0 };
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
    const most = { client: random.between(1, 12), server: random.between(1, 12) };
    this.world = new World(
      { ...options, maxRequests: most.client },
      { ...options, maxRequests: most.server, resumeWindow: WINDOW },
      seed ^ 0x5bd1e995,
    );
    const { world } = this;
    world.latency = random.between(1, 8);
    if (random.between(0, 2) === 0) {
      world.writes = random.between(40, 400);
      world.pace = 1;
    }
    const fail = (what: string): never => this.#fail(what);
    this.knowledge = new Knowledge(world, fail, (word) => this.#mix(word));
    this.asking = this.#ask(fail);
    world.onEvent = (end, event) => this.#event(end, event);
    world.onOver = (over) => {
      this.knowledge.over(over.session, over.unconfirmed);
      this.asking.over(over.session);
    };
    world.onDial = (near, far) => this.#dialed(near, far);
    world.onBytes = () => void this.inputs++;
    for (const side of ["client", "server"] as const) {
      const application = world.application(side);
      application.consumes = false;
      application.after = () =>
        random.between(0, 3) === 0 ? random.between(1, 60) : random.between(0, 40) === 0 ? Infinity : 0;
      application.onSent = (text) => this.knowledge.sent(side, text);
    }
  }

  #ask(fail: (what: string) => never): Asking {
    const random = this.#random;
    const asking = new Asking(this.world);
    asking.onWrong = fail;
    asking.onAsked = (side, text) => this.knowledge.said(side, text);
    asking.wait = () =>
      random.between(0, 2) === 0 ? random.between(1, 60) : random.between(0, 20) === 0 ? Infinity : 0;
    asking.answers = (text) => `re ${text.slice(0, 7)}`.padEnd(random.between(10, this.#most()), ".");
    return asking;
  }

  /** Mostly short, now and then as long as can be. */
  #most(): number {
    const random = this.#random;
    return random.between(0, 30) === 0 ? this.#sizes : random.between(0, 3) === 0 ? 800 : 60;
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

  #event(end: End, event: ConnectionEvent): void {
    this.inputs++;
    this.#mix(`${end.side} ${event.type}`);
    this.knowledge.event(end, event);
    this.asking.event(end, event);
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
      const { processed, received, sent, everSent, end } = state.outbound;
      const { told, processedInOrder, receivedInOrder, accepted } = state.outbound;
      this.#rise(side, processed, received, sent, everSent, end);
      this.#rise(side, told, processedInOrder, receivedInOrder, accepted);
    }
  }

  #rise(side: Side, ...positions: number[]): void {
    if (positions.some((position, i) => i > 0 && position < positions[i - 1]!)) {
      this.#fail(`${side}: positions ${positions}`);
    }
  }

  #act(index: number): void {
    const { world } = this;
    this.#positions();
    if (world.remote !== null && world.remote.connection !== null) this.#attachedAt = world.now;
    const random = this.#random;
    this.inputs++;
    const draw = random.between(0, 99);
    if (draw < 14) this.#say("client");
    else if (draw < 22) this.#question("client");
    else if (draw < 33) this.#say("server");
    else if (draw < 40) this.#question("server");
    else if (draw < 46) world.finishAll(draw % 2 === 0 ? "client" : "server", random.between(1, 5));
    else if (draw < 92 || index < 3) {
      world.run(random.between(0, 3) === 0 ? random.between(20, 300) : random.between(0, 20));
    } else this.#fault(FAULTS[random.between(0, FAULTS.length - 1)]!);
    // At least three faults in each life, spread over it.
    if (index % 20 === 19 && this.faults < (index + 1) / 20) this.#fault(FAULTS[random.between(0, 5)]!);
  }

  #say(side: Side): void {
    const text = this.#text(side);
    if (text !== null) this.world.post(side, text);
  }

  /** Asks; or takes back one of the last questions. */
  #question(side: Side): void {
    const { questions } = this.asking;
    const text = this.#text(side);
    if (text === null) return;
    const random = this.#random;
    const last = questions.at(-random.between(1, 4));
    if (last !== undefined && random.between(0, 2) === 0) this.asking.cancel(last.text);
    else this.asking.ask(side, text);
  }

  #text(side: Side): string | null {
    const { world } = this;
    if (side === "client" && world.client.ended) return null;
    if (world.session(side) === null) return null;
    const name = `${side[0]}${String(this.#counters[side]++).padStart(6, "0")}`;
    return name.padEnd(this.#random.between(7, this.#most()), ".");
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
        this.asking.died();
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
    this.asking.wait = () => 0;
    const healed = world.now;
    const kept = this.#kept;
    const lost = world.near.lost.length;
    for (let i = 0; i < REST / 100 && !this.#rests; i++) {
      world.finishAll("client");
      world.finishAll("server");
      this.asking.answerAll();
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
    const { owed } = client.session!.state.requests;
    if (this.asking.waitingFor(client.session!.state, remote.state) + owed + remote.state.requests.owed > 0) {
      return false;
    }
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
    this.knowledge.judge();
    this.asking.judge(world.remote!.state);
    const fates = this.asking.questions.map(({ fate }) => fate[0]).join("");
    this.#mix(`${world.near.messages.length} ${world.far.messages.length} ${world.dials} ${fates}`);
  }
}

/**
 * What `heartwire demo` shows: two clients over links that are cut in silence at the same moment. One is a heartwire session, the other a
 * plain TCP connection.
 *
 * Rules: everything is real: sockets, the library as it is published, the time that passes. What is shown was measured in this run, and whether it
 * held is decided by figures alone. After the cut the links are mended for new connections only, as by a firewall that forgot the old ones.
 *
 * @module
 */

import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from "node:net";
import type { Address, EndReason, Evidence, Server, Session } from "../../adapters/api.ts";
import { Cable } from "../cable.ts";
import { Ledger } from "../bench/cuts.ts";
import type { Adapter } from "../runtime.ts";
import { sleep } from "../stop.ts";

/** What happens when, ms after both are connected. */
export interface Script {
  readonly cut: number;
  readonly mend: number;
  /** Nothing is sent any more. */
  readonly stop: number;
  /** What has not come back so long after that is lost. */
  readonly patience: number;
}
export const SCRIPT: Script = { cut: 2_500, mend: 6_000, stop: 9_000, patience: 3_000 };

/** A message leaves so often, ms. */
export const EVERY = 50;
/** The plain connection's messages have a fixed length, for its stream has no boundaries. */
const LINE = 32;
const HEARTBEAT = { interval: 400, multiplier: 3 };
/** A dial that leads nowhere is given up soon, ms. */
const DIAL = 700;

/** What happened, and when, ms after both were connected. */
export type Happening =
  & { readonly at: number }
  & (
    | { readonly what: "connected"; readonly bound: number }
    | { readonly what: "cut" | "mended" }
    | { readonly what: "suspect"; readonly evidence: Evidence }
    | { readonly what: "ended"; readonly reason: EndReason; readonly after: number | null }
    | { readonly what: "resumed"; readonly waiting: number }
    | { readonly what: "lost" }
    | { readonly what: "plainEnded"; readonly error: string }
  );

/** What is known at a moment; what `run` resolves with is that of the end. Times in ms, lengths in bytes. */
export interface Scene {
  readonly link: "whole" | "cut" | "mended";
  readonly at: number;
  /** Within which time the library promised to find a dead peer. */
  readonly bound: number;
  /** After which time it did; null: not yet. */
  readonly detected: number | null;
  /** For how long this process was kept from running between the cut and then: no deadline can be kept meanwhile. */
  readonly stood: number;
  /** How long after the link was mended the session went on; null: not yet. */
  readonly resumedAfter: number | null;
  readonly state: string;
  readonly dials: number;
  readonly sent: number;
  readonly back: number;
  readonly missing: number;
  readonly doubled: number;
  readonly disordered: number;
  readonly plain: {
    readonly open: boolean;
    readonly noticed: string | null;
    readonly sent: number;
    readonly back: number;
    readonly intoNothing: number;
  };
}

/** Whether all that is claimed held. */
export function held(
  { bound, detected, stood, resumedAfter, sent, missing, doubled, disordered, plain }: Scene,
): boolean {
  const found = detected !== null && detected <= bound + stood;
  const whole = sent > 0 && missing === 0 && doubled === 0 && disordered === 0;
  return found && resumedAfter !== null && whole && plain.open && plain.noticed === null &&
    plain.intoNothing > 0;
}

/** The stage. */
export class Stage {
  readonly #adapter: Adapter;
  readonly #script: Script;
  readonly #signal: AbortSignal;
  readonly #tell: (happening: Happening) => void;
  readonly #ledger = new Ledger();
  #server!: Server;
  #session!: Session;
  #link!: Cable;
  #plainServer!: NetServer;
  #plainLink!: Cable;
  #plain!: Socket;
  #started = 0;
  #cutAt: number | null = null;
  #mendedAt: number | null = null;
  #bound = 0;
  #detected: number | null = null;
  #stood = 0;
  #resumedAfter: number | null = null;
  #lost = false;
  #plainSent = 0;
  #plainBack = 0;
  #plainOpen = false;
  #plainNoticed: string | null = null;
  #over = false;

  constructor(
    adapter: Adapter,
    signal: AbortSignal,
    tell: (happening: Happening) => void,
    script: Script = SCRIPT,
  ) {
    this.#adapter = adapter;
    this.#signal = signal;
    this.#tell = tell;
    this.#script = script;
  }

  /** Plays it; earlier over when the signal aborts. Rejects when it could not begin. */
  async run(): Promise<Scene> {
    try {
      await this.#open();
      await this.#play();
      return this.scene;
    } finally {
      this.#over = true;
      this.#close();
    }
  }

  async #open(): Promise<void> {
    this.#server = await this.#adapter.listen(
      "127.0.0.1:0",
      (session) => session.onMessage((message) => session.send(message.bytes)),
      { heartbeat: HEARTBEAT },
    );
    this.#link = await Cable.to(this.#server.address);
    this.#plainServer = createServer((socket) => {
      socket.on("data", (bytes) => void socket.write(bytes)).on("error", () => {});
    });
    await new Promise<void>((resolve) => this.#plainServer.listen(0, "127.0.0.1", () => resolve()));
    const { port } = this.#plainServer.address() as AddressInfo;
    const address: Address = { kind: "tcp", host: "127.0.0.1", port, url: `tcp://127.0.0.1:${port}` };
    this.#plainLink = await Cable.to(address);
    this.#session = await this.#adapter.connect(this.#link.address, {
      heartbeat: HEARTBEAT,
      signal: this.#signal,
      dialTimeout: DIAL,
      handshakeTimeout: DIAL,
      reconnect: { base: 200, floor: 50, cap: 400, initial: false },
    });
    this.#bound = this.#session.agreement!.detectionBound;
    await this.#dialPlain();
    void this.#watch();
    this.#session.onMessage(({ bytes }) => {
      this.#ledger.receive(new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0));
    }).catch(() => {});
    this.#started = performance.now();
    this.#tell({ at: 0, what: "connected", bound: this.#bound });
  }

  async #dialPlain(): Promise<void> {
    const plain = this.#plain = connect(this.#plainLink.port, "127.0.0.1");
    await new Promise<void>((resolve, reject) => {
      plain.once("connect", () => resolve());
      plain.once("error", reject);
    });
    this.#plainOpen = true;
    const noticed = (error: string): void => {
      if (this.#over || !this.#plainOpen) return;
      this.#plainOpen = false;
      this.#plainNoticed = error;
      this.#tell({ at: this.#now, what: "plainEnded", error });
    };
    plain.on("data", (bytes) => this.#plainBack += bytes.length);
    plain.on("error", (error) => noticed(error.message)).on("close", () => noticed("closed"));
  }

  get #now(): number {
    return performance.now() - this.#started;
  }

  async #watch(): Promise<void> {
    for await (const status of this.#session.status()) {
      if (this.#over) return;
      const at = this.#now;
      const sinceCut = this.#cutAt === null ? null : status.at - this.#started - this.#cutAt;
      if (status.state === "suspect") this.#tell({ at, what: "suspect", evidence: status.evidence });
      else if (status.state === "resuming") {
        const { reason } = status;
        if (reason.kind === "dead" && this.#detected === null) this.#detected = sinceCut;
        if (reason.kind === "dead") this.#tell({ at, what: "ended", reason, after: sinceCut });
      } else if (status.state === "unconfirmed") {
        this.#lost = true;
        this.#tell({ at, what: "lost" });
      } else if (
        status.state === "live" && this.#detected !== null && !this.#lost && this.#mendedAt !== null
      ) {
        this.#resumedAfter ??= at - this.#mendedAt;
        this.#tell({ at, what: "resumed", waiting: this.#ledger.missing });
      }
    }
  }

  async #play(): Promise<void> {
    const { cut, mend, stop, patience } = this.#script;
    for (let due = 0; !this.#signal.aborted; due += EVERY) {
      const now = this.#now;
      if (this.#cutAt === null && now >= cut) this.#cut(now);
      if (this.#mendedAt === null && now >= mend) this.#mend(now);
      if (now >= stop) break;
      this.#send(now);
      const wake = Math.max(due + EVERY, this.#now);
      await sleep(wake - this.#now, this.#signal);
      if (this.#cutAt !== null && this.#detected === null) this.#stood += Math.max(0, this.#now - wake);
    }
    for (const until = this.#now + patience; this.#ledger.missing > 0 && this.#now < until;) {
      if (!await sleep(EVERY, this.#signal)) return;
    }
  }

  #cut(now: number): void {
    this.#cutAt = now;
    this.#link.silence();
    this.#plainLink.silence();
    this.#tell({ at: now, what: "cut" });
  }

  #mend(now: number): void {
    this.#mendedAt = now;
    this.#link.mend();
    this.#plainLink.mend();
    this.#tell({ at: now, what: "mended" });
  }

  #send(now: number): void {
    const message = new Uint8Array(8);
    new DataView(message.buffer).setFloat64(0, this.#ledger.send(now));
    this.#session.send(message).catch(() => {}); // what fails is missing at the end
    if (!this.#plainOpen) return;
    this.#plain.write(`message ${this.#plainSent++}`.padEnd(LINE - 1) + "\n");
  }

  /** What is known now. */
  get scene(): Scene {
    const { sent, missing, doubled, disordered } = this.#ledger;
    return {
      ...{
        at: this.#now,
        bound: this.#bound,
        detected: this.#detected,
        stood: this.#stood,
        resumedAfter: this.#resumedAfter,
      },
      link: this.#cutAt === null ? "whole" : this.#mendedAt === null ? "cut" : "mended",
      state: this.#session.state,
      dials: this.#session.stats().conversations,
      ...{ sent, back: sent - missing, missing, doubled, disordered },
      plain: {
        open: this.#plainOpen,
        noticed: this.#plainNoticed,
        sent: this.#plainSent,
        back: Math.floor(this.#plainBack / LINE),
        intoNothing: this.#plainLink.swallowed,
      },
    };
  }

  #close(): void {
    this.#session?.abort("the demonstration is over");
    this.#plain?.destroy();
    this.#link?.close();
    this.#plainLink?.close();
    this.#plainServer?.close();
    void this.#server?.abort("the demonstration is over");
  }
}

/**
 * `connect` for any platform: carries out what core's `Client` decides, and keeps one session over its connections.
 *
 * Rules: every dial that core gave up is cancelled, and a transport that comes too late is destroyed: nothing keeps the process
 * alive. The promise settles once: with the session when it is first live, or with why it never was.
 *
 * @module
 */

import { Client } from "../core/client.ts";
import { HeartwireError } from "../core/errors.ts";
import type {
  ClientAction,
  ClientEvent,
  ClientOptions,
  ConnectionEvent,
  Conversation,
  Session as CoreSession,
} from "../core/mod.ts";
import { resolveClient } from "../core/resolve.ts";
import { type Address, type AddressLike, parseAddress } from "./address.ts";
import { Driver } from "./driver.ts";
import { cancelled, dialError, endError } from "./failure.ts";
import type { SessionHost } from "./host.ts";
import { LiveSession } from "./live_session.ts";
import { clientOptions, type ConnectOptions, report, show } from "./options.ts";
import type { Session } from "./session.ts";
import type { Platform, Transport } from "./transport.ts";

/** Where to connect to: one address, or several that are tried in turn; see `parseAddress` for the forms. */
export type ConnectTarget = AddressLike | readonly AddressLike[];

function readTargets(target: ConnectTarget): Address[] {
  const targets = Array.isArray(target) ? target as readonly AddressLike[] : [target as AddressLike];
  if (targets.length === 0) {
    throw new HeartwireError("ADDRESS", "no address to connect to", { hint: "Name at least one." });
  }
  return targets.map((one) => {
    const address = parseAddress(one);
    if (address.kind === "tcp" && address.port === 0) {
      throw new HeartwireError("ADDRESS", `cannot dial ${address.url}: port 0 is for listening`, {
        hint: "Name the port that the server listens on.",
      });
    }
    return address;
  });
}

/** Connects on a platform; see the runtimes' `connect`. */
export async function connectOn(
  platform: Platform,
  target: ConnectTarget,
  options: ConnectOptions = {},
): Promise<Session> {
  const addresses = readTargets(target);
  const core = clientOptions(options, addresses.length);
  const { signal } = options;
  if (signal?.aborted) throw cancelled(signal);
  return await new Dialer(platform, addresses, options, core).first;
}

class Dialer implements SessionHost {
  /** Settles with the first connection, or with the end before it. */
  readonly first: Promise<Session>;
  readonly driver: Driver<Conversation, ConnectionEvent>;
  readonly window: number;
  readonly redials: boolean;
  peer: Address;
  readonly #platform: Platform;
  readonly #addresses: readonly Address[];
  readonly #options: ConnectOptions;
  readonly #client: Client;
  readonly #session: LiveSession;
  /** The connection whose events the observer is shown: the last that opened. */
  #shown: Conversation | null = null;
  /** How to cancel the dials under way, by attempt. */
  readonly #dials = new Map<number, () => void>();
  #resolve!: (session: Session) => void;
  #reject!: (error: unknown) => void;

  constructor(
    platform: Platform,
    addresses: readonly Address[],
    options: ConnectOptions,
    core: ClientOptions,
  ) {
    this.#platform = platform;
    this.#addresses = addresses;
    this.peer = addresses[0]!;
    this.#options = options;
    const { window, reconnect } = resolveClient(core);
    this.window = window;
    this.redials = reconnect !== null;
    this.#client = new Client(core, platform.environment);
    this.driver = new Driver(this.#client, platform.clock, {
      event: (connection, event) => this.#event(connection, event),
      decide: () => this.#decide(),
    });
    this.#session = new LiveSession(this);
    this.first = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    const now = this.driver.now();
    this.#client.start(now);
    this.driver.done(null, now);
  }

  readonly #onAbort = (): void => {
    this.#reject(cancelled(this.#options.signal!));
    this.abort("cancelled");
  };

  #event(connection: Conversation, event: ConnectionEvent): void {
    if (connection === this.#shown) show(this.#options, this.#session, event);
    this.#session.event(connection, event);
    if (event.type !== "open") return;
    this.#shown = connection;
    show(this.#options, this.#session, event);
  }

  #decide(): boolean {
    const action = this.#client.nextAction();
    if (action !== null) {
      this.#act(action);
      return true;
    }
    const event = this.#client.nextEvent();
    if (event !== null) this.#tell(event);
    return event !== null;
  }

  #act(action: ClientAction): void {
    switch (action.type) {
      case "dial":
        return this.#dial(action.attempt, this.#addresses[action.endpoint]!);
      case "cancelDial": {
        const cancel = this.#dials.get(action.attempt);
        this.#dials.delete(action.attempt);
        return cancel?.();
      }
      case "hold":
        return this.driver.hold(action.connection);
      case "release":
        return this.driver.release(action.connection);
      case "drop":
        return this.#replaced(action.connection);
      case "ask": // This version's client asks nothing.
    }
  }

  /** Another connection goes on with the session; of this one nothing is heard any more. */
  #replaced(connection: Conversation): void {
    this.driver.drop(connection);
    const text = "another connection goes on with the session";
    if (connection !== this.#shown) return;
    show(this.#options, this.#session, {
      type: "closed",
      reason: { kind: "fault", code: "SUPERSEDED", text },
    });
  }

  #dial(attempt: number, address: Address): void {
    this.peer = address;
    const dialed = (transport: Transport): void => {
      this.#dials.delete(attempt);
      const now = this.driver.now();
      this.driver.tellWall();
      const connection = this.#client.dialed(attempt, now);
      if (connection === null) transport.destroy();
      else this.driver.attach(connection, transport);
      this.driver.done(null, now);
    };
    const failed = (cause: unknown): void => {
      this.#dials.delete(attempt);
      const now = this.driver.now();
      this.#client.dialFailed(attempt, dialError(address, cause), now);
      this.driver.done(null, now);
    };
    try {
      this.#dials.set(attempt, this.#platform.dial(address, dialed, failed));
    } catch (cause) {
      queueMicrotask(() => failed(cause)); // an address that the runtime will not even try
    }
  }

  #tell(event: ClientEvent): void {
    switch (event.type) {
      case "dialing":
        if (!event.early) this.#session.connecting(event.attempt);
        return;
      case "unneeded":
        return; // the connection from before goes on
      case "live":
        this.#settled();
        return this.#resolve(this.#session);
      case "down":
        if (event.retryIn !== null) this.#session.lost(event.reason, event.retryIn);
        return;
      case "ended":
        this.#settled();
        this.#session.ended(event.reason);
        return this.#reject(endError(event.reason, this.peer)); // of no effect once it was live
    }
  }

  #settled(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  sessionOf(): CoreSession | null {
    return this.#client.session;
  }

  close(code: number, text: string): void {
    const now = this.driver.now();
    this.#client.close(code, text, now);
    this.driver.done(null, now);
  }

  abort(text: string): void {
    const now = this.driver.now();
    this.#client.abort(text, now);
    this.driver.done(null, now);
  }

  fault(): void {
    // The connection says INTERNAL; the client is told to end, so that it does not dial again into the same fault.
    const now = this.driver.now();
    this.#client.connection?.abort("INTERNAL", "", now);
    this.#client.abort("", now);
    this.driver.done(null, now);
  }

  report(error: unknown): void {
    report(this.#options, error, this.#session, `the handler of ${this.#session.remote.url} failed`);
  }
}

/**
 * The session of a command: its first dial is tried once, so that a wrong address is told at once; after that the library dials again if
 * that is wanted.
 *
 * @module
 */

import type {
  Address,
  ConnectOptions,
  EndReason,
  ReconnectOptions,
  Session,
  Status,
} from "../adapters/api.ts";
import type { Adapter } from "./runtime.ts";
import type { Stop } from "./stop.ts";

/** What a link is made from. */
export interface LinkOptions {
  readonly adapter: Adapter;
  readonly address: Address;
  readonly connect: ConnectOptions;
  /** How to dial again; null: never. */
  readonly redial: ReconnectOptions | null;
  readonly stop: Stop;
  /** The session is there; its messages are to be taken. */
  readonly onSession: (session: Session) => void;
}

/** The session with a server. */
export class Link {
  readonly #options: LinkOptions;
  #session: Session | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** The session, once it is open. */
  get session(): Session {
    return this.#session!;
  }

  /** The first dial. Rejects with why there is no connection. */
  async open(): Promise<void> {
    const { adapter, address, connect, redial, stop, onSession } = this.#options;
    const reconnect = redial === null ? false : { ...redial, initial: false };
    this.#session = await adapter.connect(address, { ...connect, reconnect, signal: stop.signal });
    onSession(this.#session);
  }

  /** All that happens to the connection, until it is over: the last is `closed`. */
  status(): AsyncIterableIterator<Status> {
    return this.session.status();
  }

  /** Ends in good order; at once when that was asked, or when there is no connection and nothing that has to be delivered. */
  async close(): Promise<EndReason> {
    const { session } = this;
    const { forced, signal } = this.#options.stop;
    const abort = (): void => session.abort("interrupted");
    if (forced.aborted || (session.agreement === null && (signal.aborted || session.state !== "resuming"))) {
      abort();
    }
    forced.addEventListener("abort", abort, { once: true });
    try {
      return await session.close();
    } finally {
      forced.removeEventListener("abort", abort);
    }
  }
}

/**
 * A cable between clients and one server, in this process, that can break: at once, so that both ends are told, or in silence, as when a
 * plug is pulled or a firewall forgets.
 *
 * Rules: what passes, passes in order and unchanged. A connection that was silent once stays so: what was swallowed is gone, and with
 * it the stream. Made of `node:net`, which the three runtimes have, so that the library is never judged by its own sockets.
 *
 * @module
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Address } from "../adapters/api.ts";

interface Pair {
  readonly near: Socket;
  readonly far: Socket | null;
  /** Nothing passes any more, and nobody is told. */
  silent: boolean;
}

/** Passes bytes between clients and one server. */
export class Cable {
  readonly #target: Address;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #silent = false;
  /** Bytes of clients that were taken and did not reach the server. */
  swallowed = 0;

  private constructor(target: Address) {
    this.#target = target;
    this.#server = createServer((near) => this.#accept(near));
  }

  /** A cable that ends at this server, on a free port of this machine. */
  static async to(target: Address): Promise<Cable> {
    const cable = new Cable(target);
    await new Promise<void>((resolve, reject) => {
      cable.#server.once("error", reject);
      cable.#server.listen(0, "127.0.0.1", () => resolve());
    });
    return cable;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Where clients dial. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  #dial(): Socket {
    const target = this.#target;
    const far = target.kind === "unix" ? connect(target.path) : connect(target.port, target.host);
    return far.setNoDelay(true);
  }

  #accept(near: Socket): void {
    near.setNoDelay(true);
    const pair: Pair = { near, far: this.#silent ? null : this.#dial(), silent: this.#silent };
    this.#pairs.add(pair);
    this.#join(pair, near, pair.far);
    if (pair.far !== null) this.#join(pair, pair.far, near);
  }

  #join(pair: Pair, from: Socket, to: Socket | null): void {
    from.on("data", (bytes) => {
      if (!pair.silent) to?.write(bytes);
      else if (from === pair.near) this.swallowed += bytes.length;
    });
    from.on("end", () => {
      if (!pair.silent) to?.end();
    });
    from.on("error", () => {});
    from.on("close", () => {
      if (pair.silent && from === pair.near) pair.far?.destroy();
      else if (!pair.silent) to?.destroy();
      if (from === pair.near) this.#pairs.delete(pair);
    });
  }

  /** Breaks every connection, in the middle of whatever passes; both ends are told. Returns how many there were. */
  cut(): number {
    const pairs = [...this.#pairs];
    for (const { near, far } of pairs) {
      near.destroy();
      far?.destroy();
    }
    return pairs.length;
  }

  /** From now on nothing passes and nobody is told. New connections are taken, and lead nowhere. */
  silence(): void {
    this.#silent = true;
    for (const pair of this.#pairs) pair.silent = true;
  }

  /** New connections pass again. */
  mend(): void {
    this.#silent = false;
  }

  /** Takes it away. */
  close(): void {
    this.#server.close();
    this.cut();
  }
}

/**
 * A TCP proxy that ends its connections when it is told to: by a reset, or in silence.
 *
 * @module
 */

import * as net from "node:net";

/** Passes bytes between clients and one server. */
export class CuttingProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: net.Server;
  readonly #pairs = new Set<readonly [net.Socket, net.Socket]>();
  /** Connections that came. */
  accepted = 0;
  /** New connections are closed at once. */
  refuses = false;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = net.createServer((near) => this.#accept(near));
  }

  /** A proxy before a port of this machine. */
  static async before(port: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy({ host: "127.0.0.1", port });
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** Where to dial. */
  get url(): string {
    return `heartwire://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  /** Goes to another server from the next connection on. */
  retarget(port: number): void {
    (this.#target as { port: number }).port = port;
  }

  #accept(near: net.Socket): void {
    this.accepted++;
    if (this.refuses) return void near.destroy();
    const far = net.connect(this.#target);
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.setNoDelay(true);
      from.on("data", (bytes) => void to.write(bytes));
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
  }

  /** Ends every connection. Returns how many there were. */
  cut(): number {
    const pairs = [...this.#pairs];
    for (const [near, far] of pairs) {
      near.destroy();
      far.destroy();
    }
    return pairs.length;
  }

  /** Ends the proxy. */
  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

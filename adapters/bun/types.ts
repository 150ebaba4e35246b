/**
 * The few parts of Bun's API that its adapter uses, so that the sources type-check where Bun's types are not.
 *
 * @module
 */

/** Bun's connected socket. */
export interface BunSocket<Data> {
  data: Data;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly localAddress?: string;
  readonly localPort?: number;
  /** Bytes taken: perhaps fewer than all, 0 when full, negative when closed. Nothing else is kept. */
  write(bytes: Uint8Array): number;
  /** Ends our direction. */
  shutdown(): void;
  /** Closes at once. */
  terminate(): void;
  pause(): void;
  resume(): void;
  setNoDelay(on: boolean): void;
}

/** What is told of Bun's sockets. */
export interface BunHandlers<Data> {
  readonly binaryType: "uint8array";
  open(socket: BunSocket<Data>): void;
  data(socket: BunSocket<Data>, bytes: Uint8Array): void;
  /** The peer ended its direction. */
  end(socket: BunSocket<Data>): void;
  close(socket: BunSocket<Data>, error?: unknown): void;
  error(socket: BunSocket<Data>, error: unknown): void;
  drain(socket: BunSocket<Data>): void;
}

/** TCP or Unix. */
export type BunTarget = { readonly hostname: string; readonly port: number } | { readonly unix: string };

/** Bun's listening socket. */
export interface BunListener {
  readonly hostname: string;
  readonly port: number;
  stop(closeActiveConnections: boolean): void;
}

/** The namespace `Bun`. */
export interface BunApi {
  listen<Data>(options: BunTarget & { allowHalfOpen: boolean; socket: BunHandlers<Data> }): BunListener;
}

/**
 * The few parts of Deno's API that its adapter uses, so that the sources type-check where Deno's types are not.
 *
 * @module
 */

/** Deno's address of a socket. */
export interface DenoAddr {
  readonly transport: string;
  readonly hostname?: string;
  readonly port?: number;
  /** Null at the end of a Unix socket that has no name. */
  readonly path?: string | null;
}

/** Deno's connected socket. */
export interface DenoConn {
  readonly localAddr: DenoAddr;
  readonly remoteAddr: DenoAddr;
  /** Bytes read, null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** May write fewer than all. */
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  /** TCP only. */
  setNoDelay?(on: boolean): void;
}

/** Deno's listening socket. */
export interface DenoListener {
  readonly addr: DenoAddr;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** TCP or Unix. */
export type DenoTarget =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/** The namespace `Deno`. */
export interface DenoApi {
  connect(target: DenoTarget & { signal?: AbortSignal }): Promise<DenoConn>;
  listen(target: DenoTarget): DenoListener;
}

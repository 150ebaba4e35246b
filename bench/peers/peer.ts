/**
 * What is compared: each subject is a server that echoes, and a client of it.
 *
 * Rules for who implements one: the server does what a program written with care would do, no more. The client is as cheap as it can be, for
 * only the server is measured: where the protocol permits it, it writes frames that were made beforehand, and counts the bytes that come back.
 *
 * @module
 */

/** A server. */
export interface Served {
  readonly port: number;
  /** Connections that are established now. */
  established(): number;
  /** Heartbeats that went to and fro since the start; only where there are any. */
  beats?(): number;
}

/** A client's connection. */
export interface Link {
  /** Sends so many messages in one go; `echoed` is called with how many came back. */
  send(count: number): void;
  /** Sends one heartbeat; only where the client decides when. */
  beat?(): void;
  /** Ends it at once, leaving nothing behind. */
  close(): void;
}

/** How a client dials. */
export interface DialOptions {
  readonly port: number;
  /** Bytes of a message. */
  readonly size: number;
  /** So many messages came back. */
  readonly echoed: (count: number) => void;
  /** ms between two heartbeats; for who beats by itself. */
  readonly interval?: number;
}

/** A subject. */
export interface Peer {
  serve(options: ServeOptions): Promise<Served>;
  dial(options: DialOptions): Promise<Link>;
}

/** How a server listens. */
export interface ServeOptions {
  /** ms between two heartbeats; for who beats by itself. */
  readonly interval?: number;
}

/** A payload that no coding makes shorter. */
export function payloadOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 31) ^ (at >> 8));
}

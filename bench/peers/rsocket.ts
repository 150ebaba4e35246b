/**
 * `rsocket-js` over TCP: a request and its response. The client is its own.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import { loadPackage, versionOf } from "./packages.ts";
import { type DialOptions, type Link, payloadOf, type Peer, type Served } from "./peer.ts";

interface Payload {
  readonly data: Uint8Array;
  readonly metadata?: Uint8Array | undefined;
}
interface Single<T> {
  subscribe(
    subscriber: { onComplete(value: T): void; onError(error: Error): void; onSubscribe(): void },
  ): void;
}
interface RSocket {
  requestResponse(payload: Payload): Single<Payload>;
  close(): void;
}
interface Core {
  readonly RSocketServer: new (options: object) => { start(): void };
  readonly RSocketClient: new (options: object) => { connect(): Single<RSocket>; close(): void };
  readonly BufferEncoders: object;
}
interface Transports {
  readonly default: new (options: object, encoders: object) => object;
}
interface Singles {
  readonly Single: { of<T>(value: T): Single<T> };
}

const KEEP_ALIVE = 60_000;

/** Name and version. */
export function rsocketVersion(): string {
  return versionOf("rsocket-core").replace("rsocket-core", "rsocket-js");
}

function serve(): Promise<Served> {
  const { RSocketServer, BufferEncoders } = loadPackage<Core>("rsocket-core");
  const { default: Transport } = loadPackage<Transports>("rsocket-tcp-server");
  const { Single } = loadPackage<Singles>("rsocket-flowable");
  let established = 0;
  return new Promise((resolve) => {
    // The package does not tell which port it got, but takes a server of ours.
    const serverFactory = (onConnect: (socket: object) => void): object => {
      const server = createServer({ noDelay: true }, (socket) => {
        established++;
        socket.on("close", () => established--);
        onConnect(socket);
      });
      server.on("listening", () => {
        const { port } = server.address() as { port: number };
        resolve({ port, established: () => established });
      });
      return server;
    };
    const transport = new Transport({ host: "127.0.0.1", port: 0, serverFactory }, BufferEncoders);
    const getRequestHandler = (): object => ({
      requestResponse: ({ data }: Payload) => Single.of({ data, metadata: undefined }),
    });
    new RSocketServer({ getRequestHandler, transport }).start();
  });
}

async function dial({ port, size, echoed }: DialOptions): Promise<Link> {
  const { RSocketClient, BufferEncoders } = loadPackage<Core>("rsocket-core");
  const { default: Transport } = loadPackage<Transports>("rsocket-tcp-client");
  const client = new RSocketClient({
    setup: {
      keepAlive: KEEP_ALIVE,
      lifetime: 3 * KEEP_ALIVE,
      dataMimeType: "application/octet-stream",
      metadataMimeType: "application/octet-stream",
    },
    transport: new Transport({ host: "127.0.0.1", port }, BufferEncoders),
  });
  const socket = await new Promise<RSocket>((resolve, reject) =>
    client.connect().subscribe({ onComplete: resolve, onError: reject, onSubscribe() {} })
  );
  const payload: Payload = { data: Buffer.from(payloadOf(size)), metadata: undefined };
  const subscriber = {
    onComplete: () => echoed(1),
    onError: (error: Error) => {
      throw error;
    },
    onSubscribe() {},
  };
  return {
    send(count) {
      for (let sent = 0; sent < count; sent++) socket.requestResponse(payload).subscribe(subscriber);
    },
    close: () => client.close(),
  };
}

/** Requests, and the only echo that it has. */
export const rsocket: Peer = { serve, dial };

/**
 * A message as applications get it.
 *
 * Rule: bytes that are kept are copied. A view of 16 bytes would hold on to the 64 KiB that the runtime read (512 KiB on
 * Bun), and on Deno to a buffer that the next read overwrites.
 *
 * @module
 */

/** One message, whole. */
export interface Message {
  /** The payload; it belongs to whoever got the message. */
  readonly bytes: Uint8Array;
  /** Where the message ends in the order of this conversation, in chunks of 16 KiB: rises from message to message. */
  readonly position: number;
  /** It was sent by `sendVolatile`: it came at most once, and perhaps before messages that were sent earlier. */
  readonly volatile: boolean;
  /** The payload as UTF-8; what is not valid becomes U+FFFD. */
  text(): string;
  /** The payload as JSON. Throws `SyntaxError` when it is not. */
  json(): unknown;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A received message, and which connection has to be told when the application finished it. */
export class ReceivedMessage<Source> implements Message {
  readonly bytes: Uint8Array;
  readonly position: number;
  readonly volatile: boolean;
  readonly #source: Source;

  /** Copies `bytes` unless `owned`. */
  constructor(bytes: Uint8Array, owned: boolean, position: number, source: Source, volatile = false) {
    this.bytes = owned ? bytes : new Uint8Array(bytes);
    this.position = position;
    this.volatile = volatile;
    this.#source = source;
  }

  text(): string {
    return decoder.decode(this.bytes);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  /** Where a message came from; for its session only. */
  static source<Source>(message: ReceivedMessage<Source>): Source {
    return message.#source;
  }
}

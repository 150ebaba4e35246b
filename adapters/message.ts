/**
 * A message as applications get it.
 *
 * Rule: bytes that are kept are copied, unless core has done so. A view of 16 bytes would hold on to the 64 KiB that the runtime read (512 KiB on
 * Bun), and on Deno to a buffer that the next read overwrites; core copies short messages, those that came together by 8 KiB.
 *
 * @module
 */

/** What the peer said: a message, a request, or the answer to one. */
export interface Payload {
  /**
   * The bytes; they belong to whoever got them. Their buffer may be longer: up to 8 KiB shared with other messages, or up to twice what came in
   * several chunks. `bytes.slice()` is a copy of their own for whoever keeps a few of many, hands `bytes.buffer` on or transfers it to a worker.
   */
  readonly bytes: Uint8Array;
  /** The bytes as UTF-8; what is not valid becomes U+FFFD. */
  text(): string;
  /** The bytes as JSON. Throws `SyntaxError` when they are not. */
  json(): unknown;
}

/** One message, whole. */
export interface Message extends Payload {
  /** Where the message ends in the order of this conversation, in chunks of 16 KiB: rises from message to message. */
  readonly position: number;
  /** It was sent by `sendVolatile`: it came at most once, and perhaps before messages that were sent earlier. */
  readonly volatile: boolean;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** {@link Payload.text} of these bytes. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Bytes that their receiver may keep: a copy unless they are `owned`. */
export function kept(bytes: Uint8Array, owned: boolean): Uint8Array {
  return owned ? bytes : new Uint8Array(bytes);
}

/** What was received of a request or its answer. */
export class ReceivedPayload implements Payload {
  readonly bytes: Uint8Array;

  /** Copies `bytes` unless `owned`. */
  constructor(bytes: Uint8Array, owned: boolean) {
    this.bytes = kept(bytes, owned);
  }

  text(): string {
    return textOf(this.bytes);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }
}

/**
 * A received message, and which connection has to be told when the application finished it. It does not extend the class above: on Node that would cost
 * a tenth of a message.
 */
export class ReceivedMessage<Source> implements Message {
  readonly bytes: Uint8Array;
  readonly position: number;
  readonly volatile: boolean;
  readonly #source: Source;

  /** Copies `bytes` unless `owned`. */
  constructor(bytes: Uint8Array, owned: boolean, position: number, source: Source, volatile = false) {
    this.bytes = kept(bytes, owned);
    this.position = position;
    this.volatile = volatile;
    this.#source = source;
  }

  text(): string {
    return textOf(this.bytes);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  /** Where a message came from; for its session only. */
  static source<Source>(message: ReceivedMessage<Source>): Source {
    return message.#source;
  }
}

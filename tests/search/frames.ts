/**
 * What is on a wire, frame by frame, and its canonical text.
 *
 * A write is cut into frames, so that where a machine ends its writes, which its key does not tell, makes no difference. The preface goes with the
 * frame behind it. What only has a meaning relative to something has it in the text: times to now, answers to the last question, limits to the last
 * one that was read. Nonces and proofs are left out: all proofs here are right for what stands beside them.
 *
 * @module
 */

import { bytesKey } from "../../core/wire/bytes.ts";
import { Decoder } from "../../core/wire/decoder.ts";
import type { ControlFrame } from "../../core/wire/frames.ts";
import { frameSize } from "../../core/wire/length.ts";
import type { Parameters } from "../../core/wire/parameters.ts";
import { FRAME_LIMIT } from "../../core/wire/registry.ts";
import { preface as prefaceOf, Reader } from "../support/crafted.ts";

/** A frame under way. */
export interface Frame {
  /** Tells it from every other frame. */
  readonly id: number;
  readonly bytes: Uint8Array;
  /** What it says, but for what stands in the other fields. */
  readonly text: string;
  /** The number of this text: shorter. */
  readonly word: number;
  /** It is HELLO or WELCOME. */
  readonly opens: boolean;
  /** What is random in it, in order. */
  readonly random: readonly string[];
  /** When it was sent, ms. */
  readonly sentAt: number;
  /** It has a timestamp. */
  readonly stamped: boolean;
  /** PING: its sequence; PONG: the one that it answers. Else -1. */
  readonly question: number;
  readonly answer: number;
  /** HELLO: the generation. Else -1. */
  readonly generation: number;
  /** HELLO, WELCOME, CREDIT: the limit. Else -1. */
  readonly limit: number;
}

const preface = prefaceOf();

/** Writes down the frame that it gets. */
class Notes extends Reader {
  text = "";
  random: string[] = [];
  stamped = false;
  timestamp = 0;
  question = -1;
  answer = -1;
  generation = -1;
  limit = -1;

  clear(): void {
    this.text = "";
    this.random = [];
    this.stamped = false;
    this.question =
      this.answer =
      this.generation =
      this.limit =
        -1;
  }

  override preface(): void {}

  override data(flags: number, sequence: number, payload: Uint8Array): void {
    this.text = `DATA ${flags} ${sequence} ${
      String.fromCharCode(...payload.subarray(0, 2))
    } ${payload.length}`;
  }

  override request(
    flags: number,
    sequence: number,
    id: number,
    remaining: number,
    payload: Uint8Array,
  ): void {
    this.text = `REQUEST ${flags} ${sequence} ${id} ${remaining} ${String.fromCharCode(...payload)}`;
  }

  override reply(flags: number, sequence: number, id: number, status: number, payload: Uint8Array): void {
    this.text = `REPLY ${flags} ${sequence} ${id} ${status} ${String.fromCharCode(...payload)}`;
  }

  override ping(
    flags: number,
    sequence: number,
    timestamp: number,
    promise: number,
    _heard: number,
    received: number,
    stalled = 0,
  ): void {
    this.text = `PING ${flags} ${promise} ${received} ${stalled}`;
    this.timestamp = timestamp;
    this.stamped = true;
    this.question = sequence;
  }

  override pong(
    flags: number,
    answer: number,
    timestamp: number,
    hold: number,
    promise: number,
    received: number,
    stalled = 0,
  ): void {
    this.text = `PONG ${flags} ${hold} ${promise} ${received} ${stalled}`;
    this.timestamp = timestamp;
    this.stamped = true;
    this.answer = (answer - 1) >>> 0;
  }

  override ack(received: number, processed: number): void {
    this.text = `ACK ${received} ${processed}`;
  }

  override credit(limit: number): void {
    this.text = "CREDIT";
    this.limit = limit;
  }

  override control(frame: ControlFrame): void {
    if (!("parameters" in frame)) {
      this.text = JSON.stringify(frame);
      return;
    }
    const { kind, parameters, nonce: _nonce, ...rest } = { nonce: null, ...frame };
    this.text = `${kind.toUpperCase()} ${JSON.stringify(rest)}${this.#parameters(parameters)}`;
  }

  #parameters({ generation, credit, proof, ...rest }: Parameters): string {
    this.generation = generation ?? -1;
    this.limit = credit ?? -1;
    let text = proof === undefined ? "" : " proof";
    for (const [name, value] of Object.entries(rest)) {
      if (name === "epoch" || !(value instanceof Uint8Array)) {
        text += ` ${name} ${name === "epoch" ? "" : value}`;
      } else {
        this.random.push(bytesKey(value));
        text += ` ${name}`;
      }
    }
    return text;
  }
}

/** The frames that were met: one for all that are the same, sent at the same time. */
const met: Map<string, Frame> = new Map();
const words: Map<string, number> = new Map();

/** Forgets what was met, for another search. */
export function forgetFrames(): void {
  met.clear();
  words.clear();
}

const reader = new Notes();
const decoder = new Decoder({ entropy: () => {} });
decoder.push(preface, reader);
decoder.frameLimit = FRAME_LIMIT;

/** Cuts what was written into frames. `late`: a timestamp in them may be older than they are, and stands in their text. */
export function framesOf(bytes: Uint8Array, sentAt: number, late = false): Frame[] {
  const frames: Frame[] = [];
  let at = begins(bytes) ? preface.length : 0;
  while (at < bytes.length) {
    const size = frameSize(bytes, at, bytes.length, FRAME_LIMIT);
    if (size <= 0 || at + size > bytes.length) throw new Error("a write ends inside a frame");
    const frame = bytes.subarray(at, at + size);
    const begin = at === preface.length && begins(bytes) ? 0 : at;
    at += size;
    const name = `${sentAt} ${late} ${begin === at - size} ${bytesKey(frame)}`;
    const known = met.get(name);
    if (known !== undefined) {
      frames.push(known);
      continue;
    }
    reader.clear();
    const fault = decoder.push(frame, reader);
    if (fault !== null) throw new Error(`a machine wrote what cannot be read: ${fault.detail}`);
    const { random, stamped, timestamp, question, answer, generation, limit } = reader;
    const text = late && stamped ? `${reader.text} at ${timestamp}` : reader.text;
    const said = { text, random, stamped, question, answer, generation, limit };
    const word = words.get(text) ?? words.size;
    words.set(text, word);
    const opens = /^(HELLO|WELCOME)/.test(text);
    const made: Frame = { id: met.size, bytes: bytes.slice(begin, at), word, opens, sentAt, ...said };
    met.set(name, made);
    frames.push(made);
  }
  return frames;
}

function begins(bytes: Uint8Array): boolean {
  return bytes.length >= preface.length && preface.every((byte, i) => bytes[i] === byte);
}

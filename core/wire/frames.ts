/**
 * The frames that are sent rarely, as values (docs/PROTOCOL.md, section 3.1).
 *
 * Rules: DATA, PING, PONG, ACK and CREDIT are not here: they travel as plain arguments, without an object each. `kind` tells
 * the frames apart. Byte fields and texts are the holder's own, except `payload`, which is a view, borrowed until the
 * decoder's next push.
 *
 * @module
 */

import type { Parameters } from "./parameters.ts";

/** Client: opens the handshake. */
export interface HelloFrame {
  /** Tells frames apart. */
  readonly kind: "hello";
  /** 16 fresh random bytes. */
  readonly nonce: Uint8Array;
  /** The heartbeat offer, and what else the client asks for. */
  readonly parameters: Parameters;
}

/** Server: asks for the proof of a key. */
export interface ChallengeFrame {
  readonly kind: "challenge";
  /** 16 fresh random bytes. */
  readonly nonce: Uint8Array;
  readonly parameters: Parameters;
}

/** Client: gives the proof of a key. */
export interface AuthFrame {
  readonly kind: "auth";
  readonly parameters: Parameters;
}

/** Server: accepts. */
export interface WelcomeFrame {
  readonly kind: "welcome";
  /** 16 fresh random bytes. */
  readonly nonce: Uint8Array;
  readonly parameters: Parameters;
}

/** Server: refuses. */
export interface RejectFrame {
  readonly kind: "reject";
  /** Number of the code; perhaps one that this version does not know. */
  readonly code: number;
  /** Milliseconds until another dial is welcome; 0: as the client's own back-off says. */
  readonly retryAfter: number;
  /** Why, for a person. */
  readonly text: string;
  readonly parameters: Parameters;
}

/** Offers other heartbeat values. */
export interface ParamsFrame {
  readonly kind: "params";
  /** Names this offer. */
  readonly serial: number;
  readonly parameters: Parameters;
}

/** Confirms an offer of {@link ParamsFrame}. */
export interface ParamsOkFrame {
  readonly kind: "paramsOk";
  /** The offer's serial. */
  readonly serial: number;
}

/** Announces an end. */
export interface GoawayFrame {
  readonly kind: "goaway";
  /** SCOPE_CONNECTION or SCOPE_SESSION. */
  readonly scope: number;
  /** Number of the code. */
  readonly code: number;
  /** Milliseconds until another dial is welcome. */
  readonly retryAfter: number;
  /** Width of the window over which clients spread, ms. */
  readonly jitter: number;
  /** Why, for a person. */
  readonly text: string;
  /** Where to dial instead; may be empty. */
  readonly endpoint: string;
}

/** Ends the session in good order. */
export interface CloseFrame {
  readonly kind: "close";
  /** The application's code; 0 is an ordinary end. */
  readonly code: number;
  /** Count of chunks sent. */
  readonly position: number;
  /** Why, for a person. */
  readonly text: string;
}

/** Ends the connection at once. */
export interface ErrorFrame {
  readonly kind: "error";
  /** Number of the code. */
  readonly code: number;
  /** Why, for a person. */
  readonly text: string;
}

/** Takes a question back. */
export interface CancelFrame {
  readonly kind: "cancel";
  /** Low 16 bits of the chunk's position. */
  readonly sequence: number;
  /** The question's id. */
  readonly id: number;
}

/** Any frame that is sent rarely. */
export type ControlFrame =
  | HelloFrame
  | ChallengeFrame
  | AuthFrame
  | WelcomeFrame
  | RejectFrame
  | ParamsFrame
  | ParamsOkFrame
  | GoawayFrame
  | CloseFrame
  | ErrorFrame
  | CancelFrame;

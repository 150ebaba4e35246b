/**
 * The numbers of heartwire/1: preface, frame types, flags, parameters, limits (docs/PROTOCOL.md, sections 2 to 6).
 *
 * Rules: every number of the wire stands here and nowhere else; nothing here is computed from what a peer sent.
 *
 * @module
 */

/** The first six bytes of either direction: U+2665 in UTF-8, `w`, CR, LF. */
export const MAGIC: readonly number[] = [0xe2, 0x99, 0xa5, 0x77, 0x0d, 0x0a];

/** Bytes of a preface: the magic, the lowest and the highest version. */
export const PREFACE_BYTES = 8;

/** The lowest and highest protocol version that this software speaks. */
export const LOWEST_VERSION = 1;
export const HIGHEST_VERSION = 1;

/** Frame types. DATA, REQUEST and REPLY are ranges of four: the two low bits are FIRST and LAST. */
export const FrameType = {
  HELLO: 0x01,
  CHALLENGE: 0x02,
  AUTH: 0x03,
  WELCOME: 0x04,
  REJECT: 0x05,
  PING: 0x08,
  PONG: 0x09,
  PARAMS: 0x0a,
  PARAMS_OK: 0x0b,
  ACK: 0x10,
  CREDIT: 0x11,
  GOAWAY: 0x18,
  CLOSE: 0x19,
  ERROR: 0x1a,
  DATA: 0x40,
  VOLATILE: 0x44,
  REQUEST: 0x48,
  REPLY: 0x4c,
  CANCEL: 0x50,
} as const;

/** Bit 7 of a type: a receiver that does not know it skips the frame. */
export const IGNORABLE = 0x80;

/** Flags in the type of DATA, REQUEST and REPLY. */
export const LAST = 0x01;
export const FIRST = 0x02;

/** Flags of PING and PONG. */
export const ANSWER = 0x01;
export const STALLED = 0x02;

/** Scopes of GOAWAY. */
export const SCOPE_CONNECTION = 0;
export const SCOPE_SESSION = 1;

/** Parameter ids of HELLO, CHALLENGE, AUTH, WELCOME, REJECT and PARAMS. */
export const ParameterId = {
  DESIRED_TX: 0x01,
  REQUIRED_RX: 0x02,
  MULTIPLIER: 0x03,
  MAX_MESSAGE: 0x04,
  CREDIT: 0x05,
  INTEGRITY: 0x06,
  SESSION: 0x10,
  GENERATION: 0x11,
  INSTANCE: 0x12,
  RECEIVED: 0x13,
  FIRST_RETAINED: 0x14,
  SENT: 0x15,
  PROCESSED: 0x16,
  PROOF: 0x17,
  EPOCH: 0x18,
  RESUMED: 0x19,
  RESUMABLE: 0x1a,
  FRESH_ON_LOSS: 0x1b,
  SECRET: 0x1c,
  KEY_ID: 0x20,
  MAC: 0x21,
  TOKEN: 0x22,
} as const;

/** What the trailer of each frame is; as bits, what a side offers or chooses. */
export const Integrity = { CRC: 1, HMAC: 2, NONE: 4 } as const;

/** Trailer bytes of the CRC form. */
export const CRC_BYTES = 4;

/** The greatest frame length (type, body and trailer) before the handshake is complete, bytes. */
export const HANDSHAKE_FRAME_LIMIT = 1_024;

/** The greatest frame length afterwards, bytes: a full chunk with every trailer and header, rounded up. */
export const FRAME_LIMIT = 16_448;

/** The greatest payload of one chunk, bytes. */
export const MAX_CHUNK = 16_384;

/** What a chunk costs beyond its payload, bytes of credit: so that empty messages are not free. */
export const CHUNK_COST = 64;

/** At most so many parameters in one frame. */
export const MAX_PARAMETERS = 32;

/** The longest text, in bytes of UTF-8. */
export const MAX_TEXT = 255;

/** Chunks that may be unacknowledged: below half the 16-bit sequence space (RFC 9000, A.3). */
export const MAX_UNACKNOWLEDGED = 0x7fff;

/** The range of a heartbeat interval on the wire, ms. */
export const INTERVAL_MIN = 10;
export const INTERVAL_MAX = 3_600_000;

/** The greatest multiplier on the wire. */
export const MULTIPLIER_MAX = 255;

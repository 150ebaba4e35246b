/**
 * What every runtime's module exports besides `connect` and `listen`: the same names and types everywhere.
 *
 * @module
 */

export { parseAddress } from "./address.ts";
export type { Address, AddressLike, TcpAddress, UnixAddress } from "./address.ts";
export type { ConnectTarget } from "./connect.ts";
export type { MessageHandler } from "./consumers.ts";
export type { EndReason } from "./failure.ts";
export type { Server, SessionHandler } from "./listen.ts";
export { MemoryStore, type MemoryStoreOptions, type SessionStore } from "./store.ts";
export type { Message, Payload } from "./message.ts";
export type {
  CommonOptions,
  ConnectOptions,
  HandlerErrorReporter,
  ListenOptions,
  Observer,
  Peer,
} from "./options.ts";
export { ReplyError } from "./reply_error.ts";
export type {
  PingOptions,
  PingResult,
  Request,
  RequestHandler,
  RequestOptions,
  SendOptions,
  Session,
  SessionStats,
  SignalOption,
} from "./session.ts";
export type { Lasting, Passing, SessionState, Status, StatusBase } from "./status.ts";
export { type Code, CODES } from "../core/codes.ts";
export { HeartwireError } from "../core/errors.ts";
export type {
  Agreement,
  ClassicOptions,
  ClientOptions,
  CloseReason,
  CodeInfo,
  ConnectionEvent,
  ConnectionOptions,
  ConnectionStats,
  DetectionStats,
  DialFailure,
  DrainOptions,
  Evidence,
  HeartbeatOptions,
  HeartbeatPreset,
  HeartbeatTerms,
  HeartwireErrorOptions,
  OneWayStats,
  Profile,
  ReconnectOptions,
  ServerOptions,
  ServerStats,
  SessionCounts,
  StallVerdict,
  Unconfirmed,
  Verdict,
} from "../core/mod.ts";

/**
 * heartwire's protocol core: pure state machines, the same on Node, Deno and Bun, to be driven without a socket.
 *
 * Programs normally import `heartwire/node`, `heartwire/deno` or `heartwire/bun`; this module is for tests of protocol logic, for
 * other runtimes and for adapters.
 *
 * @module
 */

export { Copies, Names } from "./canonical.ts";
export { Client } from "./client.ts";
export type { ClientAction } from "./client_types.ts";
export { type Code, codeFromNumber, type CodeInfo, CODES } from "./codes.ts";
export { Connection } from "./connection.ts";
export type { Conversation, GoAwayOptions } from "./conversation.ts";
export { type HeartbeatCost, heartbeatCost } from "./cost.ts";
export type { Environment } from "./environment.ts";
export { HeartwireError } from "./errors.ts";
export type { HeartwireErrorOptions } from "./errors.ts";
export type {
  Agreement,
  ClientEvent,
  CloseReason,
  ConnectionEvent,
  DialFailure,
  Evidence,
  StallVerdict,
  Unconfirmed,
  Verdict,
} from "./events.ts";
export type { HeartbeatPreset } from "./liveness/presets.ts";
export type { Machine, SocketAction } from "./machine.ts";
export type {
  ClassicOptions,
  ClientOptions,
  ConnectionOptions,
  HeartbeatOptions,
  Profile,
  ReconnectOptions,
  ServerOptions,
} from "./options.ts";
export type { Phase, Role } from "./phases.ts";
export { converse } from "./profile.ts";
export { Server } from "./server.ts";
export type {
  AdmitQuestion,
  Answer,
  DrainOptions,
  ServerAction,
  ServerStats,
  SessionOver,
} from "./server_types.ts";
export { APPLICATION_STATUS, ReplyStatus } from "./flow/requests.ts";
export type { Grant } from "./flow/grant.ts";
export type { Positions, SessionState } from "./flow/session_state.ts";
export type { Admission, Carried, Dial } from "./resume.ts";
export { Session } from "./session.ts";
export type { SessionCounts } from "./session_types.ts";
export type { ConnectionStats, DetectionStats, OneWayStats } from "./stats.ts";
export type { StoreCounts } from "./store/keeper.ts";
export type {
  AcknowledgeQuestion,
  AppendQuestion,
  Chunks,
  Claimed,
  ClaimQuestion,
  CreateQuestion,
  Done,
  Failed,
  Fence,
  Fenced,
  Full,
  Marks,
  Named,
  ReadQuestion,
  ReleaseQuestion,
  ReplayQuestion,
  SessionFound,
  SessionRecord,
  Stale,
  StoreAnswer,
  StoreQuestion,
  Taken,
  Unknown,
} from "./store/questions.ts";
export type { HeartbeatTerms } from "./terms.ts";
export type { HelloFrame } from "./wire/frames.ts";
export type { Parameters } from "./wire/parameters.ts";

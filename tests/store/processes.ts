/**
 * What a world of servers with a store consists of: processes, and the ends of their connections.
 *
 * @module
 */

import type { Conversation } from "../../core/conversation.ts";
import type { Server } from "../../core/server.ts";
import type { SessionOver } from "../../core/server_types.ts";
import type { Session } from "../../core/session.ts";

/** One end of a connection; that of a process, or the client's (null). */
export interface End {
  readonly connection: Conversation;
  readonly process: Process | null;
  peer: End | null;
  queue: { at: number; bytes: Uint8Array | null }[];
  ended: boolean;
  gone: boolean;
}

/** A server in its process, with its application. */
export class Process {
  readonly name: number;
  readonly server: Server;
  alive = true;
  /** Sessions that its application knows. */
  readonly sessions: Set<Session> = new Set();
  readonly over: SessionOver[] = [];
  /** What it has yet to handle. */
  readonly inbox: Map<Session, { text: string; position: number }[]> = new Map();

  constructor(name: number, server: Server) {
    this.name = name;
    this.server = server;
  }
}

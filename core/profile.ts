/**
 * Makes the machine that a profile names: the one place where the protocols meet.
 *
 * @module
 */

import type { Copies } from "./canonical.ts";
import { ClassicConversation } from "./classic/heartbeat.ts";
import { PlainConversation } from "./classic/plain.ts";
import { RawConversation } from "./classic/raw.ts";
import { Connection } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import type { Environment } from "./environment.ts";
import { HeartwireError } from "./errors.ts";
import type { ConnectionOptions } from "./options.ts";
import { resolveConnection } from "./resolve.ts";
import type { Role } from "./phases.ts";
import type { Carried } from "./resume.ts";

/**
 * A machine of the profile that the options name; default heartwire/1.
 *
 * @param now monotonic time, ms
 * @param carried a client's session; heartwire/1 only
 * @throws HeartwireError ERR_HEARTWIRE_OPTION
 */
export function converse(
  role: Role,
  options: ConnectionOptions,
  environment: Environment,
  now: number,
  carried: Carried | null = null,
): Conversation {
  const resolved = resolveConnection(options);
  switch (resolved.profile) {
    case "heartwire":
      return new Connection(role, resolved, environment, now, carried);
    case "classic":
      return new ClassicConversation(role, resolved, now);
    case "plain":
      return new PlainConversation(role, resolved, now);
    case "raw":
      return new RawConversation(role, resolved, now);
  }
}

/**
 * The connection of an owner that is copied, or whose key is wanted: heartwire/1 only.
 *
 * @throws HeartwireError ERR_HEARTWIRE_UNSUPPORTED
 */
export function modern(conversation: Conversation): Connection {
  if (conversation instanceof Connection) return conversation;
  throw new HeartwireError("UNSUPPORTED", "connections of this profile have no copies and keys", {
    hint: "Use the profile heartwire.",
  });
}

/** The copy of a connection of an owner that is copied. */
export function copyOf(conversation: Conversation, environment: Environment, copies: Copies): Connection {
  const connection = modern(conversation);
  return copies.of(connection, () => connection.clone(environment, copies));
}

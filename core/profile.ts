/**
 * Makes the machine that a profile names: the one place where the protocols meet.
 *
 * @module
 */

import { ClassicConversation } from "./classic/heartbeat.ts";
import { PlainConversation } from "./classic/plain.ts";
import { RawConversation } from "./classic/raw.ts";
import { Connection } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import type { Environment } from "./environment.ts";
import { type ConnectionOptions, resolveConnection } from "./options.ts";
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

/**
 * What `serve` does with the messages of a session.
 *
 * Rule: a handler returns when its session has ended. It answers no faster than its peer reads; in `chat` a peer that reads too slowly
 * misses lines, and holds up nobody.
 *
 * @module
 */

import type { Session } from "../adapters/api.ts";
import type { HandlerName } from "./spec.ts";

/** Serves one session; `name` is unique among those of this process. */
export type Handler = (session: Session, name: string) => Promise<void>;

/** Each message goes to all others, with the sender's name before it. */
function chat(): Handler {
  const present = new Set<Session>();
  return async (session, name) => {
    present.add(session);
    try {
      await session.onMessage((message) => {
        const line = `${name}: ${message.text()}`;
        for (const other of present) {
          // It rejects when that session just ended, or when too much waits for a peer that does not read.
          if (other !== session) other.send(line).catch(() => {});
        }
      });
    } finally {
      present.delete(session);
    }
  };
}

const HANDLERS: Readonly<Record<HandlerName, () => Handler>> = {
  echo: () => (session) => session.onMessage((message) => session.send(message.bytes)),
  upper: () => (session) => session.onMessage((message) => session.send(message.text().toUpperCase())),
  discard: () => (session) => session.onMessage(() => {}),
  chat,
};

/** Makes the handler of this name, for one server. */
export function makeHandler(name: HandlerName): Handler {
  return HANDLERS[name]();
}

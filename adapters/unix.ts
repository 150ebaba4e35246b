/**
 * Files of Unix sockets: a server that crashed leaves its file behind, and nobody can listen there until it is removed.
 *
 * Rules: a file is removed only if it is a socket and nobody answers on it, or if this process made it and it is the same file
 * still. Two servers that start at the same moment over one dead file can still take each other's place; nothing in the
 * file system prevents that, and who cares uses a directory of their own.
 *
 * @module
 */

import { existsSync, lstatSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import type { UnixAddress } from "./address.ts";
import { isInUse, isRefused } from "./failure.ts";
import type { Listener, ListenerSink, Platform } from "./transport.ts";

/** What tells one file from another under the same name; null if there is none, or not a socket. */
function identity(path: string): string | null {
  try {
    const stat = lstatSync(path);
    return stat.isSocket() ? `${stat.dev}:${stat.ino}` : null;
  } catch {
    return null;
  }
}

function remove(path: string, expected: string | null): void {
  if (expected === null || identity(path) !== expected) return;
  try {
    unlinkSync(path);
  } catch {
    // Somebody was faster, or we may not: what follows says so.
  }
}

/** Whether nobody answers on a socket's file. */
function isDead(platform: Platform, address: UnixAddress): Promise<boolean> {
  return new Promise((resolve) => {
    platform.dial(address, (transport) => {
      transport.destroy();
      resolve(false);
    }, (cause) => resolve(isRefused(cause)));
  });
}

/** Listens on a Unix socket; takes the place of a dead one. Rejects with what the runtime says. */
export async function listenUnix(
  platform: Platform,
  address: UnixAddress,
  sink: ListenerSink,
): Promise<Listener> {
  let listener: Listener;
  try {
    listener = await platform.listen(address, sink);
  } catch (error) {
    // Node calls a folder that is not there EACCES.
    if (!existsSync(dirname(address.path))) {
      throw Object.assign(new Error("no such folder"), { code: "ENOENT" });
    }
    const left = identity(address.path);
    if (!isInUse(error) || left === null || !(await isDead(platform, address))) throw error;
    remove(address.path, left);
    listener = await platform.listen(address, sink);
  }
  const own = identity(address.path);
  let open = true;
  return {
    address: listener.address,
    close: () => {
      if (!open) return;
      open = false;
      remove(address.path, own); // while it is ours: after closing, another may have taken the name
      listener.close();
    },
  };
}

/**
 * The runtime's own sampling profiler, of this process, from one moment to another.
 *
 * @module
 */

import { Session } from "node:inspector";

/** A profile as V8 writes it. */
export interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Between two samples, us. */
const INTERVAL = 500;

let session: Session | null = null;

function post(method: string, parameters: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) =>
    session!.post(method, parameters, (error, result) => error === null ? resolve(result) : reject(error))
  );
}

/** Begins. */
export async function startProfile(): Promise<void> {
  session = new Session();
  session.connect();
  await post("Profiler.enable");
  await post("Profiler.setSamplingInterval", { interval: INTERVAL });
  await post("Profiler.start");
}

/** Ends. */
export async function stopProfile(): Promise<Profile> {
  const { profile } = await post("Profiler.stop") as { profile: Profile };
  session!.disconnect();
  return profile;
}

/**
 * A session made again from what a store has of it.
 *
 * What was stored for sending counts as sent, for nobody knows how much of it was. What had arrived and was not finished will be sent again by the
 * client, so nothing has arrived but what was finished. Requests that the application had been given and had not answered are answered as failed: they may
 * have been carried out, and are not given twice.
 *
 * Rules: a store may hold anything; what makes no sense restores nothing.
 *
 * @module
 */

import type { SessionState } from "../flow/session_state.ts";
import { ReplyStatus } from "../flow/requests.ts";
import { FrameType, MAX_CHUNK } from "../wire/registry.ts";
import type { Marks } from "./questions.ts";

/** What a chunk may carry besides its payload: its type, and of a request or reply two varints. */
const NAMES = 1 + 2 * 8;

const NOTHING = new Uint8Array(0);

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 0;
}

/** Whether this can be what was stored. */
function sensible(
  { processed, confirmed, asked, heard, owed }: Marks,
  chunks: readonly Uint8Array[],
): boolean {
  const numbers = [processed, confirmed, asked, heard];
  if (!numbers.every(isPosition) || !Array.isArray(owed)) return false;
  if (!owed.every((id) => isPosition(id) && id <= heard)) return false;
  return chunks.every((chunk) => {
    const type = chunk[0] ?? 0;
    const known = (type >= FrameType.DATA && type < FrameType.DATA + 4) ||
      (type >= FrameType.REQUEST && type < FrameType.REQUEST + 8) || type === FrameType.CANCEL;
    return known && chunk.length <= MAX_CHUNK + NAMES;
  });
}

/**
 * Makes it again. Null: that cannot be.
 *
 * @param begun a session that has just begun, with the grant of this one
 * @param first the position of the first chunk
 */
export function restored(
  begun: SessionState,
  marks: Marks,
  first: number,
  chunks: readonly Uint8Array[],
): SessionState | null {
  if (!sensible(marks, chunks)) return null;
  const { inbound, outbound, requests } = begun;
  inbound.restore(marks.processed);
  outbound.restore(first, chunks);
  requests.restore(marks.asked, marks.heard);
  for (const id of marks.owed) outbound.pushReply(NOTHING, id, ReplyStatus.FAILED);
  return begun;
}

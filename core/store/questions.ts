/**
 * What a server asks the store of its sessions, and what that answers: plain values, so that the store may be anywhere.
 *
 * A store holds, for each session, what another process needs to go on with it: the secret, how far either direction is ({@link Marks}), and the
 * chunks of ours that the client has not finished. It understands none of it but `confirmed`, which says what it may let go of.
 *
 * Rules, for whoever writes a store:
 * - A session belongs to the server that created or claimed it last, by the `generation` of that dial. A write or release of any other generation is
 *   `fenced` and changes nothing. A claim is taken only by a greater generation than any before.
 * - Each write is taken whole or not at all, and lasts before it is answered.
 * - Writes of one generation have rising serials. One whose serial is not greater than the last is answered `ok` and changes nothing: it was given up
 *   meanwhile and written again. So a write may be tried again, and one that comes late does no harm.
 * - What nobody has touched for `keep` ms is forgotten.
 *
 * @module
 */

/** The version of the chunks and marks described here. */
export const STORE_VERSION = 1;

/** How far a session is. Only its server understands it, but for `confirmed`. */
export interface Marks {
  /** Of what the client sent: everything before this position is finished, and comes no more. */
  readonly processed: number;
  /** Of ours: the client has finished everything before this position. The store lets go of it. */
  readonly confirmed: number;
  /** The last request of ours had this id. */
  readonly asked: number;
  /** The last request of the client that the application was given had this id. It is not given again, though it may stand behind `processed`. */
  readonly heard: number;
  /** Of those, the ones that are not answered. */
  readonly owed: readonly number[];
}

/** A session that has just begun. */
export const FIRST_MARKS: Marks = Object.freeze({ processed: 0, confirmed: 0, asked: 0, heard: 0, owed: [] });

/** What every question has. */
export interface Named {
  /** The session's id, 32 hexadecimal digits. It is unguessable, but no secret. */
  readonly session: string;
}

/** Who takes a session. */
export interface Taken extends Named {
  /** The server, 32 hexadecimal digits: another for each start. */
  readonly owner: string;
  /** The dial of the client by which it has it. */
  readonly generation: number;
  /** How long to keep it untouched, ms. */
  readonly keep: number;
}

/** By what a write is known. */
export interface Fence extends Named {
  /** As it was created or claimed. */
  readonly generation: number;
  /** Grows with each write of this generation, from 1. */
  readonly serial: number;
  /** How long to keep the session untouched from now on, ms. */
  readonly keep: number;
}

/** Whether there is such a session, and whose it is. Changes nothing. Answers: `found`, `unknown`. */
export interface ReadQuestion extends Named {
  /** Which question. */
  readonly type: "read";
}

/** A session begins. Answers: `ok`, also when this owner created it with this generation before; else `fenced`; `full`. */
export interface CreateQuestion extends Taken {
  /** Which question. */
  readonly type: "create";
  /** {@link STORE_VERSION}. */
  readonly version: number;
  /** By which the client proves that it is its own, 64 hexadecimal digits. Whoever reads it can take the session. */
  readonly secret: string;
  /** Of the server that began it. */
  readonly epoch: number;
}

/** A server goes on with it, and nobody else from now on. Answers: `claimed`, `stale` if the generation is not greater, `unknown`. */
export interface ClaimQuestion extends Taken {
  /** Which question. */
  readonly type: "claim";
}

/**
 * Chunks of ours come behind those before `position`, in the place of what was there: chunks that never left may be put into another order. The marks
 * are written with them. Answers: `ok`, `fenced`, `unknown`; `full`, reckoned without what `marks.confirmed` lets go of.
 */
export interface AppendQuestion extends Fence {
  /** Which question. */
  readonly type: "append";
  /** Of the first chunk. Never behind the end of what is stored. */
  readonly position: number;
  /** Opaque, not empty, and never changed by anybody. */
  readonly chunks: readonly Uint8Array[];
  /** How far the session is. */
  readonly marks: Marks;
}

/** The marks alone; also to say that the session is still in use. Answers: `ok`, `fenced`, `unknown`. */
export interface AcknowledgeQuestion extends Fence {
  /** Which question. */
  readonly type: "acknowledge";
  /** How far the session is. */
  readonly marks: Marks;
}

/** The chunks from a position on: at least one if there is one, or as many as are well read at once. Answers: `chunks`, `fenced`, `unknown`. */
export interface ReplayQuestion extends Named {
  /** Which question. */
  readonly type: "replay";
  /** As it was claimed. */
  readonly generation: number;
  /** Not before `confirmed`. */
  readonly from: number;
}

/** The session is over. Answers: `ok`, `fenced`, `unknown`. */
export interface ReleaseQuestion extends Named {
  /** Which question. */
  readonly type: "release";
  /** As it was created or claimed. */
  readonly generation: number;
}

/** What a store is asked. */
export type StoreQuestion =
  | ReadQuestion
  | CreateQuestion
  | ClaimQuestion
  | AppendQuestion
  | AcknowledgeQuestion
  | ReplayQuestion
  | ReleaseQuestion;

/** Whose a session is. */
export interface SessionFound {
  /** Which answer. */
  readonly type: "found";
  /** As it was created. */
  readonly secret: string;
  /** Who created or claimed it last, and with which generation. */
  readonly owner: string;
  /** That generation. */
  readonly generation: number;
  /** With which generation that owner took it from another, or created it: since then nobody else has had it. */
  readonly since: number;
}

/** All of a session but its chunks, as it was before it was claimed. */
export interface SessionRecord {
  /** Of its chunks and marks. */
  readonly version: number;
  /** As it was created. */
  readonly secret: string;
  /** As it was created. */
  readonly epoch: number;
  /** Whose it was until now. */
  readonly owner: string;
  /** By which generation. */
  readonly generation: number;
  /** And since which. */
  readonly since: number;
  /** As they were written last; {@link FIRST_MARKS} if never. */
  readonly marks: Marks;
  /** The position behind the last chunk. */
  readonly end: number;
}

/** Done, and it lasts. */
export type Done = { readonly type: "ok" };
/** Nothing was changed: there is no such session, or no more. */
export type Unknown = { readonly type: "unknown" };
/** Nothing was changed: the session belongs to another generation. */
export type Fenced = { readonly type: "fenced" };
/** Nothing was changed: there is no room. */
export type Full = { readonly type: "full" };
/** Nothing was changed: a generation as great has it, or had it. */
export type Stale = { readonly type: "stale" };
/** The session is the asker's from now on. */
export type Claimed = { readonly type: "claimed"; readonly record: SessionRecord };
/** Chunks in order. */
export type Chunks = { readonly type: "chunks"; readonly chunks: readonly Uint8Array[] };
/** The store did not answer, or not what was asked: what became of the question is not known. */
export type Failed = { readonly type: "failed"; readonly text: string };

/** What a store answers. */
export type StoreAnswer = Done | Unknown | Fenced | Full | Stale | SessionFound | Claimed | Chunks | Failed;

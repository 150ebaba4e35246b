/**
 * How a session begins and goes on in a handshake (docs/PROTOCOL.md, section 4.2): what HELLO and WELCOME say of it, and what follows.
 *
 * Rules: a client that wants a session says so by `instance`. The secret travels once, in the WELCOME that grants the session; after that
 * only proofs do. Nothing of a session changes before both sides' positions were found to fit.
 *
 * @module
 */

import type { Copies, Names } from "./canonical.ts";
import { resumeProof } from "./crypto/proof.ts";
import type { Environment } from "./environment.ts";
import { Grant } from "./flow/grant.ts";
import { type Positions, positionsOf, SessionState } from "./flow/session_state.ts";
import type { Link } from "./link.ts";
import type { ResolvedConnection } from "./options.ts";
import type { Parameters } from "./wire/parameters.ts";

/** Who dials for a session, and which time. */
export interface Dial {
  /** 16 bytes that tell this client from every other, even one that knows the same session. */
  readonly instance: Uint8Array;
  /** Grows with every dial. */
  readonly generation: number;
}

/** A client's session and the dial that a connection is. */
export interface Carried {
  /** The session. */
  readonly state: SessionState;
  /** Who dials, and which time. */
  readonly dial: Dial;
}

/** What a server made of a HELLO that asks for a session. */
export interface Admission {
  /** The session. */
  readonly state: SessionState;
  /** It goes on; else it is new. */
  readonly resumed: boolean;
  /** Our application was told of it: its client had used it before. */
  readonly known: boolean;
  /** The session before it, which the client proved to know, was at these positions but cannot go on. */
  readonly previous: Positions | null;
}

/**
 * Stands for a session in the handshake of an early replacement, while the connection that carries the session is kept: nothing of the session
 * changes until the server says that it goes on over the new one. It is that or nothing: such a HELLO takes no new session in exchange, for a server
 * that does not know the session (another one behind the same address) must not cost the one that the old connection still has.
 */
export class StandIn extends SessionState {
  /** The session. */
  readonly session: SessionState;
  /** The first credit that HELLO offers. */
  readonly credit: number;

  /** `from`: to be copied instead. */
  constructor(session: SessionState, options: ResolvedConnection, environment: Environment, from?: StandIn) {
    const { inbound, outbound, requests } = from?.clone(environment) ??
      SessionState.begin(options, environment);
    super(inbound, outbound, requests);
    this.session = session;
    this.credit = from?.credit ?? Math.max(0, options.window - session.inbound.held);
  }

  /** A copy, of which `copies` tells whose it is. */
  copy(options: ResolvedConnection, environment: Environment, copies: Copies): StandIn {
    const session = copies.of(this.session, () => this.session.clone(environment));
    return copies.of(this, () => new StandIn(session, options, environment, this));
  }

  override name(names: Names): string {
    return `${this.session.name(names)} ${this.credit}`;
  }
}

/** Adds to a client's HELLO what it says of its session. */
export function sessionHello(link: Link, dial: Dial, nonce: Uint8Array, hello: Parameters): void {
  hello.instance = dial.instance;
  hello.generation = dial.generation;
  const standIn = link.session instanceof StandIn ? link.session : null;
  const session = standIn?.session ?? link.session;
  if (session === null || session.grant === null) return;
  const { positions, grant, inbound } = session;
  const { generation } = dial;
  const { id, secret } = grant;
  hello.proof = resumeProof(link.environment, secret, { session: id, generation, ...positions }, nonce);
  hello.session = id;
  hello.freshOnLoss = standIn === null;
  hello.credit = standIn?.credit ?? inbound.resume();
  tell(positions, hello);
}

/** Adds to a server's WELCOME what it says of a session that it admitted. */
export function sessionWelcome({ state, resumed, previous }: Admission, welcome: Parameters): void {
  const grant = state.grant!;
  welcome.session = grant.id;
  welcome.epoch = grant.epoch;
  welcome.resumable = true;
  welcome.resumed = resumed;
  if (resumed) {
    tell(state.positions, welcome);
    welcome.credit = state.inbound.resume();
    return;
  }
  welcome.secret = grant.secret;
  if (previous !== null) tell(previous, welcome);
}

function tell({ received, firstRetained, sent, processed }: Positions, parameters: Parameters): void {
  parameters.received = received;
  parameters.firstRetained = firstRetained;
  parameters.sent = sent;
  parameters.processed = processed;
}

/** From now on this connection carries another session, whose positions the handshake tells. */
export function carry(link: Link, session: SessionState): void {
  link.session = session;
  link.inbound = session.inbound;
  link.outbound = session.outbound;
  link.requests = session.requests;
  link.ackedReceived = link.inbound.received;
  link.ackedProcessed = link.inbound.tellable;
}

/** Goes on with a session: the peer proved to know of it, or granted it, in these parameters. */
export function resumeAt(link: Link, peer: Parameters): void {
  const { received, processed } = positionsOf(peer);
  link.resumed = true;
  link.outbound.resume(received, processed, peer.credit ?? 0, link.agreement!.maxMessage);
}

/** Tells how far the peer's application is, if that is news; and after "blocked", when there is room again. */
export function progress(link: Link): void {
  const { processedInOrder: processed, told } = link.outbound;
  if (processed !== told) {
    link.outbound.told = processed;
    link.emit({ type: "processed", position: processed });
  }
  link.roomy();
}

/**
 * The handshake is complete: tells the application what it brought, and the peer what changed since our part of it was written. The
 * application may have finished messages meanwhile, and nothing else would tell.
 */
export function catchUp(link: Link): void {
  const { inbound } = link;
  progress(link);
  if (inbound.tellable > link.ackedProcessed) link.oweAck();
  link.grant();
}

/**
 * A client reads what WELCOME says of its session. Returns what is wrong with it, or null.
 *
 * When the server does not go on, what is not confirmed is told as lost, and the session begins anew.
 */
export function readWelcome(link: Link, welcome: Parameters): string | null {
  const standIn = link.session instanceof StandIn ? link.session : null;
  const session = standIn?.session ?? link.session;
  if (session === null) return null;
  const asked = session.grant;
  if (standIn !== null && welcome.resumed !== true) return "WELCOME begins a session that was not asked for";
  if (welcome.resumed === true) {
    if (asked === null) return "WELCOME resumes, and nothing was asked for";
    const peer = positionsOf(welcome);
    if (!session.fits(peer)) {
      return `WELCOME resumes at ${JSON.stringify(peer)}, we are at ${JSON.stringify(session.positions)}`;
    }
    if (standIn !== null) {
      carry(link, session);
      link.inbound.limit -= link.inbound.resume() - standIn.credit; // as HELLO said, whatever was finished since
    }
    resumeAt(link, welcome);
    return null;
  }
  const { session: id, secret } = welcome;
  if (asked !== null) {
    const previous = welcome.received === undefined ? null : positionsOf(welcome);
    const received = previous?.received ?? session.outbound.everSent;
    const { messages, unsentRequests } = session.outbound.unconfirmed(received);
    link.emit({ type: "lost", unconfirmed: messages, unsentRequests });
    const { offered } = session.inbound;
    carry(link, session.anew(link.options, link.environment));
    link.inbound.limit = offered; // as HELLO said; what is free beyond it is granted once it is open
    link.outbound.begin(welcome.credit ?? 0, link.agreement!.maxMessage);
  }
  if (id === undefined || secret === undefined || welcome.resumable !== true) return null;
  link.session!.keep(new Grant(id, secret, welcome.epoch ?? 0), link.options.retention);
  return null;
}

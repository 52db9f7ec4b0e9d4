/** Links between nodes: authenticated, encrypted, ordered channels of checked messages. */

import type { Admission, Proof } from '../wire/admission.ts';
import type { DispatcherMessage, WorkerMessage } from '../wire/messages.ts';
import type { PeerMessage } from '../wire/peer-messages.ts';
import type { Choice } from './transport.ts';

export type { Admission, Proof };

/** Why a link ended. Counted by `code`. */
export interface LinkEnd {
  readonly code:
    | 'closed' // the other side hung up, or we did, in good order
    | 'connection_lost'
    | 'handshake_timeout'
    | 'wrong_secret'
    | 'wrong_key' // the other side is not the node that was meant
    | 'version_mismatch'
    | 'malformed' // not a frame, not CBOR, not a message, wrong direction
    | 'oversized'
    | 'forged' // authentication of a frame failed: altered, replayed, reordered
    | 'stalled' // the other side took nothing for too long
    | 'refused';
  /** A sentence for people. */
  readonly detail: string;
}

/**
 * An authenticated, encrypted, ordered channel of checked messages to one other node.
 * Guarantees: messages of a lane (`wire/lanes.ts`) arrive in order, all of them unaltered, at most once, and fit their schema. Not guaranteed: that a sent
 * message arrives. `send` never throws and never blocks; after the end it does nothing.
 * Bounded: above `highWaterBytes` queued, `congested` turns true and `onDrain` follows; a peer that takes nothing for
 * too long is ended as `stalled`.
 */
export interface Link<Sends> {
  /** Address of the other side, for logs. */
  readonly remote: string;
  /** The other side's static public key, hex: who it is, cryptographically. */
  readonly remoteKey: string;
  /** On the dialling side `keyId` is '': it does not know. */
  readonly admission: Admission;
  /** What is not about the bytes of files should wait: too much of it is queued. */
  readonly congested: boolean;
  /** Bytes of files should wait. Where the transport has one lane only, both are the same. */
  readonly blobsCongested: boolean;
  /** By which of several ways it goes, when it was dialled and there was a choice. */
  readonly choice?: Choice;
  send(message: Sends): void;
  /** Sends what is queued, then ends the link. Idempotent. */
  close(detail: string): void;
  /** Ends the link at once, as `connection_lost`: nobody is there who would take what is queued. Idempotent. */
  giveUp(detail: string): void;
}

export interface LinkHandlers<Receives> {
  /**
   * Takes a message, which is the taker's to keep. With one that brings bytes of files comes `done`: once that is called they
   * are gone, and the memory they stood in is used for what comes next. Whoever never calls it loses nothing but speed.
   */
  onMessage(message: Receives, done?: () => void): void;
  /** After `congested`: there is room again. */
  onDrain(): void;
  /** Exactly once, last. */
  onEnd(end: LinkEnd): void;
}

export type WorkerLink = Link<WorkerMessage>;
export type DispatcherLink = Link<DispatcherMessage>;
export type PeerLink = Link<PeerMessage>;

/** Accepts nodes that dial. Bounded: unauthenticated connections in number (also of one address) and time. */
export interface LinkListener {
  readonly port: number;
  /** Ended links by code, since start. */
  readonly counts: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** How one node has links with others. Who dials says `Dials`, who listens says `Listens`. */
export interface Links<Dials = WorkerMessage, Listens = DispatcherMessage> {
  /** Starts listening. Errors: `in_use`, `io`. `accept` is called once per authenticated link. */
  listen(
    address: { host: string; port: number },
    accept: (link: Link<Listens>) => LinkHandlers<Dials>,
  ): Promise<LinkListener>;
  /** Dials, shows `proof`, authenticates; resolves with the link or with why it failed. Never rejects for the network's sake. */
  dial(
    target: { readonly host: string; readonly port: number; readonly proof: Proof },
    handlers: (link: Link<Dials>) => LinkHandlers<Listens>,
  ): Promise<{ readonly ok: true; readonly link: Link<Dials> } | { readonly ok: false; readonly end: LinkEnd }>;
}

export type PeerLinks = Links<PeerMessage, PeerMessage>;

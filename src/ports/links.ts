/** Links between nodes: authenticated, encrypted, ordered channels of checked messages. */

import type { Admission, Proof } from '../wire/admission.ts';
import type { DispatcherMessage, WorkerMessage } from '../wire/messages.ts';

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
 * Guarantees: messages arrive in order, unaltered, at most once, and fit their schema. Not guaranteed: that a sent
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
  readonly congested: boolean;
  send(message: Sends): void;
  /** Sends what is queued, then ends the link. Idempotent. */
  close(detail: string): void;
}

export interface LinkHandlers<Receives> {
  onMessage(message: Receives): void;
  /** After `congested`: there is room again. */
  onDrain(): void;
  /** Exactly once, last. */
  onEnd(end: LinkEnd): void;
}

export type WorkerLink = Link<WorkerMessage>;
export type DispatcherLink = Link<DispatcherMessage>;

/** Accepts workers. Bounded: unauthenticated connections in number (also of one address) and time. */
export interface LinkListener {
  readonly port: number;
  /** Ended links by code, since start. */
  readonly counts: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export interface Links {
  /** Starts listening. Errors: `in_use`, `io`. `accept` is called once per authenticated link. */
  listen(
    address: { host: string; port: number },
    accept: (link: DispatcherLink) => LinkHandlers<WorkerMessage>,
  ): Promise<LinkListener>;
  /** Dials, shows `proof`, authenticates; resolves with the link or with why it failed. Never rejects for the network's sake. */
  dial(
    target: { readonly host: string; readonly port: number; readonly proof: Proof },
    handlers: (link: WorkerLink) => LinkHandlers<DispatcherMessage>,
  ): Promise<{ readonly ok: true; readonly link: WorkerLink } | { readonly ok: false; readonly end: LinkEnd }>;
}

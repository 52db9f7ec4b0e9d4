/** One peer as the parts of a worker see it. */

import type { PeerLink } from '../ports/links.ts';
import type { Clock } from '../ports/time.ts';
import type { PeerMessage } from '../wire/peer-messages.ts';

/** A program at the other end of a link, that is a member of the cluster. */
export interface Peer {
  /** X25519, hex: who it is, cryptographically. */
  readonly publicKey: string;
  /** As it says itself. A node says the id it has on the roster; another program with the node's key says another. */
  readonly id: string;
  readonly name: string;
  /** Where it is, `host:port`, for logs. */
  readonly remote: string;
  /** How long it took to dial and greet it, ms; null = it dialled. */
  readonly dialMs: number | null;
  readonly congested: boolean;
  /** Bytes of files should wait. */
  readonly blobsCongested: boolean;
  /** As `Link.send`: never throws, and does nothing after the end. */
  send(message: PeerMessage): void;
  /** Hangs up. */
  close(detail: string): void;
}

/** A link with a peer; times are steady ms. */
export interface Connection {
  readonly link: PeerLink;
  /** From here. */
  readonly dialled: boolean;
  /** Null before it was greeted. */
  peer: LinkedPeer | null;
  sentAt: number;
  heardAt: number;
  /** When something but a sign of life was said last, by either side. */
  usedAt: number;
}

/** A peer by the link with it that is in use. */
export class LinkedPeer implements Peer {
  readonly publicKey: string;
  readonly id: string;
  readonly name: string;
  connection: Connection;
  dialMs: number | null = null;
  readonly #clock: Clock;

  constructor(
    peer: Pick<Peer, 'publicKey' | 'id' | 'name'> & { readonly connection: Connection; readonly clock: Clock },
  ) {
    this.publicKey = peer.publicKey;
    this.id = peer.id;
    this.name = peer.name;
    this.connection = peer.connection;
    this.#clock = peer.clock;
  }

  get remote(): string {
    return this.connection.link.remote;
  }

  get congested(): boolean {
    return this.connection.link.congested;
  }

  get blobsCongested(): boolean {
    return this.connection.link.blobsCongested;
  }

  send(message: PeerMessage): void {
    const now = this.#clock.steady();
    this.connection.sentAt = now;
    this.connection.usedAt = now;
    this.connection.link.send(message);
  }

  close(detail: string): void {
    this.connection.link.close(detail);
  }
}

/**
 * A worker's links with its peers: takes those who dial it, dials others, tells the parts that speak with them.
 *
 *   dialled or taken in ──> greeted (both said `peerHello`) ──> a peer, until its link ends
 *
 * One peer is one program: the holder of a key, by the id it says it has; a command run with the key of a worker's folder
 * is another peer than that worker. When two dial each other at once both links live for a moment, and both sides go on
 * with the one that the smaller key dialled; what comes over the other until it is closed counts all the same.
 *
 * It decides nothing about files or tasks: that is for the parts. Nobody is let in or dialled who is not on the roster,
 * and links of those who are taken off it end at once. It may listen before this node is on the roster itself, so that
 * the dispatcher can be told where; until then everybody is turned away.
 *
 * Bounded: `linksMax` links, a minute of disuse, `silenceMs` of silence; who is not authenticated yet, by the listener.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { LinkHandlers, LinkListener, PeerLink, PeerLinks } from '../ports/links.ts';
import type { Clock, Log, Timer } from '../ports/time.ts';
import type { DispatcherMessage } from '../wire/messages.ts';
import type { PeerMessage } from '../wire/peer-messages.ts';
import { type Connection, LinkedPeer, type Peer } from './peer.ts';
import type { PeerRoster } from './peer-roster.ts';

/** Links with peers at a time; beyond, the one that was not used for longest goes. */
const linksMax = 256;
/** A link that nobody used for so long is closed. */
const idleMs = 60_000;
/** A sign of life this often, and silence after which a link is given up. */
const aliveMs = 5000;
const silenceMs = 15_000;
/** Who has not said who it is after this long is hung up on. */
const greetingMs = 10_000;
/** The superfluous one of two links lives on for so long: what is on its way on it arrives. */
const retiringMs = 2000;
/** Whoever could not be reached is not dialled again for so long. */
const unreachableMs = 5000;
const unreachableMax = 256;
/** Ports tried after the one that was asked for, when it is taken. */
const portsTried = 100;

/** What speaks with peers about one matter: files, work. Every part hears every message and takes what is its own. */
export interface PeerPart {
  /** It can be spoken with from now on. */
  onPeer?(peer: Peer): void;
  /** Anything but greetings and signs of life. */
  onMessage(peer: Peer, message: PeerMessage): void;
  /** After `congested`: there is room again. */
  onDrain?(peer: Peer): void;
  /** Its link is gone, with what was on its way. Last. */
  onPeerEnd(peer: Peer): void;
  /** True as long as the link must not be closed for want of use. */
  needs?(peer: Peer): boolean;
}

/** Where to dial a peer. */
export interface PeerAddress {
  /** Who is meant; null = whoever of the cluster answers. */
  readonly publicKey: string | null;
  readonly host: string;
  readonly port: number;
}

export type DialledPeer = { readonly ok: true; readonly peer: Peer } | { readonly ok: false; readonly detail: string };

export interface PeersParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly links: PeerLinks;
  readonly roster: PeerRoster;
  readonly self: { readonly id: string; readonly name: string; readonly version: string; readonly publicKey: string };
  /** Pre-shared key to show, 32 bytes; null = none is known yet. */
  psk(): Uint8Array | null;
}

export class Peers {
  readonly #parts: PeersParts;
  readonly #users: PeerPart[] = [];
  readonly #connections = new Set<Connection>();
  /** By key and id. */
  readonly #peers = new Map<string, LinkedPeer>();
  readonly #dials = new Map<string, Promise<DialledPeer>>();
  /** When a place could not be reached, steady ms. */
  readonly #unreachable = new Map<string, { readonly at: number; readonly detail: string }>();
  #address: { readonly host: string; readonly port: number } | null = null;
  #listener: LinkListener | null = null;
  /** Why there are to be no peers; null = there may be. */
  #ban: string | null = null;
  #isClosed = false;
  #look: Timer | null = null;

  constructor(parts: PeersParts) {
    this.#parts = parts;
  }

  /** A part that is to hear of peers; before the first link. */
  add(part: PeerPart): void {
    this.#users.push(part);
  }

  get roster(): PeerRoster {
    return this.#parts.roster;
  }

  /** The port where it listens for peers; null = nowhere. */
  get port(): number | null {
    return this.#listener?.port ?? null;
  }

  /** The port where peers are let in just now; null = nowhere. */
  get openPort(): number | null {
    return this.roster.hasSelf ? this.port : null;
  }

  /** False when there is to be no peer-to-peer traffic, or all is over. */
  get isAllowed(): boolean {
    return this.#ban === null && !this.#isClosed;
  }

  /** Peers that can be spoken with. */
  get linked(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  /**
   * Takes peers at this address; when the port is taken (0 = any), at the next free one of the `portsTried` that follow.
   * Resolves with the port. Errors: `in_use` when all are taken, `io`.
   */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    const last = port === 0 ? 0 : Math.min(65_535, port + portsTried);
    for (let tried = port; ; tried++) {
      try {
        this.#listener = await this.#parts.links.listen({ host, port: tried }, (link) => this.#take(link, false));
        this.#address = { host, port: this.#listener.port };
        return this.#listener.port;
      } catch (error) {
        if (!(error instanceof OctasklyError) || error.code !== 'in_use' || tried >= last) throw error;
      }
    }
  }

  /** Null: there may be peers. Else why not: nobody listens, and everybody is forgotten, on disk too. */
  ban(reason: string | null): void {
    if (this.#isClosed || (reason === null && this.#ban === null)) return;
    this.#ban = reason;
    if (reason !== null) {
      this.#parts.roster.clear();
      this.#endAll(reason);
      void this.#listener?.close();
      this.#listener = null;
    } else if (this.#address !== null) {
      this.listen(this.#address).catch((error: unknown) => {
        this.#parts.log.warn('peers are not taken in', { reason: reasonOf(error) });
      });
    }
  }

  /** Who belongs to the cluster; links of those who do not any more end now. */
  take(message: Extract<DispatcherMessage, { kind: 'roster' }>): void {
    if (!this.isAllowed) return;
    const gone = new Set(this.#parts.roster.take(message));
    if (!this.roster.hasSelf) this.#endAll('this node is no member of the cluster');
    for (const connection of [...this.#connections]) {
      if (gone.has(connection.link.remoteKey)) this.#hangUp(connection, 'it is no member of the cluster any more');
    }
  }

  /** The node with this public key, if there is a link with it. */
  node(publicKey: string): Peer | null {
    const id = this.#parts.roster.byKey(publicKey)?.id;
    return id === undefined ? null : (this.#peers.get(`${publicKey} ${id}`) ?? null);
  }

  /** Says something to the node with this public key; false when there is no link with it. */
  send(publicKey: string, message: PeerMessage): boolean {
    const peer = this.node(publicKey);
    peer?.send(message);
    return peer !== null;
  }

  /** The link with a node: the one there is, or a new one. Never rejects. */
  dial(address: PeerAddress): Promise<DialledPeer> {
    const { publicKey, host, port } = address;
    const peer = publicKey === null ? null : this.node(publicKey);
    if (peer !== null) return Promise.resolve({ ok: true, peer });
    const place = `${publicKey ?? ''} ${host} ${port}`;
    const refusal = this.#refusal(place, publicKey);
    if (refusal !== null) return Promise.resolve({ ok: false, detail: refusal });
    const under = this.#dials.get(place) ?? this.#dial(address);
    this.#dials.set(place, under);
    void under.then((dialled) => {
      this.#dials.delete(place);
      if (!dialled.ok) this.#noteUnreachable(place, dialled.detail);
    });
    return under;
  }

  /** Takes and dials nobody any more, and hangs up. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#endAll('this worker stops');
    this.#parts.roster.flush();
    this.#look?.cancel();
    await this.#listener?.close();
  }

  // --------------------------------------------------------------------------------------------------- links

  #refusal(place: string, publicKey: string | null): string | null {
    const { roster, clock, psk } = this.#parts;
    if (!this.isAllowed) return this.#ban ?? 'this node stops';
    if (psk() === null || !roster.hasSelf) return 'this node is no member of its cluster';
    if (publicKey !== null && roster.byKey(publicKey) === null) return 'it is not on the roster of the cluster';
    const before = this.#unreachable.get(place);
    return before !== undefined && clock.steady() - before.at < unreachableMs ? before.detail : null;
  }

  #noteUnreachable(place: string, detail: string): void {
    this.#unreachable.delete(place);
    this.#unreachable.set(place, { at: this.#parts.clock.steady(), detail });
    if (this.#unreachable.size <= unreachableMax) return;
    for (const oldest of this.#unreachable.keys()) {
      this.#unreachable.delete(oldest);
      return;
    }
  }

  async #dial({ publicKey, host, port }: PeerAddress): Promise<DialledPeer> {
    const { clock, links, psk } = this.#parts;
    const proof = { by: 'peer', psk: psk() ?? new Uint8Array(32), peerKey: publicKey } as const;
    const startedAt = clock.steady();
    const greeting = Promise.withResolvers<DialledPeer>();
    const dialled = await links.dial({ host, port, proof }, (link) =>
      this.#take(link, true, (answer) => {
        greeting.resolve(answer);
        if (answer.ok && answer.peer instanceof LinkedPeer) answer.peer.dialMs = clock.steady() - startedAt;
      }),
    );
    return dialled.ok ? greeting.promise : { ok: false, detail: dialled.end.detail };
  }

  #take(link: PeerLink, dialled: boolean, greeted?: (answer: DialledPeer) => void): LinkHandlers<PeerMessage> {
    const { clock, self } = this.#parts;
    const now = clock.steady();
    const connection: Connection = { link, dialled, peer: null, sentAt: now, heardAt: now, usedAt: now };
    this.#connections.add(connection);
    const patience = clock.after(greetingMs, () => this.#hangUp(connection, 'it did not say who it is'));
    link.send({ kind: 'peerHello', id: self.id, name: self.name, version: self.version });
    if (!this.isAllowed || !this.roster.admits(link.remoteKey)) this.#hangUp(connection, 'no peers');
    else this.#makeRoom();
    this.#watch();
    return {
      onMessage: (message, done) => {
        connection.heardAt = clock.steady();
        if (connection.peer !== null) this.#hear(connection, connection.peer, message);
        else if (message.kind === 'peerHello') {
          patience.cancel();
          // Not inside the call: without somebody to tell it would not be made.
          const peer = this.#greet(connection, message);
          greeted?.({ ok: true, peer });
        } else this.#hangUp(connection, 'it did not say who it is');
        done?.();
      },
      onDrain: () => {
        const { peer } = connection;
        if (peer?.connection === connection) for (const part of this.#users) part.onDrain?.(peer);
      },
      onEnd: (end) => {
        patience.cancel();
        greeted?.({ ok: false, detail: end.detail });
        this.#parts.log.debug('a link with a peer ended', { from: link.remote, code: end.code, detail: end.detail });
        this.#forget(connection);
      },
    };
  }

  #greet(connection: Connection, { id, name, version }: Extract<PeerMessage, { kind: 'peerHello' }>): LinkedPeer {
    const { remoteKey, remote } = connection.link;
    const key = `${remoteKey} ${id}`;
    const known = this.#peers.get(key);
    if (known !== undefined) {
      connection.peer = known;
      this.#settle(known, connection);
      return known;
    }
    const peer = new LinkedPeer({ id, name, publicKey: remoteKey, connection, clock: this.#parts.clock });
    connection.peer = peer;
    this.#peers.set(key, peer);
    this.#parts.log.debug('a link with a peer', { from: remote, id, name, version });
    for (const part of this.#users) part.onPeer?.(peer);
    return peer;
  }

  /** Of two links with one peer: a newer one replaces what the same side dialled before; else the smaller key's stays. */
  #settle(peer: LinkedPeer, fresh: Connection): void {
    const present = peer.connection;
    const mine = this.#parts.self.publicKey < peer.publicKey;
    const freshStays = fresh.dialled === present.dialled || fresh.dialled === mine;
    const leaving = freshStays ? present : fresh;
    if (freshStays) {
      peer.connection = fresh;
      for (const part of this.#users) part.onDrain?.(peer);
    }
    this.#parts.clock.after(retiringMs, () => leaving.link.close('another link with this peer is in use'));
  }

  #hear(connection: Connection, peer: LinkedPeer, message: PeerMessage): void {
    if (message.kind === 'alive' || message.kind === 'peerHello') return;
    connection.usedAt = connection.heardAt;
    for (const part of this.#users) part.onMessage(peer, message);
  }

  /** Ends a link here and now: what is still heard on it counts no more. */
  #hangUp(connection: Connection, detail: string): void {
    connection.link.close(detail);
    this.#forget(connection);
  }

  #forget(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    const { peer } = connection;
    if (peer === null || peer.connection !== connection) return;
    this.#peers.delete(`${peer.publicKey} ${peer.id}`);
    for (const other of [...this.#connections]) if (other.peer === peer) this.#hangUp(other, 'its other link ended');
    for (const part of this.#users) part.onPeerEnd(peer);
  }

  #endAll(detail: string): void {
    for (const connection of [...this.#connections]) this.#hangUp(connection, detail);
  }

  #makeRoom(): void {
    if (this.#connections.size <= linksMax) return;
    let idlest: Connection | null = null;
    for (const connection of this.#connections) {
      if (idlest === null || connection.usedAt < idlest.usedAt) idlest = connection;
    }
    if (idlest !== null) this.#hangUp(idlest, `there are more than ${linksMax} links with peers`);
  }

  // -------------------------------------------------------------------------------------------- signs of life

  #watch(): void {
    if (this.#isClosed || this.#connections.size === 0) return;
    this.#look ??= this.#parts.clock.after(aliveMs, () => {
      this.#look = null;
      const now = this.#parts.clock.steady();
      for (const connection of [...this.#connections]) this.#check(connection, now);
      this.#watch();
    });
  }

  #check(connection: Connection, now: number): void {
    const { link, peer, heardAt, usedAt, sentAt } = connection;
    if (now - heardAt > silenceMs) {
      this.#hangUp(connection, `it was silent for ${silenceMs / 1000} s`);
      return;
    }
    const isNeeded = peer !== null && this.#users.some((part) => part.needs?.(peer) === true);
    if (now - usedAt > idleMs && !isNeeded) {
      this.#hangUp(connection, 'it was not used for a while');
      return;
    }
    if (now - sentAt < aliveMs / 2) return;
    connection.sentAt = now;
    link.send({ kind: 'alive' });
  }
}

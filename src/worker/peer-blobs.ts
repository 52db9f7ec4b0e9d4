/**
 * Files between peers: what is here, whole or in part, is given to whoever of the roster asks for it by its hash; what is
 * wanted here is fetched from those who have it or are getting it, with the dispatcher as the last resort.
 *
 * Any member may have any blob whose hash it knows: the hash is the permission, as for whoever is given a task with it.
 * Who has what is a hint of the dispatcher (`holders`) or of beacons; a wrong hint costs a question. What a peer says it has is never believed: the hash of the whole decides.
 *
 * Bounded: `hintsMax` blobs with `holdersMax` hints, `watchedMax` blobs a peer is told of.
 */

import { hostOf, isLoopbackHost } from '../base/place.ts';
import type { PeerTableView } from '../discovery/peer-table.ts';
import type { BlobCache } from '../ports/files.ts';
import type { Clock, Log, Timer } from '../ports/time.ts';
import { BlobServer } from '../transfer/serving.ts';
import { lastSource, Swarm } from '../transfer/swarm.ts';
import type { Fetch } from '../transfer/waits.ts';
import { type BlobAnswer, type BlobHolder, type DispatcherMessage, holdersMax } from '../wire/messages.ts';
import { blobsAskedMax, type PeerMessage } from '../wire/peer-messages.ts';
import type { Peer } from './peer.ts';
import type { PeerPart, Peers } from './peers.ts';
import type { DispatcherSide, Sharing } from './staging.ts';
import { TransferLog } from './transfer-log.ts';

/** Blobs with hints on who has them; the oldest are forgotten first. */
const hintsMax = 4096;
/** Blobs one peer is told of as more of them comes. */
const watchedMax = 1024;
/** How often peers are told how much is here. */
const tellMs = 50;

export interface PeerBlobsParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<BlobCache, 'size' | 'read' | 'received' | 'readReceived' | 'receive' | 'verify'>;
  readonly peers: Peers;
  /** This node's public key, hex. */
  readonly publicKey: string;
  /** An address on a network this machine is on. */
  isNear(host: string): boolean;
}

/** A peer that files are given to. */
interface Served {
  readonly server: BlobServer;
  /** What it was told last of the blobs it asked about. */
  readonly watched: Map<string, number>;
}

export class PeerBlobs implements PeerPart, Sharing {
  readonly #parts: PeerBlobsParts;
  readonly #swarm: Swarm;
  readonly #served = new Map<Peer, Served>();
  readonly #hints = new Map<string, readonly BlobHolder[]>();
  /** Host of the dispatcher as it is reached from here. */
  #dispatcherHost: string | null = null;
  #telling: Timer | null = null;
  #table: Pick<PeerTableView, 'holdersOf'> | null = null;
  /** Bytes given to peers. */
  servedBytes = 0;

  constructor(parts: PeerBlobsParts) {
    this.#parts = parts;
    const { clock, store } = parts;
    const troubles = new TransferLog(parts, (source) => this.#nameOf(source));
    this.#swarm = new Swarm({
      ...{ clock, store, onProgress: () => this.#tellSoon() },
      onTrouble: (trouble) => troubles.tell(trouble),
    });
    parts.peers.add(this);
  }

  // ------------------------------------------------------------------------------------------------ fetching

  /** The dispatcher's word on who has blobs. */
  hint({ blobs }: Extract<DispatcherMessage, { kind: 'holders' }>): void {
    for (const { blob, at } of blobs) {
      this.#hints.delete(blob);
      this.#hints.set(blob, at);
      if (this.#swarm.sizeOf(blob) !== null) this.#ask(blob, at);
    }
    for (const oldest of this.#hints.keys()) {
      if (this.#hints.size <= hintsMax) return;
      this.#hints.delete(oldest);
    }
  }

  /** Fetches a blob unless it is here, or joins those who wait for it. */
  fetch(blob: string, bytes: number): Fetch {
    const isNew = this.#swarm.sizeOf(blob) === null;
    const fetch = this.#swarm.fetch(blob, bytes);
    if (isNew) this.#ask(blob, [...(this.#hints.get(blob) ?? []), ...this.#heardOf(blob)]);
    return fetch;
  }

  /** From now on, who has what is known from these beacons too. */
  hears(table: Pick<PeerTableView, 'holdersOf'>): void {
    this.#table = table;
  }

  /** The dispatcher welcomed this worker on a new link. */
  attach(link: DispatcherSide): void {
    this.#dispatcherHost = hostOf(link.remote);
    this.#swarm.attach(lastSource, link);
  }

  detach(): void {
    this.#swarm.detach(lastSource);
  }

  /** What the dispatcher answers; gives back what of it is not fetched here, null = nothing. */
  take(message: BlobAnswer): BlobAnswer | null {
    return this.#swarm.take(lastSource, message);
  }

  /** What a source that is a peer is called; it may be off the roster by now. */
  #nameOf(source: string): string {
    const [publicKey = '', id = source] = source.split(' ');
    return this.#parts.peers.roster.byKey(publicKey)?.name ?? id;
  }

  #ask(blob: string, holders: readonly BlobHolder[]): void {
    const { peers, publicKey } = this.#parts;
    if (!peers.isAllowed) return;
    const asked = new Set([publicKey]);
    holders.forEach((holder, rank) => {
      if (asked.has(holder.publicKey)) return;
      asked.add(holder.publicKey);
      void this.#askHolder(blob, holder, rank);
    });
  }

  /** Those nearest that probably have it, as their beacons say; some do not. */
  #heardOf(blob: string): readonly BlobHolder[] {
    const heard = this.#table?.holdersOf(blob) ?? [];
    return heard.slice(0, holdersMax).map(({ id, beacon, from }) => {
      return { id, publicKey: beacon.publicKey, host: from.address, port: beacon.peerPort ?? 0 };
    });
  }

  async #askHolder(blob: string, holder: BlobHolder, rank: number): Promise<void> {
    const { peers, isNear } = this.#parts;
    const host = this.#hostOf(holder);
    const node = peers.roster.byKey(holder.publicKey);
    if (node === null) return;
    const key = `${node.publicKey} ${node.id}`;
    if (!this.#swarm.expect(blob, key, { rank, isNear: isNear(host) })) return;
    const dialled = await peers.dial({ publicKey: holder.publicKey, host, port: holder.port });
    if (dialled.ok && keyOf(dialled.peer) === key) dialled.peer.send({ kind: 'blobAsked', blobs: [blob] });
    else this.#swarm.forget(blob, key);
  }

  /** A worker on the dispatcher's own machine is known to it by an address that leads nowhere from elsewhere. */
  #hostOf({ host }: BlobHolder): string {
    return isLoopbackHost(host) ? (this.#dispatcherHost ?? host) : host;
  }

  // ------------------------------------------------------------------------------------------------ the part

  onPeer(peer: Peer): void {
    const { clock, store } = this.#parts;
    const read = (blob: string, from: number, max: number): Uint8Array => {
      const data = store.size(blob) === null ? store.readReceived(blob, from, max) : store.read(blob, from, max);
      this.servedBytes += data.length;
      return data;
    };
    // What is still coming in cannot be judged.
    const verify = async (blob: string): Promise<boolean> => store.size(blob) === null || store.verify(blob);
    const server = new BlobServer({ clock, store: { read, verify }, link: peer });
    this.#served.set(peer, { server, watched: new Map() });
    this.#swarm.attach(keyOf(peer), peer);
  }

  onMessage(peer: Peer, message: PeerMessage): void {
    switch (message.kind) {
      case 'blobWanted':
        this.#served.get(peer)?.server.take(message);
        return;
      case 'blobData':
      case 'blobRefused':
        this.#swarm.take(keyOf(peer), message);
        return;
      case 'blobAsked':
        this.#onAsked(peer, message.blobs);
        return;
      case 'blobHere':
        this.#swarm.here(keyOf(peer), message);
        return;
      default:
    }
  }

  onDrain(peer: Peer): void {
    this.#served.get(peer)?.server.drained();
  }

  onPeerEnd(peer: Peer): void {
    this.#served.get(peer)?.server.close();
    this.#served.delete(peer);
    this.#swarm.detach(keyOf(peer));
  }

  // ------------------------------------------------------------------------------------------------- serving

  #onAsked(peer: Peer, blobs: readonly string[]): void {
    const watched = this.#served.get(peer)?.watched;
    if (watched === undefined) return;
    for (const blob of blobs.slice(0, blobsAskedMax)) {
      watched.delete(blob);
      watched.set(blob, 0);
      this.#tell(peer, watched, blob, true);
    }
    for (const oldest of watched.keys()) {
      if (watched.size <= watchedMax) return;
      watched.delete(oldest);
    }
  }

  #tellSoon(): void {
    if (this.#telling !== null || this.#served.size === 0) return;
    this.#telling = this.#parts.clock.after(tellMs, () => {
      this.#telling = null;
      for (const [peer, { watched }] of this.#served) {
        for (const blob of [...watched.keys()]) this.#tell(peer, watched, blob, false);
      }
    });
  }

  /** Says how much of a blob is here, when that has changed or was asked for; of a whole one nothing more is to be said. */
  #tell(peer: Peer, watched: Map<string, number>, blob: string, wasAsked: boolean): void {
    const { store } = this.#parts;
    const whole = store.size(blob);
    const bytes = whole ?? this.#swarm.sizeOf(blob);
    const have = whole ?? (bytes === null ? 0 : store.received(blob));
    if (wasAsked || have !== watched.get(blob)) peer.send({ kind: 'blobHere', blob, bytes, have });
    if (whole === null) watched.set(blob, have);
    else watched.delete(blob);
  }
}

/** A peer's name among sources. */
function keyOf({ publicKey, id }: Peer): string {
  return `${publicKey} ${id}`;
}

/**
 * Workers as far as files between peers go, with real links, caches and rosters, and a dispatcher that counts what it
 * serves: for tests and figures.
 */

import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerLink } from '../../src/ports/links.ts';
import type { Log } from '../../src/ports/time.ts';
import { createBlobCache, type FileBlobCache } from '../../src/runtime/blob-cache.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { blobOf } from '../../src/runtime/file-bytes.ts';
import { dispatcherGate, keySet, peerPsk } from '../../src/runtime/keys.ts';
import { createLinks } from '../../src/runtime/links.ts';
import { createPeerLinks } from '../../src/runtime/peer-links.ts';
import { rosterFile } from '../../src/runtime/roster-file.ts';
import { BlobServer } from '../../src/transfer/serving.ts';
import type { BlobHolder, RosterEntry } from '../../src/wire/messages.ts';
import { PeerBlobs } from '../../src/worker/peer-blobs.ts';
import { PeerRoster } from '../../src/worker/peer-roster.ts';
import { Peers } from '../../src/worker/peers.ts';

const host = '127.0.0.1';
const secret = 'correct horse battery staple';
const keys = keySet(secret);
export const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface NodeOptions {
  readonly directory: string;
  readonly id: string;
  /** Another cluster's key, for one who does not belong. */
  readonly beaconKey?: Uint8Array;
}

/** A worker's peers and cache. */
export class PeerNode {
  readonly id: string;
  readonly directory: string;
  readonly keypair = nativeCrypto.generateKeypair();
  readonly publicKey = this.keypair.publicKey.toHex();
  readonly cache: FileBlobCache;
  readonly roster: PeerRoster;
  readonly peers: Peers;
  readonly blobs: PeerBlobs;
  #link: WorkerLink | null = null;

  constructor({ id, directory, beaconKey = keys.beaconKey }: NodeOptions) {
    this.id = id;
    this.directory = join(directory, id);
    this.cache = createBlobCache({ directory: join(this.directory, 'blobs'), bytesMax: 1e12, log: quiet });
    this.roster = new PeerRoster({
      ...{ clock: systemClock, publicKey: this.publicKey },
      kept: rosterFile(this.directory, quiet),
    });
    const psk = peerPsk(beaconKey);
    const links = createPeerLinks({
      staticKeypair: this.keypair,
      psks: () => [psk],
      admits: (key) => this.roster.admits(key),
      log: quiet,
    });
    const self = { id, name: id, version: '0.1.0', publicKey: this.publicKey };
    this.peers = new Peers({ clock: systemClock, log: quiet, links, roster: this.roster, self, psk: () => psk });
    const store = this.cache;
    this.blobs = new PeerBlobs({
      ...{ clock: systemClock, log: quiet, store, peers: this.peers, publicKey: this.publicKey, isNear: () => true },
    });
  }

  get entry(): RosterEntry {
    return { id: this.id, name: this.id, publicKey: this.publicKey };
  }

  get holder(): BlobHolder {
    return { id: this.id, publicKey: this.publicKey, host, port: this.peers.port ?? 1 };
  }

  listen(): Promise<number> {
    return this.peers.listen({ host, port: 0 });
  }

  knows(nodes: readonly PeerNode[]): void {
    this.peers.take({ kind: 'roster', whole: true, members: nodes.map(({ entry }) => entry), gone: [] });
  }

  /** Joins a dispatcher, as far as files go. */
  async join(port: number): Promise<void> {
    const links = createLinks({ crypto: nativeCrypto, staticKeypair: this.keypair });
    const proof = { by: 'secret', psk: keys.psk } as const;
    const dialled = await links.dial({ host, port, proof }, (link) => {
      this.#link = link;
      return {
        onMessage: (message) => {
          if (message.kind === 'blobData' || message.kind === 'blobRefused') this.blobs.take(message);
        },
        onDrain: () => undefined,
        onEnd: () => this.blobs.detach(),
      };
    });
    if (!dialled.ok) throw new Error(dialled.end.detail);
    this.blobs.attach(dialled.link);
  }

  async close(): Promise<void> {
    this.#link?.close('over');
    await this.peers.close();
  }
}

/** A dispatcher that gives blobs, and nothing else. */
export class CountingHub {
  servedBytes = 0;
  readonly directory: string;
  readonly cache: FileBlobCache;
  readonly #servers = new Map<object, BlobServer>();
  #close: (() => Promise<void>) | null = null;
  port = 0;

  constructor(directory: string) {
    this.directory = directory;
    this.cache = createBlobCache({ directory: join(directory, 'hub'), bytesMax: 1e12, log: quiet });
  }

  async listen(): Promise<void> {
    const gate = dispatcherGate(() => [keys], { strangers: false });
    const links = createLinks({ crypto: nativeCrypto, staticKeypair: nativeCrypto.generateKeypair(), gate });
    const read = (blob: string, from: number, max: number): Uint8Array => {
      const data = this.cache.read(blob, from, max);
      this.servedBytes += data.length;
      return data;
    };
    const store = { read, verify: (blob: string) => this.cache.verify(blob) };
    const listener = await links.listen({ host, port: 0 }, (link) => {
      const server = new BlobServer({ clock: systemClock, store, link });
      this.#servers.set(link, server);
      return {
        onMessage: (message) => {
          if (message.kind === 'blobWanted') server.take(message);
        },
        onDrain: () => server.drained(),
        onEnd: () => server.close(),
      };
    });
    this.port = listener.port;
    this.#close = () => listener.close();
  }

  /** Puts in `bytes` random bytes; the blob's name. */
  fill(bytes: number): string {
    const content = randomFillSync(new Uint8Array(bytes));
    const blob = blobOf(content);
    this.cache.put(blob, content);
    return blob;
  }

  async close(): Promise<void> {
    await this.#close?.();
  }
}

export interface Scene {
  readonly hub: CountingHub;
  readonly nodes: readonly PeerNode[];
  close(): Promise<void>;
}

/** A dispatcher and `count` workers that know each other. */
export async function openScene(count: number): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'octaskly-peers-'));
  const hub = new CountingHub(directory);
  await hub.listen();
  const nodes = Array.from({ length: count }, (_, n) => new PeerNode({ directory, id: `w${n}` }));
  for (const node of nodes) {
    node.knows(nodes);
    await node.listen();
    await node.join(hub.port);
  }
  return {
    hub,
    nodes,
    async close() {
      await Promise.all(nodes.map((node) => node.close()));
      await hub.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** What the dispatcher says to the n-th of those who want a blob at once: those before it, the last first. */
export function chainOf(nodes: readonly PeerNode[], n: number): readonly BlobHolder[] {
  return nodes
    .slice(Math.max(0, n - 4), n)
    .toReversed()
    .map(({ holder }) => holder);
}

/** All of them want the blob at once. */
export async function fetchAll({ nodes }: Pick<Scene, 'nodes'>, blob: string, bytes: number): Promise<void> {
  await Promise.all(
    nodes.map((node, n) => {
      node.blobs.hint({ kind: 'holders', blobs: [{ blob, at: chainOf(nodes, n) }] });
      return node.blobs.fetch(blob, bytes).done;
    }),
  );
}

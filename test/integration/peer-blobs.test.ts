/** Files between peers over real links, caches and rosters on this machine; what the dispatcher served is counted. */

import { afterEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rosterFile } from '../../src/runtime/roster-file.ts';
import { until } from './link-peers.ts';
import { fetchAll, openScene, PeerNode, quiet, type Scene } from './peer-nodes.ts';

const mebibyte = 1024 * 1024;
let scene: Scene | null = null;

afterEach(async () => {
  await scene?.close();
  scene = null;
});

async function open(count: number): Promise<Scene> {
  scene = await openScene(count);
  return scene;
}

test('eight workers that want one large blob at once cost the dispatcher about one upload', async () => {
  const { hub, nodes } = await open(8);
  const bytes = 48 * mebibyte;
  const blob = hub.fill(bytes);
  await fetchAll({ nodes }, blob, bytes);
  for (const { cache } of nodes) expect(cache.size(blob)).toBe(bytes);
  expect(hub.servedBytes / bytes).toBeLessThanOrEqual(1.3);
}, 60_000);

test('several peers that have all of it share the work, and the dispatcher is not asked', async () => {
  const { hub, nodes } = await open(4);
  const bytes = 32 * mebibyte;
  const blob = hub.fill(bytes);
  const [wants, ...others] = nodes;
  const content = hub.cache.read(blob, 0, bytes);
  for (const { cache } of others) cache.put(blob, content);
  wants?.blobs.hint({ kind: 'holders', blobs: [{ blob, at: others.map(({ holder }) => holder) }] });
  await wants?.blobs.fetch(blob, bytes).done;
  expect(wants?.cache.size(blob)).toBe(bytes);
  expect(hub.servedBytes).toBe(0);
  for (const { blobs } of others) expect(blobs.servedBytes).toBeGreaterThan(mebibyte);
}, 30_000);

test('a source that is killed in the middle costs the rest of one upload at most', async () => {
  const { hub, nodes } = await open(4);
  const bytes = 96 * mebibyte;
  const blob = hub.fill(bytes);
  const [source, ...others] = nodes;
  source?.cache.put(blob, hub.cache.read(blob, 0, bytes));
  const done = Promise.all(
    others.map((node, n) => {
      const at = [...others.slice(0, n).reverse(), ...(source === undefined ? [] : [source])];
      node.blobs.hint({ kind: 'holders', blobs: [{ blob, at: at.map(({ holder }) => holder) }] });
      return node.blobs.fetch(blob, bytes).done;
    }),
  );
  await until('the source has given something', () => (source?.blobs.servedBytes ?? 0) > 8 * mebibyte);
  await source?.close();
  await done;
  for (const { cache } of others) expect(cache.size(blob)).toBe(bytes);
  expect(hub.servedBytes / bytes).toBeLessThanOrEqual(1.1);
}, 60_000);

test('wrong bytes of a peer are found out, and the dispatcher gives the right ones', async () => {
  const { hub, nodes } = await open(2);
  const bytes = 4 * mebibyte;
  const blob = hub.fill(bytes);
  const [liar, wants] = nodes;
  const content = hub.cache.read(blob, 0, bytes);
  liar?.cache.put(blob, content);
  const file = liar?.cache.file(blob) ?? '';
  const wrong = content.slice();
  wrong[mebibyte] = (wrong[mebibyte] ?? 0) ^ 1;
  await Bun.write(file, wrong);
  if (liar !== undefined) wants?.blobs.hint({ kind: 'holders', blobs: [{ blob, at: [liar.holder] }] });
  await wants?.blobs.fetch(blob, bytes).done;
  expect(wants?.cache.size(blob)).toBe(bytes);
  expect(liar?.blobs.servedBytes).toBe(bytes);
  expect(hub.servedBytes).toBe(bytes);
});

test('whoever is taken off the roster is hung up on at once and gets no further byte', async () => {
  const { hub, nodes } = await open(2);
  const bytes = 128 * mebibyte;
  const blob = hub.fill(bytes);
  const [source, kicked] = nodes;
  source?.cache.put(blob, hub.cache.read(blob, 0, bytes));
  if (source === undefined || kicked === undefined) throw new Error('two nodes');
  kicked.blobs.hint({ kind: 'holders', blobs: [{ blob, at: [source.holder] }] });
  const fetch = kicked.blobs.fetch(blob, bytes);
  await until('something was given', () => source.blobs.servedBytes > 0);
  source.peers.take({ kind: 'roster', whole: false, members: [], gone: [kicked.publicKey] });
  expect(source.peers.linked).toEqual([]);
  const { servedBytes } = source.blobs;
  await until('the link is gone there too', () => kicked.peers.linked.length === 0);
  const again = await kicked.peers.dial({
    publicKey: source.publicKey,
    host: '127.0.0.1',
    port: source.peers.port ?? 0,
  });
  expect(again.ok).toBe(false);
  expect(source.blobs.servedBytes).toBe(servedBytes);
  await fetch.done;
  expect(hub.servedBytes).toBeGreaterThan(0);
}, 30_000);

test('strangers, and members of another cluster, are not let in', async () => {
  const { nodes } = await open(1);
  const [node] = nodes;
  if (node === undefined) throw new Error('a node');
  const directory = mkdtempSync(join(tmpdir(), 'octaskly-stranger-'));
  const stranger = new PeerNode({ directory, id: 'stranger' });
  const other = new PeerNode({ directory, id: 'other', beaconKey: new Uint8Array(32) });
  const address = { publicKey: node.publicKey, host: '127.0.0.1', port: node.peers.port ?? 0 };
  stranger.knows([node, stranger]);
  other.knows([node, other]);
  node.knows([node, other]);
  for (const each of [stranger, other]) expect(await each.peers.dial(address)).toMatchObject({ ok: false });
  expect(node.peers.linked).toEqual([]);
  await stranger.close();
  await other.close();
  rmSync(directory, { recursive: true, force: true });
});

test('a node that is not on its own roster lets nobody in and dials nobody, and forgets all when it is shut out', async () => {
  const { nodes } = await open(2);
  const [a, b] = nodes;
  if (a === undefined || b === undefined) throw new Error('two nodes');
  const to = (node: PeerNode) => ({ publicKey: node.publicKey, host: '127.0.0.1', port: node.peers.port ?? 0 });
  expect(await b.peers.dial(to(a))).toMatchObject({ ok: true });
  a.peers.take({ kind: 'roster', whole: false, members: [], gone: [a.publicKey] });
  expect([a.peers.linked, a.peers.openPort]).toEqual([[], null]);
  expect(await a.peers.dial(to(b))).toMatchObject({ ok: false, detail: 'this node is no member of its cluster' });
  await until('the link is gone there too', () => b.peers.linked.length === 0);
  expect(await b.peers.dial(to(a))).toMatchObject({ ok: false });
  a.knows([a, b]);
  expect(a.peers.openPort).toBe(a.peers.port);
  a.peers.ban('it was removed');
  expect([a.peers.port, a.roster.members]).toEqual([null, []]);
  expect(rosterFile(a.directory, quiet).load()).toEqual([]);
});

test('two that dial each other at once end up with one link, and hear each other', async () => {
  const { nodes } = await open(2);
  const [a, b] = nodes;
  if (a === undefined || b === undefined) throw new Error('two nodes');
  const to = (node: PeerNode) => ({ publicKey: node.publicKey, host: '127.0.0.1', port: node.peers.port ?? 0 });
  const dialled = await Promise.all([a.peers.dial(to(b)), b.peers.dial(to(a))]);
  expect(dialled.every(({ ok }) => ok)).toBe(true);
  const heard: string[] = [];
  const part = (name: string) => ({
    onMessage: (_: unknown, { kind }: { kind: string }) => heard.push(`${name} ${kind}`),
    onPeerEnd: () => heard.push(`${name} ended`),
  });
  a.peers.add({ ...part('a'), onMessage: (_peer, { kind }) => void heard.push(`a ${kind}`) });
  b.peers.add({ ...part('b'), onMessage: (_peer, { kind }) => void heard.push(`b ${kind}`) });
  await until('one peer each', () => a.peers.linked.length === 1 && b.peers.linked.length === 1);
  expect(a.peers.send(b.publicKey, { kind: 'workWanted', slots: 1 })).toBe(true);
  expect(b.peers.send(a.publicKey, { kind: 'workWanted', slots: 1 })).toBe(true);
  await until('both heard', () => heard.length === 2);
  expect(heard.toSorted()).toEqual(['a workWanted', 'b workWanted']);
});

test('the roster is there again after a restart', async () => {
  const { nodes } = await open(3);
  const [node] = nodes;
  if (node === undefined) throw new Error('a node');
  await node.peers.close();
  const again = new PeerNode({ directory: join(node.directory, '..'), id: node.id });
  expect(again.roster.members.map(({ id }) => id).toSorted()).toEqual(['w0', 'w1', 'w2']);
});

test('listen() takes the next free port when the one asked for is taken', async () => {
  const { nodes } = await open(2);
  const [a, b] = nodes;
  const taken = a?.peers.port ?? 0;
  const port = await b?.peers.listen({ host: '127.0.0.1', port: taken });
  expect(port).toBeGreaterThan(taken);
});

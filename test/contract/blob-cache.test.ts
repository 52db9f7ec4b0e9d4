/** What the cache of a worker promises beyond a store of blobs: a limit, holds, and to find everything again. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBlobCache, type FileBlobCache } from '../../src/runtime/blob-cache.ts';
import { blobOf } from '../memory-blobs.ts';
import { silentLog as log } from '../unit/dispatcher/fakes.ts';

let directory: string;
let cache: FileBlobCache;
const open = (bytesMax = 100): FileBlobCache => createBlobCache({ directory, bytesMax, log });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-cache-'));
  cache = open();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A blob of `length` bytes told apart by `letter`. */
function content(letter: string, length = 40): Uint8Array {
  return new TextEncoder().encode(letter.repeat(length));
}

function add(letter: string, length = 40): string {
  const blob = blobOf(content(letter, length));
  cache.put(blob, content(letter, length));
  return blob;
}

const here = (...blobs: string[]): boolean[] => blobs.map((blob) => cache.size(blob) !== null);

test('BlobCache: the least recently used goes first', () => {
  const [a, b] = [add('a'), add('b')];
  cache.read(a, 0, 1);
  const c = add('c');
  expect(here(a, b, c)).toEqual([true, false, true]);
});

test('BlobCache: what is held stays though the limit is exceeded, which is kept again on release', () => {
  const [a, b] = [add('a'), add('b')];
  for (const blob of [a, a, b]) cache.hold(blob);
  const c = blobOf(content('c'));
  cache.hold(c);
  add('c');
  cache.delete(a);
  expect(here(a, b, c)).toEqual([true, true, true]);
  cache.release(a);
  expect(here(a)).toEqual([true]);
  cache.release(a);
  expect(here(a, b, c)).toEqual([false, true, true]);
  expect(() => cache.release(a)).toThrow('more often');
});

test('BlobCache: what is held from the start outlives a restart with less room', () => {
  const [a, b] = [add('a'), add('b')];
  cache = createBlobCache({ directory, bytesMax: 10, log, held: [a] });
  expect(here(a, b)).toEqual([true, false]);
  cache.release(a);
  expect(here(a)).toEqual([false]);
});

test('BlobCache: what is coming in makes room when it is announced, and counts while it is open', async () => {
  const [a, b] = [add('a'), add('b')];
  const receiver = cache.receive(blobOf(content('c')), 40);
  expect(here(a, b)).toEqual([false, true]);
  receiver.write(content('c'));
  expect(await receiver.finish()).toBe(true);
  expect(here(b, blobOf(content('c')))).toEqual([true, true]);
});

test('BlobCache: parts that nobody goes on with make way before whole blobs do', () => {
  const part = cache.receive(blobOf(content('p')), 40);
  part.write(content('p', 30));
  part.suspend();
  const [a, b] = [add('a', 50), add('b', 45)];
  expect(here(a, b)).toEqual([true, true]);
  expect(cache.receive(blobOf(content('p')), 40).received).toBe(0);
});

test('BlobCache: a blob of another hash leaves nothing that counts', async () => {
  for (let round = 0; round < 5; round++) {
    const receiver = cache.receive(blobOf(content('x')), 40);
    receiver.write(content('y'));
    expect(await receiver.finish()).toBe(false);
  }
  const [a, b] = [add('a', 50), add('b', 50)];
  expect(here(a, b)).toEqual([true, true]);
});

test('BlobCache: a restart finds blobs and parts again, oldest use first, and keeps the limit', () => {
  cache = open(1000);
  const [a, b, c] = [add('a'), add('b'), add('c')];
  const part = cache.receive(blobOf(content('p')), 40);
  part.write(content('p', 10));
  for (const [index, blob] of [b, c, a].entries()) {
    const at = new Date(Date.now() - 60_000 + index * 1000);
    utimesSync(cache.file(blob), at, at);
  }
  cache = open(90);
  expect(here(a, b, c)).toEqual([true, false, true]);
  expect(readdirSync(join(directory, 'incoming'))).toEqual([]);
});

test('BlobCache: a restart drops parts older than a day', () => {
  for (const letter of ['p', 'q']) cache.receive(blobOf(content(letter)), 40).write(content(letter, 10));
  const past = new Date(Date.now() - 25 * 3600_000);
  utimesSync(join(directory, 'incoming', blobOf(content('p')).slice(7)), past, past);
  cache = open();
  expect(cache.receive(blobOf(content('p')), 40).received).toBe(0);
  expect(cache.receive(blobOf(content('q')), 40).received).toBe(10);
});

test('BlobCache.isSound() looks at a blob again when its file was written to, and drops a damaged one, held or not', async () => {
  const a = add('a');
  cache.hold(a);
  expect(await cache.isSound(a)).toBe(true);
  writeFileSync(cache.file(a), content('b'));
  expect(await cache.isSound(a)).toBe(false);
  expect(existsSync(cache.file(a))).toBe(false);
  expect(await cache.isSound(a)).toBe(false);
});

test('BlobCache.size() drops what was cut short', () => {
  const a = add('a');
  truncateSync(cache.file(a), 10);
  expect(cache.size(a)).toBeNull();
  expect(existsSync(cache.file(a))).toBe(false);
});

/** What every `OutputStore` promises, held against the real one on files, and what a restart of it finds. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../src/ports/time.ts';
import { createBlobStore, type FileBlobStore } from '../../src/runtime/blobs.ts';
import { createOutputStore, type FileOutputStore, keptBytesMax } from '../../src/runtime/outputs.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const id = '0123456789ab';
let directory: string;
let outputs: FileOutputStore;
let blobs: FileBlobStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-outputs-'));
  blobs = createBlobStore({ directory: join(directory, 'blobs'), log });
  outputs = createOutputStore({ directory, blobs, log });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Bytes without a pattern that a misplaced chunk could hide in. */
function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

function blobOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Appends all of `bytes` in pieces of `step`. */
function feed(bytes: Uint8Array, step: number, stream: 'stdout' | 'stderr' = 'stdout', task = id): void {
  for (let at = outputs.size(task, 1, stream); at < bytes.length; at += step) {
    expect(outputs.append(task, 1, stream, at, bytes.slice(at, at + step))).toBe(true);
  }
}

function liveFiles(): string[] {
  return readdirSync(join(directory, 'output'));
}

describe('OutputStore.append()', () => {
  test('takes bytes in order, skips what is here, refuses a gap', () => {
    expect(outputs.append(id, 1, 'stdout', 1, noise(1))).toBe(false);
    expect(outputs.append(id, 1, 'stdout', 0, new Uint8Array([1, 2, 3]))).toBe(true);
    expect(outputs.append(id, 1, 'stdout', 0, new Uint8Array([1, 2]))).toBe(true);
    expect(outputs.append(id, 1, 'stdout', 2, new Uint8Array([3, 4]))).toBe(true);
    expect(outputs.append(id, 1, 'stdout', 5, new Uint8Array([6]))).toBe(false);
    expect(outputs.size(id, 1, 'stdout')).toBe(4);
    expect(outputs.read(id, 1, 'stdout', 0, 99)).toEqual(new Uint8Array([1, 2, 3, 4]));
  });

  test('keeps tasks, attempts and streams apart', () => {
    outputs.append(id, 1, 'stdout', 0, noise(1));
    outputs.append(id, 2, 'stdout', 0, noise(2));
    outputs.append(id, 1, 'stderr', 0, noise(3));
    expect([outputs.size(id, 1, 'stdout'), outputs.size(id, 2, 'stdout'), outputs.size(id, 1, 'stderr')]).toEqual([
      1, 2, 3,
    ]);
    expect(outputs.size('zzzzzzzzzzzz', 1, 'stdout')).toBe(0);
  });

  test('does not keep the buffer it is given', () => {
    const buffer = noise(4);
    outputs.append(id, 1, 'stdout', 0, buffer);
    buffer.fill(0);
    expect(outputs.read(id, 1, 'stdout', 0, 9)).toEqual(noise(4));
  });

  test('goes to a private file beyond the bound, and reads the same', () => {
    const bytes = noise(keptBytesMax + 5000);
    feed(bytes.subarray(0, keptBytesMax), 1000);
    expect(liveFiles()).toEqual([]);
    feed(bytes, 1000);
    expect(liveFiles()).toEqual([`${id}.1.stdout`]);
    expect(statSync(join(directory, 'output', `${id}.1.stdout`)).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'output')).mode & 0o777).toBe(0o700);
    expect(outputs.read(id, 1, 'stdout', 0, bytes.length)).toEqual(bytes);
    expect(outputs.read(id, 1, 'stdout', keptBytesMax - 3, 6)).toEqual(bytes.slice(keptBytesMax - 3, keptBytesMax + 3));
    expect(outputs.read(id, 1, 'stdout', bytes.length, 6)).toEqual(new Uint8Array());
  });

  test('bounds the memory of all streams together: what finds no room goes to its file', () => {
    outputs = createOutputStore({ directory, blobs, log, memoryBytesMax: 3000 });
    const ids = ['00000000000a', '00000000000b', '00000000000c'];
    for (const task of ids) feed(noise(1500), 700, 'stdout', task);
    expect(liveFiles()).not.toEqual([]);
    for (const task of ids)
      expect(outputs.finish(task, 1).stdout).toEqual({ bytes: noise(1500), totalBytes: 1500, blob: null });
    expect(liveFiles()).toEqual([]);
    feed(noise(3000), 3000);
    expect(liveFiles()).toEqual([]);
  });

  test('refuses a task id that would name a file elsewhere', () => {
    expect(() => outputs.append('../evil', 1, 'stdout', 0, noise(1))).toThrow('not the name of an output');
  });
});

describe('OutputStore.finish()', () => {
  test('gives a row everything up to the bound', () => {
    feed(noise(keptBytesMax), 10_000);
    outputs.append(id, 1, 'stderr', 0, noise(3));
    expect(outputs.finish(id, 1)).toEqual({
      stdout: { bytes: noise(keptBytesMax), totalBytes: keptBytesMax, blob: null },
      stderr: { bytes: noise(3), totalBytes: 3, blob: null },
    });
    expect(outputs.size(id, 1, 'stdout')).toBe(0);
    expect(outputs.finish(id, 1).stdout).toEqual({ bytes: new Uint8Array(), totalBytes: 0, blob: null });
  });

  test('gives a row head and tail beyond it, and makes the whole a blob named by its content', () => {
    const bytes = noise(keptBytesMax * 3 + 17);
    feed(bytes, 9999);
    const { stdout } = outputs.finish(id, 1);
    const half = keptBytesMax / 2;
    expect(stdout.totalBytes).toBe(bytes.length);
    expect(stdout.bytes.slice(0, half)).toEqual(bytes.slice(0, half));
    expect(stdout.bytes.slice(half)).toEqual(bytes.slice(-half));
    expect(stdout.blob).toBe(blobOf(bytes));
    expect(liveFiles()).toEqual([]);
    const blob = stdout.blob ?? '';
    expect(blobs.read(blob, 0, bytes.length * 2)).toEqual(bytes);
    expect(blobs.read(blob, 70_000, 10)).toEqual(bytes.slice(70_000, 70_010));
    expect(blobs.read(blob, bytes.length + 1, 10)).toEqual(new Uint8Array());
    blobs.delete(blob);
    blobs.delete(blob);
    expect(() => blobs.read(blob, 0, 1)).toThrow('There is no blob');
  });

  test('keeps equal large outputs once', () => {
    const bytes = noise(keptBytesMax + 1);
    feed(bytes, bytes.length, 'stdout');
    feed(bytes, bytes.length, 'stderr');
    const { stdout, stderr } = outputs.finish(id, 1);
    expect(stdout.blob).toBe(stderr.blob);
    expect([...blobs.list()]).toHaveLength(1);
    expect(blobs.read(stdout.blob ?? '', 0, bytes.length)).toEqual(bytes);
  });

  test('says so when the disk refuses, loses nothing, and succeeds once it does not', () => {
    const bytes = noise(keptBytesMax + 1);
    const folder = join(directory, 'blobs', blobOf(bytes).slice(7, 9));
    feed(bytes, 5000);
    outputs.append(id, 1, 'stderr', 0, noise(2));
    writeFileSync(folder, 'in the way');
    expect(() => outputs.finish(id, 1)).toThrow(expect.objectContaining({ code: 'storage_unavailable' }));
    expect(outputs.read(id, 1, 'stdout', 0, bytes.length)).toEqual(bytes);
    rmSync(folder);
    expect(outputs.finish(id, 1).stdout.blob).toBe(blobOf(bytes));
  });
});

test('OutputStore.append() that the disk refuses changes nothing and can be tried again', () => {
  const bytes = noise(keptBytesMax + 1);
  feed(bytes.subarray(0, 50_000), 5000);
  const obstacle = join(directory, 'output', `${id}.1.stdout`);
  mkdirSync(obstacle);
  const refused = expect.objectContaining({ code: 'storage_unavailable' });
  expect(() => outputs.append(id, 1, 'stdout', 50_000, bytes.slice(50_000))).toThrow(refused);
  expect(outputs.size(id, 1, 'stdout')).toBe(50_000);
  rmSync(obstacle, { recursive: true });
  feed(bytes, bytes.length);
  expect(outputs.finish(id, 1).stdout.blob).toBe(blobOf(bytes));
});

test('OutputStore.discard() forgets memory and files', () => {
  feed(noise(keptBytesMax + 1), 10_000);
  outputs.append(id, 1, 'stderr', 0, noise(2));
  outputs.discard(id, 1);
  expect(outputs.size(id, 1, 'stdout') + outputs.size(id, 1, 'stderr')).toBe(0);
  expect(liveFiles()).toEqual([]);
  outputs.discard(id, 1);
});

describe('OutputStore after a restart', () => {
  test('goes on where the file ends, and hashes the whole', () => {
    const bytes = noise(keptBytesMax * 2);
    feed(bytes.subarray(0, keptBytesMax + 100), 10_000);
    outputs = createOutputStore({ directory, blobs, log });
    expect(outputs.size(id, 1, 'stdout')).toBe(keptBytesMax + 100);
    feed(bytes, 10_000);
    expect(outputs.finish(id, 1).stdout.blob).toBe(blobOf(bytes));
  });

  test('has lost what was in memory, and takes it again', () => {
    feed(noise(100), 10);
    outputs = createOutputStore({ directory, blobs, log });
    expect(outputs.size(id, 1, 'stdout')).toBe(0);
    feed(noise(100), 10);
    expect(outputs.finish(id, 1).stdout.bytes).toEqual(noise(100));
  });

  test('sweep() removes output of ended attempts, keeps the rest, and touches no blob', () => {
    const kept = noise(keptBytesMax + 1, 2);
    feed(kept, kept.length, 'stdout', '00000000000a');
    outputs.finish('00000000000a', 1);
    for (const task of ['00000000000b', '00000000000c', '00000000000d'])
      feed(noise(keptBytesMax + 1), 70_000, 'stderr', task);
    outputs = createOutputStore({ directory, blobs, log });
    const live = new Map([
      ['00000000000b', { attempt: 1 }],
      ['00000000000c', { attempt: 2 }],
    ]);
    outputs.sweep(live);
    expect(liveFiles()).toEqual(['00000000000b.1.stderr']);
    expect(outputs.size('00000000000b', 1, 'stderr')).toBe(keptBytesMax + 1);
    expect(outputs.size('00000000000c', 1, 'stderr')).toBe(0);
    expect(blobs.read(blobOf(kept), 0, 1e6)).toEqual(kept);
  });
});

/** What every `BlobStore` promises, held against the one on files, the worker's cache and the one in memory. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BlobStore } from '../../src/ports/files.ts';
import { createBlobCache } from '../../src/runtime/blob-cache.ts';
import { createBlobStore, type FileBlobStore } from '../../src/runtime/blobs.ts';
import { blobOf, MemoryBlobs } from '../memory-blobs.ts';
import { silentLog as log } from '../unit/dispatcher/fakes.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-blobs-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Bytes that repeat at no length a misplaced piece could hide in. */
function noise(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (Math.imul(index + seed, 2654435761) >>> 24) ^ seed);
}

const code = (wanted: string) => expect.objectContaining({ code: wanted });

async function bring(store: BlobStore, bytes: Uint8Array, step = 1000): Promise<boolean> {
  const receiver = store.receive(blobOf(bytes), bytes.length);
  while (receiver.received < bytes.length) {
    receiver.write(bytes.subarray(receiver.received, receiver.received + step));
  }
  return receiver.finish();
}

/** Each store, and how it is opened anew after its program ended. */
const memory = new MemoryBlobs();
const kinds: Record<string, () => BlobStore> = {
  'on files': () => createBlobStore({ directory, log }),
  'as a cache': () => createBlobCache({ directory, bytesMax: 1e9, log }),
  'in memory': () => {
    memory.restart();
    return memory;
  },
};

for (const [kind, open] of Object.entries(kinds)) {
  describe(`BlobStore ${kind}`, () => {
    let store: BlobStore;
    beforeEach(() => {
      store = open();
      memory.blobs.clear();
    });

    test('takes a blob in pieces, and gives any range of it', async () => {
      const bytes = noise(10_000);
      expect(store.size(blobOf(bytes))).toBeNull();
      expect(await bring(store, bytes, 777)).toBe(true);
      expect(store.size(blobOf(bytes))).toBe(10_000);
      expect(store.read(blobOf(bytes), 0, 20_000)).toEqual(bytes);
      expect(store.read(blobOf(bytes), 9_990, 100)).toEqual(bytes.slice(9_990));
      expect(store.read(blobOf(bytes), 10_000, 5)).toHaveLength(0);
      expect(await store.verify(blobOf(bytes))).toBe(true);
    });

    test('takes an empty blob', async () => {
      expect(await bring(store, noise(0))).toBe(true);
      expect(store.size(blobOf(noise(0)))).toBe(0);
    });

    test('knows what is not here', async () => {
      const blob = blobOf(noise(3));
      expect(store.size(blob)).toBeNull();
      expect(() => store.read(blob, 0, 1)).toThrow(code('not_found'));
      expect(await store.verify(blob)).toBe(false);
      store.delete(blob);
    });

    test('receive() goes on where a suspended one stopped, also after a restart', async () => {
      const bytes = noise(5000);
      const blob = blobOf(bytes);
      const first = store.receive(blob, 5000);
      first.write(bytes.subarray(0, 2000));
      first.suspend();
      first.suspend();
      const second = store.receive(blob, 5000);
      expect(second.received).toBe(2000);
      second.write(bytes.subarray(2000, 3000));
      store = open();
      const third = store.receive(blob, 5000);
      expect(third.received).toBe(3000);
      expect(store.size(blob)).toBeNull();
      third.write(bytes.subarray(3000));
      expect(await third.finish()).toBe(true);
      third.suspend();
      expect(store.read(blob, 0, 5000)).toEqual(bytes);
    });

    test('receive() of what is here has everything; a second receiver of one blob is a conflict', async () => {
      const bytes = noise(10);
      const first = store.receive(blobOf(bytes), 10);
      expect(() => store.receive(blobOf(bytes), 10)).toThrow(code('conflict'));
      first.write(bytes);
      expect(await first.finish()).toBe(true);
      const again = store.receive(blobOf(bytes), 10);
      expect(again.received).toBe(10);
      expect(await again.finish()).toBe(true);
      expect(store.size(blobOf(bytes))).toBe(10);
    });

    test('finish() drops what has another hash, whole or resumed, and takes it anew', async () => {
      const bytes = noise(100);
      const blob = blobOf(bytes);
      for (const isResumed of [false, true]) {
        let receiver = store.receive(blob, 100);
        receiver.write(noise(50, 2));
        if (isResumed) {
          receiver.suspend();
          receiver = store.receive(blob, 100);
        }
        receiver.write(bytes.subarray(50));
        expect(await receiver.finish()).toBe(false);
        expect(store.size(blob)).toBeNull();
        expect(store.receive(blob, 100).received).toBe(0);
        store = open();
      }
      expect(await bring(store, bytes)).toBe(true);
    });

    test('write() refuses more than was announced', () => {
      const receiver = store.receive(blobOf(noise(9)), 9);
      receiver.write(noise(5));
      expect(() => receiver.write(noise(5))).toThrow(code('invalid'));
      expect(receiver.received).toBe(5);
    });

    test('sync() and delete() may come at any time', async () => {
      const bytes = noise(10);
      await store.sync();
      await bring(store, bytes);
      await Promise.all([store.sync(), store.sync()]);
      await bring(store, noise(11));
      store.delete(blobOf(noise(11)));
      await store.sync();
      expect(store.size(blobOf(bytes))).toBe(10);
    });
  });
}

describe('createBlobStore()', () => {
  let store: FileBlobStore;
  beforeEach(() => {
    store = createBlobStore({ directory, log });
  });

  test('keeps files private, named by their hash, and none beside them', async () => {
    const bytes = noise(10);
    await bring(store, bytes);
    const [hash = ''] = blobOf(bytes).split(':').reverse();
    const file = join(directory, hash.slice(0, 2), hash.slice(2));
    expect(store.file(blobOf(bytes))).toBe(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(directory, 'incoming'))).toEqual([]);
  });

  test('refuses names that are none', () => {
    for (const name of ['', 'sha256:00', `sha256:${'A'.repeat(64)}`, `sha256:../${'0'.repeat(61)}`]) {
      expect(() => store.receive(name, 1)).toThrow(code('not_found'));
      expect(() => store.read(name, 0, 1)).toThrow(code('not_found'));
      expect(store.size(name)).toBeNull();
    }
  });

  test('verify() finds damage at rest, and drops the blob', async () => {
    const bytes = noise(3_000_000);
    await bring(store, bytes, 500_000);
    const file = store.file(blobOf(bytes));
    writeFileSync(file, noise(3_000_000, 2));
    expect(await store.verify(blobOf(bytes))).toBe(false);
    expect(existsSync(file)).toBe(false);
    expect(await bring(store, bytes, 500_000)).toBe(true);
  });

  test('takes anew what was cut short at rest', async () => {
    const bytes = noise(1000);
    await bring(store, bytes);
    truncateSync(store.file(blobOf(bytes)), 500);
    expect(await bring(store, bytes)).toBe(true);
    expect(store.read(blobOf(bytes), 0, 1000)).toEqual(bytes);
  });

  test('an empty file is the empty blob alone', async () => {
    const bytes = noise(1000);
    await bring(store, bytes);
    truncateSync(store.file(blobOf(bytes)), 0);
    expect(store.size(blobOf(bytes))).toBeNull();
    expect(await bring(store, bytes)).toBe(true);
    expect(store.size(blobOf(bytes))).toBe(1000);
  });

  test('receive() goes on with nothing that came under another size, and keeps it until something comes', async () => {
    const bytes = noise(1000);
    const other = store.receive(blobOf(bytes), 2000);
    other.write(noise(700, 2));
    other.suspend();
    const idle = store.receive(blobOf(bytes), 1000);
    expect([idle.received, store.received(blobOf(bytes))]).toEqual([0, 700]);
    idle.suspend();
    const again = store.receive(blobOf(bytes), 2000);
    expect(again.received).toBe(700);
    again.suspend();
    expect(await bring(store, bytes, 300)).toBe(true);
    expect(store.read(blobOf(bytes), 0, 2000)).toEqual(bytes);
  });

  test('says storage_unavailable when the disk refuses, and goes on once it does not', async () => {
    const bytes = noise(1000);
    const obstacle = dirname(store.file(blobOf(bytes)));
    const refused = store.receive(blobOf(bytes), 1000);
    refused.write(bytes);
    writeFileSync(obstacle, 'in the way');
    await expect(refused.finish()).rejects.toThrow(code('storage_unavailable'));
    expect(() => store.receive(blobOf(bytes), 1000)).toThrow(code('storage_unavailable'));
    rmSync(obstacle);
    const receiver = store.receive(blobOf(bytes), 1000);
    expect(receiver.received).toBe(1000);
    expect(await receiver.finish()).toBe(true);
  });

  test('refuses at once what is larger than the free space', () => {
    const bytes = 2 ** 52;
    expect(() => store.receive(blobOf(noise(1)), bytes)).toThrow(
      /no space left on device \(4503599627370496 bytes are needed in/,
    );
  });

  test.skipIf(process.getuid?.() !== 0)(
    'says that the disk is full, and keeps of a blob no more than came',
    async () => {
      if (Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', directory]).exitCode !== 0) {
        console.warn('skipped: no file system can be mounted here');
        return;
      }
      try {
        store = createBlobStore({ directory, log });
        await bring(store, noise(500_000), 100_000);
        const bytes = noise(900_000, 3);
        const receiver = store.receive(blobOf(bytes), bytes.length);
        const writeAll = (): void => {
          while (receiver.received < bytes.length)
            receiver.write(bytes.slice(receiver.received, receiver.received + 50_000));
        };
        expect(writeAll).toThrow(/^Cannot store sha256:.*no space left on device/);
        expect(writeAll).toThrow(code('storage_unavailable'));
        const stopped = receiver.received;
        store.delete(blobOf(noise(500_000)));
        writeAll();
        expect([stopped > 0, await receiver.finish()]).toEqual([true, true]);
        expect(store.read(blobOf(bytes), 0, 1e6)).toEqual(bytes);
      } finally {
        Bun.spawnSync(['umount', directory]);
      }
    },
  );

  test('deletes at a start what was about to be taken over, and keeps parts', () => {
    const receiver = store.receive(blobOf(noise(9)), 9);
    receiver.write(noise(5));
    writeFileSync(join(directory, 'incoming', 'output-1-2'), 'left');
    createBlobStore({ directory, log });
    expect(readdirSync(join(directory, 'incoming'))).toEqual([blobOf(noise(9)).slice(7)]);
  });

  test('sweep() deletes what is old and not kept, and parts nobody goes on with', async () => {
    const [old, kept, fresh] = [noise(100, 1), noise(100, 2), noise(100, 3)];
    const [part, open] = [noise(100, 4), noise(100, 5)];
    for (const bytes of [old, kept, fresh]) await bring(store, bytes);
    for (const bytes of [part, open]) store.receive(blobOf(bytes), 100).write(bytes.subarray(0, 50));
    const other = createBlobStore({ directory, log });
    other.receive(blobOf(open), 100);
    const past = new Date(Date.now() - 10_000);
    for (const bytes of [old, kept]) utimesSync(store.file(blobOf(bytes)), past, past);
    for (const bytes of [part, open]) utimesSync(join(directory, 'incoming', blobOf(bytes).slice(7)), past, past);
    const isKept = (blob: string): boolean => blob === blobOf(kept);
    expect(await other.sweep(Date.now() - 5000, isKept, { dryRun: true })).toEqual({ blobs: 2, bytes: 150 });
    expect(other.size(blobOf(old))).toBe(100);
    expect(await other.sweep(Date.now() - 5000, isKept)).toEqual({ blobs: 2, bytes: 150 });
    expect([old, kept, fresh].map((bytes) => other.size(blobOf(bytes)))).toEqual([null, 100, 100]);
    expect([...other.listIncoming()].map(({ blob }) => blob)).toEqual([blobOf(open)]);
  });

  test('deleteOlder() spares what was brought again since', async () => {
    const bytes = noise(10);
    await bring(store, bytes);
    const past = new Date(Date.now() - 10_000);
    utimesSync(store.file(blobOf(bytes)), past, past);
    store.receive(blobOf(bytes), 10).suspend();
    expect(store.deleteOlder(blobOf(bytes), Date.now() - 5000)).toBe(false);
    utimesSync(store.file(blobOf(bytes)), past, past);
    expect(store.deleteOlder(blobOf(bytes), Date.now() - 5000)).toBe(true);
    expect(store.deleteOlder(blobOf(bytes), Date.now())).toBe(false);
  });
});

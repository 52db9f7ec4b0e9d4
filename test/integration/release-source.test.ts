/** Releases in directories and at addresses that are not as they should be. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchArchive, findManifest } from '../../src/roles/release-source.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-release-at-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('findManifest() reads no pipe, and nothing that has no end', () => {
  const path = join(directory, 'manifest.json');
  writeFileSync(path, '');
  truncateSync(path, 2 ** 40);
  expect(() => findManifest(directory, '--from')).toThrow(/manifest\.json is longer than \d+ bytes/);
  rmSync(path);
  if (Bun.which('mkfifo') === null) return console.warn('not tested: a pipe as a manifest: mkfifo is missing');
  expect(Bun.spawnSync(['mkfifo', path], { env: { PATH: process.env.PATH ?? '' } }).exitCode).toBe(0);
  expect(() => findManifest(directory, '--from')).toThrow('manifest.json is no file');
});

test('fetchArchive() gives up on a server that falls silent, and says when the connection broke off', async () => {
  const file = { kind: 'archive', target: 'linux-x64', file: 'a.tar.gz', bytes: 100, sha256: '0'.repeat(64) } as const;
  const stalling = Bun.serve({
    ...{ hostname: '127.0.0.1', port: 0 },
    fetch: () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) })),
  });
  const cutting = Bun.listen({
    ...{ hostname: '127.0.0.1', port: 0 },
    socket: {
      data(socket) {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc');
      },
    },
  });
  try {
    const from = (port: number | undefined, silenceMs: number): Promise<void> =>
      fetchArchive(`http://127.0.0.1:${port}`, file, { to: join(directory, `${silenceMs}`), silenceMs });
    await expect(from(stalling.port, 300)).rejects.toThrow('nothing came for 0.3 s');
    await expect(from(cutting.port, 10_000)).rejects.toThrow('the connection was closed');
  } finally {
    await stalling.stop(true);
    cutting.stop(true);
  }
});

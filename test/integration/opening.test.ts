import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../src/ports/time.ts';
import { loadStored, openApi } from '../../src/roles/opening.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore } from '../../src/store/store.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'octaskly-opening-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('openApi() says what is being done until the application answers', async () => {
  const opening = openApi({ host: '127.0.0.1', port: 0, bodyBytesMax: 1000 });
  try {
    const { url } = opening.server;
    expect((await fetch(`${url}/health`)).status).toBe(200);
    opening.say('5 tasks are loaded');
    const early = await fetch(`${url}/ready`);
    expect([early.status, await early.json()]).toEqual([
      503,
      expect.objectContaining({ detail: 'The dispatcher is starting: 5 tasks are loaded.' }),
    ]);
    opening.serve(() => new Response('here'));
    expect(await (await fetch(`${url}/ready`)).text()).toBe('here');
  } finally {
    await opening.server.stop(0);
  }
});

test('loadStored() reads in advance, once, and says how far it is', async () => {
  const file = openStore(join(folder, 'octaskly.db'), storeFiles);
  try {
    const said: string[] = [];
    const store = await loadStored(file, { say: (doing) => said.push(doing) }, silent);
    expect(said.at(-1)).toBe('0 of 0 tasks that wait or run are loaded');
    const first = store.load();
    expect(first).toEqual(file.load());
    expect(store.load()).not.toBe(first);
    expect(store.writtenBytes).toEqual(file.writtenBytes);
  } finally {
    file.close();
  }
});

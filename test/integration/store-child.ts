/**
 * A process for the store's tests to kill or to starve of disk space: `store-child.ts <job> <database>`.
 * Each job answers on stdout, a line at a time, only after what it says is durable.
 */

import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OctasklyError } from '../../src/base/errors.ts';
import { nextId } from '../../src/core/ids.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore } from '../../src/store/store.ts';
import { plainSpec, sampleTask, saved } from '../unit/store/samples.ts';

const [job = '', file = ''] = process.argv.slice(2);

function answer(value: object): void {
  writeFileSync(1, `${JSON.stringify(value)}\n`);
}

function errorOf(action: () => void): { code: string; message: string } | null {
  try {
    action();
    return null;
  } catch (error) {
    if (!(error instanceof OctasklyError)) throw error;
    return { code: error.code, message: error.message };
  }
}

let lastId = '';
/** Tasks of about 2 KB each, with new ids. */
function batchOf(count: number) {
  return Array.from({ length: count }, () => {
    lastId = nextId(lastId, Date.now());
    return sampleTask({ id: lastId, spec: { ...plainSpec, command: `: ${'x'.repeat(2000)}` } });
  });
}

/** Commits for ever and says which tasks are safe. */
function commitForever(): void {
  const store = openStore(file, storeFiles);
  for (;;) {
    const tasks = batchOf(20);
    store.commit(tasks.map((task) => saved(task)));
    answer({ acknowledged: tasks.map(({ id }) => id) });
  }
}

/** Fills a small disk, mounted above the data directory, frees some space, goes on; says what happened and what is stored. */
function fillDisk(): void {
  const filler = join(dirname(dirname(file)), 'filler');
  writeFileSync(filler, new Uint8Array(512 * 1024));
  const store = openStore(file, storeFiles);
  const acknowledged: string[] = [];
  const commit = (): void => {
    const tasks = batchOf(20);
    store.commit(tasks.map((task) => saved(task)));
    acknowledged.push(...tasks.map(({ id }) => id));
  };
  let whenFull = null;
  while (whenFull === null) whenFull = errorOf(commit);
  const storedWhenFull = store.statuses(acknowledged).size;
  const liveWhenFull = store.load().tasks.length;
  rmSync(filler);
  const afterwards = errorOf(() => store.probe()) ?? errorOf(commit);
  store.close();
  const again = openStore(file, storeFiles);
  const stored = again.load().tasks.map(({ id }) => id);
  again.close();
  answer({ whenFull, storedWhenFull, liveWhenFull, afterwards, acknowledged, stored });
}

if (job === 'commit') commitForever();
else if (job === 'fill') fillDisk();
else answer({ error: errorOf(() => openStore(file, storeFiles).close()) });

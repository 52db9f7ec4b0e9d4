/** Tasks found by the words of their names and commands, on the real store. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskSpec } from '../../src/core/task.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore, type SqliteStore } from '../../src/store/store.ts';
import { completed, plainSpec, richSpec, sampleTask, saved } from '../unit/store/samples.ts';

let directory: string;
let store: SqliteStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-store-'));
  store = openStore(join(directory, 'octaskly.db'), storeFiles);
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true, force: true });
});

function add(spec: Partial<TaskSpec>): string {
  const task = sampleTask({ ...completed, spec: { ...plainSpec, ...spec } });
  store.commit([saved(task)]);
  return task.id;
}

function found(...words: readonly string[]): string[] {
  return store.tasks({ words }, { limit: 100, before: null }).map(({ task }) => task.id);
}

describe('the filter "words"', () => {
  test('finds names, commands and arguments in either case, all words of it, newest first', () => {
    const film = add({ name: 'Film-12', command: 'ffmpeg -i a.mov b.mp4' });
    const sound = add({ command: 'ffmpeg -i a.wav b.mp3' });
    const words = add({ ...richSpec, dependsOn: [], name: null });
    expect(found('FFMPEG')).toEqual([sound, film]);
    expect(found('film', 'a.mov')).toEqual([film]);
    expect(found('film', 'a.wav')).toEqual([]);
    expect(found('grüße')).toEqual([words]);
    expect(found(film)).toEqual([film]);
    expect(found(film.slice(1))).toEqual([]);
    const page = { limit: 1, before: sound };
    expect(store.tasks({ words: ['ffmpeg'], statuses: ['completed'] }, page).map(({ task }) => task.id)).toEqual([
      film,
    ]);
  });

  test('takes no character for a wildcard, a quote or a part of how arguments are stored', () => {
    const plain = add({ command: 'echo hello' });
    const odd = add({ command: '50%_of it\'s \\ "it"' });
    const argued = add({ command: null, argv: ['a', 'say "hi"\n'] });
    expect(found('%')).toEqual([odd]);
    expect(found('_')).toEqual([odd]);
    expect(found('\\')).toEqual([odd]);
    expect(found("it's", '"it"')).toEqual([odd]);
    expect(found('"hi"\n')).toEqual([argued]);
    for (const stored of ['","', '[', '\\n', 'null']) expect(found(stored)).toEqual([]);
    expect(found()).toEqual([argued, odd, plain]);
  });
});
